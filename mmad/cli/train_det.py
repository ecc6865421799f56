"""Train the detector on features; the same command again goes on where it was.

mmad train-det CONFIG [key=value ...]      e.g. configs/bench.yaml data.root=bench output=runs/bench
"""

from mmad.cli.arguments import command_parser
from mmad.config import DetectionConfig, load_config
from mmad.engine.train_detector import train_detector


def main(words: list[str] | None = None) -> None:
    parser = command_parser("train-det", __doc__)
    parser.add_argument("config", metavar="CONFIG", help="a YAML file")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from it")
    args = parser.parse_args(words)
    train_detector(load_config(DetectionConfig, args.config, args.settings))
