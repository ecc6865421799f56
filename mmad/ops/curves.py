"""What a detector says along time of one class in one video, and the segments that are read from it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

REACH = 64  # steps to either side of a coarse boundary in which the true one is looked for
ALONG_TIME = ("logits", "coarse", "spread", "edges", "shifts", "mask")  # fields of `Curves` with an axis of steps


@dataclass
class Curves:
    """N rows, each one class in one video, over T steps. Nothing here knows which.

    logits: (N, T) before the sigmoid, whether an action has its middle about here.
    coarse: (N, T, 2) start and end of the action that has its middle here, steps from here.
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

    def stretch(self, start: int, stop: int) -> "Curves":
        """Steps `start` to `stop` of these rows."""
        return replace(self, **{name: getattr(self, name)[:, start:stop] for name in ALONG_TIME})

    def boundaries(self, row: Tensor, step: Tensor) -> Tensor:
        """The actions that have their middle at these steps of these rows, refined: (Q,), (Q,) -> (Q, 2) start and end,
        steps from there (so that they are as exact at the end of a long video as at its beginning).

        A start beyond its end is possible, and left as it is, so that training can put it right.
        """
        coarse, spread = self.coarse[row, step], self.spread[row, step]
        row, step = row[:, None], step[:, None]
        near = min(2 * REACH + 1, self.mask.shape[1])
        latest = (self.mask.sum(dim=1)[row] - near).clamp(min=0)
        first = torch.minimum(step + coarse.detach().round().long() - REACH, latest).clamp(min=0)
        at = first[:, None] + torch.arange(near, device=first.device)[:, None]  # (Q, near, 2)
        row, side = row[..., None], torch.arange(2, device=first.device)
        edges, shifts = self.sharpness * self.edges[row, at, side], self.shifts[row, at, side]
        return refine(coarse, spread, at - step[..., None], edges, shifts, self.mask[row, at])


def refine(coarse: Tensor, spread: Tensor, at: Tensor, edges: Tensor, shifts: Tensor, mask: Tensor) -> Tensor:
    """Boundaries as the mean of a distribution over steps: (Q, 2) steps.

    coarse (Q, 2), spread (Q, 1); at (Q, S, 2), the steps that come into question for each, counted from where the
    coarse ones are, and what is said there: edges, shifts and mask (Q, S, 2). The chance that the boundary is that of
    step t is proportional to exp(edge at t - |t - coarse| / spread): a clear edge near by is taken, and without one the
    coarse boundary stands. The coarse ones only say where to look and take no gradient from here. In the spirit of
    TriDet's relative boundary head (Shi et al., CVPR 2023), but over many steps, and for one class.
    """
    away = (at - coarse[:, None].detach()).abs() / spread[:, None]
    chance = (edges - away).masked_fill(~mask, -torch.inf).softmax(dim=1)
    return (chance * (at + shifts)).sum(dim=1)


def side_by_side(parts: list[Curves]) -> Curves:
    """Stretches of the same rows, one after the other in time."""
    return replace(parts[0], **{name: torch.cat([getattr(part, name) for part in parts], dim=1) for name in ALONG_TIME})
