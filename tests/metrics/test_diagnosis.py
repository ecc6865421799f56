"""Predictions with one planted kind of error each: that kind is found, and no other."""

import numpy as np
import pytest

from mmad.labels import LabelSet
from mmad.metrics.average_precision import evaluate
from mmad.metrics.diagnosis import KINDS, as_text, calibration, diagnose
from mmad.records import Annotation, Detections

LABELS = LabelSet("four", ("wave", "point", "nod", "bow"), ("hand", "head"), (0, 0, 1, 1))
WAVE, POINT, NOD, BOW = range(4)
TRUTH = [
    Annotation("a", 20.0, [[0, 4], [10, 14]], [WAVE, NOD]),
    Annotation("b", 20.0, [[2, 8], [3, 5], [15, 19]], [POINT, BOW, WAVE]),
]
PERFECT = {
    "a": [(0, 4, WAVE, 0.9), (10, 14, NOD, 0.8)],
    "b": [(2, 8, POINT, 0.7), (3, 5, BOW, 0.6), (15, 19, WAVE, 0.5)],
}


def found(rows: dict) -> list[Detections]:
    return [
        Detections(name, [r[:2] for r in items], [r[2] for r in items], [r[3] for r in items])
        for name, items in rows.items()
    ]


def changed(video: str, add=(), without=()) -> list[Detections]:
    rows = {name: list(items) for name, items in PERFECT.items()}
    rows[video] = [row for i, row in enumerate(rows[video]) if i not in without] + list(add)
    return found(rows)


def test_perfect_detections_lose_nothing():
    diagnosis = diagnose(TRUTH, found(PERFECT), LABELS)
    assert diagnosis.counts == {**dict.fromkeys(KINDS, 0), "true": 5}
    assert diagnosis.mean_ap == 1
    assert set(diagnosis.map_gain.values()) == {0.0} and set(diagnosis.ceilings.values()) == {1.0}
    assert all(missed == 0 for groups in diagnosis.missed.values() for missed, _ in groups.values())


PLANTED = {  # kind: (video, detections added, places of detections left out)
    "duplicate": ("a", [(0, 4, WAVE, 0.95)], []),
    "boundary": ("a", [(0, 1.5, WAVE, 0.95)], [0]),
    "wrong class, right part": ("a", [(0, 4, POINT, 0.95)], [0]),
    "wrong class": ("a", [(0, 4, BOW, 0.95)], [0]),
    "background": ("a", [(16, 19, BOW, 0.95)], []),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_one_planted_error_is_found(kind):
    video, add, without = PLANTED[kind]
    detections = changed(video, add, without)
    diagnosis = diagnose(TRUTH, detections, LABELS)
    assert diagnosis.counts == {**dict.fromkeys(KINDS, 0), "true": 5 - len(without), kind: 1}
    assert diagnosis.mean_ap < 1
    others = {name: gain for name, gain in diagnosis.map_gain.items() if name not in (kind, "missed")}
    assert set(others.values()) == {0.0}
    assert diagnosis.mean_ap + diagnosis.map_gain[kind] == pytest.approx(1)  # with these fixed, nothing is lost


def test_a_missed_action_is_found():
    diagnosis = diagnose(TRUTH, changed("b", without=[2]), LABELS)
    assert diagnosis.counts == {**dict.fromkeys(KINDS, 0), "true": 4}
    assert diagnosis.map_gain == {
        **dict.fromkeys(diagnosis.map_gain, 0.0),
        "missed": pytest.approx(1 - diagnosis.mean_ap),
    }
    assert diagnosis.missed["length"]["4-8 s"] == (1, 4)
    assert diagnosis.missed["overlapping actions"] == {
        "no other": (1, 3), "one": (0, 2), "two": (0, 0), "three and more": (0, 0),
    }  # fmt: skip
    assert diagnosis.missed["actions of the class"]["under 10"] == (1, 5)


def test_a_wrong_class_of_an_action_that_was_found_is_one_too_many():
    """Mending it removes it: it must not become a second true one, nor a duplicate."""
    diagnosis = diagnose(TRUTH, changed("a", [(0, 4, POINT, 0.95)]), LABELS)
    assert diagnosis.counts["wrong class, right part"] == 1 and diagnosis.counts["true"] == 5
    assert diagnosis.ceilings["classes"] == pytest.approx(1)


def test_two_wrong_ones_of_one_action_become_one():
    detections = changed("a", [(0, 4, POINT, 0.95), (0, 4, BOW, 0.94), (0, 3.9, POINT, 0.93)], [0])
    diagnosis = diagnose(TRUTH, detections, LABELS)
    assert (diagnosis.counts["wrong class, right part"], diagnosis.counts["wrong class"]) == (2, 1)
    assert diagnosis.ceilings["classes"] == pytest.approx(1)


def test_both_wrong_is_background():
    assert diagnose(TRUTH, changed("a", [(0, 1.5, POINT, 0.95)]), LABELS).counts["background"] == 1


def test_the_same_place_counts_for_the_right_class_first():
    """(2, 5) overlaps point (2, 8) by just under half, and bow (3, 5) by two thirds."""
    diagnosis = diagnose(TRUTH, changed("b", [(2, 5, POINT, 0.95)]), LABELS)
    assert diagnosis.counts["boundary"] == 1


def test_the_threshold_decides():
    detections = changed("a", [(0, 3, WAVE, 0.95)], [0])  # IoU 3/4
    assert diagnose(TRUTH, detections, LABELS, 0.5).counts["true"] == 5
    assert diagnose(TRUTH, detections, LABELS, 0.8).counts["boundary"] == 1


def test_a_video_without_truth_is_background():
    detections = [*found(PERFECT), *found({"elsewhere": [(0, 1, WAVE, 0.9)]})]
    diagnosis = diagnose(TRUTH, detections, LABELS)
    assert diagnosis.counts["background"] == 1
    assert diagnosis.mean_ap + diagnosis.map_gain["background"] == pytest.approx(1)


def test_nothing_found():
    diagnosis = diagnose(TRUTH, [], LABELS)
    assert sum(diagnosis.counts.values()) == 0 and diagnosis.mean_ap == 0 and diagnosis.calibration == []
    assert diagnosis.missed["length"]["4-8 s"] == (4, 4)


@pytest.mark.parametrize("seed", range(20))
def test_kinds_add_up(seed):
    """As many true ones as the metric finds, every detection of one kind, and no kind costs less than nothing much."""
    rng = np.random.default_rng(seed)

    def some(count):
        start = rng.integers(0, 12, count) / 2
        return np.stack([start, start + rng.integers(1, 10, count) / 2], axis=1), rng.integers(0, 4, count)

    truth = [Annotation(name, 20.0, *some(rng.integers(1, 7))) for name in "abc"]
    detections = [Detections(name, *some(count), rng.random(count)) for name, count in zip("abc", (25, 3, 9))]
    diagnosis = diagnose(truth, detections, LABELS)
    assert sum(diagnosis.counts.values()) == 37 == sum(map(len, diagnosis.kinds))
    assert diagnosis.mean_ap == evaluate(truth, detections, LABELS, np.array([0.5])).mean_ap()[0]
    assert min(diagnosis.map_gain.values()) >= -1e-9
    assert diagnosis.ceilings["classes"] >= diagnosis.mean_ap - 1e-9
    groups = diagnosis.missed.values()
    assert {sum(missed for missed, _ in by.values()) for by in groups} == {
        sum(len(item.labels) for item in truth) - diagnosis.counts["true"]
    }
    assert sum(count for _, _, count in diagnosis.calibration) == 37
    assert "mAP at tIoU 0.5" in as_text(diagnosis)


def test_calibration_by_hand():
    rows = calibration(np.array([0.1, 0.14, 0.55, 1.0]), np.array([False, True, True, True]))
    assert rows == [(pytest.approx(0.12), 0.5, 2), (0.55, 1.0, 1), (1.0, 1.0, 1)]
