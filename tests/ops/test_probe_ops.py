import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmad.ops.probe import at_offset, moving_mean, ridge_correlations, role_targets, solve_ridge, with_parts


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


def test_ridge_of_a_gram_without_full_rank():
    """Five steps of eight features, two of them the same."""
    x, y = np.random.default_rng(0).normal(size=(5, 8)), np.random.default_rng(1).normal(size=(5, 2))
    x[:, 7] = x[:, 6]
    gram, moment = x.T @ x, x.T @ y
    wanted = np.linalg.solve(gram + 0.01 * np.eye(8), moment)
    assert_close(solve_ridge(torch.from_numpy(gram), torch.from_numpy(moment), 0.01).numpy(), wanted)


def test_ridge_of_a_gram_that_rounding_made_less_than_positive():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 6)), rng.normal(size=(4, 2))
    gram, moment = x.T @ x, x.T @ y
    nowhere = np.linalg.svd(x)[2][-1]  # a direction that no step has
    rounded = gram - 1e-5 * np.outer(nowhere, nowhere)
    wanted = np.linalg.solve(gram + 1e-6 * np.eye(6), moment)
    found = solve_ridge(torch.from_numpy(rounded), torch.from_numpy(moment), 1e-6).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    stacked = solve_ridge(torch.from_numpy(np.stack([rounded, gram])), torch.from_numpy(moment).expand(2, 6, 2), 1e-6)
    np.testing.assert_allclose(stacked[1], wanted, rtol=1e-5)


def test_ridge_correlations_are_those_of_predictions_made_one_by_one():
    rng = np.random.default_rng(0)
    fitted, held_out = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=(25, 6))
    truth = rng.normal(size=(6, 3))
    y, held_y = fitted @ truth + rng.normal(size=(40, 3)), held_out @ truth + rng.normal(size=(25, 3))
    fitted, y, held_out, held_y = (values - values.mean(axis=0) for values in (fitted, y, held_out, held_y))
    strengths = [0.1, 3.0, 100.0]
    sums = (fitted.T @ fitted, fitted.T @ y, held_out.T @ held_out, held_out.T @ held_y)
    found = ridge_correlations(*map(torch.from_numpy, sums), strengths).numpy() / np.linalg.norm(held_y, axis=0)
    assert found.shape == (3, 3)
    for row, strength in zip(found, strengths):
        said = held_out @ np.linalg.solve(fitted.T @ fitted + strength * np.eye(6), fitted.T @ y)
        wanted = [np.corrcoef(said[:, output], held_y[:, output])[0, 1] for output in range(3)]
        assert row.tolist() == pytest.approx(wanted)
    assert len({round(value, 4) for value in found[:, 0].tolist()}) == 3


def test_at_an_offset_by_hand():
    x = torch.tensor([[[1.0], [2], [3], [9]], [[4], [5], [6], [7]]])
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    assert at_offset(x, mask, 1)[..., 0].tolist() == [[2, 3, 3, 3], [5, 6, 7, 7]]
    assert at_offset(x, mask, -2)[..., 0].tolist() == [[1, 1, 1, 2], [4, 4, 4, 5]]
    assert at_offset(x, mask, 0)[0, :3, 0].tolist() == [1, 2, 3]
    assert at_offset(x, mask, 99)[..., 0].tolist() == [[3] * 4, [7] * 4]
