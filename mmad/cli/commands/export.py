"""Writes predictions or annotations as the files that other programs and challenges expect.

mmad export predictions.json --format mac2026 --out submission.zip
mmad export prediction.csv --format mac2025-rec --out submission.zip --list test_list_videos.txt
mmad export predictions.json --format elan --out to_correct/ --videos videos/ --min-score 0.3
mmad export val.csv --format boris --out val_boris.csv
mmad export --fuse a.json b.zip --weights 0.6 0.4 --format predictions --out fused.json

A name that ends in .zip is zipped as the challenge wants it (mac*, csv). elan, praat, via, webvtt, audacity and bids
are one file per video in the folder --out. All but the submissions, also after correction, are read again by mmad map
and for training.

--fuse makes one ranking of several detectors' predictions of the same videos: their scores are put on one scale,
weighted, pooled, and suppressed per class. The order of the files makes no difference.
"""

import argparse
from pathlib import Path

from mmad.cli.arguments import add_coders, add_fps, add_labels, add_score_thresholds, coders_of, command_parser
from mmad.cli.fusing import add_fusing, read_fused, refuse_without_fuse
from mmad.errors import InputError, warn
from mmad.files import refuse_same_file
from mmad.formats import EVENT_FORMATS, read_annotations, read_events, write_events
from mmad.formats.fields import ASSUMED_FPS, check_fps
from mmad.formats.mma52 import read_clip_list
from mmad.formats.predictions import choose_labels, common_origin, origin_of, write_predictions
from mmad.formats.score_thresholds import keep, least_scores
from mmad.formats.submissions import (
    DETECTION_FORMATS,
    RECOGNITION_FORMATS,
    align,
    is_recognition,
    read_recognition,
    write_detections,
    write_recognition,
)
from mmad.labels import LabelSet
from mmad.records import Annotation

PREDICTIONS_JSON = "predictions"  # what detectors of mmad write


def main(argv: list[str] | None = None) -> None:
    formats = [PREDICTIONS_JSON, *DETECTION_FORMATS, *EVENT_FORMATS, *RECOGNITION_FORMATS]
    parser = command_parser("export", __doc__)
    parser.add_argument(
        "predictions", nargs="?", help="predictions or annotations of any form: a file, or a folder with one per video"
    )
    parser.add_argument("--format", required=True, help=", ".join(formats))
    parser.add_argument("--out", required=True, metavar="FILE", help="or folder, for formats of one file per video")
    add_labels(parser)
    add_fps(parser)
    parser.add_argument("--list", help="annotations or list of clips that must be predicted, each one and no other")
    parser.add_argument(
        "--videos",
        metavar="PATH",
        help="folder of the videos, or one: to link, for rates, lengths and when pictures begin",
    )
    tiers = "of ELAN and Praat: one per action (default) or, with part, one per body part"
    parser.add_argument("--tiers", default="action", help=tiers)
    add_score_thresholds(parser)
    parser.add_argument("--best", type=int, metavar="N", help="only the N best of each video")
    add_coders(parser)
    add_fusing(parser)
    args = parser.parse_args(argv)
    refuse_without_fuse(parser, args)

    video = args.videos if args.videos and Path(args.videos).is_file() else None  # .eaf files may lie beside videos
    inputs = args.fuse or [args.predictions]
    refuse_same_file(args.out, *inputs, args.list, args.thresholds, video)
    origins = [origin_of(path) for path in inputs]
    labels = choose_labels(args.labels, *origins)
    if not args.fuse and is_recognition(args.predictions):
        clips = read_recognition(args.predictions, labels)
        if args.list:
            clips = align(clips, [name for name, _ in read_clip_list(args.list, labels)], args.predictions)
        write_recognition(args.out, clips, args.format)
        print(f"{len(clips.clips)} clips as {args.format} in {args.out}")
        return
    if args.format not in (PREDICTIONS_JSON, *DETECTION_FORMATS, *EVENT_FORMATS):
        chosen = ", ".join([PREDICTIONS_JSON, *DETECTION_FORMATS, *EVENT_FORMATS])
        raise InputError("--format", f"{args.format!r}", f"for detections choose one of {chosen}")
    videos = _chosen(args, labels)
    if args.list:
        _check_list(videos, args.list, ", ".join(inputs), labels)
    if args.format == PREDICTIONS_JSON:
        write_predictions(args.out, [item.detections() for item in videos], labels, common_origin(origins))
    elif args.format in EVENT_FORMATS:
        write_events(args.out, videos, args.format, labels, args.tiers)
    else:
        clocks = {item.video_id: item.clock_start for item in videos}
        write_detections(args.out, [item.detections() for item in videos], args.format, labels, clocks)
    what = "actions" if all(item.scores is None for item in videos) else "detections"
    print(f"{sum(len(item.labels) for item in videos)} {what} in {len(videos)} videos as {args.format} in {args.out}")


def _chosen(args: argparse.Namespace, labels: LabelSet) -> list[Annotation]:
    """What is to be written, with the files of the videos where they are named."""
    fps = check_fps(args.fps)
    if args.best is not None and args.best < 1:
        raise InputError("--best", f"{args.best} of each video", "expected 1 or more")
    minimum = least_scores(labels, args.min_score, args.thresholds)
    if args.fuse:
        videos = read_fused(args, labels)
    else:
        videos = read_events(args.predictions, labels, fps, videos=args.videos, coders=coders_of(args))
    for note in (note for item in videos for note in item.notes):
        warn(note)
    videos = [keep(item, minimum, args.best) for item in videos]
    for item in videos:
        item.fps = item.fps or fps
    return videos


def _check_list(videos: list[Annotation], path: str, predictions: str, labels: LabelSet) -> None:
    known = {item.video_id for item in read_annotations(path, labels, ASSUMED_FPS)}  # only the ids count, not the times
    unknown = sorted({item.video_id for item in videos} - known)
    if unknown:
        raise InputError(predictions, f"{len(unknown)} videos are not in {path}", f"such as {unknown[0]}")
    missing = len(known) - sum(len(item.labels) > 0 for item in videos)
    if missing:
        warn(f"{missing} of {len(known)} videos have no detection")
