"""The linear probe on features of several folders, one of which may be missing at a step."""

import numpy as np
import pytest
import torch

from mmad.config import DetectionConfig, DetectorConfig, FeaturesConfig, to_dict
from mmad.data.feature_dataset import FeatureDataset
from mmad.data.feature_files import FolderRows, JoinedRows
from mmad.engine.checkpoint import load_detector
from mmad.engine.fit_detector import FittedDetector
from mmad.engine.fit_probe import Sums, choose_strength, features_in, fit_probe
from mmad.engine.postprocess import predict_track
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.models.linear_probe import BOUND, set_index
from mmad.records import Annotation, FeatureTrack, TimeGrid
from mmad.weight_files import save_checkpoint

LABELS = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))
STEPS, GRID = 40, TimeGrid(0.25, 0.5)
BLOCKS = (6, 4)
FIRST, SECOND, BOTH = range(3)  # sets of folders
SETTINGS = {"width": 8, "dilations": [1], "centring": 10, "random": 32}


def noise_and_actions(number: int) -> list[tuple[Annotation, np.ndarray]]:
    """Videos, and their features (STEPS, 10), in which channels k and 6 + k say when class k is in progress."""
    found = []
    for index in range(number):
        rng = np.random.default_rng(index)
        values, at = rng.normal(size=(STEPS, sum(BLOCKS))), GRID.to_seconds(np.arange(STEPS))
        start, labels = rng.integers(0, 15, 2), rng.integers(0, 3, 2)
        segments = np.stack([start, start + rng.integers(4, 9, 2)], axis=1) / 2.0  # s
        for (begin, end), label in zip(segments, labels):
            values[(begin <= at) & (end >= at), label] += 2.0
            values[(begin <= at) & (end >= at), BLOCKS[0] + label] += 2.0
        found.append((Annotation(f"v{index:02}", STEPS / 2, segments, labels), (5 + 2 * values).astype(np.float32)))
    return found


def in_folders(videos: list, gaps: dict[int, slice] | None = None, blocks=BLOCKS, which=(0, 1)) -> FeatureDataset:
    """gaps: {video: steps at which its second folder is missing}. which: of the two folders."""
    tracks = []
    for index, (item, values) in enumerate(videos):
        parts = np.split(values.copy(), np.cumsum(blocks)[:-1], axis=1)
        if gaps and index in gaps:
            parts[1][gaps[index]] = np.nan
        parts = [parts[i] for i in which]
        rows = JoinedRows(
            tuple(FolderRows(part, GRID, part.shape[1]) for part in parts),
            GRID,
            (STEPS, sum(p.shape[1] for p in parts)),
        )
        tracks.append(FeatureTrack(item.video_id, rows if len(parts) > 1 else parts[0], GRID, item.duration, "made up"))
    return FeatureDataset([item for item, _ in videos], tracks)


def fitted(dataset: FeatureDataset, **settings) -> tuple[Detector, list[np.ndarray]]:
    config = DetectorConfig(**{**SETTINGS, **settings})
    torch.manual_seed(0)
    detector = build_detector(config, dataset.channels, LABELS, dataset.blocks)
    return detector, [np.asarray(scores, np.float32) for scores in fit_probe(detector, dataset, config, None)]


def scores_of(detector: Detector, values: np.ndarray) -> torch.Tensor:
    """(T, C) -> (T, E, S)."""
    features = torch.from_numpy(np.asarray(values, dtype=np.float32))[None]
    return detector.probe(features, torch.ones(features.shape[:2], dtype=torch.bool))[0]


THIRD = {index: slice(7 * index % 27, 7 * index % 27 + 13) for index in range(20)}


def test_sets_of_folders_are_numbered():
    there = torch.tensor([[False, False], [True, False], [False, True], [True, True]])
    assert set_index(there).tolist() == [-1, FIRST, SECOND, BOTH]
    folder = torch.tensor([0, 0, 1, 1, 1, 2])
    assert [features_in(some, folder).tolist() for some in (0, 1, 4, 6)] == [
        [0, 1],
        [2, 3, 4],
        [0, 1, 5],
        [0, 1, 2, 3, 4, 5],
    ]


# --- one folder is as it was ------------------------------------------------------------------------------------


def test_one_folder_named_as_one_of_several_gives_the_same_weights(tmp_path):
    videos = noise_and_actions(8)
    (tmp_path / "features").mkdir()
    for item, values in videos:
        np.save(tmp_path / "features" / f"{item.video_id}.npy", values)
    states = []
    for config in (FeaturesConfig(folder="features"), FeaturesConfig(folders=["features"])):
        dataset = FeatureDataset.from_folder([item for item, _ in videos], config.paths(tmp_path), config)
        states.append(fitted(dataset)[0].state_dict())
    one, other = states
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert (
        one["probe.weight_plain"].shape == (10, 15) and "probe.views.random.whiten" in one
    )  # as checkpoints have them


# --- the map of each set of folders -----------------------------------------------------------------------------


@pytest.mark.parametrize("some", [FIRST, SECOND, BOTH])
def test_each_map_is_plain_ridge_regression_on_the_steps_with_its_folders(some):
    """In numpy: (X^T X + strength I)^-1 X^T Y of centred targets and features, of the rows in which nothing of the set
    is missing."""
    dataset = in_folders(noise_and_actions(10), THIRD)
    detector, _ = fitted(dataset, ridge=0.2, views=["plain"])
    x = np.concatenate([track.values[:] for track in dataset.tracks]).astype(np.float64)
    x = ((x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)).clip(-BOUND, BOUND)
    y = np.zeros((len(x), 3))
    for index, item in enumerate(dataset.annotations):
        for (start, end), label in zip(GRID.to_index(item.segments), item.labels):
            at = np.arange(STEPS)
            y[index * STEPS : (index + 1) * STEPS][(start <= at) & (at <= end), label] = 1
    own = {FIRST: slice(0, 6), SECOND: slice(6, 10), BOTH: slice(0, 10)}[some]
    rows = np.isfinite(x[:, own]).all(axis=1)
    assert rows.mean() == (1.0 if some == FIRST else 1 - 13 / 40)
    x, y = x[rows][:, own], y[rows]
    scale = x.std(axis=0)
    x = (x - x.mean(axis=0)) / scale
    wanted = np.linalg.solve(x.T @ x + 0.2 * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0))) / scale[:, None]
    weight = detector.probe.weight_plain[some][:, [0, 3, 6]].numpy()
    assert (np.delete(weight, own, axis=0) == 0).all()
    unit = (weight[own] * wanted).sum(axis=0) / (wanted**2).sum(axis=0)  # of the scores, one per column
    np.testing.assert_allclose(weight[own], wanted * unit, atol=1e-3)


@pytest.mark.parametrize("views", [["plain"], ["plain", "centred"]])
def test_a_step_with_one_folder_is_scored_as_by_a_detector_of_that_folder(views):
    """Penalty, weights and scores are those of training without the other folder, which has gaps."""
    videos = noise_and_actions(10)
    both, _ = fitted(in_folders(videos, THIRD), views=views)
    alone, _ = fitted(in_folders(videos, which=(0,)), views=views)
    for view in views:
        weights = both.probe.weight_and_bias(view)[0][FIRST, : BLOCKS[0]], alone.probe.weight_and_bias(view)[0]
        torch.testing.assert_close(*weights, atol=1e-5, rtol=1e-4)
    values = videos[0][1]
    without = np.concatenate([values[:, : BLOCKS[0]], np.full((STEPS, BLOCKS[1]), np.nan)], axis=1)
    found = scores_of(both, without)
    torch.testing.assert_close(found, scores_of(alone, values[:, : BLOCKS[0]]), atol=1e-4, rtol=1e-4)
    assert (found - scores_of(both, values)).abs().max() > 0.1  # with both it is another


@pytest.mark.parametrize("view", ["plain", "centred", "random"])
def test_what_is_missing_says_nothing_and_disturbs_nothing(view):
    """Scores where both are there do not depend on what is beside a gap, and are those of a video that ends there."""
    videos = noise_and_actions(10)
    detector, scores = fitted(in_folders(videos, THIRD), views=[view], ridge=0.1)
    assert all(np.isfinite(values).all() for values in scores)
    values = videos[3][1].copy()
    values[20:33, BLOCKS[0] :] = np.nan
    gap = scores_of(detector, values)
    changed = values.copy()
    changed[20:33, -1] = 1e6  # one channel of a missing row: the row is missing all the same
    assert torch.equal(scores_of(detector, changed), gap)
    # The second folder alone, up to the gap: as in a video that ends where the gap begins.
    alone = values.copy()
    alone[:, : BLOCKS[0]] = np.nan
    torch.testing.assert_close(scores_of(detector, alone)[:10], scores_of(detector, alone[:20])[:10])
    assert (scores_of(detector, alone)[20:33] == 0).all()  # nothing is there


def test_out_of_fold_scores_are_those_of_the_maps_of_each_step():
    """With one fold the maps without it are those of all, so scores in training are those of the detector."""
    dataset = in_folders(noise_and_actions(6), THIRD)
    detector, scores = fitted(dataset, folds=1)
    for track, values in zip(dataset.tracks, scores):
        np.testing.assert_allclose(scores_of(detector, track.values[:]), values, atol=5e-3)


def test_folders_that_are_never_together_are_no_obstacle():
    videos = noise_and_actions(8)
    dataset = in_folders(videos)
    for index, track in enumerate(dataset.tracks):
        half = np.array(track.values.parts[index % 2].rows)
        half[:] = np.nan
        parts = list(track.values.parts)
        parts[index % 2] = FolderRows(half, GRID, half.shape[1])
        track.values = JoinedRows(tuple(parts), GRID, track.values.shape)
    detector, scores = fitted(dataset)
    assert all(np.isfinite(values).all() for values in scores)
    weight = detector.probe.weight_plain
    assert torch.equal(weight[BOTH], weight[FIRST]) or torch.equal(weight[BOTH], weight[SECOND])


def test_a_folder_that_is_there_at_no_step_is_an_error():
    gaps = dict.fromkeys(range(4), slice(None))
    with pytest.raises(InputError, match=r"^features\.folders: folder 2 of 2 has values at no step"):
        fitted(in_folders(noise_and_actions(4), gaps))


# --- a penalty per folder ---------------------------------------------------------------------------------------


def sums_of(folds: list[tuple[np.ndarray, np.ndarray]]) -> Sums:
    sums = Sums.zeros(len(folds), folds[0][0].shape[1], folds[0][1].shape[1])
    for fold, (x, y) in enumerate(folds):
        sums.add(fold, torch.from_numpy(x).float(), torch.from_numpy(y).float())
    sums.centre_and_scale()
    return sums


def test_the_folder_of_noise_is_given_the_larger_penalty():
    """Four features that say something and sixty that do not."""
    rng = np.random.default_rng(0)
    truth, folds = rng.normal(size=(4, 8)), []
    for _ in range(4):
        x = rng.normal(size=(80, 64))
        folds.append((x, 9 + x[:, :4] @ truth + rng.normal(size=(80, 8))))
    sums, folder = sums_of(folds), torch.tensor([0] * 4 + [1] * 60)
    gram, moment = sums.gram.sum(dim=0), sums.moment.sum(dim=0)
    chosen = choose_strength(sums, gram, moment, folder, 0.0, {0: -4, 1: -4})
    assert chosen.shape == (64,) and len(set(chosen[:4].tolist())) == len(set(chosen[4:].tolist())) == 1
    assert chosen[-1] > 100 * chosen[0]
    assert choose_strength(sums, gram, moment, folder, 0.5, {}) == 0.5  # detector.ridge sets all
    one = {}
    assert choose_strength(sums, gram, moment, 0 * folder, 0.0, one) == 10.0 ** (one[0] / 2)


# --- checkpoints and long videos --------------------------------------------------------------------------------


def test_a_checkpoint_knows_the_folders(tmp_path):
    dataset = in_folders(noise_and_actions(8), THIRD)
    detector, _ = fitted(dataset)
    config = DetectionConfig(detector=DetectorConfig(**SETTINGS))
    features = {"source": "made up", "channels": 10, "settings": {}, "step": 0.5, "blocks": list(BLOCKS)}
    save_checkpoint(tmp_path / "best.pt", "detector", to_dict(config), LABELS, detector, features=features)
    again, *_ = load_detector(tmp_path / "best.pt")
    values = dataset.tracks[0].values[:]
    assert np.isnan(values).any() and torch.equal(scores_of(again, values), scores_of(detector, values))
    for blocks in ([6, 5], [10, 0], [1] * 10, "two", [6, 4.5]):
        save_checkpoint(
            tmp_path / "odd.pt", "detector", to_dict(config), LABELS, detector, features={**features, "blocks": blocks}
        )
        with pytest.raises(InputError, match=r"odd\.pt: does not say what features it reads"):
            load_detector(tmp_path / "odd.pt")


@torch.inference_mode()
def test_where_a_long_video_with_gaps_is_cut_changes_nothing():
    videos = noise_and_actions(10)
    detector, _ = fitted(in_folders(videos, THIRD))
    values = np.concatenate([values for _, values in videos] * 2)
    for first in range(5, 760, 50):
        values[first : first + 17, BLOCKS[0] :] = np.nan
    parts = tuple(FolderRows(part, GRID, part.shape[1]) for part in np.split(values, [BLOCKS[0]], axis=1))
    track = FeatureTrack("long", JoinedRows(parts, GRID, values.shape), GRID, len(values) / 2)
    whole, cut = (predict_track(detector.eval(), track, window) for window in (len(values), 160))
    torch.testing.assert_close(cut.logits, whole.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(cut.offsets, whole.offsets, atol=1e-3, rtol=1e-4)


def test_a_detector_of_before_refuses_features_with_gaps():
    """It was trained on both folders as one: without gaps it goes on working."""
    dataset = in_folders(noise_and_actions(4), {1: slice(3, 9)})
    config = DetectionConfig(detector=DetectorConfig(**SETTINGS, views=["plain"]))
    known = {"source": "made up", "channels": 10, "settings": {}, "step": 0.5}
    old = FittedDetector(build_detector(config.detector, 10, LABELS).eval(), LABELS, config, known, [])
    old.detect(dataset.tracks[0])
    with pytest.raises(InputError, match=r"^features of v01: a folder is missing at some steps, .*; train it on these"):
        old.detect(dataset.tracks[1])
