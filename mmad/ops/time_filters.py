"""Filters along time for padded batches: moving mean, shift.

Values are (B, T, D), with a mask (B, T) that is True where a step is real. Steps that are not real may lie behind the
last real one (padding) or between real ones (gaps).
"""

import torch
from torch import Tensor


def moving_mean(x: Tensor, mask: Tensor, radius: int) -> Tensor:
    """Mean over the real steps at most `radius` steps away: (B, T, D), (B, T) -> (B, T, D).

    Computed as differences of cumulative sums, whose cost does not grow with `radius`; in float64 where the device has
    it.
    """
    real = mask.unsqueeze(2)
    precise = x.dtype if x.device.type == "mps" else torch.float64
    sums = torch.cat([x.new_zeros(len(x), 1, x.shape[2]), x * real], dim=1).cumsum(dim=1, dtype=precise)
    count = torch.cat([mask.new_zeros(len(x), 1), mask], dim=1).cumsum(dim=1)
    at = torch.arange(x.shape[1], device=x.device)
    low, high = (at - radius).clamp(min=0), (at + radius + 1).clamp(max=x.shape[1])
    total = sums[:, high] - sums[:, low]
    return (total / (count[:, high] - count[:, low]).clamp(min=1).unsqueeze(2)).to(x.dtype)


def shift_in_time(x: Tensor, mask: Tensor, offset: int) -> Tensor:
    """At each step the value `offset` steps later; beyond the ends of a video, or of a run of real steps between gaps,
    its first or last real value.

    (B, T, D), (B, T) -> (B, T, D). What stands at steps that are not real comes from the run before them.
    """
    first, last = run_bounds(mask)
    index = torch.arange(x.shape[1], device=x.device) + offset
    index = torch.maximum(torch.minimum(index, last), first)
    return x.gather(1, index.unsqueeze(2).expand_as(x))


def run_bounds(mask: Tensor) -> tuple[Tensor, Tensor]:
    """First and last step of the run of real steps that each step is in: two (B, T) long.

    Of a step that is not real: the bounds of the run before it, or of the first run where there is none.
    """
    step, edge = torch.arange(mask.shape[1], device=mask.device), torch.zeros_like(mask[:, :1])
    starts = mask & ~torch.cat([edge, mask[:, :-1]], dim=1)
    ends = mask & ~torch.cat([mask[:, 1:], edge], dim=1)
    run = (starts.cumsum(dim=1) - 1).clamp(min=0)  # index of the run
    first, last = (torch.zeros_like(run).scatter_add(1, run, step * edges).gather(1, run) for edges in (starts, ends))
    return first, last
