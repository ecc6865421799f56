"""Random cameras before joints in space, and random body proportions, for training. Numpy only.

World: metres, x to the person's left, y to the back, z up; the person faces -y.
"""

from dataclasses import dataclass

import numpy as np

from mmad.pose.skeletons import LAYOUT_JOINTS

FRAMINGS = {  # {name: (probability, joints that are in the picture)}
    "whole": (0.35, ("nose", "left foot index", "right foot index", "left heel", "right heel")),
    "knees up": (0.2, ("nose", "left knee", "right knee")),
    "waist up": (0.25, ("nose", "left hip", "right hip")),
    "head and shoulders": (0.2, ("nose", "left shoulder", "right shoulder")),
}
ASPECTS = (9 / 16, 3 / 4, 1080 / 1296, 1.0, 4 / 3, 16 / 9)  # width / height of a picture


def vary_proportions(joints: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Joints (T, J, 3) with broader or narrower shoulders and longer or shorter shins; hands stay where they are."""
    joints, at = joints.copy(), LAYOUT_JOINTS.index
    broad = generator.uniform(-0.05, 0.25)
    across = 0.5 * (joints[:, at("left shoulder")] - joints[:, at("right shoulder")])
    for side, sign in (("left", 1), ("right", -1)):
        joints[:, at(f"{side} shoulder")] += sign * broad * across
        joints[:, at(f"{side} elbow")] += 0.5 * sign * broad * across
    short = generator.uniform(-0.05, 0.3)
    for side in ("left", "right"):
        way = joints[:, at(f"{side} knee")] - joints[:, at(f"{side} ankle")]
        for name in ("ankle", "heel", "foot index"):
            joints[:, at(f"{side} {name}")] += short * way
    return joints


@dataclass
class Camera:
    """place, target: (3,) metres. zoom: focal length in picture heights. aspect: width / height of the picture."""

    place: np.ndarray
    target: np.ndarray
    zoom: float
    aspect: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) in metres -> (..., 2): x to the right and y down, in picture heights, from the top left
        corner."""
        forward = _unit(self.target - self.place)
        right = _unit(np.cross(forward, (0.0, 0.0, 1.0)))
        down = -np.cross(right, forward)
        offset = points - self.place
        depth = np.maximum(offset @ forward, 0.05)
        x, y = (self.zoom * (offset @ axis) / depth for axis in (right, down))
        return np.stack([x + 0.5 * self.aspect, y + 0.5], axis=-1)


def make_camera(joints: np.ndarray, generator: np.random.Generator) -> Camera:
    """A random camera before a person with joints (T, J, 3): from desk to eye height, up to 45 degrees to either
    side."""
    names, shares = list(FRAMINGS), np.array([share for share, _ in FRAMINGS.values()])
    framing = str(generator.choice(names, p=shares / shares.sum()))
    middle = np.median(joints, axis=0)
    held = middle[[LAYOUT_JOINTS.index(name) for name in FRAMINGS[framing][1]]]
    top = middle[0, 2] + 0.16  # above the nose
    low = held[:, 2].min() - (0.18 if framing == "head and shoulders" else 0.06)
    tall = top - low
    aspect = float(generator.choice(ASPECTS))
    aside = np.radians(generator.triangular(-45, 0, 45))
    away = generator.uniform(1.0, 3.5) + 1.2 * tall
    height = generator.uniform(0.65, 1.0) * middle[0, 2] + generator.uniform(-0.1, 0.25)
    target = np.array([middle[:33, 0].mean(), 0.6 * middle[0, 1] + 0.4 * held[:, 1].mean(), 0.5 * (top + low)])
    place = target + away * np.array([np.sin(aside), -np.cos(aside), 0.0])
    place[2] = height
    fills = generator.uniform(0.35, 1.0)  # share of the picture height that the framing takes
    zoom = fills * np.linalg.norm(place - target) / tall
    wide = 0.95 * tall * fills * 0.5  # half the width of a person, at most
    free = max(0.5 * aspect - wide, 0.0)
    shift = np.array([np.cos(aside), np.sin(aside), 0.0]) * generator.uniform(-1, 1) * free * 0.5 * tall / fills
    rise = np.array([0.0, 0.0, 1.0]) * generator.uniform(-0.5, 0.5) * (1 - fills) * tall / fills
    return Camera(place, target + shift + rise, float(zoom), aspect)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
