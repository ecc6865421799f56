"""Recognition figures of MA-52: top-1, top-5, macro and micro F1 at both levels, F1_mean.

python eval/recognition.py prediction.csv --ground-truth val_list_videos.txt [--json report.json]
"""

import argparse

import numpy as np

from mmad.data.annotations import read_clip_list, read_label_set
from mmad.data.exchange import align, read_recognition
from mmad.errors import run_command
from mmad.files import refuse_same_file, write_json
from mmad.metrics.recognition import as_table, recognition_figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", help="a submission CSV of any year, or a zip with one")
    parser.add_argument("--ground-truth", required=True, metavar="LIST", help="`name.mp4 label` a line")
    parser.add_argument("--labels", default="mma52", help="mma52 (default) or a label file")
    parser.add_argument("--json", metavar="OUT", help="also write the figures, fractions of 1, as JSON")
    args = parser.parse_args()

    if args.json:
        refuse_same_file(args.json, args.predictions, args.ground_truth)
    labels = read_label_set(args.labels)
    clips, truth = zip(*read_clip_list(args.ground_truth, labels))
    predictions = align(read_recognition(args.predictions, labels), list(clips), args.predictions)
    figures = recognition_figures(np.array(truth), predictions.actions, predictions.parts, labels)
    print(f"{as_table(figures)}\non {len(clips)} clips, in percent")
    if args.json:
        write_json(args.json, figures, indent=1)


if __name__ == "__main__":
    run_command(main)
