"""The linear probe, first part of the detector: features in, scores per class and body part at every step out.

Ridge regression on several views of the features. Nothing here is trained by gradient: `mmad.engine.fit_probe` fits it
in closed form. With few examples per class such a linear map is hard to beat; the rest is left to the decoder.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from mmad.config import DetectorConfig
from mmad.ops.probe_targets import SCORES
from mmad.ops.time_filters import moving_mean, shift_in_time

BOUND = 4.0  # standard deviations at which a channel is clipped: an unusual person must not score by one channel alone
WHITENED = 256  # principal directions from which random features are drawn
TAPS = 5  # of the random motion filters
MOTION = ((1, 2), (1, 8), (2, 4), (2, 16))  # their kinds: dilation, and radius of the mean over time; steps
COSINE_RADIUS = 1  # radius of the mean over time of the random cosines, steps


class PlainView(nn.Module):
    """The standardised features themselves: posture."""

    def __init__(self, channels: int, config: DetectorConfig):
        super().__init__()
        self.width = channels

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x


class CentredView(nn.Module):
    """The features minus their moving mean: removes the looks of a person, and with them long actions."""

    def __init__(self, channels: int, config: DetectorConfig):
        super().__init__()
        self.width, self.radius = channels, config.centring

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x - moving_mean(x, mask, self.radius)


class RandomView(nn.Module):
    """Random features: conjunctions of channels, and how much they move.

    Half of them are cosines of random projections, with which a linear map approximates kernel regression (Rahimi and
    Recht, NeurIPS 2007). The other half are random filters over time whose taps sum to zero, rectified and averaged
    over part of a second to some seconds: a linear map of the features themselves cannot see a head that shakes evenly,
    these can (in the spirit of ROCKET, Dempster et al., 2020). `whiten` is fitted in closed form, the rest is drawn
    once.
    """

    def __init__(self, channels: int, config: DetectorConfig):
        super().__init__()
        half, rank = config.random, min(channels, WHITENED)
        self.width = 2 * half
        generator = torch.Generator().manual_seed(0)  # constants, like a filter bank: independent of the training seed
        kernels = torch.randn(TAPS, half, generator=generator)
        kernels = kernels - kernels.mean(dim=0)
        self.register_buffer("whiten", torch.eye(channels, rank))
        self.register_buffer("directions", torch.randn(rank, 2 * half, generator=generator) / math.sqrt(rank))
        self.register_buffer("phase", 2 * math.pi * torch.rand(half, generator=generator))
        self.register_buffer("kernels", kernels / kernels.norm(dim=0))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C), (B, T) -> (B, T, 2 half)."""
        for_cosines, for_motion = (x @ self.whiten @ self.directions).chunk(2, dim=2)
        cosines = moving_mean(torch.cos(for_cosines + self.phase), mask, COSINE_RADIUS)
        kinds = zip(MOTION, for_motion.chunk(len(MOTION), dim=2), self.kernels.chunk(len(MOTION), dim=1))
        motion = [motion_energy(projected, mask, kernels, *kind) for kind, projected, kernels in kinds]
        return torch.cat([cosines, *motion], dim=2)


def motion_energy(x: Tensor, mask: Tensor, kernels: Tensor, dilation: int, radius: int) -> Tensor:
    """Log of the mean absolute response of a filter per channel: (B, T, D), (B, T), (TAPS, D) -> (B, T, D)."""
    middle = len(kernels) // 2
    filtered = sum(kernel * shift_in_time(x, mask, (tap - middle) * dilation) for tap, kernel in enumerate(kernels))
    return torch.log(moving_mean(filtered.abs(), mask, radius) + 0.1)


VIEWS = {"plain": PlainView, "centred": CentredView, "random": RandomView}


class FolderViews(nn.Module):
    """A view of the features of each of F folders, side by side. The folders share the random features of "random"."""

    def __init__(self, name: str, blocks: Sequence[int], config: DetectorConfig):
        """blocks: (F,) the channels of each folder."""
        super().__init__()
        config = replace(config, random=max(1, config.random // len(blocks)))
        self.of_folder = nn.ModuleList(VIEWS[name](channels, config) for channels in blocks)
        self.blocks = tuple(blocks)
        self.widths = tuple(view.width for view in self.of_folder)
        self.width = sum(self.widths)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(B, T, C), (B, T, F) -> (B, T, D); what stands where a folder is missing means nothing."""
        parts = zip(self.of_folder, x.split(self.blocks, dim=2), there.unbind(dim=2))
        return torch.cat([view(part, present) for view, part, present in parts], dim=2)


def score_names(views: list[str]) -> list[str]:
    """The names of the S scores per class, such as "plain actionness", in the order of the last axis of the scores."""
    return [f"{view} {score}" for view in views for score in SCORES]


def select_score(scores: Tensor, name: str) -> Tensor:
    """One of SCORES of every view: (..., S) -> (..., V)."""
    return scores.unflatten(-1, (-1, len(SCORES)))[..., SCORES.index(name)]


class LinearProbe(nn.Module):
    """channels: of the features. entities: E = K + P, classes and body parts. S scores each, as `score_names`.

    blocks: (F,) the channels of each folder that the features come from; none, or one: one folder. With several, a
    folder may be missing at a step: all its channels are NaN there. Each set of folders has a linear map of its own,
    which knows nothing of the others, and a step is scored by the map of the folders that are there ("reduced models",
    Saar-Tsechansky and Provost, JMLR 2007; measured beside zeros and means in benchmarks/README.md).
    """

    def __init__(self, channels: int, entities: int, config: DetectorConfig, blocks: Sequence[int] = ()):
        super().__init__()
        self.entities = entities
        self.blocks = tuple(blocks) or (channels,)
        several = len(self.blocks) > 1
        self.views = nn.ModuleDict(
            {
                name: FolderViews(name, self.blocks, config) if several else VIEWS[name](channels, config)
                for name in config.views
            }
        )
        outputs = entities * len(SCORES)
        self.register_buffer("mean", torch.zeros(channels))
        # The unit of each channel: its standard deviation, but at least `fit_probe.MIN_DEVIATION` of the median of all
        # channels of its folder. The name is kept for checkpoints.
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("bound", torch.full((channels,), BOUND))
        if several:
            self.register_buffer("present", torch.ones(len(self.blocks)))  # share of training steps with each folder
        sets = (2 ** len(self.blocks) - 1,) if several else ()  # as `set_index`
        for name, view in self.views.items():
            self.register_buffer(f"weight_{name}", torch.zeros(*sets, view.width, outputs))
            self.register_buffer(f"bias_{name}", torch.zeros(*sets, outputs))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """features (B, T, C), mask (B, T) -> scores (B, T, E, S), zero where masked, and where all folders are missing.

        Scores are in units of their standard deviation over the training videos, about -1..5.
        """
        there = self.there(features, mask)
        return self.scores(self.standardise(features), there, {name: self.weight_and_bias(name) for name in self.views})

    def there(self, features: Tensor, mask: Tensor) -> Tensor:
        """Where each folder has something to say: (B, T, C), (B, T) -> (B, T, F)."""
        if len(self.blocks) == 1:
            return mask.unsqueeze(2)
        gaps = torch.stack([block.isnan().any(dim=2) for block in features.split(self.blocks, dim=2)], dim=2)
        return mask.unsqueeze(2) & ~gaps

    def standardise(self, features: Tensor) -> Tensor:
        """Each channel minus its mean over all training steps, in units of `deviation`, clipped to -bound..bound.

        The bound is BOUND, less where the unit is larger than the standard deviation, and 0 for a channel that was
        constant in training. NaN of a folder that is missing becomes 0.
        """
        x = ((features - self.mean) / self.deviation).clamp(-self.bound, self.bound)
        return x if len(self.blocks) == 1 else x.nan_to_num(nan=0.0)

    def view(self, name: str, x: Tensor, there: Tensor) -> Tensor:
        """The features of a view: standardised (B, T, C), (B, T, F) -> (B, T, D)."""
        return self.views[name](x, there[..., 0] if len(self.blocks) == 1 else there)

    def folder_of_feature(self, name: str) -> Tensor:
        """The folder that each feature of a view comes from: (D,)."""
        widths = self.views[name].widths if len(self.blocks) > 1 else (self.views[name].width,)
        return torch.arange(len(widths)).repeat_interleave(torch.tensor(widths))

    def weight_and_bias(self, view: str) -> tuple[Tensor, Tensor]:
        """The linear map of a view: weight (D, E * SCORES) and bias (E * SCORES,).

        With several folders one map for each set of them, (2^F - 1, ...), in the order of `set_index`.
        """
        return getattr(self, f"weight_{view}"), getattr(self, f"bias_{view}")

    def scores(self, x: Tensor, there: Tensor, maps: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Scores by given linear maps of the views: standardised (B, T, C), (B, T, F) -> (B, T, E, S)."""
        views = [apply_map(self.view(name, x, there), there, *linear) for name, linear in maps.items()]
        scores = torch.cat([view.unflatten(-1, (self.entities, len(SCORES))) for view in views], dim=-1)
        return scores * there.any(dim=2)[..., None, None]


def set_index(there: Tensor) -> Tensor:
    """The place of a set of folders among all non-empty sets, -1 for none: (..., F) bool -> (...) long.

    Of two folders: 0 the first alone, 1 the second alone, 2 both.
    """
    return (there * 2 ** torch.arange(there.shape[-1], device=there.device)).sum(dim=-1) - 1


def apply_map(x: Tensor, there: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Scores of a view by its linear map, or by that of the folders that are there: (B, T, D), (B, T, F) -> (B, T, O).

    weight: (D, O), or (2^F - 1, D, O). bias: (O,), or (2^F - 1, O). 0 where several folders are all missing.
    """
    if weight.ndim == 2:
        return x @ weight + bias
    index, scores = set_index(there), x.new_zeros(*x.shape[:2], weight.shape[2])
    for some in index.unique().tolist():
        if some >= 0:
            at = index == some
            scores[at] = x[at] @ weight[some] + bias[some]
    return scores
