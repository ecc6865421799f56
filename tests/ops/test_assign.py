import math

import torch

from mmad.ops.assign import Points, assign


def pyramid(steps: int, levels: int, reach: float) -> Points:
    """Level l has a point every 2^l steps and answers for offsets from reach * 2^(l-1) to reach * 2^l."""
    rows = []
    for level in range(levels):
        stride = 2.0**level
        low, high = reach * stride / 2 if level else 0, reach * stride if level < levels - 1 else math.inf
        rows += [(position, stride, low, high) for position in range(0, steps, int(stride))]
    return Points(*torch.tensor(rows).T)


POINTS = pyramid(16, levels=3, reach=2)  # positions 0..15, then 0 2 .. 14, then 0 4 8 12: 28 points


def answers(actions: list[tuple[float, float, int]], mask=None, centre=1.5) -> dict:
    """{(stride, position, class): (start, end)} of the positives."""
    table = torch.tensor(actions, dtype=torch.float32).reshape(-1, 3)
    mask = torch.ones(len(POINTS.position), dtype=torch.bool) if mask is None else mask
    positive, target = assign(POINTS, mask, table[:, :2], table[:, 2].long(), num_classes=3, centre=centre)
    assert positive.shape == (28, 3) and target.shape == (28, 3, 2)
    assert (target[~positive] == 0).all()
    return {
        (POINTS.stride[p].item(), POINTS.position[p].item(), k): tuple(target[p, k].tolist())
        for p, k in positive.nonzero().tolist()
    }


def test_nothing_happens():
    assert answers([]) == {}


def test_a_short_action_is_answered_at_the_finest_level():
    # half 1: within 1 of the middle, offsets below 2, so the middle point alone (its neighbours' larger offset is 2,
    # which is level 1's, but level 1 has no odd positions; its points 4 and 6 lie within the action)
    assert answers([(4, 6, 1)]) == {(1, 5, 1): (4, 6), (2, 4, 1): (4, 6), (2, 6, 1): (4, 6)}


def test_each_level_answers_for_its_own_offsets():
    # middle 8, half 3: offsets 3 at the middle, level 1 (2..4) answers; beside it at 6 and 10 they are 5: level 2
    # answers (4 and up), which has no such points, and its 8 is too near
    assert answers([(5, 11, 0)]) == {(2, 8, 0): (5, 11)}


def test_centre_bounds_how_far_from_the_middle():
    # middle 7, half 1.5, level 0 offsets 1.5 (at 7); 6 and 8 have 2.5, level 1 answers there
    assert answers([(5.5, 8.5, 0)]).keys() == {(1, 7, 0), (2, 6, 0), (2, 8, 0)}
    assert answers([(5.5, 8.5, 0)], centre=0.25).keys() == {(1, 7, 0)}


def test_two_classes_at_one_moment_both_get_their_own_target():
    found = answers([(5, 11, 0), (4, 12, 2)])
    assert found[2, 8, 0] == (5, 11)
    assert found[4, 8, 2] == (4, 12)
    same = answers([(5, 11, 0), (5.5, 10.5, 2)])
    assert same[2, 8, 0] == (5, 11)
    assert same[2, 8, 2] == (5.5, 10.5)


def test_of_one_class_the_shorter_wins_in_any_order():
    long, short = (5, 11, 0), (5.5, 10.5, 0)
    for actions in ([long, short], [short, long]):
        assert answers(actions)[2, 8, 0] == (5.5, 10.5)


def test_a_tiny_action_gets_the_nearest_point():
    assert answers([(5.25, 5.375, 1)]) == {(1, 5, 1): (5.25, 5.375)}
    assert answers([(5.5, 5.75, 2)]) == {(1, 6, 2): (5.5, 5.75)}
    assert answers([(3, 3, 0)]) == {(1, 3, 0): (3, 3)}


def test_an_action_beyond_the_last_point_gets_the_last_one():
    assert answers([(15.5, 15.75, 0)]) == {(1, 15, 0): (15.5, 15.75)}


def test_a_whole_clip_lands_on_the_coarsest_level():
    # middle 7.5, within 1.5 strides of 4 of it: 4, 8 and 12
    assert answers([(-0.5, 15.5, 1)]) == {(4, p, 1): (-0.5, 15.5) for p in (4, 8, 12)}


def test_masked_points_are_never_chosen():
    real = POINTS.position < 6
    for action in ((5.5, 5.75, 0), (4, 6, 0), (4, 12, 0), (-0.5, 15.5, 0), (9, 10, 0)):
        found = answers([action], mask=real)
        assert found and all(position < 6 for _, position, _ in found)


def test_half_open_levels_leave_no_offset_unanswered():
    # offsets of exactly 2 and 4 are where one level ends and the next begins
    for half, stride in ((2, 2), (4, 4)):
        assert [s for s, position, _ in answers([(8 - half, 8 + half, 0)]) if position == 8] == [stride]
