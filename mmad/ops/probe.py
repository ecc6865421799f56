"""Formulas of the linear probe: what its scores should be, and ridge regression from sums over the data."""

import torch
from torch import Tensor

ROLES = ("actionness", "startness", "endness")  # in progress, starting, ending: three scores per class and step


def role_targets(steps: int, segments: Tensor, labels: Tensor, num_classes: int, width: float = 1.0) -> Tensor:
    """What the scores of one video should be: (steps, K, ROLES) in [0, 1].

    segments (N, 2) steps, labels (N,); N = 0 is legal. Actionness is 1 inside an action; startness and endness are
    bumps of standard deviation `width` steps, centred on the first and last moment that lie half a step inside it.
    """
    targets = torch.zeros(steps, num_classes, len(ROLES))
    at = torch.arange(steps)
    for (start, end), label in zip(segments.tolist(), labels.tolist()):
        inside = ((at >= start) & (at <= end)).float()
        bumps = [torch.exp(-0.5 * ((at - middle) / width) ** 2) for middle in (start + 0.5, end - 0.5)]
        targets[:, label] = torch.maximum(targets[:, label], torch.stack([inside, *bumps], dim=1))
    return targets


def with_parts(targets: Tensor, part_of: Tensor, num_parts: int) -> Tensor:
    """Body parts beside their classes: (T, K, R) -> (T, K + num_parts, R), a part being the largest of its classes."""
    parts = targets.new_zeros(len(targets), num_parts, targets.shape[2])
    index = part_of.view(1, -1, 1).expand_as(targets)
    return torch.cat([targets, parts.scatter_reduce(1, index, targets, "amax")], dim=1)


def moving_mean(x: Tensor, mask: Tensor, reach: int) -> Tensor:
    """Mean over the real steps within `reach` steps on either side. (B, T, D), (B, T) -> (B, T, D).

    As differences of running sums, whose cost does not grow with `reach`; in float64 where the device has it.
    """
    real = mask.unsqueeze(2)
    precise = x.dtype if x.device.type == "mps" else torch.float64
    sums = torch.cat([x.new_zeros(len(x), 1, x.shape[2]), x * real], dim=1).cumsum(dim=1, dtype=precise)
    count = torch.cat([mask.new_zeros(len(x), 1), mask], dim=1).cumsum(dim=1)
    at = torch.arange(x.shape[1], device=x.device)
    low, high = (at - reach).clamp(min=0), (at + reach + 1).clamp(max=x.shape[1])
    total = sums[:, high] - sums[:, low]
    return (total / (count[:, high] - count[:, low]).clamp(min=1).unsqueeze(2)).to(x.dtype)


def at_offset(x: Tensor, mask: Tensor, offset: int) -> Tensor:
    """At each step the value `offset` steps later; beyond the ends of a video its outermost real value.

    (B, T, D), (B, T) with the real steps first -> (B, T, D).
    """
    last = mask.sum(dim=1, keepdim=True) - 1
    index = torch.arange(x.shape[1], device=x.device) + offset
    index = torch.minimum(index.expand(mask.shape), last).clamp(min=0)
    return x.gather(1, index.unsqueeze(2).expand_as(x))


def solve_ridge(gram: Tensor, moment: Tensor, strength: float) -> Tensor:
    """The W that minimises |X W - Y|^2 + strength |W|^2 from X^T X (..., D, D) and X^T Y (..., D, O): (..., D, O)."""
    penalty = strength * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    factor, failed = torch.linalg.cholesky_ex(gram + penalty)
    if failed.any():  # a gram of few steps, which rounding made a little less than positive
        values, basis = torch.linalg.eigh(gram)
        return basis @ (basis.mT @ moment / (values.clamp(min=0) + strength).unsqueeze(-1))
    return torch.cholesky_solve(moment, factor)


def ridge_correlations(
    gram: Tensor, moment: Tensor, held_gram: Tensor, held_moment: Tensor, strengths: list[float]
) -> Tensor:
    """How far predictions of ridge regression agree with data that it was not fitted to, for many strengths: (S, O).

    gram (D, D), moment (D, O): sums over the data fitted to; held_*: the same sums over the data held out; all of them
    centred. The correlation of prediction and target but for the target's deviation, which no strength changes. One
    eigendecomposition serves all strengths.
    """
    values, basis = torch.linalg.eigh(gram)
    moment, held_moment = basis.T @ moment, basis.T @ held_moment
    held_gram = basis.T @ held_gram @ basis
    weights = torch.stack([moment / (values.clamp(min=0) + strength).unsqueeze(1) for strength in strengths])
    spread = ((held_gram @ weights) * weights).sum(dim=1).clamp(min=1e-12).sqrt()
    return (weights * held_moment).sum(dim=1) / spread
