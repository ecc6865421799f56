"""How reliably each action is detected, as measured: a grade and its reason in one sentence."""

from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.records import Detections

GOOD, FAIR, CANNOT_TELL = GRADES = ("good", "fair", "cannot tell")
Reliability = dict[str, tuple[str, str]]  # {action: (grade, reason)}


def check_reliability(reliability: Reliability, labels: LabelSet) -> None:
    """`InputError` where it names an action that is not in `labels`, or a grade that is not in `GRADES`."""
    for action, (grade, _) in reliability.items():
        if action not in labels.index:
            raise InputError("reliability", f"{action!r} is not an action of {labels.name}", "name one of its actions")
        if grade not in GRADES:
            raise InputError(
                f"reliability of {action}", f"{grade!r} is not a grade", f"choose one of {', '.join(GRADES)}"
            )


def drop_unreliable(detections: Detections, labels: LabelSet, reliability: Reliability) -> Detections:
    """The detections without actions of grade `CANNOT_TELL`; actions without a grade are kept."""
    grades = [reliability.get(labels.actions[label], (GOOD, ""))[0] for label in detections.labels.tolist()]
    chosen = [i for i, grade in enumerate(grades) if grade != CANNOT_TELL]
    return detections.select(chosen)


def drop_below(detections: Detections, min_score: float) -> Detections:
    """The detections with at least this score."""
    return detections.select(detections.scores >= min_score)


def shown_by_default(
    detections: Detections, labels: LabelSet, reliability: Reliability, min_score: float
) -> Detections:
    """Those of actions that can be told, with scores from `min_score` on."""
    return drop_below(drop_unreliable(detections, labels, reliability), min_score)
