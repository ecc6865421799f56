import math

import pytest
import torch
from torch.testing import assert_close

from mmad.ops.dense_predictions import SEARCH_RADIUS, Candidates, DensePredictions, join_windows, refine_boundaries

REAL = torch.ones(1, 10, dtype=torch.bool)


def refined(regressed, spread, logits=None, offsets=None, mask=REAL) -> list[float]:
    """Of one action over ten steps; boundary logits and offsets as {(step, 0 start or 1 end): value}, else zero."""
    at = torch.arange(10)[None, :, None].expand(1, -1, 2)
    filled = []
    for values in (logits or {}, offsets or {}):
        table = torch.zeros(1, 10, 2)
        for (step, side), value in values.items():
            table[0, step, side] = value
        filled.append(table)
    candidates = Candidates(at, *filled, mask[..., None])
    return refine_boundaries(torch.tensor([regressed]), torch.tensor([[spread]]), candidates)[0].tolist()


def test_without_boundary_logits_the_regressed_boundary_stays():
    assert refined([4.0, 5.0], 0.1) == pytest.approx([4, 5], abs=1e-3)
    assert refined([4.5, 4.5], 0.1) == pytest.approx([4.5, 4.5], abs=1e-3)  # between two steps: half of each


def test_a_clear_boundary_nearby_is_taken():
    assert refined([4.0, 7.0], 1.0, {(3, 0): 30.0, (8, 1): 30.0}) == pytest.approx([3, 8], abs=1e-3)


def test_a_boundary_of_the_other_kind_is_not():
    assert refined([4.0, 7.0], 0.2, {(3, 1): 30.0}) == pytest.approx([4, 3], abs=1e-2)


def test_a_boundary_far_away_counts_less_than_one_nearby():
    """At 2 and 6 steps from the regressed start, with spread 1: e^-2 to e^-6, the rest is far below."""
    start, _ = refined([2.0, 9.0], 1.0, {(4, 0): 50.0, (8, 0): 50.0})
    near, far = math.exp(-2), math.exp(-6)
    assert start == pytest.approx((4 * near + 8 * far) / (near + far), abs=1e-4)


def test_boundary_offsets_move_the_boundary_between_steps():
    logits = {(3, 0): 30.0, (8, 1): 30.0}
    assert refined([3.0, 8.0], 1.0, logits, {(3, 0): 0.4, (8, 1): -0.3}) == pytest.approx([3.4, 7.7], abs=1e-3)


def test_masked_steps_are_never_boundaries():
    mask = torch.arange(10)[None] < 5
    assert refined([4.0, 4.0], 5.0, {(8, 1): 50.0}, mask=mask)[1] < 4


def test_the_regressed_boundary_takes_no_gradient_but_logits_and_offsets_do():
    regressed, logits, offsets = torch.tensor([[4.0, 6.0]]), torch.randn(1, 10, 2), torch.zeros(1, 10, 2)
    tensors = [tensor.requires_grad_() for tensor in (regressed, logits, offsets)]
    at = torch.arange(10)[None, :, None]
    refine_boundaries(regressed, torch.ones(1, 1), Candidates(at, logits, offsets, REAL[..., None])).sum().backward()
    assert tensors[0].grad is None and all(tensor.grad.abs().sum() > 0 for tensor in tensors[1:])


def made_up(pairs: int, steps: int, real: int | None = None) -> DensePredictions:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(pairs, steps, *shape, generator=generator, dtype=torch.double)

    mask = (torch.arange(steps) < (steps if real is None else real)).expand(pairs, -1)
    offsets = torch.cat([-normal(1).abs(), normal(1).abs()], dim=2) * 9
    spread = normal(1).abs() + 0.5
    return DensePredictions(normal(), offsets, spread, 3 * normal(2), normal(2), torch.tensor(1.0), mask)


def plain_boundaries(predictions: DensePredictions, pair: int, step: int) -> list[float]:
    """One action, one step at a time."""
    found = []
    for side in (0, 1):
        offset, weights = float(predictions.offsets[pair, step, side]), {}
        regressed, length = step + offset, int(predictions.mask[pair].sum())
        low = max(min(step + round(offset) - SEARCH_RADIUS, length - (2 * SEARCH_RADIUS + 1)), 0)
        for t in range(low, min(low + 2 * SEARCH_RADIUS + 1, length)):
            logit = float(predictions.sharpness * predictions.boundary_logits[pair, t, side])
            weights[t] = math.exp(logit - abs(t - regressed) / float(predictions.spread[pair, step]))
        offsets = predictions.boundary_offsets[pair, :, side]
        mean = sum(weight * (t + float(offsets[t])) for t, weight in weights.items())
        found.append(mean / sum(weights.values()) - step)
    return found


@pytest.mark.parametrize(
    "steps, real",
    [(1, None), (10, None), (10, 3), (2 * SEARCH_RADIUS + 1, None), (400, None), (400, 250)],
)
def test_boundaries_equal_the_plain_ones(steps, real):
    predictions = made_up(3, steps, real)
    pair, step = torch.tensor([2, 0, 1, 1]), torch.tensor([0, 0.3, 0.6, 0.999]).mul(real or steps).long()
    found = predictions.boundaries(pair, step).tolist()
    for boundaries, of in zip(found, zip(pair.tolist(), step.tolist())):
        assert boundaries == pytest.approx(plain_boundaries(predictions, *of))


def test_boundaries_of_no_action():
    nothing = torch.zeros(0, dtype=torch.long)
    assert made_up(2, 10).boundaries(nothing, nothing).shape == (0, 2)


def test_cropped_predictions_concatenated_are_the_whole():
    predictions = made_up(2, 50)
    again = join_windows([predictions.crop(0, 7), predictions.crop(7, 8), predictions.crop(8, 50)])
    pair, step = torch.arange(50) % 2, torch.arange(50)
    assert_close(again.boundaries(pair, step), predictions.boundaries(pair, step))
    assert_close(again.logits, predictions.logits)
