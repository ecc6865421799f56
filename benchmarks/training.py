"""One epoch of the detector beside one of a network of ActionFormer's width and depth, on the same features.

python benchmarks/training.py DIR [--runs 5]

DIR: made-up features, as configs/bench.yaml reads them. Each side is a process of its own on one thread, turn by turn:
CPU seconds of its second epoch (without reading its inputs), the largest memory of the whole process. The peer is
written anew after the paper (Zhang et al., ECCV 2022), only to be timed: embedding of two convolutions, two
transformer blocks, five more that halve the time axis, two heads of three convolutions that all levels share, 256
channels throughout; focal and DIoU losses over all points; attention over the whole clip, which at these lengths is
cheaper than its sliding windows.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from mmad.errors import run_command

ROOT = Path(__file__).parents[1]
SIDES = ("mmad", "peer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DIR")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(args.runs):
        for side in SIDES:
            command = [sys.executable, __file__, "--one", side, args.data]
            said = subprocess.run(command, env=alone, check=True, capture_output=True, text=True).stdout.split()
            parameters, memory = float(said[0]), float(said[1])
            seconds[side].append(float(said[2]))
            print(f"{side}: {parameters:.2f} M trained, {seconds[side][-1]:.2f} CPU s, {memory:.2f} GB", flush=True)
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    print(f"median of {args.runs}: " + ", ".join(f"{side} {value:.2f} s" for side, value in medians.items()))
    print(f"{medians['peer'] / medians['mmad']:.1f} times as fast")


def measure(side: str, folder: str) -> None:
    """Prints parameters in M, GB, and CPU s of the second epoch."""
    import resource
    import tempfile
    from functools import partial

    import torch

    from mmad.config import DetectionConfig, load_config
    from mmad.data.feature_dataset import FeatureDataset, batches_of_similar_length, collate
    from mmad.engine.fit_probe import fit_probe
    from mmad.engine.optim import make_optimizer
    from mmad.engine.train_detector import detector_losses
    from mmad.formats import read_annotations, select_subset
    from mmad.labels import MMA52
    from mmad.models import build_detector

    config = load_config(DetectionConfig, ROOT / "configs" / "bench.yaml", [f"data.root={folder}"])
    path = Path(folder) / config.data.train
    annotations = select_subset(read_annotations(path, MMA52), "train", path)
    dataset = FeatureDataset.from_folder(
        annotations, config.features.paths(folder), config.features, config.infer.window
    )
    torch.manual_seed(0)
    scratch = tempfile.TemporaryDirectory()
    if side == "mmad":
        model = build_detector(config.detector, dataset.channels, MMA52)
        dataset.probe_scores = fit_probe(model, dataset, config.detector, Path(scratch.name) / "scores.f16")
        losses = partial(detector_losses, config=config)
    else:
        model, losses = peer(dataset.channels, len(MMA52))
    optimizer = make_optimizer(model, config.train)
    lengths = [len(track.values) for track in dataset.tracks]
    for epoch in range(2):
        seconds = 0.0
        for indices in batches_of_similar_length(lengths, config.train.batch, [0, epoch]):
            batch = collate([dataset[epoch, index] for index in indices])
            began = time.process_time()
            optimizer.zero_grad()
            sum(losses(model, batch).values()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.train.clip_grad)
            optimizer.step()
            seconds += time.process_time() - began
    scratch.cleanup()
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(learned / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, seconds)


def peer(channels: int, num_classes: int, width: int = 256):
    """(network, losses)."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from mmad.ops.losses import diou_loss, focal_loss

    class Convolution(nn.Module):
        """(B, T, C) -> (B, T, D), normalised."""

        def __init__(self, inputs: int, outputs: int):
            super().__init__()
            self.convolution, self.norm = nn.Conv1d(inputs, outputs, 3, padding=1), nn.LayerNorm(outputs)

        def forward(self, x, mask):
            return F.relu(self.norm(self.convolution(x.transpose(1, 2)).transpose(1, 2))) * mask[..., None]

    class Block(nn.Module):
        def __init__(self, stride: int):
            super().__init__()
            self.stride = stride
            self.mix = nn.ModuleList(nn.Conv1d(width, width, 3, stride, 1, groups=width) for _ in range(3))
            self.project = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
            self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(5))
            self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x, mask):
            inside, mask = self.norms[0](x).transpose(1, 2), mask[:, :: self.stride]
            mixed = [norm(mix(inside).transpose(1, 2)) for mix, norm in zip(self.mix, self.norms[1:4])]
            heads = [layer(y).unflatten(2, (4, -1)).transpose(1, 2) for layer, y in zip(self.project, mixed)]
            seen = F.scaled_dot_product_attention(*heads, attn_mask=mask[:, None, None])
            if self.stride > 1:
                x = F.max_pool1d(x.transpose(1, 2), 3, self.stride, 1).transpose(1, 2)
            x = x + self.project[3](seen.transpose(1, 2).flatten(2))
            return (x + self.feed(self.norms[4](x))) * mask[..., None], mask

    class Peer(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.ModuleList([Convolution(channels, width), Convolution(width, width)])
            self.stem = nn.ModuleList(Block(1) for _ in range(2))
            self.branch = nn.ModuleList(Block(2) for _ in range(5))
            self.heads = nn.ModuleList(nn.ModuleList(Convolution(width, width) for _ in range(2)) for _ in range(2))
            self.classify, self.regress = (nn.Conv1d(width, n, 3, padding=1) for n in (num_classes, 2))

        def forward(self, x, mask):
            for layer in self.embed:
                x = layer(x, mask)
            for block in self.stem:
                x, mask = block(x, mask)
            levels = [(x, mask)]
            for block in self.branch:
                levels.append(block(*levels[-1]))
            found = []
            for x, mask in levels:
                ends = []
                for head, last in zip(self.heads, (self.classify, self.regress)):
                    y = x
                    for layer in head:
                        y = layer(y, mask)
                    ends.append(last(y.transpose(1, 2)).transpose(1, 2))
                found.append((*ends, mask))
            return found

    def losses(model, batch):
        steps = 32 * -(-batch.features.shape[1] // 32)
        pad = steps - batch.features.shape[1]
        levels = model(F.pad(batch.features, (0, 0, 0, pad)), F.pad(batch.mask, (0, pad)))
        total, count = 0.0, max(sum(map(len, batch.labels)), 1)
        for level, (logits, offsets, mask) in enumerate(levels):
            at = torch.arange(logits.shape[1]) * 2**level
            target, pairs = torch.zeros_like(logits), torch.zeros_like(offsets)
            for video, (segments, labels) in enumerate(zip(batch.segments, batch.labels)):
                inside = (at[:, None] - segments.mean(dim=1)).abs() <= 1.5 * 2**level  # centre sampling
                step, action = inside.nonzero(as_tuple=True)
                target[video, step, labels[action]] = 1
                pairs[video, step] = segments[action] - at[step, None]
            total = total + (focal_loss(logits, target) * mask[..., None]).sum() / count
            positive = target.any(dim=2) & mask
            reach = 2**level * F.relu(offsets) * torch.tensor([-1.0, 1.0])
            total = total + diou_loss(reach[positive], pairs[positive]).sum() / count
        return {"all": total}

    return Peer(), losses


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], sys.argv[3])
    else:
        run_command(main)
