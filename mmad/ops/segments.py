"""Segments on a line: (N, 2) of (start, end), end >= start, in seconds or steps alike. Empty input works."""

import numpy as np
import torch
from torch import Tensor


def lengths(segments: Tensor) -> Tensor:
    """(N, 2) -> (N,)"""
    return (segments[..., 1] - segments[..., 0]).clamp(min=0)


def iou_matrix(segments: Tensor, others: Tensor) -> Tensor:
    """Temporal IoU of every pair: (N, 2), (M, 2) -> (N, M) in [0, 1]; 0 where both are points."""
    start = torch.maximum(segments[:, None, 0], others[None, :, 0])
    end = torch.minimum(segments[:, None, 1], others[None, :, 1])
    intersection = (end - start).clamp(min=0)
    union = lengths(segments)[:, None] + lengths(others)[None, :] - intersection
    return intersection / union.clamp(min=1e-8)


def paired_iou(segments: Tensor, others: Tensor) -> Tensor:
    """Temporal IoU of segment i with other i: (..., 2), (..., 2) -> (...)"""
    start = torch.maximum(segments[..., 0], others[..., 0])
    end = torch.minimum(segments[..., 1], others[..., 1])
    intersection = (end - start).clamp(min=0)
    return intersection / (lengths(segments) + lengths(others) - intersection).clamp(min=1e-8)


def paired_diou(segments: Tensor, others: Tensor) -> Tensor:
    """Distance IoU of pairs, in (-1, 1]: IoU - (distance of the middles / length of the hull)^2.

    Source: Zheng et al., AAAI 2020, on a line.
    """
    ends = torch.cat(torch.broadcast_tensors(segments, others), dim=-1)
    hull = ends.amax(dim=-1) - ends.amin(dim=-1)  # holds both also where a predicted start lies beyond its end
    distance = (segments.sum(dim=-1) - others.sum(dim=-1)) / 2
    return paired_iou(segments, others) - (distance / hull.clamp(min=1e-8)) ** 2


def clip(segments: Tensor, low: float, high: float) -> Tensor:
    """(N, 2) -> (N, 2) inside [low, high]"""
    return segments.clamp(low, high)


def suppress(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor,
    kind: str = "soft",
    sigma: float = 0.5,
    iou: float = 0.5,
    min_score: float = 0.0,
    most: int = 200,
) -> tuple[Tensor, Tensor]:
    """Non-maximum suppression per class; with one label for all, over all classes. Returns indices of the kept (at most
    `most`) and their scores in float64, best first, both on the CPU.

    segments (M, 2), scores (M,), labels (M,) class ids. kind: "soft" lowers the score of a neighbour of a better one of
    its class by exp(-IoU^2 / sigma) (Bodla et al., ICCV 2017); "hard" removes neighbours with IoU above `iou`; "none"
    only sorts. Candidates whose score falls to 0 or below `min_score` are dropped.

    Picking the best over all classes and touching only its class gives what class-by-class suppression followed by a
    cut at `most` gives, because picks of a class never rise; it needs `most` picks instead of one for every candidate.
    """
    classes, values = labels.detach().cpu().numpy(), scores.detach().cpu().double().numpy()
    pairs = segments.detach().cpu().double().numpy()
    if kind == "none":
        kept = np.argsort(-values, kind="stable")[:most]
        kept = kept[(values[kept] > 0) & (values[kept] >= min_score)]
        return torch.from_numpy(kept), torch.from_numpy(values[kept])
    order = np.argsort(classes, kind="stable")
    of_class = np.split(order, np.flatnonzero(np.diff(classes[order])) + 1) if len(order) else []
    groups = [_Group(mine, *pairs[mine].T.copy(), values[mine]) for mine in of_class]
    best = np.array([group.best() for group in groups])
    kept, kept_scores = [], []
    while len(kept) < most and len(best):
        k = int(best.argmax())
        if not (best[k] > 0 and best[k] >= min_score):
            break
        kept_scores.append(best[k])
        index, overlap = groups[k].take_best()
        kept.append(index)
        if kind == "soft":
            groups[k].left *= np.exp(overlap * overlap * (-1 / sigma))
        else:
            groups[k].left[overlap > iou] = 0
        best[k] = groups[k].best()
    return torch.tensor(kept, dtype=torch.int64), torch.tensor(kept_scores, dtype=torch.float64)


class _Group:
    """The candidates of one class. left (M,): what is left of their scores, 0 of those that were taken."""

    def __init__(self, indices: np.ndarray, start: np.ndarray, end: np.ndarray, left: np.ndarray):
        self.indices, self.start, self.end, self.left = indices, start, end, left
        self.length = np.maximum(end - start, 1e-8)
        self.top = 0

    def best(self) -> float:
        self.top = self.left.argmax()
        return self.left[self.top]

    def take_best(self) -> tuple[int, np.ndarray]:
        """The index of the best and its IoU with all, (M,)."""
        start, end, top = self.start, self.end, self.top
        shared = np.minimum(end, end[top])
        shared -= np.maximum(start, start[top])
        np.maximum(shared, 0, out=shared)
        self.left[top] = 0
        return int(self.indices[top]), shared / (self.length + self.length[top] - shared)


def vote(kept: Tensor, segments: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Segments moved to the mean of the candidates about them: (M, 2), (N, 2), (N,) -> (M, 2).

    Each is averaged over the candidates whose IoU with it is `iou` or more, weighted by score times IoU: for
    class-agnostic suppression over all candidates, for each class over its own. One without any stays. Source:
    Gidaris and Komodakis, ICCV 2015, on a line, as ActionFormer does it.
    """
    moved = kept.clone()
    at_once = max(2**22 // max(len(segments), 1), 1)  # bounds memory: some 32 MB of IoU
    for some, part in zip(moved.split(at_once), kept.split(at_once)):
        overlap = iou_matrix(part, segments)
        weights = overlap * scores * (overlap >= iou)
        total = weights.sum(dim=1, keepdim=True)
        some.copy_(torch.where(total > 0, weights @ segments / total.clamp(min=1e-12), part))
    return moved
