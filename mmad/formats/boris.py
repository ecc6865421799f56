"""BORIS, https://boris.unito.it: aggregated events in and out, tabular events and projects in. One file for all videos.

An observation is a video, or, where it plays several media files one after the other, each file is one: its times count
from its own start, and without the observation's time offset. Whole milliseconds.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from mmad.errors import InputError
from mmad.files import check_id, write_text
from mmad.formats.fields import (
    LeftOut,
    UnknownLabel,
    as_number,
    finite_number,
    from_rows,
    from_timecode,
    if_positive,
    label_id,
    names_of_links,
    score_in_range,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.formats.tables import header_of, parse_table, plain_name
from mmad.records import Annotation, Row

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
NAMES = {
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
OURS = "written by mmad: comments hold scores"
SEAM = 0.05  # s by which an event may run over the end of a file: times are rounded, lengths are those of containers


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
                    "Description": "" if item.scores is None else OURS,
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


# --- observations -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """where: its place in the file. media: the file that it begins in, "" where nobody says. row: on the observation's
    clock."""

    where: str
    media: str
    row: Row


@dataclass
class Observation:
    """media: what its first player plays, one file after the other. lengths: of these in s, or of all together; empty
    where nobody says. offset: s that its clock shows at the start of the first."""

    name: str
    offset: float = 0.0
    media: list[str] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    fps: float | None = None
    events: list[Event] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)


def _videos_of(path: Path, observation: Observation, options: ReadOptions) -> list[Annotation]:
    """One video, or one for each media file."""
    single = len(observation.media) < 2
    names = [observation.name] if single else names_of_links(observation.media, str(path))
    links = observation.media or [""]
    lengths: list[float | None] = [sum(observation.lengths) or None]
    if not single:
        find = options.videos.length if options.videos else lambda *_: None
        complete = len(observation.lengths) == len(links)
        lengths = list(observation.lengths) if complete else [find(*video) for video in zip(names, links)]
    rows_of: list[list[Row]] = [[] for _ in names]
    for event in observation.events:
        try:
            for i, row in _parts(event, observation, lengths):
                rows_of[i].append(row)
        except InputError as error:
            options.on_problem(error)
    return [
        from_rows(name, rows, length, fps=observation.fps, link=link)
        for name, rows, length, link in zip(names, rows_of, lengths, links)
    ]


def _parts(event: Event, observation: Observation, lengths: list[float | None]) -> list[tuple[int, Row]]:
    """[(which media file, what of an event lies in it)]: an event may run on from one file into the next."""
    start, stop, *rest = event.row
    start, stop = (round(time - observation.offset, 6) for time in (start, stop))
    if not 0 <= start <= stop:
        said = f", {observation.offset:g} s of which are the time offset" if observation.offset else ""
        problem = f"start {event.row[0]:g} s, stop {event.row[1]:g} s{said}"
        raise InputError(event.where, problem, "expected 0 <= start <= stop")
    # BORIS finds the file of an event without thinking of the offset.
    named = event.media in observation.media and not observation.offset
    at = observation.media.index(event.media) if named else None
    parts, begin = [], 0.0
    for i, length in enumerate(lengths):
        last = i == len(lengths) - 1
        end = float("inf") if last else None if length is None else begin + length
        if end is None and i == at:  # where it ends is not known, and does not matter to what begins in it
            end = float("inf")
        if end is None:
            problem = f"{observation.media[i + 1]} begins where {observation.media[i]} ends, which is not known"
            raise InputError(event.where, problem, "give the folder of the videos: --videos DIR")
        if i == at and not begin - SEAM <= start <= end + SEAM:
            problem = f"starts at {start:g} s, and {event.media}, where it is said to start, lasts to {end:g} s"
            raise InputError(event.where, problem, "is this the right video?")
        first, final = max(start, begin), min(stop, end)
        if final - first > SEAM or (final >= first and not parts and start < end):
            parts.append((i, (round(first - begin, 6), round(final - begin, 6), *rest)))
        if stop <= end + SEAM:
            break
        begin = end
    return parts


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
    at = {key: table.column(*names) for key, names in NAMES.items()}
    single = at["time"] is not None and at["type"] is not None and at["start"] is None
    wanted = ("behavior", "time", "type") if single else ("behavior", "start", "stop")
    missing = [NAMES[key][0].lower() for key in (*wanted, *(() if name else ("id",))) if at[key] is None]
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
    for observation, row in _paired(rows, left_out) if single else rows:
        _add_event(observation, row, left_out, options)
    return _all_videos(path, list(observations.values()), left_out, options, table.notes)


def _observation_of(row: dict, name: str, known: dict[str, Observation], left_out: LeftOut) -> Observation:
    """The observation of a row, with what the row says of it. name: where the table is of one observation."""
    video_id = _name(name or row["id"], row["where"])
    observation = known.setdefault(video_id, Observation(video_id))
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


def _name(text: str, where: str) -> str:
    """An observation's name as an id of a video: "A:baseline" would be a drive of Windows."""
    return check_id(text.replace(":", "_", 1) if PureWindowsPath(text).drive else text, where)


def _paired(rows: list[tuple[Observation, dict]], left_out: LeftOut) -> list[tuple[Observation, dict]]:
    """Of rows that are a start or a stop each, rows with both."""
    made, begun = [], {}
    for observation, row in rows:
        kind = row["type"].upper()
        key = (observation.name, row["subject"], row["behavior"], row["modifier"])
        if "POINT" in kind:
            made.append((observation, {**row, "type": "POINT"}))
        elif "START" in kind and key not in begun:
            begun[key] = row
        elif "STOP" in kind and key in begun:
            first = begun.pop(key)
            made.append((observation, {**first, "start": first["time"], "stop": row["time"], "type": "STATE"}))
        else:
            left_out.add("events begin and do not end, or end and did not begin; they are left out", row["behavior"])
    for _, row in begun.items():
        left_out.add("events begin and do not end, or end and did not begin; they are left out", row["behavior"])
    return made


def _add_event(observation: Observation, row: dict, left_out: LeftOut, options: ReadOptions) -> None:
    where = row["where"]
    try:
        if row["type"].upper() == "POINT" or (row["stop"].upper() in ("", "NA") and row["start"]):
            left_out.add("point events have no duration and are left out")
            return
        if not all(_has_time(row[key]) for key in ("start", "stop")):
            left_out.add("events have no start or no stop and are left out", row["behavior"])
            return
        start, stop = (_seconds(row[key], where, key) for key in ("start", "stop"))
        label = _label(row["behavior"], options, where)
        noted = re.fullmatch(r"score\s+(\S+)", row["comment"]) if row["description"] == OURS else None
        score = score_in_range(noted[1], where) if noted else None
    except UnknownLabel as error:
        left_out.unknown(error)
    except InputError as error:
        options.on_problem(error)
    else:
        observation.subjects.add(row["subject"])
        observation.events.append(Event(where, row["media"], (start, stop, label, score)))


def _label(behavior: str, options: ReadOptions, where: str) -> int:
    """Also of "nodding (left)", with its modifiers behind it."""
    plain = re.fullmatch(r"(.*\S)\s*\(.*\)", behavior)
    if plain and options.labels.find(behavior) is None and options.labels.find(plain[1]) is not None:
        behavior = plain[1]
    return label_id(behavior, options.labels, where)


def _has_time(text: str) -> bool:
    return text.strip().lower() not in ("", "na", "nan", "none", "null")


def _seconds(text: str, where: str, name: str) -> float:
    """Also of hh:mm:ss.mmm."""
    time = from_timecode(text)
    return finite_number(text, where, name) if time is None else time


def _all_videos(
    path: Path, observations: list[Observation], left_out: LeftOut, options: ReadOptions, notes: list[str]
) -> list[Annotation]:
    videos = [video for observation in observations for video in _videos_of(path, observation, options)]
    said = notes + left_out.notes(sum(len(video.labels) for video in videos))
    several = [observation for observation in observations if len(observation.subjects) > 1]
    if several:
        names = ", ".join(sorted(several[0].subjects)[:3])
        said.append(f"{path}: actions of several subjects are taken together, such as {names} in {several[0].name}")
    if videos:
        videos[0].notes.extend(said)
    return videos


# --- projects ---------------------------------------------------------------------------------------------------


def is_boris_project(source: Source) -> bool:
    content = source.json
    return isinstance(content, dict) and isinstance(content.get("observations"), dict) and "behaviors_conf" in content


def read_boris_project(source: Source, options: ReadOptions) -> list[Annotation]:
    """The state events of all observations of a `.boris` file: of each, every second event of a subject and a behavior
    with the same modifiers is its end."""
    path, content = source.path, source.json
    known = content["behaviors_conf"].values() if isinstance(content["behaviors_conf"], dict) else []
    known = [item for item in known if isinstance(item, dict)]
    states = {str(item.get("code")) for item in known if "state" in str(item.get("type")).lower()}
    left_out = LeftOut(path, options, "events")
    observations: dict[str, Observation] = {}
    rows = []
    for name, content_of in content["observations"].items():
        where = f"{path}, observation {name!r}"
        try:
            observation = _observation_in_project(name, content_of, where)
            observations[observation.name] = observation
            rows += [(observation, row) for row in _rows_in_project(content_of, states, where)]
        except InputError as error:
            options.on_problem(error)
    for observation, row in _paired(rows, left_out):
        _add_event(observation, row, left_out, options)
    return _all_videos(path, list(observations.values()), left_out, options, [])


def _observation_in_project(name: str, content, where: str) -> Observation:
    if not isinstance(content, dict):
        raise InputError(where, "is not an observation")
    players = content.get("file") if isinstance(content.get("file"), dict) else {}
    media = players.get("1") if isinstance(players.get("1"), list) else []
    about = content.get("media_info") if isinstance(content.get("media_info"), dict) else {}
    lengths, rates = (about.get(key) if isinstance(about.get(key), dict) else {} for key in ("length", "fps"))
    offset = as_number(content.get("time offset")) or 0.0
    found = [if_positive(lengths.get(link)) for link in media if isinstance(link, str)]
    fps = next((rate for link in media if isinstance(link, str) and (rate := if_positive(rates.get(link)))), None)
    links = [link for link in media if isinstance(link, str)]
    return Observation(_name(name, where), offset, links, found if all(found) else [], fps)


def _rows_in_project(content: dict, states: set[str], where: str) -> list[dict]:
    """The events as rows of a table."""
    events = content.get("events") or []
    if not isinstance(events, list):
        raise InputError(where, "'events' is not a list")
    rows, running = [], {}
    for i, event in enumerate(events):
        if not isinstance(event, list) or len(event) < 3:
            raise InputError(f"{where}, event {i}", f"{event!r}", "expected [time, subject, code, ...]")
        time, subject, code, modifier = (*event[:3], event[3] if len(event) > 3 else "")
        key = (str(subject), str(code), str(modifier))
        running[key] = not running.get(key, False)
        kind = "POINT" if str(code) not in states else "START" if running[key] else "STOP"
        about = {"where": f"{where}, event {i}", "type": kind, "time": str(time), "subject": str(subject)}
        rows.append({**about, "behavior": str(code), "modifier": str(modifier)} | dict.fromkeys(EMPTY, ""))
    return rows


EMPTY = ("media", "comment", "description", "start", "stop")
