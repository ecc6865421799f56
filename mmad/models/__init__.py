"""Networks: tensors in, tensors out. Backbones are chosen by name from `BACKBONES`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import nn

from mmad.config import BackboneConfig, DetectionConfig, DetectorConfig
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models.adapters import add_adapters
from mmad.models.clip_backbones import MViTBackbone, SwinBackbone, VideoResNetBackbone
from mmad.models.detector import Detector, receptive_radius
from mmad.models.efficientnet_lite import EfficientNetLite0
from mmad.models.linear_probe import VIEWS
from mmad.models.manet import ResNet
from mmad.models.mmn import JOINTS, MMNBackbone
from mmad.models.vit_backbones import VITS, VideoTransformer, is_vit, sizes_of

IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
KINETICS = {
    "mean": tuple(255 * value for value in (0.43216, 0.394666, 0.37645)),
    "std": tuple(255 * value for value in (0.22803, 0.22145, 0.216989)),
}
HALF = {"mean": (114.75, 114.75, 114.75), "std": (57.375, 57.375, 57.375)}


@dataclass(frozen=True)
class Backbone:
    """How a backbone is built, and the input it was trained on.

    preprocess: arguments of `mmad.video.preprocess.Preprocess`. frames: per clip. streams: whether it can run over a
    whole video frame by frame; if not, `dense` extraction cuts the video into consecutive clips. tubelet: frames per
    row of such a clip's features.
    """

    build: Callable[[BackboneConfig], nn.Module]
    preprocess: dict
    frames: int = 8
    streams: bool = True
    tubelet: int = 1


BACKBONES = {
    "manet_r50": Backbone(lambda config: ResNet(50), {"resize": 256, "crop": 224, **IMAGENET}),
    "manet_r34": Backbone(lambda config: ResNet(34), {"resize": 256, "crop": 224, **IMAGENET}),
    "manet_r18": Backbone(lambda config: ResNet(18), {"resize": 256, "crop": 224, **IMAGENET}),
    "efficientnet_lite0": Backbone(
        lambda config: EfficientNetLite0(config.shift),
        {"resize": 256, "crop": 224, "mean": (127.0,) * 3, "std": (128.0,) * 3, "antialias": True},
    ),
    "r2plus1d_18": Backbone(
        lambda config: VideoResNetBackbone("r2plus1d_18", "fc", 512),
        {"resize": 128, "crop": 112, "antialias": True, **KINETICS},
        frames=16,
        streams=False,
        tubelet=8,
    ),
    "mvit_v2_s": Backbone(
        lambda config: MViTBackbone("mvit_v2_s", "head", 768),
        {"resize": 256, "crop": 224, "antialias": True, **HALF},
        frames=16,
        streams=False,
        tubelet=2,
    ),
    "swin3d_t": Backbone(
        lambda config: SwinBackbone("swin3d_t", "head", 768),
        {"resize": 256, "crop": 224, "antialias": True, **IMAGENET},
        frames=32,
        streams=False,
        tubelet=2,
    ),
    **{
        name: Backbone(
            lambda config: VideoTransformer(config, preprocess_of(config)["crop"]),
            {**({"resize": 292, "crop": 256} if "vjepa" in name else {"resize": 224, "crop": 224}), **IMAGENET}
            | {"antialias": True},
            frames=sizes.frames,
            streams=False,
            tubelet=sizes.tubelet,
        )
        for name, sizes in VITS.items()
    },
}


MMN = "mmn"  # name of the backbone that reads joints and no pictures


def backbone_named(config: BackboneConfig) -> Backbone:
    """The entry of `BACKBONES`; `InputError` where there is none, or where it lacks an option that is set."""
    if config.name == MMN:
        raise InputError("backbone.name", "mmn reads joints, not pictures", "give landmark tracks")
    if config.name not in BACKBONES:
        raise InputError("backbone.name", f"{config.name!r}", f"choose one of {', '.join([*BACKBONES, MMN])}")
    if config.shift and config.name != "efficientnet_lite0":
        raise InputError("backbone.shift", f"is not an option of {config.name}", "MANet always shifts; leave it out")
    if is_vit(config):
        sizes = sizes_of(config)
        return replace(BACKBONES[config.name], frames=sizes.frames, tubelet=sizes.tubelet)
    return BACKBONES[config.name]


def preprocess_of(config: BackboneConfig) -> dict:
    """Arguments of `mmad.video.preprocess.Preprocess`: the backbone's own, with the sizes that `config` sets."""
    asked = {name: value for name, value in (("resize", config.resize), ("crop", config.crop)) if value}
    how = {**backbone_named(config).preprocess, **asked}
    if how["resize"] < how["crop"]:
        remedy = f"set both backbone.resize and backbone.crop; {config.name} was made for others"
        raise InputError("backbone.resize", f"{how['resize']} is smaller than the crop of {how['crop']}", remedy)
    return how


def build_backbone(config: BackboneConfig) -> nn.Module:
    """The network with random weights; `mmad.engine.checkpoint.load_backbone` fills it."""
    if config.name == MMN:
        if config.skeleton not in JOINTS:
            raise InputError("backbone.skeleton", f"{config.skeleton!r}", f"choose one of {', '.join(JOINTS)}")
        backbone = MMNBackbone(JOINTS[config.skeleton])
    else:
        backbone = backbone_named(config).build(config)
    add_adapters(backbone, config)
    return backbone


def build_detector(config: DetectorConfig, channels: int, labels: LabelSet, blocks: Sequence[int] = ()) -> Detector:
    """A detector with random weights for `channels` features per step, `blocks` of them from each of several folders;
    `mmad.engine.fit_probe` fits its linear probe."""
    check_views(config)
    return Detector(channels, labels, config, blocks)


def check_views(config: DetectorConfig) -> None:
    """`InputError` where the views are not some of VIEWS, each once."""
    views = config.views
    if not views or len(set(views)) < len(views) or not set(views) <= set(VIEWS):
        raise InputError("detector.views", f"{views}", f"choose some of {', '.join(VIEWS)}, each once")


def check_detection(config: DetectionConfig) -> None:
    """`InputError` where settings do not fit the detector: unknown views, or windows too short for its context."""
    check_views(config.detector)
    least = 4 * receptive_radius(config.detector)
    if config.infer.window < least:
        remedy = f"its middle half needs context on both sides: {least} steps or more, or a smaller detector.centring"
        raise InputError("infer.window", f"{config.infer.window}", remedy)
