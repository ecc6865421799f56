"""Joints of the people in videos, one landmark file per video; the same command again goes on where it was.

mmad extract-pose --videos PATH... --out DIR [--person largest|left|right|N|all] [key=value ...]

For example hands=false (faster), fps=30, models=DIR (other .task files of MediaPipe), max_people=8. Of several people,
0 is the largest, 1 the next; with --person all the files are ID.npz, ID_person1.npz, ...
"""

from mmad.cli.arguments import command_parser
from mmad.config import PoseConfig, load_config, settings_among
from mmad.engine.extract_pose import extract_pose_folder
from mmad.errors import complain
from mmad.video.finding import find_videos, take_shard


def main(words: list[str] | None = None) -> int:
    parser = command_parser("extract-pose", __doc__)
    parser.add_argument("settings", nargs="*", metavar="CONFIG or key=value", help="a YAML file, then settings")
    parser.add_argument("--videos", nargs="+", required=True, help="files or folders")
    parser.add_argument("--out", required=True, help="folder for the landmarks")
    parser.add_argument("--person", help="of several people: largest (default), left, right, a number, or all")
    parser.add_argument("--shard", default="1/1", help="I/N: only every N-th video from the I-th on")
    args = parser.parse_intermixed_args(words)
    path, settings, files = settings_among(args.settings, args.videos)
    settings = [item.removeprefix("pose.") for item in settings]
    if args.person is not None:
        settings.append(f"person={args.person}")

    config = load_config(PoseConfig, path, settings)
    videos = take_shard(find_videos(files), args.shard)
    _, problems = extract_pose_folder(config, videos, args.out)
    return complain(problems)
