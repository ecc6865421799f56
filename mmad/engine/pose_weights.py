"""The pose network and its detector in one small file, as the package carries them, and the pipeline they make."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from mmad.config import DetectionConfig, PoseConfig, PoseTrainConfig, from_dict, to_dict
from mmad.engine.checkpoint import load_into
from mmad.engine.decode import detect_track
from mmad.engine.devices import choose_device
from mmad.engine.extract_pose import estimate_video
from mmad.engine.pose_features import PoseFeatures, build_pose_network
from mmad.errors import InputError
from mmad.files import atomic_path
from mmad.labels import LabelSet, label_set_from
from mmad.metrics.calibration import Calibration
from mmad.metrics.reliability import Reliability, drop_below, drop_unreliable
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.models.pose_network import PoseNetwork
from mmad.pose.features import on_grid
from mmad.pose.visibility import can_be_told
from mmad.records import Detections, FeatureTrack, LandmarkTrack, TimeGrid

PACKAGED = Path(__file__).parents[1] / "weights" / "pose.safetensors"
NETWORK, DETECTOR = "network.", "detector."  # how the names of their tensors begin


@dataclass
class PoseWeights:
    """What a weights file holds: both networks in eval mode, and what made them.

    calibration: of the detector's scores. reliability: by the name of an action its grade and why, as
    `mmad.metrics.reliability` has them. least: the score from which on a detection is shown at first.
    """

    network: PoseNetwork
    detector: Detector
    labels: LabelSet
    config: PoseTrainConfig
    detection: DetectionConfig
    calibration: Calibration
    least: float
    reliability: Reliability = field(default_factory=dict)


def save_weights(path: str | Path, weights: PoseWeights) -> None:
    """Write both networks as 16-bit floats, and what is needed to build them."""
    tensors = {}
    for prefix, module in ((NETWORK, weights.network), (DETECTOR, weights.detector)):
        for name, value in module.state_dict().items():
            tensors[prefix + name] = (value.half() if value.is_floating_point() else value).contiguous().cpu()
    # Folders of the machine that it was trained on say nothing elsewhere.
    config = replace(weights.config, output=PoseTrainConfig().output)
    detection = weights.detection
    detection = replace(detection, output=DetectionConfig().output, data=replace(detection.data, root=""))
    content = {
        "labels": weights.labels.as_dict(),
        "config": to_dict(config),
        "detection": to_dict(detection),
        "calibration": [weights.calibration.slope.tolist(), weights.calibration.offset.tolist()],
        "least": weights.least,
        "reliability": weights.reliability,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"mmad": json.dumps(content)})


def load_weights(path: str | Path = PACKAGED) -> PoseWeights:
    """The content of a weights file, as 32-bit floats."""
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
        calibration = Calibration(*np.array(content["calibration"], dtype=np.float64).reshape(2, len(labels)))
        least = float(content["least"])
        reliability = {str(name): (str(grade), str(why)) for name, (grade, why) in content["reliability"].items()}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"is no file of pose weights ({error})", "is it complete?") from None
    network = build_pose_network(config.network, labels)
    channels = state[f"{DETECTOR}probe.mean"].numel() if f"{DETECTOR}probe.mean" in state else 0
    if channels != network.channels:
        raise InputError(path, f"its detector reads {channels} channels, its network has {network.channels}")
    detector = build_detector(detection.detector, channels, labels)
    for prefix, module in ((NETWORK, network), (DETECTOR, detector)):
        _fill(module, prefix, state, path)
    return PoseWeights(network.eval(), detector.eval(), labels, config, detection, calibration, least, reliability)


def _fill(module: nn.Module, prefix: str, state: dict[str, torch.Tensor], path: Path) -> None:
    mine = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    types = {name: value.dtype for name, value in module.state_dict().items()}
    load_into(module, {name: value.to(types.get(name, value.dtype)) for name, value in mine.items()}, path)


class PosePipeline:
    """Joints in, detections out; of videos as well, whose joints are found first."""

    def __init__(self, weights: PoseWeights, device: str = "auto", pose: PoseConfig | None = None):
        self.weights, self.labels, self.pose = weights, weights.labels, pose or PoseConfig()
        device = choose_device(device)
        self.features = PoseFeatures(weights.network, device)
        self.detector = weights.detector.to(device)

    def detect(self, video_path: str | Path) -> Detections:
        """The detections in what the person of a video does, best first; `InputError` where nobody is found."""
        return self.detect_landmarks(estimate_video(video_path, self.pose)[0])

    def features_of(self, track: LandmarkTrack) -> FeatureTrack:
        """The features of one person that the detector reads, for instance to fit another detector on them."""
        points, grid = on_grid(track)
        return self.features.of_person(track.video_id, points, grid, track.duration)

    def detect_landmarks(self, track: LandmarkTrack) -> Detections:
        """The detections in what one person does, best first. Scores are probabilities on rendered people.

        Nothing is said of an action while the joints are not seen that it is told by.
        """
        points, grid = on_grid(track)
        features = self.features.of_person(track.video_id, points, grid, track.duration)
        found = detect_track(self.detector, features, self.weights.detection.infer)
        return self.weights.calibration.apply(only_visible(found, points, grid, self.labels))

    def told(self, found: Detections) -> Detections:
        """What is said at first: of actions that can be told, from `least` on."""
        return drop_below(drop_unreliable(found, self.labels, self.weights.reliability), self.weights.least)


def only_visible(found: Detections, points: np.ndarray, grid: TimeGrid, labels: LabelSet) -> Detections:
    """Without the detections of actions whose joints are seen for less than half of their time.

    points: (T, 75, 3) at the times of `grid`.
    """
    if not len(found):
        return found
    count = np.concatenate([np.zeros((1, len(labels))), np.cumsum(can_be_told(points, labels), axis=0)])  # (T + 1, K)
    first, last = np.clip(np.round(grid.to_index(found.segments)), 0, len(points) - 1).astype(int).T
    share = (count[last + 1, found.labels] - count[first, found.labels]) / (last + 1 - first)
    kept = share >= 0.5
    return Detections(found.video_id, found.segments[kept], found.labels[kept], found.scores[kept])
