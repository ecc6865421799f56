import math

import pytest
import torch
from torch.testing import assert_close

from mmad.ops.probe import moving_mean, role_targets, solve_ridge, with_parts


def test_roles_by_hand():
    targets = role_targets(8, torch.tensor([[1.0, 5.0]]), torch.tensor([1]), num_classes=2)
    assert targets.shape == (8, 2, 3)
    assert (targets[:, 0] == 0).all()
    assert targets[:, 1, 0].tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
    # bumps about 1.5 and 4.5, standard deviation 1
    assert targets[:, 1, 1].tolist() == pytest.approx([math.exp(-0.5 * (t - 1.5) ** 2) for t in range(8)])
    assert targets[:, 1, 2].tolist() == pytest.approx([math.exp(-0.5 * (t - 4.5) ** 2) for t in range(8)])


def test_of_two_of_one_class_the_larger_bump_counts():
    one, two = torch.tensor([[0.0, 3.0]]), torch.tensor([[2.0, 7.0]])
    label = torch.tensor([0])
    both = role_targets(9, torch.cat([one, two]), torch.tensor([0, 0]), num_classes=1)
    assert_close(both, torch.maximum(role_targets(9, one, label, 1), role_targets(9, two, label, 1)))


def test_no_actions():
    assert (role_targets(4, torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), num_classes=3) == 0).all()


def test_a_part_is_the_largest_of_its_classes():
    targets = torch.tensor([[[0.2], [0.7], [0.4]], [[0.0], [0.0], [1.0]]])  # (2, 3, 1)
    found = with_parts(targets, torch.tensor([0, 0, 2]), num_parts=3)
    assert_close(found[:, :3], targets)
    assert found[:, 3:, 0].tolist() == [pytest.approx([0.7, 0, 0.4]), [0, 0, 1]]


def test_moving_mean_by_hand():
    x = torch.tensor([[[1.0], [2], [6], [9], [100]]])
    mask = torch.tensor([[True, True, True, True, False]])
    assert moving_mean(x, mask, 1)[0, :4, 0].tolist() == pytest.approx([1.5, 3, 17 / 3, 7.5])
    assert moving_mean(x, mask, 9)[0, :4, 0].tolist() == pytest.approx([4.5] * 4)


def test_moving_mean_keeps_channels_and_videos_apart():
    torch.manual_seed(0)
    x, mask = torch.randn(2, 12, 3), torch.ones(2, 12, dtype=torch.bool)
    assert_close(moving_mean(x, mask, 2)[1:, :, 2:], moving_mean(x[1:, :, 2:], mask[1:], 2))


def test_ridge_is_what_augmented_least_squares_gives():
    """Ridge regression is least squares with sqrt(strength) I as further rows."""
    torch.manual_seed(0)
    x, y = torch.randn(30, 4, dtype=torch.double), torch.randn(30, 2, dtype=torch.double)
    rows = torch.cat([x, math.sqrt(3.0) * torch.eye(4, dtype=torch.double)])
    wanted = torch.linalg.lstsq(rows, torch.cat([y, torch.zeros(4, 2, dtype=torch.double)])).solution
    assert_close(solve_ridge(x.T @ x, x.T @ y, 3.0), wanted)
    stacked = solve_ridge((x.T @ x).expand(2, 4, 4), (x.T @ y).expand(2, 4, 2), 3.0)
    assert_close(stacked[1], wanted)
