"""Videos to features, one file a video; the same command again goes on where it was.

python tools/extract_features.py [CONFIG] --videos PATH... --out DIR [--checkpoint FILE] [--shard I/N] [key=value ...]
"""

import argparse
import sys
from pathlib import Path

from mmad.config import ExtractConfig, load_config
from mmad.data.videos import find_videos, take_shard
from mmad.engine.extract import Extractor, extract_folder
from mmad.errors import run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="CONFIG or key=value", help="a YAML file, then settings")
    parser.add_argument("--videos", nargs="+", required=True, help="files or folders")
    parser.add_argument("--out", required=True, help="folder for the features")
    parser.add_argument("--checkpoint", help="a recognizer of ours, or the authors' released MANet")
    parser.add_argument("--shard", default="1/1", help="I/N: only every N-th video from the I-th on")
    args = parser.parse_intermixed_args()
    typed_after = [
        item for item in args.videos if "=" in item and not Path(item).exists()
    ]  # --videos takes all it gets
    args.videos = [item for item in args.videos if item not in typed_after]
    args.settings += typed_after
    path = args.settings.pop(0) if args.settings and "=" not in args.settings[0] else None

    config = load_config(ExtractConfig, path, args.settings)
    videos = take_shard(find_videos(args.videos), args.shard)
    _, problems = extract_folder(Extractor(config, args.checkpoint), videos, args.out)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 2 if problems else 0


if __name__ == "__main__":
    run_command(main)
