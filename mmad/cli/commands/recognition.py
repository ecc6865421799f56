"""Scores a submission of clip labels: top-1, top-5 and F1 for actions and for body parts, F1_mean.

mmad recognition prediction.csv --ground-truth val_list_videos.txt [--json OUT] [--confusion OUT.png]
"""

from pathlib import Path

import numpy as np

from mmad.cli.arguments import command_parser
from mmad.errors import InputError
from mmad.files import refuse_same_file, write_json
from mmad.formats.mma52 import read_clip_list
from mmad.formats.submissions import align, read_recognition
from mmad.labels import read_label_set
from mmad.metrics.recognition import as_table, confusion_matrix, recognition_scores


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("recognition", __doc__)
    parser.add_argument("predictions", help="a submission CSV of any year, or a zip with one")
    parser.add_argument("--ground-truth", required=True, metavar="LIST", help="`name.mp4 label` per line")
    parser.add_argument("--labels", default="mma52", help="mma52 (default) or a label file")
    parser.add_argument("--json", metavar="OUT", help="also write the scores, fractions of 1, as JSON")
    parser.add_argument("--confusion", metavar="OUT", help="also draw the confusion matrix: a .png, .svg or .pdf")
    args = parser.parse_args(argv)

    for out in filter(None, (args.json, args.confusion)):
        refuse_same_file(out, args.predictions, args.ground_truth)
    if args.confusion and Path(args.confusion).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError("--confusion", f"{args.confusion!r} is not a picture", "name a .png, .svg or .pdf file")
    labels = read_label_set(args.labels)
    clips, truth = zip(*read_clip_list(args.ground_truth, labels))
    predictions = align(read_recognition(args.predictions, labels), list(clips), args.predictions)
    scores = recognition_scores(np.array(truth), predictions.actions, predictions.parts, labels)
    print(f"{as_table(scores)}\non {len(clips)} clips, in percent")
    if differing := predictions.disagreeing(labels):
        what = "the first body part is not that of the first action"
        print(f"in {differing} of {len(clips)} clips {what}: scored as they stand")
    if args.json:
        write_json(args.json, scores, indent=1)
    if args.confusion:
        # On demand: matplotlib takes a second to load.
        from mmad.report.confusion_figure import draw_confusion, worst_confusions

        matrix = confusion_matrix(np.array(truth), predictions.actions[:, 0], len(labels))
        draw_confusion(args.confusion, matrix, labels)
        print("\n".join(["most frequent mistakes:", *worst_confusions(matrix, labels)]))
