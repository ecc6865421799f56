"""Postprocessing: from the detector's dense predictions to detections in seconds, for videos of any length.

A long video goes through the detector in overlapping windows. Each step belongs to the window whose middle half
contains it, and the predictions of all windows are joined before boundaries are read from them. A window contains
everything that influences its middle half, so the detections do not depend on where the video was cut.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mmad.config import InferConfig
from mmad.models.detector import Detector
from mmad.ops.dense_predictions import DensePredictions, join_windows
from mmad.ops.nms import batched_nms, vote_segments
from mmad.ops.segments import clip
from mmad.records import Detections, FeatureTrack

REFINED_AT_ONCE = 8192  # candidates; bounds memory to some 100 MB


@torch.inference_mode()
def detect_track(model: Detector, track: FeatureTrack, config: InferConfig) -> Detections:
    """The detections in one video from its features. The model is in eval mode; its device is used."""
    predictions = predict_track(model, track, config.window)
    # `candidates` and `max_detections` are meant per `window` steps, so a long video gets more.
    num_windows = -(-len(track.values) // config.window)
    segments, labels, scores = pick_candidates(predictions, num_windows * config.candidates, config.min_score)
    segments = clip(track.grid.to_seconds(segments), 0.0, track.duration)
    groups = labels if config.per_class else torch.zeros_like(labels)
    limits = replace(config, max_detections=num_windows * config.max_detections)
    kept, kept_scores = batched_nms(segments, scores, groups, limits)
    kept_segments = segments[kept]
    if config.vote:
        for group in groups[kept].unique():
            candidates, found = groups == group, groups[kept] == group
            kept_segments[found] = vote_segments(
                kept_segments[found], segments[candidates], scores[candidates].double(), config.vote
            )
    return Detections(track.video_id, kept_segments.numpy(), labels[kept].numpy(), kept_scores.clamp(0, 1).numpy())


def predict_track(model: Detector, track: FeatureTrack, window: int) -> DensePredictions:
    """Predictions for every class (K pairs) along the whole video, `window` steps at a time."""
    device = next(model.parameters()).device
    of_windows = []
    for first, own_from, own_to in windows(len(track.values), window):
        features = torch.from_numpy(np.array(track.values[first : first + window], dtype=np.float32)).to(device)[None]
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=device)
        of_windows.append(model(features, mask).predictions.crop(own_from - first, own_to - first))
    return join_windows(of_windows)


def windows(steps: int, window: int) -> Iterator[tuple[int, int, int]]:
    """(first step, own from, own to) of overlapping windows of `window` steps in all, each owning its middle half.

    The first window also owns what is before its middle half, the last one what is behind it.
    """
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


def pick_candidates(predictions: DensePredictions, most: int, min_score: float) -> tuple[Tensor, Tensor, Tensor]:
    """The `most` best-scored (class, step) pairs of one video with a score above `min_score`, on the CPU.

    predictions: one pair per class. Returns segments (M, 2) float64 in steps, labels (M,), scores (M,) in 0..1.
    """
    scores = torch.sigmoid(predictions.logits.float())  # (K, T)
    best = torch.topk(scores.flatten(), min(most, scores.numel()))
    above = best.values > min_score
    chosen, scores = best.indices[above], best.values[above]
    labels, steps = chosen // predictions.logits.shape[1], chosen % predictions.logits.shape[1]
    blocks = zip(labels.split(REFINED_AT_ONCE), steps.split(REFINED_AT_ONCE))
    boundaries = torch.cat([predictions.boundaries(*block).cpu() for block in blocks])
    steps = steps.cpu().double()[:, None]
    return (steps + boundaries).sort(dim=1).values, labels.cpu(), scores.cpu()
