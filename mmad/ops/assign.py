"""Which point answers for which action: the multi-label heart of the detector.

Every class is assigned on its own, so at one moment a short nod and a long crossing of the legs both have their point,
their label and their own boundary pair. Nothing here knows of losses.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Points:
    """The detector's points over all pyramid levels.

    position: (P,) steps. stride: (P,) steps between the points of its level. low, high: (P,) the largest of its two
    boundary offsets, in steps, for which a point of that level is responsible; each level begins where the one below
    ends, and the last is open.
    """

    position: Tensor
    stride: Tensor
    low: Tensor
    high: Tensor


def assign(
    points: Points, mask: Tensor, segments: Tensor, labels: Tensor, num_classes: int, centre: float
) -> tuple[Tensor, Tensor]:
    """For each point and class, whether the point answers for an action of that class, and for which segment.

    mask: (P,) True where the point is real. segments: (N, 2) steps. labels: (N,). N = 0 is legal.
    Returns positive (P, K) bool and target (P, K, 2) steps, zero where not positive.

    A point answers for an action if it lies within the action and within `centre` strides of its middle, and if its
    level is responsible for the offsets. Of two actions of one class the shorter wins the point. An action that no
    point answers for (it is shorter than a stride, say) gets the nearest real point of its level.
    """
    num_points = len(points.position)
    positive = torch.zeros(num_points, num_classes, dtype=torch.bool, device=mask.device)
    target = torch.zeros(num_points, num_classes, 2, device=mask.device)
    order = torch.argsort(segments[:, 1] - segments[:, 0], descending=True)
    for (start, end), label in zip(segments[order].tolist(), labels[order].tolist()):
        middle, half = (start + end) / 2, (end - start) / 2
        away = (points.position - middle).abs()
        reach = away + half  # the larger of the two offsets
        chosen = (
            (away <= half) & (away <= centre * points.stride) & (reach >= points.low) & (reach < points.high) & mask
        )
        if not chosen.any():
            level = mask & (points.low <= half) & (half < points.high)
            level = level if level.any() else mask
            chosen = torch.zeros_like(mask)
            chosen[torch.where(level, away, torch.inf).argmin()] = True
        positive[chosen, label] = True
        target[chosen, label] = torch.tensor((start, end), device=target.device)
    return positive, target
