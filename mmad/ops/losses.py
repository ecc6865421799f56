"""Losses, one formula a function, and their weighted sums as {name: scalar}."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmad.config import LossConfig, RecognitionLossConfig
from mmad.ops.assign import assign
from mmad.ops.curves import Curves
from mmad.ops.recognition import NEAR_SCALE
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
    curves: Curves, segments: Tensor, rows: Tensor, weights: Tensor, config: LossConfig
) -> dict[str, Tensor]:
    """{"classify", "coarse", "refine"}, all relative to the number of actions.

    segments (M, 2) steps and rows (M,): the actions and where in the curves they belong; M = 0 is legal. weights (N,):
    how many rows each row speaks for.
    """
    count = max(len(segments), 1)
    action, step, inside = assign(segments, rows, curves.mask, config.centre)
    answers_of = torch.bincount(action, minlength=len(segments))[action]  # (Q,) steps that answer for the same action
    losses = {"classify": _classify(curves, rows[action], step, answers_of, inside, weights, config) / count}

    some = torch.rand(len(action), device=action.device) < config.pairs / answers_of  # of long actions, a sample
    action, step = action[some], step[some]
    share = 1 / torch.bincount(action, minlength=len(segments))[action]  # actions count alike, however long
    row, target = rows[action], segments[action] - step[:, None]
    found = {"coarse": curves.coarse[row, step], "refine": curves.boundaries(row, step)}
    losses |= {name: config.boundary * (diou_loss(pair, target) * share).sum() / count for name, pair in found.items()}
    return losses


def _classify(curves, row, step, answers_of, inside, weights, config: LossConfig) -> Tensor:
    """Focal loss in which an action weighs as two steps at most, and its steps that do not answer weigh nothing."""
    target, weight = torch.zeros_like(curves.logits), (curves.mask & ~inside).to(curves.logits.dtype)
    target[row, step] = 1.0
    weight[row, step] = (2 / answers_of).clamp(max=1).to(weight.dtype)
    return (focal_loss(curves.logits, target, config.alpha, config.gamma) * weight * weights[:, None]).sum()


def recognition_losses(
    logits: Tensor,
    targets: Tensor,
    config: RecognitionLossConfig,
    membership: Tensor,
    part_logits: Tensor | None = None,
    near: Tensor | None = None,
) -> dict[str, Tensor]:
    """{"classify", "part", "near"}: the last two where the recognizer has those branches.

    logits, targets and near (N, K); targets are chances that sum to 1 a clip, or for `sigmoid` any in {0, 1}.
    membership (K, body parts) of 0 and 1. part_logits (N, body parts).
    """
    if config.kind == "sigmoid":
        return {"classify": F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)}
    if config.kind == "focal":
        losses = {"classify": softmax_focal_loss(logits, targets, config.gamma)}
    else:
        losses = {"classify": F.cross_entropy(logits, targets, label_smoothing=config.smoothing)}
    if part_logits is not None:
        losses["part"] = config.part * F.cross_entropy(part_logits, targets @ membership)
    if near is not None:
        losses["near"] = config.prototypes * prototype_loss(near, targets, logits)
    return losses


def softmax_focal_loss(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Mean over clips of -sum_k t_k (1 - p_k)^gamma log p_k. logits, targets (N, K), targets sum to 1 a clip."""
    log_chance = F.log_softmax(logits, dim=1)
    return -(targets * (1 - log_chance.exp()) ** gamma * log_chance).sum(dim=1).mean()


def embedding_loss(embedding: Tensor, targets: Tensor, vectors: Tensor) -> Tensor:
    """MANet's joint-embedding loss: MSE between embedding (N, E) and label vector. Guo et al., TCSVT 2024.

    targets (N, K), vectors (K, E); where several classes hold, or are blended, the mean of their vectors is the goal.
    A clip without any class has no goal.
    """
    total = targets.sum(dim=1, keepdim=True)
    goal = targets @ vectors / total.clamp(min=1e-6)
    return ((embedding - goal) ** 2 * (total > 0)).mean()


def prototype_loss(near: Tensor, targets: Tensor, logits: Tensor) -> Tensor:
    """Draw each clip to its class's prototype, and ambiguous clips away from the class that they are taken for.

    near (N, K): cosines to the prototypes. Ambiguous is a clip that the classifier gets wrong, be it within its body
    part or beyond: its own prototype must be nearer than the confusable one. In the spirit of PCAN (Li et al., AAAI
    2025), with learned prototypes.
    """
    near = NEAR_SCALE * near
    draw = F.cross_entropy(near, targets)
    own, taken = targets.argmax(dim=1), logits.detach().argmax(dim=1)
    gap = near.gather(1, taken[:, None]) - near.gather(1, own[:, None])
    calibrate = F.softplus(gap[:, 0]) * (own != taken)
    return draw + calibrate.mean()
