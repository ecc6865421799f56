"""Why mAP is lost: the kind of every false positive, the mAP gain of fixing each kind, and which actions are missed.

In the spirit of Hoiem et al., ECCV 2012, Alwassel et al., ECCV 2018, and TIDE (Bolya et al., ECCV 2020); the matching
is the official metric's, at one tIoU. Numpy only.
"""

from dataclasses import dataclass, field

import numpy as np

from mmad.labels import LabelSet
from mmad.metrics.average_precision import evaluate, match, tiou
from mmad.records import Annotation, Detections

KINDS = (
    "true",
    "duplicate",  # of an action that a detection with a higher score found
    "boundary",  # correct class, but too little overlap
    "wrong class, right part",  # enough overlap with an action of another class of the same body part
    "wrong class",  # enough overlap with an action of another body part
    "background",  # no action there, or both class and boundary wrong
)
TRUE, DUPLICATE, BOUNDARY, SAME_PART, OTHER_PART, BACKGROUND = range(len(KINDS))
NEAR = 0.1  # smallest tIoU of a detection of the correct class that counts as a boundary error
LENGTHS = {"under 1 s": (0, 1), "1-2 s": (1, 2), "2-4 s": (2, 4), "4-8 s": (4, 8), "8 s and more": (8, np.inf)}
NUM_OVERLAPPING = {"no other": (0, 1), "one": (1, 2), "two": (2, 3), "three and more": (3, np.inf)}
FREQUENCIES = {"under 10": (1, 10), "10-29": (10, 30), "30-79": (30, 80), "80 and more": (80, np.inf)}


@dataclass
class Diagnosis:
    """At one tIoU, fractions of 1.

    counts: detections of each of `KINDS`. mean_ap: as it is. map_gain: {kind of error: mAP gain of fixing it}.
    ceilings: {what is perfect: mAP}. missed: {property: {group: (missed, all)}}, actions that no detection found.
    calibration: rows of (mean score, share that is true, detections), by ascending score. kinds: (M,) of each record.
    """

    threshold: float
    counts: dict[str, int]
    mean_ap: float
    map_gain: dict[str, float]
    ceilings: dict[str, float]
    missed: dict[str, dict[str, tuple[int, int]]]
    calibration: list[tuple[float, float, int]]
    kinds: list[np.ndarray] = field(repr=False)


def diagnose(
    annotations: list[Annotation], detections: list[Detections], labels: LabelSet, threshold: float = 0.5
) -> Diagnosis:
    """Diagnose detections, one record per video. Those in videos that are not annotated are background."""
    by_id = {item.video_id: item for item in annotations}
    found = [_classify(item, by_id.get(item.video_id), labels, threshold) for item in detections]
    taken = {item.record.video_id: item.partner[item.kind == TRUE] for item in found}
    hit = [np.isin(np.arange(len(item.labels)), taken.get(item.video_id, ())) for item in annotations]

    def mean_ap(records: list[Detections], among: list[np.ndarray] | None = None) -> float:
        return float(evaluate(annotations, records, labels, np.array([threshold]), among).mean_ap()[0])

    now = mean_ap([item.record for item in found])
    fixes = {
        "duplicate": {DUPLICATE},
        "boundary": {BOUNDARY},
        "wrong class, right part": {SAME_PART},
        "wrong class": {OTHER_PART},
        "background": {BACKGROUND},
    }
    fixed = {name: mean_ap([_fix(item, kinds, by_id) for item in found]) for name, kinds in fixes.items()}
    map_gain = {name: value - now for name, value in fixed.items()}
    map_gain["missed"] = mean_ap([item.record for item in found], hit) - now if any(h.any() for h in hit) else 0.0
    ceilings = {
        "classes": mean_ap([_fix(item, {SAME_PART, OTHER_PART}, by_id) for item in found]),
        "boundaries": fixed["boundary"],
    }
    everything = np.concatenate([item.kind for item in found] or [np.empty(0, dtype=np.int64)])
    scores = np.concatenate([item.record.scores for item in found] or [np.empty(0)])
    return Diagnosis(
        threshold,
        {name: int((everything == kind).sum()) for kind, name in enumerate(KINDS)},
        now,
        map_gain,
        ceilings,
        _missed(annotations, hit, len(labels)),
        calibration(scores, everything == TRUE),
        [item.kind for item in found],
    )


@dataclass
class _Classified:
    """kind: (M,) of each detection of a record. partner: (M,) index of the action that it overlaps, or -1."""

    record: Detections
    kind: np.ndarray
    partner: np.ndarray


def _classify(record: Detections, truth: Annotation | None, labels: LabelSet, threshold: float) -> _Classified:
    """The kind of each detection of one video."""
    count = len(record.labels)
    kind, partner = np.full(count, BACKGROUND), np.full(count, -1)
    if truth is None or not len(truth.labels) or not count:
        return _Classified(record, kind, partner)
    overlap = tiou(record.segments, truth.segments)  # (M, N)
    part_of = np.asarray(labels.part_of)
    same_class = record.labels[:, None] == truth.labels[None, :]
    same_part = (part_of[record.labels][:, None] == part_of[truth.labels][None, :]) & ~same_class
    for among, low, name in (  # later ones override earlier ones
        (~same_class & ~same_part, threshold, OTHER_PART),
        (same_part, threshold, SAME_PART),
        (same_class, NEAR, BOUNDARY),
        (same_class, threshold, DUPLICATE),
    ):
        best = np.where(among, overlap, -1.0)
        at = best.argmax(axis=1)
        reached = best[np.arange(count), at] >= low
        kind[reached], partner[reached] = name, at[reached]
    for label in np.unique(truth.labels):
        found, true = np.flatnonzero(record.labels == label), np.flatnonzero(truth.labels == label)
        found = found[np.argsort(record.scores[found], kind="stable")[::-1]]  # in the order of the metric
        video = np.zeros(len(found), dtype=int), np.zeros(len(true), dtype=int)
        matched = match(video[0], record.segments[found], video[1], truth.segments[true], np.array([threshold]))[0]
        kind[found[matched >= 0]], partner[found[matched >= 0]] = TRUE, true[matched[matched >= 0]]
    return _Classified(record, kind, partner)


def _fix(item: _Classified, kinds: set[int], by_id: dict[str, Annotation]) -> Detections:
    """The record without its errors of these kinds: a wrong class or boundary is corrected if no other detection found
    the action; other detections of these kinds are removed."""
    record, keep = item.record, np.ones(len(item.kind), dtype=bool)
    segments, labels = record.segments.copy(), record.labels.copy()
    found = set(item.partner[item.kind == TRUE].tolist())
    for m in np.flatnonzero(np.isin(item.kind, list(kinds))):  # best first
        n = int(item.partner[m])
        if item.kind[m] in (BOUNDARY, SAME_PART, OTHER_PART) and n not in found:
            truth = by_id[record.video_id]
            found.add(n)
            labels[m] = truth.labels[n]
            if item.kind[m] == BOUNDARY:
                segments[m] = truth.segments[n]
        else:
            keep[m] = False
    return Detections(record.video_id, segments[keep], labels[keep], record.scores[keep])


def _missed(annotations: list[Annotation], hit: list[np.ndarray], num_classes: int) -> dict:
    """{property: {group: (missed, all)}}"""
    missed = ~np.concatenate(hit or [np.empty(0, dtype=bool)])
    segments = np.concatenate([item.segments for item in annotations] or [np.empty((0, 2))])
    labels = np.concatenate([item.labels for item in annotations] or [np.empty(0, dtype=np.int64)])
    overlapping = np.concatenate([(tiou(item.segments, item.segments) > 0).sum(axis=1) for item in annotations] or [[]])
    overlapping = np.maximum(overlapping - 1, 0)  # without itself; segments of length 0 do not overlap themselves
    frequency = np.bincount(labels, minlength=num_classes)[labels]
    by = {
        "length": (segments[:, 1] - segments[:, 0], LENGTHS),
        "overlapping actions": (overlapping, NUM_OVERLAPPING),
        "actions of the class": (frequency, FREQUENCIES),
    }
    return {
        name: {
            group: (int((missed & member).sum()), int(member.sum()))
            for group, member in ((group, (low <= values) & (values < high)) for group, (low, high) in groups.items())
        }
        for name, (values, groups) in by.items()
    }


def calibration(scores: np.ndarray, true: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """Rows of (mean score, share that is true, number) for bins of equal width, without empty ones.

    Scores are calibrated probabilities where the first two are equal.
    """
    at = np.minimum((scores * bins).astype(int), bins - 1)
    rows = [(at == b) for b in range(bins)]
    return [
        (float(scores[member].mean()), float(true[member].mean()), int(member.sum())) for member in rows if member.any()
    ]


def as_text(diagnosis: Diagnosis) -> str:
    """The diagnosis as text for people, in percent."""
    total = max(sum(diagnosis.counts.values()), 1)
    lines = [f"mAP at tIoU {diagnosis.threshold:g}: {100 * diagnosis.mean_ap:.2f}", "", "detections"]
    for name, count in diagnosis.counts.items():
        gain = f"fixed: {in_percent(diagnosis.map_gain[name])} mAP" if name in diagnosis.map_gain else ""
        lines.append(f"  {name:<26}{count:>9} {100 * count / total:>6.1f} %   {gain}".rstrip())
    lines.append(f"  {'missed actions':<43}   found: {in_percent(diagnosis.map_gain['missed'])} mAP")
    lines += ["", "ceilings"]
    lines += [f"  perfect {name:<18}{100 * value:>9.2f} mAP" for name, value in diagnosis.ceilings.items()]
    for by, groups in diagnosis.missed.items():
        lines += ["", f"missed, by {by}"]
        for group, (missed, count) in groups.items():
            if count:
                lines.append(f"  {group:<26}{missed:>9} of {count} ({100 * missed / count:.1f} %)")
    lines += ["", "scores: mean, share that is true, detections"]
    lines += [f"  {score:>6.3f} {100 * share:>8.1f} % {count:>9}" for score, share, count in diagnosis.calibration]
    return "\n".join(lines)


def in_percent(gain: float) -> str:
    """A gain in percent with its sign; rounded to nothing it is +0.00."""
    return f"{max(100 * gain, 0.0) if abs(gain) < 5e-5 else 100 * gain:+.2f}"
