"""How far an action can be told, as it was measured: a grade and its reason in one sentence, by the action's name."""

from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.records import Detections

GOOD, FAIR, CANNOT_TELL = GRADES = ("good", "fair", "cannot tell")
Reliability = dict[str, tuple[str, str]]  # action -> grade, reason


def check_reliability(reliability: Reliability, labels: LabelSet) -> None:
    for action, (grade, _) in reliability.items():
        if action not in labels.index:
            raise InputError("reliability", f"{action!r} is no action of {labels.name}", "name one of its actions")
        if grade not in GRADES:
            raise InputError(f"reliability of {action}", f"{grade!r} is no grade", f"known are {', '.join(GRADES)}")


def that_can_be_told(detections: Detections, labels: LabelSet, reliability: Reliability) -> Detections:
    """Without those of actions that cannot be told."""
    told = [
        reliability.get(labels.actions[label], (GOOD, ""))[0] != CANNOT_TELL for label in detections.labels.tolist()
    ]
    chosen = [i for i, is_told in enumerate(told) if is_told]
    return Detections(
        detections.video_id, detections.segments[chosen], detections.labels[chosen], detections.scores[chosen]
    )


def from_score(detections: Detections, least: float) -> Detections:
    """Those of at least this score."""
    count = int((detections.scores >= least).sum())  # best first
    segments, labels, scores = detections.segments, detections.labels, detections.scores
    return Detections(detections.video_id, segments[:count], labels[:count], scores[:count])
