"""Dense predictions: the detector's outputs for each (video, class) pair at each step, and the boundaries read from
them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

SEARCH_RADIUS = 64  # steps on either side of a regressed boundary within which the refined one is searched
TIME_FIELDS = ("logits", "offsets", "spread", "boundary_logits", "boundary_offsets", "mask")  # those with a step axis


@dataclass
class DensePredictions:
    """Predictions for N (video, class) pairs at T steps; which pairs they are is stored by `DetectorOutput`.

    logits: (N, T) before the sigmoid: is this step near the middle of an action?
    offsets: (N, T, 2) regressed offsets from this step to the start and the end of that action, steps; start < 0 < end.
    spread: (N, T, 1) > 0, expected error of these offsets, steps.
    boundary_logits: (N, T, 2): does an action start, does one end at this step?
    boundary_offsets: (N, T, 2) exact position of that start and end relative to this step, steps.
    sharpness: () weight of the boundary logits against the distance from the regressed boundary.
    mask: (N, T) True where the step is real.
    """

    logits: Tensor
    offsets: Tensor
    spread: Tensor
    boundary_logits: Tensor
    boundary_offsets: Tensor
    sharpness: Tensor
    mask: Tensor

    def crop(self, start: int, stop: int) -> "DensePredictions":
        """The same pairs at steps `start` to `stop` (exclusive)."""
        return replace(self, **{name: getattr(self, name)[:, start:stop] for name in TIME_FIELDS})

    def boundaries(self, pair: Tensor, step: Tensor) -> Tensor:
        """Refined start and end of the actions predicted at these steps: (Q,), (Q,) -> (Q, 2), relative to the step.

        In steps; relative, so that they are as exact at the end of a long video as at its beginning. A start beyond its
        end is possible and is returned as it is, so that training can correct it.
        """
        offsets, spread = self.offsets[pair, step], self.spread[pair, step]
        pair, step = pair[:, None], step[:, None]
        count = min(2 * SEARCH_RADIUS + 1, self.mask.shape[1])  # candidate steps per boundary
        latest = (self.mask.sum(dim=1)[pair] - count).clamp(min=0)
        first = torch.minimum(step + offsets.detach().round().long() - SEARCH_RADIUS, latest).clamp(min=0)
        at = first[:, None] + torch.arange(count, device=first.device)[:, None]  # (Q, L, 2)
        pair, side = pair[..., None], torch.arange(2, device=first.device)
        candidates = Candidates(
            at - step[..., None],
            self.sharpness * self.boundary_logits[pair, at, side],
            self.boundary_offsets[pair, at, side],
            self.mask[pair, at],
        )
        return refine_boundaries(offsets, spread, candidates)


@dataclass
class Candidates:
    """L candidate steps for each of Q starts and ends, all (Q, L, 2); the mask may be (Q, L, 1).

    position: in steps, on the same axis as the regressed boundaries. logits, offsets: the boundary logits (weighted)
    and boundary offsets at these steps. mask: True where the step is real.
    """

    position: Tensor
    logits: Tensor
    offsets: Tensor
    mask: Tensor


def refine_boundaries(regressed: Tensor, spread: Tensor, candidates: Candidates) -> Tensor:
    """Boundaries as the expectation of a distribution over candidate steps: (Q, 2) steps.

    regressed: (Q, 2) start and end. spread: (Q, 1). The probability that the boundary belongs to candidate step t is
    proportional to exp(logit at t - |t - regressed| / spread): a clear boundary nearby wins, and without one the
    regressed boundary stays. The regressed boundaries only say where to look: no gradient reaches them from here. In
    the spirit of TriDet's relative boundary head (Shi et al., CVPR 2023), but over many steps, and for one class.
    """
    distance = (candidates.position - regressed[:, None].detach()).abs() / spread[:, None]
    probability = (candidates.logits - distance).masked_fill(~candidates.mask, -torch.inf).softmax(dim=1)
    return (probability * (candidates.position + candidates.offsets)).sum(dim=1)


def join_windows(windows: list[DensePredictions]) -> DensePredictions:
    """Predictions for the same pairs in consecutive windows of time, joined along time."""
    joined = {name: torch.cat([getattr(window, name) for window in windows], dim=1) for name in TIME_FIELDS}
    return replace(windows[0], **joined)
