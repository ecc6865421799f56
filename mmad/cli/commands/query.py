"""Finds detections in an index over many videos: every nod longer than 1 s.

mmad query index.parquet --action nodding --longer 1 --score 0.5
mmad query index.parquet --part head --video "day1/*" --best --out head.csv

Prints the first, and how many of each action there are. --out writes all as a table for a spreadsheet, which mmad
export reads too. mmad index makes the index.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmad.cli.arguments import command_parser
from mmad.errors import InputError
from mmad.files import atomic_path, refuse_same_file

if TYPE_CHECKING:
    from mmad.formats.archive import Hits

HEADER = ("video_id", "t_start", "t_end", "class", "score", "body_part", "start_timecode", "end_timecode", "source")
WIDEST = 40  # characters of a name on the screen


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("query", __doc__)
    parser.add_argument("index", help="what mmad index made")
    wild = "* and ? as in file names; may be given several times"
    parser.add_argument("--action", action="append", default=[], metavar="NAME", help=f"of this action; {wild}")
    parser.add_argument("--part", action="append", default=[], metavar="NAME", help=f"of this body part; {wild}")
    parser.add_argument("--video", action="append", default=[], metavar="ID", help=f"in this video; {wild}")
    parser.add_argument("--longer", type=float, default=0.0, metavar="S", help="longer than this, seconds")
    parser.add_argument("--shorter", type=float, default=float("inf"), metavar="S", help="shorter than this, seconds")
    parser.add_argument("--score", type=float, default=0.0, metavar="X", help="with this score or a higher one")
    parser.add_argument("--best", action="store_true", help="by score, the best first (default: by video and time)")
    parser.add_argument("--most", type=int, metavar="N", help="only the first N")
    parser.add_argument("--show", type=int, default=20, metavar="N", help="how many are printed (default: 20)")
    parser.add_argument("--out", metavar="FILE", help="all of them as a table (CSV)")
    args = parser.parse_args(argv)
    for name, value in (("--longer", args.longer), ("--shorter", args.shorter)):
        if not value >= 0:
            raise InputError(name, f"{value:g} seconds", "expected 0 or more")
    if not 0 <= args.score <= 1:
        raise InputError("--score", f"{args.score:g} is not a score", "scores are in 0..1")
    if args.show < 0 or (args.most is not None and args.most < 1):
        raise InputError("--show, --most", f"{args.show}, {args.most}", "give whole numbers, --most above 0")
    if args.out and Path(args.out).suffix.lower() != ".csv":
        raise InputError("--out", f"{args.out!r} is not a table", "name a .csv file")
    if args.out:
        refuse_same_file(args.out, args.index)

    from mmad.formats.archive import Query, ask  # on demand: --help needs no numpy

    names = (tuple(args.action), tuple(args.part), tuple(args.video))
    found = ask(args.index, Query(*names, longer=args.longer, shorter=args.shorter, score=args.score))
    total = len(found)
    found = (found.by_score() if args.best else found.by_time()).first(args.most)
    if args.out:
        _write_table(args.out, found)
    of = f"{total:,} of {found.total:,} detections" + (f", of which the first {len(found):,}" if args.most else "")
    print("\n".join([*_as_text(found, args.show), of + (f"; {args.out}" if args.out else "")]))


def _write_table(path: str, found: "Hits") -> None:
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(
            [
                row["video"],
                row["start"],
                row["end"],
                row["action"],
                row["score"],
                row["part"],
                *_times(row),
                row["source"],
            ]
            for row in found.rows()
        )


def _times(row: dict) -> list[str]:
    """Start and end as a player shows them."""
    from mmad.formats.fields import timecode

    return [timecode(round(1000 * max(row[name], 0.0))) for name in ("start", "end")]


def _as_text(found: "Hits", show: int) -> Iterator[str]:
    """The first rows, and a line per action: how many, in how many videos, how long, and their median score."""
    rows = [
        (
            _plain(row["video"]),
            *_times(row),
            f"{row['end'] - row['start']:.2f}",
            _plain(row["action"]),
            f"{row['score']:.3f}",
        )
        for row in found.first(show).rows()
    ]
    if rows:
        yield from _columns(("video", "start", "end", "s", "action", "score"), rows, right={3, 5})
        if len(found) > show:
            yield f"... and {len(found) - show:,} more"
        yield ""
    counts = [
        (_plain(name), f"{count:,}", f"{videos:,}", f"{seconds:.1f}", f"{seconds / count:.2f}", f"{score:.3f}")
        for name, count, videos, seconds, score in found.by_action()
    ]
    if counts:
        head = ("action", "count", "videos", "seconds", "mean s", "median score")
        yield from _columns(head, counts, right={1, 2, 3, 4, 5})
        yield ""


def _columns(head: tuple, rows: list[tuple], right: set[int]) -> Iterator[str]:
    """A table in lines. right: the columns that are flush right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [
            text.rjust(width) if i in right else text.ljust(width) for i, (text, width) in enumerate(zip(row, widths))
        ]
        yield "  ".join(cells).rstrip()


def _plain(name: str) -> str:
    """A name of an index, which may be anybody's, as it may be printed: no control characters, not too long."""
    text = "".join(character if character.isprintable() else "?" for character in name)
    return text if len(text) <= WIDEST else f"...{text[3 - WIDEST :]}"
