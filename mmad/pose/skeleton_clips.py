"""Joints of one clip as MMN is shown them: normalised, 64 frames, joints or bones, in the order of body parts.

Source: the released feeders of MMN (ACM MM 2025, arXiv 2507.21977) for MA-52 and iMiGUE, described in words and written
anew. Numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmad.config import SkeletonConfig
from mmad.errors import InputError
from mmad.pose.skeletons import joints_of, mirrored, rearrange

FRAMES = 64
SHORTEST_BLOCK = 4  # frames that the augmentation `zero_frames` sets to 0 at least
EPSILON = 1e-6


@dataclass(frozen=True)
class Skeleton:
    """layout: of `mmad.pose.skeletons.LAYOUTS`.

    bones: (a, b), the bone at a is the way from b to a; of bones with the same a the last one counts, and joints that
    are nobody's a have none. order: the joints, part by part, as the published weights count them.
    """

    layout: str
    bones: tuple[tuple[int, int], ...]
    order: tuple[int, ...]


def _star(centre: int, *ends: int) -> tuple[tuple[int, int], ...]:
    return tuple((centre, end) for end in ends)


SKELETONS = {
    "ma52": Skeleton(
        "mmn44",
        bones=(
            *((7, 9), (9, 32), *_star(32, 33, 34, 35, 36, 37), (8, 10), (10, 38), *_star(38, 39, 40, 41, 42, 43)),
            *((13, 15), (15, 24), *_star(24, 20, 22), (14, 16), (16, 25), *_star(25, 21, 23)),
            *((31, 30), (30, 27), (27, 0), (0, 26), (26, 1), (1, 29), (29, 3), (26, 2), (2, 28), (28, 4)),
            *(
                (17, 18),
                *_star(18, 5, 6, 19),
                *_star(19, 11, 12),
                (5, 7),
                (6, 8),
                (11, 13),
                (12, 14),
                *_star(0, 18, 17),
            ),
        ),
        order=(
            *(7, 9, 32, 33, 34, 35, 36, 37, 8, 10, 38, 39, 40, 41, 42, 43),
            *(13, 15, 24, 22, 20, 14, 16, 25, 23, 21, 31, 30, 27, 0, 26, 1, 29, 3, 2, 28, 4),
            *(17, 18, 5, 6, 19, 11, 12),
        ),
    ),
    "imigue": Skeleton(
        "imigue22",
        bones=(
            *((1, 0), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (0, 8), (8, 10), (0, 9), (9, 11)),
            *(*_star(4, 12, 13, 14, 15, 16), *_star(7, 17, 18, 19, 20, 21)),
        ),
        order=(4, 12, 13, 14, 15, 16, 7, 17, 18, 19, 20, 21, 0, 8, 9, 10, 11, 1, 2, 5, 3, 6),
    ),
}


def skeleton_named(name: str) -> Skeleton:
    """An entry of `SKELETONS`."""
    if name not in SKELETONS:
        raise InputError("backbone.skeleton", f"{name!r}", f"choose one of {', '.join(SKELETONS)}")
    return SKELETONS[name]


def clip_points(points: np.ndarray, joints: Sequence[str], skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) of any layout -> (T, V, 2) in the unit they have, on the skeleton's joints.

    A joint that is not seen in a frame (NaN, or 0, 0 without confidence) is interpolated between the frames in which it
    is; one that is never seen, or that the layout lacks, is NaN.
    """
    wanted = joints_of(skeleton.layout)
    if tuple(joints) != wanted:
        points = rearrange(points, joints, wanted)
    seen = np.isfinite(points).all(axis=2) & (points != 0).any(axis=2)
    return interpolate(points[..., :2], seen)


def interpolate(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Points (T, V, 2) -> a float32 copy; those not `seen` (T, V) lie, over time, on a line between those that are.

    Constant before the first and after the last; NaN where a joint is never seen.
    """
    points = np.array(points, dtype=np.float32)
    frames = np.arange(len(points))
    for joint in np.flatnonzero(~seen.all(axis=0)):
        known = seen[:, joint]
        for axis in range(2):
            values = points[:, joint, axis]
            points[:, joint, axis] = np.interp(frames, frames[known], values[known]) if known.any() else np.nan
    return points


def normalise(points: np.ndarray) -> np.ndarray:
    """(T, V, 2) in any unit -> -1..1 on each axis, over all joints and frames of the clip. NaN stays.

    So the size, the place and the aspect ratio of the person are lost. (The authors subtract one joint of the first
    frame before, which changes nothing.)
    """
    points = points.astype(np.float64)
    known = points[~np.isnan(points).any(axis=2)]
    if not len(known):
        return points
    low, high = known.min(axis=0), known.max(axis=0)
    return (points - low) / (high - low + EPSILON) * 2 - 1


def even_frames(count: int) -> np.ndarray:
    """(64,) evenly from the first to the last of `count` frames."""
    return np.linspace(0, count - 1, FRAMES).astype(int)


def random_frames(count: int, generator: np.random.Generator) -> np.ndarray:
    """(64,) drawn at random, in order; the same one may come again."""
    return np.sort(generator.integers(count, size=FRAMES))


def bones_of(points: np.ndarray, bones: Sequence[tuple[int, int]]) -> np.ndarray:
    """(T, V, 2) -> (T, V, 2), the bone that ends at each joint; 0 where none does."""
    found = np.zeros_like(points)
    for end, start in bones:
        found[:, end] = points[:, end] - points[:, start]
    return found


def clip_input(
    points: np.ndarray,
    skeleton: Skeleton,
    config: SkeletonConfig,
    generator: np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Points (T, V, 2) of `clip_points` -> float32 x (2, 64, V, 1), and index_t (64,): where in the clip a frame was.

    With a generator random frames, augmented, for training; without one evenly spaced frames.
    """
    count, shown = len(points), normalise(points)
    frames = even_frames(count) if generator is None else random_frames(count, generator)
    if generator is not None:
        frames, shown = augment(frames, shown, skeleton, config, generator)
    shown = shown[frames]
    if config.stream == "bone":
        shown = bones_of(shown, skeleton.bones)
    shown = np.nan_to_num(shown)  # what is not known is 0, the middle
    if generator is not None:
        shown = hide(shown, config, generator)
    x = shown[:, skeleton.order].transpose(2, 0, 1)[..., None]
    return x.astype(np.float32), (2 * frames / count - 1).astype(np.float32)


def augment(
    frames: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    config: SkeletonConfig,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The chosen frames (64,) and the normalised points (T, V, 2), varied; each way has the same probability.

    Frames are moved by up to `jitter`; points are mirrored, rotated about the middle of the picture, scaled, shifted,
    and run backwards.
    """

    def now() -> bool:
        return generator.random() < config.probability

    if config.jitter and now():
        moved = frames + generator.integers(-config.jitter, config.jitter + 1, size=len(frames))
        frames = np.sort(np.clip(moved, 0, len(points) - 1))
    if config.mirror and now():
        points = points[:, mirror_order(skeleton.layout)] * (-1, 1)
    if config.rotate and now():
        angle = np.radians(generator.uniform(-config.rotate, config.rotate))
        points = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    if config.scale and now():
        points = points * (1 + generator.uniform(-config.scale, config.scale, size=2))
    if config.shift and now():
        points = points + generator.uniform(-config.shift, config.shift, size=2)
    if config.reverse and now():
        points = points[::-1]
    return frames, points


def mirror_order(layout: str) -> list[int]:
    """For each joint of a layout the index of the same one of the other side."""
    joints = joints_of(layout)
    return [joints.index(mirrored(joint)) for joint in joints]


def hide(shown: np.ndarray, config: SkeletonConfig, generator: np.random.Generator) -> np.ndarray:
    """Input (64, V, 2) in which one axis, a block of frames or some joints are 0; each way has the same probability."""
    shown = shown.copy()
    if config.zero_axis and generator.random() < config.probability:
        shown[..., generator.integers(2)] = 0
    if config.zero_frames and generator.random() < config.probability:
        length = int(generator.integers(min(SHORTEST_BLOCK, config.zero_frames), config.zero_frames + 1))
        first = int(generator.integers(FRAMES - length + 1))
        shown[first : first + length] = 0
    if config.drop_joints and generator.random() < config.probability:
        dropped = generator.permutation(shown.shape[1])[: generator.integers(1, config.drop_joints + 1)]
        shown[:, dropped] = 0
    return shown
