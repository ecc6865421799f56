"""Evidence: how much a step's features speak for an action being under way, starting and ending, one number each.

It is ridge regression, one linear map for all classes and roles, solved in closed form. With few examples of a class
a linear map estimated this way is hard to beat, and what it cannot do is left to the network that reads it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

ROLES = 3  # during, start, end


def role_targets(steps: int, segments: Tensor, labels: Tensor, num_classes: int, width: float = 1.0) -> Tensor:
    """What the evidence of one video should be: (steps, K, ROLES) in [0, 1].

    segments (N, 2) steps, labels (N,); N = 0 is legal. `during` is 1 inside an action; `start` and `end` are bumps of
    standard deviation `width` steps, centred on the first and last moment that lie half a step inside it.
    """
    targets = torch.zeros(steps, num_classes, ROLES)
    at = torch.arange(steps)
    for (start, end), label in zip(segments.tolist(), labels.tolist()):
        during = ((at >= start) & (at <= end)).float()
        bumps = [torch.exp(-0.5 * ((at - middle) / width) ** 2) for middle in (start + 0.5, end - 0.5)]
        targets[:, label] = torch.maximum(targets[:, label], torch.stack([during, *bumps], dim=1))
    return targets


def with_parts(targets: Tensor, part_of: Tensor, num_parts: int) -> Tensor:
    """Body parts beside their classes: (T, K, R) -> (T, K + num_parts, R), a part being the largest of its classes."""
    parts = targets.new_zeros(len(targets), num_parts, targets.shape[2])
    index = part_of.view(1, -1, 1).expand_as(targets)
    return torch.cat([targets, parts.scatter_reduce(1, index, targets, "amax")], dim=1)


def moving_mean(x: Tensor, mask: Tensor, reach: int) -> Tensor:
    """Mean over the real steps within `reach` steps on either side. (B, T, D), (B, T) -> (B, T, D)."""

    def total(values: Tensor) -> Tensor:  # (B, D, T)
        return F.avg_pool1d(values, 2 * reach + 1, stride=1, padding=reach) * (2 * reach + 1)

    real = mask.unsqueeze(1).to(x.dtype)  # (B, 1, T)
    sums = total(x.transpose(1, 2) * real)
    return (sums / total(real).clamp(min=0.5)).transpose(1, 2)


def solve_ridge(gram: Tensor, moment: Tensor, strength: float) -> Tensor:
    """The W that minimises |X W - Y|^2 + strength |W|^2 from X^T X (..., C, C) and X^T Y (..., C, D): (..., C, D)."""
    penalty = strength * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram + penalty, moment)
