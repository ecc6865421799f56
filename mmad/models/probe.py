"""The linear probe, the first half of the detector: features in, scores per class and body part at every step out.

Ridge regression on several views of the features. Nothing here is trained by gradient: `mmad.engine.fit_probe`
fills it in closed form. With few examples per class such a map is hard to beat; what it
cannot do is left to the decoder.
"""

import math

import torch
from torch import Tensor, nn

from mmad.config import DetectorConfig
from mmad.ops.probe import ROLES, at_offset, moving_mean

BOUND = 4.0  # deviations of a channel, beyond which it is cut: a person unlike all in training is not scored by one
WHITENED = 256  # directions of largest variance from which random features are drawn
TAPS = 5  # of the random motion filters
MOTION = ((1, 2), (1, 8), (2, 4), (2, 16))  # kinds of them: dilation, and reach of the mean over time; steps
STILL = 1  # reach of the mean over the cosines, steps


class PlainView(nn.Module):
    """The standardised features themselves: what the person's body is like now."""

    def __init__(self, channels: int, config: DetectorConfig):
        super().__init__()
        self.width = channels

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x


class CentredView(nn.Module):
    """The features minus their mean over the time around: what a person looks like goes, and with it long actions."""

    def __init__(self, channels: int, config: DetectorConfig):
        super().__init__()
        self.width, self.reach = channels, config.centring

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x - moving_mean(x, mask, self.reach)


class RandomView(nn.Module):
    """Random features: conjunctions of channels, and how much they move.

    Half of them are cosines of random directions, with which a linear map becomes kernel regression (Rahimi and Recht,
    NeurIPS 2007). The other half are random filters over time whose taps sum to zero, rectified and averaged over part
    of a second to some seconds: a linear map sees no trace of a head that shakes evenly about its middle, these do (in
    the spirit of ROCKET, Dempster et al., 2020). `whiten` is filled in closed form, the rest is drawn once and kept.
    """

    def __init__(self, channels: int, config: DetectorConfig):
        super().__init__()
        half, rank = config.random, min(channels, WHITENED)
        self.width = 2 * half
        draw = torch.Generator().manual_seed(0)  # as much a constant as a filter bank: seeds of training leave it
        kernels = torch.randn(TAPS, half, generator=draw)
        kernels = kernels - kernels.mean(dim=0)
        self.register_buffer("whiten", torch.eye(channels, rank))
        self.register_buffer("directions", torch.randn(rank, 2 * half, generator=draw) / math.sqrt(rank))
        self.register_buffer("phase", 2 * math.pi * torch.rand(half, generator=draw))
        self.register_buffer("kernels", kernels / kernels.norm(dim=0))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C), (B, T) -> (B, T, 2 half)."""
        still, moving = (x @ self.whiten @ self.directions).chunk(2, dim=2)
        still = moving_mean(torch.cos(still + self.phase), mask, STILL)
        kinds = zip(MOTION, moving.chunk(len(MOTION), dim=2), self.kernels.chunk(len(MOTION), dim=1))
        motion = [motion_energy(some, mask, kernels, *kind) for kind, some, kernels in kinds]
        return torch.cat([still, *motion], dim=2)


def motion_energy(x: Tensor, mask: Tensor, kernels: Tensor, dilation: int, reach: int) -> Tensor:
    """How much each channel moves as its filter asks, as a logarithm; (B, T, D), (B, T), (TAPS, D) -> (B, T, D)."""
    middle = len(kernels) // 2
    filtered = sum(kernel * at_offset(x, mask, (tap - middle) * dilation) for tap, kernel in enumerate(kernels))
    return torch.log(moving_mean(filtered.abs(), mask, reach) + 0.1)


VIEWS = {"plain": PlainView, "centred": CentredView, "random": RandomView}


class LinearProbe(nn.Module):
    """channels: of the features. entities: E, classes and body parts."""

    def __init__(self, channels: int, entities: int, config: DetectorConfig):
        super().__init__()
        self.entities = entities
        self.views = nn.ModuleDict({name: VIEWS[name](channels, config) for name in config.views})
        outputs = entities * len(ROLES)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("bound", torch.full((channels,), BOUND))
        for name, view in self.views.items():
            self.register_buffer(f"weight_{name}", torch.zeros(view.width, outputs))
            self.register_buffer(f"bias_{name}", torch.zeros(outputs))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """features (B, T, C), mask (B, T) -> scores (B, T, E, views * ROLES), zero where masked.

        Scores are in units of their own deviation over the training videos, about -1..5.
        """
        x = self.standardise(features)
        return self.scores(x, mask, {name: self.map_of(name) for name in self.views})

    def standardise(self, features: Tensor) -> Tensor:
        """Each channel in units of its deviation over all steps of the training videos, within -bound..bound: BOUND, or
        less where the unit is more than the deviation, down to 0 for a channel that was constant in training."""
        return ((features - self.mean) / self.deviation).clamp(-self.bound, self.bound)

    def map_of(self, name: str) -> tuple[Tensor, Tensor]:
        """Weight (D, E * ROLES) and bias (E * ROLES,) of a view."""
        return getattr(self, f"weight_{name}"), getattr(self, f"bias_{name}")

    def scores(self, x: Tensor, mask: Tensor, maps: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Standardised (B, T, C), (B, T) through these maps of the views -> (B, T, E, views * ROLES)."""
        views = [self.views[name](x, mask) @ weight + bias for name, (weight, bias) in maps.items()]
        scores = torch.cat([view.unflatten(-1, (self.entities, len(ROLES))) for view in views], dim=-1)
        return scores * mask[..., None, None]
