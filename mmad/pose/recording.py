"""The content of another tool's file on the people in a video, and its conversion to the landmark track of one of
them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmad.errors import InputError
from mmad.formats.fields import check_fps
from mmad.pose.boxes import outside_picture
from mmad.pose.imported_people import choose_person
from mmad.pose.skeletons import LAYOUT, absent_joints, in_words, joints_of, rearrange
from mmad.records import LandmarkTrack

if TYPE_CHECKING:
    from mmad.video.reader import VideoInfo  # which loads PyAV

MIN_PIXELS = 1.5  # coordinates with a larger median are pixels: no one's joints are within two pixels
CENTRED = 0.3  # with more negative coordinates than this share, 0 is the centre of the picture, not its corner
OUTSIDE = 0.5  # with more of all confidence than this outside the picture, its size cannot be correct
MOST_FILLED = 20  # most frames per row of the file; with more, they are not frames of one video
LAST_FRAME = 1 << 40  # larger numbers are not numbers of frames
MOST_NAMED = 8  # most unused body parts of a file that are listed
GIVE_SIZE = "give --size WIDTHxHEIGHT, or the video with --videos"
GIVE_FPS = "give --fps, or the video with --videos"


@dataclass
class Recording:
    """The people in one video as a file contains them.

    joints: the names of the J joints. people: for each of T frames (P, J, 3) float32: x, y in pixels or in fractions of
    the picture's width and height, and confidence, 0 or NaN where not seen; P = 0 is legal. frames: (T,) int,
    ascending; the first of the video is 0. identities: for each frame the P ids of people whom the tool tracked. times:
    (T,) s; size: width and height, pixels; fps: frames per second; each None where the file does not contain it.
    unused: body parts of the file that are not known joints. details: further content of the sidecar.
    """

    video_id: str
    path: Path
    joints: Sequence[str]
    people: list[np.ndarray]
    frames: np.ndarray
    identities: list[list] | None = None
    times: np.ndarray | None = None
    size: tuple[int, int] | None = None
    fps: float | None = None
    unused: list[str] = field(default_factory=list)
    details: dict = field(default_factory=dict)

    def __post_init__(self):
        if not len(self.frames):
            raise InputError(self.path, "contains no frame", "nobody was found, or nothing was written")
        if max(self.frames) > LAST_FRAME:
            raise InputError(self.path, f"frame {str(max(self.frames))[:40]}", "are these numbers of frames?")
        self.frames = np.asarray(self.frames, dtype=np.int64)


def recording_of_frames(
    video_id: str,
    path: Path,
    joints: Sequence[str],
    frames: dict[int, list[np.ndarray]],
    identities: dict[int, list],
    unused: Sequence[str] = (),
) -> Recording:
    """A recording from {frame number: poses (J, 3)} and {frame number: ids of these, None where unknown}."""
    numbers = sorted(frames)
    empty = np.empty((0, len(joints), 3), dtype=np.float32)
    people = [np.stack(frames[number]) if frames[number] else empty for number in numbers]
    who = [identities.get(number, []) for number in numbers]
    tracked = all(identity is not None for frame in who for identity in frame)
    return Recording(video_id, path, joints, people, np.array(numbers), who if tracked else None, unused=list(unused))


class LazySequence(Sequence):
    """`make(item)` of each of the items, computed when it is accessed: a data set has thousands."""

    def __init__(self, make: Callable, items: Sequence):
        self.make, self.items = make, items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int):
        return self.make(self.items[index])


@dataclass(frozen=True)
class ImportOptions:
    """How a file of joints is imported. None: taken from the file, else from the video.

    fps: frames per second. size: width and height of the picture, pixels. format: a key of `pose_formats.FORMATS`;
    None: by the content. person: "largest" over time, or 0, 1, ... from the largest down. layout: of the tracks.
    videos: the video, or a folder of videos; None: beside the file.

    `InputError` for a rate, size, person or layout that makes no sense.
    """

    fps: float | None = None
    size: tuple[int, int] | None = None
    format: str | None = None
    person: str | int = "largest"
    layout: str = LAYOUT
    videos: str | Path | None = None

    def __post_init__(self):
        joints_of(self.layout)
        if self.size is not None and (len(self.size) != 2 or min(self.size) <= 0):
            raise InputError("--size", f"{self.size}", "expected width and height in pixels")
        if self.person != "largest" and not (isinstance(self.person, int) and self.person >= 0):
            raise InputError("--person", f"{self.person!r}", "expected largest, or 0, 1, ... from the largest down")
        check_fps(self.fps)


def as_track(recording: Recording, options: ImportOptions, video: "VideoInfo | None" = None) -> LandmarkTrack:
    """The landmark track of one person of a recording.

    video: the file that it was made from, if it exists. Joints outside the picture count as not seen.
    """
    joints = joints_of(options.layout)
    size = _size_of(recording, options, video)
    counts_of_video = options.fps is None and recording.fps is None and recording.times is None
    recording = _with_all_frames(recording, video.num_frames if video is not None and counts_of_video else 0)
    times = _times_of(recording, options, video)
    people = _in_heights(recording, size)
    person = 0 if options.person == "largest" else int(options.person)
    points = choose_person(people, recording.identities, times, person, recording.path)
    points = _within_picture(points, size, recording)
    return LandmarkTrack(
        recording.video_id,
        rearrange(points, recording.joints, joints),
        times,
        options.layout,
        np.array(size),
        person,
        duration=video.duration if video is not None else 0.0,
        details=_details_of(recording, options.layout),
    )


def _details_of(recording: Recording, layout: str) -> dict:
    absent = in_words(absent_joints(recording.joints, layout))
    unused = ", ".join(recording.unused[:MOST_NAMED])
    if len(recording.unused) > MOST_NAMED:
        unused += f" and {len(recording.unused) - MOST_NAMED} more"
    details = {"file": recording.path.name, "absent": absent, "unused": unused}
    return {**{key: value for key, value in details.items() if value}, **recording.details}


def _size_of(recording: Recording, options: ImportOptions, video: "VideoInfo | None") -> tuple[int, int]:
    """Width and height; of a video that its metadata rotates, upright, as most tools see it."""
    size = options.size or recording.size or (video and (video.width, video.height))
    if size is None:
        raise InputError(recording.path, f"does not say how large the picture of {recording.video_id} is", GIVE_SIZE)
    return size


def _with_all_frames(recording: Recording, count: int) -> Recording:
    """The same with empty frames where the file skips some, up to `count` frames of the video.

    Some tools write only frames with people. If all frames are multiples of ten, for instance, so are the added ones.
    """
    frames = recording.frames
    if (np.diff(frames) <= 0).any():
        row = int(np.argmax(np.diff(frames) <= 0)) + 1
        raise InputError(recording.path, f"row {row} (the first is 0) is of frame {frames[row]}, as one before it")
    step = int(np.gcd.reduce(np.diff(frames))) if len(frames) > 1 else 1
    if frames[-1] // step > max(1000 + MOST_FILLED * len(frames), 2 * count):
        problem = f"{len(frames)} rows for the frames {frames[0]} to {frames[-1]}"
        raise InputError(recording.path, problem, "are these frames of one video?")
    every = np.arange(frames[0] % step, max(frames[-1] + 1, count), step)
    if len(every) == len(frames):
        return recording
    row_of = {int(frame): row for row, frame in enumerate(frames)}
    rows = [row_of.get(int(frame)) for frame in every]
    nobody = np.empty((0, len(recording.joints), 3), dtype=np.float32)
    people = [nobody if row is None else recording.people[row] for row in rows]
    who = recording.identities and [[] if row is None else recording.identities[row] for row in rows]
    times = None if recording.times is None else _times_between(every, frames, recording.times)
    return replace(recording, frames=every, people=people, identities=who, times=times)


def _times_between(every: np.ndarray, frames: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Times (F,) of every frame, interpolated from those of some, and extrapolated evenly; s."""
    step = float(np.median(np.diff(times) / np.diff(frames))) if len(frames) > 1 else 0.0
    beyond = np.minimum(every - frames[0], 0) + np.maximum(every - frames[-1], 0)
    return np.interp(every, frames, times) + beyond * step


def _times_of(recording: Recording, options: ImportOptions, video: "VideoInfo | None") -> np.ndarray:
    """Times (T,) in s: from the options, else from the file, else from the video."""
    if options.fps is None and recording.times is not None:
        times = recording.times
        if (np.diff(times) <= 0).any():
            row = int(np.argmax(np.diff(times) <= 0)) + 1
            raise InputError(recording.path, f"row {row} (the first is 0) is at {times[row]:g} s, as the one before it")
        return times
    fps = options.fps or recording.fps
    if fps is not None:
        return recording.frames / fps
    if video is None:
        problem = f"does not say how many frames per second {recording.video_id} has"
        raise InputError(recording.path, problem, GIVE_FPS)
    beyond = recording.frames - (video.num_frames - 1)
    if (beyond * video.frame_duration > 1).any():
        problem = f"frame {recording.frames[-1]} of a video with {video.num_frames} frames ({video.path})"
        raise InputError(recording.path, problem, "is it the right video? If its frames were cut out, give --fps")
    times = video.times[np.minimum(recording.frames, video.num_frames - 1)]
    return times + np.maximum(beyond, 0) * video.frame_duration


def _in_heights(recording: Recording, size: tuple[int, int]) -> list[np.ndarray]:
    """For each frame (P, J, 3): x and y in picture heights, confidence 0..1; NaN, NaN, 0 where not seen."""
    width, height = size
    counts = [len(people) for people in recording.people]
    if not any(counts):
        return [np.empty((0, len(recording.joints), 3), dtype=np.float32) for _ in counts]
    points = np.concatenate([people for people in recording.people if len(people)]).astype(np.float32)
    seen = np.isfinite(points).all(axis=-1) & (points[..., 2] > 0)
    points[~seen] = (np.nan, np.nan, 0)
    points[..., 2] = np.minimum(points[..., 2], 1)
    coordinates = points[seen][:, :2]
    if len(coordinates) and np.median(np.abs(coordinates)) < MIN_PIXELS:
        if (coordinates < 0).mean() > CENTRED:
            problem = "its coordinates are relative to the centre of the picture, in -1..1"
            raise InputError(recording.path, problem, "write pixels (of OpenPose: --keypoint_scale 0)")
        points[..., 0] *= width / height
    else:
        points[..., :2] /= height
    return np.split(points, np.cumsum(counts)[:-1])


def _within_picture(points: np.ndarray, size: tuple[int, int], recording: Recording) -> np.ndarray:
    """Joints (T, J, 3) with those outside the picture marked as not seen."""
    confidence, outside = points[..., 2], outside_picture(points, size[0] / size[1])
    if confidence[outside].sum() > OUTSIDE * confidence.sum():
        problem = f"most joints of {recording.video_id} lie outside a picture of {size[0]} x {size[1]}"
        raise InputError(recording.path, problem, "give the size of the picture that the joints were found in: --size")
    points = points.copy()
    points[outside] = (np.nan, np.nan, 0)
    return points


def frame_number(name: str) -> int | None:
    """The number at the end of the name of a frame, "0.jpg" or "img_0012.png"; None if there is none."""
    found = re.search(r"(\d{1,40})(\.[A-Za-z]+)?$", name)
    return int(found[1]) if found else None
