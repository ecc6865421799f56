"""Features a second: dense beside clip mode, and beside what the network and the decoder would do alone.

python benchmarks/extraction.py VIDEO... [--backbone manet_r50] [--precisions float32 bfloat16] [--runs 5]
python benchmarks/extraction.py VIDEO... --device cuda --workers 0 4 8 --repeat 20 --modes dense [--batch 64]

Every run tries all in turn. "dense, 4 workers": with so many decoding processes, their start included; "once running"
counts from the first finished video on. "network": the inputs of the same videos, decoded before, in memory of the host
(pinned where the device is CUDA). "on the device": the same, copied there before. "decoder": the same frames by one
decoder, and no network. "every frame": a decoder that leaves nothing out and converts only what is asked for.
--repeat: each video so many times, under as many ids; decoders are measured on one of them. Memory of the GPU: without
the inputs that are held there.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import truediv

import numpy as np
import torch

from mmad.config import PRECISIONS, BackboneConfig, ExtractConfig
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.errors import run_command
from mmad.video import reader as video
from mmad.video.finding import find_videos

MODES = ("dense", "clip")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    parser.add_argument("--backbone", default="manet_r50")
    parser.add_argument("--precisions", nargs="+", default=["float32"], choices=PRECISIONS)
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", nargs="+", type=int, default=[0], help="decoding processes, each tried")
    parser.add_argument("--batch", type=int, default=0, help="frames per forward pass; 0: as extraction has it")
    parser.add_argument("--stride", type=int, default=4, help="frames per feature step")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    videos = find_videos(args.videos)
    backbone = BackboneConfig(args.backbone, weights="random")
    base = ExtractConfig(backbone, stride=args.stride, batch=args.batch, device=args.device, workers=0)
    print(f"{args.backbone}, {torch.get_num_threads()} threads of {os.cpu_count()} cores, torch {torch.__version__}")
    for precision in args.precisions:
        made = {mode: FeatureExtractor(replace(base, mode=mode, precision=precision)) for mode in args.modes}
        measure(made, videos, args.workers, args.repeat, args.runs)
    differences(videos, base, args.precisions, args.workers)


def measure(made: dict[str, FeatureExtractor], videos: list, workers: list[int], repeat: int, runs: int) -> None:
    """Print steps a second of every way. made: the extractor of each mode."""
    first = next(iter(made.values()))
    repeated = [(f"{name} {number}", path) for number in range(repeat) for name, path in videos]
    ways: dict[str, Callable[[], float | None]] = {}
    steps: dict[str, int] = {}
    on_cuda, held = first.device.type == "cuda", 0  # held: bytes of inputs on the device
    for mode, extractor in made.items():
        inputs = [torch.stack(list(extractor.inputs(extractor.plan(path, name)))) for name, path in videos]
        count = sum(map(len, inputs))
        for number in workers:
            ways[_way(mode, number)] = lambda extractor=extractor, number=number: extract(extractor, number, repeated)
        full = list(batches(inputs * repeat, extractor.forward().batch))
        if on_cuda:
            full = [(batch.pin_memory(), starts) for batch, starts in full]
            there = [(batch.to(extractor.device), starts) for batch, starts in full]
            held += sum(batch.nbytes for batch, _ in there)
            ways[f"network, {mode}, on the device"] = lambda e=extractor, i=there: compute(e, i)
        ways[f"network, {mode}"] = lambda e=extractor, i=full: compute(e, i)
        steps.update(dict.fromkeys([way for way in ways if way not in steps], count * repeat))
        steps.update(dict.fromkeys(["decoder", "decoder, every frame"], count))
    ways["decoder"] = lambda: decode(first, videos)
    ways["decoder, every frame"] = lambda: decode_every_frame(first, videos)

    rates: dict[str, list[float]] = {name: [] for name in ways}
    running: dict[str, list[float]] = {}  # steps a second from the first finished video on
    memory: dict[str, float] = {}
    for run in range(runs + 1):
        for name, way in ways.items():
            if on_cuda:
                torch.cuda.reset_peak_memory_stats(first.device)
                torch.cuda.synchronize(first.device)
            began = time.perf_counter()
            once_running = way()
            if on_cuda:
                torch.cuda.synchronize(first.device)
                memory[name] = (torch.cuda.max_memory_allocated(first.device) - held) / 1e9
            if run:  # the first warms up
                rates[name].append(steps[name] / (time.perf_counter() - began))
                if once_running is not None:
                    running.setdefault(name, []).append(once_running)
    kind = torch.cuda.get_device_name(first.device) if on_cuda else first.device.type
    what = f"{len(videos)} videos {repeat} times, {steps[next(iter(ways))]} steps, batches of {first.batch} frames"
    print(f"{first.config.precision} on {kind}, {what}, median of {runs}, steps a second:")
    for name, values in rates.items():
        peak = f", at most {memory[name]:.2f} GB of the GPU" if name in memory else ""
        rest = f", once running {statistics.median(running[name]):.2f}" if name in running else ""
        print(f"  {name:<32}{statistics.median(values):>9.2f}  ({min(values):.2f} - {max(values):.2f}){rest}{peak}")
    for mode in made:
        for number in workers:
            way, alone = _way(mode, number), f"network, {mode}"
            shares = [_share(rates, way, alone)]
            if on_cuda:
                shares.append(f"{_share(rates, way, f'{alone}, on the device')} with its inputs on the device")
            if way in running:
                shares.append(f"{statistics.median(map(truediv, running[way], rates[alone])):.2f} once running")
            print(f"  {way} / network alone: {', '.join(shares)}")
    if "dense" in made:
        shares = zip(rates[_way("dense", workers[0])], rates["network, dense"], rates["decoder"])
        share = statistics.median(ours / min(network, decoder) for ours, network, decoder in shares)
        print(f"  {_way('dense', workers[0])} / slower of network and one decoder {share:.2f}")
    if len(made) == len(MODES):
        print(f"  dense / clip {_share(rates, *(_way(mode, workers[0]) for mode in MODES))}")


def _way(mode: str, workers: int) -> str:
    return f"{mode}, {workers} workers" if workers else mode


def _share(rates: dict[str, list[float]], way: str, other: str) -> str:
    return f"{statistics.median(map(truediv, rates[way], rates[other])):.2f}"


def extract(extractor: FeatureExtractor, workers: int, videos: list) -> float | None:
    """Extract features; returns the steps a second from the first finished video on, None where there is only one."""
    extractor.workers = workers
    finished: list[tuple[float, int]] = []  # when, and how many steps
    for item in extractor.extract(videos):
        if item.problem is not None:
            raise item.problem
        finished.append((time.perf_counter(), len(item.track.values)))
    seconds = finished[-1][0] - finished[0][0]
    return sum(steps for _, steps in finished[1:]) / seconds if seconds else None


def decode(extractor: FeatureExtractor, videos: list) -> None:
    for name, path in videos:
        for _ in extractor.inputs(extractor.plan(path, name)):
            pass


def decode_every_frame(extractor: FeatureExtractor, videos: list) -> None:
    original, video._skippable_times = video._skippable_times, lambda track, info, wanted: frozenset()
    try:
        decode(extractor, videos)
    finally:
        video._skippable_times = original


def compute(extractor: FeatureExtractor, inputs: list[tuple[torch.Tensor, list[bool]]]) -> None:
    """The network alone, on batches as extraction has them. Features come to the host at the end."""
    forward = extractor.forward()
    features = [forward.push(batch, starts) for batch, starts in inputs]
    features.append(forward.finish())
    for values in features:
        values.float().cpu()


def batches(inputs: list[torch.Tensor], size: int) -> Iterator[tuple[torch.Tensor, list[bool]]]:
    """(inputs, whether each is the first of its video) of full batches, which may span videos."""
    parts: list[torch.Tensor] = []
    starts: list[bool] = []
    for of_video in inputs:
        done = 0
        while done < len(of_video):
            part = of_video[done : done + size - len(starts)]
            parts.append(part)
            starts += [done == 0, *[False] * (len(part) - 1)]
            done += len(part)
            if len(starts) == size:
                yield torch.cat(parts), starts
                parts, starts = [], []
    if parts:
        yield torch.cat(parts), starts


def differences(videos: list, base: ExtractConfig, precisions: list[str], workers: list[int]) -> None:
    """Largest differences of dense features, relative to the largest magnitude; by processes they must be the same."""

    def features(**settings) -> np.ndarray:
        made = FeatureExtractor(replace(base, mode="dense", **settings)).extract(videos)
        return np.concatenate([item.track.values for item in made])

    whole = features(batch=1000)
    for name, settings in {"in chunks of 5 frames": {"batch": 5}, **{p: {"precision": p} for p in precisions}}.items():
        print(f"{name}: off by {np.abs(features(**settings) - whole).max() / np.abs(whole).max():.1e}")
    by_thread = features()
    for number in workers:
        if number:
            print(
                f"{number} workers: {'the same' if np.array_equal(features(workers=number), by_thread) else 'OTHERS'}"
            )


if __name__ == "__main__":
    run_command(main)
