"""Audacity's label tracks: start<TAB>end<TAB>label. One file per video. Standard library only.

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
    finite_number,
    from_rows,
    from_words,
    id_of_annotation_file,
    in_words,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation

SUFFIX = ".txt"
LABEL = re.compile(r"\s*-?\d+(?:[.,]\d+)?\t\s*-?\d+(?:[.,]\d+)?\t.*")


def write_audacity(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """The label track of one video; whole microseconds."""
    (item,) = videos
    rows = [(start, end, in_words(label, score, options.labels)) for start, end, label, score in item.rows()]
    write_text(path, "".join(f"{start:.6f}\t{end:.6f}\t{words}\n" for start, end, words in rows))


def looks_like_audacity(source: Source) -> bool:
    """Whether its first line is a label, rather than of an MA-52 list."""
    return source.suffix == SUFFIX and bool(LABEL.fullmatch(next(filter(str.strip, source.lines), "")))


def is_audacity(source: Source) -> bool:
    return source.suffix == SUFFIX


def read_audacity(source: Source, options: ReadOptions) -> list[Annotation]:
    """Lines that begin with a backslash hold the frequencies of a spectral selection and are passed over.

    Times may have decimal commas: Audacity writes them so in some languages.
    """
    path = source.path
    rows, left_out = [], LeftOut(path, options, "labels")
    for number, line in enumerate(source.lines, start=1):
        where = f"{path}, line {number}"
        if not line.strip() or line.startswith("\\"):
            continue
        try:
            fields = line.split("\t")
            if len(fields) != 3:
                raise InputError(where, f"{len(fields)} fields", "expected start<TAB>end<TAB>label")
            times = [text.replace(",", ".") for text in fields[:2]]
            start, end = (finite_number(text, where, name) for text, name in zip(times, ("start", "end")))
            check_order(start, end, where)
            rows.append((start, end, *from_words(fields[2].strip(), options.labels, where)))
        except UnknownLabel as error:
            left_out.unknown(error)
        except InputError as error:
            options.on_problem(error)
    return [from_rows(id_of_annotation_file(path, SUFFIX), rows, notes=source.notes + left_out.notes(len(rows)))]
