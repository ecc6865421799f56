"""Measures how far two codings of the same videos agree: two people, or a person and the detector.

mmad agreement anna/ ben/ [--tiou 0.5] [--step 0.04] [--json agreement.json]
mmad agreement anna.eaf ben.eaf                                    two files of one video each, whatever their names
mmad agreement interview.eaf --annotator anna --annotator ben      two people in one file; also by --tier
mmad agreement val.csv predictions.json --thresholds thresholds.json

Cohen's kappa, frame by frame; precision, recall and F1 of the second against the first, event by event.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from mmad.cli.arguments import add_fps, add_labels, add_score_thresholds, command_parser
from mmad.errors import InputError, warn
from mmad.files import refuse_same_file, write_json
from mmad.formats import read_actions
from mmad.formats.fields import check_fps
from mmad.formats.linking import VideoFiles
from mmad.formats.predictions import choose_labels, origin_of
from mmad.formats.score_thresholds import least_scores
from mmad.formats.source import Coders
from mmad.metrics.agreement import agree, as_json, as_table
from mmad.records import Annotation


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("agreement", __doc__)
    parser.add_argument("first", help="annotations or predictions of any form: a file, or a folder with one per video")
    parser.add_argument("second", nargs="?", help="the same; may be left out where two people are named")
    add_labels(parser)
    add_fps(parser)
    parser.add_argument("--tiou", type=float, default=0.5, help="tIoU at which two events match (default: 0.5)")
    parser.add_argument("--step", type=float, default=0.04, help="seconds between the moments of kappa (default: 0.04)")
    add_score_thresholds(parser)
    parser.add_argument("--videos", metavar="PATH", help="folder of the videos: for rates, and for when pictures begin")
    both = "once: in both files; twice: the first in the first, the second in the second"
    parser.add_argument("--annotator", metavar="NAME", action="append", default=[], help=f"only this annotator; {both}")
    parser.add_argument("--tier", metavar="NAME", action="append", default=[], help=f"only this tier; {both}")
    parser.add_argument("--json", metavar="OUT", help="also write the results as JSON")
    args = parser.parse_args(argv)

    if args.json:
        refuse_same_file(args.json, args.first, args.second, args.thresholds)
    coders = _two_coders(args)
    paths = (args.first, args.second or args.first)
    origins = [origin_of(path) for path in paths]
    labels = choose_labels(args.labels, *origins)
    fps = check_fps(args.fps) or next((origin.fps for origin in origins if origin.fps), None)
    minimum = least_scores(labels, args.min_score, args.thresholds)
    files = None if args.videos is None else VideoFiles(args.videos)  # each video is opened once for both
    first, second = (read_actions(path, labels, minimum, fps, files, who) for path, who in zip(paths, coders))
    for note in dict.fromkeys(note for item in (*first, *second) for note in item.notes):
        warn(note)
    second = _as_named_in(first, second, paths)
    shared = {item.video_id for item in first} & {item.video_id for item in second}
    if not shared:
        raise InputError(paths[1], f"no video of {args.first} is in it", "do the names of the videos differ?")
    for path, videos in zip(paths, (first, second)):
        if len(videos) > len(shared):
            warn(f"{len(videos) - len(shared)} videos of {path} are not in the other and are left out")
    result = agree(first, second, labels, args.tiou, args.step)
    print(as_table(result))
    if args.json:
        write_json(args.json, as_json(result), indent=1)


def _two_coders(args: argparse.Namespace) -> list[Coders]:
    """Whose annotations are meant in the first file and in the second."""
    for option, names in (("--annotator", args.annotator), ("--tier", args.tier)):
        if len(names) > 2:
            raise InputError(option, f"given {len(names)} times", "give it once for both, or once for each")
    if not args.second and len(args.annotator) < 2 and len(args.tier) < 2:
        remedy = "give a second file, or name two people: --annotator NAME --annotator NAME (or --tier)"
        raise InputError(args.first, "one file, and nobody to compare", remedy)
    annotators, tiers = args.annotator or [""], args.tier or [""]
    return [Coders(annotators[i % len(annotators)], tuple(filter(None, tiers[i % len(tiers) :][:1]))) for i in (0, 1)]


def _as_named_in(first: list[Annotation], second: list[Annotation], paths: tuple[str, str]) -> list[Annotation]:
    """Two files of one video each, of which one at least is called as its file is, are of the same video: such names
    are often those of the people."""
    called = any(
        len(videos) == 1 and videos[0].video_id == Path(path).stem for videos, path in zip((first, second), paths)
    )
    if called and len(first) == len(second) == 1 and first[0].video_id != second[0].video_id:
        warn(f"{first[0].video_id} and {second[0].video_id} are compared as one video")
        return [replace(second[0], video_id=first[0].video_id)]
    return second
