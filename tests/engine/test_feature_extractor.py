"""Small networks with random weights on small made videos; what comes out is compared with one call of the network."""

import dataclasses
import functools
import json
import os
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from made_networks import outspoken
from made_videos import cut_off, restamped, write_audio, write_video

from mmad import models
from mmad.config import BackboneConfig, ExtractConfig, RecognitionConfig, to_dict
from mmad.data.feature_files import load_track
from mmad.data.partial_rows import PartialRows
from mmad.engine import video_inputs
from mmad.engine.background import in_background
from mmad.engine.feature_extractor import AHEAD, FeatureExtractor, extract_features
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.models import build_backbone
from mmad.models.manet import Recognizer
from mmad.video import reader as video
from mmad.video.finding import find_videos, take_shard
from mmad.video.preprocess import normalise, prepare_frames
from mmad.video.reader import read_frames
from mmad.video.sampling import centre_frames
from mmad.weight_files import save_checkpoint


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """The networks see 32 x 32 pixels."""
    for name in ("manet_r18", "r2plus1d_18"):
        kind = models.BACKBONES[name]
        small = {**kind.preprocess, "resize": 36, "crop": 32}
        monkeypatch.setitem(models.BACKBONES, name, dataclasses.replace(kind, preprocess=small))


@functools.cache
def extractor_of(name: str = "manet_r18", **settings) -> FeatureExtractor:
    """The same settings give the same weights. Nothing of a run stays in it, so tests may share it."""
    extractor = FeatureExtractor(ExtractConfig(BackboneConfig(name, "random"), device="cpu", **settings))
    outspoken(extractor.network)
    return extractor


def run_folder(videos, out, **settings) -> list[str]:
    return extract_features(extractor_of(**settings), videos, out)[1]


def values_of(extractor: FeatureExtractor, *paths) -> list[np.ndarray]:
    found = list(extractor.extract([(path.stem, path) for path in paths]))
    assert [(item.video_id, item.problem) for item in found] == [(path.stem, None) for path in paths]
    return [item.track.values for item in found]


def features_of_clips(extractor: FeatureExtractor, path, frames) -> np.ndarray:
    """(N, T, C) of frames (N, T), by one call of the network."""
    frames = np.asarray(frames)
    pixels = prepare_frames(read_frames(path, frames.ravel(), "pyav"), extractor.preprocess)
    clips = normalise(pixels, extractor.preprocess).unflatten(0, frames.shape)
    with torch.inference_mode():
        return extractor.network(clips).numpy()


def features_of_stream(extractor: FeatureExtractor, path, frames) -> np.ndarray:
    return features_of_clips(extractor, path, [frames])[0]


def assert_equal(values: np.ndarray, expected: np.ndarray) -> None:
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


# --- dense ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 3, 8, 64])
def test_dense_in_chunks_equals_the_whole_video(tmp_path, batch):
    path = write_video(tmp_path / "a.mp4", 25)
    extractor = extractor_of(stride=2, batch=batch)
    (values,) = values_of(extractor, path)
    expected = features_of_stream(extractor, path, centre_frames(25, 2))
    assert values.shape == (13, 512)
    assert_equal(values, expected)


def test_dense_frames_see_their_neighbours(tmp_path):
    """Or else the comparisons around here would prove nothing about the shift."""
    path = write_video(tmp_path / "a.mp4", 12)
    extractor = extractor_of()
    stream = features_of_stream(extractor, path, range(12))
    alone = features_of_clips(extractor, path, np.arange(12)[:, None])[:, 0]
    assert np.abs(stream - alone).max(axis=1).min() > 1e-3  # a hundred times the tolerance
    assert np.abs(np.diff(stream, axis=0)).max(axis=1).min() > 1e-3


@pytest.mark.parametrize("batch", [4, 64])
def test_dense_videos_in_one_stream_do_not_mix(tmp_path, batch):
    lengths = {"a": 9, "b": 1, "c": 14, "d": 2}
    paths = [write_video(tmp_path / f"{name}.mp4", count, first=count) for name, count in lengths.items()]
    extractor = extractor_of(stride=1, batch=batch)
    for path, values in zip(paths, values_of(extractor, *paths)):
        assert_equal(values, features_of_stream(extractor, path, range(lengths[path.stem])))


# --- clips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 64])
def test_clips_equal_the_network_on_hand_picked_frames(tmp_path, batch):
    path = write_video(tmp_path / "a.mp4", 10)
    extractor = extractor_of(mode="clip", stride=4, window=8, frames=4, batch=batch)
    (values,) = values_of(extractor, path)
    picked = [[0, 1, 3, 5], [3, 5, 7, 9], [7, 9, 9, 9]]  # parts of 2 frames around 2, 6 and 10
    assert values.shape == (3, 512)
    assert_equal(values, features_of_clips(extractor, path, picked).mean(axis=1))


def test_clips_of_several_videos(tmp_path):
    paths = [write_video(tmp_path / f"{name}.mp4", count) for name, count in (("a", 10), ("b", 1), ("c", 4))]
    extractor = extractor_of(mode="clip", stride=4, window=4, frames=2, batch=8)
    picked = [[[1, 3], [5, 7], [9, 9]], [[0, 0]], [[1, 3]]]
    for path, frames, values in zip(paths, picked, values_of(extractor, *paths)):
        assert_equal(values, features_of_clips(extractor, path, frames).mean(axis=1))


def test_a_network_of_clips_only(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    extractor = extractor_of("r2plus1d_18", mode="clip", window=8, frames=4)
    (values,) = values_of(extractor, path)
    assert_equal(values, features_of_clips(extractor, path, [[0, 1, 3, 5], [3, 5, 7, 9], [7, 9, 9, 9]]).mean(axis=1))
    with pytest.raises(InputError, match="mode: r2plus1d_18 sees whole clips; use mode=clip"):
        extractor_of("r2plus1d_18")


# --- counts and times -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frames, fps, stride, steps",
    [(24, Fraction(25), 4, 6), (25, Fraction(25), 4, 7), (30, Fraction(30000, 1001), 8, 4)],
)
def test_counts_and_times(tmp_path, frames, fps, stride, steps):
    path = write_video(tmp_path / "a.mp4", frames, fps)
    (item,) = extractor_of(stride=stride).extract([("v", path)])
    track = item.track
    assert (track.video_id, track.values.shape) == ("v", (steps, 512))
    assert track.duration == pytest.approx(frames / fps)
    assert track.grid.start == pytest.approx(stride / 2 / fps)
    assert track.grid.step == pytest.approx(stride / fps)
    known = {"file": "a.mp4", "fps": pytest.approx(fps), "frames": frames, "reader": "pyav"}
    assert track.details["video"] == {**known, **video.video_identity(path)}


def test_variable_rate_chooses_frames_by_their_times(tmp_path):
    times = [0, 0.04, 0.08, 0.12, 0.5, 0.54, 1.0, 1.04, 1.08, 1.2]
    plan = extractor_of().plan(write_video(tmp_path / "a.mp4", 10, times=times), "a")
    assert plan.grid.step == pytest.approx(4 * 0.124)  # 10 frames in 1.24 s
    assert plan.grid.start == pytest.approx(2 * 0.124)
    assert plan.frames.tolist() == [3, 5, 8]  # nearest to 0.248, 0.744 and 9 * 0.124 = 1.116 s


@pytest.mark.parametrize(
    "fps, frames",
    [(12.5, [4, 12, 20]), (25, [2, 6, 10, 14, 18, 22]), (50, list(range(1, 24, 2)))],
)
def test_resampling_to_one_rate(tmp_path, fps, frames):
    plan = extractor_of(fps=fps).plan(write_video(tmp_path / "a.mp4", 24), "a")
    assert plan.frames.tolist() == frames
    assert plan.grid.to_seconds(1) == pytest.approx(6 / fps)


@pytest.mark.parametrize("mode", ["dense", "clip"])
def test_a_pause_is_said_and_steps_are_those_of_the_running_frames(tmp_path, capsys, mode):
    """Times stay those that a player shows: the picture stands still for ten seconds."""
    source = write_video(tmp_path / "a.mp4", 60, fps=30)
    path = restamped(tmp_path / "b.mp4", source, lambda number: 10 * (number >= 30))
    assert run_folder([("b", path)], tmp_path / "out", mode=mode) == []
    track = load_track(tmp_path / "out", "b")
    assert track.grid.step == pytest.approx(4 / 30, rel=1e-3) and track.duration == pytest.approx(12)
    assert len(track.values) == 90
    assert "warning: b: no frames from 1.00 to 11.00 s (a pause?)" in capsys.readouterr().err
    assert track.details["video"]["remarks"] == ["no frames from 1.00 to 11.00 s (a pause?)"]


def test_no_steps_are_made_of_a_jump(tmp_path):
    source = write_video(tmp_path / "a.mp4", 60)
    jump = restamped(tmp_path / "b.mp4", source, lambda number: 3600 * (number >= 30))
    (problem,) = run_folder([("b", jump), ("a", source)], tmp_path / "out")
    assert "b.mp4: its time stamps jump by 3600.0 s behind frame 29 (1.20 s); cut the file there" in problem
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "a.npy"]


@pytest.mark.parametrize("fps, step", [(25, 4 / 30), (29, 4 / 29), (30, 4 / 30), (50, 4 / 30)])
def test_videos_of_a_very_other_rate_are_resampled_to_the_usual_one(tmp_path, monkeypatch, fps, step):
    extractor = extractor_of()
    monkeypatch.setattr(extractor, "usual_fps", 30)
    plan = extractor.plan(write_video(tmp_path / "a.mp4", 40, fps), "a")
    assert plan.grid.step == pytest.approx(step, rel=1e-3)
    times = plan.info.times[plan.frames]
    assert times == pytest.approx(np.minimum(plan.grid.to_seconds(np.arange(len(times))), times[-1]), abs=0.6 / fps)
    assert plan.grid.to_seconds(len(times) - 1) < plan.info.duration + step


def test_steps_are_counted_while_they_are_computed(tmp_path):
    paths = [write_video(tmp_path / f"{name}.mp4", 10) for name in "ab"]
    paths.append(write_video(tmp_path / "c.mp4", 5))
    reported = []
    list(
        extractor_of(stride=1, batch=8).extract(
            [(path.stem, path) for path in paths], lambda *progress: reported.append(progress)
        )
    )
    assert [steps for steps, _ in reported] == [8, 8, 8, 1]
    assert [share for _, share in reported] == pytest.approx([0.8, 0.2 + 0.6, 0.4 + 0.8, 0.2])


# --- folders ----------------------------------------------------------------------------------------------------


def test_a_rerun_skips_what_is_done(tmp_path, capsys):
    videos = [(name, write_video(tmp_path / f"{name}.mp4", 10)) for name in "ab"]
    out = tmp_path / "features"
    assert run_folder(videos, out) == []
    written = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    assert sorted(written) == ["a.json", "a.npy", "b.json", "b.npy"]
    assert "done already" not in capsys.readouterr().out

    assert run_folder(videos, out) == []
    assert {file.name: file.stat().st_mtime_ns for file in out.iterdir()} == written
    assert "2 of 2 videos are done already" in capsys.readouterr().out

    (out / "b.json").unlink()  # as if it had been stopped there
    assert run_folder(videos, out) == []
    again = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    assert {name for name in written if again[name] != written[name]} == {"b.json", "b.npy"}


def without_video(sidecar) -> None:
    """As versions wrote it that did not look at the file itself."""
    content = json.loads(sidecar.read_text())
    del content["video"]["size"], content["video"]["digest"]
    sidecar.write_text(json.dumps(content))


def test_another_video_under_the_same_name_is_done_again(tmp_path, steps_read, capsys):
    path, out = write_video(tmp_path / "a.mp4", 10), tmp_path / "out"
    videos = [("a", path), ("b", write_video(tmp_path / "b.mp4", 10))]
    run_folder(videos, out)
    write_video(path, 20, first=7)
    steps_read.clear()
    assert run_folder(videos, out) == []
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"warning: {path}: is another video than the one its features were made from; they are made again"
    ]
    assert "1 of 2 videos are done already" in said.out
    assert steps_read == list(range(5))  # of this video only
    run_folder(videos, tmp_path / "fresh")
    assert_equal(load_track(out, "a").values, load_track(tmp_path / "fresh", "a").values)


def test_a_video_that_was_copied_again_is_whole(tmp_path):
    """What the line of a broken video advises."""
    source, path = write_video(tmp_path / "source.mp4", 40, between=0), tmp_path / "a.mp4"
    cut_off(path, source, 10)
    assert len(run_folder([("a", path)], tmp_path / "out")) == 1
    path.write_bytes(source.read_bytes())
    assert run_folder([("a", path)], tmp_path / "out") == []
    assert len(load_track(tmp_path / "out", "a").values) == 10


def test_a_video_that_was_moved_or_touched_is_the_same(tmp_path, steps_read, capsys):
    path, out = write_video(tmp_path / "a.mp4", 10), tmp_path / "out"
    run_folder([("a", path)], out)
    moved = tmp_path / "elsewhere.mp4"
    moved.write_bytes(path.read_bytes())
    os.utime(moved, (1, 1))
    steps_read.clear()
    assert run_folder([("a", moved)], out) == [] and steps_read == []
    assert capsys.readouterr().err == ""


def test_another_usual_rate_needs_another_grid(tmp_path, monkeypatch, capsys):
    """As where another detector, trained at another rate, is to use the same folder."""
    path, out, extractor = write_video(tmp_path / "a.mp4", 20, 25), tmp_path / "out", extractor_of()
    for usual, step in ((0, 0.16), (27, 0.16), (50, 0.08), (0, 0.16)):
        monkeypatch.setattr(extractor, "usual_fps", usual)
        assert run_folder([("a", path)], out) == []
        assert load_track(out, "a").grid.step == pytest.approx(step)
    assert capsys.readouterr().err.splitlines() == [
        f"warning: {path}: its features lie 0.16 s apart, 0.08 s are needed now; they are made again",
        f"warning: {path}: its features lie 0.08 s apart, 0.16 s are needed now; they are made again",
    ]


def test_features_that_know_no_video_are_kept_and_said_once(tmp_path, monkeypatch, steps_read, capsys):
    videos, out = [(name, write_video(tmp_path / f"{name}.mp4", 10)) for name in "abc"], tmp_path / "out"
    run_folder(videos, out)
    for name in "bc":
        without_video(out / f"{name}.json")
    steps_read.clear()
    assert run_folder(videos, out) == [] and steps_read == []
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{out}: the features of 2 of 3 videos (the first: b) do not say from which file they were made" in line
    monkeypatch.setattr(extractor_of(), "usual_fps", 50)  # what can be checked is
    assert run_folder(videos, out) == [] and len(steps_read) == 3 * 5


def test_a_video_that_cannot_be_read_any_more_has_no_features(tmp_path, capsys):
    videos, out = [(name, write_video(tmp_path / f"{name}.mp4", 10)) for name in "abc"], tmp_path / "out"
    run_folder(videos, out)
    before = (out / "a.npy").read_bytes()
    videos[0][1].write_bytes(b"no video")
    videos[1][1].write_bytes(b"")
    without_video(out / "b.json")
    ready, problems = extract_features(extractor_of(), videos, out)
    assert ready == ["c"]
    assert "a.mp4: not a readable video" in problems[0] and "b.mp4: the file is empty" in problems[1]
    said = capsys.readouterr().err
    for name in "ab":
        assert f"warning: {name}: its features in {out} are of an earlier file of this name, and not used" in said
    assert (out / "a.npy").read_bytes() == before


@pytest.mark.parametrize("change", [{"stride": 2}, {"mode": "clip"}, {"resize_in_decoder": True}])
def test_other_settings_are_refused(tmp_path, change):
    videos = [("a", write_video(tmp_path / "a.mp4", 10))]
    run_folder(videos, tmp_path / "features")
    with pytest.raises(InputError, match=r"a\.json: was made with other weights or settings .*--out"):
        run_folder(videos, tmp_path / "features", **change)


def test_other_weights_are_refused(tmp_path):
    videos = [("a", write_video(tmp_path / "a.mp4", 10))]
    run_folder(videos, tmp_path / "features")
    config = RecognitionConfig(backbone=BackboneConfig("manet_r18", "random"))
    recognizer = Recognizer(build_backbone(config.backbone), len(MMA52))
    save_checkpoint(tmp_path / "best.pt", "recognizer", to_dict(config), MMA52, recognizer)
    other = FeatureExtractor(ExtractConfig(device="cpu"), str(tmp_path / "best.pt"))
    with pytest.raises(InputError, match=r"a\.json: was made with other weights or settings"):
        extract_features(other, videos, tmp_path / "features")


def test_the_batch_is_no_setting_of_the_features():
    assert extractor_of(batch=3).source == extractor_of(batch=8).source


@pytest.mark.parametrize("mode", ["dense", "clip"])
def test_resizing_in_the_decoder(tmp_path, mode):
    path = write_video(tmp_path / "a.mp4", 10)
    extractor = extractor_of(mode=mode, resize_in_decoder=True)
    (values,) = values_of(extractor, path)
    (other,) = values_of(extractor_of(mode=mode), path)
    assert values.shape == other.shape == (3, 512)
    cosine = (values * other).sum(axis=1) / np.linalg.norm(values, axis=1) / np.linalg.norm(other, axis=1)
    assert cosine.min() > 0.9


def test_videos_are_found_to_the_bottom_of_folders(tmp_path):
    for name in ("b.mp4", "deep/er/a.MKV", "deep/notes.txt", "one.avi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    deep, one = tmp_path / "deep/er/a.MKV", tmp_path / "one.avi"
    assert find_videos([str(one), str(tmp_path / "deep")]) == [("one", one), ("a", deep)]
    assert [name for name, _ in find_videos([str(tmp_path), str(one)])] == ["b", "a", "one"]
    with pytest.raises(InputError, match="nothing: no such file or folder"):
        find_videos([str(tmp_path / "nothing")])


def test_what_a_report_holds_is_no_new_video(tmp_path):
    for name in ("a.mp4", "out/report/media/a.mp4", "out/overlays/a.mp4", "out/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [name for name, _ in find_videos([str(tmp_path)], tmp_path / "out")] == ["a", "b"]


def test_a_folder_without_videos_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"no videos in this folder; looked for \.mp4"):
        find_videos([str(tmp_path)])


def test_shards_share_the_videos_out():
    assert take_shard(list("abcde"), "1/1") == list("abcde")
    assert [take_shard(list("abcde"), f"{number}/3") for number in (1, 2, 3)] == [["a", "d"], ["b", "e"], ["c"]]
    assert take_shard(list("ab"), "3/3") == []


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1/0", "2", "a/b", "-1/2", "1/2/3", ""])
def test_nonsense_shards_are_refused(shard):
    with pytest.raises(InputError, match=f"--shard {shard}: is not I/N"):
        take_shard(list("ab"), shard)


# --- long videos ------------------------------------------------------------------------------------------------


@pytest.fixture
def all_are_long(monkeypatch):
    monkeypatch.setattr(video_inputs, "LONG_VIDEO", 1)


def interrupted(videos, out, pieces: int = 4, **settings) -> None:
    """A run that is stopped once so many pieces of a video are kept."""
    with pytest.MonkeyPatch.context() as patch:
        real, count = PartialRows.write, iter(range(pieces - 1))

        def write(self, first, rows):
            real(self, first, rows)
            if next(count, None) is None:
                raise KeyboardInterrupt

        patch.setattr(PartialRows, "write", write)
        with pytest.raises(KeyboardInterrupt):
            run_folder(videos, out, **settings)


@pytest.fixture
def steps_read(monkeypatch) -> list:
    """The steps whose pixels are prepared, in order."""
    steps, real = [], FeatureExtractor.inputs

    def counting(self, plan):
        for number, pixels in enumerate(real(self, plan)):
            steps.append(plan.first + number)
            yield pixels

    monkeypatch.setattr(FeatureExtractor, "inputs", counting)
    return steps


@pytest.mark.parametrize("mode, suffix", [("dense", "mp4"), ("dense", "ts"), ("dense", "avi"), ("clip", "mp4")])
def test_a_long_video_goes_on_where_it_was_stopped(tmp_path, all_are_long, steps_read, mode, suffix):
    settings = {"mode": mode, "stride": 1, "batch": 8, **({"frames": 2, "window": 2} if mode == "clip" else {})}
    videos = [("a", write_video(tmp_path / f"a.{suffix}", 60)), ("b", write_video(tmp_path / "b.mp4", 20, first=60))]
    (tmp_path / "whole").mkdir()
    run_folder(videos, tmp_path / "whole", **settings)
    interrupted(videos, out := tmp_path / "out", **settings)
    kept = out / "a.begun"
    kept.write_bytes(kept.read_bytes() + b"half a row")
    assert [file.name for file in out.iterdir()] == ["a.begun"]

    steps_read.clear()
    assert run_folder(videos, out, **settings) == []
    again = 4 * 8 - 8 if mode == "dense" else 4 * 4 - 1  # 8 blocks: a feature depends on 8 frames before it
    assert steps_read == [*range(again, 60), *range(20)]
    for name in "ab":
        assert_equal(load_track(out, name).values, load_track(tmp_path / "whole", name).values)
    assert sorted(file.name for file in out.iterdir()) == ["a.json", "a.npy", "b.json", "b.npy"]


def test_a_video_stopped_at_its_last_step_is_finished(tmp_path, all_are_long):
    videos, settings = [("a", write_video(tmp_path / "a.mp4", 20))], {"stride": 1, "batch": 8}
    for mode in ("dense", "clip"):
        interrupted(videos, tmp_path / mode, 3 if mode == "dense" else 20, mode=mode, **settings)
        assert run_folder(videos, tmp_path / mode, mode=mode, **settings) == []
        run_folder(videos, tmp_path / f"whole {mode}", mode=mode, **settings)
        assert_equal(load_track(tmp_path / mode, "a").values, load_track(tmp_path / f"whole {mode}", "a").values)


@pytest.mark.parametrize("change", ["settings", "video", "nonsense", "no channels"])
def test_what_was_begun_of_something_else_does_not_count(tmp_path, all_are_long, steps_read, change):
    settings = {"stride": 1, "batch": 8}
    path, out = write_video(tmp_path / "a.mp4", 60), tmp_path / "out"
    interrupted([("a", path)], out, **settings)
    if change == "settings":
        settings["stride"] = 2
    elif change == "video":
        write_video(path, 60, first=7)
    else:
        (out / "a.begun").write_bytes({"nonsense": b"\xff\x00", "no channels": b'{"channels": 0}\n1234'}[change])
    steps_read.clear()
    assert run_folder([("a", path)], out, **settings) == []
    assert steps_read == list(range(60 // settings["stride"]))
    run_folder([("a", path)], tmp_path / "whole", **settings)
    assert_equal(load_track(out, "a").values, load_track(tmp_path / "whole", "a").values)


def test_a_video_that_was_touched_goes_on_where_it_was_stopped(tmp_path, all_are_long, steps_read):
    settings, path = {"stride": 1, "batch": 8}, write_video(tmp_path / "a.mp4", 60)
    interrupted([("a", path)], tmp_path / "out", **settings)
    os.utime(path, (1, 1))
    steps_read.clear()
    assert run_folder([("a", path)], tmp_path / "out", **settings) == []
    assert steps_read == list(range(4 * 8 - 8, 60))


def test_rows_stand_where_they_belong_however_many_runs_write_them(tmp_path, all_are_long):
    videos, settings, out = [("a", write_video(tmp_path / "a.mp4", 60))], {"stride": 1, "batch": 8}, tmp_path / "out"
    interrupted(videos, out, **settings)
    rows = PartialRows(out, "a", {}, 60)
    rows.identity = {
        k: v for k, v in json.loads((out / "a.begun").read_bytes().split(b"\n")[0]).items() if k != "channels"
    }
    rows.write(16, np.full((60, 512), 7.0))  # by another run that went further; this one knows 76 rows of 60
    assert run_folder(videos, out, **settings) == []
    assert load_track(out, "a").values[16:].tolist() == np.full((44, 512), 7.0).tolist()


@pytest.mark.parametrize("mode", ["dense", "clip"])
def test_a_broken_video_that_was_stopped_at_its_end_keeps_what_was_read(tmp_path, all_are_long, mode):
    source = write_video(tmp_path / "whole.mp4", 40, between=0)
    broken = cut_off(tmp_path / "broken.mp4", source, 10)
    settings = {"mode": mode, "stride": 1, "batch": 1, **({"frames": 1, "window": 1} if mode == "clip" else {})}
    interrupted([("a", broken)], tmp_path / "out", 3 if mode == "dense" else 10, **settings)
    (problem,) = run_folder([("a", broken)], tmp_path / "out", **settings)
    assert "10 of 40 frames could be read" in problem
    run_folder([("a", broken)], tmp_path / "whole", **settings)
    assert_equal(load_track(tmp_path / "out", "a").values, load_track(tmp_path / "whole", "a").values)


def test_damage_inside_a_video_is_said(tmp_path, capsys):
    first = write_video(tmp_path / "a.ts", 40, between=0).read_bytes()
    path = write_video(tmp_path / "b.ts", 40, times=[1.6 + i / 25 for i in range(40)], between=0)
    path.write_bytes(first + path.read_bytes())
    assert run_folder([("b", path)], tmp_path / "out") == []
    assert "b: 1 packets are damaged, or the seams" in capsys.readouterr().err
    assert load_track(tmp_path / "out", "b").details["video"]["damaged"] == 1


def test_short_videos_are_not_kept_while_they_are_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr(PartialRows, "write", lambda *given: pytest.fail("a short video was kept"))
    assert run_folder([("a", write_video(tmp_path / "a.mp4", 20))], tmp_path / "out", stride=1) == []


# --- what goes wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode, whole_steps", [("dense", 5), ("clip", 4)])
@pytest.mark.parametrize("of_next", [0, 0.5])
def test_a_broken_video_keeps_what_was_read(tmp_path, mode, whole_steps, of_next):
    """Frames 0..9 are whole. In clip mode, step 4 wants frames 7..10; where the file ends at 9, it is clamped."""
    source = write_video(tmp_path / "whole.mp4", 40, between=0)
    broken = cut_off(tmp_path / "broken.mp4", source, 10, of_next)
    settings = {"mode": mode, "stride": 2, **({"window": 4, "frames": 4} if mode == "clip" else {})}
    problems = run_folder([("whole", source), ("broken", broken), ("again", source)], tmp_path / "out", **settings)
    assert len(problems) == 1
    assert "broken.mp4: broken or cut off: 10 of 40 frames could be read" in problems[0]

    track, extractor = load_track(tmp_path / "out", "broken"), extractor_of(**settings)
    assert len(track.values) >= whole_steps
    assert track.details["broken"] == problems[0]
    if mode == "dense":
        assert_equal(track.values, features_of_stream(extractor, source, [1, 3, 5, 7, 9]))
    else:
        picked = [[max(2 * t - 1 + i, 0) for i in range(4)] for t in range(4)]
        assert_equal(track.values[:4], features_of_clips(extractor, source, picked).mean(axis=1))
    whole, again = (load_track(tmp_path / "out", name).values for name in ("whole", "again"))
    assert len(whole) == 20
    assert_equal(again, whole)  # the videos around it are not touched

    assert run_folder([("broken", broken)], tmp_path / "out", **settings) == problems  # a rerun does not forget it


def test_failed_videos_do_not_stop_the_others(tmp_path):
    good = write_video(tmp_path / "good.mp4", 10)
    audio, empty = write_audio(tmp_path / "audio.mp4"), tmp_path / "empty.mp4"
    empty.touch()
    short = cut_off(tmp_path / "short.mp4", write_video(tmp_path / "source.mp4", 10, between=0), 1)
    videos = [("audio", audio), ("one", good), ("short", short), ("empty", empty), ("two", good)]
    found = list(extractor_of().extract(videos))
    assert [item.video_id for item in found] == ["audio", "one", "short", "empty", "two"]
    assert [item.problem is None for item in found] == [False, True, False, False, True]
    assert [item.track is None for item in (found[0], found[3])] == [True, True]
    assert_equal(found[4].track.values, found[1].track.values)


def test_a_video_that_vanishes_does_not_stop_the_others(tmp_path, monkeypatch):
    gone, good = write_video(tmp_path / "gone.mp4", 10), write_video(tmp_path / "good.mp4", 10)
    extractor = extractor_of()
    real = extractor.plan

    def plan(path, video_id):
        made = real(path, video_id)
        gone.unlink(missing_ok=True)
        return made

    monkeypatch.setattr(extractor, "plan", plan)
    first, second = extractor.extract([("gone", gone), ("good", good)])
    assert first.track is None and "gone.mp4: no such file" in str(first.problem)
    assert second.problem is None and len(second.track.values) == 3


# --- the reading thread -----------------------------------------------------------------------------------------


def test_an_error_in_the_reading_thread_surfaces_and_the_thread_ends(tmp_path, monkeypatch):
    extractor = extractor_of(stride=1, batch=2)
    real = extractor.inputs

    def failing(plan):
        for number, prepared in enumerate(real(plan)):
            if number == 5:
                raise RuntimeError("a defect")
            yield prepared

    monkeypatch.setattr(extractor, "inputs", failing)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="a defect"):
        list(extractor.extract([("a", write_video(tmp_path / "a.mp4", 10))]))
    assert threading.active_count() == before


def test_the_reading_thread_ends_with_its_consumer(tmp_path):
    videos = [(str(i), write_video(tmp_path / f"{i}.mp4", 40)) for i in range(5)]
    before = threading.active_count()
    running = extractor_of(stride=1, batch=2).extract(videos)
    assert next(running).video_id == "0"
    assert threading.active_count() == before + 1  # waiting for room
    running.close()
    assert threading.active_count() == before


def test_reading_does_not_run_away_from_a_slow_consumer():
    made = []

    def items():
        for i in range(10 * AHEAD):
            made.append(i)
            yield i

    running = in_background(items, AHEAD)
    assert next(running) == 0
    deadline = time.monotonic() + 5
    while len(made) < AHEAD and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert AHEAD <= len(made) <= AHEAD + 2  # in the queue, one handed over, one waiting
    running.close()


def test_the_caller_is_not_put_into_inference_mode(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    for _ in extractor_of().extract([("a", path), ("b", path)]):
        assert not torch.is_inference_mode_enabled()


def test_the_sidecar_says_how_the_features_were_made(tmp_path):
    run_folder([("a", write_video(tmp_path / "a.mp4", 10))], tmp_path / "out", mode="clip", window=16)
    content = json.loads((tmp_path / "out" / "a.json").read_text())
    settings = content["settings"]
    assert content["source"].startswith(f"manet_r18/{settings['weights']}/clip-")
    assert (settings["stride"], settings["window"], settings["frames"]) == (4, 16, 8)
    assert (settings["resized_by"], settings["precision"], settings["preprocess"]["crop"]) == (
        "torch, in bytes",
        "float32",
        32,
    )
