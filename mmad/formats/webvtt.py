"""WebVTT subtitles, https://www.w3.org/TR/webvtt1/. One file per video. Standard library only.

The score stands behind the action: "nodding (0.93)".
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import write_text
from mmad.formats.fields import check_order, from_rows, from_words, id_of_file, in_words, milliseconds, timecode
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation

SUFFIX = ".vtt"
VTT_TIMING = re.compile(r"((?:\d+:)?\d\d:\d\d\.\d{3})[ \t]+-->[ \t]+((?:\d+:)?\d\d:\d\d\.\d{3})(?:[ \t].*)?")
VTT_DURATION = re.compile(r"NOTE duration (\d{1,9}\.\d{1,6}) s")


def write_webvtt(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """Subtitles of one video; whole ms, at least one."""
    (item,) = videos
    blocks = ["WEBVTT"]
    if item.duration_known:
        blocks.append(f"NOTE duration {item.duration:.6f} s")
    for start, end, label, score in item.rows():
        first, last = map(timecode, milliseconds(start, end))
        words = in_words(label, score, options.labels).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{first} --> {last}\n{words}")
    write_text(path, "\n\n".join(blocks) + "\n")


def is_webvtt(source: Source) -> bool:
    return source.suffix == SUFFIX


def read_webvtt(source: Source, options: ReadOptions) -> list[Annotation]:
    """Each line of a cue is one action; names of cues, settings, notes and styles are passed over."""
    path, lines = source.path, source.lines
    if not lines or not re.match(r"WEBVTT([ \t]|$)", lines[0]):
        raise InputError(path, "is no WebVTT file", 'its first line must be "WEBVTT"')
    rows, duration, times = [], None, None
    for number, line in enumerate(lines[1:], start=2):
        where = f"{path}, line {number}"
        if not line.strip():
            times = None
        elif noted := VTT_DURATION.fullmatch(line.strip()):
            duration = float(noted[1]) or None
        elif "-->" in line:
            times = _vtt_times(line.strip(), where)
        elif times is not None:
            try:
                words = line.strip().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
                check_order(*times, where)
                rows.append((*times, *from_words(words, options.labels, where)))
            except InputError as error:
                options.on_problem(error)
    return [from_rows(id_of_file(path, SUFFIX), rows, duration=duration)]


def _vtt_times(line: str, where: str) -> tuple[float, float]:
    found = VTT_TIMING.fullmatch(line)
    if not found:
        raise InputError(where, f"{line!r} is no timing", "expected 00:00:01.000 --> 00:00:02.500")
    start, end = (sum(float(x) * 60**i for i, x in enumerate(reversed(text.split(":")))) for text in found.groups())
    return round(start, 3), round(end, 3)
