"""What the extraction of features and of landmarks share: plans, videos that are finished already, progress."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmad.data.partial_rows import PartialRows
from mmad.errors import InputError, readable, warn
from mmad.files import check_id, path_for_id
from mmad.records import content_digest
from mmad.sidecars import is_same_video
from mmad.video.opening import video_identity
from mmad.video.reader import BrokenVideo, VideoInfo

PROGRESS_BAR = "{percentage:3.0f}%|{bar}| {n:.2f}/{total_fmt} videos [{elapsed}<{remaining}{postfix}]"


@dataclass(kw_only=True)
class VideoPlan:
    """Which frames of one video are read.

    identity: which file it is, as `mmad.video.reader.video_identity` gives it. frames: indices of the frames,
    ascending: (T,), or (T, frames per clip). partial: rows that an earlier run kept, for long videos; else None.
    """

    video_id: str
    identity: dict[str, int | str]
    info: VideoInfo
    frames: np.ndarray
    partial: PartialRows | None = None

    def partial_rows(self, folder: str | Path, source: str) -> PartialRows:
        """The rows that an earlier run of `source` kept of this video in a folder, and where this run adds to them."""
        read = content_digest([self.frames, self.info.timestamps])
        identity = {"source": source, **self.identity, "frames": read}
        return PartialRows(folder, self.video_id, identity, len(self.frames))

    def truncation_problem(self) -> BrokenVideo | None:
        """The problem of a video that was read to its end but whose file is cut off; None if it is complete."""
        info = self.info
        if info.is_complete:
            return None
        return BrokenVideo(info.path, info.num_frames, info.expected_frames, float(info.times[-1]))

    def details(self, settings: dict, problem: InputError | None) -> dict:
        """Content of the sidecar of its results: settings, the video file, and what is wrong with it."""
        info = self.info
        video = {
            "file": readable(info.path.name),
            **self.identity,
            "fps": info.fps,
            "frames": info.num_frames,
            "reader": "pyav",
        }
        if info.damaged:
            video["damaged"] = info.damaged
        if info.remarks:
            video["remarks"] = info.remarks
        details = {"settings": settings, "video": video}
        if problem is not None:
            details["broken"] = str(problem)
        return details


@dataclass
class SortedVideos:
    """Videos by what is left to do. finished: {id: sidecar}. todo: (id, path). problems: one line each."""

    finished: dict[str, dict] = field(default_factory=dict)
    todo: list[tuple[str, Path]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def sort_videos(
    videos: Iterable[tuple[str, Path]], finished_sidecar: Callable[[str, Path], dict | None]
) -> SortedVideos:
    """Sort videos (id, path) into finished ones and those to process; an id that cannot name a file is a problem.

    finished_sidecar: (id, path) -> the sidecar of finished results of the very same file, None where there are none.
    """
    found = SortedVideos()
    for video_id, path in videos:
        try:
            check_id(video_id, repr(str(path)))
        except InputError as error:
            found.problems.append(str(error))
            continue
        sidecar = finished_sidecar(video_id, path)
        if sidecar is None:
            found.todo.append((video_id, path))
            continue
        found.finished[video_id] = sidecar
        if "broken" in sidecar:
            found.problems.append(sidecar["broken"])
    return found


def still_valid_sidecar(sidecar: dict | None, path: Path, changed: Callable[[dict, Path], str]) -> dict | None:
    """The sidecar of finished results; returns None where there are none, and warns if the video changed.

    changed: (sidecar, path) -> why the results are not of this video, empty if they are; `InputError` where it cannot
    be read, which is reported when the video is opened.
    """
    if sidecar is None:
        return None
    try:
        reason = changed(sidecar, path)
    except InputError:
        return None
    if reason:
        warn(f"{path}: {reason}; they are made again")
    return None if reason else sidecar


def if_replaced(reason: str) -> Callable[[dict, Path], str]:
    """For `still_valid_sidecar`: gives `reason` where the file is not the one that the sidecar identifies."""
    return lambda sidecar, path: "" if is_same_video(sidecar, video_identity(path)) else reason


def warn_unused(video_id: str, folder: str | Path, results: str) -> None:
    """Say that `results` ("features") in the folder are of an earlier file and not used, where there are any."""
    if path_for_id(folder, video_id, ".json").exists():
        warn(f"{video_id}: its {results} in {folder} are of an earlier file of this name, and not used")


class Progress:
    """A progress bar over videos, with the rate at which something else is processed; a context.

    total: number of videos. rate: format of the rate per second, such as "{:.1f} steps/s".
    """

    def __init__(self, total: int, rate: str):
        self.bar = tqdm(total=total, disable=None, bar_format=PROGRESS_BAR)
        self.rate, self.amount, self.videos = rate, 0.0, 0
        self.began = time.perf_counter()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    @property
    def seconds(self) -> float:
        """Time since the start, s."""
        return time.perf_counter() - self.began

    def add(self, amount: float, share: float) -> None:
        """amount: processed since the last call, in what the rate counts; 0: by an earlier run. share: of a video."""
        self.amount += amount
        if not amount and share:
            self.bar.write(f"{100 * share:.0f} % of a video was done by an earlier run")
            self.bar.initial = self.bar.last_print_n = self.bar.n = self.bar.n + share  # not part of the rate
            return
        self.bar.set_postfix_str(self.rate.format(self.amount / self.seconds), refresh=False)
        self.bar.update(min(share, self.bar.total - self.bar.n))  # shares are rounded

    def finish_video(self) -> None:
        """Count a video as processed, also the part of it that could not be read."""
        self.videos += 1
        self.bar.update(max(self.videos - self.bar.n, 0))
