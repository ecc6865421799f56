"""What a detector says along time of one class in one video, and the segments that are read from it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Curves:
    """N rows, each one class in one video, over T steps. Nothing here knows which.

    logits: (N, T) before the sigmoid, whether an action has its middle about here.
    coarse: (N, T, 2) start and end of the action that has its middle here, steps.
    spread: (N, T, 1) how far from those its true start and end may lie, steps.
    edges: (N, T, 2) logits, whether an action starts, ends at this step.
    sharpness: () how much those weigh against the distance from the coarse boundary.
    shifts: (N, T, 2) where exactly, relative to this step, in steps.
    mask: (N, T) True where the step is real.
    """

    logits: Tensor
    coarse: Tensor
    spread: Tensor
    edges: Tensor
    sharpness: Tensor
    shifts: Tensor
    mask: Tensor

    def segments(self, row: Tensor, step: Tensor) -> Tensor:
        """The actions that have their middle at these steps of these rows: (Q,), (Q,) -> (Q, 2) steps, refined.

        A start beyond its end is possible, and left as it is, so that training can put it right.
        """
        coarse, spread = self.coarse[row, step], self.spread[row, step]
        return refine(coarse, spread, self.sharpness * self.edges[row], self.shifts[row], self.mask[row])


def refine(coarse: Tensor, spread: Tensor, edges: Tensor, shifts: Tensor, mask: Tensor) -> Tensor:
    """Boundaries as the mean of a distribution over steps: (Q, 2) steps.

    coarse (Q, 2), spread (Q, 1), edges and shifts (Q, T, 2), mask (Q, T). The chance that the boundary is that of step
    t is proportional to exp(edge at t - |t - coarse| / spread): a clear edge near by is taken, and without one the
    coarse boundary stands. The coarse ones only say where to look and take no gradient from here. In the spirit of
    TriDet's relative boundary head (Shi et al., CVPR 2023), but over all steps, and for one class.
    """
    at = torch.arange(edges.shape[1], device=edges.device, dtype=coarse.dtype)[None, :, None]  # (1, T, 1)
    away = (at - coarse[:, None].detach()).abs() / spread[:, None]  # (Q, T, 2)
    chance = (edges - away).masked_fill(~mask[..., None], -torch.inf).softmax(dim=1)
    return (chance * (at + shifts)).sum(dim=1)
