"""From the detector's output to detections in seconds, for videos of any length.

A long video goes through the detector in overlapping windows. Each step belongs to one window, the one in whose middle
it lies, so nothing is seen twice and no seam shows; suppression then runs over the whole video.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmad.config import BackboneConfig, DetectionConfig, ExtractConfig, InferConfig, from_dict
from mmad.engine.checkpoint import labels_of, load_into, read_checkpoint
from mmad.engine.extract import Extractor, choose_device
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import Detector, DetectorOutput
from mmad.ops.segments import clip, suppress
from mmad.records import Detections, FeatureTrack


@dataclass
class Candidates:
    """What may become detections. segments: (M, 2) steps of the whole video. labels, scores: (M,)."""

    segments: Tensor
    labels: Tensor
    scores: Tensor


@torch.inference_mode()
def detect_track(model: Detector, track: FeatureTrack, config: InferConfig) -> Detections:
    """The detections in one video from its features. The model is in eval mode; its device is used."""
    device = next(model.parameters()).device
    found = []
    for first, own_from, own_to in windows(len(track.values), config.window):
        values = np.array(track.values[first : first + config.window], dtype=np.float32)
        features = torch.from_numpy(values).to(device)[None]
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=device)
        found.append(pick_candidates(model(features, mask), first, own_from, own_to, config))
    return finish(found, track, config)


def windows(steps: int, window: int) -> Iterator[tuple[int, int, int]]:
    """(first step, own from, own to) of overlapping windows, each the owner of its middle half."""
    if steps <= window:
        yield 0, 0, steps
        return
    hop = max(window // 2, 1)
    margin = (window - hop) // 2
    first, own_from = 0, 0
    while True:
        last = first + window >= steps
        own_to = steps if last else first + margin + hop
        yield first, own_from, own_to
        if last:
            return
        first, own_from = first + hop, own_to


def pick_candidates(output: DetectorOutput, first: int, own_from: int, own_to: int, config: InferConfig) -> Candidates:
    """The best-scored (class, step) pairs of one window (batch of one) among the steps that it owns."""
    scores = torch.sigmoid(output.curves.logits.float())  # (K, T): a batch of one has a row for each class
    scores = scores[:, own_from - first : own_to - first]
    best = torch.topk(scores.flatten(), min(config.candidates, scores.numel()))
    real = best.values > config.min_score
    chosen, values = best.indices[real], best.values[real]
    labels, steps = chosen // scores.shape[1], chosen % scores.shape[1] + own_from - first
    segments = output.curves.segments(labels, steps).sort(dim=1).values
    return Candidates(segments.float() + first, labels, values)


def finish(found: list[Candidates], track: FeatureTrack, config: InferConfig) -> Detections:
    """Seconds, inside the video, suppressed per class; the best `max_detections`, for long videos a window's worth."""
    segments, labels, scores = (
        torch.cat([getattr(item, name) for item in found]).cpu() for name in ("segments", "labels", "scores")
    )
    seconds = clip(track.grid.to_seconds(segments.double()), 0.0, track.duration)
    most = config.max_detections * len(found)
    kept, values = suppress(seconds, scores, labels, config.nms, config.sigma, config.iou, config.min_score, most)
    return Detections(track.video_id, seconds[kept].numpy(), labels[kept].numpy(), values.clamp(0, 1).numpy())


class Pipeline:
    """A trained detector and the extractor whose features it knows: video in, detections out."""

    def __init__(self, detector: Detector, labels: LabelSet, config: DetectionConfig, extractor: Extractor):
        self.detector, self.labels, self.config, self.extractor = detector, labels, config, extractor

    def detect(self, video_path: str | Path) -> Detections:
        """The detections in one video of any length, best first."""
        (item,) = self.extractor.extract([(Path(video_path).stem, Path(video_path))])
        if item.problem is not None:
            raise item.problem
        return self.detect_track(item.track)

    def detect_track(self, track: FeatureTrack) -> Detections:
        """The detections in one video whose features are there already."""
        return detect_track(self.detector, track, self.config.infer)


def load_detector(path: str | Path) -> tuple[Detector, LabelSet, DetectionConfig, dict]:
    """(detector in eval mode, its labels, its configuration, the checkpoint's "features": where they came from)."""
    content = read_checkpoint(path, "detector")
    config = from_dict(DetectionConfig, content["config"], str(path))
    labels = labels_of(content, path)
    features = content.get("features")
    try:
        channels = int(features["channels"])
        if content["model"]["evidence.mean"].shape != (channels,):
            raise ValueError(f"{channels} channels")
        detector = build_detector(config.detector, channels, labels)
        if features["settings"]:
            _extract_config(features["settings"], "cpu")  # what is wrong with them is said here, with the file's name
        if not isinstance(features["source"], str):
            raise TypeError("source is no text")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(path, f"does not say what features it reads ({error!r})", "train it again") from None
    load_into(detector, content["model"], path)
    _require_sane(detector, path)
    return detector.eval(), labels, config, features


def _require_sane(detector: Detector, path: str | Path) -> None:
    """Numbers that no training leaves behind would only show as videos in which nothing is found."""
    finite = all(value.isfinite().all() for value in detector.state_dict().values())
    positive = (detector.length, detector.evidence.deviation, detector.evidence.scale)
    if not (finite and all((value > 0).all() for value in positive) and (detector.count >= 0).all()):
        raise InputError(path, "holds weights that are no numbers, or lengths that are not positive", "is it damaged?")


def load_pipeline(detector: str | Path, recognizer: str | Path | None = None, device: str = "auto") -> Pipeline:
    """A `Pipeline` from a detector checkpoint, and the recognizer whose features it was trained on where it needs one.

    The features are made with the settings that the detector's own were made with; other weights are refused.
    """
    model, labels, config, features = load_detector(detector)
    if not features["settings"]:
        remedy = "retrain it on features from tools/extract_features.py to detect in videos"
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
