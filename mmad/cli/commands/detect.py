"""Finds micro-actions in videos of any length: predictions, timelines and a page in one folder.

mmad detect VIDEO... --out DIR                                        from people's joints: MMA-52's 52 actions
mmad detect VIDEO... --detector FILE [--recognizer FILE] --out DIR    with a detector of your own

A detector of your own finds the actions that it was trained on: its file carries their names and body parts.

How joints are found is set by key=value, such as hands=false or fps=10.

There is no threshold here: predictions.json holds all detections. Pages and timelines first show the likely ones, and
the page has a slider for the others. To leave out detections by score: mmad export with --min-score or --thresholds.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmad.cli.arguments import (
    add_device,
    add_keys,
    add_pipeline,
    command_parser,
    options_as_settings,
    refuse_pose_settings,
    split_settings,
    take_device,
)
from mmad.config import PoseConfig, load_config
from mmad.errors import complain
from mmad.records import Detections
from mmad.report.content import PageOptions, VideoResult
from mmad.video.finding import find_videos

if TYPE_CHECKING:
    from mmad.engine.infer import Pipeline, PosePipeline


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    args = parser.parse_intermixed_args(argv)
    args.videos, settings = split_settings(args.videos)
    if not args.videos:
        parser.error("name a video")
    device, settings = take_device(args, settings)
    pose = load_config(PoseConfig, None, settings + options_as_settings(person=args.person))

    from mmad.engine.infer import PosePipeline, load_pipeline

    pipeline = load_pipeline(args.detector, args.recognizer, device or "auto", pose)
    if isinstance(pipeline, PosePipeline):
        return by_joints(pipeline, args)
    refuse_pose_settings(settings)
    return by_features(pipeline, args)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("detect", __doc__)
    description = "files or folders, or landmark tracks (.npz); or a key=value setting"
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help=description)
    add_pipeline(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the predictions and the page")
    parser.add_argument("--overlay", action="store_true", help="also write the videos with the detections in them")
    description = "bring videos into the page as they are, also those that browsers may not play"
    parser.add_argument("--as-is", action="store_true", help=description)
    add_device(parser)
    add_keys(parser, PoseConfig)
    return parser


def by_features(pipeline: "Pipeline", args: argparse.Namespace) -> int:
    """Detections from features of the pixels."""
    from mmad.cli.detect_videos import detect_videos
    from mmad.report.overlay import write_overlays
    from mmad.report.pages import write_report

    videos = find_videos(args.videos, args.out)
    found, durations, problems = detect_videos(pipeline, videos, args.out)
    files = dict(videos)
    results = [VideoResult(item, durations[item.video_id], file=files[item.video_id]) for item in found]
    page = write_report(args.out, results, pipeline.labels, PageOptions(as_is=args.as_is))
    if args.overlay:
        write_overlays(Path(args.out) / "overlays", found, files, pipeline.labels)
    return say(page, found, problems)


def by_joints(pipeline: "PosePipeline", args: argparse.Namespace) -> int:
    """Detections from the joints of the people in the videos."""
    from mmad.cli.detect_videos import detect_people
    from mmad.pose.pose_formats import read_landmarks
    from mmad.report.overlay import write_overlays
    from mmad.report.pose_pages import files_of_people, write_pose_report

    tracks = [track for name in args.videos if name.lower().endswith(".npz") for track in read_landmarks(name)]
    videos = find_videos([name for name in args.videos if not name.lower().endswith(".npz")], args.out)
    found, people, problems = detect_people(pipeline, videos, tracks, args.out)
    model = pipeline.model
    options = PageOptions(model.reliability, min_score=model.least, as_is=args.as_is)
    page = write_pose_report(args.out, found, people, dict(videos), pipeline.labels, options)
    shown = [pipeline.shown(item) for item in found]
    if args.overlay:
        write_overlays(Path(args.out) / "overlays", shown, files_of_people(people, dict(videos)), pipeline.labels)
    return say(page, shown, problems)


def say(page: Path, found: list[Detections], problems: list[str]) -> int:
    print(f"{sum(map(len, found))} detections in {len(found)} videos: open {page}")
    return complain(problems)
