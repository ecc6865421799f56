"""Audacity's label tracks: start<TAB>end<TAB>label. One file per video. Standard library only.

The score stands behind the action: "nodding (0.93)".
"""

from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import write_text
from mmad.formats.fields import check_order, finite_number, from_rows, from_words, id_of_file, in_words
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation

SUFFIX = ".txt"


def write_audacity(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """The label track of one video; whole microseconds."""
    (item,) = videos
    rows = [(start, end, in_words(label, score, options.labels)) for start, end, label, score in item.rows()]
    write_text(path, "".join(f"{start:.6f}\t{end:.6f}\t{words}\n" for start, end, words in rows))


def is_audacity(source: Source) -> bool:
    return source.suffix == SUFFIX


def read_audacity(source: Source, options: ReadOptions) -> list[Annotation]:
    """Lines that begin with a backslash hold the frequencies of a spectral selection and are passed over."""
    path = source.path
    rows = []
    for number, line in enumerate(source.lines, start=1):
        where = f"{path}, line {number}"
        if not line.strip() or line.startswith("\\"):
            continue
        try:
            fields = line.split("\t")
            if len(fields) != 3:
                raise InputError(where, f"{len(fields)} fields", "expected start<TAB>end<TAB>label")
            start, end = (finite_number(text, where, name) for text, name in zip(fields, ("start", "end")))
            check_order(start, end, where)
            rows.append((start, end, *from_words(fields[2].strip(), options.labels, where)))
        except InputError as error:
            options.on_problem(error)
    return [from_rows(id_of_file(path, SUFFIX), rows)]
