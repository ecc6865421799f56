"""The first half of the detector: features in, evidence for every class and body part out. Nothing here is trained by
gradient: `mmad.engine.evidence` fills it in closed form."""

import math

import torch
from torch import Tensor, nn

from mmad.config import DetectorConfig
from mmad.ops.evidence import ROLES, moving_mean


class Evidence(nn.Module):
    """A linear map of the features, and of the features minus their mean over the time around (which takes away what
    a person looks like, and with it long actions: hence both).

    channels: of the features. entities: E, classes and body parts.
    """

    def __init__(self, channels: int, entities: int, config: DetectorConfig):
        super().__init__()
        self.entities, self.reach = entities, config.centring
        self.views = 2 if config.centring else 1
        self.expansion = Expansion(channels, config.expand) if config.expand else None
        width, outputs = channels + config.expand, entities * ROLES
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("weight", torch.zeros(self.views, width, outputs))
        self.register_buffer("scale", torch.ones(self.views, outputs))  # evidence is in units of its own deviation

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """features (B, T, C), mask (B, T) -> (B, T, E, views * ROLES), zero where masked."""
        return self.project(self.prepare(features), mask, self.weight)

    def prepare(self, features: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C + expand): what the linear map reads."""
        x = (features - self.mean) / self.deviation
        return x if self.expansion is None else torch.cat([x, self.expansion(x)], dim=-1)

    def project(self, x: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
        """(B, T, C + expand), (B, T), (views, C + expand, E * ROLES) -> (B, T, E, views * ROLES)"""
        views = [x @ weight[0] / self.scale[0]]
        if self.views > 1:  # the mean of a linear map is the map of the mean, and narrower
            centred = x @ weight[1]
            views.append((centred - moving_mean(centred, mask, self.reach)) / self.scale[1])
        evidence = torch.cat([view.unflatten(-1, (self.entities, ROLES)) for view in views], dim=-1)
        return evidence * mask[..., None, None]


class Expansion(nn.Module):
    """Random ReLU features: with them a linear map bends, and is still found in closed form.

    Rahimi and Recht, NeurIPS 2007. Input channels are standardised, and so are the outputs for such an input.
    """

    def __init__(self, channels: int, outputs: int):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("weight", torch.randn(channels, outputs, generator=generator) / math.sqrt(channels))
        self.register_buffer("bias", 0.5 * torch.randn(outputs, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.relu(x @ self.weight + self.bias) - 0.45) / 0.65
