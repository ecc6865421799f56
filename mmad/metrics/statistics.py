"""Statistics of a set of annotations, and settings that follow from them. Numpy only."""

from dataclasses import dataclass

import numpy as np

from mmad.labels import LabelSet
from mmad.records import Annotation

CUT = 3.5 / 30  # an action that ends this close to the end of its video (three frames) is cut by it, s
STEPS_OF_A_SHORT_ACTION = 5  # the 5 % shortest actions should still span this many feature steps


@dataclass
class Statistics:
    """durations: (V,) s of the videos. counts: (V,) instances in each. lengths: (N,) s of the instances.

    per_class: (K,) instances. overlapping, at_start, at_end: shares of the instances that overlap another one, that
    begin at the start of the video, that end at its end. most_at_once: largest number of simultaneous actions.
    """

    durations: np.ndarray
    counts: np.ndarray
    lengths: np.ndarray
    per_class: np.ndarray
    overlapping: float
    at_start: float
    at_end: float
    most_at_once: int


def annotation_statistics(annotations: list[Annotation], labels: LabelSet) -> Statistics:
    """The statistics of all annotated videos together."""
    segments = [item.segments for item in annotations]
    lengths = np.concatenate([s[:, 1] - s[:, 0] for s in segments] or [np.empty(0)])
    ids = np.concatenate([item.labels for item in annotations] or [np.empty(0, dtype=np.int64)])
    total = max(len(lengths), 1)
    return Statistics(
        durations=np.array([item.duration for item in annotations]),
        counts=np.array([len(item.labels) for item in annotations]),
        lengths=lengths,
        per_class=np.bincount(ids, minlength=len(labels)),
        overlapping=sum(int(overlaps(s).any(axis=1).sum()) for s in segments) / total,
        at_start=sum(int((s[:, 0] <= 1e-6).sum()) for s in segments) / total,
        at_end=sum(int((s[:, 1] >= item.duration - CUT).sum()) for s, item in zip(segments, annotations)) / total,
        most_at_once=max((most_at_once(s) for s in segments), default=0),
    )


def overlaps(segments: np.ndarray) -> np.ndarray:
    """Whether two different segments share more than a point: (N, 2) -> (N, N) bool."""
    start = np.maximum(segments[:, None, 0], segments[None, :, 0])
    end = np.minimum(segments[:, None, 1], segments[None, :, 1])
    return (end > start) & ~np.eye(len(segments), dtype=bool)


def most_at_once(segments: np.ndarray) -> int:
    """Largest number of segments (N, 2) that share a moment."""
    active = (segments[:, None, 0] <= segments[None, :, 0]) & (segments[None, :, 0] < segments[:, None, 1])
    return int(active.sum(axis=0).max(initial=0))


def co_occurrence(annotations: list[Annotation], num_classes: int) -> np.ndarray:
    """(K, K) number of pairs of instances, one of each class, that overlap in time; symmetric.

    On the diagonal: pairs of two instances of the same class.
    """
    pairs = np.zeros((num_classes, num_classes), dtype=np.int64)
    for item in annotations:
        one, other = np.nonzero(overlaps(item.segments))
        np.add.at(pairs, (item.labels[one], item.labels[other]), 1)
    pairs[np.diag_indices(num_classes)] //= 2  # where (a, b) and (b, a) are the same cell
    return pairs


def propose_stride(lengths: np.ndarray, fps: float) -> int:
    """Stride in frames per feature step, a power of two, with which short actions still span several steps."""
    shortest = float(np.quantile(lengths, 0.05)) * fps
    return int(2 ** np.clip(np.floor(np.log2(max(shortest / STEPS_OF_A_SHORT_ACTION, 1))), 0, 4))


def as_text(statistics: Statistics, labels: LabelSet, fps: float) -> str:
    """The statistics as text for people: counts, lengths, overlap, the long tail, and suggested settings."""
    s = statistics
    rows = [f"{len(s.durations)} videos, {len(s.lengths)} instances"]
    if len(s.durations):
        rows.append(
            f"video length s      mean {s.durations.mean():.2f}, {s.durations.min():.2f} - {s.durations.max():.2f}"
        )
        rows.append(f"instances per video mean {s.counts.mean():.2f}, {s.counts.min()} - {s.counts.max()}")
    if not len(s.lengths):
        return "\n".join(rows)
    quantiles = np.quantile(s.lengths, [0.5, 0.05, 0.95])
    rows += [
        f"instance length s   median {quantiles[0]:.2f}, 5 % {quantiles[1]:.2f}, 95 % {quantiles[2]:.2f}, "
        f"{s.lengths.min():.2f} - {s.lengths.max():.2f}",
        f"overlap             {100 * s.overlapping:.1f} % of the instances overlap another, "
        f"{s.most_at_once} at once at most",
        f"cut by the video    {100 * s.at_start:.1f} % begin at its start, {100 * s.at_end:.1f} % end at its end",
    ]
    order = np.argsort(-s.per_class, kind="stable")
    most = ", ".join(f"{labels.actions[k]} {s.per_class[k]}" for k in order[:3])
    least = ", ".join(f"{labels.actions[k]} {s.per_class[k]}" for k in order[::-1][:3])
    rows.append(f"classes             most: {most}; least: {least}; {(s.per_class < 50).sum()} with fewer than 50")
    stride = propose_stride(s.lengths, fps)
    rows.append(f"suggested           stride={stride} frames ({stride / fps:.3f} s per step)")
    return "\n".join(rows)
