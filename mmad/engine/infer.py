"""Pipelines: video in, detections out."""

from pathlib import Path

import numpy as np

from mmad.config import PACKAGED, POSE_MODEL, DetectionConfig, PoseConfig
from mmad.engine.checkpoint import extract_config_of, load_detector
from mmad.engine.devices import choose_device
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.engine.pose_extractor import estimate_video
from mmad.engine.pose_features import JOINTS, PoseFeatures
from mmad.engine.pose_model import PoseModel, load_pose_model
from mmad.engine.postprocess import detect_track
from mmad.engine.skeleton_features import MMN_SOURCE
from mmad.errors import InputError, warn
from mmad.files import id_of_file
from mmad.labels import LabelSet
from mmad.metrics.reliability import shown_by_default
from mmad.models.detector import Detector
from mmad.pose.joint_inputs import on_grid
from mmad.pose.visibility import needed_joints_seen
from mmad.records import Detections, FeatureTrack, LandmarkTrack, TimeGrid

NEEDS_RECOGNIZER = "give the recognizer that the detector was trained with as --recognizer"


class Pipeline:
    """A trained detector and the extractor of the features it was trained on: video in, detections out."""

    def __init__(self, detector: Detector, labels: LabelSet, config: DetectionConfig, extractor: FeatureExtractor):
        self.detector, self.labels, self.config, self.extractor = detector, labels, config, extractor

    def detect(self, video_path: str | Path) -> Detections:
        """The detections in one video of any length, best first.

        A broken video gives those up to where it breaks, and a warning; `InputError` where nothing can be read.
        """
        (item,) = self.extractor.extract([(id_of_file(video_path), Path(video_path))])
        if item.track is None:
            raise item.problem
        for line in [*([str(item.problem)] if item.problem else []), *item.track.details["video"].get("remarks", ())]:
            warn(line)
        return self.detect_track(item.track)

    def detect_track(self, track: FeatureTrack) -> Detections:
        """The detections in one video from its features."""
        return detect_track(self.detector, track, self.config.infer)


class PosePipeline:
    """Detection by joints: landmark tracks in, detections out; or videos, whose joints are estimated first."""

    def __init__(self, model: PoseModel, device: str = "auto", pose: PoseConfig | None = None):
        """pose: how joints are estimated, and whose."""
        self.model, self.labels, self.pose = model, model.labels, pose or PoseConfig()
        device = choose_device(device)
        self.features = PoseFeatures(model.network, device)
        self.detector = model.detector.to(device)

    def detect(self, video_path: str | Path) -> Detections:
        """The detections for the person in a video, best first; `InputError` where nobody is found."""
        return self.detect_landmarks(estimate_video(video_path, self.pose)[0])

    def features_of(self, track: LandmarkTrack) -> FeatureTrack:
        """The features of one person that the detector reads, for instance to fit another detector on them."""
        return self.features.of_track(track)

    def detect_landmarks(self, track: LandmarkTrack) -> Detections:
        """The detections for one person. Scores are probabilities, calibrated on rendered people.

        Actions whose joints are mostly not seen while they last are left out.
        """
        points, grid = on_grid(track)
        features = self.features.of_person(track.video_id, points, grid, track.duration)
        found = detect_track(self.detector, features, self.model.detection.infer)
        return self.model.calibration.apply(only_visible(found, points, grid, self.labels))

    def shown(self, found: Detections) -> Detections:
        """Those that are shown by default: of reliable actions, with scores from `model.least` on."""
        return shown_by_default(found, self.labels, self.model.reliability, self.model.least)


def only_visible(found: Detections, points: np.ndarray, grid: TimeGrid, labels: LabelSet) -> Detections:
    """Detections whose action's joints are seen for at least half of their time. points: (T, 75, 3) on `grid`."""
    if not len(found):
        return found
    seen = needed_joints_seen(points, labels)
    count = np.concatenate([np.zeros((1, len(labels))), np.cumsum(seen, axis=0)])  # (T + 1, K)
    first, last = np.clip(np.round(grid.to_index(found.segments)), 0, len(points) - 1).astype(int).T
    share = (count[last + 1, found.labels] - count[first, found.labels]) / (last + 1 - first)
    return found.select(share >= 0.5)


# --- loading ----------------------------------------------------------------------------------------------------


def load_pipeline(
    detector: str | Path | None = None,
    recognizer: str | Path | None = None,
    device: str = "auto",
    pose: PoseConfig | None = None,
) -> Pipeline | PosePipeline:
    """A pipeline that detects in videos.

    Without a detector, or with a .safetensors file of `train-pose`: by joints (`PosePipeline`); pose: how joints are
    estimated, and whose. With a detector checkpoint: a `Pipeline`; where its features came from a recognizer, give that
    too. Features are computed with the settings that the detector was trained with; other weights are refused.
    """
    if detector is None or str(detector).endswith(POSE_MODEL):
        if recognizer is not None:
            remedy = "give a detector that was trained on its features, or no recognizer"
            raise InputError(recognizer, "is not needed by joints", remedy)
        return PosePipeline(load_pose_model(detector or PACKAGED), device, pose)
    model, labels, config, features = load_detector(detector)
    if JOINTS in features["source"] or MMN_SOURCE in features["source"]:
        problem = "was trained on features of joints, alone or beside others"
        remedy = "its detections of the validation videos are in the folder of its training; in other videos detect "
        raise InputError(detector, problem, remedy + "with a model of `mmad train-pose` or a detector of pixels")
    if not features["settings"]:
        remedy = "retrain it on features of `mmad extract-features` to detect in videos"
        raise InputError(detector, f"was trained on features of unknown origin ({features['source']})", remedy)
    try:
        checkpoint = str(recognizer) if recognizer else None
        extractor = FeatureExtractor(extract_config_of(features["settings"], device), checkpoint)
    except InputError as error:
        if recognizer:
            raise
        raise InputError(error.place, error.problem, f"{NEEDS_RECOGNIZER}, or else: {error.remedy}") from None
    if extractor.source != features["source"]:
        problem = f"makes features {extractor.source}, {detector} knows {features['source']}"
        raise InputError(recognizer or detector, problem, "is it another one?" if recognizer else NEEDS_RECOGNIZER)
    extractor.usual_fps = features["settings"]["stride"] / features["step"]
    return Pipeline(model.to(choose_device(device)), labels, config, extractor)
