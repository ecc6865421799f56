"""Micro-actions in your own videos, of any length: predictions, timelines and a page in one folder.

mmad detect VIDEO... --out DIR                                        by joints; nothing to train
mmad detect VIDEO... --detector FILE [--recognizer FILE] --out DIR    by a detector of your own
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmad.cli.arguments import command_parser
from mmad.config import PoseConfig
from mmad.errors import complain
from mmad.pose.formats import read_landmarks
from mmad.records import Detections
from mmad.report.content import PageOptions, VideoResult
from mmad.report.overlay import write_overlays
from mmad.report.pages import write_report
from mmad.report.pose_pages import files_of_people, write_pose_report
from mmad.video.finding import find_videos

if TYPE_CHECKING:
    from mmad.engine.pose_weights import PosePipeline


def main(words: list[str] | None = None) -> int:
    parser = command_parser("detect", __doc__)
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="files or folders; or landmark tracks (.npz)")
    parser.add_argument(
        "--detector",
        metavar="FILE",
        help="best.pt of tools/train_det.py, or pose.safetensors of tools/train_pose.py (default: the package's own)",
    )
    parser.add_argument(
        "--recognizer", metavar="FILE", help="the recognizer whose features the detector was trained on"
    )
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument(
        "--person",
        default="largest",
        help="whose joints: largest (default), left, right, all, or a number",
    )
    parser.add_argument("--overlay", action="store_true", help="also write the videos with what was found in them")
    parser.add_argument(
        "--as-is",
        action="store_true",
        help="bring videos into the page as they are, also those that browsers may not play",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, mps")
    args = parser.parse_args(words)

    from mmad.engine.detect_videos import detect_videos
    from mmad.engine.infer import load_pipeline
    from mmad.engine.pose_weights import PosePipeline

    pipeline = load_pipeline(args.detector, args.recognizer, args.device, PoseConfig(person=args.person))
    if isinstance(pipeline, PosePipeline):
        return by_joints(pipeline, args)
    videos = find_videos(args.videos, args.out)
    found, durations, problems = detect_videos(pipeline, videos, args.out)
    files = dict(videos)
    results = [VideoResult(item, durations[item.video_id], file=files[item.video_id]) for item in found]
    page = write_report(args.out, results, pipeline.labels, PageOptions(as_is=args.as_is))
    if args.overlay:
        write_overlays(Path(args.out) / "overlays", found, files, pipeline.labels)
    return say(page, found, problems)


def by_joints(pipeline: "PosePipeline", args: argparse.Namespace) -> int:
    """What the joints of the people in the videos tell."""
    from mmad.engine.detect_videos import detect_people

    tracks = [track for name in args.videos if name.lower().endswith(".npz") for track in read_landmarks(name)]
    videos = find_videos([name for name in args.videos if not name.lower().endswith(".npz")], args.out)
    found, people, problems = detect_people(pipeline, videos, tracks, args.out)
    weights = pipeline.weights
    options = PageOptions(weights.reliability, min_score=weights.least, as_is=args.as_is)
    page = write_pose_report(args.out, found, people, dict(videos), pipeline.labels, options)
    told = [pipeline.told(item) for item in found]
    if args.overlay:
        write_overlays(Path(args.out) / "overlays", told, files_of_people(people, dict(videos)), pipeline.labels)
    return say(page, told, problems)


def say(page: Path, found: list[Detections], problems: list[str]) -> int:
    print(f"{sum(map(len, found))} detections in {len(found)} videos: open {page}")
    return complain(problems)
