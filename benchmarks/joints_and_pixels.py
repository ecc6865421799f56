"""Joints, pixels, and both, on the same performances of rendered people: recognition and detection of 52 actions.

python benchmarks/joints_and_pixels.py OUT [--pose pose.safetensors] [--epochs 20] [--seeds 0 1 2]

Renders 240 videos and 2,496 clips of seed 2 (72 x 72 pixels; a quarter, of other people, to evaluate on), and the
joints of the same people doing the same, with the errors of a pose estimator, in front of cameras of their own. A
ResNet-18 MANet learns from the clips' pixels (from random weights); the pose network is the package's, which never saw
these people. Then the same detector is trained on the features of either, and of both side by side. Goes on where it
was.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from chain import ROOT, columns, command, report

from mmad.config import PACKAGED
from mmad.engine.infer import PosePipeline
from mmad.engine.pose_model import load_pose_model
from mmad.errors import run_command
from mmad.files import read_json
from mmad.formats.mma52 import read_clip_list
from mmad.labels import MMA52
from mmad.metrics.recognition import recognition_scores
from mmad.pose.landmark_files import load_landmarks
from mmad.records import FeatureTrack, LandmarkTrack

SETTINGS = ["--videos", "240", "--clips", "2496", "--seed", "2", "--size", "72x72", "--balanced"]
RECOGNIZER = ["clips.videos=clips", "backbone.name=manet_r18", "backbone.weights=random", "backbone.resize=64"]
RECOGNIZER += ["backbone.crop=64", "embedding=", "dropout=0.2", "precision=bfloat16", "clips.scales=[1.0]"]
RECOGNIZER += ["train.optimizer=adamw", "train.schedule=cosine", "train.lr=1e-3", "train.weight_decay=0.05"]
RECOGNIZER += ["train.clip_grad=1", "train.batch=16", "train.workers=1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--pose", default=PACKAGED, help="another pose model than the package's")
    parser.add_argument("--epochs", type=int, default=20, help="of the MANet on pixels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    out = Path(args.out)
    pixels, joints = out / "pixels", out / "joints"
    command("tools/make_synthetic.py", joints, *SETTINGS, "--landmarks")
    recognition(args.pose, joints)
    command("tools/make_synthetic.py", pixels, *SETTINGS)
    recognizer = out / "recognizer"
    options = [f"data.root={pixels}", f"output={recognizer}", "device=cpu", *RECOGNIZER]
    options += [f"train.epochs={args.epochs}", f"train.evaluate_every={args.epochs}"]
    command("tools/train_rec.py", ROOT / "configs" / "manet_ma52.yaml", *options)
    print_recognition("pixels", read_json(recognizer / "report.json"))

    both = ["--videos", joints / "train", joints / "val", "--out", pixels / "features_joints"]
    command("tools/extract_features.py", *both, "--checkpoint", args.pose, "--device", "cpu")
    both = ["--videos", pixels / "train", pixels / "val", "--out", pixels / "features_pixels"]
    command("tools/extract_features.py", "mode=dense", "stride=4", *both, "--checkpoint", recognizer / "best.pt")
    print("\n| features | Avg mAP 0.1:0.9, mean (each seed) | at 0.5 | by body part |\n|---|---|---|---|")
    for name in ("pixels", "joints", "pixels,joints"):
        folders = [pixels / f"features_{kind}" for kind in name.split(",")]
        reports = [report(out / f"{name.replace(',', '_')}_{seed}", pixels, folders, seed) for seed in args.seeds]
        print(f"| {name} | {columns(reports)} |", flush=True)


def recognition(model: str | Path, joints: Path) -> None:
    pipeline = PosePipeline(load_pose_model(model), "cpu")
    print("| clips by | F1_mean | top-1 | top-5 | body top-1 |\n|---|---|---|---|---|")
    print_recognition("joints", recognition_by_joints(pipeline.features_of, joints))


def recognition_by_joints(features_of: Callable[[LandmarkTrack], FeatureTrack], joints: Path) -> dict[str, float]:
    """Recognition of the validation clips by the mean over time of a pose network's probabilities."""
    names, classes = zip(*read_clip_list(joints / "val_list_videos.txt", MMA52))
    scores = []
    for name in names:
        track = load_landmarks(joints / "clips" / Path(name).with_suffix(".npz"))
        logits = np.asarray(features_of(track).values)[:, : len(MMA52)]
        scores.append((1 / (1 + np.exp(-logits))).mean(axis=0))
    actions = np.argsort(-np.array(scores), axis=1)
    parts = np.asarray(MMA52.part_of)[actions[:, :1]]
    return recognition_scores(np.array(classes), actions, parts, MMA52)


def print_recognition(name: str, figures: dict[str, float]) -> None:
    values = (100 * figures[key] for key in ("f1_mean", "action_top1", "action_top5", "body_top1"))
    print(f"| {name} | {' | '.join(f'{value:.1f}' for value in values)} |", flush=True)


if __name__ == "__main__":
    run_command(main)
