"""ELAN's export as tab-delimited text, read without its header, which it seldom has. One file per video.

Of each row the tier, the participant, then begin, end and duration in each of the time formats that were ticked, then
the annotation. Format: ELAN manual, "Exporting a document as a tab delimited text file".
"""

import re

from mmad.errors import InputError
from mmad.formats.fields import LeftOut, check_order, from_rows, from_timecode, id_of_annotation_file
from mmad.formats.source import ReadOptions, Source
from mmad.formats.tiers import action_of_tier, tier_is_meant
from mmad.records import Annotation

SUFFIX = ".txt"
CLOCK, SECONDS, WHOLE = re.compile(r"-?\d+:\d\d:\d\d\.\d+"), re.compile(r"-?\d+\.\d+"), re.compile(r"-?\d+")


def is_elan_table(source: Source) -> bool:
    """Whether a row begins with names and goes on with times: Audacity's labels begin with times."""
    if source.suffix not in (SUFFIX, ".tsv", ".csv") or (source.is_table and source.suffix == ".csv"):
        return False
    rows = [line.split("\t") for line in source.lines[:50] if line.strip()]
    return _begins_with_a_name(rows) and any(_times(row) is not None for row in rows)


def _begins_with_a_name(rows: list[list[str]]) -> bool:
    return bool(rows) and not any(kind.fullmatch(rows[0][0].strip()) for kind in (CLOCK, SECONDS, WHOLE))


def read_elan_table(source: Source, options: ReadOptions) -> list[Annotation]:
    """An annotation counts by its text if that is an action, else as the action that its tier is named after."""
    path = source.path
    left_out = LeftOut(path, options, "annotations")
    rows = []
    for number, line in enumerate(source.lines, start=1):
        fields = line.split("\t")
        times = _times(fields)
        if times is None:
            if line.strip() and not line.startswith(('"#', "#")) and rows:
                left_out.add("lines have no times and are left out", line.strip()[:40])
            continue
        start, end, text = times
        tier = fields[0].strip()
        if not tier_is_meant(tier, options.coders):
            continue
        where = f"{path}, line {number}"
        try:
            check_order(start, end, where)
        except InputError as error:
            options.on_problem(error)
            continue
        named, of_tier = options.labels.find(text), action_of_tier(tier, options.labels)
        if named is None and of_tier is None:
            left_out.other(text)
            continue
        if named is None and text:
            left_out.add("annotations count as the action that their tier is named after", text)
        rows.append((start, end, of_tier if named is None else named, None))
    return [from_rows(id_of_annotation_file(path, SUFFIX), rows, notes=source.notes + left_out.notes(len(rows)))]


def _times(fields: list[str]) -> tuple[float, float, str] | None:
    """(start s, end s, text) of a row; None of one that has no times behind a name."""
    cells = [field.strip() for field in fields]
    first = next((i for i, cell in enumerate(cells) if CLOCK.fullmatch(cell) or SECONDS.fullmatch(cell)), None)
    if first is None:
        first = next((i for i, cell in enumerate(cells) if i and WHOLE.fullmatch(cell)), None)
    if not first or not cells[0] or WHOLE.fullmatch(cells[0]):
        return None
    last = first
    while last < len(cells) and any(kind.fullmatch(cells[last]) for kind in (CLOCK, SECONDS, WHOLE)):
        last += 1
    if last == len(cells) and last - first > 2 and WHOLE.fullmatch(cells[-1]):  # an annotation may be a number
        last -= 1
    for kind, unit in ((CLOCK, None), (SECONDS, 1.0), (WHOLE, 0.001)):
        found = [cell for cell in cells[first:last] if kind.fullmatch(cell)]
        if len(found) >= 2:
            start, end = (from_timecode(cell) if unit is None else round(float(cell) * unit, 6) for cell in found[:2])
            if start is None or end is None:
                return None
            return start, end, " ".join(cell for cell in cells[last:] if cell)
    return None
