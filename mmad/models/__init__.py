"""Networks: tensors in, tensors out. What can be chosen by name stands here."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from mmad.config import BackboneConfig, DetectorConfig
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models.clipnets import ClipNet
from mmad.models.detector import Detector
from mmad.models.lite import EfficientNetLite0
from mmad.models.manet import ResNet

IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
KINETICS = {
    "mean": tuple(255 * value for value in (0.43216, 0.394666, 0.37645)),
    "std": tuple(255 * value for value in (0.22803, 0.22145, 0.216989)),
}
HALF = {"mean": (114.75, 114.75, 114.75), "std": (57.375, 57.375, 57.375)}


@dataclass(frozen=True)
class Backbone:
    """How to make a backbone, and how it wants its input.

    preprocess: arguments of `mmad.video.preprocess.Preprocess`. frames: of a clip, as it was made for.
    streams: whether it can run over a whole video frame by frame (`dense` extraction).
    """

    build: Callable[[BackboneConfig], nn.Module]
    preprocess: dict
    frames: int = 8
    streams: bool = True


BACKBONES = {
    "manet_r50": Backbone(lambda config: ResNet(50), {"resize": 256, "crop": 224, **IMAGENET}),
    "manet_r34": Backbone(lambda config: ResNet(34), {"resize": 256, "crop": 224, **IMAGENET}),
    "manet_r18": Backbone(lambda config: ResNet(18), {"resize": 256, "crop": 224, **IMAGENET}),
    "efficientnet_lite0": Backbone(
        lambda config: EfficientNetLite0(config.shift),
        {"resize": 256, "crop": 224, "mean": (127.0,) * 3, "std": (128.0,) * 3, "antialias": True},
    ),
    "r2plus1d_18": Backbone(
        lambda config: ClipNet("r2plus1d_18", "fc", 512),
        {"resize": 128, "crop": 112, "antialias": True, **KINETICS},
        frames=16,
        streams=False,
    ),
    "mvit_v2_s": Backbone(
        lambda config: ClipNet("mvit_v2_s", "head", 768),
        {"resize": 256, "crop": 224, "antialias": True, **HALF},
        frames=16,
        streams=False,
    ),
    "swin3d_t": Backbone(
        lambda config: ClipNet("swin3d_t", "head", 768),
        {"resize": 256, "crop": 224, "antialias": True, **IMAGENET},
        frames=32,
        streams=False,
    ),
}


def backbone_named(config: BackboneConfig) -> Backbone:
    if config.name not in BACKBONES:
        raise InputError("backbone.name", f"{config.name!r}", f"choose one of {', '.join(BACKBONES)}")
    if config.shift and config.name != "efficientnet_lite0":
        raise InputError("backbone.shift", f"is no option of {config.name}", "MANet always shifts; leave it out")
    return BACKBONES[config.name]


def preprocess_of(config: BackboneConfig) -> dict:
    """Arguments of `mmad.video.preprocess.Preprocess`: the backbone's own, with the sizes that `config` asks for."""
    asked = {name: value for name, value in (("resize", config.resize), ("crop", config.crop)) if value}
    how = {**backbone_named(config).preprocess, **asked}
    if how["resize"] < how["crop"]:
        remedy = f"set both backbone.resize and backbone.crop; {config.name} was made for others"
        raise InputError("backbone.resize", f"{how['resize']} is smaller than the crop of {how['crop']}", remedy)
    return how


def build_backbone(config: BackboneConfig) -> nn.Module:
    """The network with fresh weights; `mmad.engine.checkpoint.load_backbone` fills it."""
    return backbone_named(config).build(config)


def build_detector(config: DetectorConfig, channels: int, labels: LabelSet) -> Detector:
    """Fresh weights, for `channels` features per step; `mmad.engine.fit_probe` fills the linear probe."""
    return Detector(channels, labels, config)
