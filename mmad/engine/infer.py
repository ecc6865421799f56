"""From the detector's output to detections in seconds, for videos of any length.

A long video goes through the detector in overlapping windows. Each step belongs to one window, the one in whose middle
it lies, and what is said of the steps is put together again before boundaries are read from it: a window holds all
that bears on its middle, so the detections do not depend on where the video was cut.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmad.config import BackboneConfig, DetectionConfig, ExtractConfig, InferConfig, from_dict
from mmad.engine.checkpoint import labels_of, load_into, read_checkpoint
from mmad.engine.extract import Extractor, choose_device
from mmad.errors import InputError, warn
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.ops.curves import Curves, side_by_side
from mmad.ops.segments import clip, suppress, vote
from mmad.records import Detections, FeatureTrack

PAIRS = 8192  # candidates whose boundaries are refined at once: bounds memory, some 100 MB


@torch.inference_mode()
def detect_track(model: Detector, track: FeatureTrack, config: InferConfig) -> Detections:
    """The detections in one video from its features. The model is in eval mode; its device is used."""
    curves = whole_curves(model, track, config.window)
    stretches = -(-len(track.values) // config.window)
    segments, labels, scores = pick_candidates(curves, stretches * config.candidates, config.min_score)
    segments = clip(track.grid.to_seconds(segments), 0.0, track.duration)
    groups = labels if config.per_class else torch.zeros_like(labels)
    most = stretches * config.max_detections
    kept, values = suppress(segments, scores, groups, config.nms, config.sigma, config.iou, config.min_score, most)
    found = segments[kept]
    if config.vote:
        for group in groups[kept].unique():
            voters = groups == group
            mine = groups[kept] == group
            found[mine] = vote(found[mine], segments[voters], scores[voters].double(), config.vote)
    return Detections(track.video_id, found.numpy(), labels[kept].numpy(), values.clamp(0, 1).numpy())


def whole_curves(model: Detector, track: FeatureTrack, window: int) -> Curves:
    """What the model says of each class (K rows) along the whole video, seen `window` steps at a time."""
    device = next(model.parameters()).device
    parts = []
    for first, own_from, own_to in windows(len(track.values), window):
        features = torch.from_numpy(np.array(track.values[first : first + window], dtype=np.float32)).to(device)[None]
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=device)
        parts.append(model(features, mask).curves.stretch(own_from - first, own_to - first))
    return side_by_side(parts)


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


def pick_candidates(curves: Curves, most: int, min_score: float) -> tuple[Tensor, Tensor, Tensor]:
    """The best-scored (class, step) pairs of one video: segments (M, 2) float64 steps, labels (M,), scores (M,); on the
    CPU."""
    scores = torch.sigmoid(curves.logits.float())  # (K, T)
    best = torch.topk(scores.flatten(), min(most, scores.numel()))
    real = best.values > min_score
    chosen, scores = best.indices[real], best.values[real]
    labels, steps = chosen // curves.logits.shape[1], chosen % curves.logits.shape[1]
    pairs = [curves.boundaries(*some).cpu() for some in zip(labels.split(PAIRS), steps.split(PAIRS))]
    steps = steps.cpu().double()[:, None]
    return (steps + torch.cat(pairs)).sort(dim=1).values, labels.cpu(), scores.cpu()


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
