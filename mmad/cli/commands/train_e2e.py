"""Trains adapters in a backbone and the detector through the frames of videos.

mmad train-e2e CONFIG [key=value ...]      e.g. mmad train-e2e e2e_manet data.root=mma52 backbone.weights=best.pt

Leaves backbone.pt and best.pt, for --recognizer and --detector of `mmad detect`, predictions.json, report.json,
config.yaml and metrics.jsonl in --out; what it needs to go on lies in frames/, features/ and detector/ there.
The same command again continues where it stopped.
"""

from mmad.cli.training import training_config
from mmad.config import EndToEndConfig


def main(argv: list[str] | None = None) -> None:
    config = training_config("train-e2e", __doc__, EndToEndConfig, argv)

    from mmad.engine.train_end_to_end import train_end_to_end

    train_end_to_end(config)
