"""Praat's TextGrid, https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html. One file per video.

Written as full text, read as that and as short text. No two intervals of a tier overlap: each action, or each body
part, has as many tiers ("nodding", "nodding 2", ...) as it needs. The score stands behind the action: "nodding (0.93)".
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import write_text
from mmad.formats.fields import (
    LeftOut,
    check_order,
    finite_number,
    from_rows,
    from_words,
    id_of_annotation_file,
    in_words,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.formats.tiers import action_of_tier, arrange, check_tiers, tier_is_meant
from mmad.records import Annotation, Row

SUFFIX = ".TextGrid"
TOKEN = re.compile(r'"((?:[^"]|"")*)"|(<\w+>)|(?<![\w\[])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?%?)(?![\w\]])')
SCORE = re.compile(r"\s*\([^()]*\)$")  # behind an action
LINE = "    "


# --- writing ----------------------------------------------------------------------------------------------------


def write_praat(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """Whole microseconds; actions without length become 1 microsecond long. Empty intervals fill what is between."""
    (item,) = videos
    labels, tiers = options.labels, check_tiers(options.tiers)
    rows = item.rows()
    spans = [
        (first, max(first + 1, round(1e6 * end))) for start, end, *_ in rows for first in [max(0, round(1e6 * start))]
    ]
    end = max([round(1e6 * item.duration), *(last for _, last in spans)])
    made = arrange(rows, spans, labels, tiers) or [("actions", [])]  # Praat opens no grid without a tier
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", f"xmin = {_time(0)}", f"xmax = {_time(end)}"]
    lines += ["tiers? <exists>", f"size = {len(made)}", "item []:"]
    for number, (name, members) in enumerate(made, start=1):
        words = {i: in_words(rows[i][2], rows[i][3], labels) for i in members}
        intervals = list(_filled([(*spans[i], words[i]) for i in members], end))
        lines += [f"{LINE}item [{number}]:", f'{2 * LINE}class = "IntervalTier"', f"{2 * LINE}name = {_quoted(name)}"]
        lines += [f"{2 * LINE}xmin = {_time(0)}", f"{2 * LINE}xmax = {_time(end)}"]
        lines.append(f"{2 * LINE}intervals: size = {len(intervals)}")
        for at, (first, last, text) in enumerate(intervals, start=1):
            lines.append(f"{2 * LINE}intervals [{at}]:")
            lines += [f"{3 * LINE}xmin = {_time(first)}", f"{3 * LINE}xmax = {_time(last)}"]
            lines.append(f"{3 * LINE}text = {_quoted(text)}")
    write_text(path, "\n".join(lines) + "\n")


def _filled(intervals: list[tuple[int, int, str]], end: int) -> Iterator[tuple[int, int, str]]:
    """With empty ones between, before and behind them."""
    at = 0
    for first, last, text in intervals:
        if first > at:
            yield at, first, ""
        yield first, last, text
        at = last
    if at < end:
        yield at, end, ""


def _time(microseconds: int) -> str:
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


# --- reading ----------------------------------------------------------------------------------------------------


def is_praat(source: Source) -> bool:
    return source.suffix == SUFFIX.lower()


def read_praat(source: Source, options: ReadOptions) -> list[Annotation]:
    """The intervals whose text is an action, or that are in a tier named after one and have any text. Points have no
    duration and are counted."""
    path = source.path
    tokens = _Tokens(path, source.text)
    if tokens.text() != "ooTextFile" or tokens.text() != "TextGrid":
        raise InputError(path, "is not a TextGrid in text form", "save it in Praat as a text file")
    start, end = tokens.number(), tokens.number()
    left_out = LeftOut(path, options, "intervals")
    rows: list[Row] = []
    names = []
    for _ in range(tokens.count() if tokens.flag() == "<exists>" else 0):
        kind, name = tokens.text(), tokens.text()
        names.append(name)
        tokens.number(), tokens.number()
        intervals = [_next_interval(tokens, kind) for _ in range(tokens.count())]
        if tier_is_meant(name, options.coders):
            rows += _rows_of_tier(name, intervals, left_out)
    if options.coders.tiers and not any(tier_is_meant(name, options.coders) for name in names):
        raise InputError(path, f"no tier {', '.join(options.coders.tiers)}", f"tiers: {', '.join(names) or 'none'}")
    duration = end if 0 < end < 1e9 and start <= end else None
    notes = source.notes + left_out.notes(len(rows))
    return [from_rows(id_of_annotation_file(path, SUFFIX), rows, duration, notes=notes)]


def _next_interval(tokens: "_Tokens", kind: str) -> tuple[str, float, float | None, str]:
    """(where it stands, start, end or None of a point, text)"""
    start, where = tokens.number(), tokens.place()
    return where, start, tokens.number() if kind == "IntervalTier" else None, tokens.text()


def _rows_of_tier(name: str, intervals: list[tuple], left_out: LeftOut) -> list[Row]:
    """intervals: (where it stands, start, end or None of a point, text)."""
    rows = []
    labels = left_out.options.labels
    of_tier = action_of_tier(name, labels)
    for where, first, last, text in intervals:
        if not text.strip():
            continue
        if last is None:
            left_out.add("points have no duration and are left out", text.strip())
            continue
        try:
            check_order(first, last, where)
            if any(labels.find(words) is not None for words in (text.strip(), SCORE.sub("", text.strip()))):
                rows.append((first, last, *from_words(text.strip(), labels, where)))
            elif of_tier is not None:
                rows.append((first, last, of_tier, None))
                left_out.add("intervals count as the action that their tier is named after", text.strip())
            else:
                left_out.other(text.strip())
        except InputError as error:
            left_out.options.on_problem(error)
    return rows


class _Tokens:
    """The texts, numbers and flags of a TextGrid one after the other: whatever else stands there is for people."""

    def __init__(self, path: Path, text: str):
        self.path, self.found, self.at = path, TOKEN.finditer(text), 0
        self.lines = [found.end() for found in re.finditer("\n", text)]

    def place(self) -> str:
        """Where the last one stands."""
        return f"{self.path}, line {1 + bisect_right(self.lines, self.at)}"

    def _next(self, group: int, wanted: str) -> str:
        token = next(self.found, None)
        if token is None or token[group] is None:
            self.at = self.at if token is None else token.start()
            raise InputError(self.place(), f"expected {wanted}", "is the file complete?")
        self.at = token.end()
        return token[group]

    def text(self) -> str:
        return self._next(1, "a text in quotes").replace('""', '"')

    def flag(self) -> str:
        return self._next(2, "<exists>")

    def number(self) -> float:
        return finite_number(self._next(3, "a number"), self.place(), "time")

    def count(self) -> int:
        number = self.number()
        if not (number.is_integer() and 0 <= number < 1e7):
            raise InputError(self.place(), f"size {number:g}", "expected a whole number")
        return int(number)
