"""For each class the score from which on a detection is best believed, found on validation videos.

python eval/thresholds.py predictions.json --ground-truth val.csv --out thresholds.json [--tiou 0.5]

For --thresholds of tools/export.py, tools/ethogram.py and eval/agreement.py. Measure what they bring on other videos.
"""

import argparse

from mmad.data.annotations import read_annotations, read_label_set, read_predictions, select_subset
from mmad.errors import InputError, run_command
from mmad.files import refuse_same_file, write_json
from mmad.metrics.thresholds import as_json, as_table, fit_thresholds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", help="JSON, a submission CSV, or a zip with one")
    parser.add_argument("--ground-truth", required=True, metavar="FILE", help="annotations of any form, or a folder")
    parser.add_argument("--subset", default="val", help="of a file that holds several (default: val)")
    parser.add_argument("--labels", default="mma52", help="mma52 (default) or a label file")
    parser.add_argument("--tiou", type=float, default=0.5, help="from which on a detection is right (default: 0.5)")
    parser.add_argument("--out", required=True, metavar="FILE", help="thresholds.json")
    args = parser.parse_args()

    refuse_same_file(args.out, args.predictions, args.ground_truth)
    labels = read_label_set(args.labels)
    detections = read_predictions(args.predictions, labels).detections
    annotations = select_subset(read_annotations(args.ground_truth, labels), args.subset, args.ground_truth)
    if not any(len(item.labels) for item in annotations):
        raise InputError(args.ground_truth, "there is no action in it to find", "check --ground-truth and --subset")
    result = fit_thresholds(annotations, detections, labels, args.tiou)
    if result.pooled_f1 == 0:
        problem = f"no detection meets a true action at tIoU {args.tiou:g}"
        raise InputError(args.predictions, problem, "are these predictions for these videos?")
    write_json(args.out, as_json(result), indent=1)
    print(as_table(result))


if __name__ == "__main__":
    run_command(main)
