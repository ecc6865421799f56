"""Operations on segments: tIoU, DIoU, clipping.

Segments are (N, 2) of (start, end) with end >= start, in seconds or in steps. Empty input works.
"""

import torch
from torch import Tensor


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
