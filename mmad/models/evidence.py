"""The first half of the detector: features in, evidence for every class and body part out. Nothing here is trained by
gradient: `mmad.engine.evidence` fills it in closed form."""

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
        outputs = entities * ROLES
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("weight", torch.zeros(self.views, channels, outputs))
        self.register_buffer("scale", torch.ones(self.views, outputs))  # evidence is in units of its own deviation

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """features (B, T, C), mask (B, T) -> (B, T, E, views * ROLES), zero where masked."""
        return self.project(self.standardise(features), mask, self.weight)

    def standardise(self, features: Tensor) -> Tensor:
        """Each channel in units of its deviation over all steps of the training videos."""
        return (features - self.mean) / self.deviation

    def project(self, x: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
        """Standardised (B, T, C), (B, T), (views, C, E * ROLES) -> (B, T, E, views * ROLES), zero where masked."""
        views = [x @ weight[0] / self.scale[0]]
        if self.views > 1:  # the mean of a linear map is the map of the mean, and narrower
            centred = x @ weight[1]
            views.append((centred - moving_mean(centred, mask, self.reach)) / self.scale[1])
        evidence = torch.cat([view.unflatten(-1, (self.entities, ROLES)) for view in views], dim=-1)
        return evidence * mask[..., None, None]
