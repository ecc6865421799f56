"""Fits the score threshold of each class that gives the highest event F1 on validation videos.

mmad thresholds predictions.json --ground-truth val.csv --out thresholds.json [--tiou 0.5]

For --thresholds of mmad export, ethogram and agreement. Measure their effect on other videos than these.
"""

from mmad.cli.arguments import add_fps, add_labels, command_parser
from mmad.errors import InputError
from mmad.files import refuse_same_file, write_json
from mmad.formats import read_predictions, read_truth
from mmad.formats.fields import check_fps
from mmad.labels import named_labels
from mmad.metrics.best_thresholds import as_json, as_table, fit_thresholds


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("thresholds", __doc__)
    parser.add_argument("predictions", help="JSON, a submission CSV, or a zip with one")
    parser.add_argument("--ground-truth", required=True, metavar="FILE", help="annotations of any form, or a folder")
    parser.add_argument("--subset", help="which of a file's subsets; default: what the predictions name, else val")
    add_labels(parser)
    add_fps(parser)
    parser.add_argument("--tiou", type=float, default=0.5, help="tIoU that makes a detection right (default: 0.5)")
    parser.add_argument("--out", required=True, metavar="FILE", help="thresholds.json")
    args = parser.parse_args(argv)

    refuse_same_file(args.out, args.predictions, args.ground_truth)
    fps = check_fps(args.fps)
    predictions = read_predictions(args.predictions, named_labels(args.labels))
    annotations = read_truth(args.ground_truth, predictions, args.subset, fps)
    result = fit_thresholds(annotations, predictions.detections, predictions.labels, args.tiou)
    if result.pooled_f1 == 0:
        problem = f"no detection meets a true action at tIoU {args.tiou:g}"
        raise InputError(args.predictions, problem, "are these predictions for these videos?")
    write_json(args.out, as_json(result), indent=1)
    print(as_table(result))
