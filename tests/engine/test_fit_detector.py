"""Training in memory: what `train_detector` does, without its files and lines."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import mmad
from mmad.config import DataConfig, DetectionConfig, DetectorConfig, InferConfig, TrainConfig
from mmad.engine.fit_detector import FittedDetector, fit_detector
from mmad.engine.train_detector import train_detector
from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation, FeatureTrack, TimeGrid
from mmad.weight_files import read_checkpoint

SOURCE = "a camera and a formula"
CONFIG = DetectionConfig(
    device="cpu",
    detector=DetectorConfig(width=8, dilations=[1, 2], folds=2, centring=4, random=16),
    train=TrainConfig(epochs=3, batch=2, lr=0.01, ema=0.9),
    infer=InferConfig(window=120, max_detections=20),  # shorter than some videos: random windows
)


@pytest.fixture(scope="module")
def videos() -> tuple[list[Annotation], list[FeatureTrack]]:
    """Eight videos of 4 to 7 s at 24 steps a second; class k shows in channel k."""
    rng, annotations, tracks = np.random.default_rng(0), [], []
    for i in range(8):
        steps = int(rng.integers(96, 168))
        grid, segments = TimeGrid(0.5 / 24, 1 / 24), []
        values = 0.1 * rng.normal(size=(steps, 6)).astype(np.float32)
        for k in range(3):
            start, length = rng.uniform(0, 2), rng.uniform(0.5, 2)
            at = grid.to_seconds(np.arange(steps))
            values[(start <= at) & (at <= start + length), k] += 1
            segments.append([start, start + length])
        annotations.append(Annotation(f"v{i}", steps / 24, segments, [0, 1, 2]))
        tracks.append(FeatureTrack(f"v{i}", values, grid, steps / 24, SOURCE))
    return annotations, tracks


def data_sets(videos) -> tuple[mmad.FeatureDataset, mmad.FeatureDataset]:
    annotations, tracks = videos
    return mmad.FeatureDataset(annotations[:6], tracks), mmad.FeatureDataset(annotations[6:], tracks)


@pytest.fixture(scope="module")
def fitted(videos) -> FittedDetector:
    return fit_detector(*data_sets(videos), CONFIG)


def test_nothing_is_written_or_printed(videos, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    mmad.fit_detector(*data_sets(videos), replace(CONFIG, train=replace(CONFIG.train, epochs=1)))
    assert list(tmp_path.iterdir()) == []
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "")


def test_it_is_the_detector_that_training_into_a_folder_gives(videos, fitted, tmp_path):
    """Bit for bit, by the same rows of history."""
    annotations, tracks = videos
    database = {}
    (tmp_path / "features").mkdir()
    for i, (item, track) in enumerate(zip(annotations, tracks)):
        np.save(tmp_path / "features" / f"{item.video_id}.npy", track.values)
        sidecar = {"video_id": item.video_id, "source": SOURCE, "start": track.grid.start, "step": track.grid.step}
        sidecar |= {"duration": track.duration, "shape": list(track.values.shape)}
        (tmp_path / "features" / f"{item.video_id}.json").write_text(json.dumps(sidecar))
        actions = [
            {"segment": segment, "label": MMA52.actions[label]}
            for segment, label in zip(item.segments.tolist(), item.labels)
        ]
        subset = "val" if i > 5 else "train"
        database[item.video_id] = {"subset": subset, "duration": item.duration, "annotations": actions}
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    data = DataConfig(root=str(tmp_path), train="truth.json", val="truth.json")
    best = train_detector(replace(CONFIG, data=data, output=str(tmp_path / "run")))

    without_time = [{name: x for name, x in row.items() if name != "seconds"} for row in fitted.history]
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert without_time == [{name: x for name, x in row.items() if name != "seconds"} for row in rows]
    assert max(row["score"] for row in fitted.history) == best["score"]
    weights = read_checkpoint(tmp_path / "run" / "best.pt", "detector")["model"]
    state = fitted.model.state_dict()
    assert state.keys() == weights.keys() and all(torch.equal(state[name], weights[name]) for name in state)


def test_it_detects_and_is_scored(videos, fitted):
    _, val = data_sets(videos)
    found = fitted.detect(val.tracks[0])
    assert found.video_id == "v6" and len(found) > 0
    assert found.segments.min() >= 0 and found.segments.max() <= val.tracks[0].duration
    report = fitted.evaluate(val)
    assert report.average() == pytest.approx(max(row["score"] for row in fitted.history))
    assert report.num_truth[:4].tolist() == [2, 2, 2, 0]
    assert not fitted.model.training


def test_data_sets_are_left_as_they_were(videos):
    train, val = data_sets(videos)
    fit_detector(train, val, replace(CONFIG, train=replace(CONFIG.train, epochs=1)))
    assert train.probe_scores is None and train.window is None and train[0].features is not None


def test_a_detector_is_saved_and_loaded(videos, fitted, tmp_path):
    fitted.save(tmp_path / "mine.pt")
    loaded = FittedDetector.load(tmp_path / "mine.pt", "cpu")
    track = videos[1][7]
    one, other = fitted.detect(track), loaded.detect(track)
    assert one.segments.tolist() == other.segments.tolist() and one.scores.tolist() == other.scores.tolist()
    assert (loaded.labels, loaded.config, loaded.features) == (MMA52, CONFIG, fitted.features)


def test_a_label_set_of_ones_own(videos):
    labels = LabelSet("mine", ("a", "b", "c"), ("one", "two"), (0, 0, 1))
    detector = fit_detector(*data_sets(videos), replace(CONFIG, train=replace(CONFIG.train, epochs=1)), labels)
    assert detector.evaluate(data_sets(videos)[1]).names == ["a", "b", "c"]
    few = LabelSet("few", ("a", "b"), ("one",), (0, 0))
    with pytest.raises(InputError, match="annotation of v0: label 2 is not in few"):
        fit_detector(*data_sets(videos), CONFIG, few)


def test_what_does_not_fit_is_refused(videos, fitted):
    annotations, tracks = videos
    train, val = data_sets(videos)
    others = [replace(track, source="another formula") for track in tracks]
    with pytest.raises(InputError, match="by another formula, v0 has 6 by a camera"):
        fit_detector(train, mmad.FeatureDataset(annotations[6:], others), CONFIG)
    with pytest.raises(InputError, match="features of v0: made by another formula, the detector was trained on a"):
        fitted.detect(others[0])
    empty = [Annotation(item.video_id, item.duration, [], []) for item in annotations]
    with pytest.raises(InputError, match="validation annotations: hold no action at all"):
        fit_detector(train, mmad.FeatureDataset(empty[6:], tracks), CONFIG)
    with pytest.raises(InputError, match="training annotations: hold no action at all"):
        fit_detector(mmad.FeatureDataset(empty[:6], tracks), val, CONFIG)
