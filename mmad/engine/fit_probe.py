"""Fitting the detector's linear probe in closed form, and out-of-fold scores of the training videos.

The decoder must be trained on scores like those of new videos. Scores of a video that the probe was fitted to are
better than that, the more so the rarer the class. Therefore the training videos are split into folds, and the scores of
each fold come from a linear map fitted to the others (cross-fitting; in stacking: out-of-fold predictions).

With features of several folders there is a linear map for each set of folders, fitted to all steps at which these are
there, and each folder has an L2 penalty of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
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
from mmad.models.linear_probe import BOUND, LinearProbe, RandomView, set_index
from mmad.ops.probe_targets import SCORES, add_body_parts, probe_targets
from mmad.ops.ridge import held_out_correlations, solve_ridge

CHUNK = 8192  # steps whose products are summed at once
SAMPLE = 65536  # steps from which the principal directions are estimated
MIN_DEVIATION = 0.01  # smallest unit of a channel, relative to the median deviation of all channels
MIN_UNIT = 0.3  # the same for the features of a view
MIN_SHARE = 0.05  # a map fitted to a smaller share of the examples of a class gives it no scores
FIRST_POWER = -3  # L2 penalties are 10 ** (power / 2), relative to the steps: the first that is tried, and used
LARGEST_POWER = 10  # where there is only one fold to choose by; power is between minus this and this


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

    @classmethod
    def joined(cls, parts: Sequence[tuple["Sums", Tensor]]) -> "Sums":
        """The sums over the steps of all parts, of some features only. parts: sums with the same `shift` for the same
        features, and which of their features to take, (D,) indices."""
        first, chosen = parts[0]
        sums = cls.zeros(len(first.steps), len(chosen), first.goal.shape[1])
        sums.shift = first.shift[chosen]
        for part, chosen in parts:
            for fold, gram in enumerate(part.gram):  # one by one: they are large
                sums.gram[fold] += gram[chosen][:, chosen]
            sums.moment += part.moment[:, chosen]
            sums.total += part.total[:, chosen]
            sums.goal += part.goal
            sums.square += part.square
            sums.steps += part.steps
        return sums

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
    fold_of = choose_folds(dataset, detector.num_classes, config, seed)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # fails before the work rather than after it
    maps_without_fold = _fit_maps(detector, dataset, config, fold_of)
    scores = out_of_fold_scores(detector.probe, dataset, fold_of, maps_without_fold)
    return list(scores) if path is None else write_scores(path, scores)


@torch.no_grad()
def fit_probe_maps(
    detector: Detector, dataset: FeatureDataset, config: DetectorConfig, seed: int = 0
) -> tuple[np.ndarray, dict[str, list[tuple[Tensor, Tensor]]]]:
    """`fit_probe` without the scores. Returns the fold of each video, and {view: for each fold the linear map that was
    fitted to the others}; with one fold, that fitted to all."""
    set_class_statistics(detector, dataset)
    fold_of = choose_folds(dataset, detector.num_classes, config, seed)
    return fold_of, _fit_maps(detector, dataset, config, fold_of)


def _fit_maps(
    detector: Detector, dataset: FeatureDataset, config: DetectorConfig, fold_of: np.ndarray
) -> dict[str, list[tuple[Tensor, Tensor]]]:
    probe, folds = detector.probe, int(fold_of.max()) + 1
    fit_standardisation(probe, dataset)
    fit_whitening(probe, dataset)
    maps_without_fold = {}
    for name, sums in sum_products(detector, dataset, fold_of, folds).items():
        if len(probe.blocks) == 1:
            weight, bias, maps_without_fold[name] = solve(sums[0], config.ridge)
        else:
            weight, bias, maps_without_fold[name] = solve_sets(sums, probe.folder_of_feature(name), config.ridge)
        getattr(probe, f"weight_{name}").copy_(weight)
        getattr(probe, f"bias_{name}").copy_(bias)
    return maps_without_fold


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
    """Features (1, T, C) of a video, NaN where one of several folders is missing, and their mask (1, T)."""
    values = torch.from_numpy(np.array(dataset.tracks[index].values, dtype=np.float32))[None]
    return values, torch.ones(values.shape[:2], dtype=torch.bool)


def fit_standardisation(probe: LinearProbe, dataset: FeatureDataset) -> None:
    """Set mean, unit and bound of each channel from all steps of all videos at which its folder is there.

    The unit of a nearly constant channel is larger than its deviation, as in `Sums.centre_and_scale`. `InputError`
    where one of several folders is there at no step.
    """
    total, squares, steps = torch.zeros(3, len(probe.mean), dtype=torch.float64)
    for index in tqdm(range(len(dataset)), desc="mean and deviation", leave=False, disable=None):
        features, mask = features_of(dataset, index)
        for block, present in zip(channels_of(probe), probe.there(features, mask)[0].unbind(dim=1)):
            x = features[0, :, block].double()
            x = x if present.all() else x[present]
            total[block] += x.sum(dim=0)
            squares[block] += (x**2).sum(dim=0)
            steps[block] += len(x)
    lacking = [place for place, block in enumerate(channels_of(probe), start=1) if steps[block.start] == 0]
    if lacking:
        problem = f"folder {lacking[0]} of {len(probe.blocks)} has values at no step of any training video"
        raise InputError("features.folders", problem, "extract its features, or leave it out")
    if len(probe.blocks) > 1:
        whole = sum(len(track.values) for track in dataset.tracks)
        probe.present.copy_(torch.stack([steps[block.start] / whole for block in channels_of(probe)]))
    mean = total / steps
    deviation = (squares / steps - mean**2).clamp(min=0).sqrt()
    varying = deviation > 1e-6 * mean.abs()  # less is rounding error
    unit = torch.cat([at_least(deviation[block], MIN_DEVIATION, varying[block]) for block in channels_of(probe)])
    probe.mean.copy_(mean)
    probe.deviation.copy_(unit)
    probe.bound.copy_(BOUND * deviation / unit * varying)


def at_least(deviation: Tensor, share: float, varying: Tensor) -> Tensor:
    """Deviations (D,), none below `share` of the median of those that vary; 1 where none varies."""
    least = share * float(deviation[varying].median()) if varying.any() else 1.0
    return deviation.clamp(min=max(least, 1e-6))


def channels_of(probe: LinearProbe) -> list[slice]:
    """Of each folder, which channels of the features are its own."""
    stops = np.cumsum(probe.blocks).tolist()
    return [slice(stop - count, stop) for stop, count in zip(stops, probe.blocks)]


def fit_whitening(probe: LinearProbe, dataset: FeatureDataset) -> None:
    """Set the `whiten` of each `RandomView` from some of the videos."""
    views = [view for view in probe.modules() if isinstance(view, RandomView)]  # one per folder, in their order
    steps = sum(len(track.values) for track in dataset.tracks)
    some = range(0, len(dataset), max(1, steps // SAMPLE))
    for folder, (view, block) in enumerate(zip(views, channels_of(probe))):
        view.whiten.copy_(whitening(probe, dataset, some, folder, block, view.whiten.shape[1]))


def whitening(
    probe: LinearProbe, dataset: FeatureDataset, videos: Sequence[int], folder: int, block: slice, rank: int
) -> Tensor:
    """The principal directions of a folder's channels with the largest variance, scaled to about unit variance: (C,
    rank).

    Each is divided by the root of its variance plus the mean variance, so that noise stays small.
    """
    count = block.stop - block.start
    covariance, seen = torch.zeros(count, count, dtype=torch.float64), 0
    for index in videos:
        features, mask = features_of(dataset, index)
        x = probe.standardise(features)[0, :, block][probe.there(features, mask)[0, :, folder]]
        covariance += (x.T @ x).double()
        seen += len(x)
    values, basis = torch.linalg.eigh(covariance / max(seen, 1))
    values = values.clamp(min=0)
    return (basis / (values + values.mean()).clamp(min=1e-12).sqrt())[:, -rank:].float()


def sum_products(
    detector: Detector, dataset: FeatureDataset, fold_of: np.ndarray, folds: int
) -> dict[str, dict[int, Sums]]:
    """{view: {set of folders: sums over the steps of each fold at which just these folders are there}}.

    Sets as `set_index`; only those that occur, and of each set only the features of its folders.
    """
    probe = detector.probe
    outputs = probe.entities * len(SCORES)
    sums: dict[str, dict[int, Sums]] = {name: {} for name in probe.views}
    shifts: dict[str, Tensor] = {}
    lengths = [len(track.values) for track in dataset.tracks]
    with tqdm(total=len(dataset), desc="linear probe", leave=False, disable=None) as bar:
        for fold in range(folds):
            for indices in chunks(np.flatnonzero(fold_of == fold), lengths):
                pairs = [features_of(dataset, index) for index in indices]
                pairs = [(probe.standardise(x), probe.there(x, mask)) for x, mask in pairs]
                y = torch.cat([targets_of(detector, dataset, index) for index in indices])
                sets = torch.cat([set_index(there[0]) for _, there in pairs])
                for name in probe.views:
                    x, folder = torch.cat([probe.view(name, *pair)[0] for pair in pairs]), probe.folder_of_feature(name)
                    shift = shifts.setdefault(name, x.mean(dim=0))
                    for some in sets.unique().tolist():
                        if some >= 0:
                            at, chosen = sets == some, features_in(some, folder)
                            if some not in sums[name]:
                                sums[name][some] = Sums.zeros(folds, len(chosen), outputs)
                                sums[name][some].shift = shift[chosen]
                            whole = at.all() and len(chosen) == len(folder)
                            sums[name][some].add(fold, *((x, y) if whole else (x[at][:, chosen], y[at])))
                bar.update(len(indices))
    return sums


def features_in(some: int, folder: Tensor) -> Tensor:
    """Indices of the features of a view that come from the folders of a set. folder: (D,) of each feature."""
    return ((some + 1) >> folder & 1).nonzero()[:, 0]


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


Choice = Callable[[Sums, Tensor, Tensor], float | Tensor]  # an L2 penalty from centred sums, their gram and moment


def solve(sums: Sums, ridge: float) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
    """Weight (D, O) and bias (O,) fitted to all folds, and for each fold those fitted to the others; float32.

    ridge: L2 penalty, relative to the number of steps; 0: chosen on held-out data.
    """
    folder = torch.zeros(sums.gram.shape[-1], dtype=torch.long)
    whole, *without_fold = fit_maps(sums, partial(choose_strength, folder=folder, ridge=ridge, alone={}))
    return *whole, without_fold


def solve_sets(
    sums: dict[int, Sums], folder: Tensor, ridge: float
) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
    """As `solve`, for every set of folders, in the order of `set_index`: weights (sets, D, O), biases (sets, O).

    sums: those of the steps at which just the folders of a set are there. folder: (D,) which folder each feature comes
    from. The map of a set is fitted to all steps at which its folders are there, whether others are there or not; its
    weights are 0 for the features of other folders. A set whose folders are nowhere together has the map of the part of
    it with the most steps.
    """
    count = 2 ** (int(folder.max()) + 1) - 1
    members = [[place for place in range(count.bit_length()) if some + 1 >> place & 1] for some in range(count)]
    folds, outputs = next(iter(sums.values())).goal.shape
    maps = [(torch.zeros(count, len(folder), outputs), torch.zeros(count, outputs)) for _ in range(1 + folds)]
    alone: dict[int, int] = {}
    steps = {}
    for some in sorted(range(count), key=lambda some: len(members[some])):
        chosen = features_in(some, folder)
        larger = {other: part for other, part in sums.items() if set(members[some]) <= set(members[other])}
        if larger:
            places = [torch.searchsorted(features_in(other, folder), chosen) for other in larger]
            own = Sums.joined(list(zip(larger.values(), places)))
            steps[some] = float(own.steps.sum())
            choose = partial(choose_strength, folder=folder[chosen], ridge=ridge, alone=alone)
            for (weights, biases), (weight, bias) in zip(maps, fit_maps(own, choose)):
                weights[some, chosen], biases[some] = weight, bias
        else:
            parts = [part for part in steps if set(members[part]) < set(members[some])]
            best = max(parts, key=lambda part: steps[part])
            for weights, biases in maps:
                weights[some], biases[some] = weights[best], biases[best]
    return *maps[0], maps[1:]


def fit_maps(sums: Sums, choose: Choice) -> list[tuple[Tensor, Tensor]]:
    """Weight (D, O) and bias (O,) fitted to all folds, then for each fold those fitted to the others; float32.

    With one fold the map of the others is that of all.

    Scores are in units of their deviation over the training videos, each scored out of fold. A ridge weight grows with
    the number of examples of its class; the map for a fold that contains many of them would thus give smaller scores
    than the others. Therefore weights are divided by the share of the examples that they were fitted to. (With four
    examples, one held out, its scores would otherwise be three quarters of what they are elsewhere, and the decoder
    would learn that low scores indicate rare classes.)
    """
    mean, scale = sums.centre_and_scale()
    gram, moment, steps = sums.gram.sum(dim=0), sums.moment.sum(dim=0), float(sums.steps.sum())
    strength = steps * choose(sums, gram, moment)
    whole = solve_ridge(gram, moment, strength)
    without_fold, goal = [], sums.goal.sum(dim=0)
    for fold, share_of_steps in enumerate((sums.steps / steps).tolist() if len(sums.steps) > 1 else ()):
        if share_of_steps == 1:  # of several folders: all steps with this set of them are in one fold
            without_fold.append(torch.zeros_like(whole))
            continue
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

    return [as_map(weight) for weight in (whole, *without_fold)]


def choose_strength(
    sums: Sums, gram: Tensor, moment: Tensor, folder: Tensor, ridge: float, alone: dict[int, int]
) -> float | Tensor:
    """The L2 penalty, relative to the number of steps: one number, of several folders (D,) of each feature.

    Best: highest mean over outputs and folds of the correlation of each fold's scores, by a map fitted to the others,
    with the targets. Rare classes count as much as frequent ones, and the scale of the scores does not matter; squared
    error would choose a penalty ten times as large. One penalty after the other goes up or down by half a power of ten,
    as long as scores get better: of one folder from `FIRST_POWER`, of several from that of each folder by itself.

    folder: (D,) of each feature. ridge: the same for all instead, unless 0. alone: the power of each folder by itself;
    filled where there is one folder.
    """
    if ridge:
        return ridge
    folders, steps = folder.unique().tolist(), sums.steps.tolist()
    whole = sum(steps)
    powers = {place: alone.get(place, FIRST_POWER) for place in folders}
    deviation = sums.square.sum(dim=0).clamp(min=1e-12).sqrt()

    def strengths(powers: dict[int, int]) -> float | Tensor:
        if len(powers) == 1:
            return 10.0 ** (powers[folders[0]] / 2)
        per_folder = torch.zeros(max(folders) + 1, dtype=gram.dtype)
        for place, power in powers.items():
            per_folder[place] = 10.0 ** (power / 2)
        return per_folder[folder]

    @cache
    def quality(powers: tuple[tuple[int, int], ...]) -> float:
        relative, total = strengths(dict(powers)), 0.0
        for fold, count in enumerate(steps):
            if 0 < count < whole:  # those of one of several folders may be in few folds
                held_out = sums.gram[fold], sums.moment[fold]
                weight = solve_ridge(gram - held_out[0], moment - held_out[1], (whole - count) * relative)
                total += float((held_out_correlations(weight, *held_out) / deviation).mean())
        return total

    best, moved = quality(tuple(powers.items())), True
    while moved:
        moved = False
        for place in folders:
            for change in (-1, 1):
                while abs(powers[place] + change) <= LARGEST_POWER:
                    tried = powers | {place: powers[place] + change}
                    if quality(tuple(tried.items())) <= best:
                        break
                    powers, best, moved = tried, quality(tuple(tried.items())), True
    if len(folders) == 1:
        alone |= powers
    return strengths(powers)


def out_of_fold_scores(
    probe: LinearProbe, dataset: FeatureDataset, fold_of: np.ndarray, maps_without_fold: dict[str, list]
) -> Iterator[np.ndarray]:
    """(T, E, S) float16: scores of each video by the maps fitted without its fold.

    maps_without_fold: {view: for each fold the map that was fitted to the others}.
    """
    for index, fold in enumerate(tqdm(fold_of, desc="out-of-fold scores", leave=False, disable=None)):
        x, mask = features_of(dataset, index)
        maps = {name: of_folds[fold] for name, of_folds in maps_without_fold.items()}
        scores = probe.scores(probe.standardise(x), probe.there(x, mask), maps)
        yield scores[0].half().numpy()


def write_scores(path: str | Path, scores: Iterator[np.ndarray]) -> ProbeScores:
    """Write the scores of all videos into one file."""
    steps = []
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        for values in scores:
            handle.write(values.tobytes())
            steps.append(len(values))
    return ProbeScores(path, steps, values.shape[1:])
