"""Whole networks from checkpoints: `load_detector`, `load_recognizer` and `load_backbone`."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from mmad.config import (
    MOST_FOLDERS,
    BackboneConfig,
    DetectionConfig,
    ExtractConfig,
    RecognitionConfig,
    RecognitionLossConfig,
    from_dict,
)
from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet
from mmad.models import MMN, build_backbone, build_detector, check_detection
from mmad.models.adapters import add_adapters
from mmad.models.clip_backbones import ClipBackbone
from mmad.models.detector import Detector
from mmad.models.efficientnet_lite import from_package, pretrained_file
from mmad.models.manet import Recognizer, from_released, is_released
from mmad.models.mmn import as_recognizer, is_mmn, sizes_of, skeleton_with
from mmad.models.vit_backbones import fill_from_folder, is_vit, with_sizes_of_folder
from mmad.weight_files import FORMAT, labels_of, load_into, read_checkpoint, require_kind, weights_of

LARGEST_BRANCH = 4096  # outputs of a recognizer's branch; the number in a damaged file could exceed memory


def load_recognizer(path: str | Path) -> Recognizer:
    """A `Recognizer` in eval mode from our checkpoint, or from the released one of MANet or MMN.

    `module(clips)` takes (N, T, 3, H, W) normalised frames; an MMN takes joints, see `mmad.models.mmn`. It has
    `labels`, `backbone_config`, `clip_config` and `skeleton_config`.
    """
    content = read_checkpoint(path)
    if content.get("format") == FORMAT:
        require_kind(content, "recognizer", path)
        config = from_dict(RecognitionConfig, content["config"], str(path))
        labels, state = labels_of(content, path), content["model"]
        sizes = {"embedding": "fc_emb_t.bias", "num_parts": "fc_part.bias", "prototypes": "fc_near.bias"}
        biases = {branch: state.get(f"head.{name}") for branch, name in sizes.items()}
        branches = {branch: bias.numel() if isinstance(bias, Tensor) else 0 for branch, bias in biases.items()}
        if max(branches.values()) > LARGEST_BRANCH:
            raise InputError(path, f"has a branch of {max(branches.values())} outputs", "is the file damaged?")
        branches |= pcan_branches(config.loss)
    else:
        labels = MMA52
        config, state, branches = _of_release(weights_of(content), path)
    module = Recognizer(build_backbone(config.backbone), len(labels), **branches)
    load_into(module, state, path)
    module.labels, module.backbone_config = labels, config.backbone
    module.clip_config, module.skeleton_config = config.clips, config.skeletons
    return module.eval()


def pcan_branches(config: RecognitionLossConfig) -> dict[str, bool | float]:
    """The arguments of `ClipHead` that weights do not show."""
    return {
        "separate_body": config.body == "separate",
        "calibration": config.calibration > 0,
        "calibration_scale": config.calibration_scale,
    }


def _of_release(state: dict, path: str | Path) -> tuple[RecognitionConfig, dict[str, Tensor], dict[str, int]]:
    """(configuration, weights under our names, branches of the head) of the authors' MANet or MMN."""
    if all(isinstance(name, str) for name in state):
        if is_released(state):
            config = RecognitionConfig(backbone=BackboneConfig("manet_r50"))
            return config, from_released(state), {"embedding": 300}
        if is_mmn(state):
            joints, classes = sizes_of(state, path)
            if classes != len(MMA52):
                problem = f"is an MMN of {classes} classes, whose names are not known"
                raise InputError(path, problem, "from Python, mmad.models.mmn.load_mmn loads it")
            config = RecognitionConfig(backbone=BackboneConfig("mmn", skeleton=skeleton_with(joints, path)))
            return config, as_recognizer(state), {"embedding": 0}
    raise InputError(path, "neither a recognizer of ours nor the released MANet or MMN", "is it another model's?")


def load_detector(path: str | Path) -> tuple[Detector, LabelSet, DetectionConfig, dict]:
    """(detector in eval mode, its labels, its configuration, the checkpoint's "features": where they came from).

    `InputError` where the file is not a detector, is damaged, or is of another version.
    """
    content = read_checkpoint(path, "detector")
    try:
        config = from_dict(DetectionConfig, content["config"], str(path))
        check_detection(config)
    except InputError as error:
        raise InputError(path, f"was made by another version of mmad ({error.problem})", "train it again") from None
    if "probe.mean" not in content["model"]:
        raise InputError(path, "was made by another version of mmad (it has no linear probe)", "train it again")
    labels = labels_of(content, path)
    features = content.get("features")
    try:
        channels = int(features["channels"])
        if content["model"]["probe.mean"].shape != (channels,):
            raise ValueError(f"{channels} channels")
        blocks = features.get("blocks", [channels])  # of one folder there is no such entry
        right = len(blocks) <= MOST_FOLDERS and all(type(block) is int and block > 0 for block in blocks)
        if not right or sum(blocks) != channels:
            raise ValueError(f"folders of {blocks} channels")
        detector = build_detector(config.detector, channels, labels, blocks)
        if features["settings"]:
            extract_config_of(features["settings"], "cpu")  # errors in them are reported here, with the file's name
        if not (isinstance(features["source"], str) and 0 < features["step"] < math.inf):
            raise TypeError("source is not text, or step is not positive")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(path, f"does not say what features it reads ({error!r})", "train it again") from None
    load_into(detector, content["model"], path)
    _require_sane(detector, path)
    return detector.eval(), labels, config, features


def _require_sane(detector: Detector, path: str | Path) -> None:
    """`InputError` for values that no training produces: they would only show as videos without detections."""
    finite = all(value.isfinite().all() for value in detector.state_dict().values())
    positive = (detector.length, detector.probe.deviation)
    if not (finite and all((value > 0).all() for value in positive) and (detector.count >= 0).all()):
        raise InputError(path, "holds weights that are not finite, or lengths that are not positive", "is it damaged?")


def extract_config_of(settings: dict, device: str) -> ExtractConfig:
    """The configuration that extracts features with these settings, as a detector's checkpoint keeps them.

    Its weights are the pretrained ones; `FeatureExtractor` takes those of a recognizer where it is given one.
    """
    how = settings["preprocess"]
    return ExtractConfig(
        backbone=BackboneConfig(settings["backbone"], "pretrained", settings["shift"], how["resize"], how["crop"]),
        mode=settings["mode"],
        stride=settings["stride"],
        window=settings.get("window", 32),
        frames=settings.get("frames", 0),
        fps=settings["fps"],
        resize_in_decoder=settings["resized_by"] == "decoder",
        precision=settings["precision"],
        device=device,
    )


def load_backbone(config: BackboneConfig) -> nn.Module:
    """The backbone in eval mode with the weights of `config.weights`: "pretrained", "random", a checkpoint file, or
    for a video transformer a folder of `transformers`."""
    config, named = with_sizes_of_folder(config), config.weights in ("pretrained", "random")
    folder = not named and is_vit(config) and Path(config.weights).is_dir()
    if not named and not folder:
        return _backbone_of_checkpoint(config)
    if config.weights == "pretrained" and (config.name == MMN or is_vit(config)):
        which = "a folder" if is_vit(config) else "a file"
        problem = f"{config.name} has no pretrained ones here"
        raise InputError("backbone.weights", problem, f"set random, or {which} of weights")
    backbone = build_backbone(replace(config, adapter=""))
    if folder:
        fill_from_folder(backbone, config)
    elif config.weights == "pretrained":
        _fill_pretrained(backbone, config)
    add_adapters(backbone, config)
    return backbone.eval()


def _backbone_of_checkpoint(config: BackboneConfig) -> nn.Module:
    """The backbone of a recognizer, with new adapters where the configuration has some and the recognizer has none."""
    recognizer = load_recognizer(config.weights)
    found, backbone = recognizer.backbone_config, recognizer.backbone
    if found.name != config.name:
        raise InputError(config.weights, f"is a {found.name}", f"but backbone.name is {config.name}")
    if not found.adapter:
        add_adapters(backbone, config)
    elif config.adapter not in ("", found.adapter):
        problem = f"has adapters of the kind {found.adapter}"
        raise InputError(config.weights, problem, f"set backbone.adapter to that or to nothing, not {config.adapter}")
    return backbone.eval()


def has_untrained(config: BackboneConfig) -> bool:
    """Whether part of a pretrained backbone has random weights: ImageNet weights have no SE layers."""
    return config.weights == "pretrained" and (config.shift or config.name.startswith("manet"))


def _fill_pretrained(backbone: nn.Module, config: BackboneConfig) -> None:
    """Weights from a package, or downloaded by torchvision. MANet's SE layers are not among them and stay random."""
    if config.name == "efficientnet_lite0":
        file = pretrained_file()
        load_into(backbone, from_package(read_checkpoint(file)), file, may_miss="excite")
        return
    name = {"manet_r50": "resnet50", "manet_r34": "resnet34", "manet_r18": "resnet18"}.get(config.name, config.name)
    weights = torchvision.models.get_model_weights(name)
    chosen = weights.IMAGENET1K_V1 if name.startswith("resnet") else weights.DEFAULT
    try:
        state = chosen.get_state_dict(progress=False, weights_only=True)
    except OSError as error:
        raise InputError(
            f"backbone {config.name}",
            f"its pretrained weights could not be downloaded ({error})",
            "use backbone.weights=FILE or =random, or backbone.name=efficientnet_lite0, which brings its own",
        ) from None
    if isinstance(backbone, ClipBackbone):
        load_into(backbone, backbone.without_classifier(state), chosen.url)
    else:
        state = {key: value for key, value in state.items() if not key.startswith("fc.")}
        load_into(backbone, state, chosen.url, may_miss="excite")


def weight_digest(module: nn.Module) -> str:
    """Twelve hexadecimal digits that change when any weight does."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]
