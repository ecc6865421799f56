"""Trains a recognizer on trimmed clips, or with clips.window on windows of long videos.

mmad train-rec CONFIG [key=value ...]      e.g. mmad train-rec manet_ma52 data.root=ma52 --out runs/manet

Leaves config.yaml, metrics.jsonl, TensorBoard files, last.pt, best.pt, prediction.csv and report.json in --out.
The same command again continues where it stopped.
"""

from mmad.cli.training import train_together, training_config
from mmad.config import RecognitionConfig


def main(argv: list[str] | None = None) -> None:
    config = training_config("train-rec", __doc__, RecognitionConfig, argv)

    from mmad.engine.train_recognizer import train_recognizer

    train_together(config, train_recognizer)
