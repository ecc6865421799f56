import numpy as np
import pytest
import torch

from mmad.video.preprocess import Preprocess, centre_crop, normalise, prepare_frames, resize_frames
from mmad.video.sampling import centre_frames, frame_of_each_part, num_steps, step_grid, window_frames


@pytest.mark.parametrize(
    "num_frames, stride, centres",
    [
        (12, 4, [2, 6, 10]),
        (13, 4, [2, 6, 10, 12]),  # the last step has one frame
        (15, 4, [2, 6, 10, 14]),
        (3, 1, [0, 1, 2]),
        (10, 5, [2, 7]),
        (1, 4, [0]),
    ],
)
def test_centre_frames(num_frames, stride, centres):
    assert centre_frames(num_frames, stride).tolist() == centres
    assert num_steps(num_frames, stride) == len(centres)


@pytest.mark.parametrize(
    "num_frames, stride, window, count, frames",
    [
        # centres 2 and 6; the window of 8 has parts of 2 frames, whose middles lie at -3, -1, 1, 3
        (8, 4, 8, 4, [[0, 1, 3, 5], [3, 5, 7, 7]]),
        # the window of 4 is the step itself
        (8, 4, 4, 4, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (8, 4, 4, 1, [[2], [6]]),
        # centre 0.5; parts of one frame
        (2, 1, 2, 2, [[0, 1], [1, 1]]),
        (1, 4, 32, 3, [[0, 0, 0]]),
    ],
)
def test_window_frames(num_frames, stride, window, count, frames):
    assert window_frames(num_frames, stride, window, count).tolist() == frames


def test_step_grid_is_centred_on_the_steps():
    grid = step_grid(stride=4, fps=25)
    assert grid.to_seconds(np.arange(3)) == pytest.approx([0.08, 0.24, 0.4])


@pytest.mark.parametrize(
    "num_frames, count, frames",
    [
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (80, 8, [5, 15, 25, 35, 45, 55, 65, 75]),
        (30, 4, [3, 11, 18, 26]),  # 3.75, 11.25, 18.75, 26.25
        (3, 6, [0, 0, 1, 1, 2, 2]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_frame_of_each_part_in_the_middle_of_the_parts(num_frames, count, frames):
    assert frame_of_each_part(num_frames, count).tolist() == frames


def test_random_frame_of_each_part_stay_in_their_parts():
    generator = np.random.default_rng(0)
    drawn = np.array([frame_of_each_part(32, 8, generator.random(8)) for _ in range(100)])
    assert (drawn // 4 == np.arange(8)).all()
    assert (drawn % 4 == 0).any(axis=0).all()  # the first frame of each part occurs
    assert (drawn % 4 == 3).any(axis=0).all()  # and the last


@pytest.mark.parametrize(
    "height, width, resized", [(480, 640, (256, 341)), (1920, 1080, (455, 256)), (256, 256, (256, 256))]
)
def test_the_short_side_is_resized(height, width, resized):
    assert Preprocess(resize=256, crop=224).resized(height, width) == resized


@pytest.mark.parametrize("height, width", [(48, 64), (64, 48), (20, 20)])
def test_prepared_frames_are_square(height, width):
    frames = np.full((5, height, width, 3), (10, 20, 30), dtype=np.uint8)
    pixels = prepare_frames(frames, Preprocess(resize=36, crop=32))
    assert (pixels.shape, pixels.dtype) == ((5, 3, 32, 32), torch.uint8)
    assert torch.equal(pixels, torch.tensor([10, 20, 30], dtype=torch.uint8).view(3, 1, 1).expand(5, 3, 32, 32))


def test_halving_averages_pairs():
    frames = np.array([[0, 10, 20, 40], [0, 10, 20, 40]], dtype=np.uint8)[None, :, :, None].repeat(3, axis=3)
    assert resize_frames(frames, (1, 2))[0, 0].tolist() == [[5, 30]]


def test_the_crop_is_central():
    pixels = torch.arange(36).view(1, 6, 6)
    assert centre_crop(pixels, 2).tolist() == [[[14, 15], [20, 21]]]


def test_normalised_values():
    how = Preprocess(mean=(100.0, 50.0, 0.0), std=(10.0, 25.0, 255.0))
    pixels = torch.tensor([[110, 90], [0, 100], [255, 0]], dtype=torch.uint8).view(1, 3, 1, 2)
    values = normalise(pixels, how)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values.view(3, 2), torch.tensor([[1.0, -1.0], [-2.0, 2.0], [1.0, 0.0]]))
