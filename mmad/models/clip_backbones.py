"""torchvision's video networks as backbones: one feature vector per clip, or a row per few frames (`rows`)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.models import video

from mmad.models.adapters import Adapter

Adapt = Callable[[Adapter, object], object]  # (adapter, output of a block) -> the adapted output


class AdaptedBlock(nn.Module):
    """A block of any network with an adapter behind it. adapt: brings the block's output to (N, T, H, W, C) and
    back."""

    def __init__(self, block: nn.Module, adapter: Adapter, adapt: Adapt):
        super().__init__()
        self.block, self.adapter, self.adapt = block, adapter, adapt

    def forward(self, *inputs, **options):
        return self.adapt(self.adapter, self.block(*inputs, **options))


class ClipNetwork(nn.Module):
    """A network of whole clips whose blocks can be adapted, and computed twice in training to save memory.

    channels: of the features. checkpointing: as in `FrameBackbone`.
    """

    channels: int

    def __init__(self):
        super().__init__()
        self.checkpointing = False

    def forward(self, clips: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, T', C), whose mean over T' stands for the clip."""
        raise NotImplementedError

    def each_row(self, clips: Tensor) -> Tensor:
        """As `rows`, which calls it."""
        raise NotImplementedError

    def places(self) -> list[tuple[nn.Module, int]]:
        """(container, index) of every block, in order."""
        raise NotImplementedError

    def channels_of(self, block: nn.Module) -> int:
        """Channels of the output of a block without an adapter."""
        raise NotImplementedError

    def adapt(self) -> Adapt:
        """How the output of this network's blocks goes through an adapter; holds no reference to the network."""
        raise NotImplementedError

    def rows(self, clips: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, T / tubelet, C): the mean over the picture for every few frames."""
        if not (self.checkpointing and torch.is_grad_enabled()):
            return self.each_row(clips)
        with _computed_twice(self.blocks()):
            return self.each_row(clips)

    def blocks(self) -> list[nn.Module]:
        return [container[index] for container, index in self.places()]

    def block_channels(self) -> list[int]:
        return [self.channels_of(block) for block in self.blocks()]

    def follow_blocks(self, adapters: list[Adapter]) -> None:
        """Run adapter i after block i from now on."""
        for (container, index), adapter in zip(self.places(), adapters):
            container[index] = AdaptedBlock(container[index], adapter, self.adapt())


@contextmanager
def _computed_twice(blocks: list[nn.Module]) -> Iterator[None]:
    """Within it, blocks keep only their inputs for the backward pass and are computed again there."""
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


class ClipBackbone(ClipNetwork):
    """(N, T, 3, H, W) -> (N, 1, C) from a torchvision video model without its classifier."""

    def __init__(self, name: str, classifier: str, channels: int):
        super().__init__()
        self.network = getattr(video, name)(weights=None)
        setattr(self.network, classifier, nn.Identity())
        self.classifier, self.channels = classifier, channels

    def forward(self, clips: Tensor) -> Tensor:
        return self.network(clips.transpose(1, 2)).unsqueeze(1)

    def without_classifier(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """torchvision's tensors under our names."""
        return {f"network.{name}": value for name, value in state.items() if not name.startswith(f"{self.classifier}.")}


class VideoResNetBackbone(ClipBackbone):
    """R(2+1)D: a row per 8 frames."""

    def each_row(self, clips: Tensor) -> Tensor:
        net = self.network
        x = net.stem(clips.transpose(1, 2))
        x = net.layer4(net.layer3(net.layer2(net.layer1(x))))  # (N, C, T / 8, H / 16, W / 16)
        return x.mean(dim=(3, 4)).transpose(1, 2)

    def places(self) -> list[tuple[nn.Module, int]]:
        layers = (getattr(self.network, f"layer{number}") for number in range(1, 5))
        return [(layer, index) for layer in layers for index in range(len(layer))]

    def channels_of(self, block: nn.Module) -> int:
        return block.conv2[1].num_features

    def adapt(self) -> Adapt:
        return _adapt_channels_first


class SwinBackbone(ClipBackbone):
    """Video Swin: a row per 2 frames."""

    def each_row(self, clips: Tensor) -> Tensor:
        net = self.network
        x = net.norm(
            net.features(net.pos_drop(net.patch_embed(clips.transpose(1, 2))))
        )  # (N, T / 2, H / 32, W / 32, C)
        return x.mean(dim=(2, 3))

    def places(self) -> list[tuple[nn.Module, int]]:
        stages = [stage for stage in self.network.features if isinstance(stage, nn.Sequential)]
        return [(stage, index) for stage in stages for index in range(len(stage))]

    def channels_of(self, block: nn.Module) -> int:
        return block.norm1.normalized_shape[0]

    def adapt(self) -> Adapt:
        return _adapt_grid


class MViTBackbone(ClipBackbone):
    """MViT v2: a row per 2 frames. Its class token stands for the clip, and no adapter sees it."""

    def each_row(self, clips: Tensor) -> Tensor:
        net = self.network
        x = net.conv_proj(clips.transpose(1, 2)).flatten(2).transpose(1, 2)
        x = net.pos_encoding(x)
        size = (net.pos_encoding.temporal_size, *net.pos_encoding.spatial_size)
        for block in net.blocks:
            x, size = block(x, size)
        return net.norm(x)[:, 1:].unflatten(1, size).mean(dim=(2, 3))

    def places(self) -> list[tuple[nn.Module, int]]:
        return [(self.network.blocks, index) for index in range(len(self.network.blocks))]

    def channels_of(self, block: nn.Module) -> int:
        return [layer for layer in block.mlp if isinstance(layer, nn.Linear)][-1].out_features

    def adapt(self) -> Adapt:
        return _adapt_tokens_and_size


# --- outputs of blocks ------------------------------------------------------------------------------------------


def _adapt_channels_first(adapter: Adapter, x: Tensor) -> Tensor:
    """x: (N, C, T, H, W)"""
    return adapter(x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)


def _adapt_grid(adapter: Adapter, x: Tensor) -> Tensor:
    """x: (N, T, H, W, C)"""
    return adapter(x)


def _adapt_tokens_and_size(adapter: Adapter, output: tuple[Tensor, tuple[int, int, int]]) -> tuple:
    """output: tokens (N, 1 + T * H * W, C), the first of which is the class token, and (T, H, W)."""
    x, size = output
    return torch.cat([x[:, :1], adapter(x[:, 1:].unflatten(1, size)).flatten(1, 3)], dim=1), size
