"""Annotations and the files of their videos, which know rates and lengths. Numpy only."""

from dataclasses import replace
from pathlib import Path

from mmad.errors import InputError
from mmad.records import Annotation
from mmad.video.finding import find_video


def link_videos(videos: list[Annotation], place: str | Path) -> tuple[list[Annotation], list[str]]:
    """(videos with their file, and with its rate and length where these were not known, ids without a file).

    place: a folder of videos, or the file of the only one.
    """
    from mmad.video.reader import probe  # on demand: annotations are read without any video library

    place = Path(place)
    if not place.is_dir() and len(videos) != 1:
        raise InputError(place, f"is one file for {len(videos)} videos", "give the folder of the videos")
    linked, missing = [], []
    for item in videos:
        try:
            media = find_video(place, item.video_id, item.subset) if place.is_dir() else place
        except InputError:
            linked.append(item)
            missing.append(item.video_id)
            continue
        info = probe(media)
        duration = item.duration if item.duration_known else info.duration
        linked.append(replace(item, media=media, duration=duration, fps=item.fps or info.fps, duration_known=True))
    return linked, missing
