"""Task events of BIDS, https://bids-specification.readthedocs.io. One file per video. Standard library only."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import write_text
from mmad.formats.fields import (
    LeftOut,
    UnknownLabel,
    check_order,
    finite_number,
    from_rows,
    id_of_annotation_file,
    label_id,
    require_columns,
    score_in_range,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation

SUFFIX = "_events.tsv"
HEADER = ("onset", "duration", "trial_type", "score", "body_part")


def write_bids(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """The table of one video; whole microseconds. duration is in s; what is missing is n/a."""
    (item,), labels = videos, options.labels
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(HEADER)
    for start, end, k, score in item.rows():
        part = labels.parts[labels.part_of[k]]
        shown = "n/a" if score is None else f"{score:.7g}"
        table.writerow([f"{start:.6f}", f"{end - start:.6f}", labels.actions[k], shown, part])
    write_text(path, text.getvalue())


def is_bids(source: Source) -> bool:
    return source.suffix == ".tsv"


def read_bids(source: Source, options: ReadOptions) -> list[Annotation]:
    """The columns onset, duration, trial_type, and score where we wrote it: that of others may be anything."""
    path, table = source.path, source.table
    require_columns(path, table, HEADER[:3])
    onset, duration, trial_type, score_column = (table.column(name) for name in HEADER[:4])
    written_by_mmad = tuple(table.header[: len(HEADER)]) == HEADER
    rows, left_out = [], LeftOut(path, options, "events")
    for number, row in table.numbered():
        where = f"{path}, line {number}"
        if row[duration].strip().lower() in ("n/a", ""):
            left_out.add("events without a duration are left out")
            continue
        try:
            start, length = finite_number(row[onset], where, "onset"), finite_number(row[duration], where, "duration")
            check_order(start, start + length, where)
            label = label_id(row[trial_type].strip(), options.labels, where)
            shown = row[score_column].strip() if written_by_mmad else "n/a"
            score = None if shown in ("n/a", "") else score_in_range(shown, where)
        except UnknownLabel as error:
            left_out.unknown(error)
            continue
        except InputError as error:
            options.on_problem(error)
            continue
        rows.append((start, round(start + length, 6), label, score))
    notes = table.notes + left_out.notes(len(rows))
    return [from_rows(id_of_annotation_file(path, SUFFIX), rows, notes=notes)]
