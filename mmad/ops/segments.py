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
    `most`) and their scores, best first.

    segments (M, 2), scores (M,) >= 0, labels (M,) class ids. kind: "soft" lowers the score of a neighbour of a better
    one of its class by exp(-IoU^2 / sigma) (Bodla et al., ICCV 2017); "hard" removes neighbours with IoU above `iou`;
    "none" only sorts. Candidates whose score falls below `min_score` are dropped.

    Picking the best over all classes and touching only its class gives what class-by-class suppression followed by a
    cut at `most` gives, because picks of a class never rise; it needs `most` picks instead of one for every candidate.
    """
    device = scores.device
    order = torch.argsort(labels, stable=True).cpu().numpy()
    segments_by_class = segments.detach().cpu().double().numpy()[order]
    left = scores.detach().cpu().double().numpy()[order]
    classes = labels.detach().cpu().numpy()[order]
    left[left < min_score] = -1.0  # -1: no candidate any more
    if kind == "none":
        picks = np.argsort(-left, kind="stable")[:most]
        picks = picks[left[picks] >= 0]
        return torch.from_numpy(order[picks]).to(device), torch.from_numpy(left[picks]).to(device)
    first = np.flatnonzero(np.diff(classes, prepend=-1))  # where each class begins
    last = np.append(first[1:], len(classes))
    best = np.array([left[a:b].max() for a, b in zip(first, last)])
    starts, ends = np.ascontiguousarray(segments_by_class.T)
    picked, picked_scores = [], []
    while len(picked) < most and len(best):
        k = int(best.argmax())
        if best[k] < 0:
            break
        here = slice(first[k], last[k])
        pick = first[k] + int(left[here].argmax())
        picked.append(pick)
        picked_scores.append(left[pick])
        overlap = np.minimum(ends[here], ends[pick]) - np.maximum(starts[here], starts[pick])
        np.maximum(overlap, 0, out=overlap)
        overlap /= np.maximum(ends[here] - starts[here] + (ends[pick] - starts[pick]) - overlap, 1e-8)
        remaining = left[here]
        if kind == "soft":
            remaining *= np.where(remaining > 0, np.exp(-(overlap**2) / sigma), 1)
            remaining[remaining < min_score] = -1.0
        else:
            remaining[overlap > iou] = -1.0
        left[pick] = -1.0
        best[k] = remaining.max()
    picked = np.asarray(picked, dtype=np.int64)
    return torch.from_numpy(order[picked]).to(device), torch.tensor(picked_scores, dtype=torch.float64, device=device)


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
