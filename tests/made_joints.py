"""Landmark tracks and joints for tests: people who stay still but for what a test changes."""

import numpy as np

from mmad.pose.skeletons import LAYOUTS
from mmad.records import LandmarkTrack

PLACE = {joint: index for index, joint in enumerate(LAYOUTS["mediapipe75"])}
LEFT, RIGHT = (
    [index for joint, index in PLACE.items() if joint.startswith(f"{side} hand ")] for side in ("left", "right")
)
ABSENT = (np.nan, np.nan, 0.0)


def made_track(
    seconds: float = 4.0,
    rate: float = 15.0,
    size: tuple[int, int] = (96, 64),
    name: str = "v",
    person: int = 0,
    shoulders: float | np.ndarray = 0.5,
) -> LandmarkTrack:
    """The shoulders on a level line from a tenth to nine tenths of the width, all other joints in the middle, far down.

    shoulders: how far down the line is, in heights of the picture: one number or one for each row.
    """
    rows, ratio = round(seconds * rate), size[0] / size[1]
    points = np.full((rows, len(PLACE), 3), 1.0, dtype=np.float32)
    points[..., :2] = (0.5 * ratio, 0.98)
    for joint, x in (("left shoulder", 0.1), ("right shoulder", 0.9)):
        points[:, PLACE[joint], 0] = x * ratio
        points[:, PLACE[joint], 1] = shoulders
    times = np.arange(rows) / rate
    return LandmarkTrack(name, points, times, "mediapipe75", np.array(size), person, seconds)


def sitting(steps: int = 20) -> np.ndarray:
    """(T, 75, 3) metres: hardly a person, but its face is over its shoulders and its hips over its feet."""
    generator = np.random.default_rng(3)
    joints = generator.uniform(-0.1, 0.1, (1, 75, 3)).repeat(steps, axis=0)
    for name, i in PLACE.items():
        heights = {"shoulder": 1.1, "elbow": 0.9, "hip": 0.5, "knee": 0.5, "ankle": 0.1, "heel": 0.05, "foot": 0.05}
        joints[:, i, 2] = next((z for part, z in heights.items() if part in name), 1.3 if i < 11 else 0.7)
        joints[:, i, 0] += {"left": 0.2, "right": -0.2}.get(name.split()[0], 0.0)
    return joints
