"""Detection mAP of a predictions file, as the official challenge computes it.

python eval/map.py predictions.json [--ground-truth val.csv] [--subset val] [--json report.json] [--diagnose]
"""

import argparse
from pathlib import Path

from mmad.data.annotations import is_placeholder, read_annotations, read_label_set, read_predictions, select_subset
from mmad.errors import InputError, run_command
from mmad.files import refuse_same_file, write_json
from mmad.metrics.average_precision import as_json, as_table, evaluate, evaluate_parts
from mmad.metrics.diagnosis import as_text, diagnose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", help="JSON, a submission CSV, or a zip with one")
    parser.add_argument(
        "--ground-truth", help="annotations of any form, or a folder; default: what the predictions name"
    )
    parser.add_argument("--subset", default="val", help="of a file that holds several (default: val)")
    parser.add_argument("--labels", default="mma52", help="mma52 (default) or a label file")
    parser.add_argument("--json", metavar="OUT", help="also write the figures, fractions of 1, as JSON")
    parser.add_argument("--diagnose", action="store_true", help="also why mAP is lost")
    parser.add_argument("--tiou", type=float, default=0.5, help="of --diagnose (default: 0.5)")
    args = parser.parse_args()
    if not 0 < args.tiou < 1:
        raise InputError("--tiou", f"{args.tiou:g} is no tIoU", "give one between 0 and 1, such as 0.5")

    labels = read_label_set(args.labels)
    predictions = read_predictions(args.predictions, labels)
    truth = args.ground_truth or predictions.ground_truth
    if not truth:
        raise InputError(args.predictions, "names no ground truth", "give it with --ground-truth FILE")
    if not truth.isprintable():
        raise InputError(
            args.predictions, f"ground_truth {truth!r} is no file name", "give it with --ground-truth FILE"
        )
    if args.json:
        refuse_same_file(args.json, args.predictions, truth)
    if not args.ground_truth and not Path(truth).exists():  # named relative to the predictions
        truth = str(Path(args.predictions).parent / truth)
    annotations = select_subset(read_annotations(truth, labels), args.subset, truth)
    if not any(len(item.labels) for item in annotations):
        raise InputError(truth, "there is no action in it to find", "check --ground-truth and --subset")
    if is_placeholder(annotations):
        print(f"warning: {truth} holds placeholder rows (frames 0-20 of every video); these figures mean nothing")

    actions = evaluate(annotations, predictions.detections, labels)
    parts = evaluate_parts(annotations, predictions.detections, labels)
    print(as_table(actions, parts))
    if args.diagnose:
        print("\n" + as_text(diagnose(annotations, predictions.detections, labels, args.tiou)))
    if args.json:
        write_json(args.json, as_json(actions, parts), indent=1)


if __name__ == "__main__":
    run_command(main)
