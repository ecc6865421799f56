import pytest
import torch
from torch.testing import assert_close

from mmad.ops.time_filters import moving_mean, shift_in_time


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
