"""Train the detector on features; the same command again goes on where it was.

python tools/train_det.py CONFIG [key=value ...]      e.g. configs/bench.yaml data.root=bench output=runs/bench
"""

import argparse

from mmad.config import DetectionConfig, load_config
from mmad.engine.train_detector import train_detector
from mmad.errors import run_command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", metavar="CONFIG", help="a YAML file")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from it")
    args = parser.parse_args()
    train_detector(load_config(DetectionConfig, args.config, args.settings))


if __name__ == "__main__":
    run_command(main)
