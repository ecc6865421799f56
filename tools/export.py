"""Predictions as the files that others expect; a name that ends in .zip is zipped as the challenge wants it.

python tools/export.py predictions.json --format mac2026 --out submission.zip
python tools/export.py prediction.csv --format mac2025-rec --out submission.zip --list test_list_videos.txt
"""

import argparse

from mmad.data.annotations import read_annotations, read_clip_list, read_label_set, read_predictions
from mmad.data.exchange import (
    DETECTION_FORMATS,
    RECOGNITION_FORMATS,
    align,
    is_recognition,
    read_recognition,
    write_detections,
    write_recognition,
)
from mmad.errors import InputError, run_command
from mmad.files import refuse_same_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", help="predictions.json, or a CSV or zip of any form")
    parser.add_argument("--format", required=True, help=", ".join([*DETECTION_FORMATS, *RECOGNITION_FORMATS]))
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--labels", default="mma52", help="mma52 (default) or a label file")
    parser.add_argument("--list", help="annotations or list of clips that must be predicted, each one and no other")
    args = parser.parse_args()

    refuse_same_file(args.out, args.predictions, args.list)
    labels = read_label_set(args.labels)
    if is_recognition(args.predictions):
        clips = read_recognition(args.predictions, labels)
        if args.list:
            clips = align(clips, [name for name, _ in read_clip_list(args.list, labels)], args.predictions)
        write_recognition(args.out, clips, args.format)
        print(f"{len(clips.clips)} clips as {args.format} in {args.out}")
        return
    detections = read_predictions(args.predictions, labels).detections
    if args.list:
        known = {item.video_id for item in read_annotations(args.list, labels)}
        unknown = sorted({item.video_id for item in detections} - known)
        if unknown:
            raise InputError(args.predictions, f"{len(unknown)} videos are not in {args.list}", f"such as {unknown[0]}")
        missing = len(known) - sum(len(item) > 0 for item in detections)
        if missing:
            print(f"warning: {missing} of {len(known)} videos have no detection")
    write_detections(args.out, detections, args.format, labels)
    print(f"{sum(map(len, detections))} detections in {len(detections)} videos as {args.format} in {args.out}")


if __name__ == "__main__":
    run_command(main)
