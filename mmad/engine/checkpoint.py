"""Checkpoints: weights, configuration and labels in one file. All weight files are read here, with `weights_only=True`;
`load_detector`, `load_recognizer` and `load_backbone` give whole networks.

A checkpoint is {"format", "kind": "recognizer" or "detector", "config": nested dict, "labels", "model": tensors, ...};
its model can be rebuilt from it alone.
"""

import hashlib
import math
import re
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from mmad.config import BackboneConfig, ClipConfig, DetectionConfig, ExtractConfig, RecognitionConfig, from_dict
from mmad.errors import InputError, system_error
from mmad.files import atomic_path
from mmad.labels import MMA52, LabelSet, label_set_from
from mmad.models import build_backbone, build_detector, check_detection
from mmad.models.clip_backbones import ClipBackbone
from mmad.models.detector import Detector
from mmad.models.efficientnet_lite import from_package, pretrained_file
from mmad.models.manet import Recognizer, from_released, is_released

FORMAT = "mmad-1"
WEIGHTS = ("state_dict", "model_state_dict", "model", "net", "network")  # where other programs keep the tensors
WRAPPERS = ("module.", "_orig_mod.", "model.")  # of DataParallel, torch.compile, Lightning
ONLY_TENSORS = (
    "keep only its state_dict, if you trust the file: where that package is installed, "
    """python -c "import torch; c = torch.load('OLD.pth', map_location='cpu', weights_only=False); """
    """torch.save({'state_dict': c['state_dict']}, 'NEW.pth')\""""
)
_FOREIGN = re.compile(r"\bGLOBAL (\S+)")  # how torch names a class or function that a file asks for
LARGEST_BRANCH = 4096  # outputs of a recognizer's branch; the number in a damaged file could exceed memory


def save_checkpoint(path: str | Path, kind: str, config: dict, labels: LabelSet, model: nn.Module, **extra) -> None:
    """Write a checkpoint, complete or not at all. extra: tensors, numbers, strings, lists and dicts of them."""
    content = {
        "format": FORMAT,
        "kind": kind,
        "config": config,
        "labels": labels.as_dict(),
        "model": model.state_dict(),
        **extra,
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: str | Path, kind: str | None = None) -> dict:
    """The content of one of our checkpoints, or of any file of tensors where `kind` is None."""
    path = Path(path)
    if not path.exists():
        raise InputError(path, "no such file")
    if path.is_dir():
        raise InputError(path, "is a folder", "name a checkpoint file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise system_error(path, error) from None
    except Exception as error:  # a damaged file can fail in any of a dozen ways
        problem = f"not a checkpoint that can be read safely ({_reason(error)})"
        if "holds objects" in problem:
            raise InputError(path, problem, ONLY_TENSORS) from None
        raise InputError(path, problem, "is the file complete?") from None
    if not isinstance(content, dict):
        raise InputError(path, f"holds a {type(content).__name__}", "expected a checkpoint")
    if kind is not None:
        _require_kind(content, kind, path)
    return content


def _reason(error: Exception) -> str:
    """The message of torch about a file, without its advice to read it unsafely."""
    text = str(error).strip()
    foreign = _FOREIGN.search(text)
    if foreign:
        package = foreign[1].split(".")[0] if "." in foreign[1] else "Python"
        return f"it holds objects of {package}: {foreign[1]}"
    if text.startswith("Weights only load failed"):
        return "it holds more than tensors, numbers and texts"
    return text.splitlines()[0][:120] if text else type(error).__name__


def weights_of(content: dict) -> dict:
    """The named tensors of another program's checkpoint, without what wrappers put before each name."""
    places = [content, *(content[key] for key in WEIGHTS if isinstance(content.get(key), dict))]
    state = places[-1] if len(places) == 1 else places[1]
    for prefix in WRAPPERS * 2:  # one may be inside the other
        if state and all(isinstance(name, str) and name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _require_kind(content: dict, kind: str, path: str | Path) -> None:
    if (content.get("format"), content.get("kind")) != (FORMAT, kind):
        found = f"a {content.get('kind')}" if content.get("format") == FORMAT else "not a checkpoint of ours"
        raise InputError(path, f"this is {found}", f"expected a {kind}")
    missing = [key for key in ("config", "labels", "model") if not isinstance(content.get(key), dict)]
    if missing:
        raise InputError(path, f"the checkpoint has no {missing[0]!r}", "save it again")


def labels_of(checkpoint: dict, path: str | Path) -> LabelSet:
    """The label set that a checkpoint was trained on."""
    try:
        return label_set_from(checkpoint["labels"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"the checkpoint's labels are damaged ({error!r})", "save it again") from None


def load_into(module: nn.Module, state: dict[str, Tensor], path: str | Path, may_miss: str = "") -> None:
    """Load weights into a module. `InputError` names missing, unknown and misshapen tensors.

    may_miss: tensors whose name contains this may be missing.
    """
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()):
        raise InputError(path, "its model is not a dict of named tensors", "is it another tool's?")
    wanted = module.state_dict()
    missing = [n for n in wanted if n not in state and not (may_miss and may_miss in n)]
    surplus = [n for n in state if n not in wanted]
    misshapen = [
        f"{n} {tuple(state[n].shape)} instead of {tuple(wanted[n].shape)}"
        for n in wanted.keys() & state.keys()
        if state[n].shape != wanted[n].shape
    ]
    problems = [
        f"{title} {len(names)} tensors ({', '.join(sorted(names)[:4])}{' ...' if len(names) > 4 else ''})"
        for title, names in (("lacks", missing), ("has unknown", surplus), ("misshapen:", misshapen))
        if names
    ]
    if problems:
        raise InputError(path, f"does not fit {type(module).__name__}: {'; '.join(problems)}", "is it another model's?")
    module.load_state_dict(state, strict=False)


def load_recognizer(path: str | Path) -> Recognizer:
    """A `Recognizer` in eval mode from our checkpoint or from the authors' released one.

    `module(clips)` takes (N, T, 3, H, W) normalised frames. It has `labels`, `backbone_config` and `clip_config`.
    """
    content = read_checkpoint(path)
    if content.get("format") == FORMAT:
        _require_kind(content, "recognizer", path)
        config = from_dict(RecognitionConfig, content["config"], str(path))
        labels, state, backbone, clips = labels_of(content, path), content["model"], config.backbone, config.clips
        sizes = {"embedding": "fc_emb_t.bias", "num_parts": "fc_part.bias", "prototypes": "fc_near.bias"}
        biases = {branch: state.get(f"head.{name}") for branch, name in sizes.items()}
        branches = {branch: bias.numel() if isinstance(bias, Tensor) else 0 for branch, bias in biases.items()}
        if max(branches.values()) > LARGEST_BRANCH:
            raise InputError(path, f"has a branch of {max(branches.values())} outputs", "is the file damaged?")
    else:
        state = weights_of(content)
        if not all(isinstance(n, str) for n in state) or not is_released(state):
            raise InputError(path, "neither a recognizer of ours nor the released MANet", "is it another model's?")
        labels, state, branches = MMA52, from_released(state), {"embedding": 300}
        backbone, clips = BackboneConfig(name="manet_r50"), ClipConfig()
    module = Recognizer(build_backbone(backbone), len(labels), **branches)
    load_into(module, state, path)
    module.labels, module.backbone_config, module.clip_config = labels, backbone, clips
    return module.eval()


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
        detector = build_detector(config.detector, channels, labels)
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
    """The backbone in eval mode with the weights of `config.weights`: "pretrained", "random" or a checkpoint file."""
    if config.weights not in ("pretrained", "random"):
        recognizer = load_recognizer(config.weights)
        if recognizer.backbone_config.name != config.name:
            raise InputError(
                config.weights, f"is a {recognizer.backbone_config.name}", f"but backbone.name is {config.name}"
            )
        return recognizer.backbone.eval()
    backbone = build_backbone(config)
    if config.weights == "pretrained":
        _fill_pretrained(backbone, config)
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
