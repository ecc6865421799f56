import math

import pytest
import torch
from torch.testing import assert_close

from mmad.ops.curves import Curves, refine

REAL = torch.ones(1, 10, dtype=torch.bool)


def refined(coarse, spread, edges=None, shifts=None, mask=REAL) -> list[float]:
    """Of one pair over ten steps; edges and shifts as {(step, 0 start or 1 end): value}, zero elsewhere."""
    filled = []
    for values in (edges or {}, shifts or {}):
        table = torch.zeros(1, 10, 2)
        for (step, side), value in values.items():
            table[0, step, side] = value
        filled.append(table)
    return refine(torch.tensor([coarse]), torch.tensor([[spread]]), *filled, mask)[0].tolist()


def test_without_edges_the_coarse_boundary_stands():
    assert refined([4.0, 5.0], 0.1) == pytest.approx([4, 5], abs=1e-3)
    assert refined([4.5, 4.5], 0.1) == pytest.approx([4.5, 4.5], abs=1e-3)  # between two steps: half of each


def test_a_clear_edge_near_by_is_taken():
    assert refined([4.0, 7.0], 1.0, {(3, 0): 30.0, (8, 1): 30.0}) == pytest.approx([3, 8], abs=1e-3)


def test_an_edge_of_the_other_kind_is_not():
    assert refined([4.0, 7.0], 0.2, {(3, 1): 30.0}) == pytest.approx([4, 3], abs=1e-2)


def test_an_edge_far_away_counts_less_than_one_near():
    """At 2 and 6 steps from the coarse start, with spread 1: e^-2 to e^-6, the rest is far below."""
    start, _ = refined([2.0, 9.0], 1.0, {(4, 0): 50.0, (8, 0): 50.0})
    near, far = math.exp(-2), math.exp(-6)
    assert start == pytest.approx((4 * near + 8 * far) / (near + far), abs=1e-4)


def test_shifts_move_the_boundary_between_steps():
    edges = {(3, 0): 30.0, (8, 1): 30.0}
    assert refined([3.0, 8.0], 1.0, edges, {(3, 0): 0.4, (8, 1): -0.3}) == pytest.approx([3.4, 7.7], abs=1e-3)


def test_masked_steps_are_no_boundaries():
    mask = torch.arange(10)[None] < 5
    assert refined([4.0, 4.0], 5.0, {(8, 1): 50.0}, mask=mask)[1] < 4


def test_no_pairs():
    assert refine(torch.zeros(0, 2), torch.zeros(0, 1), *torch.zeros(2, 0, 4, 2), torch.zeros(0, 4).bool()).shape == (
        0,
        2,
    )


def test_the_coarse_boundary_takes_no_gradient_but_edges_and_shifts_do():
    coarse, edges, shifts = torch.tensor([[4.0, 6.0]]), torch.randn(1, 10, 2), torch.zeros(1, 10, 2)
    tensors = [tensor.requires_grad_() for tensor in (coarse, edges, shifts)]
    refine(coarse, torch.ones(1, 1), edges, shifts, REAL).sum().backward()
    assert tensors[0].grad is None and all(tensor.grad.abs().sum() > 0 for tensor in tensors[1:])


def test_segments_are_those_of_their_row_and_step():
    torch.manual_seed(0)
    curves = Curves(
        logits=torch.zeros(3, 10),
        coarse=torch.rand(3, 10, 2) * 9,
        spread=torch.rand(3, 10, 1) + 0.5,
        edges=torch.randn(3, 10, 2),
        sharpness=torch.tensor(1.0),
        shifts=torch.randn(3, 10, 2),
        mask=REAL.expand(3, -1),
    )
    found = curves.segments(torch.tensor([2, 0]), torch.tensor([7, 1]))
    for pair, (row, step) in zip(found, [(2, 7), (0, 1)]):
        alone = refine(
            *(t[row : row + 1] for t in (curves.coarse[:, step], curves.spread[:, step])),
            *(t[row : row + 1] for t in (curves.edges, curves.shifts, curves.mask)),
        )
        assert_close(pair, alone[0])
