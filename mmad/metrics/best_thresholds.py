"""Score threshold per class with the highest event F1, from videos with known truth. Numpy only.

Event F1 is 2 TP / (detections + truths) at one tIoU. Detections are matched to truths in the order of their scores, as
for mAP, so that a higher threshold does not change the matches of the remaining detections.
"""

from dataclasses import dataclass

import numpy as np

from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.metrics.average_precision import flatten_records, match
from mmad.records import Annotation, Detections


@dataclass
class Thresholds:
    """Of K classes. values: (K,) score thresholds. f1: (K,) event F1 with them, NaN without truth.

    pooled: the best common threshold of all classes, and pooled_f1 its F1 over all events. It is also used in `values`
    for classes without truth or without a correct detection.
    """

    names: list[str]
    tiou: float
    values: np.ndarray
    f1: np.ndarray
    num_truth: np.ndarray
    pooled: float
    pooled_f1: float


def fit_thresholds(
    annotations: list[Annotation], detections: list[Detections], labels: LabelSet, at_tiou: float = 0.5
) -> Thresholds:
    """The best thresholds. Detections in videos that are not annotated are false positives, as for mAP."""
    if not 0 < at_tiou < 1:
        raise InputError("--tiou", f"{at_tiou:g}", "expected a number between 0 and 1")
    scores, label, correct, num_truth = matched(annotations, detections, labels, at_tiou)
    best = np.full((len(labels), 2), np.nan)  # score, F1
    for k in range(len(labels)):
        found = np.flatnonzero(label == k)
        found = found[np.argsort(-scores[found], kind="stable")]
        best[k] = best_cut(scores[found], correct[found], num_truth[k])
    order = np.argsort(-scores, kind="stable")
    pooled, pooled_f1 = best_cut(scores[order], correct[order], num_truth.sum())
    useful = best[:, 1] > 0
    f1 = np.where(num_truth > 0, best[:, 1], np.nan)
    values = np.where(useful, best[:, 0], pooled)
    return Thresholds(list(labels.actions), at_tiou, values, f1, num_truth, pooled, pooled_f1)


def matched(
    annotations: list[Annotation], detections: list[Detections], labels: LabelSet, at_tiou: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of all M detections: scores (M,), labels (M,), whether they are matched (M,) bool; and truths per class (K,)."""
    number_of = {item.video_id: i for i, item in enumerate(annotations)}
    every_class = np.arange(len(labels))
    truth_video, truth_segments, truth_class = flatten_records(annotations, number_of, every_class)
    video, segments, label = flatten_records(detections, number_of, every_class)
    scores = np.concatenate([item.scores for item in detections] or [np.empty(0)])
    correct = np.zeros(len(scores), dtype=bool)
    for k in range(len(labels)):
        found, true = np.flatnonzero(label == k), truth_class == k
        found = found[np.argsort(-scores[found], kind="stable")]
        partner = match(video[found], segments[found], truth_video[true], truth_segments[true], np.array([at_tiou]))
        correct[found] = partner[0] >= 0
    return scores, label, correct, np.bincount(truth_class, minlength=len(labels))


def best_cut(scores: np.ndarray, correct: np.ndarray, num_truth: int) -> tuple[float, float]:
    """(score, F1) of the best threshold for detections (M,), best first; of equally good thresholds the highest.

    (1, 0) where no detection is correct.
    """
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]  # equal scores are kept or dropped together
    f1 = np.where(last, 2 * np.cumsum(correct) / (np.arange(1, len(scores) + 1) + num_truth), -1.0)
    if not correct.any():
        return 1.0, 0.0
    at = int(f1.argmax())
    return float(scores[at]), float(f1[at])


def as_json(result: Thresholds) -> dict:
    """The content of the file that `mmad.formats.score_thresholds.read_thresholds` reads."""
    return {
        "version": "mmad-1",
        "tiou": result.tiou,
        "pooled": result.pooled,
        "pooled_f1": result.pooled_f1,
        "thresholds": dict(zip(result.names, result.values.tolist())),
        "f1": {name: float(f1) for name, f1 in zip(result.names, result.f1) if not np.isnan(f1)},
    }


def as_table(result: Thresholds) -> str:
    lines = [f"{'action':<32}{'truths':>7}{'score':>9}{'F1':>8}"]
    for k in np.flatnonzero(result.num_truth > 0):
        note = "  (pooled score)" if result.f1[k] == 0 else ""
        lines.append(f"{result.names[k]:<32}{result.num_truth[k]:>7}{result.values[k]:>9.4f}{result.f1[k]:>8.3f}{note}")
    total = f"{result.num_truth.sum():>7}{result.pooled:>9.4f}{result.pooled_f1:>8.3f}"
    lines.append(f"{'pooled: one score for all':<32}{total}")
    return "\n".join(lines)
