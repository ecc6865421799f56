"""Extracts the joints of the people in videos, one landmark file per video.

mmad extract-pose --videos PATH... --out DIR [--person largest|left|right|N|all] [key=value ...]

For example hands=false (faster), fps=30, models=DIR (other .task files of MediaPipe), max_people=8. Of several people,
0 is the largest, 1 the next; with --person all the files are ID.npz, ID_person1.npz, ... The same command again
continues where it stopped.
"""

from mmad.cli.arguments import add_keys, add_shard, command_parser, options_as_settings, split_config_and_files
from mmad.config import PoseConfig, load_config
from mmad.errors import complain
from mmad.video.finding import find_videos, take_shard


def main(argv: list[str] | None = None) -> int:
    parser = command_parser("extract-pose", __doc__)
    parser.add_argument("settings", nargs="*", metavar="CONFIG or key=value", help="a configuration, then settings")
    parser.add_argument("--videos", nargs="+", required=True, metavar="PATH", help="video files, or folders of them")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the landmarks")
    parser.add_argument("--person", help="of several people: largest (default), left, right, a number, or all")
    add_shard(parser)
    add_keys(parser, PoseConfig)
    args = parser.parse_intermixed_args(argv)
    path, settings, files = split_config_and_files(args.settings, args.videos)
    settings = [item.removeprefix("pose.") for item in settings]
    config = load_config(PoseConfig, path, settings + options_as_settings(person=args.person))
    videos = take_shard(find_videos(files), args.shard)

    from mmad.engine.pose_extractor import extract_landmarks

    _, problems = extract_landmarks(config, videos, args.out)
    return complain(problems)
