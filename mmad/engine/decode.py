"""From the detector's output to detections in seconds, for videos of any length.

A long video goes through the detector in overlapping windows. Each step belongs to one window, the one in whose middle
it lies, and what is said of the steps is put together again before boundaries are read from it: a window holds all
that bears on its middle, so the detections do not depend on where the video was cut.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mmad.config import InferConfig
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
