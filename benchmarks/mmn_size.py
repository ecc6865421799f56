"""What training an MMN takes at the size of MA-52: reading 11,250 clips of joints, and the time and memory of a step.

python benchmarks/mmn_size.py OUT [--clips 11250] [--steps 6]

Clips of 44 made-up joints, 50 to 110 frames each, in one .pkl file as MMN's. A CPU would take days for the recipe's
21,000 steps of 64 clips, so the time of a few steps is measured; the first does not count.
"""

import argparse
import pickle
import resource
import statistics
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from mmad.config import RecognitionConfig, load_config
from mmad.data.clip_dataset import ClipLoader, Loading
from mmad.data.skeleton_dataset import SkeletonDataset, read_skeleton_clips
from mmad.engine.devices import choose_device
from mmad.engine.optim import make_optimizer
from mmad.engine.train_recognizer import clip_losses
from mmad.errors import run_command
from mmad.labels import MMA52
from mmad.models import build_backbone
from mmad.models.manet import Recognizer
from mmad.pose.skeleton_clips import SKELETONS

EPOCHS = 120  # of the recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--clips", type=int, default=11_250)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    path = Path(args.out) / f"train_{args.clips}.pkl"
    if not path.exists():
        writer = get_context("spawn").Process(target=write_clips, args=(path, args.clips))  # its memory does not count
        writer.start()
        writer.join()
    began = time.perf_counter()
    clips = read_skeleton_clips(path, "", MMA52, SKELETONS["ma52"])
    seconds, file = time.perf_counter() - began, path.stat().st_size / 1e6
    joints = sum(clip.points.nbytes for clip in clips) / 1e6
    print(f"{len(clips)} clips read in {seconds:.1f} s: a file of {file:.0f} MB, {joints:.0f} MB of joints; {peak()}")
    device = choose_device(args.device)
    for precision in ("float32", "bfloat16"):
        step = statistics.median(time_of_step(clips, precision, args.steps, device))
        epoch = step * -(-len(clips) // 64)
        hours = f"{epoch / 60:.1f} minutes per epoch, {EPOCHS * epoch / 3600:.1f} hours for {EPOCHS}"
        print(f"{precision} on {device}: {step:.2f} s per step of 64 clips, {hours}; {peak()}", flush=True)


def peak() -> str:
    return f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6:.0f} MB so far"


def write_clips(path: Path, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    generator, items = np.random.default_rng(0), []
    for number in range(count):
        frames = int(generator.integers(50, 110))
        points = generator.uniform(0, 500, (1, frames, 44, 2)).astype(np.float32)
        items.append({"frame_dir": f"train{number:05d}", "label": number % 52, "keypoint": points})
    path.write_bytes(pickle.dumps(items, protocol=4))


def time_of_step(clips: list, precision: str, steps: int, device: torch.device) -> list[float]:
    """s of each step but the first: reading, forward, backward, optimizer."""
    config = load_config(RecognitionConfig, "mmn_ma52", [f"precision={precision}"])
    model = Recognizer(build_backbone(config.backbone), len(MMA52), embedding=0, dropout=config.dropout).to(device)
    data = SkeletonDataset(clips, SKELETONS["ma52"], config.skeletons, seed=0)
    losses, optimizer = clip_losses(config, MMA52, None, None, device), make_optimizer(model.train(), config.train)
    seconds, began = [], time.perf_counter()
    for batch in ClipLoader(data, Loading(config.train.batch)):
        total = sum(losses(model, batch.to(device)).values())
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        total.item()  # waits for the device
        now = time.perf_counter()
        seconds.append(now - began)
        began = now
        if len(seconds) > steps:
            return seconds[1:]
    return seconds[1:]


if __name__ == "__main__":
    run_command(main)
