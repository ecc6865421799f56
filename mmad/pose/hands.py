"""Hands that were found around a person's wrists: whose left and right they are."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmad.pose.people import SHOULDERS
from mmad.pose.views import Box

ARMS = ((13, 15), (14, 16))  # pose points: elbow and wrist, left and right
BEYOND_WRIST = 0.25  # middle of the square around a hand, in forearms from the wrist on
HALF_SIDE, WIDE = 0.55, 0.8  # of that square, in shoulder widths, and where the wrist is unsure
UNSURE = 0.6  # confidence of a wrist, below which it is; the wider square finds a tenth more hands there
SAME = 0.15  # shoulder widths that the points of two hands may differ, on average, and be one that was found twice
FAR = 0.4  # shoulder widths from a wrist: beyond it a hand is somebody else's
WRONG_SIDE = 0.15  # shoulder widths that a hand seems further from a wrist if it looks like one of the other side


@dataclass(frozen=True)
class Hand:
    """points: (21, 2) x, y in heights of the picture, the wrist first. score: 0..1. side: 0 if it looks like a left
    hand, 1 like a right one."""

    points: np.ndarray
    score: float
    side: int


def square_of_hand(body: np.ndarray, side: int, height: int) -> Box | None:
    """Where the left (0) or right (1) hand of a body should be, (J, 3) joints in heights; None where that is unknown.

    height: of the picture, pixels.
    """
    (elbow, wrist), width = body[list(ARMS[side]), :2], shoulder_width(body)
    if not (width > 0 and np.isfinite(elbow + wrist).all()):
        return None
    half = (HALF_SIDE if body[ARMS[side][1], 2] >= UNSURE else WIDE) * width
    left, top = np.round((wrist + BEYOND_WRIST * (wrist - elbow) - half) * height).astype(int)
    side = max(round(2 * half * height), 1)
    return Box(int(left), int(top), side, side)


def shoulder_width(body: np.ndarray) -> float:
    """In heights of the picture; NaN where a shoulder is unknown."""
    return math.dist(*body[SHOULDERS, :2].astype(float))


def without_doubles(hands: Sequence[Hand], width: float) -> list[Hand]:
    """The hands but for those that are another one found once more. width: of the shoulders."""
    kept: list[Hand] = []
    for hand in hands:
        if all(np.linalg.norm(hand.points - other.points, axis=1).mean() >= SAME * width for other in kept):
            kept.append(hand)
    return kept


def assign_hands(hands: Sequence[Hand], wrists: np.ndarray, width: float) -> list[Hand | None]:
    """[left hand, right hand] of a person: each near its wrist, and rather one that looks like a hand of that side.

    wrists: (2, 2) x, y, left and right, in heights of the picture. width: of the shoulders.
    """

    def cost(hand: Hand | None, side: int) -> float:
        if hand is None:
            return FAR + WRONG_SIDE
        apart = np.linalg.norm(hand.points[0] - wrists[side]) / width
        return apart + WRONG_SIDE * (hand.side != side) if apart < FAR else math.inf

    pairs = itertools.permutations([*hands, None, None], 2)
    return list(min(pairs, key=lambda pair: cost(pair[0], 0) + cost(pair[1], 1)))
