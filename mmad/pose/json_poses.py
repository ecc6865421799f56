"""Joints in JSON: OpenPose's folders, AlphaPose's and COCO's lists of results, MMPose's frames with instances."""

import contextlib
import re
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import read_json
from mmad.pose.recording import LazySequence, Recording, frame_number, recording_of_frames
from mmad.pose.skeletons import BY_COUNT, HANDS, LAYOUTS

OPENPOSE_NAME = re.compile(r"(.*?)_?(\d+)_keypoints\.json")
OPENPOSE_BODIES = {25: "body25", 18: "openpose18"}
COUNTS = ", ".join(f"{count} ({BY_COUNT[count]})" for count in sorted(BY_COUNT))
KNOWN_COUNTS = f"known numbers of joints are {COUNTS}"


# --- OpenPose ---------------------------------------------------------------------------------------------------


def read_openpose(path: Path) -> LazySequence:
    """A folder with one `NAME_000000000012_keypoints.json` per frame (`--write_json`), or one such file.

    NAME is the video; a folder may contain several. The number is the frame, from 0. Body: BODY_25 or COCO with 18
    joints; hands where present (`--hand`); faces are not read. A joint at 0, 0 with confidence 0 was not seen.
    """
    folder = path if path.is_dir() else path.parent
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    videos: dict[str, list[tuple[int, Path]]] = {}
    for file in files:
        found = OPENPOSE_NAME.fullmatch(file.name)
        if found:
            videos.setdefault(found[1] or folder.resolve().name, []).append((int(found[2]), file))
    if not videos:
        raise InputError(path, "contains no NAME_NUMBER_keypoints.json", "OpenPose writes them with --write_json")
    return LazySequence(lambda video: _openpose_recording(*video), list(videos.items()))


def _openpose_recording(video_id: str, files: list[tuple[int, Path]]) -> Recording:
    files = sorted(files)
    folder = files[0][1].parent
    frames = np.array([number for number, _ in files])
    if (np.diff(frames) == 0).any():
        raise InputError(folder, f"{video_id} has frame {frames[np.argmin(np.diff(frames))]} twice")
    people, identities, body = [], [], ""
    for _, file in files:
        persons = _list_of_dicts(_member(read_json(file), "people", file), file)
        poses = [_openpose_person(person, file) for person in persons]
        layouts = {layout for layout, _ in poses if layout} | ({body} if body else set())
        if len(layouts) > 1:
            raise InputError(file, f"people of {' and '.join(sorted(layouts))} in one video")
        body = body or "".join(layouts)
        people.append([pose for _, pose in poses])
        identities.append([_number_in(person.get("person_id")) for person in persons])
    width = len(LAYOUTS[body or "body25"])
    layout = LAYOUTS[body or "body25"] + HANDS
    arrays = [_stacked([_padded(pose, width) for pose in frame], len(layout)) for frame in people]
    if not any((array[:, width:, 2] > 0).any() for array in arrays):
        layout, arrays = layout[:width], [array[:, :width] for array in arrays]
    tracked = all(number is not None and number >= 0 for ids in identities for number in ids)  # -1: not tracked
    return Recording(video_id, folder, layout, arrays, frames, identities if tracked else None)


def _openpose_person(person: dict, file: Path) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    """(layout of the body, "" if there is none, (its joints (J, 3), those of both hands (42, 3)))."""
    body = _triples(person.get("pose_keypoints_2d", []), file)
    if len(body) and len(body) not in OPENPOSE_BODIES:
        problem = f"a body of {len(body)} joints"
        raise InputError(file, problem, "expected 25 or 18: run OpenPose with --model_pose BODY_25")
    hands = [_triples(person.get(f"hand_{side}_keypoints_2d", []), file) for side in ("left", "right")]
    if any(len(hand) not in (0, 21) for hand in hands):
        raise InputError(file, f"hands of {' and '.join(str(len(hand)) for hand in hands)} joints", "expected 21")
    both = np.concatenate([hand if len(hand) else np.zeros((21, 3), np.float32) for hand in hands])
    return OPENPOSE_BODIES.get(len(body), ""), (body, both)


def _padded(pose: tuple[np.ndarray, np.ndarray], width: int) -> np.ndarray:
    body, hands = pose
    return np.concatenate([body if len(body) else np.zeros((width, 3), np.float32), hands])


# --- AlphaPose and COCO -----------------------------------------------------------------------------------------


def read_coco(path: Path) -> list[Recording]:
    """A list of {image_id, keypoints, score, ...}, one per person and frame: AlphaPose, results in COCO's form.

    keypoints: x, y, confidence of each joint in turn; their number determines the layout (17, 26, 133, 136, ...).
    image_id: the frame, a number or a name that ends in one ("12.jpg"), from 0, as AlphaPose counts. idx: id of the
    person, where AlphaPose tracked people. A file contains one video and has its name; if it is called
    alphapose-results.json, its folder has.
    """
    items = _list_of_dicts(read_json(path, _shrink), path)
    frames: dict[int, list[np.ndarray]] = {}
    identities: dict[int, list] = {}
    joints = 0
    for number, item in enumerate(items):
        where = f"{path}, item {number} (the first is 0)"
        frame = _frame_of(item.get("image_id"), where)
        pose = _triples(item.get("keypoints", []), where)
        joints = joints or len(pose)
        if len(pose) != joints or joints not in BY_COUNT:
            problem = f"{len(pose)} joints" + (f" where the first has {joints}" if len(pose) != joints else "")
            raise InputError(where, problem, KNOWN_COUNTS)
        frames.setdefault(frame, []).append(pose)
        identities.setdefault(frame, []).append(_number_in(item.get("idx")))
    return [recording_of_frames(_name_of(path), path, LAYOUTS[BY_COUNT[joints or 17]], frames, identities)]


def _name_of(path: Path) -> str:
    return path.resolve().parent.name if path.stem.lower() == "alphapose-results" else path.stem


def _frame_of(image_id, where: str) -> int:
    if isinstance(image_id, float) and image_id.is_integer():
        image_id = int(image_id)
    number = image_id if isinstance(image_id, int) else frame_number(str(image_id))
    if number is None or number < 0:
        raise InputError(where, f"image_id {str(image_id)[:80]!r} does not end in the number of a frame")
    return number


# --- MMPose -----------------------------------------------------------------------------------------------------


def read_mmpose(path: Path) -> list[Recording]:
    """MMPose's results of one video: a list of {frame_id, instances}, from 0 (MMPoseInferencer), or {meta_info,
    instance_info} with that list, from 1 (its demos).

    instances: {keypoints [[x, y], ...], keypoint_scores [...]}, one per person; their number determines the layout.
    """
    content = read_json(path, _shrink)
    demo = isinstance(content, dict)
    if demo:
        content = _member(content, "instance_info", path)
    frames: dict[int, list[np.ndarray]] = {}
    identities: dict[int, list] = {}
    joints = 0
    for number, item in enumerate(_list_of_dicts(content, path)):
        where = f"{path}, item {number} (the first is 0)"
        frame = _frame_of(item.get("frame_id"), where)
        poses = frames.setdefault(frame, [])
        for person in _list_of_dicts(_member(item, "instances", where), where):
            pose = _with_scores(person, where)
            joints = joints or len(pose)
            if len(pose) != joints or joints not in BY_COUNT:
                problem = f"{len(pose)} joints" + (f" where the first has {joints}" if len(pose) != joints else "")
                raise InputError(where, problem, KNOWN_COUNTS)
            poses.append(pose)
            identities.setdefault(frame, []).append(_number_in(person.get("track_id")))
    recording = recording_of_frames(path.stem, path, LAYOUTS[BY_COUNT[joints or 17]], frames, identities)
    recording.frames -= demo and recording.frames[0] > 0
    return [recording]


def _with_scores(person: dict, where: str) -> np.ndarray:
    """(J, 3) of {keypoints (J, 2), keypoint_scores (J,)}."""
    points, scores = (_numbers(person.get(key, []), where) for key in ("keypoints", "keypoint_scores"))
    if points.ndim != 2 or points.shape[1] != 2 or scores.shape != points.shape[:1]:
        problem = f"keypoints of shape {points.shape}, keypoint_scores of shape {scores.shape}"
        raise InputError(where, problem, "expected x and y of each joint in the picture, and a score")
    return np.concatenate([points, scores[:, None]], axis=1)


# --- shared -----------------------------------------------------------------------------------------------------


def _stacked(poses: list[np.ndarray], joints: int) -> np.ndarray:
    return np.stack(poses) if poses else np.empty((0, joints, 3), dtype=np.float32)


def _shrink(item: dict) -> dict:
    """Convert keypoints to an array as soon as they are read: as Python numbers they need eight times the memory."""
    points = item.get("keypoints")
    if isinstance(points, list):
        with contextlib.suppress(ValueError, TypeError, OverflowError):  # reported later, with its place
            item["keypoints"] = np.array(points, dtype=np.float32)
    return item


def _triples(values, where: str | Path) -> np.ndarray:
    """Joints (J, 3) of a flat list x, y, confidence, x, ..."""
    numbers = _numbers(values, where)
    if numbers.ndim != 1 or len(numbers) % 3:
        raise InputError(
            where, f"keypoints of shape {numbers.shape}", "expected x, y, confidence of each joint in turn"
        )
    return numbers.reshape(-1, 3)


def _numbers(values, where: str | Path) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        raise InputError(where, "its keypoints are not a list of numbers") from None


def _number_in(value) -> int | None:
    """The id of a person, which some tools write as [3]; None if there is none."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, float):
        return int(value) if np.isfinite(value) else None
    return value if isinstance(value, int) else None


def _member(content, key: str, where: str | Path):
    if not isinstance(content, dict) or key not in content:
        raise InputError(where, f"has no {key!r}", "is it a file of joints?")
    return content[key]


def _list_of_dicts(content, where: str | Path) -> list[dict]:
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise InputError(where, "is not a list of people or frames", "is it a file of joints?")
    return content
