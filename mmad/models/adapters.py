"""Adapters: small trained layers in a frozen backbone, which begin as the identity.

`DualPathAdapter` after each block: a spatial and a temporal path of depth-wise convolutions on a quarter of the
channels. `TemporalAdapter` has the second path only, as AdaTAD's (Liu et al., CVPR 2024). `LowRank` adds a product of
two small matrices to each weight of the blocks (LoRA, Hu et al., ICLR 2022). `add_adapters` puts them into a backbone.

The dual-path adapter follows a description at second hand, the documentation of a team of MAC 2026; the formulas of its
paper were not available.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from mmad.config import BackboneConfig
from mmad.errors import InputError

ADAPTED = (nn.Linear, nn.Conv2d, nn.Conv3d)  # layers whose weights get a low-rank change


class ChannelScale(nn.Module):
    """A 1x1 depth-wise convolution: each channel times its weight, plus its bias. (..., D) -> same shape."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels).uniform_(-1, 1))  # as PyTorch begins such a convolution
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.bias.to(x.dtype), x, self.weight.to(x.dtype))


class SpatialPath(nn.Module):
    """1x1, 3x3, 1x1 depth-wise convolutions over the grid of each frame: (M, H, W, D) -> same shape."""

    def __init__(self, channels: int):
        super().__init__()
        self.enter = ChannelScale(channels)
        self.mix = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.leave = ChannelScale(channels)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(F.gelu(self.enter(x)).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.leave(F.gelu(mixed))


class TemporalPath(nn.Module):
    """1, 3, 1 depth-wise convolutions over time at each location; frames beyond a clip's ends are zero.

    In two halves, so that a stream of frames can be interrupted between them: `enter` sees each frame alone, `leave` a
    frame and its two neighbours.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.first = ChannelScale(channels)
        bound = 3**-0.5
        self.kernel = nn.Parameter(torch.empty(3, channels).uniform_(-bound, bound))  # frame before, frame, frame after
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-bound, bound))
        self.last = ChannelScale(channels)

    def enter(self, x: Tensor) -> Tensor:
        return F.gelu(self.first(x))

    def leave(self, before: Tensor, entered: Tensor, after: Tensor) -> Tensor:
        earlier, now, later = self.kernel.to(entered.dtype)
        mixed = torch.addcmul(self.bias.to(entered.dtype), before, earlier) + entered * now + after * later
        return self.last(F.gelu(mixed))


class Adapter(nn.Module):
    """x + scale * up(path(GELU(down(x)))), summed over its paths: (N, T, H, W, C) -> same shape.

    down: C -> C / reduction, shared by the paths. Each path has a zero-initialised up-projection and a learned scale of
    1: at first the output is x, bit for bit.
    """

    def __init__(self, channels: int, reduction: int, spatial: bool):
        super().__init__()
        width = max(channels // reduction, 1)
        self.down = nn.Linear(channels, width)
        self.spatial = SpatialPath(width) if spatial else None
        self.spatial_up = _zero_linear(width, channels) if spatial else None
        self.spatial_scale = nn.Parameter(torch.ones(())) if spatial else None
        self.temporal = TemporalPath(width)
        self.temporal_up = _zero_linear(width, channels)
        self.temporal_scale = nn.Parameter(torch.ones(()))

    def enter(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What needs no other frame: (M, H, W, C) -> x with the spatial path, and the temporal path's frames
        (M, H, W, D)."""
        reduced = F.gelu(self.down(x))
        entered = self.temporal.enter(reduced)
        if self.spatial is not None:
            x = x + self.spatial_scale * self.spatial_up(self.spatial(reduced))
        return x, entered

    def leave(self, x: Tensor, before: Tensor, entered: Tensor, after: Tensor) -> Tensor:
        """Add the temporal path: frames as `enter` returns them, those before and after each. Returns (M, H, W, C)."""
        return x + self.temporal_scale * self.temporal_up(self.temporal.leave(before, entered, after))

    def forward(self, x: Tensor) -> Tensor:
        y, entered = self.enter(x.flatten(0, 1))
        clips = entered.unflatten(0, x.shape[:2])
        nothing = torch.zeros_like(clips[:, :1])
        before = torch.cat([nothing, clips[:, :-1]], dim=1).flatten(0, 1)
        after = torch.cat([clips[:, 1:], nothing], dim=1).flatten(0, 1)
        return self.leave(y, before, entered, after).view_as(x)


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class DualPathAdapter(Adapter):
    """With a spatial and a temporal path."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__(channels, reduction, spatial=True)


class TemporalAdapter(Adapter):
    """With a temporal path only."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__(channels, reduction, spatial=False)


class LowRank(nn.Module):
    """A weight plus the product of two small matrices, the second of which begins at zero."""

    def __init__(self, weight: Tensor, rank: int):
        super().__init__()
        outputs, inputs = weight.flatten(1).shape
        rank = min(rank, outputs, inputs)
        self.reduce = nn.Parameter(torch.randn(rank, inputs, device=weight.device) / inputs**0.5)
        self.expand = nn.Parameter(torch.zeros(outputs, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.expand @ self.reduce).view_as(weight).to(weight.dtype)


ADAPTERS = {"dual": DualPathAdapter, "temporal": TemporalAdapter}  # those that follow a block


def add_adapters(backbone: nn.Module, config: BackboneConfig) -> None:
    """Put the adapters of `config.adapter` into a backbone, which then computes what it did before.

    backbone: has `blocks()`, `block_channels()` and `follow_blocks(adapters)`, which runs adapter i after block i.
    """
    if config.adapter and not hasattr(backbone, "follow_blocks"):
        raise InputError("backbone.adapter", f"{config.name} takes none", "leave it out")
    if config.adapter == "low_rank":
        for block in backbone.blocks():
            for layer in [m for m in block.modules() if isinstance(m, ADAPTED) and getattr(m, "groups", 1) == 1]:
                parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, config.adapter_rank))
    elif config.adapter:
        kind = ADAPTERS[config.adapter]
        backbone.follow_blocks([kind(channels, config.adapter_reduction) for channels in backbone.block_channels()])


def adapter_parameters(backbone: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of all adapters in a backbone."""
    for module in backbone.modules():
        if isinstance(module, Adapter | LowRank):
            yield from module.parameters()


def choose_trained(backbone: nn.Module, tuned: str) -> None:
    """Let gradients reach the adapters, everything, or nothing of a backbone. tuned: "adapters", "all" or "none"."""
    backbone.requires_grad_(tuned == "all")
    for parameter in adapter_parameters(backbone):
        parameter.requires_grad_(tuned != "none")


class StreamAdapter:
    """An adapter along a stream of frames; between chunks it keeps the last frame, whose successor is not known yet.

    held: (1, C, H, W) the frame with the spatial path added. entered: (1, H, W, D) of it, as the temporal path sees it.
    before: (1, H, W, D) of the frame before it. starts: (1,) whether it is the first of a video.
    """

    def __init__(self, adapter: Adapter):
        self.adapter = adapter
        self.held: tuple[Tensor, Tensor, Tensor] | None = None  # frame, entered, starts; None: the stream is empty
        self.before: Tensor | None = None

    def __call__(self, x: Tensor, starts: Tensor, last: bool) -> tuple[Tensor, Tensor]:
        """x: (T, C, H, W). starts: (T,). Returns the frames whose successor is known, adapted, and their starts."""
        y, entered = self.adapter.enter(x.permute(0, 2, 3, 1))
        if self.held is None:
            self.before = torch.zeros_like(entered[:1])
        else:
            y, entered, starts = (torch.cat(pair) for pair in zip(self.held, (y, entered, starts)))
        continues = ~starts.view(-1, 1, 1, 1)  # the video of the frame before
        count = len(y) if last else len(y) - 1
        before = torch.cat([self.before, entered[:count]])  # of each frame, and of the one that is held back
        after = entered[1:] * continues[1:]
        if last:
            after = torch.cat([after, torch.zeros_like(entered[:1])])
        adapted = self.adapter.leave(y[:count], before[:count] * continues[:count], entered[:count], after)
        self.held, self.before = (
            (None, None) if last else ((y[count:], entered[count:], starts[count:]), before[count:])
        )
        return adapted.permute(0, 3, 1, 2), starts[:count]
