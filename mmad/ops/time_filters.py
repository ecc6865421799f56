"""Filters along time for padded batches: moving mean, shift.

Values are (B, T, D), with a mask (B, T) that is True where a step is real.
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
    """At each step the value `offset` steps later; beyond the ends of a video its first or last real value.

    (B, T, D), (B, T) with the real steps first -> (B, T, D).
    """
    last = mask.sum(dim=1, keepdim=True) - 1
    index = torch.arange(x.shape[1], device=x.device) + offset
    index = torch.minimum(index.expand(mask.shape), last).clamp(min=0)
    return x.gather(1, index.unsqueeze(2).expand_as(x))
