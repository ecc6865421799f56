"""What each ingredient of the pose network is worth on real people and on other rendered ones: one left out at a time.

python benchmarks/pose_ingredients.py OUT LANDMARKS --labels labels.tsv --negatives negatives.txt [--only NAME ...]
    [--seeds 0 11 12] [--videos 2400] [--clips 2400] [--epochs 10] [--batches 200]

LANDMARKS, labels.tsv and negatives.txt as in real_people.py. A small budget without a detector: an action is found
where its smoothed probability exceeds one of some thresholds, with the mean probability as its score. All figures are
below those of the packaged model; they are for comparison with each other. Rendering uses forked processes (Linux,
macOS). Goes on where it was.
"""

import argparse
import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import real_people
import torch

from mmad.config import NoiseConfig, PoseTrainConfig, RenderConfig, load_config
from mmad.data.performance_files import Performance, load_performances, save_performances
from mmad.data.pose_dataset import estimated_joints
from mmad.engine.pose_features import PoseFeatures
from mmad.engine.train_pose_network import train_pose_network
from mmad.errors import run_command
from mmad.files import write_text
from mmad.labels import MMA52
from mmad.pose.joint_inputs import FPS, on_grid
from mmad.pose.landmark_files import load_landmarks
from mmad.pose.visibility import needed_joints_seen
from mmad.records import Detections
from mmad.render import perform
from mmad.render.performances import perform_in_space
from mmad.render.plans import Plan, plan_clips, plan_videos

NO_ERRORS = [f"noise.{name}=0" for name in ("jitter", "bias", "drift", "smoothing", "hands_missing", "swaps", "lost")]
ROWS = {  # name: (rendering, settings)
    "all of it": ("all", []),
    "no varied resting postures": ("no postures", ["variation.offsets=0"]),
    "no unannotated moves": ("no moves", []),
    "no errors of an estimator": ("all", NO_ERRORS),
    "every part sees all joints": ("all", ["network.groups=false"]),
    "never motion alone": ("all", ["variation.motion_only=0"]),
}
PER_FILE = 60
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
SMOOTHED = 5  # steps
JUDGED = 500  # rendered clips
STEP = 2 / FPS  # s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("landmarks", metavar="LANDMARKS")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--negatives", required=True)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 11, 12])
    parser.add_argument("--videos", type=int, default=2400)
    parser.add_argument("--clips", type=int, default=2400)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batches", type=int, default=200)
    args = parser.parse_args()
    for name in args.only:
        for seed in args.seeds:
            print(f"{name}, seed {seed}:\n{result(args, name, seed)}", flush=True)


def result(args: argparse.Namespace, name: str, seed: int) -> str:
    """The tables of one network, trained if it is not there."""
    rendering, settings = ROWS[name]
    run = Path(args.out) / f"{name.replace(' ', '_')}_{seed}"
    path = run / "result.txt"
    if path.exists():
        return path.read_text()
    settings = [*settings, f"batches={args.batches}", f"train.epochs={args.epochs}", f"seed={seed}", f"output={run}"]
    config = load_config(PoseTrainConfig, "pose", [*settings, f"train.evaluate_every={args.epochs}", "device=cpu"])
    train, val = (performances(args, rendering, split) for split in ("train", "val"))
    network = train_pose_network(config, train, val[:: max(1, len(val) // 150)], MMA52)
    features = PoseFeatures(network, torch.device("cpu"))
    found = {path.stem: detections(path, features) for path in sorted(Path(args.landmarks).glob("*.npz"))}
    events = real_people.read_events(args.labels, MMA52)
    ranks = real_people.ranks_of(found, events, MMA52)
    judged = performances(args, "all", "val")
    lines = [of_rendered(judged, features), *real_people.table(ranks, MMA52).splitlines()[:4]]
    write_text(path, "\n".join([*lines, real_people.alarms(found, events, args.negatives)]) + "\n")
    return path.read_text()


def of_rendered(val: Sequence[Performance], features: PoseFeatures) -> str:
    """Recognition of clips of other rendered people, whose joints have the errors of an estimator."""
    clips = [item for item in val if "_clip_" in item.truth.video_id][:JUDGED]
    ranks = []
    for number, item in enumerate(clips):
        generator = np.random.default_rng([7, number])
        points, _ = estimated_joints(item.joints.astype(np.float32), generator, NoiseConfig())
        mean = probabilities(points, features).mean(axis=0)
        ranks.append((mean > mean[item.truth.labels[0]]).sum())
    top = [100 * np.mean(np.array(ranks) < best) for best in (1, 5)]
    return f"of {len(clips)} rendered clips {top[0]:.1f} % first, {top[1]:.1f} % in the best five"


def probabilities(points: np.ndarray, features: PoseFeatures) -> np.ndarray:
    """(T', K) of the joints of one person."""
    return 1 / (1 + np.exp(-features.of_points(points)[:, : len(MMA52)]))


def detections(path: Path, features: PoseFeatures) -> Detections:
    """Stretches above any of the thresholds, where the joints that the action needs are seen."""
    points, grid = on_grid(load_landmarks(path))
    seen = np.pad(needed_joints_seen(points, MMA52), ((0, len(points) % 2), (0, 0)))[::2]
    values, rows = probabilities(points, features) * seen, []
    for label in range(len(MMA52)):
        smooth = np.convolve(values[:, label], np.ones(SMOOTHED) / SMOOTHED, "same")
        for threshold in THRESHOLDS:
            edges = np.flatnonzero(np.diff(np.r_[0, smooth > threshold, 0]))
            rows += [(a, b, label, float(smooth[a:b].mean())) for a, b in zip(edges[::2], edges[1::2])]
    rows.sort(key=lambda row: -row[3])
    segments = [(grid.start + a * STEP, grid.start + b * STEP) for a, b, *_ in rows]
    return Detections(path.stem, segments, [row[2] for row in rows], [row[3] for row in rows])


# --- rendering with something left out --------------------------------------------------------------------------


def performances(args: argparse.Namespace, rendering: str, split: str) -> list[Performance]:
    folder = Path(args.out) / "performances" / rendering.replace(" ", "_")
    config = RenderConfig(videos=args.videos, clips=args.clips, seed=0, tail=0.0)
    plans = plan_videos(folder, config, split) + plan_clips(folder, config, split)
    if rendering == "no moves":
        plans = [replace(plan, timeline=replace(plan.timeline, distractors=())) for plan in plans]
    starts = range(0, len(plans), PER_FILE)
    jobs = [(folder / f"{split}_{first:05d}.npz", plans[first : first + PER_FILE]) for first in starts]
    work = without_postures if rendering == "no postures" else write
    with multiprocessing.get_context("fork").Pool() as pool:
        pool.map(work, [job for job in jobs if not job[0].exists()], chunksize=1)
    return [item for path, _ in jobs for item in load_performances(path)]


def write(job: tuple[Path, Sequence[Plan]]) -> None:
    path, plans = job
    torch.set_num_threads(1)
    save_performances(path, [perform_in_space(plan) for plan in plans])


def without_postures(job: tuple[Path, Sequence[Plan]]) -> None:
    """Everybody sits as the default figure does, in this process only."""
    perform.rest = _as_they_are
    write(job)


def _as_they_are(*_) -> None:
    pass


if __name__ == "__main__":
    run_command(main)
