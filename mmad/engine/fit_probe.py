"""Fitting the detector's linear probe in closed form, and out-of-fold scores of the training videos.

The decoder must be trained on scores like those of new videos. Scores of a video that the probe was fitted to are
better than that, the more so the rarer the class. Therefore the training videos are split into folds, and the scores of
each fold come from a linear map fitted to the others (cross-fitting; in stacking: out-of-fold predictions).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mmad.config import DetectorConfig
from mmad.data.feature_dataset import FeatureDataset
from mmad.engine.folds import choose_folds
from mmad.errors import InputError
from mmad.files import atomic_path
from mmad.models.detector import Detector
from mmad.models.linear_probe import BOUND, LinearProbe, RandomView
from mmad.ops.probe_targets import add_body_parts, probe_targets
from mmad.ops.ridge import ridge_correlations, solve_ridge

CHUNK = 8192  # steps whose products are summed at once
SAMPLE = 65536  # steps from which the principal directions are estimated
MIN_DEVIATION = 0.01  # smallest unit of a channel, relative to the median deviation of all channels
MIN_UNIT = 0.3  # the same for the features of a view
STRENGTHS = [10.0 ** (power / 2) for power in range(-8, 2)]  # L2 penalties to choose from, relative to the steps
MIN_SHARE = 0.05  # a map fitted to a smaller share of the examples of a class gives it no scores
DEFAULT_STRENGTH = 0.03  # L2 penalty where there is only one fold to choose it by


@dataclass
class Sums:
    """Sums over the steps of each of F folds, float64, of a view's features x (D) and the targets y (O).

    gram: (F, D, D) x x^T. moment: (F, D, O) x y^T. total: (F, D) x. goal: (F, O) y. square: (F, O) y^2. steps: (F,).
    shift: (D,) is subtracted from x first: for features with a large mean and a small deviation, single precision would
    lose the deviation.
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
        """x: (N, D). y: (N, O)."""
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
        """Replace all sums but `goal` by those of centred y and of centred x in units of its standard deviation.

        Means are over all folds. The unit of a nearly constant feature is larger than its deviation: otherwise a person
        for whom it varies would get extreme scores. Returns mean and unit (D,) of x.
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
        unit = at_least(deviation, MIN_UNIT, deviation > 1e-6)
        self.gram /= unit[:, None] * unit
        self.moment /= unit[:, None]
        self.total /= unit
        return mean + self.shift, unit


class ProbeScores(Sequence):
    """Out-of-fold scores of the training videos: item i is (T_i, E, S) float16, read from one file when needed.

    Half precision changes scores by less than 0.001; the file for MMA-52 takes 0.4 GB.
    """

    def __init__(self, path: str | Path, steps: Sequence[int], shape: tuple[int, int]):
        """steps: of each video. shape: (E, S)."""
        self.path, self.shape = Path(path), shape
        self.first = np.concatenate([[0], np.cumsum(steps)])

    def __len__(self) -> int:
        return len(self.first) - 1

    def is_complete(self) -> bool:
        """Whether the file exists, with the scores of all videos."""
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
    """Fit `detector.probe`, set the class statistics, and return the out-of-fold scores of the training videos.

    Scores are (T, E, S) float16 for each video, in the file `path` as `ProbeScores`, or in memory where that is None;
    with `config.folds` of 1 they are in-fold. The detector is on the CPU: fitting takes a few minutes there, needs
    float64, and the result then does not depend on the device.
    """
    set_class_statistics(detector, dataset)
    probe = detector.probe
    fold_of = choose_folds(dataset, detector.num_classes, config, seed)
    folds = int(fold_of.max()) + 1
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # fails before the work rather than after it
    fit_standardisation(probe, dataset)
    for view in probe.views.values():
        if isinstance(view, RandomView):
            view.whiten.copy_(whitening(probe, dataset, view.whiten.shape[1]))
    maps_without_fold = {}
    for name, sums in sum_products(detector, dataset, fold_of, folds).items():
        weight, bias, maps_without_fold[name] = solve(sums, config.ridge)
        getattr(probe, f"weight_{name}").copy_(weight)
        getattr(probe, f"bias_{name}").copy_(bias)
    scores = out_of_fold_scores(probe, dataset, fold_of, maps_without_fold)
    return list(scores) if path is None else write_scores(path, scores)


def set_class_statistics(detector: Detector, dataset: FeatureDataset) -> None:
    """Set the number of actions per class and their median length in steps, from the training annotations."""
    lengths = [
        np.diff(item.segments, axis=1)[:, 0] / track.grid.step
        for item, track in zip(dataset.annotations, dataset.tracks)
    ]
    lengths = np.concatenate(lengths)
    labels = np.concatenate([item.labels for item in dataset.annotations])
    if len(lengths) == 0:
        raise InputError("training annotations", "hold no action at all", "check data.train and data.train_subset")
    for label in range(detector.num_classes):
        of_class = lengths[labels == label]
        detector.count[label] = len(of_class)
        detector.length[label] = float(max(np.median(of_class if len(of_class) else lengths), 2.0))


# --- passes over the features -----------------------------------------------------------------------------------


def features_of(dataset: FeatureDataset, index: int) -> tuple[Tensor, Tensor]:
    """Features (1, T, C) of a video and their mask (1, T)."""
    values = torch.from_numpy(np.array(dataset.tracks[index].values, dtype=np.float32))[None]
    return values, torch.ones(values.shape[:2], dtype=torch.bool)


def fit_standardisation(probe: LinearProbe, dataset: FeatureDataset) -> None:
    """Set mean, unit and bound of each channel from all steps of all videos.

    The unit of a nearly constant channel is larger than its deviation, as in `Sums.centre_and_scale`.
    """
    total, squares, steps = *torch.zeros(2, len(probe.mean), dtype=torch.float64), 0
    for index in tqdm(range(len(dataset)), desc="mean and deviation", leave=False, disable=None):
        x = features_of(dataset, index)[0][0].double()
        total, squares, steps = total + x.sum(dim=0), squares + (x**2).sum(dim=0), steps + len(x)
    mean = total / steps
    deviation = (squares / steps - mean**2).clamp(min=0).sqrt()
    varying = deviation > 1e-6 * mean.abs()  # less is rounding error
    unit = at_least(deviation, MIN_DEVIATION, varying)
    probe.mean.copy_(mean)
    probe.deviation.copy_(unit)
    probe.bound.copy_(BOUND * deviation / unit * varying)


def at_least(deviation: Tensor, share: float, varying: Tensor) -> Tensor:
    """Deviations (D,), none below `share` of the median of those that vary; 1 where none varies."""
    least = share * float(deviation[varying].median()) if varying.any() else 1.0
    return deviation.clamp(min=max(least, 1e-6))


def whitening(probe: LinearProbe, dataset: FeatureDataset, rank: int) -> Tensor:
    """The principal directions with the largest variance, scaled to about unit variance: (C, rank).

    Each is divided by the root of its variance plus the mean variance, so that noise stays small.
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


def sum_products(detector: Detector, dataset: FeatureDataset, fold_of: np.ndarray, folds: int) -> dict[str, Sums]:
    """{view: sums over the steps of each fold}."""
    probe = detector.probe
    outputs = len(probe.weight_and_bias(next(iter(probe.views)))[1])
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
    """The indices of videos in lists of about `CHUNK` steps."""
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
    """Targets of one video: (T, E * SCORES)."""
    annotation, track = dataset.annotations[index], dataset.tracks[index]
    segments = torch.from_numpy(np.asarray(track.grid.to_index(annotation.segments), dtype=np.float32))
    labels = torch.from_numpy(annotation.labels)
    targets = probe_targets(len(track.values), segments, labels, detector.num_classes)
    return add_body_parts(targets, detector.part_of.cpu(), detector.num_parts).flatten(1)


# --- the closed form --------------------------------------------------------------------------------------------


def solve(sums: Sums, ridge: float) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
    """Weight (D, O) and bias (O,) fitted to all folds, and for each fold those fitted to the others; float32.

    Scores are in units of their deviation over the training videos, each scored out of fold. A ridge weight grows with
    the number of examples of its class; the map for a fold that contains many of them would thus give smaller scores
    than the others. Therefore weights are divided by the share of the examples that they were fitted to. (With four
    examples, one held out, its scores would otherwise be three quarters of what they are elsewhere, and the decoder
    would learn that low scores indicate rare classes.)
    """
    mean, scale = sums.centre_and_scale()
    gram, moment, steps = sums.gram.sum(dim=0), sums.moment.sum(dim=0), float(sums.steps.sum())
    strength = steps * (ridge or choose_strength(sums, gram, moment))
    whole = solve_ridge(gram, moment, strength)
    without_fold, goal = [], sums.goal.sum(dim=0)
    for fold, share_of_steps in enumerate((sums.steps / steps).tolist() if len(sums.steps) > 1 else ()):
        weight = solve_ridge(gram - sums.gram[fold], moment - sums.moment[fold], strength * (1 - share_of_steps))
        share = (1 - sums.goal[fold] / goal.clamp(min=1e-6)).clamp(min=0)  # of the examples of each output
        without_fold.append(torch.where(share > MIN_SHARE, weight / share.clamp(min=MIN_SHARE), 0.0))
    without_fold = without_fold or [whole]
    square = sum(((sums.gram[fold] @ w) * w).sum(dim=0) for fold, w in enumerate(without_fold)) / steps
    average = sum(sums.total[fold] @ w for fold, w in enumerate(without_fold)) / steps
    unit = (square - average**2).clamp(min=1e-12).sqrt()

    def as_map(weight: Tensor) -> tuple[Tensor, Tensor]:
        weight = weight / scale[:, None] / unit
        return weight.float(), -(mean @ weight).float()

    return *as_map(whole), [as_map(weight) for weight in without_fold]


def choose_strength(sums: Sums, gram: Tensor, moment: Tensor) -> float:
    """The L2 penalty, relative to the number of steps, that is best for the first fold when fitted to the others.

    Best: highest mean over outputs of the correlation with the targets. Rare classes count as much as frequent ones,
    and the scale of the scores does not matter; squared error would choose a penalty ten times as large.
    """
    if len(sums.steps) == 1:
        return DEFAULT_STRENGTH
    steps = float(sums.steps[1:].sum())
    strengths = [steps * strength for strength in STRENGTHS]
    fitted, held_out = (gram - sums.gram[0], moment - sums.moment[0]), (sums.gram[0], sums.moment[0])
    deviation = sums.square.sum(dim=0).clamp(min=1e-12).sqrt()
    return STRENGTHS[int((ridge_correlations(*fitted, *held_out, strengths) / deviation).mean(dim=1).argmax())]


def out_of_fold_scores(
    probe: LinearProbe, dataset: FeatureDataset, fold_of: np.ndarray, maps_without_fold: dict[str, list]
) -> Iterator[np.ndarray]:
    """(T, E, S) float16: scores of each video by the maps fitted without its fold.

    maps_without_fold: {view: for each fold the map that was fitted to the others}.
    """
    for index, fold in enumerate(tqdm(fold_of, desc="out-of-fold scores", leave=False, disable=None)):
        x, mask = features_of(dataset, index)
        maps = {name: of_folds[fold] for name, of_folds in maps_without_fold.items()}
        scores = probe.scores(probe.standardise(x), mask, maps)
        yield scores[0].half().numpy()


def write_scores(path: str | Path, scores: Iterator[np.ndarray]) -> ProbeScores:
    """Write the scores of all videos into one file."""
    steps = []
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        for values in scores:
            handle.write(values.tobytes())
            steps.append(len(values))
    return ProbeScores(path, steps, values.shape[1:])
