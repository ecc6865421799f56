import pytest
import torch
from torch.testing import assert_close

from mmad.ops.time_filters import moving_mean, run_bounds, shift_in_time


def test_moving_mean_by_hand():
    x = torch.tensor([[[1.0], [2], [6], [9], [100]]])
    mask = torch.tensor([[True, True, True, True, False]])
    assert moving_mean(x, mask, 1)[0, :4, 0].tolist() == pytest.approx([1.5, 3, 17 / 3, 7.5])
    assert moving_mean(x, mask, 9)[0, :4, 0].tolist() == pytest.approx([4.5] * 4)


def test_moving_mean_keeps_channels_and_videos_apart():
    torch.manual_seed(0)
    x, mask = torch.randn(2, 12, 3), torch.ones(2, 12, dtype=torch.bool)
    assert_close(moving_mean(x, mask, 2)[1:, :, 2:], moving_mean(x[1:, :, 2:], mask[1:], 2))


def test_shift_in_time_by_hand():
    x = torch.tensor([[[1.0], [2], [3], [9]], [[4], [5], [6], [7]]])
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    assert shift_in_time(x, mask, 1)[..., 0].tolist() == [[2, 3, 3, 3], [5, 6, 7, 7]]
    assert shift_in_time(x, mask, -2)[..., 0].tolist() == [[1, 1, 1, 2], [4, 4, 4, 5]]
    assert shift_in_time(x, mask, 0)[0, :3, 0].tolist() == [1, 2, 3]
    assert shift_in_time(x, mask, 99)[..., 0].tolist() == [[3] * 4, [7] * 4]


def test_a_gap_is_an_end():
    """Real steps 0, 1 and 4, 5, 6 of eight: values beyond the ends of a run are its first or last one."""
    x = torch.arange(8.0).view(1, 8, 1)
    mask = torch.tensor([[True, True, False, False, True, True, True, False]])
    real = [0, 1, 4, 5, 6]
    first, last = run_bounds(mask)
    assert (first[0, real].tolist(), last[0, real].tolist()) == ([0, 0, 4, 4, 4], [1, 1, 6, 6, 6])
    for offset, wanted in ((1, [1, 1, 5, 6, 6]), (-1, [0, 0, 4, 4, 5]), (3, [1, 1, 6, 6, 6]), (0, real)):
        assert shift_in_time(x, mask, offset)[0, real, 0].tolist() == wanted
    assert moving_mean(x, mask, 2)[0, real, 0].tolist() == pytest.approx([0.5, 0.5, 5, 5, 5])
    assert moving_mean(x, mask, 3)[0, real, 0].tolist() == pytest.approx([0.5, 5 / 3, 4, 5, 5])


def test_nothing_real_is_no_obstacle():
    x, mask = torch.ones(2, 3, 1), torch.zeros(2, 3, dtype=torch.bool)
    assert shift_in_time(x, mask, 2).shape == x.shape and moving_mean(x, mask, 2).tolist() == [[[0.0]] * 3] * 2
