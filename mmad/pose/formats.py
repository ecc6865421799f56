"""Joints that other tools found, as landmark tracks: FORMATS by name, and `read_landmarks`, which knows them apart.

A reader gives what stands in the file (`Recording`); `as_track` makes of it the track of one person, in heights of the
picture and seconds. What a file does not say comes from a person or from the video.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mmad.errors import InputError
from mmad.files import check_id, id_of_file
from mmad.formats.fields import check_fps
from mmad.pose import hdf5, json_poses, mediapipe_tables, pickled, tables
from mmad.pose.files import load_landmarks
from mmad.pose.recording import LazySequence, Recording, Told, as_track
from mmad.pose.skeletons import LAYOUT, joints_of, to_layout
from mmad.records import LandmarkTrack
from mmad.video.finding import VideoFolder, is_video

# Name -> what reads it. Each takes a path and gives the recordings in it.
FORMATS: dict[str, Callable[[Path], Sequence[Recording]]] = {
    "openpose": json_poses.read_openpose,
    "coco": json_poses.read_coco,
    "mmpose": json_poses.read_mmpose,
    "mediapipe": mediapipe_tables.read_mediapipe,
    "deeplabcut": tables.read_deeplabcut,
    "deeplabcut-h5": hdf5.read_deeplabcut_hdf5,
    "sleap": tables.read_sleap,
    "sleap-h5": hdf5.read_sleap_hdf5,
    "pyskl": pickled.read_pyskl,
}
OWN = "npz"  # files of our own tracks
SUFFIXES = (".json", ".csv", ".h5", ".hdf5", ".pkl", ".pickle", ".npz")
HEAD = 1 << 16  # characters by which a JSON file is known


def open_landmarks(
    path: str | Path,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    format: str | None = None,
    person: str | int = "largest",
    layout: str = LAYOUT,
    videos: str | Path | None = None,
) -> Sequence[LandmarkTrack]:
    """The tracks in a file of joints, one per video, each made when it is asked for: a data set has thousands.

    path: a file that one of FORMATS reads, a folder of OpenPose, or one of our own tracks (.npz). fps: frames a second;
    size: width and height of the picture, pixels; where the file says neither, the video does that lies beside it, or
    in `videos`, a file or a folder. person: "largest" over time, or a number from 0, the largest, down. layout: of the
    tracks; joints that the file lacks are not seen, `details["absent"]` says which.

    `InputError` where size or rate cannot be known, and where the file is none of these.
    """
    path = Path(path)
    joints_of(layout)
    told = _checked(fps, size, person)
    format = format or recognise(path)
    if format == OWN:
        return [to_layout(load_landmarks(path), layout)]
    if format not in FORMATS:
        raise InputError("--format", f"{format!r} is unknown", f"known are {', '.join(FORMATS)}")
    recordings = FORMATS[format](path)
    if videos is not None and not Path(videos).is_dir() and len(recordings) != 1:
        raise InputError(videos, f"is one file for {len(recordings)} videos", "give the folder of the videos")
    find = _finder(path, told, videos)
    return LazySequence(lambda recording: _track(recording, told, layout, format, find), recordings)


def read_landmarks(
    path: str | Path,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    format: str | None = None,
    person: str | int = "largest",
    layout: str = LAYOUT,
    videos: str | Path | None = None,
) -> list[LandmarkTrack]:
    """All tracks of `open_landmarks`, which says what its arguments are."""
    return list(open_landmarks(path, fps, size, format, person, layout, videos))


def recognise(path: Path) -> str:
    """The format of a file or folder by what is in it; `InputError` where it is none that is known."""
    if not path.exists():
        raise InputError(path, "no such file or folder")
    if path.is_dir():
        known = "openpose" if any(json_poses.OPENPOSE_NAME.fullmatch(file.name) for file in path.iterdir()) else ""
    else:
        known = _RECOGNISERS.get(path.suffix.lower(), lambda _: "")(path)
    if not known:
        remedy = f"give --format, one of {', '.join(FORMATS)}"
        raise InputError(path, "is not known to hold joints", remedy)
    return known


def _kind_of_json(path: Path) -> str:
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        head = file.read(HEAD)
    if any(f'"{key}"' in head for key in ("instance_info", "meta_info", "instances")):
        return "mmpose"
    if '"people"' in head:
        return "openpose"
    return "coco" if '"image_id"' in head and '"keypoints"' in head else ""


def _kind_of_table(path: Path) -> str:
    _, header = next(tables.rows_of(path), (0, [""]))
    if header[0].strip().lower() == "scorer":
        return "deeplabcut"
    if "frame_idx" in header and any(name.strip().endswith(".x") for name in header):
        return "sleap"
    return "mediapipe" if mediapipe_tables.has_landmarks(header) else ""


def _kind_of_hdf5(path: Path) -> str:
    kind = hdf5.kind_of_hdf5(path)
    return f"{kind}-h5" if kind else ""


_RECOGNISERS: dict[str, Callable[[Path], str]] = {
    **{".json": _kind_of_json, ".csv": _kind_of_table, ".h5": _kind_of_hdf5, ".hdf5": _kind_of_hdf5},
    **{".pkl": lambda _: "pyskl", ".pickle": lambda _: "pyskl", ".npz": lambda _: OWN},
}


def _checked(fps: float | None, size: tuple[int, int] | None, person: str | int) -> Told:
    if size is not None and (len(size) != 2 or min(size) <= 0):
        raise InputError("--size", f"{size}", "expected width and height in pixels")
    if person != "largest" and not (isinstance(person, int) and person >= 0):
        raise InputError("--person", f"{person!r}", "expected largest, or 0, 1, ... from the largest down")
    return Told(check_fps(fps), size, person)


def _track(
    recording: Recording, told: Told, layout: str, format: str, find: Callable[[str], Path | None]
) -> LandmarkTrack:
    from mmad.video.reader import probe, video_identity  # on demand: PyAV is not needed to name the formats

    check_id(recording.video_id, f"{recording.path}, {recording.video_id[:80]!r}")
    video = find(recording.video_id)
    track = as_track(recording, told, layout, probe(video) if video else None)
    details = {"video": {"file": video.name, **video_identity(video)}} if video else {}
    return replace(track, source=f"imported from {format}", details={**track.details, **details})


def _finder(path: Path, told: Told, videos: str | Path | None) -> Callable[[str], Path | None]:
    """What gives the file of a video by its id, None where it is not there: the one named, in the folder named, or
    beside the joints, where it has anything to tell."""
    if videos is not None:
        folder = VideoFolder(videos)
        return lambda video_id: _find_or_none(folder, video_id) if Path(videos).is_dir() else Path(videos)
    if told.fps and told.size:
        return lambda video_id: None
    places = [path.parent, *([path] if path.is_dir() else [])]
    beside = {id_of_file(file): file for place in places for file in place.iterdir() if is_video(file)}
    return lambda video_id: beside.get(check_id(video_id))


def _find_or_none(folder: VideoFolder, video_id: str) -> Path | None:
    with contextlib.suppress(InputError):  # said later, if something is missing that it would have told
        return folder.find(video_id)
