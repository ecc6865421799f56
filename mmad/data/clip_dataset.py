"""Trimmed clips as training samples: frames, crops and flips are a matter of (seed, epoch, index) alone."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmad.config import ClipConfig
from mmad.data.clips import Preprocess, prepare_frames, resize_frames, segment_frames
from mmad.data.video import probe, read_frames
from mmad.files import path_for_id


@dataclass
class ClipBatch:
    """pixels: (N, T, 3, S, S) uint8. labels: (N,)."""

    pixels: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "ClipBatch":
        return ClipBatch(self.pixels.to(device, non_blocking=True), self.labels.to(device, non_blocking=True))


class ClipDataset(Dataset):
    """Listed clips of one folder. Training: a random frame of each part, multi-scale crop, flip; testing: the middle.

    Set `epoch` before each pass.
    """

    def __init__(
        self,
        clips: list[tuple[str, int]],
        folder: str | Path,
        config: ClipConfig,
        preprocess: Preprocess,
        training: bool = False,
        seed: int = 0,
    ):
        self.clips, self.folder, self.config, self.preprocess = clips, Path(folder), config, preprocess
        self.training, self.seed, self.epoch = training, seed, 0

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """((T, 3, S, S) uint8, label)"""
        name, label = self.clips[index]
        generator = np.random.default_rng([self.seed, self.epoch, index]) if self.training else None
        info = probe(path_for_id(self.folder, name, ""))
        if info.expected_frames > info.num_frames and self.epoch == 0:
            cut = f"cut off, {info.num_frames} of {info.expected_frames} frames are there and used"
            print(f"warning: {info.path}: {cut}", file=sys.stderr)
        frames = read_frames(info, segment_frames(info.num_frames, self.config.frames, generator), self.config.reader)
        if generator is None:
            return prepare_frames(frames, self.preprocess), label
        pixels = resize_frames(frames, self.preprocess.resized(*frames.shape[1:3]), self.preprocess.antialias)
        return augment(pixels, self.config, self.preprocess, generator), label


def augment(pixels: Tensor, config: ClipConfig, how: Preprocess, generator: np.random.Generator) -> Tensor:
    """(T, 3, H, W) uint8 -> (T, 3, crop, crop): one of five places, sides of two neighbouring scales, maybe mirrored.

    Source: multi-scale crop of temporal segment networks (Wang et al., ECCV 2016), as MANet trains.
    """
    short = min(pixels.shape[-2:])
    sides = [max(int(short * scale), 1) for scale in config.scales]
    first = int(generator.integers(len(sides)))
    near = [i for i in range(len(sides)) if abs(i - first) <= 1]
    height, width = sides[first], sides[int(generator.choice(near))]
    room = pixels.shape[-2] - height, pixels.shape[-1] - width
    place = [(0, 0), (0, room[1]), (room[0], 0), (room[0], room[1]), (room[0] // 2, room[1] // 2)]
    top, left = place[int(generator.integers(5))]
    cut = pixels[..., top : top + height, left : left + width].permute(0, 2, 3, 1)
    cut = resize_frames(cut, (how.crop, how.crop), how.antialias)
    return cut.flip(-1) if generator.random() < config.flip else cut


def collate_clips(samples: list[tuple[Tensor, int]]) -> ClipBatch:
    return ClipBatch(torch.stack([pixels for pixels, _ in samples]), torch.tensor([label for _, label in samples]))
