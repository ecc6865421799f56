"""Features a second: dense beside clip mode, and beside what the network and the decoder would do alone.

python benchmarks/extraction.py VIDEO... [--backbone manet_r50] [--precisions float32 bfloat16] [--runs 5]

Every run tries all in turn. "network": the frames of the same videos, decoded before. "decoder": the same frames, and
no network. "every frame": a decoder that leaves nothing out and converts only what is asked for.
"""

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np
import torch

from mmad.config import PRECISIONS, BackboneConfig, ExtractConfig
from mmad.engine.feature_batches import ClipForward, DenseForward
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.errors import run_command
from mmad.video import reader as video
from mmad.video.finding import find_videos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    parser.add_argument("--backbone", default="manet_r50")
    parser.add_argument("--precisions", nargs="+", default=["float32"], choices=PRECISIONS)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    videos = find_videos(args.videos)
    backbone = BackboneConfig(args.backbone, weights="random")
    print(f"{args.backbone}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for precision in args.precisions:
        config = ExtractConfig(backbone, precision=precision)
        made = {mode: FeatureExtractor(replace(config, mode=mode)) for mode in ("dense", "clip")}
        measure(made["dense"], made["clip"], videos, args.runs)
    differences(videos, backbone, args.precisions)


def measure(dense: FeatureExtractor, clip: FeatureExtractor, videos: list, runs: int) -> None:
    frames = [torch.stack(list(dense.inputs(dense.plan(path, name)))) for name, path in videos]
    windows = [torch.stack(list(clip.inputs(clip.plan(path, name)))) for name, path in videos]
    steps = sum(map(len, frames))

    def every_frame() -> None:
        original, video._skippable_times = video._skippable_times, lambda track, info, wanted: frozenset()
        try:
            decode(dense, videos)
        finally:
            video._skippable_times = original

    ways = {
        "dense": lambda: list(dense.extract(videos)),
        "clip": lambda: list(clip.extract(videos)),
        "network, dense": lambda: compute(dense.forward(), frames),
        "network, clip": lambda: compute(clip.forward(), windows),
        "decoder": lambda: decode(dense, videos),
        "decoder, every frame": every_frame,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if run:  # the first warms up
                rates[name].append(steps / (time.perf_counter() - began))
    print(f"{dense.config.precision}, {len(videos)} videos, {steps} steps, median of {runs}, steps a second:")
    for name, values in rates.items():
        print(f"  {name:<22}{statistics.median(values):>8.2f}  ({min(values):.2f} - {max(values):.2f})")
    share = [d / min(n, r) for d, n, r in zip(rates["dense"], rates["network, dense"], rates["decoder"])]
    times = [d / c for d, c in zip(rates["dense"], rates["clip"])]
    print(f"  dense / clip {statistics.median(times):.1f}")
    print(f"  dense / slower of network and decoder {statistics.median(share):.2f}")


def decode(extractor: FeatureExtractor, videos: list) -> None:
    for name, path in videos:
        for _ in extractor.inputs(extractor.plan(path, name)):
            pass


def compute(forward: DenseForward | ClipForward, inputs: list[torch.Tensor]) -> None:
    for of_video in inputs:
        for batch in of_video.split(forward.batch):
            forward.push(batch, [False] * len(batch))
    forward.finish()


def differences(videos: list, backbone: BackboneConfig, precisions: list[str]) -> None:
    """Largest differences of dense features, relative to the largest magnitude."""

    def features(**settings) -> np.ndarray:
        made = FeatureExtractor(ExtractConfig(backbone, mode="dense", **settings)).extract(videos)
        return np.concatenate([item.track.values for item in made])

    whole = features(batch=100_000)
    for name, settings in {"in chunks of 5 frames": {"batch": 5}, **{p: {"precision": p} for p in precisions}}.items():
        print(f"{name}: off by {np.abs(features(**settings) - whole).max() / np.abs(whole).max():.1e}")


if __name__ == "__main__":
    run_command(main)
