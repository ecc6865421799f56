import pytest
import torch

from mmad.ops.assign import assign

STEPS = 16


def positives(actions: list[tuple[float, float, int]], real: int = STEPS, centre: float = 0.3) -> dict:
    """{index of the action: its positive steps}, of actions (start, end, pair) in three pairs."""
    table = torch.tensor(actions, dtype=torch.float32).reshape(-1, 3)
    mask = (torch.arange(STEPS) < real).expand(3, -1)
    action, pair, step, ignore = assign(table[:, :2], table[:, 2].long(), mask, centre)
    assert ignore.shape == (3, STEPS) and pair.tolist() == table[action, 2].tolist()
    return {index: step[action == index].tolist() for index in range(len(actions))}


def ignored(actions: list[tuple[float, float, int]], real: int = STEPS) -> list[list[int]]:
    table = torch.tensor(actions, dtype=torch.float32).reshape(-1, 3)
    mask = (torch.arange(STEPS) < real).expand(3, -1)
    ignore = assign(table[:, :2], table[:, 2].long(), mask, 0.3).ignore
    return [of_pair.nonzero()[:, 0].tolist() for of_pair in ignore]


def test_nothing_happens():
    assert positives([]) == {}
    assert ignored([]) == [[], [], []]


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
def test_the_middle_positives(action, steps):
    assert positives([(*action, 1)]) == {0: steps}


def test_centre_bounds_how_far_from_the_middle():
    assert positives([(2, 12, 0)], centre=0.1) == {0: [6, 7, 8]}
    assert positives([(2, 12, 0)], centre=9.0) == {0: list(range(2, 13))}  # but never beyond the action


def test_actions_of_different_pairs_are_independent():
    both = positives([(2, 12, 0), (6, 8, 2)])
    assert both == {0: positives([(2, 12, 0)])[0], 1: positives([(6, 8, 2)])[0]}


def test_two_actions_of_one_class_have_positives_each():
    assert positives([(0, 4, 1), (8, 12, 1)]) == {0: [1, 2, 3], 1: [9, 10, 11]}
    assert positives([(2, 12, 0), (6, 8, 0)])[1] == [7]  # one within the other


def test_masked_steps_are_never_positive():
    for action in ((5.5, 5.75, 0), (4, 6, 0), (4, 12, 0), (-0.5, 15.5, 0), (9, 10, 0)):
        found = positives([action], real=6)[0]
        assert found and max(found) < 6


def test_steps_within_actions_are_ignored():
    assert ignored([(2, 5, 0), (4, 6.5, 0), (9.2, 9.8, 1)]) == [[2, 3, 4, 5, 6], [], []]
    assert ignored([(2, 9, 2)], real=5) == [[], [], [2, 3, 4]]


def test_positives_are_counted_per_action():
    table = torch.tensor([[2.0, 12], [5.25, 5.375], [3, 3]])
    found = assign(table, torch.tensor([0, 1, 1]), torch.ones(2, STEPS, dtype=torch.bool), 0.3)
    assert found.action.tolist() == [0] * 7 + [1, 2] and found.per_action().tolist() == [7] * 7 + [1, 1]
    assert assign(table[:0], torch.zeros(0).long(), torch.ones(2, 4).bool(), 0.3).per_action().shape == (0,)
