"""Joints in tables: reading columns, DeepLabCut's CSV, SLEAP's analysis CSV."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.pose.recording import Recording, frame_number, recording_of_frames
from mmad.pose.skeletons import joint_named

AXES = {"x": 0, "y": 1, "visibility": 2, "vis": 2, "v": 2, "confidence": 2, "likelihood": 2, "score": 2, "c": 2}
NAME_JOINTS = "name the joints as in left_shoulder, RightWrist or nose"


def rows_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of each row of a CSV file; `InputError` where the number of fields changes."""
    width = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for fields in reader:
                if not fields:
                    continue
                width = width or len(fields)
                if len(fields) != width:
                    problem = f"{len(fields)} fields where the first line has {width}"
                    raise InputError(f"{path}, line {reader.line_num}", problem, "is the file complete?")
                yield reader.line_num, fields
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"not a CSV text file ({error})") from None


def number_in(text: str, where: str) -> float:
    """The number in a field; NaN if it is empty."""
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        raise InputError(where, f"{text[:80]!r} is not a number") from None


def numbers_in(fields: list[str], where: str, names: Sequence[str]) -> np.ndarray:
    """The numbers in the fields of a row, (C,) float32; `InputError` names the column."""
    try:
        return np.array([field or "nan" for field in fields], dtype=np.float32)
    except ValueError:
        columns = zip(fields, names, strict=True)
        return np.array([number_in(field, f"{where}, column {name}") for field, name in columns], dtype=np.float32)


@dataclass
class Columns:
    """The columns of the joints of P people.

    joints: names of the J joints. at: (P, J, 3) columns of x, y and confidence; -1 where there is no confidence: joints
    with x and y then count as seen. unused: other body parts.
    """

    joints: list[str]
    at: np.ndarray
    unused: list[str]

    def people(self, row: np.ndarray) -> np.ndarray:
        """Joints (P, J, 3) from the numbers in a row (C,)."""
        people = np.append(row, np.float32(np.nan))[self.at]
        people[..., 2] = np.where(self.at[..., 2] < 0, seen_by_position(people), people[..., 2])
        return people


def seen_by_position(points: np.ndarray) -> np.ndarray:
    """Confidence from the position: (..., J, 3) -> (..., J) bool.

    False where x or y is not a number, or both are 0, which means "not seen" in files without confidence.
    """
    return np.isfinite(points[..., :2]).all(axis=-1) & (points[..., :2] != 0).any(axis=-1)


def columns_by_name(named: list[tuple[str, str, int, int]], path: Path) -> Columns:
    """Columns from tuples (person, body part, axis, column); axis 0 is x, 1 y, 2 confidence. People keep their
    order."""
    parts = list(dict.fromkeys(part for _, part, _, _ in named))
    joint_of = {part: joint_named(part) for part in parts}
    joints = list(dict.fromkeys(joint for joint in joint_of.values() if joint))
    unused = [part for part in parts if not joint_of[part]]
    if not joints:
        names = ", ".join(parts[:6]) or "no column of x and y"
        raise InputError(path, f"no known body part of a person ({names})", NAME_JOINTS)
    persons = list(dict.fromkeys(person for person, part, _, _ in named if joint_of[part]))
    at = np.full((len(persons), len(joints), 3), -1)
    for person, part, axis, column in named:
        if joint_of[part]:
            index = persons.index(person), joints.index(joint_of[part]), axis
            if at[index] >= 0:
                raise InputError(path, f"two columns are the {joint_of[part]}, one of them {part}", "rename one")
            at[index] = column
    if (at[..., :2].max(axis=-1) >= 0).sum() > (at[..., :2].min(axis=-1) >= 0).sum():
        raise InputError(path, "a body part has x without y, or y without x", "is the header complete?")
    return Columns(joints, at, unused)


def whole_number_in(text: str, where: str) -> int:
    """The number of a frame in a field, 0, 1, ..., also written as "12.0"."""
    number = number_in(text, where)
    if not (np.isfinite(number) and number >= 0 and number == int(number)):
        raise InputError(where, f"{text[:80]!r} is not the number of a frame")
    return int(number)


def chosen_numbers(fields: list[str], wanted: list[int], where: str, names: Sequence[str]) -> np.ndarray:
    """The numbers in the wanted columns of a row, NaN in the others: (C,) float32."""
    row = np.full(len(names), np.nan, dtype=np.float32)
    row[wanted] = numbers_in([fields[i] for i in wanted], where, [names[i] for i in wanted])
    return row


# --- DeepLabCut -------------------------------------------------------------------------------------------------


def read_deeplabcut(path: Path) -> list[Recording]:
    """A table of DeepLabCut: header rows scorer, (individuals,) bodyparts, coords; then a frame's number and x, y,
    likelihood of each body part. Body parts are recognized by name (`skeletons.joint_named`), individuals are people
    that DeepLabCut tracked. "videoDLC_resnet50...csv" is of the video "video"."""
    lines = rows_of(path)
    header, first = _deeplabcut_header(path, lines)
    columns = list(zip(*(header[kind][first:] for kind in ("individuals", "bodyparts", "coords"))))
    names = [" ".join(column).strip() for column in columns]
    frames, rows = [], []
    for line, fields in lines:
        where = f"{path}, line {line}"
        frames.append(_frame_in(fields[first - 1].strip(), where))
        rows.append(numbers_in(fields[first:], where, names))
    return [deeplabcut_recording(path, columns, frames, rows)]


def _frame_in(text: str, where: str) -> int:
    """The frame of a row: its number, or the number at the end of the name of a picture, as in tables of labelled
    frames."""
    number = frame_number(text) if re.search("[A-Za-z]", text) else whole_number_in(text, where)
    if number is None:
        raise InputError(where, f"{text[:80]!r} is not the number of a frame")
    return number


def _deeplabcut_header(path: Path, lines: Iterator[tuple[int, list[str]]]) -> tuple[dict[str, list[str]], int]:
    """({"individuals", "bodyparts", "coords": a row of names each}, the first column with coordinates)."""
    header: dict[str, list[str]] = {}
    for _, fields in itertools.islice(lines, 4):
        header[fields[0].strip().lower()] = fields
        if "coords" in header:
            break
    first = next((i for i, name in enumerate(header.get("coords", [])) if name.strip().lower() in AXES), 0)
    if "bodyparts" not in header or not first:
        raise InputError(path, "not a table of DeepLabCut", "its first column begins scorer, bodyparts, coords")
    header.setdefault("individuals", [""] * len(header["coords"]))
    return header, first


def deeplabcut_recording(
    path: Path, columns: list[tuple[str, str, str]], frames: Sequence[int], rows: Sequence[np.ndarray]
) -> Recording:
    """columns: (individual, body part, x, y or likelihood) of each of the C columns of T rows (C,)."""
    named = [
        (person, part, AXES[axis.strip().lower()], i)
        for i, (person, part, axis) in enumerate(columns)
        if axis.strip().lower() in AXES
    ]
    layout = columns_by_name(named, path)
    frames = np.array(frames)
    order = np.argsort(frames, kind="stable")
    if (np.diff(frames[order]) == 0).any():
        raise InputError(path, f"frame {frames[order][np.argmin(np.diff(frames[order]))]} occurs twice")
    people = [layout.people(rows[i]) for i in order]
    identities = [list(range(len(layout.at)))] * len(people)
    video_id = re.sub(r"DLC_.*", "", path.stem) or path.stem
    return Recording(video_id, path, layout.joints, people, frames[order], identities, unused=layout.unused)


# --- SLEAP ------------------------------------------------------------------------------------------------------


def read_sleap(path: Path) -> list[Recording]:
    """SLEAP's analysis CSV: track, frame_idx, instance.score, then NODE.x, NODE.y, NODE.score; a row per person and
    frame, frames from 0. A node without a score was placed by hand and gets confidence 1."""
    lines = rows_of(path)
    _, header = next(lines, (0, []))
    names = [name.strip() for name in header]
    if "frame_idx" not in names:
        raise InputError(f"{path}, line 1", "no column frame_idx", "expected track, frame_idx, NODE.x, NODE.y, ...")
    layout = _sleap_columns(path, names)
    wanted = sorted(set(layout.at[layout.at >= 0].tolist()))
    at_frame, at_track = names.index("frame_idx"), names.index("track") if "track" in names else None
    frames: dict[int, list[np.ndarray]] = {}
    identities: dict[int, list[str | None]] = {}
    for line, fields in lines:
        where = f"{path}, line {line}"
        frame = whole_number_in(fields[at_frame], f"{where}, column frame_idx")
        pose = fill_missing_scores(layout.people(chosen_numbers(fields, wanted, where, names))[0])
        frames.setdefault(frame, []).append(pose)
        track = fields[at_track].strip() if at_track is not None else ""
        identities.setdefault(frame, []).append(track or None)
    return [recording_of_frames(path.stem, path, layout.joints, frames, identities, layout.unused)]


def _sleap_columns(path: Path, names: list[str]) -> Columns:
    named = []
    for column, name in enumerate(names):
        node, dot, axis = name.rpartition(".")
        if dot and axis in AXES and node != "instance":
            named.append(("", node, AXES[axis], column))
    return columns_by_name(named, path)


def fill_missing_scores(points: np.ndarray) -> np.ndarray:
    """Joints (..., J, 3) in which those with a position and without a score get confidence 1; in place."""
    points[..., 2] = np.where(np.isnan(points[..., 2]), seen_by_position(points), points[..., 2])
    return points
