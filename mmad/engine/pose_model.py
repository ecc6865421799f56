"""The pose model: pose network, detector, calibration and grades in one small file, as the package carries it."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from mmad.config import PACKAGED, DetectionConfig, PoseTrainConfig, from_dict, to_dict
from mmad.engine.pose_features import build_pose_network
from mmad.errors import InputError
from mmad.files import atomic_path
from mmad.labels import LabelSet, label_set_from
from mmad.metrics.calibration import Calibration
from mmad.metrics.reliability import Reliability
from mmad.models import build_detector, check_detection
from mmad.models.detector import Detector
from mmad.models.pose_network import PoseNetwork
from mmad.weight_files import load_into

NETWORK, DETECTOR = "network.", "detector."  # prefixes of their tensors' names


@dataclass
class PoseModel:
    """All that detection by joints needs: both networks in eval mode, and the configurations that made them.

    calibration: of the detector's scores. reliability: {action: (grade, reason)}, see `mmad.metrics.reliability`.
    least: lowest score of detections that are shown by default.
    """

    network: PoseNetwork
    detector: Detector
    labels: LabelSet
    config: PoseTrainConfig
    detection: DetectionConfig
    calibration: Calibration
    least: float
    reliability: Reliability = field(default_factory=dict)


def save_pose_model(path: str | Path, model: PoseModel) -> None:
    """Write both networks as 16-bit floats, with all that is needed to build them."""
    tensors = {}
    for prefix, module in ((NETWORK, model.network), (DETECTOR, model.detector)):
        for name, value in module.state_dict().items():
            tensors[prefix + name] = (value.half() if value.is_floating_point() else value).contiguous().cpu()
    # Folders of the machine that trained it mean nothing elsewhere.
    config = replace(model.config, output=PoseTrainConfig().output)
    detection = model.detection
    detection = replace(detection, output=DetectionConfig().output, data=replace(detection.data, root=""))
    content = {
        "labels": model.labels.as_dict(),
        "config": to_dict(config),
        "detection": to_dict(detection),
        "calibration": [model.calibration.slope.tolist(), model.calibration.offset.tolist()],
        "least": model.least,
        "reliability": model.reliability,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"mmad": json.dumps(content)})


def load_pose_model(path: str | Path = PACKAGED) -> PoseModel:
    """The pose model in a .safetensors file of `mmad train-pose`, as 32-bit floats. `InputError` where none is."""
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file", "give a pose.safetensors of `mmad train-pose`")
    try:
        with safe_open(path, "pt") as file:
            content = json.loads((file.metadata() or {})["mmad"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        labels = label_set_from(content["labels"])
        config = from_dict(PoseTrainConfig, content["config"], str(path))
        detection = from_dict(DetectionConfig, content["detection"], str(path))
        check_detection(detection)
        calibration = Calibration(*np.array(content["calibration"], dtype=np.float64).reshape(2, len(labels)))
        least = float(content["least"])
        reliability = {str(name): (str(grade), str(why)) for name, (grade, why) in content["reliability"].items()}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"is not a pose model ({error})", "is it complete?") from None
    network = build_pose_network(config.network, labels)
    channels = state[f"{DETECTOR}probe.mean"].numel() if f"{DETECTOR}probe.mean" in state else 0
    if channels != network.channels:
        raise InputError(path, f"its detector reads {channels} channels, its network has {network.channels}")
    detector = build_detector(detection.detector, channels, labels)
    for prefix, module in ((NETWORK, network), (DETECTOR, detector)):
        _fill(module, prefix, state, path)
    return PoseModel(network.eval(), detector.eval(), labels, config, detection, calibration, least, reliability)


def _fill(module: nn.Module, prefix: str, state: dict[str, torch.Tensor], path: Path) -> None:
    own_state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    types = {name: value.dtype for name, value in module.state_dict().items()}
    load_into(module, {name: value.to(types.get(name, value.dtype)) for name, value in own_state.items()}, path)
