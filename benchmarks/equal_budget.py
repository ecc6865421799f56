"""Pixels, MMN on joints and the pose network, each trained on the same performances for as many clips.

python benchmarks/equal_budget.py OUT [--epochs 4] [--seeds 0 1 2] [--only pixels joint bone pose] [--device cpu]

240 videos and 2,496 clips of rendered people as in joints_and_pixels.py, a quarter, of other people, to evaluate on;
all recognizers begin with random weights and see the 1,872 clips `--epochs` times in batches of 16. MMN: the authors'
recipe but for the length, streams apart and together. Pose network: new cameras and errors of a pose estimator for each
clip, as it is always trained; the others see each clip from one camera. Then the same detector is trained on the
features of each, and of joints beside pixels. Goes on where it was; `--only` trains some of the recognizers and prints
nothing.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from chain import ROOT, columns, command, report
from joints_and_pixels import RECOGNIZER, SETTINGS, recognition_by_joints
from measuring import spread

from mmad.config import PoseTrainConfig, RenderConfig, load_config
from mmad.engine.pose_features import PoseFeatures, extract_pose_features
from mmad.engine.train_pose_network import load_network, train_pose_network
from mmad.errors import run_command
from mmad.files import read_json, write_json
from mmad.labels import MMA52
from mmad.render.performances import render_performances

LISTS = ["data.train=train_list_videos.txt", "data.val=val_list_videos.txt", "clips.videos=clips"]
BATCH = 16
MMN = ["precision=bfloat16", f"train.batch={BATCH}", "train.warmup_epochs=1", "train.clip_grad=1", *LISTS]
KINDS = {
    "pixels: MANet-R18": ["pixels"],
    "joints: MMN, joint": ["joint"],
    "joints: MMN, bone": ["bone"],
    "joints: MMN, both": ["joint", "bone"],
    "joints: pose network": ["pose"],
    "pixels and MMN, both": ["pixels", "joint", "bone"],
    "pixels and pose network": ["pixels", "pose"],
}
COLUMNS = ("f1_mean", "action_top1", "action_top5", "body_top1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the clips")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=["pixels", "joint", "bone", "pose"])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    out, device = Path(args.out), args.device
    command("tools/make_synthetic.py", out / "joints", *SETTINGS, "--landmarks")
    command("tools/make_synthetic.py", out / "pixels", *SETTINGS)
    for seed in args.seeds:
        for kind in args.only or ("pixels", "joint", "bone", "pose"):
            train(out, kind, seed, args.epochs, device)
    if args.only:
        return
    print("| clips by | F1_mean, mean (each seed) | top-1 | top-5 | body top-1 |\n|---|---|---|---|---|")
    for name, kinds in list(KINDS.items())[:5]:
        scores = [recognition(out, kinds, seed, device) for seed in args.seeds]
        print(f"| {name} | {' | '.join(spread([found[key] for found in scores]) for key in COLUMNS)} |", flush=True)
    print("\n| features | Avg mAP 0.1:0.9, mean (each seed) | at 0.5 | by body part |\n|---|---|---|---|")
    for name, kinds in KINDS.items():
        reports = [detection(out, kinds, seed, device) for seed in args.seeds]
        print(f"| {name} | {columns(reports)} |", flush=True)


def train(out: Path, kind: str, seed: int, epochs: int, device: str) -> None:
    """One recognizer, if it is not there."""
    run = out / f"{kind}_{seed}"
    if kind == "pose":
        train_pose(out, run, seed, epochs, device)
        return
    if (run / "report.json").exists():
        return
    options = [f"output={run}", f"seed={seed}", f"device={device}", f"train.epochs={epochs}"]
    options += [f"train.evaluate_every={epochs}"]
    if kind == "pixels":
        config, options = "manet_ma52", [f"data.root={out / 'pixels'}", *options, *RECOGNIZER]
    else:
        config, options = "mmn_ma52", [f"data.root={out / 'joints'}", f"skeletons.stream={kind}", *options, *MMN]
    command("tools/train_rec.py", ROOT / "configs" / f"{config}.yaml", *options)


def train_pose(out: Path, run: Path, seed: int, epochs: int, device: str) -> None:
    """The pose network, and its recognition of the validation clips: the mean of its probabilities over time."""
    if (run / "report.json").exists():
        return
    people = RenderConfig(videos=240, clips=2496, seed=2, tail=0.0)
    train_clips, val = (
        [item for item in render_performances(out / "performances", people, split) if "_clip_" in item.truth.video_id]
        for split in ("train", "val")
    )
    settings = [f"output={run}", f"seed={seed}", f"device={device}", f"batches={len(train_clips) // BATCH}"]
    settings += [f"train.epochs={epochs}", f"train.evaluate_every={epochs}", f"train.batch={BATCH}"]
    config = load_config(PoseTrainConfig, ROOT / "configs" / "pose.yaml", settings)
    features = PoseFeatures(train_pose_network(config, train_clips, val[:100], MMA52), torch.device(device))
    write_json(run / "report.json", recognition_by_joints(features.of_track, out / "joints"))


def recognition(out: Path, kinds: Sequence[str], seed: int, device: str) -> dict[str, float]:
    if len(kinds) == 1:
        return read_json(out / f"{kinds[0]}_{seed}" / "report.json")
    table = out / f"{'_'.join(kinds)}_{seed}.csv"
    clips, tracks = out / "joints" / "val_list_videos.txt", out / "joints" / "clips"
    checkpoints = [out / f"{kind}_{seed}" / "best.pt" for kind in kinds]
    options = ["--list", clips, "--videos", tracks, "--out", table, "--device", device]
    command("tools/recognize.py", *checkpoints, *options)
    command("eval/recognition.py", table, "--ground-truth", clips, "--json", table.with_suffix(".json"))
    return read_json(table.with_suffix(".json"))


def detection(out: Path, kinds: Sequence[str], seed: int, device: str) -> dict:
    folders = [features(out, kind, seed, device) for kind in kinds]
    return report(out / f"detector_{'_'.join(kinds)}_{seed}", out / "pixels", folders, seed, device)


def features(out: Path, kind: str, seed: int, device: str) -> Path:
    """The folder of features of all videos, extracted if it is not there."""
    folder, run = out / f"features_{kind}_{seed}", out / f"{kind}_{seed}"
    data = out / ("pixels" if kind == "pixels" else "joints")
    if kind == "pose":
        network, _ = load_network(run / "network" / "best.pt")
        tracks = sorted(path for split in ("train", "val") for path in (data / split).glob("*.npz"))
        extract_pose_features(PoseFeatures(network, torch.device(device)), tracks, folder)
        return folder
    options = ["stride=4", "mode=dense"] if kind == "pixels" else ["precision=bfloat16"]
    videos = ["--videos", data / "train", data / "val", "--out", folder, "--checkpoint", run / "best.pt"]
    command("tools/extract_features.py", *options, *videos, "--device", device)
    return folder


if __name__ == "__main__":
    run_command(main)
