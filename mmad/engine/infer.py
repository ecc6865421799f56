"""Pipelines: video in, detections out."""

from pathlib import Path

import numpy as np

from mmad.config import BackboneConfig, DetectionConfig, ExtractConfig, PoseConfig, from_dict
from mmad.engine.checkpoint import labels_of, load_into, read_checkpoint
from mmad.engine.decode import detect_track
from mmad.engine.devices import choose_device
from mmad.engine.extract import Extractor
from mmad.engine.pose_weights import PACKAGED, PosePipeline, load_weights
from mmad.errors import InputError, warn
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.records import Detections, FeatureTrack

WEIGHTS = ".safetensors"  # how files of weights by joints are called


class Pipeline:
    """A trained detector and the extractor whose features it knows: video in, detections out."""

    def __init__(self, detector: Detector, labels: LabelSet, config: DetectionConfig, extractor: Extractor):
        self.detector, self.labels, self.config, self.extractor = detector, labels, config, extractor

    def detect(self, video_path: str | Path) -> Detections:
        """The detections in one video of any length, best first.

        Those in what could be read of a broken video come with a warning; `InputError` where nothing could be read.
        """
        (item,) = self.extractor.extract([(Path(video_path).stem, Path(video_path))])
        if item.track is None:
            raise item.problem
        if item.problem is not None:
            warn(str(item.problem))
        return self.detect_track(item.track)

    def detect_track(self, track: FeatureTrack) -> Detections:
        """The detections in one video whose features are there already."""
        return detect_track(self.detector, track, self.config.infer)


def load_detector(path: str | Path) -> tuple[Detector, LabelSet, DetectionConfig, dict]:
    """(detector in eval mode, its labels, its configuration, the checkpoint's "features": where they came from)."""
    content = read_checkpoint(path, "detector")
    try:
        config = from_dict(DetectionConfig, content["config"], str(path))
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
            _extract_config(features["settings"], "cpu")  # what is wrong with them is said here, with the file's name
        if not (isinstance(features["source"], str) and 0 < features["step"] < np.inf):
            raise TypeError("source is no text, or step is not positive")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(path, f"does not say what features it reads ({error!r})", "train it again") from None
    load_into(detector, content["model"], path)
    _require_sane(detector, path)
    return detector.eval(), labels, config, features


def _require_sane(detector: Detector, path: str | Path) -> None:
    """Numbers that no training leaves behind would only show as videos in which nothing is found."""
    finite = all(value.isfinite().all() for value in detector.state_dict().values())
    positive = (detector.length, detector.probe.deviation)
    if not (finite and all((value > 0).all() for value in positive) and (detector.count >= 0).all()):
        raise InputError(path, "holds weights that are no numbers, or lengths that are not positive", "is it damaged?")


def load_pipeline(
    detector: str | Path | None = None,
    recognizer: str | Path | None = None,
    device: str = "auto",
    pose: PoseConfig | None = None,
) -> Pipeline | PosePipeline:
    """What detects in videos: by joints, without a detector or with one of `mmad train-pose`; or a `Pipeline` from a
    detector checkpoint, and the recognizer whose features it was trained on where it needs one.

    The features are made with the settings that the detector's own were made with; other weights are refused. pose: how
    joints are found, and whose.
    """
    if detector is None or str(detector).endswith(WEIGHTS):
        if recognizer is not None:
            remedy = "give a detector that was trained on its features, or no recognizer"
            raise InputError(recognizer, "is not needed by joints", remedy)
        return PosePipeline(load_weights(detector or PACKAGED), device, pose)
    model, labels, config, features = load_detector(detector)
    if not features["settings"]:
        remedy = "retrain it on features of `mmad extract-features` to detect in videos"
        raise InputError(detector, f"was trained on features of unknown origin ({features['source']})", remedy)
    try:
        extractor = Extractor(_extract_config(features["settings"], device), str(recognizer) if recognizer else None)
    except InputError as error:
        if recognizer:
            raise
        raise InputError(error.place, error.problem, f"{NEEDS_RECOGNIZER}, or else: {error.remedy}") from None
    if extractor.source != features["source"]:
        problem = f"makes features {extractor.source}, {detector} knows {features['source']}"
        raise InputError(recognizer or detector, problem, "is it another one?" if recognizer else NEEDS_RECOGNIZER)
    extractor.usual_fps = features["settings"]["stride"] / features["step"]
    return Pipeline(model.to(choose_device(device)), labels, config, extractor)


NEEDS_RECOGNIZER = "give the recognizer that the detector was trained with as --recognizer"


def _extract_config(settings: dict, device: str) -> ExtractConfig:
    """The configuration that made features with these settings; the weights are the package's or a recognizer's."""
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
