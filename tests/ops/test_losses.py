import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from mmad.config import LossConfig, RecognitionLossConfig
from mmad.ops.losses import (
    detection_losses,
    diou_loss,
    embedding_loss,
    focal_loss,
    prototype_loss,
    recognition_losses,
    softmax_focal_loss,
)
from mmad.ops.recognition import NEAR_SCALE, part_membership


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("logit", [-3.0, 0.0, 0.5, 4.0])
def test_focal_is_the_textbook_formula(logit, target):
    alpha, gamma = 0.25, 2.0
    chance = 1 / (1 + math.exp(-logit))
    if target == 1:
        wanted = -alpha * (1 - chance) ** gamma * math.log(chance)
    else:
        wanted = -(1 - alpha) * chance**gamma * math.log(1 - chance)
    assert focal_loss(torch.tensor(logit), torch.tensor(target), alpha, gamma).item() == pytest.approx(wanted, rel=1e-4)


def test_focal_without_focus_is_half_of_cross_entropy():
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 7), torch.randint(0, 2, (5, 7)).float()
    wanted = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    assert_close(focal_loss(logits, targets, alpha=0.5, gamma=0.0), wanted / 2)


def test_focal_is_finite_far_out():
    logits = torch.tensor([-200.0, 200.0], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([1.0, 0.0])).sum()
    loss.backward()
    assert loss.item() == pytest.approx(200 * 0.25 + 200 * 0.75)
    assert logits.grad.isfinite().all()


def test_diou_loss():
    segments = torch.tensor([[0.0, 4], [0, 4], [0, 1]])
    targets = torch.tensor([[0.0, 4], [2, 6], [3, 4]])
    assert_close(diou_loss(segments, targets), torch.tensor([0, 1 - 2 / 6 + (2 / 6) ** 2, 1 + (3 / 4) ** 2]))


def test_detection_losses_by_hand():
    """Two points of one class, the second masked: only the first counts, and it is positive."""
    mask, positive = torch.tensor([[True, False]]), torch.tensor([[[True], [False]]])
    boundaries, target = torch.tensor([[[[0.0, 4]], [[0, 1]]]]), torch.tensor([[[[2.0, 6]], [[0, 0]]]])
    config = LossConfig(alpha=0.25, gamma=2.0, boundary=3.0)
    losses = detection_losses(torch.zeros(1, 2, 1), boundaries, mask, positive, target, config)
    assert losses["classify"].item() == pytest.approx(0.25 * 0.5**2 * math.log(2))
    assert losses["boundary"].item() == pytest.approx(3 * (1 - 2 / 6 + (2 / 6) ** 2))


def test_detection_losses_are_relative_to_the_positives():
    torch.manual_seed(0)
    batch = torch.randn(1, 3, 2), torch.rand(1, 3, 2, 2).cumsum(-1), torch.ones(1, 3, dtype=torch.bool)
    positive, target = torch.tensor([[[1, 0], [1, 1], [0, 0]]]).bool(), torch.rand(1, 3, 2, 2).cumsum(-1)
    once = detection_losses(*batch, positive, target, LossConfig())
    twice = detection_losses(*(torch.cat([t, t]) for t in (*batch, positive, target)), LossConfig())
    assert_close(once, twice)


def test_no_positives_give_finite_losses_and_gradients():
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 3, requires_grad=True)
    boundaries = torch.randn(2, 5, 3, 2, requires_grad=True)
    nothing = torch.zeros(2, 5, 3, dtype=torch.bool)
    losses = detection_losses(
        logits, boundaries, torch.ones(2, 5, dtype=torch.bool), nothing, torch.zeros(2, 5, 3, 2), LossConfig()
    )
    sum(losses.values()).backward()
    assert losses["boundary"] == 0 and losses["classify"] > 0
    assert logits.grad.isfinite().all() and logits.grad.abs().sum() > 0
    assert (boundaries.grad == 0).all()


def test_a_boundary_on_its_target_has_a_finite_gradient():
    boundaries = torch.tensor([[3.0, 3], [1, 2]], requires_grad=True)
    diou_loss(boundaries, torch.tensor([[3.0, 3], [1, 2]])).sum().backward()
    assert boundaries.grad.isfinite().all()


# --- recognition ------------------------------------------------------------------------------------------------

MEMBERSHIP = part_membership((0, 0, 1), 2)


def test_plain_recognition_is_cross_entropy():
    losses = recognition_losses(torch.zeros(2, 3), torch.eye(3)[:2], RecognitionLossConfig(), MEMBERSHIP)
    assert losses.keys() == {"classify"}
    assert losses["classify"].item() == pytest.approx(math.log(3))


def test_joint_embedding_loss_by_hand():
    vectors = torch.tensor([[1.0, 0, 0, 0], [0, 2.0, 0, 0]])
    assert embedding_loss(torch.zeros(2, 4), torch.eye(2), vectors).item() == pytest.approx((1 + 4) / 8)


def test_several_actions_aim_at_the_mean_of_their_vectors_and_none_at_nothing():
    vectors = torch.tensor([[1.0, 0], [0, 2.0]])
    both, none = torch.tensor([[1.0, 1.0]]), torch.zeros(1, 2)
    assert embedding_loss(torch.tensor([[0.5, 1.0]]), both, vectors).item() == 0
    assert embedding_loss(torch.tensor([[7.0, 7.0]]), none, vectors).item() == 0


def test_focal_loss_of_one_clip_by_hand():
    """p = 1/4 for the true class of two: (3/4)^2 x log 4."""
    logits = torch.tensor([[0.0, math.log(3)]])
    found = softmax_focal_loss(logits, torch.tensor([[1.0, 0.0]]), gamma=2.0)
    assert found.item() == pytest.approx(0.75**2 * math.log(4), rel=1e-5)


def test_focal_loss_without_focus_is_cross_entropy():
    torch.manual_seed(0)
    logits, targets = torch.randn(4, 5), torch.rand(4, 5).softmax(dim=1)
    assert_close(softmax_focal_loss(logits, targets, gamma=0.0), F.cross_entropy(logits, targets))


def test_sigmoid_lets_several_actions_hold():
    config = RecognitionLossConfig(kind="sigmoid")
    losses = recognition_losses(torch.zeros(2, 3), torch.tensor([[1.0, 1, 0], [0, 0, 0]]), config, MEMBERSHIP)
    assert losses["classify"].item() == pytest.approx(3 * math.log(2))


def test_the_part_head_learns_the_part():
    config = RecognitionLossConfig(part=2.0)
    parts = torch.tensor([[math.log(3), 0.0]])
    losses = recognition_losses(torch.zeros(1, 3), torch.tensor([[0.0, 1, 0]]), config, MEMBERSHIP, part_logits=parts)
    assert losses["part"].item() == pytest.approx(2 * math.log(4 / 3), rel=1e-5)


def test_prototypes_calibrate_only_clips_that_are_taken_for_something_else():
    near, targets = torch.tensor([[0.5, 0.2, 0.0]]), torch.tensor([[1.0, 0, 0]])
    draw = F.cross_entropy(NEAR_SCALE * near, targets)
    right, wrong = torch.tensor([[3.0, 0, 0]]), torch.tensor([[0.0, 3.0, 0]])
    assert_close(prototype_loss(near, targets, right), draw)
    gap = NEAR_SCALE * (0.2 - 0.5)
    assert prototype_loss(near, targets, wrong).item() == pytest.approx(draw.item() + math.log1p(math.exp(gap)))
