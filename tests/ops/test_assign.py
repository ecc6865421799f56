import pytest
import torch

from mmad.ops.assign import assign

STEPS = 16


def answers(actions: list[tuple[float, float, int]], real: int = STEPS, centre: float = 0.3) -> dict:
    """{index of the action: the steps that answer for it}, of actions (start, end, row) in three rows."""
    table = torch.tensor(actions, dtype=torch.float32).reshape(-1, 3)
    mask = (torch.arange(STEPS) < real).expand(3, -1)
    action, step, inside = assign(table[:, :2], table[:, 2].long(), mask, centre)
    assert inside.shape == (3, STEPS)
    return {index: step[action == index].tolist() for index in range(len(actions))}


def steps_inside(actions: list[tuple[float, float, int]], real: int = STEPS) -> list[list[int]]:
    table = torch.tensor(actions, dtype=torch.float32).reshape(-1, 3)
    mask = (torch.arange(STEPS) < real).expand(3, -1)
    inside = assign(table[:, :2], table[:, 2].long(), mask, 0.3)[2]
    return [row.nonzero()[:, 0].tolist() for row in inside]


def test_nothing_happens():
    assert answers([]) == {}
    assert steps_inside([]) == [[], [], []]


@pytest.mark.parametrize(
    "action, steps",
    [
        ((2, 12), [4, 5, 6, 7, 8, 9, 10]),  # middle 7, 0.3 of 10 steps to either side
        ((4, 6), [5]),  # 0.6 to either side
        ((3.5, 6.5), [5]),  # 0.9
        ((5.25, 5.375), [5]),  # shorter than a step: the nearest
        ((5.5, 5.75), [6]),
        ((3, 3), [3]),
        ((15.5, 15.75), [15]),  # beyond the last step
        ((-0.5, 15.5), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),  # the whole clip: 7.5 -+ 4.8
    ],
)
def test_the_middle_answers(action, steps):
    assert answers([(*action, 1)]) == {0: steps}


def test_centre_bounds_how_far_from_the_middle():
    assert answers([(2, 12, 0)], centre=0.1) == {0: [6, 7, 8]}
    assert answers([(2, 12, 0)], centre=9.0) == {0: list(range(2, 13))}  # but never beyond the action


def test_actions_of_different_rows_know_nothing_of_each_other():
    both = answers([(2, 12, 0), (6, 8, 2)])
    assert both == {0: answers([(2, 12, 0)])[0], 1: answers([(6, 8, 2)])[0]}


def test_two_of_one_class_each_have_their_steps():
    assert answers([(0, 4, 1), (8, 12, 1)]) == {0: [1, 2, 3], 1: [9, 10, 11]}
    assert answers([(2, 12, 0), (6, 8, 0)])[1] == [7]  # one within the other


def test_masked_steps_never_answer():
    for action in ((5.5, 5.75, 0), (4, 6, 0), (4, 12, 0), (-0.5, 15.5, 0), (9, 10, 0)):
        found = answers([action], real=6)[0]
        assert found and max(found) < 6


def test_what_lies_inside():
    assert steps_inside([(2, 5, 0), (4, 6.5, 0), (9.2, 9.8, 1)]) == [[2, 3, 4, 5, 6], [], []]
    assert steps_inside([(2, 9, 2)], real=5) == [[], [], [2, 3, 4]]
