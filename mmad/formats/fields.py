"""What all readers and writers parse: labels, numbers, times, frames, scores, names of videos. Numpy only."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlparse

import numpy as np

from mmad.errors import InputError
from mmad.files import check_id
from mmad.formats.source import ReadOptions
from mmad.formats.tables import Table
from mmad.labels import LabelSet
from mmad.records import Annotation, Row

NEARLY = 0.85  # how alike a name and an action are (difflib), from which on it is taken for a slip
OTHER_LABELS = "--labels FILE, or data.labels=FILE for training"
ASSUMED_FPS = 30.0  # of files that count frames, where neither they nor the user give the rate


# --- labels -----------------------------------------------------------------------------------------------------


class UnknownLabel(InputError):
    """A name that is not an action of the label set. name: as it stands in the file. near: an action that is nearly
    called so, "" where there is none."""

    def __init__(self, where: str, name, labels: LabelSet):
        self.name = str(name)
        near = difflib.get_close_matches(str(name), labels.actions, n=1)
        self.near = near[0] if near and difflib.get_close_matches(str(name), near, cutoff=NEARLY) else ""
        hint = f"did you mean {near[0]!r}?" if near else f"it is not an action of {labels.name}"
        super().__init__(where, f"unknown label {name!r}", hint)


def label_id(label, labels: LabelSet, where: str) -> int:
    """The id of a label given by name, by number, or by number in a string."""
    found = labels.find(label) if isinstance(label, str) else None
    if found is not None:
        return found
    number = _as_whole_number(label)
    if number is not None:
        if 0 <= number < len(labels):
            return number
        ids = f"ids of {labels.name} are 0..{len(labels) - 1}"
        raise InputError(where, f"unknown label {label}", f"{ids}; name another set with {OTHER_LABELS}")
    raise UnknownLabel(where, label, labels)


def in_words(label: int, score: float | None, labels: LabelSet) -> str:
    """ "nodding", or with its score "nodding (0.93)": for formats of plain text."""
    return labels.actions[label] if score is None else f"{labels.actions[label]} ({score:.4g})"


def from_words(text: str, labels: LabelSet, where: str) -> tuple[int, float | None]:
    """(label, score) of "nodding" or "nodding (0.93)"."""
    found = None if labels.find(text) is not None else re.fullmatch(r"(.*\S)\s*\(([-+.\de]+)\)", text)
    if not found:
        return label_id(text, labels, where), None
    return label_id(found[1], labels, where), score_in_range(found[2], where)


# --- what is left out -------------------------------------------------------------------------------------------


class LeftOut:
    """What a reader does not take over from one file, counted, each kind with an example.

    One rule for all programs' files. What is wrong (times that are not times, a name that is nearly that of an action)
    is a problem. What is not about actions in time (other codings, remarks, point events) is counted and named. Where
    nothing else is in the file, that too is a problem: it is the wrong file, or the wrong label set.

    things: what the program calls an annotation, such as "annotations".
    """

    def __init__(self, path: Path, options: ReadOptions, things: str):
        self.path, self.options, self.things = path, options, things
        self.counts: dict[tuple[str, str], int] = {}
        self.examples: dict[tuple[str, str], str] = {}
        self.names: list[str] = []
        self.first: UnknownLabel | None = None

    def add(self, sentence: str, example: str = "", place: str = "") -> None:
        """One more of a kind. sentence: as it stands behind the count, such as "point events have no duration".

        place: where in the file, if each place has a count of its own.
        """
        kind = (place or str(self.path), sentence)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.examples.setdefault(kind, example)

    def unknown(self, error: "UnknownLabel") -> None:
        """One more name that is not an action: a slip where it is nearly one, else of another coding."""
        if error.near:
            self.options.on_problem(error)
        else:
            self.other(error.name)
            self.first = self.first or error

    def other(self, name: str) -> None:
        """One more name that is not an action, in files that hold free text too."""
        self.names.append(name)

    def notes(self, num_read: int, empty: bool = False) -> list[str]:
        """A sentence for each kind.

        num_read: actions that were read. Where there are none and something was left out, that is a problem, unless
        `empty`: the file is known to be about these actions.
        """
        notes = []
        if self.names:
            example = min(self.names)
            notes.append(f"{self.path}: {len(self.names)} {self.things} are no action, such as {example!r}")
        for (place, sentence), count in self.counts.items():
            example = self.examples[place, sentence]
            notes.append(f"{place}: {count} {sentence}" + (f", such as {example!r}" if example else ""))
        if num_read or empty or not notes or not self.options.alone:
            return notes
        self.options.on_problem(self._nothing_left(notes))
        return []

    def _nothing_left(self, notes: list[str]) -> InputError:
        if self.first and len(self.names) == 1:
            return self.first
        if self.names:
            problem = f"none of its {len(self.names)} {self.things} is an action of {self.options.labels.name}"
            example = min(self.names)
            near = difflib.get_close_matches(example, self.options.labels.actions, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "is it annotated with these actions? else give --labels"
            return InputError(self.path, f"{problem}, such as {example!r}", hint)
        problem = f"no action in it: {notes[0].removeprefix(f'{self.path}: ')}"
        return InputError(self.path, problem, "is it the right file?")


# --- numbers ----------------------------------------------------------------------------------------------------


def _as_whole_number(value) -> int | None:
    number = as_number(value)
    return int(number) if number is not None and number.is_integer() else None


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
    _check_direction(start, end, where)
    if start < 0:
        raise InputError(where, f"starts at {start:g} s, before the video")


def segment(pair, where: str) -> tuple[float, float]:
    """(start, end) in s of a JSON list of two."""
    if not isinstance(pair, list) or len(pair) != 2:
        raise InputError(where, f"segment {pair!r}", "expected [start, end] in seconds")
    start, end = (finite_number(value, where, "segment") for value in pair)
    _check_direction(start, end, where)
    return start, end


def _check_direction(start: float, end: float, where: str) -> None:
    if end < start:
        raise InputError(where, f"ends before it starts ({start:g} s .. {end:g} s)", "swap or delete it")


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


TIMECODE = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


def from_timecode(text: str) -> float | None:
    """s of hh:mm:ss.mmm or mm:ss.mmm, also with a comma; None of anything else."""
    found = TIMECODE.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, rest = found.groups()
    return round(3600 * int(hours or 0) + 60 * int(minutes) + float(rest.replace(",", ".")), 6)


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
    """The message where `ASSUMED_FPS` is taken. who: the file, and what in it gives no rate."""
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
        remedy = "frames count from 1, and the last comes last" + (": add 1 to each" if first == 0 else "")
        raise InputError(where, f"frames {first:g} .. {last:g}", remedy)
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


def require_columns(path: Path, table: Table, wanted: tuple[str, ...], remedy: str = "") -> None:
    missing = [name for name in wanted if table.column(name) is None]
    if missing:
        problem = f"no column {', '.join(missing)}"
        raise InputError(f"{path}, line 1", problem, remedy or f"found {', '.join(table.header)}")


def number_column(path: Path, table: Table, index: int, name: str) -> np.ndarray:
    """(N,) float64 of a column of a table, all finite."""
    try:
        values = np.array([row[index] for row in table.rows], dtype=np.float64)
        if np.isfinite(values).all():
            return values
    except ValueError:
        pass
    return np.array([finite_number(row[index], f"{path}, line {line}", name) for line, row in table.numbered()])


# --- videos -----------------------------------------------------------------------------------------------------


def id_of_annotation_file(path: Path, suffix: str) -> str:
    """The name of an annotation file without what its format adds to it, or else without its suffix."""
    added = suffix if path.name.lower().endswith(suffix.lower()) else path.suffix
    return check_id(path.name[: len(path.name) - len(added)], str(path))


def names_of_links(links: Sequence[str], where: str) -> list[str]:
    """The id of each video that a file links by path or address: its name without suffix; different videos of one name
    are distinguished by their folders ("day1/cam", "day2/cam"). One link is one video, however often it is there.
    """
    paths = {link: _path_of_link(link, where) for link in links}
    ids = {}
    for link, parts in paths.items():
        other_paths = [other for other in paths.values() if other != parts]
        depth = next(
            (n for n in range(1, len(parts)) if not any(other[-n:] == parts[-n:] for other in other_paths)), len(parts)
        )
        ids[link] = check_id("/".join(parts[-depth:]), where)
    return [ids[link] for link in links]


def _path_of_link(link: str, where: str) -> tuple[str, ...]:
    """The folders and the name, without its suffix, of a path of any system or of an address."""
    text = link.replace("\\", "/")
    if "://" in text or text.startswith("/data/"):
        try:
            address = urlparse(text)
        except ValueError:  # "http://[": not an address
            raise InputError(where, f"video {link!r} is not an address") from None
        text = unquote(parse_qs(address.query).get("d", [address.path])[0])
        if "/upload/" in text:  # Label Studio puts eight digits before what was uploaded
            text = re.sub(r"/[0-9a-f]{8}-([^/]*)$", r"/\1", text)
    parts = [part for part in text.split("/") if part not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", part)]
    name = PurePosixPath(parts[-1]).stem if parts else ""
    return (*parts[:-1], name)


def from_rows(video_id: str, rows: list[Row], duration: float | None = None, **metadata) -> Annotation:
    """metadata: the other fields. Where some rows have a score, those without (added by hand) have score 1."""
    scores = [1.0 if score is None else score for *_, score in rows]
    scored = any(score is not None for *_, score in rows)
    segments, ids = [row[:2] for row in rows], [row[2] for row in rows]
    return Annotation(video_id, duration, segments, ids, scores=scores if scored else None, **metadata)


def refuse_pooling(path: Path, coders: dict[int, set[str]], options: ReadOptions) -> None:
    """Refuse annotations of one action by several people, unless one of them was chosen: together it counts double.

    coders: of each label, who annotated it, "" where unknown.
    """
    for label, names in coders.items():
        people = sorted(names - {""})
        if len(people) > 1 and not options.coders.annotator:
            problem = f"{options.labels.actions[label]!r} is annotated by {' and by '.join(people[:2])}"
            raise InputError(path, problem, f"choose one: --annotator {people[0]}")
