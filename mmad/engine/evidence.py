"""Filling the detector's evidence in closed form, and evidence for the training videos that did not learn from them.

The network that reads the evidence must see it as it will be for new videos. Evidence for a video that helped to find
the linear map is better than that, the more so the rarer the class. So the training videos are split into folds, and
the evidence for each fold comes from a map found on the others (cross-fitting; in stacking it is called out-of-fold).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mmad.config import DetectorConfig
from mmad.data.dataset import FeatureDataset
from mmad.errors import InputError
from mmad.models.detector import Detector
from mmad.models.evidence import Evidence
from mmad.ops.evidence import moving_mean, role_targets, solve_ridge, with_parts

CHUNK = 8192  # steps whose products are summed at once


@torch.no_grad()
def fit_evidence(detector: Detector, dataset: FeatureDataset, config: DetectorConfig) -> list[np.ndarray]:
    """Fill `detector.evidence` and what is known of the classes; returns the training videos' own evidence.

    An item of the result is (T, E * R), float32, found without that video; with `config.folds` of 1, with it. The
    detector is on the CPU: this is a few minutes' work there, needs float64, and then does not depend on the device.
    """
    _describe_classes(detector, dataset)
    evidence, folds = detector.evidence, min(config.folds, len(dataset))
    evidence.scale.fill_(1.0)
    _standardise(evidence, dataset)
    fold_of = np.random.default_rng(0).permutation(len(dataset)) % folds
    grams, moments, steps = _sums(detector, dataset, fold_of, folds)

    strength = config.ridge * steps
    gram, moment = grams.sum(dim=1), moments.sum(dim=1)  # of all folds
    weights = solve_ridge(gram, moment, strength)
    evidence.weight.copy_(weights)
    if folds > 1:
        held_out = [
            solve_ridge(gram - grams[:, fold], moment - moments[:, fold], strength).float() for fold in range(folds)
        ]
    else:
        held_out = [weights.float()]
    del grams, moments

    tracks = []
    for index, fold in enumerate(fold_of):
        x, mask = _features(dataset, index)
        tracks.append(evidence.project(evidence.standardise(x), mask, held_out[fold])[0].flatten(1))
    deviation = torch.cat(tracks).std(dim=0, correction=0).clamp(min=1e-6)
    evidence.scale.copy_(deviation.view(evidence.entities, evidence.views, -1).transpose(0, 1).flatten(1))
    return [track.div_(deviation).numpy() for track in tracks]


def _features(dataset: FeatureDataset, index: int) -> tuple[Tensor, Tensor]:
    """(1, T, C) and its mask."""
    values = torch.from_numpy(np.array(dataset.tracks[index].values, dtype=np.float32))[None]
    return values, torch.ones(values.shape[:2], dtype=torch.bool)


def _describe_classes(detector: Detector, dataset: FeatureDataset) -> None:
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


def _standardise(evidence: Evidence, dataset: FeatureDataset) -> None:
    """Mean and deviation of each channel over all steps of all videos."""
    total, squares, steps = torch.zeros(3, len(evidence.mean), dtype=torch.float64)
    for index in range(len(dataset)):
        x = _features(dataset, index)[0][0].double()
        total, squares, steps = total + x.sum(dim=0), squares + (x**2).sum(dim=0), steps + len(x)
    evidence.mean.copy_(total / steps)
    evidence.deviation.copy_((squares / steps - (total / steps) ** 2).clamp(min=0).sqrt().clamp(min=1e-6))


def _sums(detector: Detector, dataset: FeatureDataset, fold_of: np.ndarray, folds: int) -> tuple[Tensor, Tensor, int]:
    """X^T X (views, folds, C, C) and X^T Y (views, folds, C, E * ROLES) in float64, and the number of steps.

    Y is minus its mean over all steps, as X is, so that no intercept is needed.
    """
    evidence = detector.evidence
    views, width, outputs = evidence.weight.shape
    grams = torch.zeros(views, folds, width, width, dtype=torch.float64)
    moments = torch.zeros(views, folds, width, outputs, dtype=torch.float64)
    targets = [_targets(detector, dataset, index) for index in range(len(dataset))]
    prior = torch.cat(targets).mean(dim=0)
    for fold in tqdm(range(folds), desc="evidence", leave=False, disable=None):
        for indices in _chunks(np.flatnonzero(fold_of == fold), [len(target) for target in targets]):
            seen: list[list[Tensor]] = [[] for _ in range(views)]
            for index in indices:
                features, mask = _features(dataset, index)
                x = evidence.standardise(features)
                seen[0].append(x[0])
                if views > 1:
                    seen[1].append((x - moving_mean(x, mask, evidence.reach))[0])
            y = torch.cat([targets[index] for index in indices]) - prior
            for view, xs in enumerate(seen):
                x = torch.cat(xs)
                grams[view, fold] += (x.T @ x).double()
                moments[view, fold] += (x.T @ y).double()
    return grams, moments, sum(map(len, targets))


def _targets(detector: Detector, dataset: FeatureDataset, index: int) -> Tensor:
    """(T, E * ROLES) of one video."""
    annotation, track = dataset.annotations[index], dataset.tracks[index]
    segments = torch.from_numpy(np.asarray(track.grid.to_index(annotation.segments), dtype=np.float32))
    labels = torch.from_numpy(annotation.labels)
    targets = role_targets(len(track.values), segments, labels, detector.num_classes)
    return with_parts(targets, detector.part_of, detector.num_parts).flatten(1)


def _chunks(indices: np.ndarray, lengths: list[int]) -> Iterator[list[int]]:
    """The indices in lists of some `CHUNK` steps."""
    chunk: list[int] = []
    for index in indices.tolist():
        chunk.append(index)
        if sum(lengths[i] for i in chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
