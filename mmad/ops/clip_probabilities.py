"""From the outputs of a recognizer's branches to one probability per class."""

import torch
from torch import Tensor
from torch.nn import functional as F

SIMILARITY_SCALE = 10.0  # cosine similarity to the prototypes times this is a logit


def clip_probabilities(
    logits: Tensor, membership: Tensor, part_logits: Tensor | None = None, similarity: Tensor | None = None
) -> Tensor:
    """Class probabilities (N, K); each row sums to 1.

    logits: (N, K). membership: (K, P) one-hot body part of each class. part_logits: (N, P), fused hierarchically:
    P(part) x P(action | part). similarity: (N, K), cosine similarity to the class prototypes: the product of its
    softmax with that of the logits, renormalised.
    """
    log_probability = F.log_softmax(logits, dim=1)
    if similarity is not None:
        log_probability = F.log_softmax(log_probability + F.log_softmax(SIMILARITY_SCALE * similarity, dim=1), dim=1)
    if part_logits is None:
        return log_probability.exp()
    part = membership.argmax(dim=1)
    log_part = log_probability[:, :, None].masked_fill(membership == 0, -torch.inf).logsumexp(dim=1)  # (N, P)
    log_within = log_probability - log_part[:, part]
    return F.softmax(log_within + F.log_softmax(part_logits, dim=1)[:, part], dim=1)


def part_membership(part_of: tuple[int, ...], num_parts: int) -> Tensor:
    """One-hot body part of each class: K part ids -> (K, P) float of 0 and 1."""
    return F.one_hot(torch.tensor(part_of), num_parts).float()
