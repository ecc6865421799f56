"""Tables of BORIS, https://boris.unito.it: aggregated events in and out, tabular events in. One file for all videos.

Whole milliseconds.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import write_text
from mmad.formats.boris_observations import (
    OUR_DESCRIPTION,
    Observation,
    add_event,
    all_videos,
    name_of,
    pair_starts_with_stops,
)
from mmad.formats.fields import (
    LeftOut,
    as_number,
    from_timecode,
    if_positive,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.formats.tables import header_of, parse_table, plain_name
from mmad.records import Annotation

COLUMNS = (
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
# What versions and kinds of tables call the same; the first that is there counts.
COLUMN_NAMES = {
    "id": ("Observation id",),
    "subject": ("Subject",),
    "behavior": ("Behavior",),
    "start": ("Start (s)", "Start"),
    "stop": ("Stop (s)", "Stop"),
    "time": ("Time", "Time (s)"),
    "type": ("Behavior type", "Status"),
    "offset": ("Time offset (s)", "Time offset"),
    "length": ("Media duration (s)", "Total length", "Total duration"),
    "fps": ("FPS (frame/s)", "FPS"),
    "media": ("Media file name", "Media file path", "Media file"),
    "source": ("Source",),
    "description": ("Description",),
    "comment": ("Comment start", "Comment"),
}


# --- writing ----------------------------------------------------------------------------------------------------


def write_boris(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """The table that BORIS 8 exports; an observation is a video, a category a body part, the score a comment."""
    labels, text = options.labels, io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for item in videos:
        media = str(item.media) if item.media else item.video_id
        for start, end, label, score in item.rows():
            frames = ("NA", "NA") if item.fps is None else (round(start * item.fps), round(end * item.fps))
            table.writerow(
                {
                    "Observation id": item.video_id,
                    "Description": "" if item.scores is None else OUR_DESCRIPTION,
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


# --- reading ----------------------------------------------------------------------------------------------------


def is_boris(source: Source) -> bool:
    """Whether it is a table of events, aggregated or one row for each start and stop, of any version."""
    return {"observation_id", "behavior"} <= source.columns or _header_line(source) is not None


def _header_line(source: Source) -> int | None:
    """Of tabular events of older versions, which line the header is in: behind some on the observation."""
    if source.suffix not in (".csv", ".tsv", ".txt") or "observation_id" not in source.columns:
        return None
    for number, line in enumerate(source.lines[:200]):
        if {"time", "behavior", "status"} <= set(map(plain_name, header_of(line))):
            return number
    return None


def read_boris(source: Source, options: ReadOptions) -> list[Annotation]:
    """The state events of a table, by the names of its columns."""
    path, line = source.path, _header_line(source)
    table, name = source.table if line is None else parse_table(source.text, path, skip=line), ""
    if line:
        name = next((cell for cell in header_of(source.lines[0])[1:] if cell.strip()), path.stem)
    at = {key: table.column(*names) for key, names in COLUMN_NAMES.items()}
    single = at["time"] is not None and at["type"] is not None and at["start"] is None
    wanted = ("behavior", "time", "type") if single else ("behavior", "start", "stop")
    missing = [COLUMN_NAMES[key][0].lower() for key in (*wanted, *(() if name else ("id",))) if at[key] is None]
    if missing:
        raise InputError(f"{path}, line 1", f"no column {', '.join(missing)}", "export aggregated events from BORIS")
    modifiers = [i for i, name in enumerate(table.header) if plain_name(name).startswith("modifier")]
    left_out = LeftOut(path, options, "events")
    observations: dict[str, Observation] = {}
    rows = []
    for number, fields in table.numbered():
        row = {key: "" if i is None else fields[i].strip() for key, i in at.items()}
        row |= {"where": f"{path}, line {number}", "modifier": "|".join(fields[i] for i in modifiers)}
        try:
            observation = _observation_of(row, name, observations, left_out)
        except InputError as error:
            options.on_problem(error)
            continue
        rows.append((observation, row))
    for observation, row in pair_starts_with_stops(rows, left_out) if single else rows:
        add_event(observation, row, left_out, options)
    return all_videos(path, list(observations.values()), left_out, options, table.notes)


def _observation_of(row: dict, name: str, observations: dict[str, Observation], left_out: LeftOut) -> Observation:
    """The observation of a row, with what the row adds to it. name: where the table is of one observation."""
    video_id = name_of(name or row["id"], row["where"])
    observation = observations.setdefault(video_id, Observation(video_id))
    offset = as_number(row["offset"])
    observation.offset = (offset if offset is not None else from_timecode(row["offset"])) or 0.0
    played = re.search(r"player #1:([^|]*)", row["source"])
    media = played[1].split(";") if played else [row["media"]]
    for link in (text.strip() for text in (*media, row["media"])):
        if link and link.upper() != "NA" and link != "Not found" and link not in observation.media:
            observation.media.append(link)
    lengths = [if_positive(text) for text in row["length"].partition("|")[0].split(";")]
    observation.lengths = observation.lengths or [length for length in lengths if length]
    observation.fps = observation.fps or if_positive(row["fps"].partition("|")[0].partition(";")[0])
    return observation
