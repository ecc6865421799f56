"""The pose network: joints of a person in, scores of every micro-action and features out, one row for two steps in.

One small temporal network per body part. Each sees only what that part needs (`mmad.pose.features.PLACES`), so that a
posture of the legs cannot speak for the head; what they share is how they are built.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import PoseNetworkConfig
from mmad.labels import LabelSet


@dataclass
class PoseOutput:
    """One row for each pair of steps, T' = ceil(T / 2).

    logits: (B, T', K) per class, before the sigmoid. parts: (B, T', P) per body part. features: (B, T', P * width).
    mask: (B, T') True where a row is real.
    """

    logits: Tensor
    parts: Tensor
    features: Tensor
    mask: Tensor


class Block(nn.Module):
    """A gated, dilated convolution over time beside a shortcut: (B, T, W) -> (B, T, W)."""

    def __init__(self, width: int, dilation: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.spread = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """there: (B, T, 1) 1 where a step is real."""
        y = self.spread((self.norm(x) * there).transpose(1, 2)).transpose(1, 2)
        return x + self.dropout(self.mix(F.glu(y, dim=2))) * there


class PartNetwork(nn.Module):
    """What one body part does: (B, T, inputs) -> (B, T', classes + 1) logits, the last of any of them, and (B, T', W).

    Quick movements are read at full rate by the first convolution, the rest runs at half of it.
    """

    def __init__(self, inputs: int, classes: int, config: PoseNetworkConfig):
        super().__init__()
        self.enter = nn.Linear(inputs, config.width)
        self.halve = nn.Conv1d(config.width, config.width, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(config.width, dilation, config.dropout) for dilation in config.dilations)
        self.norm = nn.LayerNorm(config.width)
        self.predict = nn.Linear(config.width, classes + 1)
        self.predict.bias.data.fill_(-3.0)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """mask: (B, T) True where a step is real; T is even."""
        there = mask[:, :, None].to(x.dtype)
        x = self.halve((F.gelu(self.enter(x)) * there).transpose(1, 2)).transpose(1, 2)
        there = there[:, ::2]
        for block in self.blocks:
            x = block(x, there)
        features = self.norm(x)
        return self.predict(features), features


class PoseNetwork(nn.Module):
    """seen_by: for each body part, which places its network sees. labels: the classes and their parts."""

    def __init__(self, seen_by: Sequence[Sequence[int]], labels: LabelSet, config: PoseNetworkConfig):
        super().__init__()
        assert len(seen_by) == len(labels.parts)
        self.members = [[k for k, part in enumerate(labels.part_of) if part == p] for p in range(len(labels.parts))]
        for part, places in enumerate(seen_by):
            self.register_buffer(f"places_{part}", torch.tensor(places), persistent=False)
        self.parts = nn.ModuleList(
            PartNetwork(7 * len(places), len(mine), config) for places, mine in zip(seen_by, self.members)
        )
        self.channels = len(labels) + len(labels.parts) * (1 + config.width)  # of logits, parts and features together
        self.reach = 2 * sum(config.dilations) + 4  # steps to either side that have a say in a row
        order = torch.tensor([k for mine in self.members for k in mine])
        self.register_buffer("order", order.argsort(), persistent=False)

    def forward(self, joints: Tensor, mask: Tensor) -> PoseOutput:
        """joints: (B, T, places, 7) of `mmad.pose.features.describe`. mask: (B, T) True where a step is real."""
        if mask.shape[1] % 2:
            joints, mask = F.pad(joints, (0, 0, 0, 0, 0, 1)), F.pad(mask, (0, 1))
        found = [
            network(joints[:, :, getattr(self, f"places_{part}")].flatten(2), mask)
            for part, network in enumerate(self.parts)
        ]
        logits = torch.cat([scores[..., :-1] for scores, _ in found], dim=2)[..., self.order]
        parts = torch.stack([scores[..., -1] for scores, _ in found], dim=2)
        return PoseOutput(logits, parts, torch.cat([features for _, features in found], dim=2), mask[:, ::2])
