"""Extracts the features of videos, one file per video.

mmad extract-features [CONFIG] --videos PATH... --out DIR [--checkpoint FILE] [--shard I/N] [key=value ...]

The same command again continues where it stopped.
"""

from mmad.cli.arguments import (
    add_device,
    add_keys,
    add_shard,
    command_parser,
    options_as_settings,
    split_config_and_files,
)
from mmad.config import ExtractConfig, load_config
from mmad.errors import complain
from mmad.video.finding import find_videos, take_shard


def main(argv: list[str] | None = None) -> int:
    parser = command_parser("extract-features", __doc__)
    parser.add_argument("settings", nargs="*", metavar="CONFIG or key=value", help="a configuration, then settings")
    parser.add_argument("--videos", nargs="+", required=True, metavar="PATH", help="video files, or folders of them")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the features")
    parser.add_argument("--checkpoint", metavar="FILE", help="a recognizer of ours, or the authors' released MANet")
    add_shard(parser)
    add_device(parser)
    add_keys(parser, ExtractConfig)
    args = parser.parse_intermixed_args(argv)
    path, settings, files = split_config_and_files(args.settings, args.videos)
    config = load_config(ExtractConfig, path, settings + options_as_settings(device=args.device))
    videos = take_shard(find_videos(files), args.shard)

    from mmad.engine.feature_extractor import FeatureExtractor, extract_features

    _, problems = extract_features(FeatureExtractor(config, args.checkpoint), videos, args.out)
    return complain(problems)
