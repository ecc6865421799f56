"""tools/export.py through the command line: to the files of others, and back as ground truth."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from made_videos import write_video

from mmad.formats import EVENT_FORMATS, PER_VIDEO_FORMATS, read_annotations, read_events

ROOT = Path(__file__).parents[2]
ITEMS = [
    {"segment": [0.0, 2.0], "label": "nodding", "score": 0.9},
    {"segment": [1.0, 3.0], "label": "nodding", "score": 0.2},
    {"segment": [1.0, 3.0], "label": "waving", "score": 0.4},
]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("predictions.json").write_text(json.dumps({"results": {"v1": ITEMS, "v2": ITEMS[:1]}}))
    Path("truth.csv").write_text("id,video_id,start_frame,end_frame,class,total_frames,fps\n0,v1,0,50,9,250,25\n")
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def typed(script: str, *arguments) -> str:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        done = capsys.readouterr()
        assert left.value.code == 0, done.err
        return done.out

    return typed


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_predictions_go_out_and_come_back_as_truth(run, here, form):
    out = "out" if form in PER_VIDEO_FORMATS else "out.csv" if form == "boris" else "out.json"
    said = run("tools/export.py", "predictions.json", "--format", form, "--out", out, "--fps", 25)
    assert said == f"4 detections in 2 videos as {form} in {out}\n"
    table = run("eval/map.py", "predictions.json", "--ground-truth", out)
    assert "mean over 2 classes with truth of 52, 4 instances" in table
    assert table.splitlines()[1].split()[1] == "100.00"


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_annotations_go_out_too(run, here, form):
    out = "out" if form in PER_VIDEO_FORMATS else "out.csv" if form == "boris" else "out.json"
    assert "1 actions in 1 videos" in run("tools/export.py", "truth.csv", "--format", form, "--out", out)
    [back] = read_annotations(out)
    assert (back.video_id, back.segments.tolist(), back.labels.tolist()) == ("v1", [[0.0, 2.0]], [9])


def test_only_the_best_that_score_enough(run, here):
    export = ("tools/export.py", "predictions.json", "--format", "csv", "--out", "out.csv")
    assert run(*export, "--min-score", 0.3).startswith("3 detections")
    assert run(*export, "--best", 1).startswith("2 detections")
    Path("thresholds.json").write_text(json.dumps({"pooled": 0.1, "thresholds": {"waving": 0.5}}))
    assert run(*export, "--thresholds", "thresholds.json").startswith("3 detections")
    assert run(*export, "--thresholds", "thresholds.json", "--min-score", 0.3).startswith("2 detections")


def test_videos_give_rate_length_and_link(run, here, capsys):
    Path("videos").mkdir()
    write_video(Path("videos") / "v1.mp4", 50)
    run("tools/export.py", "predictions.json", "--format", "elan", "--out", "videos", "--videos", "videos")
    first, second = read_events("videos")
    assert first.media.resolve() == here / "videos" / "v1.mp4"
    assert (first.fps, first.duration, second.fps) == (25.0, 2.0, None)
    assert 'RELATIVE_MEDIA_URL="./v1.mp4"' in Path("videos/v1.eaf").read_text()


def test_a_detector_is_trained_on_a_folder_of_corrected_files(run, here):
    for name in ("train", "val"):
        run("tools/export.py", "truth.csv", "--format", "elan", "--out", f"data/{name}")
    Path("data/features").mkdir()
    np.save("data/features/v1.npy", np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
    settings = ("data.root=data", "data.train=train", "data.val=val", "output=out")
    small = ("detector.width=32", "train.epochs=1", "device=cpu")
    run("tools/train_det.py", ROOT / "configs" / "mma52.yaml", *settings, *small)
    assert "mean over 1 classes with truth" in run("eval/map.py", "out/predictions.json", "--ground-truth", "data/val")


def test_elan_tiers_by_body_part(run, here):
    run("tools/export.py", "predictions.json", "--format", "elan", "--out", "eaf", "--tiers", "part")
    text = Path("eaf/v1.eaf").read_text()
    assert 'TIER_ID="head 2"' in text
    assert 'TIER_ID="upper limb"' in text
