"""Centre sampling: which feature steps are positives of which ground-truth action.

Every (video, class) pair is decoded on its own, so actions of different classes never compete for a step: at one moment
a short nod and a long crossing of the legs are both positive, each with its own label and its own boundaries. As in
FCOS and ActionFormer a positive lies near the centre of its action.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Positives(NamedTuple):
    """Q positives of M actions; every action has at least one.

    action: (Q,) index into the M actions. pair, step: (Q,) where the positive is. ignore: (N, T) True where a step lies
    within an action of its pair: such a step is positive or ignored, never a negative.
    """

    action: Tensor
    pair: Tensor
    step: Tensor
    ignore: Tensor

    def per_action(self) -> Tensor:
        """(Q,) how many positives the action of each positive has."""
        return torch.bincount(self.action)[self.action]


def assign(segments: Tensor, pair: Tensor, mask: Tensor, centre: float) -> Positives:
    """Positives and ignored steps of M actions in N (video, class) pairs.

    segments: (M, 2) start and end in steps. pair: (M,) index of each action's pair. mask: (N, T) True where a step is
    real. centre: radius of centre sampling in lengths of the action. M = 0 is legal.

    A step is positive if it lies within the action and at most `centre` lengths from its middle. An action without such
    a step (too short, or beyond the last real step) gets the real step nearest to its middle.
    """
    steps = torch.arange(mask.shape[1], device=mask.device)
    real = mask[pair]  # (M, T)
    middle, half = segments.mean(dim=1, keepdim=True), (segments[:, 1:] - segments[:, :1]) / 2  # (M, 1)
    distance = (steps - middle).abs()
    within = real & (distance <= half)
    positive = within & (distance <= 2 * half * centre)
    nearest = distance.masked_fill(~real, torch.inf).argmin(dim=1)
    unassigned = ~positive.any(dim=1)
    positive[unassigned, nearest[unassigned]] = True
    ignore = torch.zeros_like(mask)
    action, step = within.nonzero(as_tuple=True)
    ignore[pair[action], step] = True
    action, step = positive.nonzero(as_tuple=True)
    return Positives(action, pair[action], step, ignore)
