"""Files of joints of other tools as landmark tracks: FORMATS by name, and `read_landmarks`, which detects the format.

A reader returns the content of the file (`Recording`); `as_track` converts it to the track of one person, in picture
heights and seconds. What a file does not contain comes from `ImportOptions` or from the video.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mmad.errors import InputError
from mmad.files import check_id, id_of_file
from mmad.pose import hdf5, json_poses, mediapipe_tables, pyskl, tables
from mmad.pose.landmark_files import load_landmarks
from mmad.pose.recording import ImportOptions, LazySequence, Recording, as_track
from mmad.pose.skeletons import to_layout
from mmad.records import LandmarkTrack
from mmad.video.finding import VideoFolder, is_video

# {name: reader}. Each takes a path and returns the recordings in it.
FORMATS: dict[str, Callable[[Path], Sequence[Recording]]] = {
    "openpose": json_poses.read_openpose,
    "coco": json_poses.read_coco,
    "mmpose": json_poses.read_mmpose,
    "mediapipe": mediapipe_tables.read_mediapipe,
    "deeplabcut": tables.read_deeplabcut,
    "deeplabcut-h5": hdf5.read_deeplabcut_hdf5,
    "sleap": tables.read_sleap,
    "sleap-h5": hdf5.read_sleap_hdf5,
    "pyskl": pyskl.read_pyskl,
}
OWN = "npz"  # our own tracks
SUFFIXES = (".json", ".csv", ".h5", ".hdf5", ".pkl", ".pickle", ".npz")
HEAD = 1 << 16  # characters from which the format of a JSON file is detected


def open_landmarks(path: str | Path, options: ImportOptions | None = None) -> Sequence[LandmarkTrack]:
    """The tracks in a file of joints, one per video, each read when it is accessed: a data set has thousands.

    path: a file that one of FORMATS reads, a folder of OpenPose, or one of our own tracks (.npz). Joints that the file
    lacks are not seen; `details["absent"]` lists them. `InputError` where size or rate cannot be determined, and where
    the file is none of these.
    """
    path, options = Path(path), options or ImportOptions()
    format = options.format or detect_format(path)
    if format == OWN:
        return [to_layout(load_landmarks(path), options.layout)]
    if format not in FORMATS:
        raise InputError("--format", f"{format!r} is unknown", f"choose one of {', '.join(FORMATS)}")
    recordings = FORMATS[format](path)
    videos = options.videos
    if videos is not None and not Path(videos).is_dir() and len(recordings) != 1:
        raise InputError(videos, f"is one file for {len(recordings)} videos", "give the folder of the videos")
    find = _finder(path, options)
    return LazySequence(lambda recording: _track(recording, options, format, find), recordings)


def read_landmarks(path: str | Path, options: ImportOptions | None = None) -> list[LandmarkTrack]:
    """All tracks of `open_landmarks`."""
    return list(open_landmarks(path, options))


def detect_format(path: Path) -> str:
    """The format of a file or folder by its content; `InputError` if it is unknown."""
    if not path.exists():
        raise InputError(path, "no such file or folder")
    if path.is_dir():
        format = "openpose" if any(json_poses.OPENPOSE_NAME.fullmatch(file.name) for file in path.iterdir()) else ""
    else:
        format = _DETECTORS.get(path.suffix.lower(), lambda _: "")(path)
    if not format:
        remedy = f"give --format, one of {', '.join(FORMATS)}"
        raise InputError(path, "is not known to hold joints", remedy)
    return format


def _json_format(path: Path) -> str:
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        head = file.read(HEAD)
    if any(f'"{key}"' in head for key in ("instance_info", "meta_info", "instances")):
        return "mmpose"
    if '"people"' in head:
        return "openpose"
    return "coco" if '"image_id"' in head and '"keypoints"' in head else ""


def _table_format(path: Path) -> str:
    _, header = next(tables.rows_of(path), (0, [""]))
    if header[0].strip().lower() == "scorer":
        return "deeplabcut"
    if "frame_idx" in header and any(name.strip().endswith(".x") for name in header):
        return "sleap"
    return "mediapipe" if mediapipe_tables.has_landmarks(header) else ""


def _hdf5_format(path: Path) -> str:
    tool = hdf5.tool_of_hdf5(path)
    return f"{tool}-h5" if tool else ""


_DETECTORS: dict[str, Callable[[Path], str]] = {
    **{".json": _json_format, ".csv": _table_format, ".h5": _hdf5_format, ".hdf5": _hdf5_format},
    **{".pkl": lambda _: "pyskl", ".pickle": lambda _: "pyskl", ".npz": lambda _: OWN},
}


def _track(
    recording: Recording, options: ImportOptions, format: str, find: Callable[[str], Path | None]
) -> LandmarkTrack:
    from mmad.video.reader import probe, video_identity  # on demand: PyAV is not needed to name the formats

    check_id(recording.video_id, f"{recording.path}, {recording.video_id[:80]!r}")
    video = find(recording.video_id)
    track = as_track(recording, options, probe(video) if video else None)
    details = {"video": {"file": video.name, **video_identity(video)}} if video else {}
    return replace(track, source=f"imported from {format}", details={**track.details, **details})


def _finder(path: Path, options: ImportOptions) -> Callable[[str], Path | None]:
    """A function from a video id to the file of the video, None if there is none: the given one, in the given folder,
    or beside the joints if rate or size is needed."""
    videos = options.videos
    if videos is not None:
        folder = VideoFolder(videos)
        return lambda video_id: _find_or_none(folder, video_id) if Path(videos).is_dir() else Path(videos)
    if options.fps and options.size:
        return lambda video_id: None
    places = [path.parent, *([path] if path.is_dir() else [])]
    beside = {id_of_file(file): file for place in places for file in place.iterdir() if is_video(file)}
    return lambda video_id: beside.get(check_id(video_id))


def _find_or_none(folder: VideoFolder, video_id: str) -> Path | None:
    with contextlib.suppress(InputError):  # reported later, if rate or size is missing
        return folder.find(video_id)
