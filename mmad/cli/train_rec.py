"""Train a recognizer on trimmed clips, or with clips.window on windows of long videos.

The same command again goes on where it was.

mmad train-rec CONFIG [key=value ...]      e.g. configs/manet_ma52.yaml data.root=ma52 output=runs/manet
"""

from mmad.cli.arguments import command_parser
from mmad.config import RecognitionConfig, load_config
from mmad.engine.train_recognizer import train_recognizer


def main(words: list[str] | None = None) -> None:
    parser = command_parser("train-rec", __doc__)
    parser.add_argument("config", metavar="CONFIG", help="a YAML file")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from it")
    args = parser.parse_args(words)
    train_recognizer(load_config(RecognitionConfig, args.config, args.settings))
