import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, confusion_matrix, f1_score

from mmad.labels import MMA52
from mmad.metrics import recognition
from mmad.metrics.recognition import f1_mean, macro_f1, mean_average_precision, recognition_scores

PART_OF = np.asarray(MMA52.part_of)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [3, 52])
def test_figures_agree_with_scikit_learn(seed, classes):
    generator = np.random.default_rng(seed)
    truth = generator.integers(classes, size=200)
    ranked = generator.permuted(np.tile(np.arange(52), (200, 1)), axis=1)[:, :5]
    ranked[::2, 0] = truth[::2]  # some are right
    scores = recognition_scores(truth, ranked, PART_OF[ranked], MMA52)
    parts, found = PART_OF[truth], PART_OF[ranked[:, 0]]
    expected = {
        "action_top1": accuracy_score(truth, ranked[:, 0]),
        "action_top5": np.mean([t in row for t, row in zip(truth, ranked)]),
        "body_top1": accuracy_score(parts, found),
        "action_f1_macro": f1_score(truth, ranked[:, 0], average="macro"),
        "action_f1_micro": f1_score(truth, ranked[:, 0], average="micro"),
        "body_f1_macro": f1_score(parts, found, average="macro"),
        "body_f1_micro": f1_score(parts, found, average="micro"),
    }
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, abs=1e-12), name


def test_the_published_row_of_manet():
    keys = ("body_f1_macro", "body_f1_micro", "action_f1_macro", "action_f1_micro")
    assert f1_mean(dict(zip(keys, (72.87, 78.95, 49.22, 61.33)))) == pytest.approx(65.59, abs=0.005)


def test_macro_f1_by_hand():
    # class 0: 2 TP, 1 FP, 0 FN -> 4/5; class 1: 1 TP, 0 FP, 1 FN -> 2/3; class 2 occurs nowhere
    assert macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_top5_is_unknown_with_one_action_a_clip():
    scores = recognition_scores(np.array([0]), np.array([[0]]), np.array([[0]]), MMA52)
    assert scores["action_top5"] is None
    assert scores["f1_mean"] == 1.0


def test_confusion_has_truth_in_rows():
    truth, found = np.array([0, 0, 2]), np.array([1, 0, 2])
    ours = recognition.confusion_matrix(truth, found, 3)
    assert (ours == confusion_matrix(truth, found, labels=[0, 1, 2])).all()


@pytest.mark.parametrize("seed", range(5))
def test_mean_average_precision_agrees_with_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    truth = generator.random((60, 7)) < 0.2
    truth[:, 3] = False  # a class that does not occur is left out
    scores = np.round(generator.random((60, 7)) + truth, 1)  # with ties
    wanted = np.mean([average_precision_score(truth[:, k], scores[:, k]) for k in range(7) if truth[:, k].any()])
    assert mean_average_precision(truth, scores) == pytest.approx(wanted, abs=1e-12)
