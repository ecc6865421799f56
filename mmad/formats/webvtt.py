"""Subtitles: WebVTT, https://www.w3.org/TR/webvtt1/, and SubRip, which is read. One file per video.

The score stands behind the action: "nodding (0.93)".
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import write_text
from mmad.formats.fields import (
    LeftOut,
    UnknownLabel,
    check_order,
    from_rows,
    from_timecode,
    from_words,
    id_of_annotation_file,
    in_words,
    milliseconds,
    timecode,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation, Row

SUFFIX = ".vtt"
TIME = r"(?:\d+:)?\d\d:\d\d[.,]\d{3}"  # with a comma, as in SubRip, it is often written by hand
TIMING = re.compile(rf"({TIME})[ \t]+-->[ \t]+({TIME})(?:[ \t].*)?")
DURATION = re.compile(r"NOTE duration (\d{1,9}\.\d{1,6}) s")
CLOCK = re.compile(r"NOTE picture begins at (\d{1,9}\.\d{1,6}) s")
TAG = re.compile(r"</?(?:v|c|b|i|u|s|font|ruby|rt|lang)\b[^>]*>|<[\d:.]+>", re.IGNORECASE)  # of voices, classes, times
POSITION = re.compile(r"\{\\an?\d+\}")  # of SubRip


def write_webvtt(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """Subtitles of one video; whole ms, at least one."""
    (item,) = videos
    blocks = ["WEBVTT"]
    if item.duration_known:
        blocks.append(f"NOTE duration {item.duration:.6f} s")
    if item.clock_start:
        blocks.append(f"NOTE picture begins at {item.clock_start:.6f} s")
    for start, end, label, score in item.rows():
        first, last = map(timecode, milliseconds(start, end))
        words = in_words(label, score, options.labels)
        words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{first} --> {last}\n{words}")
    write_text(path, "\n\n".join(blocks) + "\n")


def is_webvtt(source: Source) -> bool:
    return source.suffix == SUFFIX


def read_webvtt(source: Source, options: ReadOptions) -> list[Annotation]:
    """Each line of a cue is one action; names of cues, settings, notes, styles and tags are passed over."""
    path, lines = source.path, source.lines
    if not lines or not re.match(r"WEBVTT([ \t]|$)", lines[0]):
        raise InputError(path, "is not a WebVTT file", 'its first line must be "WEBVTT"')
    metadata = {}
    for name, pattern in (("duration", DURATION), ("clock_start", CLOCK)):
        found = next(filter(None, (pattern.fullmatch(line.strip()) for line in lines)), None)
        metadata |= {name: float(found[1])} if found and float(found[1]) else {}
    left_out = LeftOut(path, options, "lines")
    rows = _read_cues(source, options, left_out)
    return [
        from_rows(id_of_annotation_file(path, SUFFIX), rows, notes=source.notes + left_out.notes(len(rows)), **metadata)
    ]


def is_subrip(source: Source) -> bool:
    return source.suffix == ".srt"


def read_subrip(source: Source, options: ReadOptions) -> list[Annotation]:
    """As WebVTT's, with commas in the times and the number of each cue before it."""
    if not any("-->" in line for line in source.lines):
        raise InputError(source.path, "no subtitle in it", "expected 00:00:01,000 --> 00:00:02,500")
    left_out = LeftOut(source.path, options, "lines")
    rows = _read_cues(source, options, left_out)
    return [from_rows(id_of_annotation_file(source.path, ".srt"), rows, notes=source.notes + left_out.notes(len(rows)))]


def _read_cues(source: Source, options: ReadOptions, left_out: LeftOut) -> list[Row]:
    rows, times = [], None
    for number, line in enumerate(source.lines, start=1):
        where = f"{source.path}, line {number}"
        try:
            if not line.strip():
                times = None
            elif "-->" in line:
                times = None
                times = _times(line.strip(), where)
            elif times is not None and (words := _plain(line)):
                check_order(*times, where)
                rows.append((*times, *from_words(words, options.labels, where)))
        except UnknownLabel as error:
            left_out.unknown(error)
        except InputError as error:
            options.on_problem(error)
    return rows


def _plain(line: str) -> str:
    """The words of a line of a cue without its marks."""
    words = TAG.sub("", POSITION.sub("", line)).replace("&nbsp;", " ").strip()
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _times(line: str, where: str) -> tuple[float, float]:
    found = TIMING.fullmatch(line)
    if not found:
        raise InputError(where, f"{line!r} is not a timing", "expected 00:00:01.000 --> 00:00:02.500")
    return from_timecode(found[1]), from_timecode(found[2])
