"""Filling the detector's linear probe in closed form, and scores of the training videos that did not learn from them.

The decoder must see scores as they will be for new videos. Scores of a video that helped to find the linear map are
better than that, the more so the rarer the class. So the training videos are split into folds, and the scores of each
fold come from a map found on the others (cross-fitting; in stacking it is called out-of-fold).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mmad.config import DetectorConfig
from mmad.data.feature_dataset import FeatureDataset
from mmad.errors import InputError
from mmad.files import atomic_path
from mmad.models.detector import Detector
from mmad.models.probe import BOUND, LinearProbe, RandomView
from mmad.ops.probe import ridge_correlations, role_targets, solve_ridge, with_parts

CHUNK = 8192  # steps whose products are summed at once
SAMPLE = 65536  # steps from which the directions of largest variance are found
LEAST_DEVIATION = 0.01  # of a channel, relative to the median channel: its unit is not smaller, so that it stays small
LEAST_UNIT = 0.3  # the same for a view's features before ridge regression
STRENGTHS = [10.0 ** (power / 2) for power in range(-8, 2)]  # L2 penalties to choose from, relative to the steps
LEAST_SEEN = 0.05  # of the examples of a class: a map found on fewer says nothing of it
UNCHOSEN = 0.03  # L2 penalty where a single fold leaves nothing to choose it by


@dataclass
class Sums:
    """Over the steps of each of F folds, in float64: of a view's features x (D) and the targets y (O).

    gram: (F, D, D) x x^T. moment: (F, D, O) x y^T. total: (F, D) x. goal: (F, O) y.
    square: (F, O) y^2. steps: (F,). shift: (D,) taken from x first, about its mean: of features that are far from zero
    and hardly move, single precision would lose what does move.
    """

    gram: Tensor
    moment: Tensor
    total: Tensor
    goal: Tensor
    square: Tensor
    steps: Tensor
    shift: Tensor | None = None

    @classmethod
    def zeros(cls, folds: int, width: int, outputs: int) -> "Sums":
        shapes = (width, width), (width, outputs), (width,), (outputs,), (outputs,), ()
        return cls(*(torch.zeros(folds, *shape, dtype=torch.float64) for shape in shapes))

    def add(self, fold: int, x: Tensor, y: Tensor) -> None:
        """x (N, D), y (N, O)."""
        if self.shift is None:
            self.shift = x.mean(dim=0)
        x = x - self.shift
        self.gram[fold] += (x.T @ x).double()
        self.moment[fold] += (x.T @ y).double()
        self.total[fold] += x.sum(dim=0).double()
        self.goal[fold] += y.sum(dim=0).double()
        self.square[fold] += (y**2).sum(dim=0).double()
        self.steps[fold] += len(x)

    def centre_and_scale(self) -> tuple[Tensor, Tensor]:
        """Turn all sums but `goal` into those of x and y minus their mean over all folds, x in units of its deviation.

        Of a feature that hardly ever moved the unit is larger: it would otherwise shout for a person of whom it does.
        Returns mean and unit (D,) of x.
        """
        count = self.steps.sum()
        mean, goal = self.total.sum(dim=0) / count, self.goal.sum(dim=0) / count
        self.gram -= self.total[:, :, None] * mean + mean[:, None] * self.total[:, None]
        self.gram += self.steps[:, None, None] * mean[:, None] * mean
        self.moment -= self.total[:, :, None] * goal + mean[:, None] * self.goal[:, None]
        self.moment += self.steps[:, None, None] * mean[:, None] * goal
        self.total -= self.steps[:, None] * mean
        self.square += self.steps[:, None] * goal**2 - 2 * self.goal * goal
        deviation = (self.gram.diagonal(dim1=1, dim2=2).sum(dim=0) / count).clamp(min=0).sqrt()
        unit = at_least(deviation, LEAST_UNIT, deviation > 1e-6)
        self.gram /= unit[:, None] * unit
        self.moment /= unit[:, None]
        self.total /= unit
        return mean + self.shift, unit


class ProbeScores(Sequence):
    """The training videos' own scores: item i is (T_i, E, R) float16, read from one file when asked for.

    Half precision moves scores by less than a thousandth, and the file of MMA-52 takes 0.4 GB.
    """

    def __init__(self, path: str | Path, steps: Sequence[int], shape: tuple[int, int]):
        """steps: of each video. shape: E, R."""
        self.path, self.shape = Path(path), shape
        self.first = np.concatenate([[0], np.cumsum(steps)])

    def __len__(self) -> int:
        return len(self.first) - 1

    def is_whole(self) -> bool:
        """Whether the file is there, with the scores of all videos."""
        size = 2 * int(self.first[-1]) * self.shape[0] * self.shape[1]
        return self.path.is_file() and self.path.stat().st_size == size

    def __getitem__(self, index: int) -> np.ndarray:
        first, last = self.first[index], self.first[index + 1]
        size = self.shape[0] * self.shape[1]
        values = np.fromfile(self.path, np.float16, int(last - first) * size, offset=int(first) * size * 2)
        return values.reshape(-1, *self.shape)


@torch.no_grad()
def fit_probe(
    detector: Detector, dataset: FeatureDataset, config: DetectorConfig, path: str | Path | None, seed: int = 0
) -> Sequence[np.ndarray]:
    """Fill `detector.probe` and what is known of the classes; returns the training videos' own scores.

    They are found without the video, with `config.folds` of 1 with it: (T, E, R) float16 of each, in the file `path` as
    `ProbeScores`, or in memory where that is None. The detector is on the CPU: this is a few minutes' work there, needs
    float64, and then does not depend on the device.
    """
    describe_classes(detector, dataset)
    probe = detector.probe
    fold_of = choose_folds(dataset, detector.num_classes, config, seed)
    folds = int(fold_of.max()) + 1
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # where that is not possible, it is said before the work
    standardise(probe, dataset)
    for view in probe.views.values():
        if isinstance(view, RandomView):
            view.whiten.copy_(whitening(probe, dataset, view.whiten.shape[1]))
    held_out = {}
    for name, sums in sum_up(detector, dataset, fold_of, folds).items():
        weight, bias, held_out[name] = solve(sums, config.ridge)
        getattr(probe, f"weight_{name}").copy_(weight)
        getattr(probe, f"bias_{name}").copy_(bias)
    scores = out_of_fold_scores(probe, dataset, fold_of, held_out)
    return list(scores) if path is None else write_scores(path, scores)


def describe_classes(detector: Detector, dataset: FeatureDataset) -> None:
    """How many actions of each class there are, and how many steps the median one lasts."""
    lengths = [
        np.diff(item.segments, axis=1)[:, 0] / track.grid.step
        for item, track in zip(dataset.annotations, dataset.tracks)
    ]
    lengths = np.concatenate(lengths)
    labels = np.concatenate([item.labels for item in dataset.annotations])
    if len(lengths) == 0:
        raise InputError("training annotations", "hold no action at all", "check data.train and data.train_subset")
    for label in range(detector.num_classes):
        mine = lengths[labels == label]
        detector.count[label] = len(mine)
        detector.length[label] = float(max(np.median(mine if len(mine) else lengths), 2.0))


# --- folds ------------------------------------------------------------------------------------------------------


def choose_folds(dataset: FeatureDataset, num_classes: int, config: DetectorConfig, seed: int) -> np.ndarray:
    """The fold of each video: videos of one group stay together, and every class is spread as evenly as that allows.

    Group by group, those with the rarest class first, each goes where its classes are fewest so far.
    """
    names = group_names([item.video_id for item in dataset.annotations], config.groups, config.folds)
    groups, group_of = np.unique(names, return_inverse=True)
    folds = min(config.folds, len(groups))
    counts = np.zeros((len(groups), num_classes + 1))  # of each class, and of videos
    for group, item in zip(group_of, dataset.annotations):
        counts[group, :-1] += np.bincount(item.labels, minlength=num_classes)
        counts[group, -1] += 1
    share = counts / np.maximum(counts.sum(axis=0), 1)
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(-share.max(axis=1)[order], kind="stable")]
    held, fold_of_group = np.zeros((folds, num_classes + 1)), np.zeros(len(groups), dtype=np.int64)
    for group in order:
        fold = int(np.argmin((share[group] * held).sum(axis=1)))
        fold_of_group[group] = fold
        held[fold] += share[group]
    return fold_of_group[group_of]


def group_names(ids: list[str], pattern: str, folds: int) -> list[str]:
    """What says whose each video is: the part of its id that `pattern` matches (its first group, where it has one).

    Without a pattern what stands before the first _, as in MMA-52's `196_01_0005_L`; where that makes fewer groups than
    folds, or one group of more than half of the videos, it says nothing, and each video is a group of its own.
    """
    if not pattern:
        names = [video_id.split("/")[-1].split("_")[0] for video_id in ids]
        sizes = np.unique(names, return_counts=True)[1]
        return names if len(sizes) >= folds and sizes.max() <= max(len(ids) / 2, 1) else ids
    found = [re.search(pattern, video_id) for video_id in ids]
    for video_id, match in zip(ids, found):
        if match is None:
            raise InputError(
                "detector.groups", f"{pattern!r} does not match the id {video_id}", "make it match all ids"
            )
    return [match.group(min(1, match.re.groups)) or "" for match in found]


# --- passes over the features -----------------------------------------------------------------------------------


def features_of(dataset: FeatureDataset, index: int) -> tuple[Tensor, Tensor]:
    """(1, T, C) and its mask (1, T)."""
    values = torch.from_numpy(np.array(dataset.tracks[index].values, dtype=np.float32))[None]
    return values, torch.ones(values.shape[:2], dtype=torch.bool)


def standardise(probe: LinearProbe, dataset: FeatureDataset) -> None:
    """Mean and deviation of each channel over all steps of all videos.

    A channel that hardly ever moved in training would otherwise shout for a person of whom it does.
    """
    total, squares, steps = *torch.zeros(2, len(probe.mean), dtype=torch.float64), 0
    for index in tqdm(range(len(dataset)), desc="mean and deviation", leave=False, disable=None):
        x = features_of(dataset, index)[0][0].double()
        total, squares, steps = total + x.sum(dim=0), squares + (x**2).sum(dim=0), steps + len(x)
    mean = total / steps
    deviation = (squares / steps - mean**2).clamp(min=0).sqrt()
    alive = deviation > 1e-6 * mean.abs()  # less is rounding
    unit = at_least(deviation, LEAST_DEVIATION, alive)
    probe.mean.copy_(mean)
    probe.deviation.copy_(unit)
    probe.bound.copy_(BOUND * deviation / unit * alive)


def at_least(deviation: Tensor, part: float, alive: Tensor) -> Tensor:
    """Deviations (D,), none below this part of the median of those that are alive; 1 where none is."""
    least = part * float(deviation[alive].median()) if alive.any() else 1.0
    return deviation.clamp(min=max(least, 1e-6))


def whitening(probe: LinearProbe, dataset: FeatureDataset, rank: int) -> Tensor:
    """(C, rank): the directions of largest variance, each in a unit a little over its deviation.

    The unit is the root of a direction's variance plus the mean variance: small directions count, noise stays small.
    """
    steps = sum(len(track.values) for track in dataset.tracks)
    every = max(1, steps // SAMPLE)
    covariance, seen = torch.zeros(len(probe.mean), len(probe.mean), dtype=torch.float64), 0
    for index in range(0, len(dataset), every):
        x = probe.standardise(features_of(dataset, index)[0])[0]
        covariance += (x.T @ x).double()
        seen += len(x)
    values, basis = torch.linalg.eigh(covariance / seen)
    values = values.clamp(min=0)
    return (basis / (values + values.mean()).clamp(min=1e-12).sqrt())[:, -rank:].float()


def sum_up(detector: Detector, dataset: FeatureDataset, fold_of: np.ndarray, folds: int) -> dict[str, Sums]:
    """{view: sums over the steps of each fold}."""
    probe = detector.probe
    outputs = len(probe.map_of(next(iter(probe.views)))[1])
    sums = {name: Sums.zeros(folds, view.width, outputs) for name, view in probe.views.items()}
    lengths = [len(track.values) for track in dataset.tracks]
    with tqdm(total=len(dataset), desc="linear probe", leave=False, disable=None) as bar:
        for fold in range(folds):
            for indices in chunks(np.flatnonzero(fold_of == fold), lengths):
                pairs = [features_of(dataset, index) for index in indices]
                pairs = [(probe.standardise(x), mask) for x, mask in pairs]
                y = torch.cat([targets_of(detector, dataset, index) for index in indices])
                for name, view in probe.views.items():
                    sums[name].add(fold, torch.cat([view(x, mask)[0] for x, mask in pairs]), y)
                bar.update(len(indices))
    return sums


def chunks(indices: np.ndarray, lengths: list[int]) -> Iterator[list[int]]:
    """The indices in lists of some `CHUNK` steps."""
    chunk, steps = [], 0
    for index in indices.tolist():
        chunk.append(index)
        steps += lengths[index]
        if steps >= CHUNK:
            yield chunk
            chunk, steps = [], 0
    if chunk:
        yield chunk


def targets_of(detector: Detector, dataset: FeatureDataset, index: int) -> Tensor:
    """(T, E * ROLES) of one video."""
    annotation, track = dataset.annotations[index], dataset.tracks[index]
    segments = torch.from_numpy(np.asarray(track.grid.to_index(annotation.segments), dtype=np.float32))
    labels = torch.from_numpy(annotation.labels)
    targets = role_targets(len(track.values), segments, labels, detector.num_classes)
    return with_parts(targets, detector.part_of.cpu(), detector.num_parts).flatten(1)


# --- the closed form --------------------------------------------------------------------------------------------


def solve(sums: Sums, ridge: float) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
    """Weight (D, O) and bias (O,) from all folds, and those for each fold found without it; float32.

    Scores are put in units of their deviation over the training videos, each scored out of its fold. A ridge weight
    grows with the number of examples of its class, so it would be smaller for the very fold that holds them than for
    the others: weights are taken per example. (Of four examples one is held out: its score would count three quarters
    of what the same score counts elsewhere, and the decoder would learn that rare classes are where scores are low.)
    """
    mean, scale = sums.centre_and_scale()
    gram, moment, steps = sums.gram.sum(dim=0), sums.moment.sum(dim=0), float(sums.steps.sum())
    strength = steps * (ridge or choose_strength(sums, gram, moment))
    whole = solve_ridge(gram, moment, strength)
    held_out, goal = [], sums.goal.sum(dim=0)
    for fold, share in enumerate((sums.steps / steps).tolist() if len(sums.steps) > 1 else ()):
        weight = solve_ridge(gram - sums.gram[fold], moment - sums.moment[fold], strength * (1 - share))
        seen = (1 - sums.goal[fold] / goal.clamp(min=1e-6)).clamp(min=0)  # of the examples, the share it was found on
        held_out.append(torch.where(seen > LEAST_SEEN, weight / seen.clamp(min=LEAST_SEEN), 0.0))
    held_out = held_out or [whole]
    square = sum(((sums.gram[fold] @ w) * w).sum(dim=0) for fold, w in enumerate(held_out)) / steps
    average = sum(sums.total[fold] @ w for fold, w in enumerate(held_out)) / steps
    unit = (square - average**2).clamp(min=1e-12).sqrt()

    def as_map(weight: Tensor) -> tuple[Tensor, Tensor]:
        weight = weight / scale[:, None] / unit
        return weight.float(), -(mean @ weight).float()

    return *as_map(whole), [as_map(weight) for weight in held_out]


def choose_strength(sums: Sums, gram: Tensor, moment: Tensor) -> float:
    """The L2 penalty relative to the number of steps that serves the first fold best, found on the others.

    Best: the mean over the outputs of the correlation with their targets. Rare classes count as much as frequent ones,
    and how far scores are shrunk does not count; by squared error they would be shrunk ten times as much.
    """
    if len(sums.steps) == 1:
        return UNCHOSEN
    steps = float(sums.steps[1:].sum())
    strengths = [steps * strength for strength in STRENGTHS]
    fitted, held_out = (gram - sums.gram[0], moment - sums.moment[0]), (sums.gram[0], sums.moment[0])
    deviation = sums.square.sum(dim=0).clamp(min=1e-12).sqrt()
    return STRENGTHS[int((ridge_correlations(*fitted, *held_out, strengths) / deviation).mean(dim=1).argmax())]


def out_of_fold_scores(
    probe: LinearProbe, dataset: FeatureDataset, fold_of: np.ndarray, held_out: dict[str, list]
) -> Iterator[np.ndarray]:
    """(T, E, R) float16: the scores of each video by the maps found without its fold."""
    for index, fold in enumerate(tqdm(fold_of, desc="out-of-fold scores", leave=False, disable=None)):
        x, mask = features_of(dataset, index)
        scores = probe.scores(probe.standardise(x), mask, {name: maps[fold] for name, maps in held_out.items()})
        yield scores[0].half().numpy()


def write_scores(path: str | Path, scores: Iterator[np.ndarray]) -> ProbeScores:
    """Keep the scores of all videos in one file."""
    steps = []
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        for values in scores:
            handle.write(values.tobytes())
            steps.append(len(values))
    return ProbeScores(path, steps, values.shape[1:])
