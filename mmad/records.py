"""The records that the parts of mmad exchange. Files, records and metrics are in seconds, networks in feature steps."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class TimeGrid:
    """The times of a sequence of feature steps: step i is centred on `start + i * step` seconds.

    All conversions between seconds and feature steps go through it; they take and return numbers, arrays or tensors.
    """

    start: float
    step: float

    def __post_init__(self):
        if not (np.isfinite(self.start) and np.isfinite(self.step) and self.step > 0):
            raise InputError("TimeGrid", f"start {self.start} s, step {self.step} s", "the step must be positive")

    def to_seconds(self, index):
        return self.start + index * self.step

    def to_index(self, seconds):
        return (seconds - self.start) / self.step


Row = tuple[float, float, int, float | None]  # start s, end s, label, score
SHORTEST = 0.001  # s; a video of unknown length is at least this long


@dataclass
class Annotation:
    """The actions in one video as people annotated them, or, with scores, as they were detected, for people to correct.

    duration: s; None where it is unknown: it then ends with the last action, and `duration_known` is False.
    segments: (N, 2) float64 s, start and end. labels: (N,) int64. N = 0 is legal: no action.
    subset: the part of the data set it belongs to, "" where the file does not give it.
    fps: frames per second of the video, None where unknown. scores: (N,) float64 in 0..1; None: annotated by people.
    media: the video's file, None where unknown. notes: what a reader skipped, one sentence each, to be shown.
    link: the name of the video's file in an annotation file, where that is not its id.
    clock_start: s that a player's clock shows at the first shown frame, which is 0 s here; later than 0 where the sound
    begins before the picture.

    `Detections` are a record of their own: a ranking that always has scores, and whose order metrics evaluate. So the
    one cannot be passed where the other is expected.
    """

    video_id: str
    duration: float | None
    segments: np.ndarray
    labels: np.ndarray
    subset: str = ""
    fps: float | None = None
    scores: np.ndarray | None = None
    media: Path | None = None
    notes: list[str] = field(default_factory=list)
    duration_known: bool = True
    link: str = ""
    clock_start: float = 0.0

    def __post_init__(self):
        where = f"annotation of {self.video_id}"
        self.segments = _as_pairs(where, self.segments)
        self.labels = np.asarray(self.labels, dtype=np.int64).reshape(-1)
        _check_segments(where, self.segments, self.labels)
        if self.scores is not None:
            self.scores = _as_scores(where, self.scores, self.labels)
        if self.duration is None:
            self.duration = max(SHORTEST, float(self.segments.max(initial=0.0)))
            self.duration_known = False
        if not (np.isfinite(self.duration) and self.duration > 0):
            raise InputError(f"annotation of {self.video_id}", f"duration {self.duration} s is not positive")

    @property
    def known_duration(self) -> float | None:
        """s; None where the duration is not known: what a copy with other segments is given."""
        return self.duration if self.duration_known else None

    def rows(self) -> list[Row]:
        """(start, end, label, score) of each action, by start, then by end."""
        scores = [None] * len(self.labels) if self.scores is None else self.scores.tolist()
        rows = zip(self.segments[:, 0].tolist(), self.segments[:, 1].tolist(), self.labels.tolist(), scores)
        return sorted(rows, key=lambda row: row[:3])

    def detections(self) -> "Detections":
        """As a ranking; annotations by people have score 1."""
        scores = np.ones(len(self.labels)) if self.scores is None else self.scores
        return Detections(self.video_id, self.segments, self.labels, scores)


class Rows(Protocol):
    """(T, C) float32 values: a numpy array, or rows in a file that are read when they are sliced."""

    shape: tuple[int, ...]
    ndim: int

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> np.ndarray: ...


@dataclass
class FeatureTrack:
    """The features of one video: `values` (T, C) float32, row i centred on `grid.to_seconds(i)`.

    Values in a file are read when they are sliced: slice once, and only the rows that are needed.
    duration: of the video, s. source: backbone, digest of its weights, and settings; features of another source are
    refused. details: further content of the sidecar file; "video" identifies the video file (its size and a digest of
    its beginning and end), so that another one under the same name is noticed.
    """

    video_id: str
    values: Rows
    grid: TimeGrid
    duration: float
    source: str = ""
    details: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.values.ndim != 2 or self.values.shape[0] == 0:
            raise InputError(
                f"features of {self.video_id}", f"shape {self.values.shape}", "expected (steps, channels), steps > 0"
            )


@dataclass
class LandmarkTrack:
    """The joints of one person in one video.

    points: (T, J, 3) float32: x to the right and y down, in picture heights, from the top left corner, and confidence
    0..1; a joint that was not seen has x = y = NaN and confidence 0. times: (T,) s, ascending. layout: which joints
    they are, a key of `mmad.pose.skeletons.LAYOUTS`. size: (2,) width and height of the picture, pixels. person: 0, 1,
    ... of several people in one video. duration: of the video, s; 0: it ends one step after the last time. source,
    details: as in `FeatureTrack`.
    """

    video_id: str
    points: np.ndarray
    times: np.ndarray
    layout: str
    size: np.ndarray
    person: int = 0
    duration: float = 0.0
    source: str = ""
    details: dict = field(default_factory=dict)

    def __post_init__(self):
        where = f"landmarks of {self.video_id}"
        points = np.array(self.points, dtype=np.float32)
        self.times, self.size = np.asarray(self.times, dtype=np.float64), np.asarray(self.size, dtype=np.int64)
        if points.ndim != 3 or points.shape[2] != 3 or not len(points):
            raise InputError(where, f"points of shape {points.shape}", "expected (times, joints, 3), times > 0")
        if self.times.shape != points.shape[:1]:
            raise InputError(where, f"{self.times.size} times for {len(points)} rows of points")
        if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
            raise InputError(where, "its times do not ascend", "give each row its time in s")
        if self.size.shape != (2,) or (self.size <= 0).any():
            raise InputError(
                where, f"size {self.size.tolist()}", "expected the width and height of the picture, pixels"
            )
        seen = np.isfinite(points).all(axis=2) & (points[:, :, 2] > 0)
        if (points[seen][:, 2] > 1).any():
            raise InputError(where, f"confidence {points[seen][:, 2].max():g}", "expected 0..1")
        points[~seen] = (np.nan, np.nan, 0.0)
        self.points = points
        if not self.duration:
            self.duration = float(self.times[-1] + (np.median(np.diff(self.times)) if len(self.times) > 1 else 0.04))
        if not (np.isfinite(self.duration) and self.duration > 0):
            raise InputError(where, f"duration {self.duration} s is not positive")

    @property
    def seen(self) -> np.ndarray:
        """(T, J) bool: whether a joint was found."""
        return self.points[:, :, 2] > 0


@dataclass
class Detections:
    """The detected actions of one video, best first.

    segments: (M, 2) float64 s. labels: (M,) int64. scores: (M,) float64 in [0, 1]. M = 0 is legal.
    Unsorted input is sorted by descending score; equal scores keep their order.
    """

    video_id: str
    segments: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def __post_init__(self):
        where = f"detections in {self.video_id}"
        segments = _as_pairs(where, self.segments)
        labels = np.asarray(self.labels, dtype=np.int64).reshape(-1)
        _check_segments(where, segments, labels)
        scores = _as_scores(where, self.scores, labels)
        order = np.argsort(-scores, kind="stable")
        self.segments, self.labels, self.scores = segments[order], labels[order], scores[order]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, which: np.ndarray | slice | list[int]) -> "Detections":
        """Some of them: by a mask (M,), by indices, or the first ones by a slice."""
        return Detections(self.video_id, self.segments[which], self.labels[which], self.scores[which])

    def to_dataframe(self, labels: LabelSet = MMA52) -> "pandas.DataFrame":
        """One row per detection, best first, with columns of the names that predictions.csv has: video_id, t_start and
        t_end (s), class, score, body_part. labels: those of the detector.

        `InputError` where pandas is not installed, or where a detection has a label that is not in `labels`.
        """
        try:
            import pandas
        except ImportError:
            raise InputError("pandas", "is not installed", 'type: pip install "mmad[notebook]"') from None
        if len(self) and self.labels.max() >= len(labels):
            where, problem = f"detections in {self.video_id}", f"label {self.labels.max()} is not in {labels.name}"
            raise InputError(where, problem, "give the label set of the detector: to_dataframe(pipeline.labels)")
        return pandas.DataFrame(
            {
                "video_id": [self.video_id] * len(self),
                "t_start": self.segments[:, 0],
                "t_end": self.segments[:, 1],
                "class": [labels.actions[label] for label in self.labels],
                "score": self.scores,
                "body_part": [labels.parts[labels.part_of[label]] for label in self.labels],
            }
        )


@dataclass
class ApReport:
    """Average precision of every class at every tIoU threshold.

    thresholds: (J,). ap: (J, K) in [0, 1], NaN for a class without truth. num_truth: (K,). names: K class names.
    without_truth: names of classes that were predicted but have no truth; they are left out of every mean.
    """

    thresholds: np.ndarray
    ap: np.ndarray
    num_truth: np.ndarray
    names: list[str]
    without_truth: list[str] = field(default_factory=list)

    def mean_ap(self) -> np.ndarray:
        """(J,) mean over the classes that have truth; NaN if none has."""
        has_truth = self.num_truth > 0
        return self.ap[:, has_truth].mean(axis=1) if has_truth.any() else np.full(len(self.thresholds), np.nan)

    def average(self) -> float:
        """Mean over all thresholds: "Avg 0.1:0.9"."""
        return float(self.mean_ap().mean())

    def average_at(self, thresholds: tuple[float, ...] = (0.2, 0.5, 0.7)) -> float:
        """Mean over the nearest thresholds to these; MAC 2026 ranks by the default."""
        at = [int(np.argmin(np.abs(self.thresholds - wanted))) for wanted in thresholds]
        return float(self.mean_ap()[at].mean())


def content_digest(parts: Iterable) -> str:
    """Twelve hexadecimal digits that change when any part or their order does. parts: strings, numbers, arrays."""
    digest = hashlib.sha256()
    for part in parts:
        array = np.ascontiguousarray(part)
        digest.update(f"{array.dtype.str} {np.shape(part)} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def settings_digest(settings: dict) -> str:
    """Eight hexadecimal digits that change when any setting does. settings: what JSON can hold."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def annotations_digest(annotations: Iterable[Annotation]) -> str:
    """Digest of their content and order: training depends on both."""
    items = ((item.video_id, item.duration, item.segments, item.labels) for item in annotations)
    return content_digest(part for item in items for part in item)


def _as_pairs(where: str, segments) -> np.ndarray:
    segments = np.asarray(segments, dtype=np.float64)
    if segments.size and (segments.ndim != 2 or segments.shape[1] != 2):
        raise InputError(where, f"segments of shape {segments.shape}", "expected (N, 2): start and end")
    return segments.reshape(-1, 2)


def _as_scores(where: str, scores, labels: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64).reshape(-1)
    if len(scores) != len(labels):
        raise InputError(where, f"{len(scores)} scores for {len(labels)} labels")
    if not ((scores >= 0) & (scores <= 1)).all():  # NaN fails both
        raise InputError(where, "a score is not a number in 0..1")
    return scores


def _check_segments(where: str, segments: np.ndarray, labels: np.ndarray) -> None:
    if len(segments) != len(labels):
        raise InputError(where, f"{len(segments)} segments for {len(labels)} labels")
    if not np.isfinite(segments).all():
        raise InputError(where, "a segment has a time that is not a number")
    if (segments[:, 1] < segments[:, 0]).any():
        start, end = segments[np.argmax(segments[:, 1] < segments[:, 0])]
        raise InputError(where, f"a segment ends before it starts ({start:g} s .. {end:g} s)")
    if (labels < 0).any():
        raise InputError(where, f"label {labels.min()} is negative")
