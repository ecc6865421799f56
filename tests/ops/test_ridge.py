import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmad.ops.ridge import held_out_correlations, solve_ridge


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


def test_ridge_of_a_gram_with_an_eigenvalue_below_zero_by_rounding():
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


def test_a_penalty_per_feature():
    """Also where rounding left an eigenvalue below zero."""
    rng = np.random.default_rng(0)
    x, y, strength = rng.normal(size=(3, 5)), rng.normal(size=(3, 2)), 1e-6 * np.array([1, 1, 3, 3, 40])
    gram, moment = x.T @ x, x.T @ y
    wanted = np.linalg.solve(gram + np.diag(strength), moment)
    nowhere = np.sqrt(strength) * np.linalg.svd(x / np.sqrt(strength))[2][-1]  # a direction that no step has
    for seen in (gram, gram - 10 * np.outer(nowhere, nowhere)):
        found = solve_ridge(*map(torch.from_numpy, (seen, moment, strength)))
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_held_out_correlations_of_one_map():
    rng = np.random.default_rng(0)
    held_out, held_y, weight = rng.normal(size=(25, 6)), rng.normal(size=(25, 3)), rng.normal(size=(6, 3))
    held_out, held_y = held_out - held_out.mean(axis=0), held_y - held_y.mean(axis=0)
    sums = map(torch.from_numpy, (weight, held_out.T @ held_out, held_out.T @ held_y))
    found = held_out_correlations(*sums).numpy() / np.linalg.norm(held_y, axis=0)
    wanted = [np.corrcoef(held_out @ weight[:, i], held_y[:, i])[0, 1] for i in range(3)]
    assert found.tolist() == pytest.approx(wanted)
