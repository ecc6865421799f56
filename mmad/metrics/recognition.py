"""Recognition metrics of MA-52: top-1, macro and micro F1 for actions and body parts, top-5 for actions; numpy only.

F1_mean = (body macro + body micro + action macro + action micro) / 4. Macro F1 is the mean over the classes that occur
in the truth or in the predictions, as scikit-learn's; micro F1 of single labels is top-1.
"""

import numpy as np

from mmad.labels import LabelSet


def recognition_scores(
    truth: np.ndarray, actions: np.ndarray, parts: np.ndarray, labels: LabelSet
) -> dict[str, float | None]:
    """All recognition metrics, fractions of 1.

    truth: (N,) action ids. actions: (N, R) predicted actions, best first. parts: (N, R') predicted body parts.
    `action_top5` is None where fewer than five actions per clip are given.
    """
    part_of = np.asarray(labels.part_of)
    scores = {
        "action_top1": float((actions[:, 0] == truth).mean()),
        "action_top5": float((actions[:, :5] == truth[:, None]).any(axis=1).mean()) if actions.shape[1] >= 5 else None,
        "body_top1": float((parts[:, 0] == part_of[truth]).mean()),
        "action_f1_macro": macro_f1(truth, actions[:, 0]),
        "action_f1_micro": float((actions[:, 0] == truth).mean()),
        "body_f1_macro": macro_f1(part_of[truth], parts[:, 0]),
        "body_f1_micro": float((parts[:, 0] == part_of[truth]).mean()),
    }
    return {**scores, "f1_mean": f1_mean(scores)}


def f1_mean(scores: dict) -> float:
    """The metric that the challenge ranks by."""
    keys = ("body_f1_macro", "body_f1_micro", "action_f1_macro", "action_f1_micro")
    return sum(scores[key] for key in keys) / 4


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN); classes are those that occur in either (N,) array."""
    size = int(max(truth.max(), predicted.max())) + 1
    right = np.bincount(truth[truth == predicted], minlength=size)
    either = np.bincount(truth, minlength=size) + np.bincount(predicted, minlength=size)
    return float((2 * right[either > 0] / either[either > 0]).mean())


def mean_average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean average precision over the classes that occur, for samples with several labels; NaN if none occurs.

    truth: (N, K) of 0 and 1. scores: (N, K). AP = sum over recall steps of step x precision, with equal scores as one
    step, as scikit-learn's `average_precision_score`.
    """
    found = []
    for right, score in zip(truth.T.astype(bool), scores.T):
        if not right.any():
            continue
        order = np.argsort(-score, kind="stable")
        last = np.r_[np.flatnonzero(np.diff(score[order])), len(order) - 1]  # the last of each run of equal scores
        hits = np.cumsum(right[order])[last]
        found.append(float((np.diff(hits, prepend=0) * hits / (last + 1)).sum() / right.sum()))
    return float(np.mean(found)) if found else float("nan")


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """(K, K) counts; row = truth, column = prediction."""
    return np.bincount(truth * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def as_table(scores: dict[str, float | None]) -> str:
    """One metric per line, in percent."""
    lines = [f"{name:<18}{'  --' if value is None else f'{100 * value:6.2f}'}" for name, value in scores.items()]
    return "\n".join(lines)
