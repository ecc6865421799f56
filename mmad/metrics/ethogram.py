"""Ethogram: how often and how long each action happens, as behaviour researchers report it. Numpy only."""

from dataclasses import dataclass

import numpy as np

from mmad.labels import LabelSet
from mmad.records import Annotation

COLUMNS = ("level", "name", "count", "total_s", "mean_s", "share_of_time", "rate_per_minute")


@dataclass
class Ethogram:
    """V videos and K names: all actions, or all body parts.

    level: "action" or "body part". durations: (V,) s. counts: (V, K). totals: (V, K) s, sum of the lengths. covered:
    (V, K) s in which at least one is in progress: less than the total where some overlap.
    """

    level: str
    video_ids: list[str]
    names: list[str]
    durations: np.ndarray
    counts: np.ndarray
    totals: np.ndarray
    covered: np.ndarray

    def mean_s(self) -> np.ndarray:
        """(V, K) mean length, s; NaN where there is none."""
        return np.divide(self.totals, self.counts, out=np.full(self.totals.shape, np.nan), where=self.counts > 0)

    def share_of_time(self) -> np.ndarray:
        """(V, K) share of the duration that is covered, in 0..1."""
        return self.covered / self.durations[:, None]

    def rate_per_minute(self) -> np.ndarray:
        """(V, K) actions per minute of video."""
        return self.counts / (self.durations[:, None] / 60)

    def together(self) -> "Ethogram":
        """All videos as one (V = 1), so that long videos weigh more than short ones."""
        sums = [array.sum(axis=0, keepdims=True) for array in (self.durations, self.counts, self.totals, self.covered)]
        return Ethogram(self.level, ["all"], self.names, *sums)


def ethogram(annotations: list[Annotation], labels: LabelSet) -> tuple[Ethogram, Ethogram]:
    """The ethograms of the actions and of the body parts. Names that do not occur have zeros."""
    actions = _count(annotations, "action", list(labels.actions), np.arange(len(labels)))
    return actions, _count(annotations, "body part", list(labels.parts), np.asarray(labels.part_of))


def _count(annotations: list[Annotation], level: str, names: list[str], class_of: np.ndarray) -> Ethogram:
    shape = (len(annotations), len(names))
    counts, totals, covered = np.zeros(shape, dtype=np.int64), np.zeros(shape), np.zeros(shape)
    for v, item in enumerate(annotations):
        classes = class_of[item.labels]
        for k in np.unique(classes):
            segments = item.segments[classes == k]
            counts[v, k] = len(segments)
            totals[v, k] = (segments[:, 1] - segments[:, 0]).sum()
            covered[v, k] = union_length(np.clip(segments, 0, item.duration))
    durations = np.array([item.duration for item in annotations], dtype=np.float64)
    return Ethogram(level, [item.video_id for item in annotations], names, durations, counts, totals, covered)


def union_length(segments: np.ndarray) -> float:
    """Seconds covered by at least one of (N, 2) segments."""
    segments = segments[np.argsort(segments[:, 0], kind="stable")]
    reached = np.maximum.accumulate(segments[:, 1])
    before = np.concatenate([segments[:1, 0], reached[:-1]])  # end of what earlier segments cover
    return float(np.clip(segments[:, 1] - np.maximum(segments[:, 0], before), 0, None).sum())


def as_rows(table: Ethogram) -> list[list]:
    """Rows of [video, *COLUMNS], one per video and name; the mean is empty where there is none."""
    means, shares, rates = table.mean_s(), table.share_of_time(), table.rate_per_minute()
    rows = []
    for v, video_id in enumerate(table.video_ids):
        for k, name in enumerate(table.names):
            mean = "" if np.isnan(means[v, k]) else f"{means[v, k]:.3f}"
            values = [f"{table.totals[v, k]:.3f}", mean, f"{shares[v, k]:.6f}", f"{rates[v, k]:.4f}"]
            rows.append([video_id, table.level, name, int(table.counts[v, k]), *values])
    return rows


def as_table(table: Ethogram, most: int = 10) -> str:
    """The most frequent ones over all videos, as text."""
    whole = table.together()
    means, shares, rates = whole.mean_s()[0], whole.share_of_time()[0], whole.rate_per_minute()[0]
    lines = [f"{table.level:<32}{'count':>7}{'mean s':>9}{'% of time':>11}{'per minute':>12}"]
    for k in np.argsort(-whole.counts[0], kind="stable")[:most]:
        if whole.counts[0, k]:
            values = f"{whole.counts[0, k]:>7}{means[k]:>9.2f}{100 * shares[k]:>11.2f}{rates[k]:>12.3f}"
            lines.append(f"{table.names[k]:<32}{values}")
    return "\n".join(lines)
