"""Parts of pictures: arithmetic, and their pixels."""

import numpy as np
import pytest

from mmad.pose.boxes import Box, blackened, crop, square_around, squares, whole

FRAME = np.arange(6 * 10 * 3, dtype=np.uint8).reshape(6, 10, 3)


@pytest.mark.parametrize(
    ("size", "side", "starts"),
    [
        ((1920, 1080), 1080, [(0, 0), (420, 0), (840, 0)]),
        ((1080, 1080), 1080, [(0, 0)]),
        ((1080, 1920), 1080, [(0, 0), (0, 420), (0, 840)]),
        ((640, 480), 480, [(0, 0), (160, 0)]),
    ],
)
def test_squares_cover_the_picture(size, side, starts):
    frame = np.empty((size[1], size[0], 3), np.uint8)
    assert [(box.left, box.top) for box in squares(frame, side)] == starts


def test_small_squares_overlap_in_both_directions():
    boxes = squares(np.empty((1080, 1920, 3), np.uint8), 540)
    lefts, tops = sorted({box.left for box in boxes}), sorted({box.top for box in boxes})
    assert len(boxes) == len(lefts) * len(tops)
    for starts, length in ((lefts, 1920), (tops, 1080)):
        assert starts[0] == 0 and starts[-1] == length - 540
        assert max(np.diff(starts)) <= 0.6 * 540 + 1


def test_a_square_around_places_stays_in_the_picture():
    frame = np.empty((100, 200, 3), np.uint8)
    assert square_around(np.array([[90, 40], [110, 60]]), 2, frame) == Box(80, 30, 41, 41)
    assert square_around(np.array([[0, 0], [20, 20]]), 2, frame) == Box(0, 0, 41, 41)
    assert square_around(np.array([[0, 0], [190, 90]]), 2, frame) == Box(45, 0, 100, 100)  # no larger than the picture


def test_cutting():
    assert (crop(FRAME, Box(2, 1, 3, 2)) == FRAME[1:3, 2:5]).all()
    beyond = crop(FRAME, Box(-1, -1, 3, 3))
    assert (beyond[1:, 1:] == FRAME[:2, :2]).all() and not beyond[0].any() and not beyond[:, 0].any()
    assert crop(FRAME, Box(0, 0, 6, 6), longest=3).shape == (3, 3, 3)
    assert crop(FRAME, Box(0, 0, 6, 6), longest=30).shape == (6, 6, 3)
    turned = crop(np.rot90(FRAME), whole(np.rot90(FRAME)))
    assert turned.flags.c_contiguous and (turned == np.rot90(FRAME)).all()


def test_blackening():
    seen = blackened(FRAME, Box(-2, 4, 5, 9))
    assert (seen[4:, :3] == FRAME[4:, :3]).all()
    assert not seen[:4].any() and not seen[:, 3:].any()


def test_inside():
    box = Box(10, 20, 5, 5)
    assert box.contains(np.array([[10, 20], [15, 25], [16, 22], [12, 19], [np.nan, 22]])).tolist() == [1, 1, 0, 0, 0]
    assert Box(-5, 0, 10, 10).share_in_picture(100, 100) == pytest.approx(0.5)
    assert Box(200, 0, 10, 10).share_in_picture(100, 100) == 0
