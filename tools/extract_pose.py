"""Joints of the people in videos, one landmark file per video; the same command again goes on where it was.

python tools/extract_pose.py --videos PATH... --out DIR [--person largest|left|right|N|all] [key=value ...]

For example hands=false (faster), fps=30, models=DIR (other .task files of MediaPipe), max_people=8. Of several people,
0 is the largest, 1 the next; with --person all the files are ID.npz, ID_person1.npz, ...
"""

import argparse
import sys
from pathlib import Path

from mmad.config import PoseConfig, load_config
from mmad.data.videos import find_videos, take_shard
from mmad.engine.extract_pose import extract_pose_folder
from mmad.errors import run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="CONFIG or key=value", help="a YAML file, then settings")
    parser.add_argument("--videos", nargs="+", required=True, help="files or folders")
    parser.add_argument("--out", required=True, help="folder for the landmarks")
    parser.add_argument("--person", help="of several people: largest (default), left, right, a number, or all")
    parser.add_argument("--shard", default="1/1", help="I/N: only every N-th video from the I-th on")
    args = parser.parse_intermixed_args()
    typed_after = [item for item in args.videos if "=" in item and not Path(item).exists()]
    args.videos = [item for item in args.videos if item not in typed_after]
    settings = [item.removeprefix("pose.") for item in args.settings + typed_after]
    path = settings.pop(0) if settings and "=" not in settings[0] else None
    if args.person is not None:
        settings.append(f"person={args.person}")

    config = load_config(PoseConfig, path, settings)
    videos = take_shard(find_videos(args.videos), args.shard)
    _, problems = extract_pose_folder(config, videos, args.out)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 2 if problems else 0


if __name__ == "__main__":
    run_command(main)
