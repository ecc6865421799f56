import math

import pytest
import torch
from torch.testing import assert_close

from mmad.ops.curves import REACH, Curves, refine, side_by_side

REAL = torch.ones(1, 10, dtype=torch.bool)


def refined(coarse, spread, edges=None, shifts=None, mask=REAL) -> list[float]:
    """Of one pair over ten steps; edges and shifts as {(step, 0 start or 1 end): value}, zero elsewhere."""
    at = torch.arange(10)[None, :, None].expand(1, -1, 2)
    filled = []
    for values in (edges or {}, shifts or {}):
        table = torch.zeros(1, 10, 2)
        for (step, side), value in values.items():
            table[0, step, side] = value
        filled.append(table)
    return refine(torch.tensor([coarse]), torch.tensor([[spread]]), at, *filled, mask[..., None])[0].tolist()


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


def test_the_coarse_boundary_takes_no_gradient_but_edges_and_shifts_do():
    coarse, edges, shifts = torch.tensor([[4.0, 6.0]]), torch.randn(1, 10, 2), torch.zeros(1, 10, 2)
    tensors = [tensor.requires_grad_() for tensor in (coarse, edges, shifts)]
    at = torch.arange(10)[None, :, None]
    refine(coarse, torch.ones(1, 1), at, edges, shifts, REAL[..., None]).sum().backward()
    assert tensors[0].grad is None and all(tensor.grad.abs().sum() > 0 for tensor in tensors[1:])


def made_up(rows: int, steps: int, real: int | None = None) -> Curves:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(rows, steps, *shape, generator=generator, dtype=torch.double)

    mask = (torch.arange(steps) < (steps if real is None else real)).expand(rows, -1)
    coarse = torch.cat([-normal(1).abs(), normal(1).abs()], dim=2) * 9
    return Curves(normal(), coarse, normal(1).abs() + 0.5, 3 * normal(2), torch.tensor(1.0), normal(2), mask)


def plain_boundaries(curves: Curves, row: int, step: int) -> list[float]:
    """One pair, one step at a time."""
    found = []
    for side in (0, 1):
        coarse, weights = step + float(curves.coarse[row, step, side]), {}
        length = int(curves.mask[row].sum())
        low = max(min(step + round(float(curves.coarse[row, step, side])) - REACH, length - (2 * REACH + 1)), 0)
        for t in range(low, min(low + 2 * REACH + 1, length)):
            edge = float(curves.sharpness * curves.edges[row, t, side])
            weights[t] = math.exp(edge - abs(t - coarse) / float(curves.spread[row, step]))
        mean = sum(weight * (t + float(curves.shifts[row, t, side])) for t, weight in weights.items())
        found.append(mean / sum(weights.values()) - step)
    return found


@pytest.mark.parametrize(
    "steps, real", [(1, None), (10, None), (10, 3), (2 * REACH + 1, None), (400, None), (400, 250)]
)
def test_boundaries_equal_the_plain_ones(steps, real):
    curves = made_up(3, steps, real)
    row, step = torch.tensor([2, 0, 1, 1]), torch.tensor([0, 0.3, 0.6, 0.999]).mul(real or steps).long()
    found = curves.boundaries(row, step).tolist()
    for pair, of in zip(found, zip(row.tolist(), step.tolist())):
        assert pair == pytest.approx(plain_boundaries(curves, *of))


def test_boundaries_of_no_pair():
    nothing = torch.zeros(0, dtype=torch.long)
    assert made_up(2, 10).boundaries(nothing, nothing).shape == (0, 2)


def test_stretches_side_by_side_are_the_whole():
    curves = made_up(2, 50)
    again = side_by_side([curves.stretch(0, 7), curves.stretch(7, 8), curves.stretch(8, 50)])
    row, step = torch.arange(50) % 2, torch.arange(50)
    assert_close(again.boundaries(row, step), curves.boundaries(row, step))
    assert_close(again.logits, curves.logits)
