"""All eight ways in which a stored picture can be turned and mirrored, by numbers and in files."""

import numpy as np
import pytest
from made_videos import ORIENTATIONS, matrix_of, turned, write_video

from mmad.video.orientation import Orientation, orientation_of
from mmad.video.reader import probe, read_few_frames, read_frames, stream

STORED = np.array([["a", "b", "c"], ["d", "e", "f"]])  # two rows of three
UPRIGHT = {  # what players show of it, drawn by hand
    "as it is": ["abc", "def"],
    "turned clockwise": ["da", "eb", "fc"],
    "turned by half": ["fed", "cba"],
    "turned counter-clockwise": ["cf", "be", "ad"],
    "mirrored": ["cba", "fed"],
    "upside down": ["def", "abc"],
    "mirrored, then turned counter-clockwise": ["ad", "be", "cf"],
    "mirrored, then turned clockwise": ["fc", "eb", "da"],
}


def of(name: str) -> Orientation:
    numbers = ORIENTATIONS[name]
    return orientation_of(np.array([numbers[0], numbers[1], 0, numbers[2], numbers[3], 0, 0, 0, 1]) * 65536)


@pytest.mark.parametrize("name", UPRIGHT)
def test_a_picture_becomes_upright(name):
    upright = of(name).upright(STORED)
    assert ["".join(row) for row in upright.tolist()] == UPRIGHT[name]
    assert of(name).turned_size(3, 2) == upright.shape[::-1]


@pytest.mark.parametrize("name", UPRIGHT)
def test_mirroring_and_rotation_say_the_same(name):
    picture = STORED[:, ::-1] if of(name).mirrored else STORED
    turned_picture = np.rot90(picture, of(name).rotation // 90)
    assert ["".join(row) for row in turned_picture.tolist()] == UPRIGHT[name]


@pytest.mark.parametrize(
    ("numbers", "nearest"),
    [
        ((2, 0, 0, 1), "as it is"),  # wider pixels
        ((0.98, 0.17, -0.17, 0.98), "as it is"),  # by ten degrees
        ((0.17, 0.98, -0.98, 0.17), "turned clockwise"),  # by eighty
        ((-0.5, 0, 0, 0.5), "mirrored"),
        ((0, 0, 0, 0), "as it is"),
    ],
)
def test_other_matrices_are_taken_for_the_nearest(numbers, nearest):
    a, b, c, d = (round(65536 * number) for number in numbers)
    assert orientation_of(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30])) == of(nearest)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_frames_are_upright_however_they_are_read(tmp_path, name, suffix):
    """The left half of frame 170 (bits 0 to 3) is unlike its right half, and a stripe makes top and bottom unlike."""
    lying = write_video(tmp_path / f"a.{suffix}", 12, first=170, size=(96, 64), stripe=True)
    info = probe(turned(tmp_path / f"b.{suffix}", lying, matrix_of(name)))
    expected = [of(name).upright(frame) for _, frame in stream(lying)]
    assert (info.width, info.height) == expected[0].shape[1::-1]
    assert len({str(other.upright(expected[0]).tolist()) for other in map(of, ORIENTATIONS)}) == 8
    streamed = [frame for _, frame in stream(info)]
    np.testing.assert_array_equal(streamed, expected)
    np.testing.assert_array_equal(read_frames(info, [7, 2]), [expected[7], expected[2]])
    np.testing.assert_array_equal(read_few_frames(info, [2, 7]), [expected[2], expected[7]])
    height, width = info.height // 2, info.width // 2
    small = read_frames(info, [7], size=(height, width))[0].astype(int)
    assert small.shape == (height, width, 3)
    halves = expected[7].reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - halves).mean() < 5
