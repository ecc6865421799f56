"""Losses, one formula a function, and their weighted sums as {name: scalar}."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmad.config import LossConfig
from mmad.ops.segments import paired_diou


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss of every element, unreduced; any shape, targets in {0, 1}. Lin et al., ICCV 2017."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    chance = torch.sigmoid(logits)
    miss = chance + targets - 2 * chance * targets  # 1 - probability of the target
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * miss**gamma * cross_entropy


def diou_loss(segments: Tensor, targets: Tensor) -> Tensor:
    """1 - DIoU of pairs of segments: (..., 2), (..., 2) -> (...) in [0, 2)."""
    return 1 - paired_diou(segments, targets)


def detection_losses(
    logits: Tensor, boundaries: Tensor, mask: Tensor, positive: Tensor, target: Tensor, config: LossConfig
) -> dict[str, Tensor]:
    """{"classify", "boundary"}, both relative to the number of positives in the batch.

    logits (B, P, K), boundaries and target (B, P, K, 2) steps, mask (B, P), positive (B, P, K).
    """
    count = positive.sum().clamp(min=1)
    classify = focal_loss(logits, positive.to(logits.dtype), config.alpha, config.gamma)
    losses = {"classify": (classify * mask[..., None]).sum() / count}
    losses["boundary"] = config.boundary * diou_loss(boundaries[positive], target[positive]).sum() / count
    return losses


def recognition_losses(
    logits: Tensor, embedding: Tensor | None, labels: Tensor, vectors: Tensor | None, weight: float
) -> dict[str, Tensor]:
    """MANet's joint-embedding loss: cross-entropy + weight x MSE(embedding, label vector). Guo et al., TCSVT 2024.

    logits (N, K), labels (N,), embedding (N, E) and vectors (K, E), or None for cross-entropy alone.
    """
    losses = {"classify": F.cross_entropy(logits, labels)}
    if embedding is not None and vectors is not None:
        losses["embed"] = weight * F.mse_loss(embedding, vectors[labels])
    return losses
