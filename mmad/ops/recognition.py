"""From a recognizer's branches to one probability a class, and clips blended in training."""

import torch
from torch import Tensor
from torch.nn import functional as F

NEAR_SCALE = 10.0  # cosines to prototypes times this are logits


def clip_probabilities(
    logits: Tensor, membership: Tensor, part_logits: Tensor | None = None, near: Tensor | None = None
) -> Tensor:
    """(N, K), each row sums to 1.

    logits (N, K). near (N, K), cosines to the prototypes: the product of both distributions, renormalised. part_logits
    (N, body parts): hierarchical soft fusion, P(part) x P(action | part). membership (K, body parts) of 0 and 1.
    """
    log_chance = F.log_softmax(logits, dim=1)
    if near is not None:
        log_chance = F.log_softmax(log_chance + F.log_softmax(NEAR_SCALE * near, dim=1), dim=1)
    if part_logits is None:
        return log_chance.exp()
    part = membership.argmax(dim=1)
    of_part = log_chance[:, :, None].masked_fill(membership == 0, -torch.inf).logsumexp(dim=1)  # (N, body parts)
    log_within = log_chance - of_part[:, part]
    return F.softmax(log_within + F.log_softmax(part_logits, dim=1)[:, part], dim=1)


def part_membership(part_of: tuple[int, ...], num_parts: int) -> Tensor:
    """(K, body parts) of 0 and 1, from the part of each class."""
    return F.one_hot(torch.tensor(part_of), num_parts).float()


def blend_within_parts(clips: Tensor, targets: Tensor, parts: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al., ICLR 2018) of clips whose body part is the same, so that the part stays certain.

    clips (N, ...) float, targets (N, K), parts (N,). A clip that is alone with its part in the batch stays as it is.
    """
    partner = torch.arange(len(parts))
    for part in parts.unique():
        members = torch.nonzero(parts == part)[:, 0].cpu()
        members = members[torch.randperm(len(members))]
        partner[members] = members.roll(1)
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    return clips.lerp(clips[partner], 1 - share), targets.lerp(targets[partner], 1 - share)
