"""Trains the detector on features.

mmad train-det CONFIG [key=value ...]      e.g. mmad train-det bench data.root=bench --out runs/bench

Leaves config.yaml, metrics.jsonl, TensorBoard files, last.pt, best.pt, predictions.json and report.json in --out.
The same command again continues where it stopped.
"""

from mmad.cli.training import train_together, training_config
from mmad.config import DetectionConfig


def main(argv: list[str] | None = None) -> None:
    config = training_config("train-det", __doc__, DetectionConfig, argv)

    from mmad.engine.train_detector import train_detector

    train_together(config, train_detector)
