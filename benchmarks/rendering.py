"""How quickly people are rendered and encoded, by frame size, on one core, and what a second of video takes on disk.

python benchmarks/rendering.py [--frames 150] [--runs 5]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from mmad.errors import run_command
from mmad.render.dataset import write_video
from mmad.render.perform import perform
from mmad.render.scene import render_frames
from mmad.render.timelines import FPS, class_frequencies, make_timeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)  # as in a process of make_synthetic.py
    print("| frame | rays a pixel | rendered, frames/s | encoded, frames/s | both, frames/s | kB a second |")
    print("|---|---|---|---|---|---|")
    for width, height, samples in ((112, 134, 1), (140, 168, 1), (270, 324, 1), (270, 324, 2)):
        rows = [measure(width, height, samples, args.frames, run) for run in range(args.runs + 1)][1:]  # one to warm up
        drawn, encoded, size = (statistics.median(column) for column in zip(*rows))
        rates = [args.frames / drawn, args.frames / encoded, args.frames / (drawn + encoded)]
        figures = " | ".join(f"{figure:.0f}" for figure in (*rates, size / 1000 / args.frames * FPS))
        print(f"| {width} x {height} | {samples**2} | {figures} |")


def measure(width: int, height: int, samples: int, count: int, seed: int) -> tuple[float, float, int]:
    """Seconds of rendering and of encoding `count` frames, and the bytes of the file."""
    generators = [np.random.default_rng([seed, i]) for i in range(3)]
    timeline = make_timeline(generators[0], "v", class_frequencies(), longest=count / FPS)
    began = time.perf_counter()
    pose = perform(timeline, generators[0])
    names = {action.name for action in timeline.actions}
    frames = list(render_frames(pose, names, *generators[1:], (height, width), samples))
    drawn = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.mp4"
        began = time.perf_counter()
        write_video(path, frames, (width, height))
        return drawn, time.perf_counter() - began, path.stat().st_size


if __name__ == "__main__":
    run_command(main)
