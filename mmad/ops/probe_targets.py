"""Targets of the linear probe: actionness, startness and endness of every class and body part at every step."""

import torch
from torch import Tensor

SCORES = ("actionness", "startness", "endness")  # action in progress, starting, ending: scores per class and step


def probe_targets(steps: int, segments: Tensor, labels: Tensor, num_classes: int, width: float = 1.0) -> Tensor:
    """Targets of one video: (steps, K, SCORES) in [0, 1].

    segments: (N, 2) steps. labels: (N,). N = 0 is legal. Actionness is 1 from start to end of an action; startness and
    endness are Gaussian bumps of standard deviation `width` steps, half a step inside its start and end.
    """
    targets = torch.zeros(steps, num_classes, len(SCORES))
    at = torch.arange(steps)
    for (start, end), label in zip(segments.tolist(), labels.tolist()):
        actionness = ((at >= start) & (at <= end)).float()
        bumps = [torch.exp(-0.5 * ((at - middle) / width) ** 2) for middle in (start + 0.5, end - 0.5)]
        targets[:, label] = torch.maximum(targets[:, label], torch.stack([actionness, *bumps], dim=1))
    return targets


def add_body_parts(targets: Tensor, part_of: Tensor, num_parts: int) -> Tensor:
    """Append a target per body part, the maximum over its classes: (T, K, S), (K,) -> (T, K + num_parts, S)."""
    parts = targets.new_zeros(len(targets), num_parts, targets.shape[2])
    index = part_of.view(1, -1, 1).expand_as(targets)
    return torch.cat([targets, parts.scatter_reduce(1, index, targets, "amax")], dim=1)
