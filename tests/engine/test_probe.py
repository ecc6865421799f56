from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mmad.config import DetectorConfig, FeaturesConfig
from mmad.data.dataset import FeatureDataset
from mmad.engine.probe import fit_probe
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.records import Annotation

LABELS = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))
STEPS, CHANNELS = 40, 30
AT = (np.arange(STEPS) + 0.5) / 2  # s: a step is half a second
VIEWS = ["plain", "centred", "random"]


def videos(
    folder: Path,
    number: int,
    shown: bool = True,
    actions: int = 2,
    change: Callable[[np.ndarray, np.random.Generator], None] | None = None,
    first: int = 0,
) -> FeatureDataset:
    """Noise of which, if `shown`, channel k also says when class k is under way. first: number of the first video."""
    annotations = []
    for index in range(first, first + number):
        rng = np.random.default_rng(index)
        values = rng.normal(size=(STEPS, CHANNELS))
        start, labels = rng.integers(0, 15, actions), rng.integers(0, 3, actions)
        segments = np.stack([start, start + rng.integers(4, 9, actions)], axis=1) / 2.0  # s
        for (begin, end), label in zip(segments, labels):
            values[(begin <= AT) & (end >= AT), label] += 3.0 * shown
        values = 5 + 2 * values
        if change is not None:
            change(values, rng)
        np.save(folder / f"v{index:02}.npy", values.astype(np.float32))
        annotations.append(Annotation(f"v{index:02}", STEPS / 2, segments, labels))
    return FeatureDataset(annotations, folder, FeaturesConfig(), window=1000)


def fitted(dataset: FeatureDataset, **settings) -> tuple[Detector, list[np.ndarray]]:
    """A detector whose probe is filled, and the training videos' own scores, each (STEPS, E, R)."""
    config = DetectorConfig(**{"width": 8, "dilations": [1], "centring": 10, "random": 32, **settings})
    detector = build_detector(config, dataset.channels, LABELS)
    path = Path(dataset.tracks[0].values.path).with_name("scores.f16")
    return detector, [np.asarray(scores, np.float32) for scores in fit_probe(detector, dataset, config, path)]


def scores_by(detector: Detector, dataset: FeatureDataset) -> list[np.ndarray]:
    """What the detector itself makes of these videos."""
    mask = torch.ones(1, STEPS, dtype=torch.bool)
    tracks = [torch.from_numpy(np.array(track.values))[None] for track in dataset.tracks]
    return [detector.probe(track, mask)[0].numpy() for track in tracks]


def as_columns(scores: list[np.ndarray]) -> np.ndarray:
    """Of all videos, one column per class or body part, view and role."""
    return np.concatenate(scores).reshape(-1, scores[0].shape[1] * scores[0].shape[2])


def agreement(dataset: FeatureDataset, scores: list[np.ndarray], column: int = 0) -> float:
    """Correlation of a column of the scores of all classes, by default the first view's actionness, with the truth."""
    truth, said = [], []
    for item, values in zip(dataset.annotations, scores):
        for k in range(3):
            inside = [(a <= AT) & (b >= AT) for (a, b), label in zip(item.segments, item.labels) if label == k]
            truth.append(np.any(inside, axis=0) if inside else np.zeros(STEPS, dtype=bool))
            said.append(values[:, k, column])
    return float(np.corrcoef(np.concatenate(truth), np.concatenate(said))[0, 1])


# --- what it finds ----------------------------------------------------------------------------------------------


def test_what_the_features_show_is_found(tmp_path):
    dataset = videos(tmp_path, 20)
    detector, scores = fitted(dataset)
    assert all(values.shape == (STEPS, 5, 9) for values in scores)
    assert agreement(dataset, scores, 0) > 0.6 and agreement(dataset, scores, 3) > 0.4
    assert as_columns(scores).std(axis=0) == pytest.approx(1, abs=2e-3)
    new = as_columns(scores_by(detector, dataset))  # for new videos they are of the same kind and size, in every column
    for mine, theirs in zip(new.T, as_columns(scores).T):
        assert np.corrcoef(mine, theirs)[0, 1] > 0.3 and 0.7 < mine.std() < 2


@pytest.mark.parametrize("views", [["plain"], VIEWS])
def test_in_fold_the_detector_says_what_training_saw(tmp_path, views):
    dataset = videos(tmp_path, 6)
    detector, scores = fitted(dataset, folds=1, views=views)
    np.testing.assert_allclose(as_columns(scores_by(detector, dataset)), as_columns(scores), atol=5e-3)


def test_of_noise_a_video_learns_by_heart_only_from_itself(tmp_path):
    """With labels that the features do not show, scores out of fold say nothing, in fold they pretend to."""
    dataset = videos(tmp_path, 12, shown=False)
    assert agreement(dataset, fitted(dataset, folds=1)[1]) > 0.2
    assert abs(agreement(dataset, fitted(dataset, folds=4)[1])) < 0.1


def test_a_video_has_no_part_in_its_own_scores(tmp_path):
    dataset = videos(tmp_path, 8)
    before = fitted(dataset, folds=8, ridge=0.1)[1][3]
    item = dataset.annotations[3]
    dataset.annotations[3] = Annotation(item.video_id, item.duration, item.segments, (item.labels + 1) % 3)
    after = fitted(dataset, folds=8, ridge=0.1)[1][3]
    for one, other in zip(before.reshape(STEPS, -1).T, after.reshape(STEPS, -1).T):
        assert np.corrcoef(one, other)[0, 1] > 0.98  # the same but for the units, which come from all videos


@pytest.mark.parametrize("view", ["plain", "centred"])
def test_the_map_is_that_of_plain_ridge_regression(tmp_path, view):
    """(X^T X + strength I)^-1 X^T Y of centred targets and standardised features; in the centred view minus each
    video's mean over all it has within reach, which here is the whole video."""
    dataset = videos(tmp_path, 5)
    detector, scores = fitted(dataset, folds=1, centring=100, ridge=0.2, views=[view])
    x = np.concatenate([track.values for track in dataset.tracks]).astype(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    if view == "centred":
        x = (x.reshape(5, STEPS, -1) - x.reshape(5, STEPS, -1).mean(axis=1, keepdims=True)).reshape(x.shape)
    scale = x.std(axis=0)
    x = x / scale
    y = np.zeros((len(x), 3))
    for index, item in enumerate(dataset.annotations):
        for (start, end), label in zip(dataset.tracks[index].grid.to_index(item.segments), item.labels):
            at = np.arange(STEPS)
            y[index * STEPS : (index + 1) * STEPS][(start <= at) & (at <= end), label] = 1
    wanted = np.linalg.solve(x.T @ x + 0.2 * len(x) * np.eye(CHANNELS), x.T @ (y - y.mean(axis=0)))
    unit = (x @ wanted).std(axis=0)
    weight, _ = detector.probe.map_of(view)
    np.testing.assert_allclose(weight[:, [0, 3, 6]].numpy(), wanted / scale[:, None] / unit, atol=1e-4)
    for k in range(3):
        np.testing.assert_allclose(np.concatenate(scores)[:, k, 0], (x @ wanted / unit)[:, k], atol=5e-3)


def test_classes_are_described(tmp_path):
    dataset = videos(tmp_path, 6)
    detector, _ = fitted(dataset)
    labels = np.concatenate([item.labels for item in dataset.annotations])
    lengths = np.concatenate([np.diff(item.segments)[:, 0] for item in dataset.annotations]) * 2
    assert detector.count.tolist() == np.bincount(labels, minlength=3).tolist()
    assert detector.length.tolist() == pytest.approx([np.median(lengths[labels == k]) for k in range(3)])


@pytest.mark.parametrize("number, folds", [(1, 5), (2, 5), (3, 1)])
def test_few_videos_are_no_obstacle(tmp_path, number, folds):
    dataset = videos(tmp_path, number)
    detector, scores = fitted(dataset, folds=folds)
    assert all(np.isfinite(values).all() for values in scores)
    assert all(value.isfinite().all() for value in detector.state_dict().values()) and (detector.length >= 2).all()
    assert 0.05 < as_columns(scores_by(detector, dataset)).std() < 20


def test_no_actions_are_refused(tmp_path):
    with pytest.raises(InputError, match="hold no action at all"):
        fitted(videos(tmp_path, 3, shown=False, actions=0))
