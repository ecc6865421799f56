"""From the detector's output to detections in seconds, for videos of any length.

A long video goes through the detector in overlapping windows. Each point of the pyramid belongs to one window, the one
in whose middle it lies, so nothing is seen twice and no seam shows; suppression then runs over the whole video.
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
    coarsest = 2 ** (model.levels - 1)
    found = []
    for first, own_from, own_to in windows(len(track.values), config.window, coarsest):
        values = np.array(track.values[first : first + config.window], dtype=np.float32)
        features = torch.zeros(1, -(-len(values) // coarsest) * coarsest, values.shape[1], device=device)
        features[0, : len(values)] = torch.from_numpy(values).to(device)
        mask = torch.arange(features.shape[1], device=device)[None] < len(values)
        found.append(pick_candidates(model(features, mask), first, own_from, own_to, config))
    return finish(found, track, config)


def windows(steps: int, window: int, multiple: int) -> Iterator[tuple[int, int, int]]:
    """(first step, own from, own to) of overlapping windows: each owns [own from, own to), the middle half of itself.

    Windows begin at multiples of the coarsest stride, so that the pyramid's points are the same in all of them.
    """
    if steps <= window:
        yield 0, 0, steps
        return
    hop = max(window // 2 // multiple, 1) * multiple
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
    """The best-scored (point, class) pairs of one window (batch of one) among the points that it owns."""
    position = output.points.position + first
    owned = output.mask[0] & (position >= own_from) & (position < own_to)
    scores = torch.sigmoid(output.logits[0].float()) * owned[:, None]
    best = torch.topk(scores.flatten(), min(config.candidates, scores.numel()))
    real = best.values > config.min_score
    chosen, values = best.indices[real], best.values[real]
    num_classes = scores.shape[1]
    segments = output.boundaries[0].flatten(0, 1)[chosen].float() + first
    return Candidates(segments, chosen % num_classes, values)


def finish(found: list[Candidates], track: FeatureTrack, config: InferConfig) -> Detections:
    """Seconds, inside the video, suppressed per class; the best `max_detections`, for long videos a window's worth."""
    segments, labels, scores = (
        torch.cat([getattr(item, name) for item in found]) for name in ("segments", "labels", "scores")
    )
    seconds = clip(track.grid.to_seconds(segments.double()), 0.0, track.duration)
    most = config.max_detections * len(found)
    kept, values = suppress(seconds, scores, labels, config.nms, config.sigma, config.iou, config.min_score, most)
    return Detections(
        track.video_id, seconds[kept].cpu().numpy(), labels[kept].cpu().numpy(), values.clamp(0, 1).cpu().numpy()
    )


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
        config.detector.reach = float(features["reach"])
        detector = build_detector(config.detector, int(features["channels"]), len(labels))
        if features["settings"]:
            _extract_config(features["settings"], "cpu")  # what is wrong with them is said here, with the file's name
        if not isinstance(features["source"], str):
            raise TypeError("source is no text")
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise InputError(path, f"does not say what features it reads ({error!r})", "train it again") from None
    load_into(detector, content["model"], path)
    return detector.eval(), labels, config, features


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
