import math

import pytest
import torch
from torch.testing import assert_close

from mmad.ops.prototype_calibration import calibration_loss, cosines, update_prototypes

AXES = torch.eye(3)  # prototypes of three classes


def test_prototypes_move_a_tenth_of_the_way_to_the_mean_of_the_true_positives():
    prototypes = torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
    features = torch.tensor([[3.0, 1.0], [5.0, 3.0], [7.0, 7.0], [1.0, 1.0]])
    update_prototypes(prototypes, features, torch.tensor([0, 0, 0, 1]), torch.tensor([True, True, False, False]))
    assert_close(prototypes, torch.tensor([[0.9 * 1 + 0.1 * 4, 0.1 * 2], [0.0, 2.0], [5.0, 5.0]]))


def test_cosines():
    found = cosines(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 3.0], [-4.0, 0.0]]))
    assert_close(found, torch.tensor([[math.sqrt(0.5), 0.0, -1.0], [0.0, 0.0, 0.0]]))


def test_a_sample_that_is_right_only_meets_its_prototype():
    """Every set is empty: l is 8 on its own class and 0 on the two others, times the factor of each set."""
    nobody = torch.tensor([False])
    misses = [(nobody, 1.0), (nobody, 0.1), (nobody, 0.5)]
    loss = calibration_loss(AXES[:1] * 7, AXES, torch.tensor([[9.0, 0, 0]]), torch.tensor([0]), misses)
    wanted = sum(math.log(1 + 2 * math.exp(-value)) for value in (8, 0.8, 4, 8))
    assert loss.item() == pytest.approx(wanted, rel=1e-5)


def test_two_samples_that_are_taken_for_each_other():
    """Both p of the true class are 1/4. FN of a class is the sample itself, cosine 1: nothing is corrected. FP of its
    class is the other one, cosine 0: its l is 8 - (1 - 1/4) alpha / tau = 7.25."""
    logits = torch.tensor([[0.0, math.log(3), -99.0], [math.log(3), 0.0, -99.0]]).double()
    missed, axes = torch.tensor([True, True]), AXES.double()
    loss = calibration_loss(axes[:2], axes, logits, torch.tensor([0, 1]), [(missed, 1.0)])
    wanted = math.log(1 + 2 * math.exp(-8)) + math.log(1 + 2 * math.exp(-7.25))
    assert loss.item() == pytest.approx(wanted, rel=1e-5)


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def by_loops(features, prototypes, logits, true, sets) -> float:
    """The formula, sample by sample. sets: (samples of FN by class, factor)."""
    count, classes = len(features), len(prototypes)
    predicted = [max(range(classes), key=row.__getitem__) for row in logits]
    false_positives = {k: [i for i in range(count) if predicted[i] == k != true[i]] for k in range(classes)}
    total = 0.0
    for i in range(count):
        p = math.exp(logits[i][true[i]]) / sum(math.exp(value) for value in logits[i])
        for members, factor, sign in [*((some, factor, 1) for some, factor in sets), (false_positives, 1.0, -1)]:
            scores = [cosine(features[i], prototype) for prototype in prototypes]
            chosen = members[true[i]]
            if chosen:
                mean = [sum(features[j][d] for j in chosen) / len(chosen) for d in range(len(features[0]))]
                scores[true[i]] += (sign * cosine(mean, features[i]) - 1) * (1 - p) * 0.125
            scores = [factor * score / 0.125 for score in scores]
            total += math.log(sum(math.exp(score) for score in scores)) - scores[true[i]]
    return total / count


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_what_loops_over_samples_and_sets_give(seed):
    torch.manual_seed(seed)
    features, prototypes, logits = torch.randn(9, 4).double(), torch.randn(3, 4).double(), torch.randn(9, 3).double()
    true, one, other = torch.randint(3, (9,)), torch.rand(9) < 0.4, torch.rand(9) < 0.4
    masks = [(one, 1.0), (other, 0.1)]
    sets = [
        ({k: [i for i in range(9) if mask[i] and true[i] == k] for k in range(3)}, factor) for mask, factor in masks
    ]
    found = calibration_loss(features, prototypes, logits, true, masks)
    wanted = by_loops(features.tolist(), prototypes.tolist(), logits.tolist(), true.tolist(), sets)
    assert found.item() == pytest.approx(wanted, rel=1e-9)


def test_gradients_are_finite_also_where_sets_are_empty_or_features_zero():
    features = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]], requires_grad=True)
    missed = torch.tensor([True, False])
    logits = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]], requires_grad=True)
    loss = calibration_loss(features, AXES, logits, torch.tensor([0, 1]), [(missed, 1.0)])
    loss.backward()
    assert loss.isfinite() and features.grad.isfinite().all() and logits.grad.isfinite().all()
