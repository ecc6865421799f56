"""The detector: features of a whole clip in, independent class logits and per-class boundaries at every point out.

A one-stage, anchor-free pyramid like ActionFormer (Zhang et al., ECCV 2022), with two differences that overlapping
actions ask for: the classes do not compete (52 sigmoids), and each class has a boundary pair of its own, so that at one
moment two actions of different extent both come out right.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import DetectorConfig
from mmad.models.encoder import PyramidEncoder, convolve
from mmad.ops.assign import Points


@dataclass
class DetectorOutput:
    """logits: (B, P, K) before the sigmoid. boundaries: (B, P, K, 2) start and end in steps, start <= end.

    mask: (B, P) True where the point is real. points: where the P points stand and what they are responsible for.
    """

    logits: Tensor
    boundaries: Tensor
    mask: Tensor
    points: Points


class Head(nn.Module):
    """A few convolutions shared by all levels, then one prediction a point."""

    def __init__(self, width: int, layers: int, outputs: int):
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.predict = nn.Conv1d(width, outputs, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D), (B, T) -> (B, T, outputs)"""
        real = mask.unsqueeze(-1)
        for convolution, norm in zip(self.convolutions, self.norms):
            x = F.relu(norm(convolve(convolution, x))) * real
        return convolve(self.predict, x)


class Detector(nn.Module):
    """channels: of the features. reach: largest boundary offset of level 0 in steps; it doubles from level to level."""

    def __init__(self, channels: int, num_classes: int, config: DetectorConfig):
        super().__init__()
        assert config.reach > 0, "derive it from the durations first (mmad.data.dataset.reach_of)"
        self.num_classes, self.levels, self.reach = num_classes, config.levels, config.reach
        self.encoder = PyramidEncoder(
            channels, config.width, config.layers, config.levels, config.heads, config.dropout
        )
        self.classify = Head(config.width, config.head_layers, num_classes)
        self.bound = Head(config.width, config.head_layers, 2 * num_classes)
        self.scales = nn.Parameter(torch.ones(config.levels))  # of the offsets, by level
        nn.init.constant_(self.classify.predict.bias, -math.log((1 - 0.01) / 0.01))  # few points are positive

    def forward(self, features: Tensor, mask: Tensor) -> DetectorOutput:
        """features: (B, T, C), T a multiple of 2^(levels - 1). mask: (B, T) True where a step is real."""
        logits, boundaries, masks = [], [], []
        for level, (x, real) in enumerate(self.encoder(features, mask)):
            logits.append(self.classify(x, real))
            offsets = F.softplus(self.bound(x, real) * self.scales[level]) * 2**level
            offsets = offsets.unflatten(-1, (self.num_classes, 2))  # (B, T_l, K, 2)
            position = torch.arange(x.shape[1], device=x.device).view(1, -1, 1) * 2.0**level
            boundaries.append(torch.stack([position - offsets[..., 0], position + offsets[..., 1]], dim=-1))
            masks.append(real)
        points = self.points(features.shape[1], features.device)
        return DetectorOutput(torch.cat(logits, 1), torch.cat(boundaries, 1), torch.cat(masks, 1), points)

    def points(self, steps: int, device: torch.device) -> Points:
        """The points of an input of so many steps, level after level."""
        position, stride, low, high = [], [], [], []
        for level in range(self.levels):
            count, step = math.ceil(steps / 2**level), 2**level
            position.append(torch.arange(count, device=device) * float(step))
            for values, value in (
                (stride, float(step)),
                (low, 0.0 if level == 0 else self.reach * step / 2),
                (high, math.inf if level == self.levels - 1 else self.reach * step),
            ):
                values.append(torch.full((count,), value, device=device))
        return Points(*(torch.cat(values) for values in (position, stride, low, high)))
