"""What happens in one video, true or found: what the exchange formats are written from and read into. Numpy only."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.records import Annotation, Detections

Row = tuple[float, float, int, float | None]  # start s, end s, label, score
SHORTEST = 0.001  # s; formats of whole milliseconds cannot hold an action that ends where it starts


@dataclass
class Events:
    """Actions of one video. segments: (N, 2) s. labels: (N,). N = 0 is legal.

    scores: (N,) in 0..1, None where a person said so. duration: s, None where the file does not say.
    fps: frames a second, None where nobody said. media: the video file, None where unknown.
    notes: what a reader passed over, a sentence each, to be shown to the person.
    """

    video_id: str
    segments: np.ndarray
    labels: np.ndarray
    scores: np.ndarray | None = None
    duration: float | None = None
    fps: float | None = None
    media: Path | None = None
    subset: str = ""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.segments = np.asarray(self.segments, dtype=np.float64).reshape(-1, 2)
        self.labels = np.asarray(self.labels, dtype=np.int64).reshape(-1)
        if self.scores is not None:
            self.scores = np.asarray(self.scores, dtype=np.float64).reshape(-1)

    def __len__(self) -> int:
        return len(self.labels)

    def length(self) -> float:
        """The duration in s; where it is not known the largest end, and never less than a millisecond."""
        return self.duration or max(SHORTEST, float(self.segments.max(initial=0.0)))

    def annotation(self) -> Annotation:
        return Annotation(self.video_id, self.length(), self.segments, self.labels, self.subset, self.fps)

    def detections(self) -> Detections:
        """What a person said is certain: score 1."""
        scores = np.ones(len(self)) if self.scores is None else self.scores
        return Detections(self.video_id, self.segments, self.labels, scores)

    def rows(self) -> list[Row]:
        """By start, then by end."""
        scores = [None] * len(self) if self.scores is None else self.scores.tolist()
        rows = zip(self.segments[:, 0].tolist(), self.segments[:, 1].tolist(), self.labels.tolist(), scores)
        return sorted(rows, key=lambda row: row[:3])


def from_rows(video_id: str, rows: list[Row], **known) -> Events:
    """known: the other fields. Where some rows have a score, those without (added by hand) have score 1."""
    scores = [1.0 if score is None else score for *_, score in rows]
    scored = any(score is not None for *_, score in rows)
    segments, ids = [row[:2] for row in rows], [row[2] for row in rows]
    return Events(video_id, segments, ids, scores if scored else None, **known)


def from_annotation(item: Annotation) -> Events:
    return Events(item.video_id, item.segments, item.labels, duration=item.duration, fps=item.fps, subset=item.subset)


def from_detections(item: Detections) -> Events:
    return Events(item.video_id, item.segments, item.labels, item.scores)


def keep(events: Events, minimum: np.ndarray | None = None, best: int | None = None) -> Events:
    """Those that reach the least score of their class, minimum (K,), and of these the `best` by score.

    What has no scores is kept whole.
    """
    if events.scores is None:
        return events
    kept = np.arange(len(events)) if minimum is None else np.flatnonzero(events.scores >= minimum[events.labels])
    kept = kept[np.argsort(-events.scores[kept], kind="stable")[:best]]
    return Events(
        events.video_id,
        events.segments[kept],
        events.labels[kept],
        events.scores[kept],
        events.duration,
        events.fps,
        events.media,
        events.subset,
        events.notes,
    )


def milliseconds(start: float, end: float) -> tuple[int, int]:
    """Whole ms of a segment in s, at least 1 ms long and not before the video, for formats of whole milliseconds."""
    first = max(0, round(1000 * start))
    return first, max(first + 1, round(1000 * end))


def lanes(spans: list[tuple[int, int]]) -> list[int]:
    """For each span, in order of start, the first lane in which it overlaps none before it; spans may touch."""
    free_from: list[int] = []
    chosen = []
    for start, end in spans:
        lane = next((i for i, free in enumerate(free_from) if free <= start), len(free_from))
        free_from[lane : lane + 1] = [end]
        chosen.append(lane)
    return chosen


def timecode(time: int) -> str:
    """hh:mm:ss.mmm of a time in ms."""
    seconds, thousandths = divmod(time, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"


def to_frames(start: float, end: float, fps: float) -> tuple[int, int]:
    """(first, last) frame of a segment in s, counted from 1, both inside; at least one frame."""
    first = max(1, 1 + round(start * fps))
    return first, max(first, round(end * fps))


def from_frames(first: float, last: float, fps: float) -> tuple[float, float]:
    """From the start of the first frame to the end of the last, in s; frames count from 1."""
    return (first - 1) / fps, last / fps


def rate_of(events: Events, form: str) -> float:
    """Frames a second, for formats that speak frames."""
    if events.fps is None:
        raise InputError(events.video_id, f"{form} counts frames, and its frame rate is not known", "give --fps N")
    return events.fps
