"""Computes the detection mAP of a predictions file, as the official challenge does.

mmad map predictions.json [--ground-truth val.csv] [--json report.json] [--diagnose]

Predictions of mmad train-det carry the rest: ground truth, subset, labels and frames per second of the training.
"""

from pathlib import Path

from mmad.cli.arguments import add_fps, add_labels, command_parser
from mmad.errors import InputError, warn
from mmad.files import refuse_same_file, write_json
from mmad.formats import read_predictions, read_truth
from mmad.formats.fields import check_fps
from mmad.formats.mma52 import is_placeholder
from mmad.formats.predictions import Origin
from mmad.labels import named_labels
from mmad.metrics.average_precision import as_json, as_table, evaluate, evaluate_parts
from mmad.metrics.diagnosis import as_text, diagnose


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("map", __doc__)
    parser.add_argument("predictions", help="JSON, a submission CSV, or a zip with one")
    parser.add_argument(
        "--ground-truth", help="annotations of any form, or a folder; default: what the predictions name"
    )
    parser.add_argument("--subset", help="which of a file's subsets; default: what the predictions name, else val")
    add_labels(parser)
    add_fps(parser)
    parser.add_argument("--videos", metavar="PATH", help="folder of the videos: for rates, and for when pictures begin")
    parser.add_argument("--json", metavar="OUT", help="also write the results, fractions of 1, as JSON")
    parser.add_argument("--diagnose", action="store_true", help="also why mAP is lost")
    parser.add_argument("--tiou", type=float, default=0.5, help="tIoU of --diagnose (default: 0.5)")
    args = parser.parse_args(argv)
    if not 0 < args.tiou < 1:
        raise InputError("--tiou", f"{args.tiou:g} is not a tIoU", "give one between 0 and 1, such as 0.5")
    fps = check_fps(args.fps)

    predictions = read_predictions(args.predictions, named_labels(args.labels))
    labels, truth = predictions.labels, args.ground_truth or _named_truth(args.predictions, predictions.origin)
    if args.json:
        refuse_same_file(args.json, args.predictions, truth)
    annotations = read_truth(truth, predictions, args.subset, fps, args.videos)
    if is_placeholder(annotations):
        warn(f"{truth} holds placeholder rows (frames 0-20 of every video); these results mean nothing")

    actions = evaluate(annotations, predictions.detections, labels)
    parts = evaluate_parts(annotations, predictions.detections, labels)
    print(as_table(actions, parts))
    if args.diagnose:
        print("\n" + as_text(diagnose(annotations, predictions.detections, labels, args.tiou)))
    if args.json:
        write_json(args.json, as_json(actions, parts), indent=1)


def _named_truth(path: str, origin: Origin) -> Path:
    """The ground truth that a predictions file names."""
    if origin.ground_truth is None:
        raise InputError(path, "names no ground truth", "give it with --ground-truth FILE")
    if not origin.ground_truth.exists():
        problem = f"its ground truth {origin.ground_truth} is not there"
        raise InputError(path, problem, "give it with --ground-truth FILE")
    return origin.ground_truth
