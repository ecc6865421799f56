"""Train a recognizer on trimmed clips, or with clips.window on windows of long videos.

The same command again goes on where it was.

python tools/train_rec.py CONFIG [key=value ...]      e.g. configs/manet_ma52.yaml data.root=ma52 output=runs/manet
"""

import argparse

from mmad.config import RecognitionConfig, load_config
from mmad.engine.train_recognizer import train_recognizer
from mmad.errors import run_command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", metavar="CONFIG", help="a YAML file")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from it")
    args = parser.parse_args()
    train_recognizer(load_config(RecognitionConfig, args.config, args.settings))


if __name__ == "__main__":
    run_command(main)
