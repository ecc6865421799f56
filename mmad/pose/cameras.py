"""Cameras that joints in space are seen by, and people of other proportions. Numpy only.

World: metres, x to the person's left, y to the back, z up; the person faces -y.
"""

from dataclasses import dataclass

import numpy as np

from mmad.pose.skeletons import NAMES

FRAMINGS = {  # name -> how often, and the joints that the picture is made to hold
    "whole": (0.35, ("nose", "left foot index", "right foot index", "left heel", "right heel")),
    "knees up": (0.2, ("nose", "left knee", "right knee")),
    "waist up": (0.25, ("nose", "left hip", "right hip")),
    "head and shoulders": (0.2, ("nose", "left shoulder", "right shoulder")),
}
ASPECTS = (9 / 16, 3 / 4, 1080 / 1296, 1.0, 4 / 3, 16 / 9)  # width over height


def vary_proportions(joints: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(T, J, 3) of a body -> of one with broader or narrower shoulders, longer or shorter shins; hands stay there."""
    joints, at = joints.copy(), NAMES.index
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
    """place, target: metres. zoom: focal length in heights of the picture. aspect: its width over its height."""

    place: np.ndarray
    target: np.ndarray
    zoom: float
    aspect: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) metres -> (..., 2) x to the right and y down, heights of the picture, from its top left corner."""
        forward = _unit(self.target - self.place)
        right = _unit(np.cross(forward, (0.0, 0.0, 1.0)))
        down = -np.cross(right, forward)
        way = points - self.place
        depth = np.maximum(way @ forward, 0.05)
        x, y = (self.zoom * (way @ axis) / depth for axis in (right, down))
        return np.stack([x + 0.5 * self.aspect, y + 0.5], axis=-1)


def make_camera(joints: np.ndarray, generator: np.random.Generator) -> Camera:
    """A camera before a person whose joints are (T, J, 3) in space: from desk to eye height, up to 45 degrees aside."""
    names, shares = list(FRAMINGS), np.array([share for share, _ in FRAMINGS.values()])
    framing = str(generator.choice(names, p=shares / shares.sum()))
    middle = np.median(joints, axis=0)
    held = middle[[NAMES.index(name) for name in FRAMINGS[framing][1]]]
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
    fills = generator.uniform(0.35, 1.0)  # of the picture's height
    zoom = fills * np.linalg.norm(place - target) / tall
    wide = 0.95 * tall * fills * 0.5  # a person is wider than half of that in no narrow picture
    free = max(0.5 * aspect - wide, 0.0)
    shift = np.array([np.cos(aside), np.sin(aside), 0.0]) * generator.uniform(-1, 1) * free * 0.5 * tall / fills
    rise = np.array([0.0, 0.0, 1.0]) * generator.uniform(-0.5, 0.5) * (1 - fills) * tall / fills
    return Camera(place, target + shift + rise, float(zoom), aspect)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
