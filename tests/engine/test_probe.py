import numpy as np
import pytest
import torch

from mmad.config import DetectorConfig, FeaturesConfig
from mmad.data.dataset import FeatureDataset
from mmad.engine.evidence import fit_evidence
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.records import Annotation

LABELS = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))
STEPS, CHANNELS = 40, 30


def videos(folder, number: int, shown: bool, actions: int = 2) -> FeatureDataset:
    """Noise of which, if `shown`, channel k also says when class k is under way; a step is half a second."""
    rng, annotations = np.random.default_rng(0), []
    for index in range(number):
        values = rng.normal(size=(STEPS, CHANNELS))
        start, labels = rng.integers(0, 15, actions), rng.integers(0, 3, actions)
        segments = np.stack([start, start + rng.integers(4, 9, actions)], axis=1) / 2.0  # s
        for (begin, end), label in zip(segments, labels):
            at = (np.arange(STEPS) + 0.5) / 2
            values[(begin <= at) & (at <= end), label] += 3.0 * shown
        np.save(folder / f"v{index:02}.npy", (5 + 2 * values).astype(np.float32))
        annotations.append(Annotation(f"v{index:02}", STEPS / 2, segments, labels))
    return FeatureDataset(annotations, folder, FeaturesConfig(), window=1000)


def fitted(dataset: FeatureDataset, **settings):
    config = DetectorConfig(**{"width": 8, "dilations": [1], "centring": 10, **settings})
    detector = build_detector(config, CHANNELS, LABELS)
    return detector, fit_evidence(detector, dataset, config)


def agreement(dataset: FeatureDataset, evidence: list[np.ndarray]) -> float:
    """Correlation of the plain evidence for `during` with the truth."""
    truth, said = [], []
    for item, values in zip(dataset.annotations, evidence):
        at = (np.arange(STEPS) + 0.5) / 2
        for k in range(3):
            inside = [(a <= at) & (at <= b) for (a, b), label in zip(item.segments, item.labels) if label == k]
            truth.append(np.any(inside, axis=0) if inside else np.zeros(STEPS, dtype=bool))
            said.append(values.reshape(STEPS, 5, 6)[:, k, 0])
    return float(np.corrcoef(np.concatenate(truth), np.concatenate(said))[0, 1])


def test_what_the_features_show_is_found(tmp_path):
    dataset = videos(tmp_path, 20, shown=True)
    detector, evidence = fitted(dataset)
    assert all(values.shape == (STEPS, 5 * 6) for values in evidence)
    assert agreement(dataset, evidence) > 0.6
    assert np.concatenate(evidence).std(axis=0) == pytest.approx(1, abs=1e-3)
    told = np.concatenate(said_by(detector, dataset))  # for new videos it is of the same kind and size, in every column
    for mine, theirs in zip(told.T, np.concatenate(evidence).T):
        assert np.corrcoef(mine, theirs)[0, 1] > 0.5 and 0.7 < mine.std() < 1.5


@pytest.mark.parametrize("centring", [0, 10])
def test_in_fold_the_detector_says_what_training_saw(tmp_path, centring):
    dataset = videos(tmp_path, 6, shown=True)
    detector, evidence = fitted(dataset, folds=1, centring=centring)
    np.testing.assert_allclose(np.concatenate(said_by(detector, dataset)), np.concatenate(evidence), atol=1e-3)


def said_by(detector, dataset: FeatureDataset) -> list[np.ndarray]:
    mask = torch.ones(1, STEPS, dtype=torch.bool)
    tracks = [torch.from_numpy(np.array(track.values))[None] for track in dataset.tracks]
    return [detector.evidence(track, mask)[0].flatten(1).numpy() for track in tracks]


def test_of_noise_a_video_learns_by_heart_only_from_itself(tmp_path):
    """With labels that the features do not show, evidence out of fold says nothing, in fold it pretends to."""
    dataset = videos(tmp_path, 12, shown=False)
    assert agreement(dataset, fitted(dataset, folds=1)[1]) > 0.2
    assert abs(agreement(dataset, fitted(dataset, folds=4)[1])) < 0.1


def test_a_video_has_no_part_in_its_own_evidence(tmp_path):
    dataset = videos(tmp_path, 8, shown=True)
    before = fitted(dataset, folds=8)[1][3]
    item = dataset.annotations[3]
    dataset.annotations[3] = Annotation(item.video_id, item.duration, item.segments, (item.labels + 1) % 3)
    after = fitted(dataset, folds=8)[1][3]
    for one, other in zip(before.T, after.T):  # the same but for the units, which come from all videos
        assert np.corrcoef(one, other)[0, 1] > 0.98


@pytest.mark.parametrize("view", [0, 1])
def test_the_map_is_that_of_plain_ridge_regression(tmp_path, view):
    """(X^T X + strength I)^-1 X^T Y of centred targets and standardised features; in the second view minus each video's
    mean over all it has within reach, which here is the whole video."""
    dataset = videos(tmp_path, 5, shown=True)
    detector, evidence = fitted(dataset, folds=1, centring=100, ridge=0.2)
    x = np.concatenate([track.values for track in dataset.tracks]).astype(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    if view:
        x = (x.reshape(5, STEPS, -1) - x.reshape(5, STEPS, -1).mean(axis=1, keepdims=True)).reshape(x.shape)
    y = np.zeros((len(x), 3))
    for index, item in enumerate(dataset.annotations):
        for (start, end), label in zip(dataset.tracks[index].grid.to_index(item.segments), item.labels):
            at = np.arange(STEPS)
            y[index * STEPS : (index + 1) * STEPS][(start <= at) & (at <= end), label] = 1
    wanted = np.linalg.solve(x.T @ x + 0.2 * len(x) * np.eye(CHANNELS), x.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(detector.evidence.weight[view][:, [0, 3, 6]].numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(
        np.concatenate(evidence)[:, 3 * view], x @ wanted[:, 0] / (x @ wanted[:, 0]).std(), atol=1e-3
    )


def test_classes_are_described(tmp_path):
    dataset = videos(tmp_path, 6, shown=True)
    detector, _ = fitted(dataset)
    labels = np.concatenate([item.labels for item in dataset.annotations])
    lengths = np.concatenate([np.diff(item.segments)[:, 0] for item in dataset.annotations]) * 2
    assert detector.count.tolist() == np.bincount(labels, minlength=3).tolist()
    assert detector.length.tolist() == pytest.approx([np.median(lengths[labels == k]) for k in range(3)])


@pytest.mark.parametrize("number, folds", [(1, 5), (2, 5), (3, 1)])
def test_few_videos_are_no_obstacle(tmp_path, number, folds):
    detector, evidence = fitted(videos(tmp_path, number, shown=True), folds=folds)
    assert all(np.isfinite(values).all() for values in evidence)
    assert detector.evidence.weight.isfinite().all() and (detector.length >= 2).all()
    assert 0.05 < np.concatenate(said_by(detector, videos(tmp_path, number, shown=True))).std() < 20


def test_no_actions_are_refused(tmp_path):
    with pytest.raises(InputError, match="hold no action at all"):
        fitted(videos(tmp_path, 3, shown=False, actions=0))
