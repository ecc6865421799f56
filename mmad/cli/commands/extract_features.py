"""Extracts the features of videos, one file per video.

mmad extract-features [CONFIG] --videos PATH... --out DIR [--checkpoint FILE] [--shard I/N] [key=value ...]

PATH: videos or folders of them; or landmark tracks (.npz), or folders of them, whose features are those of the pose
network, or with --checkpoint of an MMN. The same command again continues where it stopped.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from mmad.cli.arguments import (
    add_device,
    add_keys,
    add_shard,
    command_parser,
    options_as_settings,
    split_config_and_files,
)
from mmad.config import PACKAGED, POSE_MODEL, STREAMS, ExtractConfig, load_config
from mmad.errors import InputError, complain
from mmad.pose.landmark_files import landmark_files
from mmad.video.finding import find_videos, take_shard

CHECKPOINT = "a recognizer of ours, or the authors' released MANet; for landmark tracks a pose.safetensors or an MMN"


def main(argv: list[str] | None = None) -> int:
    parser = command_parser("extract-features", __doc__)
    parser.add_argument("settings", nargs="*", metavar="CONFIG or key=value", help="a configuration, then settings")
    parser.add_argument(
        "--videos", nargs="+", required=True, metavar="PATH", help="videos or landmark tracks, or folders of them"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the features")
    parser.add_argument("--checkpoint", metavar="FILE", help=CHECKPOINT)
    parser.add_argument("--stream", choices=STREAMS, help="of published MMN weights, which do not say it")
    add_shard(parser)
    add_device(parser)
    add_keys(parser, ExtractConfig)
    args = parser.parse_intermixed_args(argv)
    path, settings, files = split_config_and_files(args.settings, args.videos)
    config = load_config(ExtractConfig, path, settings + options_as_settings(device=args.device))
    if tracks := landmark_files(files):
        tracks = take_shard(tracks, args.shard)
        if args.checkpoint and not args.checkpoint.endswith(POSE_MODEL):
            return complain(by_mmn(tracks, config, args))
        if path or settings:
            raise InputError(path or settings[0], "does not go with landmark tracks", "leave it out")
        return complain(of_joints(tracks, args))
    videos = take_shard(find_videos(files), args.shard)

    from mmad.engine.feature_extractor import FeatureExtractor, extract_features

    _, problems = extract_features(FeatureExtractor(config, args.checkpoint), videos, args.out)
    return complain(problems)


def by_mmn(tracks: list[Path], config: ExtractConfig, args: argparse.Namespace) -> list[str]:
    from mmad.engine.checkpoint import load_recognizer
    from mmad.engine.devices import choose_device
    from mmad.engine.pose_features import extract_pose_features
    from mmad.engine.predict_clips import reads_joints
    from mmad.engine.skeleton_features import SkeletonFeatures

    recognizer = load_recognizer(args.checkpoint)
    if not reads_joints(recognizer):
        raise InputError(args.checkpoint, "reads pictures, and these are landmark tracks", "give the videos")
    if args.stream:
        recognizer.skeleton_config = replace(recognizer.skeleton_config, stream=args.stream)
    return extract_pose_features(SkeletonFeatures(recognizer, config, choose_device(config.device)), tracks, args.out)


def of_joints(tracks: list[Path], args: argparse.Namespace) -> list[str]:
    from mmad.engine.devices import choose_device
    from mmad.engine.pose_features import PoseFeatures, extract_pose_features
    from mmad.engine.pose_model import load_pose_model

    network = load_pose_model(args.checkpoint or PACKAGED).network
    return extract_pose_features(PoseFeatures(network, choose_device(args.device or "auto")), tracks, args.out)
