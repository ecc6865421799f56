"""Aggregated events of BORIS, https://boris.unito.it. One file for all videos; whole milliseconds."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import check_id, write_text
from mmad.formats.fields import finite_number, from_rows, if_positive, label_id, score_in_range
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation

BORIS_COLUMNS = (
    "Observation id",
    "Observation date",
    "Description",
    "Observation type",
    "Source",
    "Time offset (s)",
    "Coding duration",
    "Media duration (s)",
    "FPS (frame/s)",
    "Subject",
    "Observation duration by subject by observation",
    "Behavior",
    "Behavioral category",
    "Behavior type",
    "Start (s)",
    "Stop (s)",
    "Duration (s)",
    "Media file name",
    "Image index start",
    "Image index stop",
    "Image file path start",
    "Image file path stop",
    "Comment start",
    "Comment stop",
)
# What older versions call the same; the first that is there counts.
BORIS_NAMES = {
    "id": ("observation id",),
    "behavior": ("behavior",),
    "start": ("start (s)", "start"),
    "stop": ("stop (s)", "stop"),
    "type": ("behavior type", "status"),
    "duration": ("media duration (s)", "total length", "total duration"),
    "fps": ("fps (frame/s)", "fps"),
    "comment": ("comment start", "comment"),
}


def write_boris(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """The table that BORIS 8 exports; an observation is a video, a category a body part, the score a comment."""
    labels, text = options.labels, io.StringIO()
    table = csv.DictWriter(text, BORIS_COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for item in videos:
        media = str(item.media) if item.media else item.video_id
        for start, end, label, score in item.rows():
            frames = ("NA", "NA") if item.fps is None else (round(start * item.fps), round(end * item.fps))
            table.writerow(
                {
                    "Observation id": item.video_id,
                    "Observation type": "Media file",
                    "Source": f"player #1:{media}",
                    "Time offset (s)": 0,
                    "Coding duration": f"{item.duration:.3f}",
                    "Media duration (s)": f"{item.duration:.3f}" if item.duration_known else "NA",
                    "FPS (frame/s)": "NA" if item.fps is None else f"{item.fps:g}",
                    "Subject": "No focal subject",
                    "Observation duration by subject by observation": f"{item.duration:.3f}",
                    "Behavior": labels.actions[label],
                    "Behavioral category": labels.parts[labels.part_of[label]],
                    "Behavior type": "STATE",
                    "Start (s)": f"{start:.3f}",
                    "Stop (s)": f"{end:.3f}",
                    "Duration (s)": f"{end - start:.3f}",
                    "Media file name": media,
                    "Image index start": frames[0],
                    "Image index stop": frames[1],
                    "Comment start": "" if score is None else f"score {score:.4g}",
                }
            )
    write_text(path, text.getvalue())


def is_boris(source: Source) -> bool:
    return {"observation id", "behavior"} <= source.columns


def read_boris(source: Source, options: ReadOptions) -> list[Annotation]:
    """The STATE rows of aggregated events of any version, by the names of the columns. POINT rows are counted only."""
    path, (header, table), labels = source.path, source.table, options.labels
    names = [name.strip().lower() for name in header]
    at = {key: next((names.index(name) for name in known if name in names), None) for key, known in BORIS_NAMES.items()}
    missing = [BORIS_NAMES[key][0] for key in ("id", "behavior", "start", "stop") if at[key] is None]
    if missing:
        raise InputError(f"{path}, line 1", f"no column {', '.join(missing)}", "export aggregated events from BORIS")
    rows_of: dict[str, list] = {}
    known: dict[str, dict] = {}
    points = 0
    for number, fields in enumerate(table, start=2):
        where = f"{path}, line {number}"
        row = {key: "" if i is None else fields[i].strip() for key, i in at.items()}
        try:
            rows = rows_of.setdefault(check_id(row["id"], where), [])
            known.setdefault(row["id"], {"duration": if_positive(row["duration"]), "fps": if_positive(row["fps"])})
            if row["type"].upper() == "POINT" or row["stop"].upper() in ("", "NA"):
                points += 1
                continue
            start, stop = (finite_number(row[key], where, key) for key in ("start", "stop"))
            if not 0 <= start <= stop:
                raise InputError(where, f"start {start:g} s, stop {stop:g} s", "expected 0 <= start <= stop")
            label = label_id(row["behavior"], labels, where)
            noted = re.fullmatch(r"score\s+(\S+)", row["comment"])
            rows.append((start, stop, label, score_in_range(noted[1], where) if noted else None))
        except InputError as error:
            options.on_problem(error)
    videos = [from_rows(video_id, rows, **known[video_id]) for video_id, rows in rows_of.items()]
    if points and videos:
        videos[0].notes.append(f"{path}: {points} point events have no duration and are left out")
    return videos
