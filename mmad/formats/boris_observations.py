"""What BORIS's tables and projects have in common: observations, what they play, and events that begin and end.

An observation is a video, or, where it plays several media files one after the other, each file is one: its times count
from its own start, and without the observation's time offset.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from mmad.errors import InputError
from mmad.files import check_id
from mmad.formats.fields import (
    LeftOut,
    UnknownLabel,
    finite_number,
    from_rows,
    from_timecode,
    label_id,
    names_of_links,
    score_in_range,
)
from mmad.formats.source import ReadOptions
from mmad.records import Annotation, Row

OUR_DESCRIPTION = "written by mmad: comments hold scores"
ROUNDING_TOLERANCE_S = 0.05  # an event may exceed its file by this: times are rounded, lengths are the containers'


@dataclass(frozen=True)
class Event:
    """where: its place in the file. media: the file that it begins in, "" where unknown. row: on the observation's
    clock."""

    where: str
    media: str
    row: Row


@dataclass
class Observation:
    """media: what its first player plays, one file after the other. lengths: of these in s, or of all together; empty
    where unknown. offset: s that its clock shows at the start of the first."""

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
            for i, row in _split_over_files(event, observation, lengths):
                rows_of[i].append(row)
        except InputError as error:
            options.on_problem(error)
    return [
        from_rows(name, rows, length, fps=observation.fps, link=link)
        for name, rows, length, link in zip(names, rows_of, lengths, links)
    ]


def _split_over_files(event: Event, observation: Observation, lengths: list[float | None]) -> list[tuple[int, Row]]:
    """[(index of a media file, the piece of the event in it)]: an event may run on from one file into the next."""
    start, stop, *label_and_score = event.row
    start, stop = (round(time - observation.offset, 6) for time in (start, stop))
    if not 0 <= start <= stop:
        offset = f", {observation.offset:g} s of which are the time offset" if observation.offset else ""
        problem = f"start {event.row[0]:g} s, stop {event.row[1]:g} s{offset}"
        raise InputError(event.where, problem, "expected 0 <= start <= stop")
    # BORIS finds the file of an event without thinking of the offset.
    is_named = event.media in observation.media and not observation.offset
    named_file = observation.media.index(event.media) if is_named else None
    pieces, file_start = [], 0.0
    for i, length in enumerate(lengths):
        if i == len(lengths) - 1:
            file_end = float("inf")
        elif length is not None:
            file_end = file_start + length
        elif i == named_file:  # where it ends is not known, and does not matter to what begins in it
            file_end = float("inf")
        else:
            problem = f"{observation.media[i + 1]} begins where {observation.media[i]} ends, which is not known"
            raise InputError(event.where, problem, "give the folder of the videos: --videos DIR")
        if i == named_file and not file_start - ROUNDING_TOLERANCE_S <= start <= file_end + ROUNDING_TOLERANCE_S:
            problem = f"starts at {start:g} s, and {event.media}, where it is said to start, lasts to {file_end:g} s"
            raise InputError(event.where, problem, "is this the right video?")
        piece_start, piece_end = max(start, file_start), min(stop, file_end)
        length_in_file = piece_end - piece_start
        if length_in_file > ROUNDING_TOLERANCE_S or (length_in_file >= 0 and not pieces and start < file_end):
            times = (round(piece_start - file_start, 6), round(piece_end - file_start, 6))
            pieces.append((i, (*times, *label_and_score)))
        if stop <= file_end + ROUNDING_TOLERANCE_S:
            break
        file_start = file_end
    return pieces


def name_of(text: str, where: str) -> str:
    """An observation's name as an id of a video: "A:baseline" would be a drive of Windows."""
    return check_id(text.replace(":", "_", 1) if PureWindowsPath(text).drive else text, where)


def pair_starts_with_stops(rows: list[tuple[Observation, dict]], left_out: LeftOut) -> list[tuple[Observation, dict]]:
    """Joins each START with the next STOP of the same observation, subject, behaviour and modifier.

    POINT rows pass; the rest is counted in `left_out`.
    """
    pairs, started = [], {}
    for observation, row in rows:
        kind = row["type"].upper()
        key = (observation.name, row["subject"], row["behavior"], row["modifier"])
        if "POINT" in kind:
            pairs.append((observation, {**row, "type": "POINT"}))
        elif "START" in kind and key not in started:
            started[key] = row
        elif "STOP" in kind and key in started:
            first = started.pop(key)
            pairs.append((observation, {**first, "start": first["time"], "stop": row["time"], "type": "STATE"}))
        else:
            left_out.add("events begin and do not end, or end and did not begin; they are left out", row["behavior"])
    for row in started.values():
        left_out.add("events begin and do not end, or end and did not begin; they are left out", row["behavior"])
    return pairs


def add_event(observation: Observation, row: dict, left_out: LeftOut, options: ReadOptions) -> None:
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
        is_ours = row["description"] == OUR_DESCRIPTION
        comment = re.fullmatch(r"score\s+(\S+)", row["comment"]) if is_ours else None
        score = score_in_range(comment[1], where) if comment else None
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


def all_videos(
    path: Path, observations: list[Observation], left_out: LeftOut, options: ReadOptions, notes: list[str]
) -> list[Annotation]:
    """The videos of all observations; two observations of one media file stay apart, as they may be two people's."""
    found = [(observation, video) for observation in observations for video in _videos_of(path, observation, options)]
    names = [video.video_id for _, video in found]
    for observation, video in found:
        if names.count(video.video_id) > 1:
            video.video_id = f"{observation.name}/{video.video_id}"
    videos = [video for _, video in found]
    all_notes = notes + left_out.notes(sum(len(video.labels) for video in videos))
    several = [observation for observation in observations if len(observation.subjects) > 1]
    if several:
        examples = f"{', '.join(sorted(several[0].subjects)[:3])} in {several[0].name}"
        all_notes.append(f"{path}: actions of several subjects are taken together, such as {examples}")
    if videos:
        videos[0].notes.extend(all_notes)
    return videos
