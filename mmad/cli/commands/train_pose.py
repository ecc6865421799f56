"""Trains the pose network and its detector on rendered people; no picture is drawn.

mmad train-pose CONFIG [key=value ...]      e.g. mmad train-pose pose --out runs/pose

Leaves pose.safetensors in --out, for `mmad detect --detector`. The same command again continues where it stopped.
Needs the extra render: pip install ".[render]" in a copy of the repository. Rendered people do MMA-52's 52 actions, no
others.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmad.cli.training import train_together, training_config
from mmad.config import DetectionConfig, PoseTrainConfig, RenderConfig
from mmad.files import write_text
from mmad.formats import read_annotations, read_predictions
from mmad.labels import MMA52

if TYPE_CHECKING:
    from mmad.engine.pose_model import PoseModel
    from mmad.models.pose_network import PoseNetwork

LEAST = 0.15  # probability from which on a detection is shown at first


def main(argv: list[str] | None = None) -> None:
    train_together(training_config("train-pose", __doc__, PoseTrainConfig, argv), train_pose)


def train_pose(config: PoseTrainConfig) -> None:
    """Render performances, train the network, and train the detector on its features of other people."""
    from mmad.engine.devices import choose_device
    from mmad.engine.distributed import first_goes_first, is_first
    from mmad.engine.pose_features import PoseFeatures
    from mmad.engine.pose_model import save_pose_model
    from mmad.engine.train_detector import train_detector
    from mmad.engine.train_pose_network import train_pose_network, write_features
    from mmad.models import check_detection
    from mmad.render.dataset import as_csv
    from mmad.render.performances import render_performances

    check_detection(config.detection)  # used later: better refused before hours of training
    output = Path(config.output)
    people = RenderConfig(videos=config.videos, clips=config.clips, seed=config.seed, tail=0.0, workers=config.workers)
    with first_goes_first("performances"):
        train, val = (render_performances(output / "performances", people, split) for split in ("train", "val"))
    network = train_pose_network(config, train, val, MMA52)
    features = PoseFeatures(network, choose_device(config.device))
    detector_people = replace(people, videos=config.detector_videos, clips=0, seed=config.seed + 1, tail=config.tail)
    data = output / "detector_data"
    with first_goes_first("detector_data"):
        for split in ("train", "val"):
            performances = render_performances(output / "performances_detector", detector_people, split)
            truths = write_features(features, performances, data / "features", MMA52, config.noise)
            if is_first():
                write_text(data / f"{split}.csv", as_csv(truths))
    run = replace(config.detection, output=str(output / "detector"), seed=config.seed, device=config.device)
    run.data = replace(run.data, root=str(data))
    train_detector(run)
    if not is_first():
        return
    model = calibrated(output / "detector", network, config, run)
    save_pose_model(output / "pose.safetensors", model)
    print(f"pose model for `mmad detect --detector` in {output / 'pose.safetensors'}")


def calibrated(folder: Path, network: "PoseNetwork", config: PoseTrainConfig, run: DetectionConfig) -> "PoseModel":
    """The pose model with scores that are probabilities on the people that the detector was evaluated on."""
    from mmad.engine.checkpoint import load_detector
    from mmad.engine.pose_model import PoseModel
    from mmad.metrics.calibration import fit_calibration  # with scipy, which takes long to load

    detector, labels, _, _ = load_detector(folder / "best.pt")
    truth = read_annotations(Path(run.data.root) / run.data.val, labels)
    found = read_predictions(folder / "predictions.json", labels).detections
    calibration = fit_calibration(truth, found, labels)
    return PoseModel(network, detector, labels, config, run, calibration, LEAST)
