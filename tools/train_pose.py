"""Train the pose network and its detector on rendered people; no picture is drawn.

python tools/train_pose.py CONFIG [key=value ...]      e.g. configs/pose.yaml output=runs/pose; goes on where it was

Leaves `pose.safetensors` in the output folder, for `tools/detect.py --detector`. Needs `pip install -e ".[render]"`.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from mmad.config import PoseTrainConfig, RenderConfig, load_config
from mmad.errors import run_command
from mmad.files import write_text
from mmad.labels import MMA52


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", metavar="CONFIG", help="a YAML file")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from it")
    args = parser.parse_args()
    train_pose(load_config(PoseTrainConfig, args.config, args.settings))


def train_pose(config: PoseTrainConfig) -> None:
    """Render performances, train the network, and train the detector on its features of other people."""
    from mmad.engine.detection import train_detector
    from mmad.engine.extract import choose_device
    from mmad.engine.infer import load_detector
    from mmad.engine.pose import train_pose_network, write_features
    from mmad.engine.pose_features import PoseFeatures
    from mmad.engine.pose_weights import PoseWeights, save_weights
    from mmad.render.dataset import as_csv
    from mmad.render.performances import render_performances

    output = Path(config.output)
    people = RenderConfig(
        videos=config.videos, clips=config.clips, seed=config.seed, balanced=True, workers=config.workers
    )
    train, val = (render_performances(output / "performances", people, part) for part in ("train", "val"))
    network = train_pose_network(config, train, val, MMA52)
    features = PoseFeatures(network, choose_device(config.device))
    others = replace(people, videos=config.detector_videos, clips=0, seed=config.seed + 1)
    data = output / "detector_data"
    for part in ("train", "val"):
        performances = render_performances(output / "performances_detector", others, part)
        truths = write_features(features, performances, data / "features", MMA52, config.noise)
        write_text(data / f"{part}.csv", as_csv(truths))
    run = replace(config.detection, output=str(output / "detector"), seed=config.seed, device=config.device)
    run.data = replace(run.data, root=str(data))
    train_detector(run)
    detector, labels, _, _ = load_detector(output / "detector" / "best.pt")
    save_weights(output / "pose.safetensors", PoseWeights(network, detector, labels, config, run))
    print(f"weights for tools/detect.py in {output / 'pose.safetensors'}")


if __name__ == "__main__":
    run_command(main)
