"""Tables of MediaPipe's landmarks as people save them: MediaPipe itself writes no files."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.pose.recording import Recording
from mmad.pose.skeletons import BODY33, LAYOUT_JOINTS, LEFT_HAND, RIGHT_HAND, joint_named
from mmad.pose.tables import (
    AXES,
    Columns,
    chosen_numbers,
    columns_by_name,
    number_in,
    rows_of,
    seen_by_position,
    whole_number_in,
)

SPECIAL = {
    "frame": ("frame", "frame_idx", "frame_id", "frame_index", "frame_number", "frame_num", "frame_no"),
    "seconds": ("time", "time_s", "time_sec", "timestamp", "timestamp_s", "timestamp_sec", "seconds", "t"),
    "milliseconds": ("time_ms", "timestamp_ms", "milliseconds", "ms"),
    "landmark": ("landmark", "landmark_id", "landmark_index", "landmark_name", "joint", "keypoint", "name", "index"),
    "person": ("person", "person_id", "track", "track_id"),
    "type": ("type",),
}
TYPES = {"pose": BODY33, "left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "face": ()}
NUMBERED = {33: BODY33, 75: LAYOUT_JOINTS, 501: BODY33}  # {number of landmarks: joints}; of 501, 468 are of the face
NUMBER = re.compile(r"(?:landmark|lm|kp|keypoint|pose|p)?[_ ]?(\d+)")
AXIS = f"(?P<axis>{'|'.join(AXES)})"
COLUMN = [
    re.compile(form) for form in (rf"{AXIS}(?P<part>\d+)", rf"(?P<part>.+)[_. ]{AXIS}", rf"{AXIS}[_. ](?P<part>.+)")
]
LAST_OF_HAND = 20  # landmarks that are numbered up to this are likely those of a hand
CLOCK = 1e6  # larger times are those of a clock, not of a video, s
MAX_STEP = 2.0  # if rows are further apart, times are likely in milliseconds, s


def read_mediapipe(path: Path) -> list[Recording]:
    """MediaPipe's landmarks, in fractions of the picture or in pixels; one row per frame or per landmark.

    One row per frame: columns x0, y0, z0, v0, x1, ... (from 0 or from 1; the 33 of the pose, or these followed by the
    21 of the left and the 21 of the right hand, or by the 468 of the face), or named columns: nose_x, left_hand_8_y,
    LEFT_WRIST_visibility. One row per landmark: columns frame, landmark (number or name), x, y, visibility, and
    optionally type (pose, left_hand, right_hand, face) and person. frame counts from 0; time or timestamp is in
    seconds, with the ending _ms in milliseconds; without them, each row is a frame. z and the face are not used.
    Without visibility, landmarks with a position count as seen.
    """
    lines = rows_of(path)
    _, header = next(lines, (0, []))
    names = [name.strip().lower() for name in header]
    at = {kind: names.index(name) for kind, spelled in SPECIAL.items() for name in reversed(spelled) if name in names}
    if "landmark" in at and {"x", "y"} <= set(names):
        return [_read_long(path, names, at, lines)]
    return [_read_wide(path, names, at, lines)]


def has_landmarks(header: list[str]) -> bool:
    """Whether the first line of a table names coordinates of landmarks."""
    names = [name.strip().lower() for name in header]
    return {"x", "y"} <= set(names) or {"x", "y"} <= {_part_and_axis(name)[1] for name in names}


# --- one row per frame ------------------------------------------------------------------------------------------


def _read_wide(path: Path, names: list[str], at: dict[str, int], lines: Iterator[tuple[int, list[str]]]) -> Recording:
    layout = _wide_columns(path, names, set(at.values()))
    wanted = sorted(set(layout.at[layout.at >= 0].tolist()))
    frames, times, people = [], [], []
    for line, fields in lines:
        where = f"{path}, line {line}"
        people.append(layout.people(chosen_numbers(fields, wanted, where, names)))
        frame, time = _frame_and_time(fields, at, where)
        frames.append(len(frames) if frame is None else frame)
        times.append(time)
    order = np.argsort(np.array(times if None not in times else frames), kind="stable")
    recording = Recording(path.stem, path, layout.joints, [people[i] for i in order], np.array(frames)[order])
    recording.unused = layout.unused
    return _timed(recording, [times[i] for i in order], counted="frame" not in at)


def _wide_columns(path: Path, names: list[str], special: set[int]) -> Columns:
    numbered, named = [], []
    for column, name in enumerate(names):
        part, axis = _part_and_axis(name)
        if column in special or axis not in AXES:
            continue
        number = NUMBER.fullmatch(part)
        if number:
            numbered.append((int(number[1]), AXES[axis], column))
        else:
            named.append(("", part, AXES[axis], column))
    if not numbered:
        return columns_by_name(named, path)
    first = min(number for number, _, _ in numbered)
    count = max(number for number, _, _ in numbered) + 1 - first
    if first > 1 or count not in NUMBERED:
        problem = f"landmarks {first} to {first + count - 1}"
        raise InputError(path, problem, "their order is unknown: name the columns as in nose_x, left_hand_8_y")
    joints = NUMBERED[count]
    for number, axis, column in numbered:
        if number - first < len(joints):
            named.append(("", joints[number - first], axis, column))
    return columns_by_name(named, path)


def _part_and_axis(name: str) -> tuple[str, str]:
    """("nose", "x") of "nose_x", "x_nose", "nose.x" or "nose x"; ("12", "x") of "x12" or "12_x"; ("", "") of others."""
    for pattern in COLUMN:
        found = pattern.fullmatch(name)
        if found:
            return found["part"], found["axis"]
    return "", ""


# --- one row per landmark ---------------------------------------------------------------------------------------


def _read_long(path: Path, names: list[str], at: dict[str, int], lines: Iterator[tuple[int, list[str]]]) -> Recording:
    """The rows of a person in a frame may be in any order."""
    if not {"frame", "seconds", "milliseconds"} & set(at):
        raise InputError(f"{path}, line 1", "no column frame or time", "which rows are of the same frame?")
    at = {**at, "x": names.index("x"), "y": names.index("y")}
    at["confidence"] = next((names.index(name) for name, axis in AXES.items() if axis == 2 and name in names), -1)
    poses: dict[float, dict[str, np.ndarray]] = {}  # frame, or time where there is no frame -> person -> (75, 3)
    times: dict[float, float | None] = {}
    unused: dict[str, None] = {}
    highest = -1
    for line, fields in lines:
        where = f"{path}, line {line}"
        frame, time = _frame_and_time(fields, at, where)
        frame = time if frame is None else frame
        times.setdefault(frame, time)
        persons = poses.setdefault(frame, {})
        joint = _joint_of_row(fields, at, where)
        if joint in LAYOUT_JOINTS:
            person = fields[at["person"]].strip() if "person" in at else ""
            pose = persons.setdefault(person, np.full((len(LAYOUT_JOINTS), 3), (np.nan, np.nan, 0), dtype=np.float32))
            if not np.isnan(pose[LAYOUT_JOINTS.index(joint), 0]):
                problem = f"the {joint} occurs twice in one frame"
                raise InputError(where, problem, "give the person in a column 'person', or the hand in 'type'")
            pose[LAYOUT_JOINTS.index(joint)] = _point_of_row(fields, at, where)
        elif joint:
            unused[joint] = None
        landmark = fields[at["landmark"]].strip()
        highest = max(highest, int(landmark) if landmark.isdecimal() else LAST_OF_HAND + 1)
    if 0 <= highest <= LAST_OF_HAND and "type" not in at:
        raise InputError(path, f"landmarks 0 to {highest}: of a hand?", "give it in a column 'type', such as left_hand")
    keys = sorted(poses, key=lambda key: key if times[key] is None else times[key])
    nobody = np.empty((0, len(LAYOUT_JOINTS), 3))
    people = [np.stack(list(poses[key].values())) if poses[key] else nobody for key in keys]
    frames = np.array(keys if "frame" in at else range(len(keys)))
    recording = Recording(path.stem, path, LAYOUT_JOINTS, people, frames, [list(poses[key]) for key in keys])
    recording.unused = list(unused)
    return _timed(recording, [times[key] for key in keys], counted="frame" not in at)


def _joint_of_row(fields: list[str], at: dict[str, int], where: str) -> str:
    """The joint of the number or name in a row; "" for the face; an unknown name as it is."""
    landmark = fields[at["landmark"]].strip()
    kind = fields[at["type"]].strip().lower() if "type" in at else ""
    if kind and kind not in TYPES:
        raise InputError(where, f"type {kind[:80]!r}", f"choose one of {', '.join(TYPES)}")
    if kind == "face":
        return ""
    if not landmark.isdecimal():
        return joint_named(f"{kind}_{landmark}") or joint_named(landmark) or landmark
    joints = TYPES.get(kind, LAYOUT_JOINTS)
    if int(landmark) >= len(joints):
        raise InputError(where, f"landmark {landmark[:20]}", f"expected 0..{len(joints) - 1}, or a column 'type'")
    return joints[int(landmark)]


def _point_of_row(fields: list[str], at: dict[str, int], where: str) -> np.ndarray:
    """(3,) x, y, confidence."""
    x, y = (number_in(fields[at[axis]], f"{where}, column {axis}") for axis in "xy")
    known = at["confidence"] >= 0
    point = np.array([x, y, number_in(fields[at["confidence"]], where) if known else 0.0])
    point[2] = point[2] if known else seen_by_position(point[None])[0]
    return point


# --- times ------------------------------------------------------------------------------------------------------


def _frame_and_time(fields: list[str], at: dict[str, int], where: str) -> tuple[int | None, float | None]:
    """(number of the frame, time in s) of a row; None where the table has no such column."""
    frame = whole_number_in(fields[at["frame"]], where) if "frame" in at else None
    for kind, unit in (("seconds", 1.0), ("milliseconds", 1e-3)):
        if kind in at:
            time = number_in(fields[at[kind]], where) * unit
            if not np.isfinite(time):
                raise InputError(where, "it has no time")
            return frame, time
    return frame, None


def _timed(recording: Recording, times: list[float | None], counted: bool) -> Recording:
    """The same with the ascending times of its rows, s, if there are any; times of a clock are relative to the first.

    counted: the frames are not numbered in the file; skipped frames are then found from the times.
    """
    if None in times:
        return recording
    recording.times = np.array(times, dtype=np.float64)
    recording.times -= recording.times[0] if recording.times[0] > CLOCK else 0
    steps = np.diff(recording.times)
    step = float(np.median(steps)) if len(steps) else 0.0
    if step > MAX_STEP:
        problem = f"its rows are {step:g} s apart"
        raise InputError(recording.path, problem, "if these are milliseconds, call the column timestamp_ms")
    if counted and step > 0:
        skipped = np.concatenate([recording.times[:1] / step, np.maximum(steps / step, 1)])
        recording.frames = np.cumsum(np.round(skipped).astype(np.int64))
    return recording
