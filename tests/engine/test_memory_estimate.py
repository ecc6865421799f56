"""What is counted, on backbones so small that it can be counted by hand."""

import pytest
import torch
from torch import nn

from mmad.config import BackboneConfig, EndToEndConfig, TrainConfig
from mmad.engine.memory_estimate import GB, clip_shape, estimate_memory, kept_by
from mmad.models.manet import FrameBackbone


class Plain(nn.Module):
    """A 1x1 convolution of 4 channels and a sigmoid, as a block."""

    def __init__(self):
        super().__init__()
        self.excite, self.conv, self.channels = None, nn.Conv2d(4, 4, 1), 4

    def forward(self, x, shifted):
        return torch.sigmoid(self.conv(shifted))


class Tiny(FrameBackbone):
    channels = 4

    def __init__(self):
        super().__init__()
        self.embed, self.inner = nn.Conv2d(3, 4, 1), nn.ModuleList([Plain(), Plain()])

    def stem(self, x):
        return self.embed(x)

    def blocks(self):
        return list(self.inner)

    def pool(self, x):
        return x.mean(dim=(2, 3))


def test_what_is_kept_is_counted_once():
    """10 frames of 4 channels of 5 x 5 pixels are 4,000 bytes. A block keeps its output; its input was counted where it
    was made, by the block before."""
    with torch.device("meta"):
        network = Tiny()
    kept = kept_by(network, (1, 10, 3, 5, 5), "float32")
    assert kept.inputs == [4000, 4000]
    assert kept.blocks == [4000 + 4000, 4000]  # the stem's output is first needed by the first block
    assert kept.outside == kept.pixels == 3000  # the pixels, for the gradient of the stem's weights
    assert kept.largest == 4000
    half = kept_by(network, (1, 10, 3, 5, 5), "bfloat16")
    assert half.blocks == [4000, 2000]


def config_of(**changes) -> EndToEndConfig:
    backbone = changes.pop("backbone", BackboneConfig("manet_r18", "random", resize=64, crop=64, adapter="dual"))
    return EndToEndConfig(backbone=backbone, **{"train": TrainConfig(batch=2), **changes})


def test_shapes_of_a_video():
    """15.03 s at 30 frames a second are 451 frames, 113 steps of 4."""
    assert clip_shape(config_of(), 15.03, 30.0) == (1, 113, 3, 64, 64)
    assert clip_shape(config_of(), 60.0, 30.0) == (1, 114, 3, 64, 64)  # at most videos.longest, 15.1 s
    swin = BackboneConfig("swin3d_t", "random", adapter="dual")
    assert clip_shape(config_of(backbone=swin), 15.03, 30.0) == (8, 32, 3, 224, 224)  # clips of 16 steps


def test_checkpointing_and_tuning_show():
    whole, blocks, videos, both = (
        estimate_memory(config_of(checkpointing=how)).activations for how in ("none", "blocks", "videos", "both")
    )
    assert both < blocks < whole and both < videos < whole
    one = estimate_memory(config_of(train=TrainConfig(batch=1), checkpointing="none")).activations
    assert 1.5 * one < whole < 2 * one
    plain = BackboneConfig("manet_r18", "random", resize=64, crop=64)
    full = estimate_memory(config_of(backbone=plain, tuned="all"))
    adapters = estimate_memory(config_of())
    assert full.weights == pytest.approx(16 * 11.35e6, rel=0.03)  # 4 bytes each of weight, gradient and two moments
    assert adapters.weights < full.weights / 2
    assert str(full).startswith(f"{full.weights / GB:.1f} GB of weights")
