"""Why mAP is lost: what kind every false alarm is, what mending each kind would return, which actions are missed.

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
    "duplicate",  # of an action that a better detection found
    "boundary",  # the right class, and too little overlap
    "wrong class, right part",  # of the body; enough overlap with an action of another class
    "wrong class",  # of another part
    "background",  # nothing there, or both class and boundary wrong
)
TRUE, DUPLICATE, BOUNDARY, SAME_PART, OTHER_PART, BACKGROUND = range(len(KINDS))
NEAR = 0.1  # tIoU from which a detection of the right class counts as one with a bad boundary
LENGTHS = {"under 1 s": (0, 1), "1-2 s": (1, 2), "2-4 s": (2, 4), "4-8 s": (4, 8), "8 s and more": (8, np.inf)}
CROWDS = {"no other": (0, 1), "one": (1, 2), "two": (2, 3), "three and more": (3, np.inf)}
FREQUENCIES = {"under 10": (1, 10), "10-29": (10, 30), "30-79": (30, 80), "80 and more": (80, np.inf)}


@dataclass
class Diagnosis:
    """At one tIoU, fractions of 1.

    counts: detections of each of `KINDS`. mean_ap: as it is. gains: {what is mended: how much mAP that returns}.
    ceilings: {what is perfect: mAP}. missed: {by what: {group: (missed, all)}}, actions no detection found.
    calibration: rows of (mean score, share that is true, detections), by rising score. kinds: (M,) of each record.
    """

    threshold: float
    counts: dict[str, int]
    mean_ap: float
    gains: dict[str, float]
    ceilings: dict[str, float]
    missed: dict[str, dict[str, tuple[int, int]]]
    calibration: list[tuple[float, float, int]]
    kinds: list[np.ndarray] = field(repr=False)


def diagnose(
    annotations: list[Annotation], detections: list[Detections], labels: LabelSet, threshold: float = 0.5
) -> Diagnosis:
    """One record a video. Detections in videos that are not annotated are background."""
    by_id = {item.video_id: item for item in annotations}
    found = [_sort_out(item, by_id.get(item.video_id), labels, threshold) for item in detections]
    taken = {item.record.video_id: item.partner[item.kind == TRUE] for item in found}
    hit = [np.isin(np.arange(len(item.labels)), taken.get(item.video_id, ())) for item in annotations]

    def mean_ap(records: list[Detections], among: list[np.ndarray] | None = None) -> float:
        return float(evaluate(annotations, records, labels, np.array([threshold]), among).mean_ap()[0])

    now = mean_ap([item.record for item in found])
    mended = {
        "duplicate": {DUPLICATE},
        "boundary": {BOUNDARY},
        "wrong class, right part": {SAME_PART},
        "wrong class": {OTHER_PART},
        "background": {BACKGROUND},
    }
    after = {name: mean_ap([_mend(item, kinds, by_id) for item in found]) for name, kinds in mended.items()}
    gains = {name: value - now for name, value in after.items()}
    gains["missed"] = mean_ap([item.record for item in found], hit) - now if any(h.any() for h in hit) else 0.0
    ceilings = {
        "classes": mean_ap([_mend(item, {SAME_PART, OTHER_PART}, by_id) for item in found]),
        "boundaries": after["boundary"],
    }
    everything = np.concatenate([item.kind for item in found] or [np.empty(0, dtype=np.int64)])
    scores = np.concatenate([item.record.scores for item in found] or [np.empty(0)])
    return Diagnosis(
        threshold,
        {name: int((everything == kind).sum()) for kind, name in enumerate(KINDS)},
        now,
        gains,
        ceilings,
        _missed(annotations, hit, len(labels)),
        calibration(scores, everything == TRUE),
        [item.kind for item in found],
    )


@dataclass
class _Sorted:
    """kind (M,) of each detection of a record, and partner (M,): the action in its video that it is about, or -1."""

    record: Detections
    kind: np.ndarray
    partner: np.ndarray


def _sort_out(record: Detections, truth: Annotation | None, labels: LabelSet, threshold: float) -> _Sorted:
    """What each detection of one video is."""
    count = len(record.labels)
    kind, partner = np.full(count, BACKGROUND), np.full(count, -1)
    if truth is None or not len(truth.labels) or not count:
        return _Sorted(record, kind, partner)
    overlap = tiou(record.segments, truth.segments)  # (M, N)
    part_of = np.asarray(labels.part_of)
    same_class = record.labels[:, None] == truth.labels[None, :]
    same_part = (part_of[record.labels][:, None] == part_of[truth.labels][None, :]) & ~same_class
    for among, low, name in (  # the later ones overrule the earlier
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
        mine, theirs = np.flatnonzero(record.labels == label), np.flatnonzero(truth.labels == label)
        mine = mine[np.argsort(record.scores[mine], kind="stable")[::-1]]  # as the metric takes them
        video = np.zeros(len(mine), dtype=int), np.zeros(len(theirs), dtype=int)
        took = match(video[0], record.segments[mine], video[1], truth.segments[theirs], np.array([threshold]))[0]
        kind[mine[took >= 0]], partner[mine[took >= 0]] = TRUE, theirs[took[took >= 0]]
    return _Sorted(record, kind, partner)


def _mend(item: _Sorted, kinds: set[int], by_id: dict[str, Annotation]) -> Detections:
    """The record without its faults of these kinds: a wrong class or boundary is put right if the action is still to be
    found, and whatever then is one too many goes."""
    record, keep = item.record, np.ones(len(item.kind), dtype=bool)
    segments, labels = record.segments.copy(), record.labels.copy()
    gone = set(item.partner[item.kind == TRUE].tolist())
    for m in np.flatnonzero(np.isin(item.kind, list(kinds))):  # best first
        n = int(item.partner[m])
        if item.kind[m] in (BOUNDARY, SAME_PART, OTHER_PART) and n not in gone:
            truth = by_id[record.video_id]
            gone.add(n)
            labels[m] = truth.labels[n]
            if item.kind[m] == BOUNDARY:
                segments[m] = truth.segments[n]
        else:
            keep[m] = False
    return Detections(record.video_id, segments[keep], labels[keep], record.scores[keep])


def _missed(annotations: list[Annotation], hit: list[np.ndarray], num_classes: int) -> dict:
    """{by what: {group: (missed, all)}}"""
    missed = ~np.concatenate(hit or [np.empty(0, dtype=bool)])
    segments = np.concatenate([item.segments for item in annotations] or [np.empty((0, 2))])
    labels = np.concatenate([item.labels for item in annotations] or [np.empty(0, dtype=np.int64)])
    crowd = np.concatenate([(tiou(item.segments, item.segments) > 0).sum(axis=1) for item in annotations] or [[]])
    crowd = np.maximum(crowd - 1, 0)  # without itself, which a point does not overlap
    frequency = np.bincount(labels, minlength=num_classes)[labels]
    by = {
        "length": (segments[:, 1] - segments[:, 0], LENGTHS),
        "others at the same time": (crowd, CROWDS),
        "actions of the class": (frequency, FREQUENCIES),
    }
    return {
        name: {
            group: (int((missed & inside).sum()), int(inside.sum()))
            for group, inside in ((group, (low <= values) & (values < high)) for group, (low, high) in groups.items())
        }
        for name, (values, groups) in by.items()
    }


def calibration(scores: np.ndarray, true: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """Rows of (mean score, share that is true, how many) of equal stretches of the scores, empty ones left out.

    Where the first two are alike, a score is a probability.
    """
    at = np.minimum((scores * bins).astype(int), bins - 1)
    rows = [(at == b) for b in range(bins)]
    return [(float(scores[mine].mean()), float(true[mine].mean()), int(mine.sum())) for mine in rows if mine.any()]


def as_text(diagnosis: Diagnosis) -> str:
    """A page a person reads; percent."""
    total = max(sum(diagnosis.counts.values()), 1)
    lines = [f"mAP at tIoU {diagnosis.threshold:g}: {100 * diagnosis.mean_ap:.2f}", "", "detections"]
    for name, count in diagnosis.counts.items():
        gain = f"mended: {in_percent(diagnosis.gains[name])} mAP" if name in diagnosis.gains else ""
        lines.append(f"  {name:<26}{count:>9} {100 * count / total:>6.1f} %   {gain}".rstrip())
    lines.append(f"  {'missed actions':<43}   found: {in_percent(diagnosis.gains['missed'])} mAP")
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
    """With its sign; nothing is +0.00."""
    return f"{max(100 * gain, 0.0) if abs(gain) < 5e-5 else 100 * gain:+.2f}"
