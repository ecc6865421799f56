"""Annotations and the files of their videos, which know rates, lengths, and when the picture begins. Numpy only."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from mmad.errors import InputError
from mmad.records import Annotation
from mmad.video.finding import VideoFolder

if TYPE_CHECKING:
    from mmad.video.reader import VideoInfo, VideoInfos

SAME_LENGTH = 0.1  # s by which two statements of one video's length may differ


class VideoFiles:
    """The videos in a folder, or the file of the only one. Each is looked for and opened once.

    Videos are looked for by their id, and where there is none of this name, by the name of the file that an annotation
    file links.
    """

    def __init__(self, place: str | Path):
        self.place, self.folder = Path(place), VideoFolder(place)
        self.find = cache(self._find)
        self.clock = cache(self._clock)

    @classmethod
    def of(cls, place: "str | Path | VideoFiles") -> "VideoFiles":
        """The videos themselves, so that what was found of them counts again; or those of a place."""
        return place if isinstance(place, cls) else cls(place)

    @cached_property
    def _infos(self) -> "VideoInfos":
        from mmad.video.reader import VideoInfos  # on demand: most files are read without any video

        return VideoInfos()

    def info(self, file: Path) -> "VideoInfo":
        """What the file of a video holds; remembered of those asked for last."""
        return self._infos(file)[0]

    def _find(self, video_id: str, link: str = "", subset: str = "") -> Path | None:
        if not self.place.is_dir():
            return self.place
        for name in dict.fromkeys((video_id, PurePosixPath(link.replace("\\", "/")).stem)):
            try:
                return self.folder.find(name, subset) if name else None
            except InputError:
                continue
        return None

    def _clock(self, file: Path) -> tuple[float, float, float]:
        """(frames a second, s from the first shown frame to the end of the last, s that a player's clock shows at the
        first shown frame)"""
        from mmad.video.reader import start_in_player  # on demand, as above

        info = self.info(file)
        return info.fps, info.duration, start_in_player(info)

    def fps(self, video_id: str, link: str = "") -> float | None:
        file = self.find(video_id, link)
        return None if file is None else self.clock(file)[0]

    def length(self, video_id: str, link: str = "") -> float | None:
        """s from the first shown frame to the end of the last; None where there is no such video."""
        file = self.find(video_id, link)
        return None if file is None else self.clock(file)[1]

    def link(self, videos: list[Annotation]) -> list[Annotation]:
        """The same with their files, and with their rates and lengths where these were not known. A note on the first
        says which were not found. `clock_start` is that of the video where the annotation file does not say."""
        if not self.place.is_dir() and len(videos) != 1:
            raise InputError(self.place, f"is one file for {len(videos)} videos", "give the folder of the videos")
        linked, missing = [], []
        for item in videos:
            file = self.find(item.video_id, item.link, item.subset)
            if file is None:
                linked.append(item)
                missing.append(item.video_id)
                continue
            fps, length, start = self.clock(file)
            metadata = {"fps": item.fps or fps, "clock_start": item.clock_start or start, "duration_known": True}
            metadata["duration"] = item.duration if item.duration_known else length
            linked.append(replace(item, media=file, **metadata))
        if missing:
            problem = f"{len(missing)} of {len(videos)} videos are not in {self.place}, such as {missing[0]}"
            linked[0].notes.append(problem)
        return linked


def on_pictures_clock(item: Annotation, length_too: bool) -> Annotation:
    """Of times that a player shows, those since the first shown frame; what was before it begins with it.

    length_too: whether the length is one that a player shows too, rather than that of the picture.
    """
    moved = np.maximum(np.round(item.segments - item.clock_start, 6), 0)
    return _moved(item, moved, -item.clock_start if length_too else 0.0) if item.clock_start else item


def on_players_clock(item: Annotation) -> Annotation:
    """Of times since the first shown frame, those that a player shows."""
    return _moved(item, np.round(item.segments + item.clock_start, 6), item.clock_start) if item.clock_start else item


def _moved(item: Annotation, segments: np.ndarray, by: float) -> Annotation:
    """by: s by which the length changes."""
    return replace(item, segments=segments, duration=max(item.duration + by, 1e-3) if item.duration_known else None)


def join_same_videos(
    path: Path, videos: list[Annotation], on_problem: Callable[[InputError], None]
) -> list[Annotation]:
    """One annotation of each video, of a file that has some in several places: their actions together, with a note.

    Refused where the places differ in the video's length or rate: then they are not of one video.
    """
    joined: dict[str, Annotation] = {}
    counts: dict[str, int] = {}
    for item in videos:
        before = joined.get(item.video_id)
        try:
            joined[item.video_id] = item if before is None else _join(path, before, item)
        except InputError as error:
            on_problem(error)
            continue
        counts[item.video_id] = counts.get(item.video_id, 0) + 1
    for video_id, count in counts.items():
        if count > 1:
            note = f"{path}: {video_id} is there {count} times; what is said of it is taken together"
            joined[video_id].notes.append(note)
    return list(joined.values())


def _join(path: Path, first: Annotation, second: Annotation) -> Annotation:
    differ = first.duration_known and second.duration_known and abs(first.duration - second.duration) > SAME_LENGTH
    if differ or (first.fps and second.fps and first.fps != second.fps):
        lengths = [f"{item.duration:g} s at {item.fps or 0:g} fps" for item in (first, second)]
        raise InputError(
            path, f"{first.video_id} is there twice, {lengths[0]} and {lengths[1]}", "give them names of their own"
        )
    rows = dict.fromkeys(first.rows())
    rows |= dict.fromkeys(row for row in second.rows() if row not in rows)  # what both hold counts once
    scored = any(score is not None for *_, score in rows)
    with_duration = first if first.duration_known else second
    return replace(
        first,
        segments=[row[:2] for row in rows],
        labels=[row[2] for row in rows],
        scores=[1.0 if row[3] is None else row[3] for row in rows] if scored else None,
        duration=with_duration.known_duration,
        duration_known=with_duration.duration_known,
        fps=first.fps or second.fps,
        notes=first.notes + second.notes,
    )
