"""Detections in own videos follow the files; what could be read of a broken video counts."""

import json
import os
import sys
from html import escape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest
from made_videos import cut_off, write_video

from mmad.cli.detect_videos import detect_videos
from mmad.config import BackboneConfig, DetectionConfig, ExtractConfig
from mmad.engine import feature_extractor
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.engine.infer import Pipeline
from mmad.errors import InputError
from mmad.files import name_in_folder, path_for_id
from mmad.formats import read_predictions
from mmad.labels import MMA52, LabelSet
from mmad.records import Detections, FeatureTrack
from mmad.report.content import VideoResult
from mmad.report.overlay import write_overlays
from mmad.report.pages import write_report
from mmad.video.finding import find_videos


class Whole(Pipeline):
    """Finds one action that lasts as long as the features say."""

    def detect_track(self, track: FeatureTrack) -> Detections:
        return Detections(track.video_id, [[0, track.duration]], [0], [1.0])


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    backbone = BackboneConfig("manet_r18", "random", resize=36, crop=32)
    return Whole(None, MMA52, DetectionConfig(), FeatureExtractor(ExtractConfig(backbone, device="cpu")))


def ends(out: Path) -> dict[str, float]:
    """{video: s at which its only detection ends} of predictions.json."""
    results = json.loads((out / "predictions.json").read_text())["results"]
    return {name: found[0]["segment"][1] for name, found in results.items()}


def test_detections_follow_a_video_that_was_replaced(pipeline, tmp_path, capsys):
    videos = [(name, write_video(tmp_path / f"{name}.mp4", 25)) for name in "ab"]
    out = tmp_path / "out"
    detect_videos(pipeline, videos, out)
    assert ends(out) == {"a": 1.0, "b": 1.0}
    write_video(videos[0][1], 50)
    found, durations, problems = detect_videos(pipeline, videos, out)
    assert ends(out) == durations == {"a": 2.0, "b": 1.0} and (len(found), problems) == (2, [])
    assert "a.mp4: is another video than the one its features were made from" in capsys.readouterr().err


def test_a_video_that_cannot_be_read_any_more_has_no_detections(pipeline, tmp_path, capsys):
    videos = [(name, write_video(tmp_path / f"{name}.mp4", 25)) for name in "ab"]
    out = tmp_path / "out"
    detect_videos(pipeline, videos, out)
    videos[0][1].write_bytes(b"no video")
    _, durations, (problem,) = detect_videos(pipeline, videos, out)
    assert ends(out) == durations == {"b": 1.0}
    assert "a.mp4: not a readable video" in problem
    assert "a: its features in" in capsys.readouterr().err


def test_a_broken_video_has_detections_in_what_was_read(pipeline, tmp_path, capsys):
    source = write_video(tmp_path / "whole.mp4", 40, between=0)
    broken = cut_off(tmp_path / "broken.mp4", source, 10)
    assert pipeline.detect(source).segments.tolist() == [[0, 1.6]]
    assert capsys.readouterr().err == ""
    assert pipeline.detect(broken).segments == pytest.approx(np.array([[0, 0.4]]))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {broken}: broken or cut off: 10 of 40 frames could be read")
    broken.write_bytes(b"no video")
    with pytest.raises(InputError, match=r"broken\.mp4: not a readable video"):
        pipeline.detect(broken)


def test_what_a_detector_finds_carries_the_names_it_learned(tmp_path, monkeypatch):
    """So that it is read without the label file, wherever the folder goes."""
    monkeypatch.setattr(feature_extractor, "extract_features", lambda *_: ([], []))
    labels = LabelSet("hands", ("wave", "nod"), ("hand", "head"), (0, 1))
    detect_videos(SimpleNamespace(extractor=None, labels=labels), [], tmp_path)
    file = read_predictions(tmp_path / "predictions.json")
    assert (file.labels, file.origin.ground_truth) == (labels, None)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not allow all of these names")
def test_no_name_costs_another_video_its_results(pipeline, tmp_path):
    """Each has its own page, picture, overlay and rows, whatever it is called."""
    names = ["good", "x" * 240, "day1/cam", "day2/cam", "a\nb", "10:32", "CON", "Mu\u0308ller", "3.04\u202fPM"]
    for name in [*names, os.fsdecode(b"caf\xe9")]:
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / "videos" / f"{name}.mp4", 25)
    (tmp_path / "videos" / "._good.mp4").write_bytes(b"no video")
    videos = find_videos([str(tmp_path / "videos")])
    out = tmp_path / "out"
    found, durations, problems = detect_videos(pipeline, videos, out)
    (problem,) = problems  # of the one name that no id may have
    assert r"'a\nb' is not a name for a file in a folder" in problem and len(found) == len(names)
    expected = {*names, "caf\ufffd", "M\u00fcller"} - {"a\nb", "Mu\u0308ller"}
    assert set(ends(out)) == set(durations) == expected
    results = [VideoResult(item, durations[item.video_id], file=dict(videos)[item.video_id]) for item in found]
    page = write_report(out, results, MMA52).read_text(encoding="utf-8")
    write_overlays(out / "overlays", found, dict(videos), MMA52)
    for name in expected:
        assert f'href="{escape(quote(f"report/{name_in_folder(name)}.html"))}"' in page
        for folder, suffix in (("report", "html"), ("report/media", "mp4"), ("overlays", "mp4"), ("timelines", "png")):
            assert path_for_id(out / folder, name, f".{suffix}").stat().st_size > 100
    assert not [path for path in out.rglob("*") if set(path.name) & set('<>:"|?*\\')]
