"""Task events of BIDS, https://bids-specification.readthedocs.io. One file per video. Standard library only."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import write_text
from mmad.formats.fields import (
    check_order,
    finite_number,
    from_rows,
    id_of_file,
    label_id,
    require_columns,
    score_in_range,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation

SUFFIX = "_events.tsv"


def write_bids(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """A table with the columns onset, duration (s), trial_type, score, body_part; what is missing is n/a."""
    (item,), labels = videos, options.labels
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(["onset", "duration", "trial_type", "score", "body_part"])
    for start, end, k, score in item.rows():
        part = labels.parts[labels.part_of[k]]
        shown = "n/a" if score is None else f"{score:.7g}"
        table.writerow([f"{start:.6f}", f"{end - start:.6f}", labels.actions[k], shown, part])
    write_text(path, text.getvalue())


def is_bids(source: Source) -> bool:
    return source.suffix == ".tsv"


def read_bids(source: Source, options: ReadOptions) -> list[Annotation]:
    """The columns onset, duration, trial_type and, if it is there, score. Events without a duration are passed over."""
    path, (header, table) = source.path, source.table
    require_columns(path, header, ("onset", "duration", "trial_type"))
    rows, passed = [], 0
    for number, fields in enumerate(table, start=2):
        where, row = f"{path}, line {number}", dict(zip(header, fields))
        if row["duration"].strip() == "n/a":
            passed += 1
            continue
        try:
            start, length = (finite_number(row[name], where, name) for name in ("onset", "duration"))
            check_order(start, start + length, where)
            label = label_id(row["trial_type"].strip(), options.labels, where)
            shown = row.get("score", "n/a").strip()
            score = None if shown in ("n/a", "") else score_in_range(shown, where)
        except InputError as error:
            options.on_problem(error)
            continue
        rows.append((start, round(start + length, 6), label, score))
    notes = [f"{path}: {passed} events without a duration are left out"] if passed else []
    return [from_rows(id_of_file(path, SUFFIX), rows, notes=notes)]
