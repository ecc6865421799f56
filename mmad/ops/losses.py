"""Losses, one formula per function, and their weighted sums as {name: scalar}."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mmad.config import LossConfig, RecognitionLossConfig
from mmad.ops.assign import Positives
from mmad.ops.clip_probabilities import SIMILARITY_SCALE
from mmad.ops.dense_predictions import DensePredictions
from mmad.ops.segments import paired_diou


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss of every element, unreduced; any shape, targets in {0, 1}. Lin et al., ICCV 2017."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    probability = torch.sigmoid(logits)
    miss = probability + targets - 2 * probability * targets  # 1 - probability of the target
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * miss**gamma * cross_entropy


def diou_loss(segments: Tensor, targets: Tensor) -> Tensor:
    """1 - DIoU of pairs of segments: (..., 2), (..., 2) -> (...) in [0, 2)."""
    return 1 - paired_diou(segments, targets)


# --- detection --------------------------------------------------------------------------------------------------


def detection_losses(
    predictions: DensePredictions,
    segments: Tensor,
    weights: Tensor,
    positives: Positives,
    boundary_positives: Positives,
    config: LossConfig,
) -> dict[str, Tensor]:
    """{"classify", "regress", "refine"}: scalars, each a sum divided by the number of actions.

    segments: (M, 2) the actions, steps; M = 0 is legal. weights: (N,) how many (video, class) pairs each of the N pairs
    represents. positives: all positives of these actions. boundary_positives: those on which the
    boundary losses are computed: all or a sample.
    """
    count = max(len(segments), 1)
    losses = {"classify": classification_loss(predictions.logits, predictions.mask, positives, weights, config)}
    losses |= _boundary_losses(predictions, segments, boundary_positives, config)
    return {name: loss / count for name, loss in losses.items()}


def classification_loss(
    logits: Tensor, mask: Tensor, positives: Positives, weights: Tensor, config: LossConfig
) -> Tensor:
    """Focal loss, summed over pairs and steps. The positives of an action weigh 2 in all, or 1 if there is only one.

    logits: (N, T) of N pairs. mask: (N, T) which steps count. weights: (N,) how many pairs each represents.
    """
    target, weight = torch.zeros_like(logits), (mask & ~positives.ignore).to(logits.dtype)
    target[positives.pair, positives.step] = 1.0
    weight[positives.pair, positives.step] = (2 / positives.per_action()).clamp(max=1).to(weight.dtype)
    return (focal_loss(logits, target, config.alpha, config.gamma) * weight * weights[:, None]).sum()


def _boundary_losses(
    predictions: DensePredictions, segments: Tensor, boundary_positives: Positives, config: LossConfig
) -> dict[str, Tensor]:
    """DIoU of the regressed and of the refined boundaries; every action counts alike, however many positives it has."""
    action, pair, step, _ = boundary_positives
    share = 1 / boundary_positives.per_action()
    target = segments[action] - step[:, None]
    predicted = {"regress": predictions.offsets[pair, step], "refine": predictions.boundaries(pair, step)}
    return {name: config.boundary * (diou_loss(found, target) * share).sum() for name, found in predicted.items()}


# --- recognition ------------------------------------------------------------------------------------------------


def recognition_losses(
    logits: Tensor,
    targets: Tensor,
    config: RecognitionLossConfig,
    membership: Tensor,
    part_logits: Tensor | None = None,
    similarity: Tensor | None = None,
) -> dict[str, Tensor]:
    """{"classify", "part", "tree", "prototype"}: all but the first where the configuration has them.

    logits: (N, K). targets: (N, K), probabilities that sum to 1 per clip; for `sigmoid`, each in {0, 1}. membership:
    (K, P) one-hot body part of each class. part_logits: (N, P). similarity: (N, K), cosine similarity to the class
    prototypes.
    """
    if config.kind == "sigmoid":
        return {"classify": F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)}
    if config.kind == "focal":
        losses = {"classify": softmax_focal_loss(logits, targets, config.gamma)}
    else:
        losses = {"classify": F.cross_entropy(logits, targets, label_smoothing=config.smoothing)}
    if part_logits is not None:
        losses["part"] = config.part * F.cross_entropy(part_logits, targets @ membership)
        if config.tree:
            losses["tree"] = config.tree * tree_loss(logits, part_logits, targets, membership)
    if similarity is not None:
        losses["prototype"] = config.prototypes * prototype_loss(similarity, targets, logits)
    return losses


def state_scores(logits: Tensor, part_logits: Tensor, membership: Tensor) -> Tensor:
    """S . q of every legal state S of body parts and actions: each part alone, then each action with its part.

    logits: (..., K). part_logits: (..., P). membership: (K, P) one-hot body part of each class. q: the sigmoid of
    both kinds of logits; S is 1 where a part or an action belongs to the state. Returns (..., P + K) in 0..2.
    """
    parts, actions = part_logits.sigmoid(), logits.sigmoid()
    return torch.cat([parts, actions + parts[..., membership.argmax(dim=1)]], dim=-1)


def tree_loss(logits: Tensor, part_logits: Tensor, targets: Tensor, membership: Tensor) -> Tensor:
    """Mean over clips of -log(J_true / sum J) over the legal states; J = exp(S . q) and the true state is an action's.

    Of the 52 micro-actions and their 7 body parts 59 states are legal. logits: (N, K). part_logits: (N, P). targets:
    (N, K), probabilities that sum to 1 per clip: of a blended clip, the mean over its actions. membership: (K, P).
    As PCAN has it (Li et al., AAAI 2025), after Chen et al.'s hierarchical residual network (CVPR 2022).
    """
    scores = state_scores(logits, part_logits, membership)
    return F.cross_entropy(scores, F.pad(targets, (part_logits.shape[1], 0)))


def tree_loss_of_steps(logits: Tensor, part_logits: Tensor, targets: Tensor, membership: Tensor) -> Tensor:
    """The tree loss of each step of a video, in which several actions may be in progress, or none.

    logits: (..., K). part_logits: (..., P). targets: (..., K) in {0, 1}. Returns (...). Of several actions it is the
    mean of their losses. A step without any is in a further state of its own, "nothing", whose S . q is 0, so J is 1.
    """
    scores = F.pad(state_scores(logits, part_logits, membership), (0, 1))
    count = targets.sum(dim=-1, keepdim=True)
    goal = torch.cat([torch.zeros_like(part_logits), targets / count.clamp(min=1), (count == 0).to(targets.dtype)], -1)
    return -(goal * scores.log_softmax(dim=-1)).sum(dim=-1)


def softmax_focal_loss(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Mean over clips of -sum_k t_k (1 - p_k)^gamma log p_k. logits, targets: (N, K); targets sum to 1 per clip."""
    log_probability = F.log_softmax(logits, dim=1)
    return -(targets * (1 - log_probability.exp()) ** gamma * log_probability).sum(dim=1).mean()


def embedding_loss(embedding: Tensor, targets: Tensor, vectors: Tensor) -> Tensor:
    """MANet's joint-embedding loss: MSE between embedding (N, D) and label vector. Guo et al., TCSVT 2024.

    targets: (N, K). vectors: (K, D). For several classes per clip the target is the mean of their vectors, weighted by
    `targets`; a clip without any class does not count.
    """
    total = targets.sum(dim=1, keepdim=True)
    goal = targets @ vectors / total.clamp(min=1e-6)
    return ((embedding - goal) ** 2 * (total > 0)).mean()


def prototype_loss(similarity: Tensor, targets: Tensor, logits: Tensor) -> Tensor:
    """Pull each clip to the prototype of its class; push misclassified clips away from that of the predicted class.

    similarity: (N, K), cosine similarity to the prototypes. logits: (N, K) of the classifier, which say which clips are
    misclassified. In the spirit of PCAN (Li et al., AAAI 2025), with learned prototypes.
    """
    similarity = SIMILARITY_SCALE * similarity
    pull = F.cross_entropy(similarity, targets)
    true, predicted = targets.argmax(dim=1), logits.detach().argmax(dim=1)
    gap = similarity.gather(1, predicted[:, None]) - similarity.gather(1, true[:, None])
    push = F.softplus(gap[:, 0]) * (true != predicted)
    return pull + push.mean()
