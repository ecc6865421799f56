import math

import pytest
import torch
from torch.testing import assert_close

from mmad.ops.probe_targets import add_body_parts, probe_targets


def test_scores_by_hand():
    targets = probe_targets(8, torch.tensor([[1.0, 5.0]]), torch.tensor([1]), num_classes=2)
    assert targets.shape == (8, 2, 3)
    assert (targets[:, 0] == 0).all()
    assert targets[:, 1, 0].tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
    # bumps about 1.5 and 4.5, standard deviation 1
    assert targets[:, 1, 1].tolist() == pytest.approx([math.exp(-0.5 * (t - 1.5) ** 2) for t in range(8)])
    assert targets[:, 1, 2].tolist() == pytest.approx([math.exp(-0.5 * (t - 4.5) ** 2) for t in range(8)])


def test_of_two_of_one_class_the_larger_bump_counts():
    one, two = torch.tensor([[0.0, 3.0]]), torch.tensor([[2.0, 7.0]])
    label = torch.tensor([0])
    both = probe_targets(9, torch.cat([one, two]), torch.tensor([0, 0]), num_classes=1)
    assert_close(both, torch.maximum(probe_targets(9, one, label, 1), probe_targets(9, two, label, 1)))


def test_no_actions():
    assert (probe_targets(4, torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), num_classes=3) == 0).all()


def test_a_part_is_the_largest_of_its_classes():
    targets = torch.tensor([[[0.2], [0.7], [0.4]], [[0.0], [0.0], [1.0]]])  # (2, 3, 1)
    found = add_body_parts(targets, torch.tensor([0, 0, 2]), num_parts=3)
    assert_close(found[:, :3], targets)
    assert found[:, 3:, 0].tolist() == [pytest.approx([0.7, 0, 0.4]), [0, 0, 1]]
