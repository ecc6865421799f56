"""Which hand found around the wrists of a person is the left one, which the right one."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmad.pose.boxes import Box
from mmad.pose.estimated_people import SHOULDERS

ARMS = ((13, 15), (14, 16))  # pose points: elbow and wrist, left and right
BEYOND_WRIST = 0.25  # centre of the square around a hand: beyond the wrist by this share of the forearm
HALF_SIDE, WIDE = 0.55, 0.8  # half the side of that square, and of that around an uncertain wrist; shoulder widths
UNCERTAIN = 0.6  # confidence below which a wrist is uncertain; the wide square finds a tenth more hands there
SAME = 0.15  # two hands with a smaller mean distance of their points are the same hand, found twice; shoulder widths
FAR = 0.4  # a hand further from a wrist belongs to someone else; shoulder widths
WRONG_SIDE = 0.15  # added to the distance of a hand that looks like one of the other side; shoulder widths


@dataclass(frozen=True)
class Hand:
    """points: (21, 2) x, y in picture heights, the wrist first. score: 0..1. side: 0 if it looks like a left hand, 1 if
    like a right one."""

    points: np.ndarray
    score: float
    side: int


def square_of_hand(body: np.ndarray, side: int, height: int) -> Box | None:
    """The square in which the left (0) or right (1) hand of a body should be; None where that is unknown.

    body: (J, 3) joints in picture heights. height: of the picture, pixels.
    """
    (elbow, wrist), width = body[list(ARMS[side]), :2], shoulder_width(body)
    if not (width > 0 and np.isfinite(elbow + wrist).all()):
        return None
    half = (HALF_SIDE if body[ARMS[side][1], 2] >= UNCERTAIN else WIDE) * width
    left, top = np.round((wrist + BEYOND_WRIST * (wrist - elbow) - half) * height).astype(int)
    side = max(round(2 * half * height), 1)
    return Box(int(left), int(top), side, side)


def shoulder_width(body: np.ndarray) -> float:
    """In picture heights; NaN where a shoulder is not seen."""
    return math.dist(*body[SHOULDERS, :2].astype(float))


def drop_duplicates(hands: Sequence[Hand], width: float) -> list[Hand]:
    """The hands without those that were found twice. width: of the shoulders."""
    kept: list[Hand] = []
    for hand in hands:
        if all(np.linalg.norm(hand.points - other.points, axis=1).mean() >= SAME * width for other in kept):
            kept.append(hand)
    return kept


def assign_hands(hands: Sequence[Hand], wrists: np.ndarray, width: float) -> list[Hand | None]:
    """[left hand, right hand] of a person, None where there is none: near the wrist, preferably one of that side.

    wrists: (2, 2) x, y of the left and the right one, in picture heights. width: of the shoulders.
    """

    def cost(hand: Hand | None, side: int) -> float:
        if hand is None:
            return FAR + WRONG_SIDE
        distance = np.linalg.norm(hand.points[0] - wrists[side]) / width
        return distance + WRONG_SIDE * (hand.side != side) if distance < FAR else math.inf

    pairs = itertools.permutations([*hands, None, None], 2)
    return list(min(pairs, key=lambda pair: cost(pair[0], 0) + cost(pair[1], 1)))
