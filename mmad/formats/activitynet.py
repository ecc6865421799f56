"""ActivityNet's JSON, and the official baseline's `mmad.json` in lists. One file for all videos."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import check_id, write_json
from mmad.formats.fields import as_number, check_order, finite_number, label_id, segment
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation


def is_activitynet(source: Source) -> bool:
    return isinstance(source.json, dict) and isinstance(source.json.get("database"), dict)


def is_baseline(source: Source) -> bool:
    videos = source.json.values() if isinstance(source.json, dict) else []
    return bool(videos) and all(isinstance(video, dict) and "actions" in video for video in videos)


def read_activitynet(source: Source, options: ReadOptions) -> list[Annotation]:
    """{"database": {video_id: {"duration", "subset", "annotations": [{"segment": [start, end], "label": name}]}}}"""
    return _read_videos(source.path, source.json["database"], "annotations", read_action, options)


def read_baseline(source: Source, options: ReadOptions) -> list[Annotation]:
    """{video_id: {"duration", "subset", "actions": [[label, start, end]]}}"""
    return _read_videos(source.path, source.json, "actions", _read_listed_action, options)


def _read_videos(path: Path, videos: dict, key: str, read_item: Callable, options: ReadOptions) -> list[Annotation]:
    """The videos of a JSON file; `read_item(item, where)` takes one entry of `key` apart.

    A video without a duration ends with its last action; mAP is the same.
    """
    annotations = []
    for video_id, video in videos.items():
        where = f"{path}, video {video_id!r}"
        try:
            name = check_id(video_id, where)
            if not isinstance(video, dict) or ("duration" not in video and not video.get(key)):
                raise InputError(where, "no duration", "add its length in seconds")
            duration = finite_number(video["duration"], where, "duration") if "duration" in video else None
            if duration is not None and duration <= 0:
                raise InputError(where, f"duration {duration:g} s is not positive")
            actions = video.get(key, [])
            if not isinstance(actions, list):
                raise InputError(where, f"{key!r} is not a list")
            fps = as_number(video.get("fps"))
            if video.get("fps") is not None and not (fps is not None and 0 < fps < np.inf):
                raise InputError(where, f"fps {video['fps']!r} is not a positive number")
        except InputError as error:
            options.on_problem(error)
            continue
        segments, ids = [], []
        for number, item in enumerate(actions):
            place = f"{where}, {key}[{number}]"
            try:
                label, pair = read_item(item, place)
                start, end = segment(pair, place)
                check_order(start, end, place)
                ids.append(label_id(label, options.labels, place))
                segments.append((start, end))
            except InputError as error:
                options.on_problem(error)
        annotations.append(Annotation(name, duration, segments, ids, str(video.get("subset") or ""), fps))
    return annotations


def read_action(item, where: str) -> tuple:
    """(label, segment), neither of them checked, of an action in ActivityNet's JSON."""
    if not isinstance(item, dict) or "segment" not in item or not ("label" in item or "label_id" in item):
        raise InputError(where, "has no segment or no label", 'expected {"segment": [start, end], "label": name}')
    return item.get("label", item.get("label_id")), item["segment"]


def _read_listed_action(item, where: str) -> tuple:
    if not isinstance(item, list) or len(item) != 3:
        raise InputError(where, f"{item!r}", "expected [label, start, end]")
    return item[0], item[1:]


def write_activitynet(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """Seconds to a microsecond. Scores are written and not read again: what is read is annotations."""
    database = {}
    for item in videos:
        about = {"duration": item.duration}
        about |= {} if item.fps is None else {"fps": item.fps}
        about |= {"subset": item.subset} if item.subset else {}
        annotations = [
            {"segment": [round(start, 6), round(end, 6)], "label": options.labels.actions[label]}
            | ({} if score is None else {"score": score})
            for start, end, label, score in item.rows()
        ]
        database[item.video_id] = {**about, "annotations": annotations}
    write_json(path, {"version": "mmad-1", "database": database}, indent=1)
