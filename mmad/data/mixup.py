"""Mixup for recognition: pairs of clips are blended, and their labels with them."""

import torch
from torch import Tensor


def mixup_within_parts(clips: Tensor, targets: Tensor, parts: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al., ICLR 2018) of clips of the same body part, so that the part stays certain.

    clips: (N, ...) float. targets: (N, K) probabilities. parts: (N,) body part of each clip. The share of the first
    clip is drawn from Beta(alpha, alpha). A clip whose body part occurs once in the batch stays as it is.
    """
    partner = torch.arange(len(parts))
    for part in parts.unique():
        members = torch.nonzero(parts == part)[:, 0].cpu()
        members = members[torch.randperm(len(members))]
        partner[members] = members.roll(1)
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    return clips.lerp(clips[partner], 1 - share), targets.lerp(targets[partner], 1 - share)
