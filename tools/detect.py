"""Micro-actions in your own videos, of any length: predictions, timelines and a page in one folder.

python tools/detect.py VIDEO... --detector FILE [--recognizer FILE] --out DIR [--overlay] [--as-is]
"""

import argparse
import sys
from pathlib import Path

from mmad.data.videos import find_videos
from mmad.engine.detect import detect_videos
from mmad.engine.infer import load_pipeline
from mmad.errors import run_command
from mmad.report.overlay import write_overlays
from mmad.report.page import write_report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="files or folders")
    parser.add_argument("--detector", required=True, metavar="FILE", help="best.pt of tools/train_det.py")
    parser.add_argument(
        "--recognizer", metavar="FILE", help="the recognizer whose features the detector was trained on"
    )
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--overlay", action="store_true", help="also write the videos with what was found in them")
    parser.add_argument(
        "--as-is",
        action="store_true",
        help="bring videos into the page as they are, also those that browsers may not play",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, mps")
    args = parser.parse_args()

    pipeline = load_pipeline(args.detector, args.recognizer, args.device)
    videos = find_videos(args.videos, args.out)
    found, durations, problems = detect_videos(pipeline, videos, args.out)
    page = write_report(args.out, found, durations, pipeline.labels, videos=dict(videos), as_is=args.as_is)
    if args.overlay:
        write_overlays(Path(args.out) / "overlays", found, dict(videos), pipeline.labels)
    print(f"{sum(map(len, found))} detections in {len(found)} videos: open {page}")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 2 if problems else 0


if __name__ == "__main__":
    run_command(main)
