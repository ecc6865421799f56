"""Boxes in a picture: which of them to search for people, and their pixels."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

OVERLAP = 0.4  # share by which neighbouring squares of a search overlap


@dataclass(frozen=True)
class Box:
    """A box in a picture, in pixels; it may extend beyond the picture."""

    left: int
    top: int
    width: int
    height: int

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether points are in the box: (..., 2) x, y in pixels -> (...,) bool; False for NaN."""
        x, y = points[..., 0] - self.left, points[..., 1] - self.top
        return (x >= 0) & (x <= self.width) & (y >= 0) & (y <= self.height)

    def share_in_picture(self, width: int, height: int) -> float:
        """The share of its area that is in a picture of this size."""
        across = min(self.left + self.width, width) - max(self.left, 0)
        down = min(self.top + self.height, height) - max(self.top, 0)
        return max(across, 0) * max(down, 0) / (self.width * self.height)


def outside_picture(points: np.ndarray, aspect: float) -> np.ndarray:
    """Whether points are outside the picture: (..., 2 or more) x, y in picture heights -> (...,) bool; False for NaN.

    aspect: width / height of the picture.
    """
    x, y = points[..., 0], points[..., 1]
    with np.errstate(invalid="ignore"):
        return (x < 0) | (x > aspect) | (y < 0) | (y > 1)


def whole(frame: np.ndarray) -> Box:
    """The box of a whole (H, W, 3) frame."""
    return Box(0, 0, frame.shape[1], frame.shape[0])


def squares(frame: np.ndarray, side: int) -> list[Box]:
    """Squares with this side that cover the frame, each overlapping its neighbours by at least OVERLAP."""
    height, width = frame.shape[:2]
    return [Box(left, top, side, side) for top in _starts(height, side) for left in _starts(width, side)]


def _starts(length: int, side: int) -> list[int]:
    """Starts of overlapping pieces of length `side` that cover a length."""
    count = math.ceil(max(length - side, 0) / (side * (1 - OVERLAP))) + 1
    return [round(number * (length - side) / max(count - 1, 1)) for number in range(count)]


def square_around(points: np.ndarray, times_as_large: float, frame: np.ndarray) -> Box:
    """A square around (N, 2) points in pixels, `times_as_large` as their extent, moved into the frame as far as it
    fits."""
    height, width = frame.shape[:2]
    low, high = points.min(axis=0), points.max(axis=0)
    side = min(round(times_as_large * float((high - low).max())) + 1, min(width, height))
    left, top = np.round((low + high - side) / 2).astype(int)
    return Box(int(np.clip(left, 0, width - side)), int(np.clip(top, 0, height - side)), side, side)


def crop(frame: np.ndarray, box: Box, longest: int = 0) -> np.ndarray:
    """The pixels of a box, contiguous; black outside the frame. longest: the longer side is reduced to this, pixels; 0:
    it is not."""
    if box == whole(frame):
        return np.ascontiguousarray(frame)
    part = Image.fromarray(frame).crop((box.left, box.top, box.left + box.width, box.top + box.height))
    scale = longest / max(box.width, box.height)
    if 0 < scale < 1:
        size = (max(round(scale * box.width), 1), max(round(scale * box.height), 1))
        part = part.resize(size, Image.Resampling.BILINEAR)
    return np.array(part)


def blackened(frame: np.ndarray, box: Box) -> np.ndarray:
    """The frame with everything outside a box black."""
    kept = np.zeros_like(frame)
    rows = slice(max(box.top, 0), max(box.top + box.height, 0))
    columns = slice(max(box.left, 0), max(box.left + box.width, 0))
    kept[rows, columns] = frame[rows, columns]
    return kept
