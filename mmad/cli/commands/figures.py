"""Draws figures for a paper, as PNG, SVG or PDF.

mmad figures timeline PREDICTIONS --video ID --out FILE [--ground-truth FILE] [--most N] [--min-score X]
mmad figures statistics ANNOTATIONS --out DIR [--subset S]
mmad figures training RUN --out FILE
mmad figures precision PREDICTIONS --ground-truth FILE --out DIR [--tiou 0.5]
"""

import argparse
from argparse import Namespace
from pathlib import Path

from mmad.cli.arguments import add_fps, add_labels, command_parser
from mmad.errors import InputError
from mmad.files import refuse_same_file
from mmad.formats import read_annotations, read_predictions, read_truth, select_subset
from mmad.formats.fields import check_fps
from mmad.labels import MMA52, named_labels
from mmad.report.content import VideoResult


def timeline(args: Namespace) -> list[Path]:
    from mmad.report.timeline import TimelineOptions, draw_timeline

    fps, predictions = check_fps(args.fps), read_predictions(args.predictions, named_labels(args.labels))
    labels, fps = predictions.labels, fps or predictions.origin.fps
    found = {item.video_id: item for item in predictions.detections}
    known = read_annotations(args.ground_truth, labels, fps) if args.ground_truth else []
    truth = {item.video_id: item for item in known}.get(args.video)
    if args.video not in found:
        raise InputError(args.predictions, f"no video {args.video!r}", f"for example {next(iter(found), None)!r}")
    if args.ground_truth and truth is None:
        raise InputError(
            args.ground_truth, f"no video {args.video!r}", "leave --ground-truth out, or give another file"
        )
    refuse_same_file(args.out, args.predictions, args.ground_truth)
    detections = found[args.video]
    duration = truth.duration if truth else float(detections.segments[:, 1].max(initial=0)) or 1.0
    options = TimelineOptions(args.most, args.min_score, args.title)
    draw_timeline(args.out, VideoResult(detections, duration, truth), labels, options=options)
    return [Path(args.out)]


def statistics(args: Namespace) -> list[Path]:
    from mmad.report.data_set_figures import write_statistics

    labels = named_labels(args.labels) or MMA52
    annotations = read_annotations(args.annotations, labels, check_fps(args.fps))
    if args.subset:
        annotations = select_subset(annotations, args.subset, args.annotations)
    return write_statistics(args.out, annotations, labels, f".{args.format}")


def training(args: Namespace) -> list[Path]:
    from mmad.report.training_figure import draw_training, read_history

    refuse_same_file(args.out, Path(args.run) / "metrics.jsonl")
    draw_training(args.out, read_history(args.run))
    return [Path(args.out)]


def precision(args: Namespace) -> list[Path]:
    from mmad.report.detection_figures import write_precision

    fps, predictions = check_fps(args.fps), read_predictions(args.predictions, named_labels(args.labels))
    annotations = read_truth(args.ground_truth, predictions, args.subset, fps)
    found, labels = predictions.detections, predictions.labels
    return write_precision(args.out, annotations, found, labels, args.tiou, f".{args.format}")


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("figures", __doc__)
    commands = parser.add_subparsers(required=True, metavar="FIGURE")

    def command(draw, given: str, description: str, folder: bool) -> argparse.ArgumentParser:
        """One figure, with what all of them take."""
        one = commands.add_parser(draw.__name__, help=description, description=description)
        one.set_defaults(draw=draw)
        one.add_argument(given, metavar=given.upper())
        one.add_argument("--out", required=True, metavar="DIR" if folder else "FILE")
        if draw is training:
            one.add_argument("--labels", help=argparse.SUPPRESS)  # has no effect; scripts that give it keep working
        elif draw is statistics:
            add_labels(one, default="mma52")
        else:
            add_labels(one)
        if draw is not training:
            add_fps(one)
        if folder:
            one.add_argument("--format", choices=("png", "svg", "pdf"), default="png", help="kind of the pictures")
        return one

    one = command(timeline, "predictions", "what was found in a video, and when, under what is true", folder=False)
    one.add_argument("--video", required=True, metavar="ID")
    one.add_argument("--ground-truth", metavar="FILE")
    one.add_argument("--most", type=int, default=30, metavar="N", help="best detections that are shown (default: 30)")
    one.add_argument("--min-score", type=float, default=0.0, metavar="X", help="leave out what scores less")
    one.add_argument("--title", default="", help="title over the picture (default: none)")
    one = command(statistics, "annotations", "lengths, instances, classes, and which classes overlap", folder=True)
    one.add_argument("--subset", help="which of a file's subsets (default: all)")
    command(training, "run", "losses and scores by epoch", folder=False)
    one = command(precision, "predictions", "precision by recall, AP by class, and why mAP is lost", folder=True)
    one.add_argument("--ground-truth", required=True, metavar="FILE")
    one.add_argument("--subset", help="which of a file's subsets; default: what the predictions name, else val")
    one.add_argument("--tiou", type=float, default=0.5, help="tIoU that makes a detection right (default: 0.5)")

    args = parser.parse_args(argv)
    for path in args.draw(args):
        print(path)
