from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmad.config import DetectorConfig, FeaturesConfig
from mmad.data.feature_dataset import FeatureDataset
from mmad.engine.fit_probe import Sums, choose_strength, fit_probe, solve
from mmad.engine.folds import choose_folds, group_names
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.models.linear_probe import BOUND
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
    """Noise of which, if `shown`, channel k also says when class k is in progress. first: number of the first video."""
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
    return FeatureDataset.from_folder(annotations, folder, FeaturesConfig(), window=1000)


def fitted(dataset: FeatureDataset, **settings) -> tuple[Detector, list[np.ndarray]]:
    """A detector whose probe is filled, and the training videos' own scores, each (STEPS, E, S)."""
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
    """Of all videos, one column per class or body part and score."""
    return np.concatenate(scores).reshape(-1, scores[0].shape[1] * scores[0].shape[2])


def agreement(dataset: FeatureDataset, scores: list[np.ndarray], column: int = 0) -> float:
    """Correlation of a column of the scores of all classes, by default the first view's actionness, with the truth."""
    truth, scored = [], []
    for item, values in zip(dataset.annotations, scores):
        for k in range(3):
            active = [(a <= AT) & (b >= AT) for (a, b), label in zip(item.segments, item.labels) if label == k]
            truth.append(np.any(active, axis=0) if active else np.zeros(STEPS, dtype=bool))
            scored.append(values[:, k, column])
    return float(np.corrcoef(np.concatenate(truth), np.concatenate(scored))[0, 1])


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
def test_in_fold_scores_are_those_of_the_fitted_detector(tmp_path, views):
    dataset = videos(tmp_path, 6)
    detector, scores = fitted(dataset, folds=1, views=views)
    np.testing.assert_allclose(as_columns(scores_by(detector, dataset)), as_columns(scores), atol=5e-3)


def test_noise_is_memorised_only_in_fold(tmp_path):
    """With labels that the features do not show, out-of-fold scores are uninformative, in-fold scores pretend to be."""
    dataset = videos(tmp_path, 12, shown=False)
    assert agreement(dataset, fitted(dataset, folds=1)[1]) > 0.2
    assert abs(agreement(dataset, fitted(dataset, folds=4)[1])) < 0.1


def test_a_video_does_not_influence_its_own_scores(tmp_path):
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
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).clip(-BOUND, BOUND)
    if view == "centred":
        x = (x.reshape(5, STEPS, -1) - x.reshape(5, STEPS, -1).mean(axis=1, keepdims=True)).reshape(x.shape)
    scale = x.std(axis=0)
    x = (x - x.mean(axis=0)) / scale
    y = np.zeros((len(x), 3))
    for index, item in enumerate(dataset.annotations):
        for (start, end), label in zip(dataset.tracks[index].grid.to_index(item.segments), item.labels):
            at = np.arange(STEPS)
            y[index * STEPS : (index + 1) * STEPS][(start <= at) & (at <= end), label] = 1
    wanted = np.linalg.solve(x.T @ x + 0.2 * len(x) * np.eye(CHANNELS), x.T @ (y - y.mean(axis=0)))
    unit = (x @ wanted).std(axis=0)
    weight, _ = detector.probe.weight_and_bias(view)
    np.testing.assert_allclose(weight[:, [0, 3, 6]].numpy(), wanted / scale[:, None] / unit, atol=1e-4)
    for k in range(3):
        np.testing.assert_allclose(np.concatenate(scores)[:, k, 0], (x @ wanted / unit)[:, k], atol=5e-3)


def test_class_statistics(tmp_path):
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


# --- folds ------------------------------------------------------------------------------------------------------


def labelled(labels_of: dict[str, list[int]]) -> SimpleNamespace:
    """Videos with these ids and actions, as far as folds ask for them."""
    items = [Annotation(name, 9.0, [[1.0, 2.0]] * len(labels), labels) for name, labels in labels_of.items()]
    return SimpleNamespace(annotations=items)


def folds_by_id(labels_of: dict[str, list[int]], seed: int = 0, **settings) -> dict[str, int]:
    found = choose_folds(labelled(labels_of), 8, DetectorConfig(**settings), seed)
    return dict(zip(labels_of, found.tolist()))


PEOPLE = {
    f"{person}_{part:02}_{index:04}_L": [part % 4] for person in range(190, 203) for part in (1, 2) for index in (3, 5)
}


def test_all_videos_of_a_person_are_in_one_fold():
    found = folds_by_id(PEOPLE)
    assert set(found.values()) == set(range(5))
    for person in range(190, 203):
        assert len({fold for name, fold in found.items() if name.startswith(f"{person}_")}) == 1
    in_folders = folds_by_id({f"some_set/{name}": labels for name, labels in PEOPLE.items()})
    assert list(in_folders.values()) == list(found.values())


@pytest.mark.parametrize(
    "ids",
    [
        [f"train{i}" for i in range(1970, 1990)],  # nothing before a _
        [f"train_{i:04}" for i in range(20)],  # the same before a _
        [f"{'abc'[i % 3]}_{i:04}" for i in range(20)],  # fewer groups than folds
        [f"{max(i, 11)}_{i:04}" for i in range(20)],  # one group of more than half
    ],
)
def test_where_ids_name_no_people_each_video_is_a_group(ids):
    assert len(set(group_names(ids, "", 5))) == 20
    found = folds_by_id({name: [0] for name in ids})
    assert np.bincount(list(found.values())).tolist() == [4] * 5


@pytest.mark.parametrize("pattern", [r"_p(\d)_", r"_p\d_", r"_p(?:\d)_"])
def test_a_regular_expression_names_the_people(pattern):
    labels_of = {f"train_p{i % 7}_{i:03}": [i % 3] for i in range(28)}
    found = folds_by_id(labels_of, groups=pattern)
    assert set(found.values()) == set(range(5))
    for person in range(7):
        assert len({fold for name, fold in found.items() if f"_p{person}_" in name}) == 1


def test_an_id_that_the_regular_expression_does_not_match_is_named():
    with pytest.raises(
        InputError, match=r"^detector\.groups: '_p\(\\\\d\)_' does not match the id train_q1; "
    ) as caught:
        folds_by_id({"train_p3_1": [0], "train_q1": [0]}, groups=r"_p(\d)_")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_spread_over_all_folds(seed):
    """Classes from five groups to a hundred, one to three of them in a group."""
    rng = np.random.default_rng(seed)
    labels_of: dict[str, list[int]] = {f"{i}_a": [] for i in range(150)}
    for label, groups in enumerate((5, 6, 8, 12, 25, 40, 60, 100)):
        for group in rng.choice(150, groups, replace=False):
            labels_of[f"{group}_a"].append(label)
    found = folds_by_id(labels_of, seed=seed)
    for label in range(8):
        held = {fold for name, fold in found.items() if label in labels_of[name]}
        assert held == set(range(5)), label
    sizes = np.bincount(list(found.values()))
    assert sizes.max() < 1.5 * sizes.min()


def test_folds_depend_on_the_seed_alone():
    found = [folds_by_id(PEOPLE, seed=seed) for seed in (0, 0, 1)]
    np.random.seed(7), torch.manual_seed(7)
    assert found[0] == found[1] == folds_by_id(PEOPLE) and found[0] != found[2]


def test_videos_of_a_person_do_not_influence_each_others_scores(tmp_path):
    """Six videos of which two are of one person: the labels of one do not move the scores of the other."""
    dataset = videos(tmp_path, 6)
    ids = ("a_0", "a_1", "b_0", "c_0", "d_0", "e_0")
    scores = []
    for turn in (0, 1):
        for index, (item, name) in enumerate(zip(dataset.annotations, ids)):
            labels = (item.labels + turn) % 3 if name == "a_1" else item.labels
            dataset.annotations[index] = Annotation(name, item.duration, item.segments, labels)
        scores.append(fitted(dataset, ridge=0.1, views=["plain"])[1])
    agreements = [
        np.corrcoef(one.reshape(STEPS, -1)[:, 0], other.reshape(STEPS, -1)[:, 0])[0, 1] for one, other in zip(*scores)
    ]
    assert agreements[0] > 0.98 and min(agreements[2:]) < 0.95


# --- the closed form --------------------------------------------------------------------------------------------


def sums_of(folds: list[tuple[np.ndarray, np.ndarray]]) -> Sums:
    """Of x (N, D) and y (N, O) of each fold, handed over in two parts."""
    sums = Sums.zeros(len(folds), folds[0][0].shape[1], folds[0][1].shape[1])
    for fold, (x, y) in enumerate(folds):
        for some in (slice(0, len(x) // 3), slice(len(x) // 3, None)):
            sums.add(fold, torch.from_numpy(x[some]).float(), torch.from_numpy(y[some]).float())
    return sums


def linear_folds(noise: float, steps: int = 60, width: int = 25, folds: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
    """y is linear in x but for noise, and its sum is positive in every fold, as that of the probe's targets."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(width, 3))
    x = [rng.normal(size=(steps + 7 * fold, width)) for fold in range(folds)]
    return [(values, 30 + values @ truth + noise * rng.normal(size=(len(values), 3))) for values in x]


def test_centred_sums_are_the_sums_of_centred_data():
    """Also of features that are far from zero, or constant."""
    rng = np.random.default_rng(0)
    folds = [(x * rng.uniform(0.6, 2, 25) + 1000, y + 3) for x, y in linear_folds(noise=1.0)]
    for x, _ in folds:
        x[:, 4] = 0.7
    sums = sums_of(folds)
    mean, unit = sums.centre_and_scale()
    all_x, all_y = (np.concatenate(values) for values in zip(*folds))
    alive = np.delete(np.arange(25), 4)
    np.testing.assert_allclose(mean, all_x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(unit[alive], all_x[:, alive].std(axis=0), rtol=1e-3)
    for fold, (x, y) in enumerate(folds):
        np.testing.assert_allclose(sums.goal[fold], y.sum(axis=0), rtol=1e-5)
        x, y = (x - all_x.mean(axis=0)) / unit.numpy(), y - all_y.mean(axis=0)
        np.testing.assert_allclose(sums.gram[fold], x.T @ x, atol=0.02)
        np.testing.assert_allclose(sums.moment[fold], x.T @ y, atol=0.05)
        np.testing.assert_allclose(sums.total[fold], x.sum(axis=0), atol=0.01)
        np.testing.assert_allclose(sums.square[fold], (y**2).sum(axis=0), rtol=1e-4)


def causes_and_noise(noise: float, features: int = 25) -> list[tuple[np.ndarray, np.ndarray]]:
    """Four folds of 60 steps: four hidden causes of features and of 30 targets."""
    rng = np.random.default_rng(0)
    mix, truth, made = rng.normal(size=(4, features)), rng.normal(size=(4, 30)), []
    for _ in range(4):
        hidden = rng.normal(size=(60, 4))
        x = hidden @ mix + 0.3 * rng.normal(size=(60, features))
        made.append((x, hidden @ truth + noise * rng.normal(size=(60, 30))))
    return made


def strength_for(folds: list[tuple[np.ndarray, np.ndarray]]) -> float:
    sums = sums_of(folds)
    sums.centre_and_scale()
    of_one_folder = torch.zeros(sums.gram.shape[-1], dtype=torch.long)
    return choose_strength(sums, sums.gram.sum(dim=0), sums.moment.sum(dim=0), of_one_folder, 0.0, {})


def test_noisier_data_are_given_a_larger_penalty():
    chosen = [strength_for(causes_and_noise(noise)) for noise in (0.0, 0.3, 1.0, 30.0)]
    assert chosen == sorted(set(chosen)), chosen
    assert chosen[-1] > 10, "more than 1 per step where there is almost nothing but noise"


def test_the_penalty_is_the_best_for_all_folds_together():
    folds = causes_and_noise(2.0, features=40)
    x, y = (np.concatenate(values) for values in zip(*folds))
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), y - y.mean(axis=0)
    found = {}
    for power in range(-10, 11):
        correlations = []
        for fold in range(4):
            out = np.arange(len(x)) // 60 == fold
            gram = x[~out].T @ x[~out] + 10 ** (power / 2) * (~out).sum() * np.eye(40)
            scores = x[out] @ np.linalg.solve(gram, x[~out].T @ y[~out])
            covariance = (scores * y[out]).sum(axis=0)
            correlations.append(covariance / np.linalg.norm(scores, axis=0) / np.linalg.norm(y, axis=0))
        found[10 ** (power / 2)] = np.mean(correlations)
    best = max(found, key=found.get)
    assert 1e-5 < best < 1e5
    assert strength_for(folds) == pytest.approx(best)


def test_scores_out_of_fold_have_deviation_1_in_every_column():
    folds = [(x, y * np.array([1.0, 0.01, 100.0])) for x, y in linear_folds(noise=2.0)]
    weight, bias, maps_without_fold = solve(sums_of(folds), ridge=0.1)
    pairs = zip(folds, maps_without_fold, strict=True)
    scores = np.concatenate([x @ w.numpy() + b.numpy() for (x, _), (w, b) in pairs])
    assert scores.std(axis=0) == pytest.approx([1, 1, 1], rel=1e-4)
    new = np.concatenate([x for x, _ in folds]) @ weight.numpy() + bias.numpy()
    assert np.abs(new.mean(axis=0)).max() < 1e-4 and (new.std(axis=0) < 1.5).all()


def test_each_fold_has_a_map_found_on_the_others_alone():
    """As if the others were all there is, but for the mean, which is that of all."""
    folds = linear_folds(noise=2.0)
    all_x, all_y = (np.concatenate(values) for values in zip(*folds))
    _, _, maps_without_fold = solve(sums_of(folds), ridge=0.1)
    for fold in range(len(folds)):
        x, y = (np.concatenate(values) for values in zip(*folds[:fold], *folds[fold + 1 :]))
        x, y = (x - all_x.mean(axis=0)) / all_x.std(axis=0), y - all_y.mean(axis=0)
        wanted = np.linalg.solve(x.T @ x + 0.1 * len(x) * np.eye(25), x.T @ y) / all_x.std(axis=0)[:, None]
        found = maps_without_fold[fold][0].numpy()
        np.testing.assert_allclose(
            found / np.linalg.norm(found, axis=0), wanted / np.linalg.norm(wanted, axis=0), atol=1e-4
        )


# --- people unlike those in training ----------------------------------------------------------------------------


def dead(values: np.ndarray, rng: np.random.Generator) -> None:
    values[:, 9] = 0.1


def nearly_dead(values: np.ndarray, rng: np.random.Generator) -> None:
    values[:, 9] *= 1e-4


def heavy_tailed(values: np.ndarray, rng: np.random.Generator) -> None:
    values[rng.random(len(values)) < 0.002, 9] += 1e4


def still(values: np.ndarray, rng: np.random.Generator) -> None:
    values[:, 9] = 5 + 2 * rng.normal() + 0.1 * rng.normal(size=len(values))


def moves(values: np.ndarray, rng: np.random.Generator) -> None:
    values[:, 9] = 5 + 2 * rng.normal(size=len(values))


def lies_elsewhere(values: np.ndarray, rng: np.random.Generator) -> None:
    values[:, 9] += 1000


def jumps(values: np.ndarray, rng: np.random.Generator) -> None:
    values[:, 9] += 1e4 * (rng.random(len(values)) < 0.5)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("in_training", [dead, nearly_dead, still, heavy_tailed])
def test_one_channel_does_not_carry_away_the_scores_of_a_new_person(tmp_path, in_training, view):
    """What a channel shows that it hardly ever or never showed in training moves no score far: by a few deviations."""
    dataset = videos(tmp_path, 30, change=in_training)
    detector, scores = fitted(dataset, views=[view], random=64)
    assert np.isfinite(as_columns(scores)).all()
    (tmp_path / "new").mkdir()
    for unlike in (in_training, moves, lies_elsewhere, jumps):
        new = as_columns(scores_by(detector, videos(tmp_path / "new", 10, change=unlike, first=50)))
        assert np.isfinite(new).all()
        assert np.abs(new).max() < 12, unlike


@pytest.mark.parametrize("views, least", [(["plain"], 0.6), (["centred"], 0.4), (["random"], 0.3)])
def test_both_halves_of_joined_features_count(tmp_path, views, least):
    """The channels of one backbone are a hundred times as large as those of the other; classes show in either."""

    def joined(values: np.ndarray, rng: np.random.Generator) -> None:
        values[:, [1, 20]] = values[:, [20, 1]]
        values[:, 15:] *= 100

    dataset = videos(tmp_path, 40, change=joined)
    _, scores = fitted(dataset, views=views, random=512)
    for label in (0, 1):
        truth = [np.zeros(STEPS, dtype=bool) for _ in scores]
        for inside, item in zip(truth, dataset.annotations):
            for (start, end), other in zip(item.segments, item.labels):
                inside |= (start <= AT) & (end >= AT) & (label == other)
        scored = np.concatenate(scores)[:, label, 0]
        assert np.corrcoef(np.concatenate(truth), scored)[0, 1] > least


# --- motion -----------------------------------------------------------------------------------------------------


def test_shaking_evenly_about_the_middle_is_found_by_the_random_view_alone(tmp_path):
    """A sine of zero mean and any phase: no linear map of a step's features sees it."""

    def shaking(values: np.ndarray, rng: np.random.Generator) -> None:
        values[:] = rng.normal(size=values.shape)

    dataset = videos(tmp_path, 40, shown=False, change=shaking)
    for index, item in enumerate(dataset.annotations):
        rng = np.random.default_rng(100 + index)
        values = np.array(dataset.tracks[index].values)[:, :6]
        for (start, end), label in zip(item.segments, item.labels):
            inside = (start <= AT) & (end >= AT)
            values[inside, label] += 2.5 * np.sin(2 * np.pi * AT[inside] * 2 / 3.3 + rng.uniform(0, 7))
        np.save(tmp_path / f"{item.video_id}.npy", values.astype(np.float32))
    dataset = FeatureDataset.from_folder(dataset.annotations, tmp_path, FeaturesConfig(), window=1000)
    found = {view: agreement(dataset, fitted(dataset, views=[view], random=512)[1]) for view in VIEWS}
    assert found["random"] > 0.4 and abs(found["plain"]) < 0.1 and abs(found["centred"]) < 0.1, found


# --- what is kept -----------------------------------------------------------------------------------------------


def test_scores_are_read_from_their_file_and_the_data_set_stays_the_same(tmp_path):
    dataset = videos(tmp_path, 5)
    before = dataset.source, dataset.channels, dataset.digests()
    config = DetectorConfig(centring=10, random=16)
    detector = build_detector(config, dataset.channels, LABELS)
    dataset.probe_scores = fit_probe(detector, dataset, config, tmp_path / "scores.f16")
    assert len(dataset.probe_scores) == 5 and (tmp_path / "scores.f16").stat().st_size == 5 * STEPS * 5 * 9 * 2
    stored = np.fromfile(tmp_path / "scores.f16", np.float16).reshape(5, STEPS, 5, 9)
    assert all((scores == wanted).all() for scores, wanted in zip(dataset.probe_scores, stored, strict=True))
    assert dataset[3].features is None and torch.equal(dataset[3].probe_scores, torch.from_numpy(stored[3]).float())
    assert (dataset.source, dataset.channels, dataset.digests()) == before
