"""Prototype calibration: features of misclassified samples are drawn to their class and away from its confusions.

Source: PCAN (Li et al., AAAI 2025, arXiv 2412.14719), whose loss is a form of that of Zhou et al., CVPR 2023. Left out
is PCAN's term for the diversity of the prototypes, || cos(P, P) ||: in its code that term only reaches a parameter that
no optimizer holds, so that it changes nothing. Here prototypes are not parameters either.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

TEMPERATURE = 0.125  # tau: cosines are divided by it
STRENGTH = 0.125  # alpha: of the correction by the misclassified samples
MOMENTUM = 0.9  # share of the old prototype in the new one

Misses = Sequence[tuple[Tensor, float]]


@torch.no_grad()
def update_prototypes(prototypes: Tensor, features: Tensor, true: Tensor, right: Tensor) -> None:
    """Move the prototypes (K, D), in place, a tenth of the way to the mean feature of their class's true positives.

    features: (N, D). true: (N,) class ids. right: (N,) bool, the true positives. Classes without any stay as they are.
    """
    members = F.one_hot(true, len(prototypes)).to(features.dtype) * right[:, None]  # (N, K)
    count = members.sum(dim=0)[:, None]
    means = (members.T @ features) / count.clamp(min=1)
    prototypes.copy_(torch.where(count > 0, MOMENTUM * prototypes + (1 - MOMENTUM) * means, prototypes))


def cosines(features: Tensor, directions: Tensor) -> Tensor:
    """Cosine of each pair: (N, D), (K, D) -> (N, K) in -1..1; 0 with a vector of zeros."""
    return F.normalize(features, dim=1) @ F.normalize(directions, dim=1).T


def calibration_loss(features: Tensor, prototypes: Tensor, logits: Tensor, true: Tensor, misses: Misses) -> Tensor:
    """Sum of the cross-entropies of the corrected cosines l to the prototypes, mean over the samples.

    features: (N, D). prototypes: (K, D). logits: (N, K) of the classifier. true: (N,) class ids. misses: the sets FN of
    false negatives as (N,) bool masks, each with the factor of its l. With p the softmax of the logits and k the true
    class of sample i:

        l_ik = (cos(P_k, f_i) + (cos(mu, f_i) - 1) (1 - p_ik) alpha) / tau    for each FN
        l_ik = (cos(P_k, f_i) + (-cos(mu, f_i) - 1) (1 - p_ik) alpha) / tau   for FP

    mu is the sum of the features of the set: in FN of its samples of class k, in FP of those taken for k wrongly. Where
    the set has no sample for k, and at all other classes, l is cos(P, f) / tau. The prototypes are constants; otherwise
    the gradient goes wherever the formula goes.
    """
    num_classes, predicted = len(prototypes), logits.argmax(dim=1)
    unsure = STRENGTH * (1 - logits.softmax(dim=1)) * F.one_hot(true, num_classes)  # (N, K), 0 but at the true class
    near = cosines(features, prototypes)
    loss = features.new_zeros(())
    for members, factor in misses:
        alike, some = _cosines_to_sums(features, members, true, num_classes)
        loss = loss + F.cross_entropy(factor * (near + (alike - 1) * unsure * some) / TEMPERATURE, true)
    alike, some = _cosines_to_sums(features, predicted != true, predicted, num_classes)
    return loss + F.cross_entropy((near + (-alike - 1) * unsure * some) / TEMPERATURE, true)


def _cosines_to_sums(features: Tensor, members: Tensor, classes: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Cosines (N, K) to the sum of the features of each class's members, and (K,) 1 where a class has any, else 0."""
    belongs = F.one_hot(classes, num_classes).to(features.dtype) * members[:, None]  # (N, K)
    return cosines(features, belongs.T @ features), (belongs.sum(dim=0) > 0).to(features.dtype)
