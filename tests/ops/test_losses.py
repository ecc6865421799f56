import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from mmad.config import LossConfig, RecognitionLossConfig
from mmad.labels import MMA52
from mmad.ops.assign import assign
from mmad.ops.clip_probabilities import SIMILARITY_SCALE, part_membership
from mmad.ops.dense_predictions import DensePredictions
from mmad.ops.losses import (
    detection_losses,
    diou_loss,
    embedding_loss,
    focal_loss,
    prototype_loss,
    recognition_losses,
    softmax_focal_loss,
    state_scores,
    tree_loss,
    tree_loss_of_steps,
)


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("logit", [-3.0, 0.0, 0.5, 4.0])
def test_focal_is_the_textbook_formula(logit, target):
    alpha, gamma = 0.25, 2.0
    probability = 1 / (1 + math.exp(-logit))
    if target == 1:
        wanted = -alpha * (1 - probability) ** gamma * math.log(probability)
    else:
        wanted = -(1 - alpha) * probability**gamma * math.log(1 - probability)
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


def flat_predictions(pairs: int, steps: int, real: int | None = None) -> DensePredictions:
    """Every logit 0, every regressed boundary one step away, every boundary offset 0."""
    offsets = torch.tensor([-1.0, 1.0]).expand(pairs, steps, -1)
    mask = (torch.arange(steps) < (steps if real is None else real)).expand(pairs, -1)
    spread, zeros = torch.ones(pairs, steps, 1), torch.zeros(pairs, steps, 2)
    return DensePredictions(torch.zeros(pairs, steps), offsets, spread, zeros, zeros, torch.tensor(1.0), mask)


def losses_of(predictions: DensePredictions, actions: list[tuple[float, float, int]], weights=None, **settings) -> dict:
    """Of actions (start, end, pair), with boundary losses at all positives."""
    table, config = torch.tensor(actions, dtype=torch.float32).reshape(-1, 3), LossConfig(**settings)
    weights = torch.ones(len(predictions.mask)) if weights is None else torch.tensor(weights)
    segments = table[:, :2]
    positives = assign(segments, table[:, 2].long(), predictions.mask, config.centre)
    return detection_losses(predictions, segments, weights, positives, positives, config)


def test_classification_by_hand():
    """An action over steps 2 to 6 of 8: 3, 4 and 5 are positive and weigh 2 in all, 2 and 6 are ignored, 0, 1 and 7 are
    negative."""
    positive, negative = 0.25 * 0.5**2 * math.log(2), 0.75 * 0.5**2 * math.log(2)
    losses = losses_of(flat_predictions(1, 8), [(2, 6, 0)])
    assert losses["classify"].item() == pytest.approx(2 * positive + 3 * negative)
    losses = losses_of(flat_predictions(1, 8, real=7), [(2, 6, 0)])
    assert losses["classify"].item() == pytest.approx(2 * positive + 2 * negative)
    losses = losses_of(
        flat_predictions(2, 8), [(2, 6, 0)], weights=[1.0, 5.0]
    )  # a pair without actions that represents five
    assert losses["classify"].item() == pytest.approx(2 * positive + 3 * negative + 5 * 8 * negative)
    losses = losses_of(flat_predictions(2, 8), [(2, 6, 0), (2, 6, 1)])
    assert losses["classify"].item() == pytest.approx(2 * positive + 3 * negative)  # relative to the actions


def test_regressed_boundaries_by_hand():
    """Steps 3, 4, 5 are positive for (2, 6) and predict (2, 4), (3, 5), (4, 6): the action's loss is their mean."""
    target = torch.tensor([[2.0, 6.0]])
    each = [diou_loss(torch.tensor([[t - 1.0, t + 1.0]]), target).item() for t in (3, 4, 5)]
    assert losses_of(flat_predictions(1, 8), [(2, 6, 0)])["regress"].item() == pytest.approx(sum(each) / 3)
    losses = losses_of(flat_predictions(2, 8), [(2, 6, 0), (4.5, 5.5, 1)], boundary=3.0)
    short = diou_loss(torch.tensor([[4.0, 6.0]]), torch.tensor([[4.5, 5.5]])).item()  # only step 5 is positive
    assert losses["regress"].item() == pytest.approx(3 * (sum(each) / 3 + short) / 2)


def test_refined_boundaries_have_a_loss_too():
    predictions = flat_predictions(1, 8)
    step = torch.tensor([3, 4, 5])
    wanted = diou_loss(step[:, None] + predictions.boundaries(torch.zeros_like(step), step), torch.tensor([2.0, 6]))
    assert losses_of(predictions, [(2, 6, 0)])["refine"].item() == pytest.approx(wanted.mean().item())


def test_no_actions_give_finite_losses_and_gradients():
    predictions = flat_predictions(2, 5)
    names = ("logits", "offsets", "boundary_logits", "boundary_offsets")
    leaves = [getattr(predictions, name).clone().requires_grad_() for name in names]
    losses = losses_of(replace(predictions, **dict(zip(names, leaves))), [])
    sum(losses.values()).backward()
    assert losses["regress"] == losses["refine"] == 0 and losses["classify"] > 0
    assert leaves[0].grad.abs().sum() > 0
    assert all(leaf.grad is None or leaf.grad.isfinite().all() for leaf in leaves)


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


def test_the_target_of_several_actions_is_the_mean_of_their_vectors_and_none_has_no_target():
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


def test_tree_loss_by_hand():
    """Every q is 1/2: J = e^0.5 of a part alone (two), e of an action with its part (three)."""
    flat = tree_loss(torch.zeros(1, 3), torch.zeros(1, 2), torch.tensor([[0.0, 1, 0]]), MEMBERSHIP)
    assert flat.item() == pytest.approx(math.log((2 * math.exp(0.5) + 3 * math.e) / math.e), rel=1e-6)


def test_tree_loss_is_a_sum_over_the_legal_states():
    """J of each state by a loop over what belongs to it, against the tensors' way."""
    torch.manual_seed(0)
    logits, part_logits, true = torch.randn(4, 3), torch.randn(4, 2), (2, 0, 1, 1)
    states = ({"one"}, {"two"}, {"one", "red"}, {"one", "green"}, {"two", "blue"})
    wanted = 0.0
    for i, action in enumerate(true):
        values = zip(("one", "two", "red", "green", "blue"), [*part_logits[i].tolist(), *logits[i].tolist()])
        q = {name: 1 / (1 + math.exp(-value)) for name, value in values}
        likely = [math.exp(sum(q[name] for name in state)) for state in states]
        wanted -= math.log(likely[2 + action] / sum(likely)) / len(true)
    targets = F.one_hot(torch.tensor(true), 3).float()
    assert tree_loss(logits, part_logits, targets, MEMBERSHIP).item() == pytest.approx(wanted, rel=1e-5)
    blended = 0.25 * targets + 0.75 * targets[:, [1, 0, 2]]
    parts = [tree_loss(logits, part_logits, some, MEMBERSHIP) for some in (targets, targets[:, [1, 0, 2]])]
    assert_close(tree_loss(logits, part_logits, blended, MEMBERSHIP), 0.25 * parts[0] + 0.75 * parts[1])


def test_the_52_have_59_legal_states():
    scores = state_scores(torch.full((1, 52), 50.0), torch.full((1, 7), -50.0), part_membership(MMA52.part_of, 7))
    assert scores.shape == (1, 59)
    assert_close(scores[0], torch.tensor([0.0] * 7 + [1.0] * 52))


def test_tree_loss_of_steps_by_hand():
    """Every q is 1/2. Beside the five states there is "nothing", J = 1. Of two actions the loss is the mean."""
    targets = torch.tensor([[[0.0, 0, 0], [0, 1, 0], [1, 0, 1]]])
    flat = tree_loss_of_steps(torch.zeros(1, 3, 3), torch.zeros(1, 3, 2), targets, MEMBERSHIP)
    total = math.log(1 + 2 * math.exp(0.5) + 3 * math.e)
    assert_close(flat, torch.tensor([[total, total - 1, total - 1]]))
    # q is 1 for the first action and its part, 0 for the others: J is e^2 of it, e of the other action of its part
    logits, parts = torch.tensor([50.0, -50, -50]).expand(1, 3, 3), torch.tensor([50.0, -50]).expand(1, 3, 2)
    total = math.log(math.exp(2) + math.e + 1 + math.e + 1 + 1)  # actions one, two, three; parts one, two; nothing
    found = tree_loss_of_steps(logits, parts, targets, MEMBERSHIP)
    assert_close(found, torch.tensor([[total, total - 1, total - (2 + 0) / 2]]))


def test_the_tree_is_one_of_the_losses_where_it_has_a_weight():
    parts, targets = torch.zeros(1, 2), torch.tensor([[0.0, 1, 0]])
    config = RecognitionLossConfig(part=1.0, tree=3.0)
    losses = recognition_losses(torch.zeros(1, 3), targets, config, MEMBERSHIP, part_logits=parts)
    assert losses["tree"].item() == pytest.approx(3 * math.log(3 + 2 * math.exp(-0.5)), rel=1e-6)
    plain = recognition_losses(torch.zeros(1, 3), targets, RecognitionLossConfig(part=1.0), MEMBERSHIP, parts)
    assert plain.keys() == {"classify", "part"}


def test_prototypes_push_only_misclassified_clips():
    similarity, targets = torch.tensor([[0.5, 0.2, 0.0]]), torch.tensor([[1.0, 0, 0]])
    pull = F.cross_entropy(SIMILARITY_SCALE * similarity, targets)
    right, wrong = torch.tensor([[3.0, 0, 0]]), torch.tensor([[0.0, 3.0, 0]])
    assert_close(prototype_loss(similarity, targets, right), pull)
    gap = SIMILARITY_SCALE * (0.2 - 0.5)
    assert prototype_loss(similarity, targets, wrong).item() == pytest.approx(pull.item() + math.log1p(math.exp(gap)))
