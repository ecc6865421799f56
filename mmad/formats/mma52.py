"""The official files: the MMA-52 table of actions, of any year, and MA-52 lists of trimmed clips. Numpy only."""

from pathlib import Path

import numpy as np

from mmad.errors import InputError, refuse
from mmad.files import check_id, read_lines
from mmad.formats.fields import ASSUMED_FPS, assumption, finite_number, label_id, require_columns
from mmad.formats.source import OnProblem, ReadOptions, Source
from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation

COLUMNS = ("video_id", "start_frame", "end_frame", "class", "total_frames")


def is_mma52(source: Source) -> bool:
    return "start_frame" in source.columns


def read_mma52(source: Source, options: ReadOptions) -> list[Annotation]:
    """Frames become seconds by the fps of their row, or by `options.fps` in the file of early 2024, which has none."""
    path, table, labels = source.path, source.table, options.labels
    require_columns(path, table, COLUMNS)
    column = {name: table.column(name) for name in (*COLUMNS, "fps") if table.column(name) is not None}
    videos: dict[str, dict] = {}
    assumed = []
    for line, row in table.numbered():
        where = f"{path}, line {line}"
        try:
            video_id = check_id(row[column["video_id"]].strip(), where)
            counts = ("start_frame", "end_frame", "total_frames")
            start, end, total = (finite_number(row[column[name]], where, name) for name in counts)
            given_rate = finite_number(row[column["fps"]], where, "fps") if "fps" in column else options.rate(video_id)
            rate = ASSUMED_FPS if given_rate is None else given_rate
            label = label_id(row[column["class"]].strip(), labels, where)
            if rate <= 0 or total <= 0:
                raise InputError(where, f"fps {rate:g}, total_frames {total:g}", "both must be positive")
            if start < 0:
                raise InputError(where, f"start_frame {start:g} is negative")
            if end < start:
                raise InputError(where, f"end_frame {end:g} is before start_frame {start:g}", "swap or delete the row")
            video = videos.setdefault(video_id, {"total": total, "fps": rate, "segments": [], "labels": []})
            if (video["total"], video["fps"]) != (total, rate):
                raise InputError(
                    where,
                    f"{video_id}: {total:g} frames at {rate:g} fps here, {video['total']:g} at {video['fps']:g} above",
                    "one video has one length and one rate",
                )
        except InputError as error:
            options.on_problem(error)
            continue
        assumed += [video_id] * (given_rate is None)
        video["segments"].append((start / rate, end / rate))
        video["labels"].append(label)
    annotations = [
        Annotation(video_id, v["total"] / v["fps"], v["segments"], v["labels"], fps=v["fps"])
        for video_id, v in videos.items()
    ]
    if annotations:
        annotations[0].notes.extend(table.notes)
        annotations[0].notes.extend([assumption(f"{path} has no fps column")] if assumed else [])
    return annotations


def is_placeholder(annotations: list[Annotation]) -> bool:
    """Whether this is the official test.csv: hidden labels, one dummy row (frames 0-20) a video."""
    return len(annotations) > 1 and all(
        item.fps and item.segments.shape == (1, 2) and np.allclose(item.segments * item.fps, (0, 20))
        for item in annotations
    )


def read_clip_list(path: str | Path, labels: LabelSet = MMA52, on_problem: OnProblem = refuse) -> list[tuple[str, int]]:
    """[(file name, label id)] of an MA-52 list: `name.mp4 label` a line. Each clip once."""
    clips: dict[str, int] = {}
    refused = 0
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            name, _, label = line.strip().rpartition(" ")
            if not name:
                raise InputError(where, f"{line.strip()!r}", "expected `name.mp4 label`")
            check_id(name, where)
            if name in clips:
                raise InputError(where, f"clip {name} is listed twice", "delete one of the lines")
            clips[name] = label_id(label, labels, where)
        except InputError as error:
            refused += 1
            on_problem(error)
    if not clips and not refused:
        on_problem(InputError(path, "no clips in the list", "expected `name.mp4 label` lines"))
    return list(clips.items())
