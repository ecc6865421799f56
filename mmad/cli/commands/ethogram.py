"""Makes an ethogram: count, duration, share of time and rate of every action and body part.

mmad ethogram corrected/ --out ethogram/
mmad ethogram predictions.json --out ethogram/ --thresholds thresholds.json [--videos videos/]

Leaves in --out ethogram.csv and ethogram.png, of all videos as one, and ethogram_videos.csv, a row per video and name.
"""

import csv
import io
from pathlib import Path

import numpy as np

from mmad.cli.arguments import add_coders, add_fps, add_labels, add_score_thresholds, coders_of, command_parser
from mmad.errors import InputError, warn
from mmad.files import refuse_same_file, write_text
from mmad.formats import read_actions
from mmad.formats.fields import check_fps
from mmad.formats.predictions import choose_labels, origin_of
from mmad.formats.score_thresholds import least_scores
from mmad.labels import LabelSet
from mmad.metrics.ethogram import COLUMNS, Ethogram, as_rows, as_table, ethogram


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("ethogram", __doc__)
    parser.add_argument("input", help="annotations or predictions of any form: a file, or a folder with one per video")
    parser.add_argument("--out", required=True, metavar="DIR")
    add_labels(parser)
    add_fps(parser)
    add_score_thresholds(parser)
    parser.add_argument("--videos", metavar="PATH", help="folder of the videos, or one: for lengths that are not known")
    add_coders(parser)
    args = parser.parse_args(argv)

    out = Path(args.out)
    fps, labels = check_fps(args.fps), choose_labels(args.labels, origin_of(args.input))
    refuse_same_file(out / "ethogram.csv", args.input, args.thresholds)
    refuse_same_file(out / "ethogram_videos.csv", args.input, args.thresholds)
    minimum = least_scores(labels, args.min_score, args.thresholds)
    videos = read_actions(args.input, labels, minimum, fps, args.videos, coders_of(args))
    if not videos:
        raise InputError(args.input, "no video in it")
    for note in (note for item in videos for note in item.notes):
        warn(note)
    unknown = sum(not item.duration_known for item in videos)
    if unknown:
        warn(f"{unknown} of {len(videos)} videos have no known length: they end with their last action; give --videos")
    tables = ethogram(videos, labels)
    _write_csv(out / "ethogram_videos.csv", ("video_id", *COLUMNS), [row for table in tables for row in as_rows(table)])
    whole = [row[1:] for table in tables for row in as_rows(table.together())]
    _write_csv(out / "ethogram.csv", COLUMNS, whole)
    _draw(out / "ethogram.png", tables[0].together(), labels)
    print("\n\n".join(as_table(table) for table in tables))
    print(f"\n{len(videos)} videos, {tables[0].durations.sum() / 60:.1f} minutes; {out / 'ethogram_videos.csv'}")


def _draw(path: Path, table: Ethogram, labels: LabelSet) -> None:
    """The figure of the first video of `table`: the actions that occur in it."""
    from mmad.report.ethogram_figure import EthogramRow, draw_ethogram

    columns = (table.counts, table.totals, table.mean_s(), table.rate_per_minute())
    rows = [
        EthogramRow(table.names[k], labels.part_of[k], *(column[0, k].item() for column in columns))
        for k in np.flatnonzero(table.counts[0])
    ]
    draw_ethogram(path, rows, labels.parts)


def _write_csv(path: Path, header: tuple[str, ...], rows: list[list]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(path, text.getvalue())
