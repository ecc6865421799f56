import math

import pytest
import torch
from torch.testing import assert_close

from mmad.labels import MMA52
from mmad.ops.clip_probabilities import SIMILARITY_SCALE, clip_probabilities, part_membership

MEMBERSHIP = part_membership((0, 0, 1), 2)


def test_membership_of_the_52():
    membership = part_membership(MMA52.part_of, 7)
    assert membership.shape == (52, 7) and (membership.sum(dim=1) == 1).all()
    assert membership[51, 6] == 1


def test_without_branches_it_is_softmax():
    logits = torch.tensor([[0.0, math.log(2), math.log(5)]])
    assert_close(clip_probabilities(logits, MEMBERSHIP), torch.tensor([[1 / 8, 2 / 8, 5 / 8]]))


def test_soft_fusion_by_hand():
    """P(action | part) is 1/3, 2/3 and 1; the part head says 3/4 for the first part."""
    logits = torch.tensor([[0.0, math.log(2), math.log(5)]])
    parts = torch.tensor([[math.log(3), 0.0]])
    fused = clip_probabilities(logits, MEMBERSHIP, parts)
    assert_close(fused, torch.tensor([[0.25, 0.5, 0.25]]))


@pytest.mark.parametrize("sure", [50.0, 200.0, 1e4])
def test_soft_fusion_where_the_actions_rule_out_what_the_part_head_is_sure_of(sure):
    """P(action | part) of the first part is 1/2, 1/2, however small the part's own share."""
    fused = clip_probabilities(torch.tensor([[0.0, 0.0, 1000.0]]), MEMBERSHIP, torch.tensor([[sure, 0.0]]))
    assert_close(fused, torch.tensor([[0.5, 0.5, 0.0]]))


def test_a_part_without_classes():
    logits, parts = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[5.0, 0.0, 5.0]])
    assert_close(clip_probabilities(logits, part_membership((0, 0), 3), parts), torch.tensor([[0.25, 0.75]]))


def test_prototypes_influence_the_probabilities():
    """Equal logits: the cosines decide, as logits of SIMILARITY_SCALE times their size."""
    similarity = torch.tensor([[0.3, 0.1, 0.1]])
    assert_close(
        clip_probabilities(torch.zeros(1, 3), MEMBERSHIP, similarity=similarity),
        (SIMILARITY_SCALE * similarity).softmax(dim=1),
    )
