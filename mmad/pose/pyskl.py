"""Skeleton data sets in .pkl files: those of pyskl, mmaction2, PCAN and MMN."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from mmad.arrays import DAMAGED
from mmad.errors import InputError
from mmad.pickles import Forbidden, load_data
from mmad.pose.recording import LazySequence, Recording
from mmad.pose.skeletons import BY_COUNT, LAYOUTS
from mmad.pose.tables import seen_by_position
from mmad.video.finding import VIDEO_SUFFIXES

DATA_AND_LABELS = ("_data.pkl", "_label.pkl")  # endings of MMN's files, which keep classes apart from joints


def read_pyskl(path: Path) -> LazySequence:
    """A list of clips (PCAN), or {split: {name: [ids]}, annotations: [...]} (pyskl, mmaction2), of dicts with

    keypoint: (M, T, V, 2) pixels, of up to M people in T frames; V determines the layout. keypoint_score: (M, T, V);
    without it, joints with a position count as seen. img_shape: (height, width). frame_dir or filename: id of the clip.
    label: its class. MMN's `_data.pkl` has the same form; its classes are in the `_label.pkl` beside it, a list of
    {file_name, label}. No code in the file is executed (`mmad.pickles`).
    """
    content = _load(path)
    annotations, split = content, {}
    if isinstance(content, dict) and "annotations" in content:
        annotations, split = content["annotations"], content.get("split") or {}
    if not isinstance(annotations, list) or not annotations or not all(isinstance(item, dict) for item in annotations):
        raise InputError(
            path, "does not contain a list of clips", "expected pyskl's list of dicts, or {split, annotations}"
        )
    if "keypoint" not in annotations[0] and "file_name" in annotations[0]:
        raise InputError(path, "contains classes and no joints", "give MMN's _data.pkl, which is beside it")
    labels = _labels_beside(path)
    split_of = _split_of(split, path)
    names = _names(annotations, path)

    def make(number: int) -> Recording:
        recording = _recording(annotations[number], names[number], f"{path}, clip {number} (the first is 0)", path)
        extra = {"label": labels.get(names[number]), "split": split_of.get(names[number])}
        recording.details.update({key: value for key, value in extra.items() if value is not None})
        return recording

    return LazySequence(make, range(len(annotations)))


def _load(path: Path):
    try:
        with open(path, "rb") as file:
            return load_data(file)
    except Forbidden as error:
        problem = str(error).partition(",")[0]
        raise InputError(path, problem, "only numpy arrays, numbers, texts, lists and dicts are read") from None
    except DAMAGED as error:
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise InputError(path, f"not a pickle that can be read ({reason})", "is the file complete?") from None


def _names(annotations: list[dict], path: Path) -> list[str]:
    """The unique id of each clip: frame_dir, or the name of the file without its suffix."""
    names: dict[str, int] = {}
    for number, item in enumerate(annotations):
        where = f"{path}, clip {number} (the first is 0)"
        name = item.get("frame_dir", item.get("filename"))
        if not isinstance(name, str) or not name.strip():
            raise InputError(where, "has no frame_dir or filename", "each clip needs a name")
        if "frame_dir" not in item:
            name = PureWindowsPath(PurePosixPath(name).name).name
        name = without_video_suffix(name)
        if name in names:
            raise InputError(where, f"{name[:80]!r} is also the name of clip {names[name]}", "each clip needs its own")
        names[name] = number
    return list(names)


def without_video_suffix(name: str) -> str:
    """The name of a clip without the suffix of a video."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in VIDEO_SUFFIXES else name


def _split_of(split, path: Path) -> dict[str, str]:
    """{clip: the parts of the data set it belongs to}"""
    if not isinstance(split, dict):
        raise InputError(path, "its 'split' is not {name: [ids]}")
    parts: dict[str, str] = {}
    for name, clips in split.items():
        if not isinstance(name, str) or not isinstance(clips, (list, tuple)):
            raise InputError(path, "its 'split' is not {name: [ids]}")
        for clip in clips:
            if isinstance(clip, str):
                clip = without_video_suffix(clip)
                parts[clip] = f"{parts[clip]}, {name}" if clip in parts else name
    return parts


def _labels_beside(path: Path) -> dict[str, int]:
    """{clip: class} of MMN's label file, if there is one."""
    other = path.with_name(path.name.replace(*DATA_AND_LABELS))
    if not path.name.endswith(DATA_AND_LABELS[0]) or not other.exists():
        return {}
    labels = {}
    content = _load(other)
    for item in content if isinstance(content, list) else []:
        name, label = (item.get("file_name"), item.get("label")) if isinstance(item, dict) else (None, None)
        if not isinstance(name, str) or not _is_whole(label):
            raise InputError(other, "is not a list of {file_name, label}", "is it MMN's?")
        labels[without_video_suffix(name)] = int(label)
    return labels


def _is_whole(value) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _recording(item: dict, name: str, where: str, path: Path) -> Recording:
    points = _numbers(item, "keypoint", where)
    if points.ndim == 3:  # one person
        points = points[None]
    if points.ndim != 4 or points.shape[3] != 2:
        remedy = "expected (people, frames, joints, 2) in the picture; joints of depth cameras are not read"
        raise InputError(where, f"keypoint of shape {points.shape}", remedy)
    if points.shape[2] not in BY_COUNT or not points.shape[1]:
        counts = ", ".join(map(str, sorted(BY_COUNT)))
        problem = f"{points.shape[2]} joints in {points.shape[1]} frames"
        raise InputError(where, problem, f"known numbers of joints are {counts}")
    scores = _numbers(item, "keypoint_score", where) if "keypoint_score" in item else seen_by_position(points)
    scores = scores[None] if scores.ndim == 2 else scores
    if scores.shape != points.shape[:3]:
        raise InputError(where, f"keypoint_score of shape {scores.shape} for keypoint of shape {points.shape}")
    people = np.concatenate([points, scores[..., None]], axis=3, dtype=np.float32).swapaxes(0, 1)
    joints = LAYOUTS[BY_COUNT[points.shape[2]]]
    details = {"label": int(item["label"])} if _is_whole(item.get("label")) else {}
    recording = Recording(name, path, joints, list(people), np.arange(len(people)), details=details)
    recording.size = _size(item, where)
    return recording


def _numbers(item: dict, key: str, where: str) -> np.ndarray:
    values = item.get(key)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(where, f"{key} is {type(values).__name__}, not an array of numbers")
    return values.view(np.ndarray)


def _size(item: dict, where: str) -> tuple[int, int] | None:
    """(width, height) of img_shape (height, width)."""
    shape = item.get("img_shape", item.get("original_shape"))
    if shape is None:
        return None
    shape = shape.tolist() if isinstance(shape, np.ndarray) else shape
    if not isinstance(shape, (list, tuple)) or len(shape) < 2 or not all(_is_whole(side) for side in shape[:2]):
        raise InputError(where, "its img_shape is not (height, width)")
    if min(shape[:2]) <= 0:
        raise InputError(where, f"img_shape {shape[0]} x {shape[1]}", "expected height and width, pixels")
    return int(shape[1]), int(shape[0])
