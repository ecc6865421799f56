"""Whose hand is whose: tables that a person can check."""

import numpy as np
import pytest

from mmad.pose.boxes import Box
from mmad.pose.hands import Hand, assign_hands, drop_duplicates, square_of_hand

WRISTS = np.array([[0.6, 0.5], [0.4, 0.5]])  # left, right
WIDTH = 0.2


def hand(x: float, y: float = 0.5, side: int = 0) -> Hand:
    """All of its points are in one place."""
    return Hand(np.full((21, 2), (x, y)), 0.9, side)


def arm(wrist: tuple[float, float], confidence: float = 0.9) -> np.ndarray:
    """(33, 3) with shoulders 0.2 apart, the left elbow at (0.6, 0.5) and the left wrist as given."""
    body = np.full((33, 3), np.nan)
    body[:, 2] = confidence
    body[11, :2], body[12, :2], body[13, :2], body[15, :2] = (0.6, 0.3), (0.4, 0.3), (0.6, 0.5), wrist
    return body


def test_the_square_lies_beyond_the_wrist():
    # A quarter of the forearm (0.1, 0.2) beyond the wrist is (0.725, 0.75); half a side is 0.55 * 0.2 = 0.11.
    assert square_of_hand(arm((0.7, 0.7)), 0, 1000) == Box(615, 640, 220, 220)
    assert square_of_hand(arm((0.7, 0.7), confidence=0.3), 0, 1000) == Box(565, 590, 320, 320)


def test_no_square_without_elbow_wrist_or_shoulders():
    assert square_of_hand(arm((np.nan, np.nan)), 0, 1000) is None
    assert square_of_hand(arm((0.7, 0.7)), 1, 1000) is None
    body = arm((0.7, 0.7))
    body[12] = body[11]
    assert square_of_hand(body, 0, 1000) is None


@pytest.mark.parametrize(
    ("hands", "expected"),
    [
        ([], [None, None]),
        ([hand(0.61)], [0, None]),
        ([hand(0.41, side=1)], [None, 0]),
        ([hand(0.41, side=1), hand(0.61)], [1, 0]),
        ([hand(0.5, side=1)], [None, None]),  # half a shoulder width from either
        ([hand(0.41, side=0)], [None, 0]),  # near the right wrist: looks count for less than places
        ([hand(0.9)], [None, None]),  # somebody else's
        ([hand(0.61), hand(0.62), hand(0.41, side=1)], [0, 2]),
    ],
)
def test_assigning(hands, expected):
    assert assign_hands(hands, WRISTS, WIDTH) == [None if i is None else hands[i] for i in expected]


def test_hands_on_each_other_go_by_their_looks():
    """Arms crossed so that both wrists are in one place."""
    together = np.array([[0.5, 0.5], [0.5, 0.5]])
    left, right = hand(0.52, side=0), hand(0.47, side=1)
    assert assign_hands([right, left], together, WIDTH) == [left, right]
    assert assign_hands([right], together, WIDTH) == [None, right]


def test_a_hand_found_twice_counts_once():
    one, again, other = hand(0.5), hand(0.51), hand(0.6)
    assert drop_duplicates([one, again, other], WIDTH) == [one, other]  # 0.01 is less than 0.15 * 0.2
    assert drop_duplicates([], WIDTH) == []
