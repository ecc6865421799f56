"""Makes an index over the predictions of many videos, or brings one up to date: one Parquet file.

mmad index results/ --out index.parquet                       every predictions.json in and below the folder
mmad index day1/predictions.json team.zip --out index.parquet --min-score 0.05

For mmad query, DuckDB and pandas. The same command again reads only what is new or changed; files that are not named
stay in the index. Needs the extra archive: pip install ".[archive]" in a copy of the repository.
"""

from mmad.cli.arguments import add_labels, command_parser
from mmad.errors import InputError, complain, warn
from mmad.files import refuse_same_file
from mmad.labels import named_labels


def main(argv: list[str] | None = None) -> int:
    parser = command_parser("index", __doc__)
    parser.add_argument("predictions", nargs="+", help="JSON, submission CSVs, zips, or folders with predictions.json")
    parser.add_argument("--out", required=True, metavar="FILE", help="the index, such as index.parquet")
    parser.add_argument("--min-score", type=float, default=0.0, metavar="X", help="leave out what scores less")
    add_labels(parser)
    args = parser.parse_args(argv)
    if not 0 <= args.min_score <= 1:
        raise InputError("--min-score", f"{args.min_score:g} is not a score", "scores are in 0..1")
    refuse_same_file(args.out, *args.predictions)

    from mmad.formats.archive import update_index  # on demand: --help needs no numpy

    update = update_index(args.out, args.predictions, named_labels(args.labels), args.min_score)
    if update.repeated:
        several = f"{len(update.repeated)} videos are in several files, such as {update.repeated[0]}"
        warn(f"{several}: each file's detections are in the index, and the column source tells them apart")
    done = f"{update.read} files read, {update.kept} unchanged, {update.dropped} gone"
    print(f"{update.rows:,} detections in {update.videos:,} videos in {args.out}; {done}")
    return complain(update.problems)
