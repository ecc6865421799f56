"""What all readers and writers parse: labels, numbers, times, frames, scores, names of videos. Numpy only."""

import difflib
import re
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import check_id
from mmad.labels import LabelSet
from mmad.records import Annotation, Row

ASSUMED_FPS = 30.0  # of files that count frames, where neither they nor the person say how many a second


# --- labels -----------------------------------------------------------------------------------------------------


def label_id(label, labels: LabelSet, where: str) -> int:
    """The id of a label given by name, by number, or by number in a string."""
    if isinstance(label, str) and label in labels.index:
        return labels.index[label]
    number = _as_whole_number(label)
    if number is not None:
        if 0 <= number < len(labels):
            return number
        raise InputError(where, f"unknown label {label}", f"ids of {labels.name} are 0..{len(labels) - 1}")
    near = difflib.get_close_matches(str(label), labels.actions, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it is not an action of {labels.name}"
    raise InputError(where, f"unknown label {label!r}", hint)


def in_words(label: int, score: float | None, labels: LabelSet) -> str:
    """ "nodding", or with its score "nodding (0.93)": for formats of plain text."""
    return labels.actions[label] if score is None else f"{labels.actions[label]} ({score:.4g})"


def from_words(text: str, labels: LabelSet, where: str) -> tuple[int, float | None]:
    """(label, score) of "nodding" or "nodding (0.93)"."""
    found = None if text in labels.index else re.fullmatch(r"(.*\S)\s*\(([-+.\de]+)\)", text)
    if not found:
        return label_id(text, labels, where), None
    return label_id(found[1], labels, where), score_in_range(found[2], where)


# --- numbers ----------------------------------------------------------------------------------------------------


def _as_whole_number(value) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None


def as_number(value) -> float | None:
    """A number, also one in a text; None of anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def if_positive(value) -> float | None:
    """A number above 0 and below 1e9, also one in a text; None of anything else, such as "NA" or a list."""
    number = as_number(value)
    return number if number is not None and 0 < number < 1e9 else None


def finite_number(value, where: str, name: str) -> float:
    number = as_number(value)
    if number is None or not np.isfinite(number):
        raise InputError(where, f"{name} {value!r} is not a number")
    return number


def score_in_range(value, where: str) -> float:
    score = finite_number(value, where, "score")
    if not 0 <= score <= 1:
        raise InputError(where, f"score {score:g} is outside 0..1", "apply a sigmoid, or divide by the largest")
    return score


# --- times ------------------------------------------------------------------------------------------------------


def check_order(start: float, end: float, where: str) -> None:
    """Refuse a segment in s that ends before it starts, or starts before the video."""
    if end < start:
        raise InputError(where, f"ends before it starts ({start:g} s .. {end:g} s)", "swap or delete it")
    if start < 0:
        raise InputError(where, f"starts at {start:g} s, before the video")


def segment(pair, where: str) -> tuple[float, float]:
    """(start, end) in s of a JSON list of two."""
    if not isinstance(pair, list) or len(pair) != 2:
        raise InputError(where, f"segment {pair!r}", "expected [start, end] in seconds")
    start, end = (finite_number(value, where, "segment") for value in pair)
    if end < start:
        raise InputError(where, f"ends before it starts ({start:g} s .. {end:g} s)", "swap or delete it")
    return start, end


def seconds(start, end, where: str, name: str) -> tuple[float, float]:
    """(start, end) in s of two numbers, 0 <= start <= end."""
    start, end = (finite_number(value, where, name) for value in (start, end))
    if not 0 <= start <= end:
        raise InputError(where, f"{name} {start:g} s .. {end:g} s", "expected 0 <= start <= end")
    return start, end


def milliseconds(start: float, end: float) -> tuple[int, int]:
    """Whole ms of a segment in s, at least 1 ms long and not before the video, for formats of whole milliseconds."""
    first = max(0, round(1000 * start))
    return first, max(first + 1, round(1000 * end))


def timecode(time: int) -> str:
    """hh:mm:ss.mmm of a time in ms."""
    whole, thousandths = divmod(time, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"


# --- frames -----------------------------------------------------------------------------------------------------


def check_fps(fps: float | None) -> float | None:
    """The frames a second that were typed as --fps, None where nothing was; refused where they are no rate."""
    if fps is not None and not 0 < fps < 1e6:
        raise InputError("--fps", f"{fps:g} frames a second", "expected a positive number")
    return fps


def assumption(who: str) -> str:
    """What a person is told where `ASSUMED_FPS` is taken. who: the file, and what in it does not say its rate."""
    return f"{who}: {ASSUMED_FPS:g} frames a second are assumed; else give --fps N (in training data.fps=N)"


def to_frames(start: float, end: float, fps: float) -> tuple[int, int]:
    """(first, last) frame of a segment in s, counted from 1, both inside; at least one frame."""
    first = max(1, 1 + round(start * fps))
    return first, max(first, round(end * fps))


def from_frames(first: float, last: float, fps: float) -> tuple[float, float]:
    """From the start of the first frame to the end of the last, in s; frames count from 1."""
    return (first - 1) / fps, last / fps


def frames(first, last, fps: float, where: str) -> tuple[float, float]:
    """(start, end) in s of the numbers of two frames, checked."""
    first, last = (finite_number(value, where, "frame") for value in (first, last))
    if not 1 <= first <= last:
        raise InputError(where, f"frames {first:g} .. {last:g}", "frames count from 1, and the last comes last")
    return from_frames(first, last, fps)


def rate_of(item: Annotation, form: str) -> float:
    """Frames a second, for formats that speak frames."""
    if item.fps is None:
        raise InputError(item.video_id, f"{form} counts frames, and its frame rate is not known", "give --fps N")
    return item.fps


# --- lists and tables -------------------------------------------------------------------------------------------


def list_of(item: dict, key: str, where: str) -> list[dict]:
    """A list of objects in JSON; empty where the key is missing or null."""
    found = item.get(key) or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InputError(where, f"{key!r} is not a list of objects")
    return found


def are_objects(content, *keys: str) -> bool:
    """Whether these are objects in JSON that all have these keys."""
    return all(isinstance(item, dict) and all(key in item for key in keys) for item in content)


def require_columns(path: Path, header: list[str], wanted: tuple[str, ...], remedy: str = "") -> None:
    missing = [name for name in wanted if name not in header]
    if missing:
        problem = f"no column {', '.join(missing)}"
        raise InputError(f"{path}, line 1", problem, remedy or f"found {', '.join(header)}")


def number_column(path: Path, rows: list[list[str]], index: int, name: str) -> np.ndarray:
    """(N,) float64 of a column of a table, all finite."""
    try:
        values = np.array([row[index] for row in rows], dtype=np.float64)
        if np.isfinite(values).all():
            return values
    except ValueError:
        pass
    return np.array([finite_number(row[index], f"{path}, line {line}", name) for line, row in enumerate(rows, start=2)])


# --- videos -----------------------------------------------------------------------------------------------------


def id_of_file(path: Path, suffix: str) -> str:
    """The name of a file without what its format adds to it, or without its suffix where this is another."""
    name = (
        path.name.removesuffix(suffix) if path.name.endswith(suffix) else path.name[: len(path.name) - len(path.suffix)]
    )
    return check_id(name, str(path))


def from_rows(video_id: str, rows: list[Row], duration: float | None = None, **known) -> Annotation:
    """duration, known: the other fields. Where some rows have a score, those without (added by hand) have score 1."""
    scores = [1.0 if score is None else score for *_, score in rows]
    scored = any(score is not None for *_, score in rows)
    segments, ids = [row[:2] for row in rows], [row[2] for row in rows]
    return Annotation(video_id, duration, segments, ids, scores=scores if scored else None, **known)
