"""How a frame becomes network input: resized, cropped, normalised."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Preprocess:
    """How a network wants its frames.

    resize: short side after resizing, pixels. crop: side of the square taken from the centre.
    mean, std: of RGB on 0-255 pixels. antialias: low-pass before shrinking; MANet's authors did not.
    """

    resize: int = 256
    crop: int = 224
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    antialias: bool = False

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) with the short side at `resize` and the shape kept."""
        scale = self.resize / min(height, width)
        return max(round(height * scale), self.crop), max(round(width * scale), self.crop)


def resize_frames(frames: np.ndarray | Tensor, size: tuple[int, int], antialias: bool = False) -> Tensor:
    """(T, H, W, 3) uint8 -> (T, 3, h, w) uint8, bilinear. In bytes throughout: a third of the time of floats."""
    pixels = torch.as_tensor(frames).permute(0, 3, 1, 2)
    if pixels.shape[-2:] == size:
        return pixels.contiguous()
    return F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=antialias)


def three_crops(pixels: Tensor, side: int) -> list[Tensor]:
    """Three (..., side, side) of (..., h, w): both ends and the middle of the longer side."""
    room = pixels.shape[-2] - side, pixels.shape[-1] - side
    corners = [(round(share * room[0]), room[1] // 2) for share in (0, 0.5, 1)]
    if room[1] > room[0]:
        corners = [(room[0] // 2, round(share * room[1])) for share in (0, 0.5, 1)]
    return [pixels[..., top : top + side, left : left + side] for top, left in corners]


def centre_crop(pixels: Tensor, side: int) -> Tensor:
    """(..., h, w) -> (..., side, side) from the middle."""
    top, left = (pixels.shape[-2] - side) // 2, (pixels.shape[-1] - side) // 2
    return pixels[..., top : top + side, left : left + side]


def prepare_frames(frames: np.ndarray | Tensor, how: Preprocess) -> Tensor:
    """(T, H, W, 3) uint8 -> (T, 3, crop, crop) uint8: resized and cropped, a quarter of the memory of floats."""
    size = how.resized(*frames.shape[1:3])
    return centre_crop(resize_frames(frames, size, how.antialias), how.crop).contiguous()


def normalise(pixels: Tensor, how: Preprocess) -> Tensor:
    """(..., 3, h, w) uint8 -> float32 with zero mean and unit variance over ImageNet."""
    # Made on a CUDA device they would wait for all that it has still to compute.
    mean, std = (
        torch.tensor(values).view(3, 1, 1).to(pixels.device, non_blocking=pixels.is_cuda)
        for values in (how.mean, how.std)
    )
    return (pixels.float() - mean) / std
