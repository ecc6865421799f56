"""Detection mAP as the official MMA-52 baseline computes it; numpy only.

1. IoU = intersection / (union + 1e-4), in seconds; thresholds 0.1, 0.2 ... 0.9.
2. Per class, the predictions of all videos are sorted by descending score; of equal scores the later one comes first.
3. A prediction in a video without truth of its class is a false positive. Otherwise, at each threshold independently,
   it is matched to the unmatched truth with the highest IoU, if that IoU reaches the threshold.
4. AP = area under the precision envelope; mAP = mean over the classes that have truth.

The official code gives NaN when a class without truth is predicted; such classes are left out here, and reported.
"""

from dataclasses import dataclass

import numpy as np

from mmad.labels import LabelSet
from mmad.records import Annotation, ApReport, Detections

# Exactly the official thresholds: 0.3 and 0.7 are 0.30000000000000004 and 0.7000000000000001 there.
THRESHOLDS = np.linspace(0.1, 0.9, 9)
EPSILON = 1e-4  # added to the union, in seconds
RECALLS = np.linspace(0, 1, 1001)  # of precision-recall curves


def evaluate(
    annotations: list[Annotation],
    detections: list[Detections],
    labels: LabelSet,
    thresholds: np.ndarray = THRESHOLDS,
    among: list[np.ndarray] | None = None,
) -> ApReport:
    """AP per class and threshold over the videos of `annotations`.

    A detection in a video that is not annotated is a false positive, as in the official evaluator.
    among: for each annotation (N,) bool, which of its actions are evaluated; the rest are ignored: neither true nor
    false positives. The official evaluator has no such option.
    """
    return _evaluate(annotations, detections, list(labels.actions), np.arange(len(labels)), thresholds, among)


def evaluate_parts(
    annotations: list[Annotation], detections: list[Detections], labels: LabelSet, thresholds: np.ndarray = THRESHOLDS
) -> ApReport:
    """AP per body part and threshold, with every action replaced by its body part."""
    return _evaluate(annotations, detections, list(labels.parts), np.asarray(labels.part_of), thresholds)


def _evaluate(
    annotations, detections, names: list[str], class_of: np.ndarray, thresholds: np.ndarray, among=None
) -> ApReport:
    """class_of: (labels,) the class that each label is evaluated as."""
    number_of = {item.video_id: i for i, item in enumerate(annotations)}
    truth_video, truth_segments, truth_class = flatten_records(annotations, number_of, class_of)
    found_video, found_segments, found_class = flatten_records(detections, number_of, class_of)
    order = _best_first(detections)  # then within each class
    order = order[np.argsort(found_class[order], kind="stable")]
    truth_order = np.argsort(truth_class, kind="stable")

    evaluated = np.concatenate(among) if among else np.ones(len(truth_class), dtype=bool)

    num_truth = np.bincount(truth_class, minlength=len(names))
    num_evaluated = np.bincount(truth_class[evaluated], minlength=len(names))
    num_found = np.bincount(found_class, minlength=len(names))
    ap = np.full((len(thresholds), len(names)), np.nan)
    truth_at, found_at = np.cumsum(num_truth) - num_truth, np.cumsum(num_found) - num_found
    for k in np.flatnonzero(num_evaluated):
        truth = truth_order[truth_at[k] : truth_at[k] + num_truth[k]]
        found = order[found_at[k] : found_at[k] + num_found[k]]
        of_class = (found_video[found], found_segments[found], truth_video[truth], truth_segments[truth])
        matched = match(*of_class, thresholds)
        is_counted = (matched < 0) | evaluated[truth][matched]
        ap[:, k] = average_precision(matched >= 0, num_evaluated[k], is_counted)
    without_truth = [names[k] for k in np.flatnonzero((num_truth == 0) & (num_found > 0))]
    return ApReport(np.asarray(thresholds), ap, num_evaluated, names, without_truth)


def _best_first(detections: list[Detections]) -> np.ndarray:
    """(M,) order by descending score; reversing a stable ascending sort puts the later of two equal scores first."""
    return np.argsort(np.concatenate([item.scores for item in detections] or [np.empty(0)]), kind="stable")[::-1]


def flatten_records(items, number_of: dict[str, int], class_of: np.ndarray):
    """(video numbers (M,), segments (M, 2), classes (M,)) of all records, one row per action or detection.

    A video that is not annotated has number -1.
    """
    videos = np.repeat([number_of.get(item.video_id, -1) for item in items], [len(item.labels) for item in items])
    segments = np.concatenate([item.segments for item in items] or [np.empty((0, 2))])
    labels = np.concatenate([item.labels for item in items] or [np.empty(0, dtype=np.int64)])
    return videos.astype(np.int64), segments, class_of[labels]


def match(
    found_video: np.ndarray,
    found_segments: np.ndarray,
    truth_video: np.ndarray,
    truth_segments: np.ndarray,
    thresholds: np.ndarray,
) -> np.ndarray:
    """The truth that each prediction of one class is matched to, -1 for none: (J, M) for J thresholds, M predictions.

    found_video: (M,) video numbers and found_segments: (M, 2), best first. truth_video: (N,). truth_segments: (N, 2).
    """
    matched_truth = np.full((len(thresholds), len(found_video)), -1)
    truths_of = _by_value(truth_video, np.arange(len(truth_video)))
    predictions_of = _by_value(found_video, np.flatnonzero(np.isin(found_video, truth_video)))
    for video, predictions in predictions_of.items():
        truths = truths_of[video][::-1]  # of two truths with equal IoU the official code matches the later
        best = _match_best_first(tiou(found_segments[predictions], truth_segments[truths]), thresholds)
        matched_truth[:, predictions] = np.where(best < 0, -1, truths[best])
    return matched_truth


def _by_value(values: np.ndarray, indices: np.ndarray) -> dict[int, np.ndarray]:
    """{value: the indices, of the given ascending ones, at which it occurs}"""
    order = indices[np.argsort(values[indices], kind="stable")]
    found, first = np.unique(values[order], return_index=True)
    return dict(zip(found.tolist(), np.split(order, first[1:])))


def _match_best_first(iou: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Matched truths (J, M), -1 for none, from the IoU (M, N) of the predictions of one video, best first, with its
    truths."""
    matched_truth = np.full((len(thresholds), len(iou)), -1)
    if iou.shape[1] == 1:  # by far the most frequent case: the first prediction that reaches the threshold
        reached = iou[:, 0] >= thresholds[:, None]
        first = reached.argmax(axis=1)
        matched_truth[np.arange(len(thresholds)), first] = np.where(reached.any(axis=1), 0, -1)  # 0: the only truth
        return matched_truth
    truth_taken = np.zeros((len(thresholds), iou.shape[1]), dtype=bool)
    for m in np.flatnonzero(iou.max(axis=1) >= thresholds.min()):
        free = np.where(truth_taken, -1.0, iou[m])  # (J, N)
        best = free.argmax(axis=1)
        hit = free[np.arange(len(thresholds)), best] >= thresholds
        matched_truth[hit, m] = best[hit]
        truth_taken[hit, best[hit]] = True
    return matched_truth


def tiou(segments1: np.ndarray, segments2: np.ndarray) -> np.ndarray:
    """IoU (M, N) of segments (M, 2) and (N, 2) in seconds, with the official 1e-4 s added to the union."""
    start = np.maximum(segments1[:, None, 0], segments2[None, :, 0])
    end = np.minimum(segments1[:, None, 1], segments2[None, :, 1])
    intersection = np.clip(end - start, 0, None)
    length1, length2 = segments1[:, 1] - segments1[:, 0], segments2[:, 1] - segments2[:, 0]
    return intersection / (length1[:, None] + length2[None, :] - intersection + EPSILON)


def average_precision(correct: np.ndarray, num_truth: int, is_counted: np.ndarray | None = None) -> np.ndarray:
    """Area under the precision envelope: (J, M) correct predictions, best first -> (J,); 0 where there are none.

    is_counted: (J, M) False for predictions that are ignored; default: none is.
    """
    is_counted = np.ones_like(correct) if is_counted is None else is_counted
    correct = correct & is_counted
    true = np.cumsum(correct, axis=1)
    precision = true / np.maximum(np.cumsum(is_counted, axis=1), 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return (envelope * correct).sum(axis=1) / num_truth


@dataclass
class PrecisionCurves:
    """Precision envelopes at one tIoU, fractions of 1: the highest precision at this recall or more.

    recalls: (R,). classes: (K, R), NaN for a class without truth; the area under a row is the AP of the class, that
    under their mean is mAP. parts: (P, R) of the detections of all classes of a body part together, correct as for
    their own class; NaN for a part without truth. part_ap: (P,) area under those.
    """

    recalls: np.ndarray
    classes: np.ndarray
    parts: np.ndarray
    part_ap: np.ndarray

    def mean(self) -> np.ndarray:
        """(R,) mean over the classes with truth; NaN if none has."""
        evaluated = self.classes[~np.isnan(self.classes[:, 0])]
        return evaluated.mean(axis=0) if len(evaluated) else np.full(len(self.recalls), np.nan)


def precision_curves(
    annotations: list[Annotation],
    detections: list[Detections],
    labels: LabelSet,
    threshold: float = 0.5,
    recalls: np.ndarray = RECALLS,
) -> PrecisionCurves:
    """The precision-recall curves at one tIoU; their areas are the APs of `evaluate`."""
    number_of = {item.video_id: i for i, item in enumerate(annotations)}
    everything = np.arange(len(labels))
    truth_video, truth_segments, truth_class = flatten_records(annotations, number_of, everything)
    found_video, found_segments, found_class = flatten_records(detections, number_of, everything)
    order = _best_first(detections)
    num_truth = np.bincount(truth_class, minlength=len(labels))
    correct = np.zeros(len(order), dtype=bool)
    classes = np.full((len(labels), len(recalls)), np.nan)
    for k in np.flatnonzero(num_truth):
        truth, found = np.flatnonzero(truth_class == k), order[found_class[order] == k]
        at = np.array([threshold])
        matched = match(found_video[found], found_segments[found], truth_video[truth], truth_segments[truth], at)
        correct[found] = matched[0] >= 0
        classes[k] = precision_at(correct[found], num_truth[k], recalls)

    part_of = np.asarray(labels.part_of)
    parts, part_ap = np.full((len(labels.parts), len(recalls)), np.nan), np.full(len(labels.parts), np.nan)
    for part in np.unique(part_of[num_truth > 0]):
        of_part = (part_of == part) & (num_truth > 0)
        found = order[of_part[found_class[order]]]
        parts[part] = precision_at(correct[found], num_truth[of_part].sum(), recalls)
        part_ap[part] = average_precision(correct[None, found], num_truth[of_part].sum())[0]
    return PrecisionCurves(recalls, classes, parts, part_ap)


def precision_at(correct: np.ndarray, num_truth: int, recalls: np.ndarray) -> np.ndarray:
    """Precision envelope (R,) of correct predictions (M,), best first; 0 at recalls that they do not reach."""
    true = np.cumsum(correct)
    precision = true / np.arange(1, len(true) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(true, recalls * num_truth - 1e-9)  # 0.3 * 10 is a little more than 3
    return np.append(envelope, 0.0)[reached]


def as_json(actions: ApReport, parts: ApReport) -> dict:
    """The content of `mmad map --json` and report.json: fractions of 1. Classes without truth are left out."""

    def summary(report: ApReport) -> dict:
        keys = [f"{threshold:.1f}" for threshold in report.thresholds]
        return {
            "average": report.average(),
            "average3": report.average_at(),
            "map": dict(zip(keys, report.mean_ap().tolist())),
        }

    keys = [f"{threshold:.1f}" for threshold in actions.thresholds]
    per_class = {
        name: dict(zip(keys, actions.ap[:, k].tolist()))
        for k, name in enumerate(actions.names)
        if actions.num_truth[k] > 0
    }
    return {
        **summary(actions),
        "body": summary(parts),
        "per_class": per_class,
        "left_out": [name for k, name in enumerate(actions.names) if actions.num_truth[k] == 0],
    }


def as_table(actions: ApReport, parts: ApReport) -> str:
    """The results that papers report, in percent, for actions and body parts."""
    head = "tIoU        " + "".join(f"{threshold:>7.1f}" for threshold in actions.thresholds)
    lines = [head + "   Avg .1:.9   Avg .2 .5 .7"]
    for title, report in (("action", actions), ("body part", parts)):
        values = "".join(f"{100 * value:7.2f}" for value in report.mean_ap())
        lines.append(f"{title:<12}{values}{100 * report.average():>12.2f}{100 * report.average_at():>15.2f}")
    evaluated = int((actions.num_truth > 0).sum())
    instances = int(actions.num_truth.sum())
    lines.append(f"mean over {evaluated} classes with truth of {len(actions.names)}, {instances} instances")
    if actions.without_truth:
        names = ", ".join(actions.without_truth[:3]) + (" ..." if len(actions.without_truth) > 3 else "")
        lines.append(f"left out, predicted but without truth: {len(actions.without_truth)} classes ({names})")
    return "\n".join(lines)
