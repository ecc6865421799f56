"""Operations on segments: tIoU, DIoU, soft-NMS, voting.

Segments are (N, 2) of (start, end) with end >= start, in seconds or in steps. Empty input works.
"""

import numpy as np
import torch
from torch import Tensor

from mmad.config import InferConfig


def lengths(segments: Tensor) -> Tensor:
    """Length of each segment: (N, 2) -> (N,), not negative."""
    return (segments[..., 1] - segments[..., 0]).clamp(min=0)


def iou_matrix(segments1: Tensor, segments2: Tensor) -> Tensor:
    """Temporal IoU of every pair: (N, 2), (M, 2) -> (N, M) in [0, 1]; 0 where both have length 0."""
    start = torch.maximum(segments1[:, None, 0], segments2[None, :, 0])
    end = torch.minimum(segments1[:, None, 1], segments2[None, :, 1])
    intersection = (end - start).clamp(min=0)
    union = lengths(segments1)[:, None] + lengths(segments2)[None, :] - intersection
    return intersection / union.clamp(min=1e-8)


def paired_iou(segments1: Tensor, segments2: Tensor) -> Tensor:
    """Temporal IoU of corresponding segments: (..., 2), (..., 2) -> (...) in [0, 1]."""
    start = torch.maximum(segments1[..., 0], segments2[..., 0])
    end = torch.minimum(segments1[..., 1], segments2[..., 1])
    intersection = (end - start).clamp(min=0)
    return intersection / (lengths(segments1) + lengths(segments2) - intersection).clamp(min=1e-8)


def paired_diou(segments1: Tensor, segments2: Tensor) -> Tensor:
    """Distance IoU of corresponding segments, in (-1, 1]: IoU - (distance of the middles / length of the hull)^2.

    Source: Zheng et al., AAAI 2020, in one dimension.
    """
    ends = torch.cat(torch.broadcast_tensors(segments1, segments2), dim=-1)
    hull = ends.amax(dim=-1) - ends.amin(dim=-1)  # contains both, even if a predicted start lies beyond its end
    distance = (segments1.sum(dim=-1) - segments2.sum(dim=-1)) / 2
    return paired_iou(segments1, segments2) - (distance / hull.clamp(min=1e-8)) ** 2


def clip(segments: Tensor, low: float, high: float) -> Tensor:
    """Segments cut to [low, high]: (N, 2) -> (N, 2)."""
    return segments.clamp(low, high)


def batched_nms(segments: Tensor, scores: Tensor, labels: Tensor, config: InferConfig) -> tuple[Tensor, Tensor]:
    """Soft-NMS (or hard) per class: indices of what is kept and its scores in float64, best first, on the CPU.

    segments: (M, 2). scores: (M,). labels: (M,) class ids; with one label for all, suppression is class-agnostic. Of
    `config`, `nms` ("soft": scores of overlapping segments of the class decay by exp(-IoU^2 / sigma), Bodla et al.,
    ICCV 2017; "hard": those with IoU above `iou` are removed; "none": only sorting), `sigma`, `iou`, `min_score` and
    `max_detections` are used. Segments whose score is 0 or falls below `min_score` are dropped.

    The best remaining segment over all classes is taken until there are `max_detections`. This gives the same result as
    suppression class by class followed by a cut, because scores never rise, and takes fewer picks.
    """
    classes, values = labels.detach().cpu().numpy(), scores.detach().cpu().double().numpy()
    pairs = segments.detach().cpu().double().numpy()
    if config.nms == "none":
        kept = np.argsort(-values, kind="stable")[: config.max_detections]
        kept = kept[(values[kept] > 0) & (values[kept] >= config.min_score)]
        return torch.from_numpy(kept), torch.from_numpy(values[kept])
    order = np.argsort(classes, kind="stable")
    by_class = np.split(order, np.flatnonzero(np.diff(classes[order])) + 1) if len(order) else []
    groups = [_ClassCandidates(indices, *pairs[indices].T.copy(), values[indices]) for indices in by_class]
    best = np.array([group.best() for group in groups])
    kept, kept_scores = [], []
    while len(kept) < config.max_detections and len(best):
        k = int(best.argmax())
        if not (best[k] > 0 and best[k] >= config.min_score):
            break
        kept_scores.append(best[k])
        index, overlap = groups[k].take_best()
        kept.append(index)
        if config.nms == "soft":
            groups[k].scores *= np.exp(overlap * overlap * (-1 / config.sigma))
        else:
            groups[k].scores[overlap > config.iou] = 0
        best[k] = groups[k].best()
    return torch.tensor(kept, dtype=torch.int64), torch.tensor(kept_scores, dtype=torch.float64)


class _ClassCandidates:
    """The candidates of one class. scores: (M,) as suppressed so far, 0 for those already taken."""

    def __init__(self, indices: np.ndarray, start: np.ndarray, end: np.ndarray, scores: np.ndarray):
        self.indices, self.start, self.end, self.scores = indices, start, end, scores
        self.length = np.maximum(end - start, 1e-8)
        self.top = 0

    def best(self) -> float:
        """The highest score."""
        self.top = self.scores.argmax()
        return self.scores[self.top]

    def take_best(self) -> tuple[int, np.ndarray]:
        """Index of the best candidate and its IoU with all of them, (M,)."""
        start, end, top = self.start, self.end, self.top
        shared = np.minimum(end, end[top])
        shared -= np.maximum(start, start[top])
        np.maximum(shared, 0, out=shared)
        self.scores[top] = 0
        return int(self.indices[top]), shared / (self.length + self.length[top] - shared)


def vote_segments(kept: Tensor, segments: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Segment voting: kept segments moved to the mean of the candidates around them: (M, 2), (N, 2), (N,) -> (M, 2).

    Each is the mean of the candidates whose IoU with it is at least `iou`, weighted by score times IoU. A segment
    without such candidates stays. Source: Gidaris and Komodakis, ICCV 2015, in one dimension, as in ActionFormer.
    """
    moved = kept.clone()
    block = max(2**22 // max(len(segments), 1), 1)  # bounds memory to some 32 MB of IoU
    for result, some in zip(moved.split(block), kept.split(block)):
        overlap = iou_matrix(some, segments)
        weights = overlap * scores * (overlap >= iou)
        total = weights.sum(dim=1, keepdim=True)
        result.copy_(torch.where(total > 0, weights @ segments / total.clamp(min=1e-12), some))
    return moved
