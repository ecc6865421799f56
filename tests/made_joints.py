"""Landmark tracks for tests: people who stand still but for what a test changes."""

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
