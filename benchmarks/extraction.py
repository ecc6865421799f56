"""Dense against clip extraction, paired in one run: counts, times, seconds, and whether chunks change the result.

python benchmarks/extraction.py VIDEO... [--backbone manet_r50] [--runs 3]
"""

import argparse
import time

import numpy as np
import torch

from mmad.config import BackboneConfig, ExtractConfig
from mmad.engine.extract import Extractor, find_videos
from mmad.errors import run_command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    parser.add_argument("--backbone", default="manet_r50")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    videos = find_videos(args.videos)
    backbone = BackboneConfig(args.backbone, weights="random")
    modes = {mode: Extractor(ExtractConfig(backbone, mode=mode)) for mode in ("dense", "clip")}
    seconds: dict[str, list[float]] = {mode: [] for mode in modes}
    print(f"{len(videos)} videos, {args.backbone}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for run in range(args.runs):
        for mode, extractor in modes.items():
            began = time.perf_counter()
            tracks = [item.track for item in extractor.extract(videos)]
            seconds[mode].append(time.perf_counter() - began)
            if run == 0:
                for track in tracks:
                    last = track.grid.to_seconds(len(track.values) - 1)
                    print(
                        f"{mode:<6}{track.video_id:<16}{track.values.shape}  steps {track.grid.start:.4f} + "
                        f"{track.grid.step:.4f} i, last {last:.3f} s of {track.duration:.3f} s"
                    )
    steps = sum(len(track.values) for track in tracks)
    for mode, times in seconds.items():
        print(f"{mode:<6}{steps} steps, median {np.median(times):.2f} s, {steps / np.median(times):.2f} steps a second")
    ratio = np.median([clip / dense for dense, clip in zip(seconds["dense"], seconds["clip"])])
    print(f"dense is {ratio:.1f} times as fast (median of {args.runs} pairs)")

    chunked = Extractor(ExtractConfig(backbone, mode="dense", batch=5))
    whole = Extractor(ExtractConfig(backbone, mode="dense", batch=100_000))
    pairs = zip(chunked.extract(videos), whole.extract(videos))
    worst = max(float(np.abs(a.track.values - b.track.values).max() / np.abs(b.track.values).max()) for a, b in pairs)
    print(f"dense in chunks of 5 frames against all at once: largest relative difference {worst:.1e}")


if __name__ == "__main__":
    run_command(main)
