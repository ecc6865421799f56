import json

import numpy as np
import pytest

from mmad.formats import read_annotations, read_predictions
from mmad.labels import MMA52, LabelSet
from mmad.metrics.average_precision import (
    THRESHOLDS,
    as_json,
    as_table,
    average_precision,
    evaluate,
    evaluate_parts,
    precision_at,
    precision_curves,
    tiou,
)
from mmad.records import Annotation, Detections

LABELS = LabelSet("made up", ("wave", "point", "nod", "bow"), ("hand", "head"), (0, 0, 1, 1))
WAVE, POINT, NOD, BOW = range(4)


def truths(videos: dict[str, list]) -> list[Annotation]:
    """{video: [(start, end, class)]}"""
    return [Annotation(v, 100.0, [a[:2] for a in actions], [a[2] for a in actions]) for v, actions in videos.items()]


def found(videos: dict[str, list]) -> list[Detections]:
    """{video: [(start, end, class, score)]}"""
    return [
        Detections(v, [a[:2] for a in actions], [a[2] for a in actions], [a[3] for a in actions])
        for v, actions in videos.items()
    ]


# --- formulas by hand -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 4), (0, 4), 4 / 4.0001),  # identical
        ((0, 4), (2, 6), 2 / 6.0001),
        ((0, 10), (4, 5), 1 / 10.0001),  # inside
        ((0, 4), (4, 6), 0),  # touching
        ((0, 1), (2, 3), 0),  # apart
        ((1, 1), (0, 4), 0),  # no length
        ((1, 1), (1, 1), 0),  # no union: the 1e-4 keeps it a number
    ],
)
def test_tiou_by_hand(one, other, expected):
    one, other = np.array([one], float), np.array([other], float)
    assert tiou(one, other) == pytest.approx(expected)
    assert tiou(other, one) == pytest.approx(expected)


def test_thresholds_are_the_official_ones_to_the_last_bit():
    assert THRESHOLDS.tolist() == [0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6, 0.7000000000000001, 0.8, 0.9]


def test_tiou_of_nothing_has_the_right_shape():
    assert tiou(np.zeros((0, 2)), np.ones((3, 2))).shape == (0, 3)
    assert tiou(np.ones((3, 2)), np.zeros((0, 2))).shape == (3, 0)


@pytest.mark.parametrize(
    ("correct", "num_truth", "expected"),
    [
        ([], 2, 0),
        ([0, 0], 2, 0),
        ([1, 1], 2, 1),
        ([1], 2, 1 / 2),
        ([0, 1], 1, 1 / 2),
        ([1, 0, 1], 2, (1 + 2 / 3) / 2),
        ([0, 1, 1], 2, (2 / 3 + 2 / 3) / 2),  # precision 1/2 at the first is lifted to the 2/3 behind it
        ([1, 0, 1, 0, 1], 3, (1 + 2 / 3 + 3 / 5) / 3),
    ],
)
def test_average_precision_by_hand(correct, num_truth, expected):
    correct = np.array([correct], dtype=bool)
    assert average_precision(correct, num_truth) == pytest.approx(expected)


# --- whole evaluations by hand ----------------------------------------------------------------------------------


def test_perfect_is_one():
    videos = {"v1": [(0, 4, WAVE), (1, 9, NOD), (0, 4, BOW)], "v2": [(3, 5, WAVE), (6, 8, WAVE)], "v3": []}
    perfect = {v: [(*action, 0.1 * i) for i, action in enumerate(actions)] for v, actions in videos.items()}
    report = evaluate(truths(videos), found(perfect), LABELS)
    assert report.average() == report.average_at() == 1
    assert report.num_truth.tolist() == [3, 0, 1, 1]


@pytest.mark.parametrize("predictions", [{}, {"v1": []}, {"v2": [(0, 4, WAVE, 0.9)]}, {"v1": [(50, 60, WAVE, 0.9)]}])
def test_nothing_found_is_zero(predictions):
    report = evaluate(truths({"v1": [(0, 4, WAVE), (2, 8, NOD)]}), found(predictions), LABELS)
    assert report.average() == 0


def test_worked_example():
    """Two truths of 4 s; the best prediction covers the first, then a false alarm, then half of the second (IoU 2/4).

    Up to 0.4: true, false, true -> (1 + 2/3) / 2. From 0.5 on (2 / 4.0001 < 0.5): true, false, false -> 1 / 2.
    """
    annotations = truths({"v1": [(0, 4, WAVE)], "v2": [(10, 14, WAVE)]})
    detections = found({"v2": [(10, 12, WAVE, 0.5), (50, 54, WAVE, 0.7)], "v1": [(0, 4, WAVE, 0.9)]})
    report = evaluate(annotations, detections, LABELS)
    np.testing.assert_allclose(report.ap[:, WAVE], [5 / 6] * 4 + [1 / 2] * 5)
    assert report.average() == pytest.approx((4 * 5 / 6 + 5 * 1 / 2) / 9)
    assert report.average_at() == pytest.approx((5 / 6 + 1 / 2 + 1 / 2) / 3)


def test_a_truth_is_found_once_and_then_the_second_best_is_taken():
    """Both predictions fit the first truth best, with IoU 1 and 0.975; it is taken when the second prediction comes,
    which fits the other truth with 2.9 / 5.1 = 0.57: good enough up to 0.5."""
    annotations = truths({"v1": [(0, 4, WAVE), (1, 5.1, WAVE)]})
    detections = found({"v1": [(0, 4, WAVE, 0.9), (0, 3.9, WAVE, 0.8)]})
    np.testing.assert_allclose(evaluate(annotations, detections, LABELS).ap[:, WAVE], [1] * 5 + [0.5] * 4)


@pytest.mark.parametrize("video", ["v1", "without truth", "not annotated"])
def test_a_false_alarm_costs_the_same_wherever_it_is(video):
    annotations = truths({"v1": [(0, 4, WAVE)], "without truth": []})
    actions = {"v1": [(0, 4, WAVE, 0.5)]}
    actions.setdefault(video, []).append((20, 24, WAVE, 0.9))
    np.testing.assert_allclose(evaluate(annotations, found(actions), LABELS).ap[:, WAVE], 0.5)


def test_classes_without_truth_are_left_out_and_those_predicted_are_named():
    annotations = truths({"v1": [(0, 4, WAVE), (5, 9, NOD)]})
    report = evaluate(annotations, found({"v1": [(0, 4, WAVE, 0.5), (0, 4, POINT, 0.9)]}), LABELS)
    assert np.isnan(report.ap[:, [POINT, BOW]]).all()
    np.testing.assert_allclose(report.mean_ap(), (1 + 0) / 2)
    assert report.without_truth == ["point"]
    last_line = as_table(report, report).splitlines()[-1]
    assert "predicted but without truth" in last_line and "point" in last_line


def test_of_equal_scores_the_later_goes_first():
    annotations = truths({"v1": [(0, 4, WAVE)], "v2": []})
    right, wrong = (0, 4, WAVE, 0.5), (20, 24, WAVE, 0.5)
    for actions, expected in [([right, wrong], 1 / 2), ([wrong, right], 1)]:
        np.testing.assert_allclose(evaluate(annotations, found({"v1": actions}), LABELS).ap[:, WAVE], expected)
    for videos, expected in [({"v1": [right], "v2": [wrong]}, 1 / 2), ({"v2": [wrong], "v1": [right]}, 1)]:
        np.testing.assert_allclose(evaluate(annotations, found(videos), LABELS).ap[:, WAVE], expected)


def test_thresholds_in_any_order_give_the_same():
    """At 0.3 each prediction takes a truth; at 0.7 the first (IoU 2/4) is a false alarm: precision 1/2, recall 1/2."""
    annotations = truths({"v1": [(0, 4, WAVE), (0, 5, WAVE)]})
    detections = found({"v1": [(0, 2, WAVE, 0.9), (0, 5, WAVE, 0.5)]})
    rising = evaluate(annotations, detections, LABELS, np.array([0.3, 0.7])).ap[:, WAVE]
    np.testing.assert_allclose(rising, [1, 1 / 4])
    falling = evaluate(annotations, detections, LABELS, np.array([0.7, 0.3])).ap[:, WAVE]
    np.testing.assert_allclose(falling, rising[::-1])


def test_among_some_truths_the_others_do_not_matter():
    """Best first: a truth not asked for, a false alarm, the one asked for: precision 1/2, the first passed over."""
    annotations = truths({"v1": [(0, 4, WAVE), (10, 14, WAVE)], "v2": [(0, 4, NOD)]})
    detections = found({"v1": [(0, 4, WAVE, 0.9), (50, 54, WAVE, 0.8), (10, 14, WAVE, 0.7)]})
    second = evaluate(annotations, detections, LABELS, among=[np.array([False, True]), np.array([False])])
    np.testing.assert_allclose(second.ap[:, WAVE], 1 / 2)
    assert second.num_truth[WAVE] == 1 and np.isnan(second.ap[:, NOD]).all()
    everything = evaluate(annotations, detections, LABELS, among=[np.array([True, True]), np.array([True])])
    np.testing.assert_array_equal(everything.ap, evaluate(annotations, detections, LABELS).ap)
    nothing = evaluate(annotations, detections, LABELS, among=[np.zeros(2, dtype=bool), np.zeros(1, dtype=bool)])
    assert (nothing.num_truth == 0).all()


def test_the_wrong_action_of_the_right_body_part():
    annotations = truths({"v1": [(0, 4, WAVE), (5, 9, NOD)]})
    detections = found({"v1": [(0, 4, POINT, 0.9), (5, 9, WAVE, 0.8)]})
    assert evaluate(annotations, detections, LABELS).average() == 0
    parts = evaluate_parts(annotations, detections, LABELS)
    assert (parts.names, parts.num_truth.tolist()) == (["hand", "head"], [1, 1])
    np.testing.assert_allclose(parts.mean_ap(), (1 + 0) / 2)


def test_json_holds_the_figures_that_scripts_rely_on():
    annotations = truths({"v1": [(0, 4, WAVE)], "v2": [(10, 14, WAVE)]})
    detections = found({"v1": [(0, 4, WAVE, 0.9)], "v2": [(10, 12, POINT, 0.5)]})
    content = as_json(evaluate(annotations, detections, LABELS), evaluate_parts(annotations, detections, LABELS))
    content = json.loads(json.dumps(content, allow_nan=False))
    keys = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]
    assert content["map"] == dict.fromkeys(keys, 0.5)
    assert content["per_class"] == {"wave": dict.fromkeys(keys, 0.5)}
    assert content["body"]["map"] == dict(zip(keys, [1.0] * 4 + [0.5] * 5))
    assert content["average"] == content["average3"] == 0.5
    assert content["body"]["average"] == pytest.approx((4 * 1 + 5 * 0.5) / 9)
    assert content["body"]["average3"] == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert content["left_out"] == ["point", "nod", "bow"]


# --- against a slow twin ----------------------------------------------------------------------------------------


def slow_average_precision(truth: dict[str, list], predictions: list[tuple], threshold: float) -> float:
    """FACTS 6 word by word for one class. truth: {video: [(start, end)]}; predictions: (video, start, end, score)."""

    def iou(start, end, other_start, other_end):
        intersection = max(0.0, min(end, other_end) - max(start, other_start))
        return intersection / ((end - start) + (other_end - other_start) - intersection + 1e-4)

    taken, hits = set(), []
    for video, start, end, _ in sorted(predictions, key=lambda p: p[3])[::-1]:
        walk = [(iou(start, end, *segment), n) for n, segment in enumerate(truth.get(video, []))]
        hit = False
        for overlap, n in sorted(walk)[::-1]:
            if overlap < threshold:
                break
            if (video, n) not in taken:
                taken.add((video, n))
                hit = True
                break
        hits.append(hit)

    precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))]
    num_truth = sum(len(segments) for segments in truth.values())
    return sum(max(precisions[i:]) for i, hit in enumerate(hits) if hit) / num_truth


def random_case(rng) -> tuple[dict, dict]:
    """Few videos, short segments on a coarse grid, scores in tenths: many overlaps, duplicates and ties."""

    def segment():
        start, length = rng.integers(0, 12) / 2, rng.integers(0, 10) / 2
        return float(start), float(start + length)

    names = ["v0", "v1", "v2", "unknown"]
    actions = {v: [(*segment(), int(rng.integers(2))) for _ in range(rng.integers(0, 7))] for v in names[:3]}
    predictions = {
        v: [(*segment(), int(rng.integers(3)), int(rng.integers(11)) / 10) for _ in range(rng.integers(0, 25))]
        for v in rng.permutation(names).tolist()
    }
    return actions, predictions


@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_the_slow_twin(seed):
    actions, predictions = random_case(np.random.default_rng(seed))
    report = evaluate(truths(actions), found(predictions), LABELS)
    for k in range(len(LABELS)):
        truth = {v: [a[:2] for a in items if a[2] == k] for v, items in actions.items()}
        of_class = [(v, a[0], a[1], a[3]) for v, items in predictions.items() for a in items if a[2] == k]
        if not any(truth.values()):
            assert np.isnan(report.ap[:, k]).all()
            continue
        slow = [slow_average_precision(truth, of_class, threshold) for threshold in THRESHOLDS]
        np.testing.assert_allclose(report.ap[:, k], slow, atol=1e-12)


# --- against the official evaluator -----------------------------------------------------------------------------


@pytest.mark.shared
def test_agrees_with_the_official_evaluator_on_val(shared):
    annotations = read_annotations(shared / "data/mma52/val.csv")
    detections = read_predictions(shared / "golden/map/pred_val.zip").detections
    expected = json.loads((shared / "golden/map/expected.json").read_text())
    assert sum(len(item) for item in detections) == expected["num_pred"]

    report = evaluate(annotations, detections, MMA52)
    assert report.thresholds.tolist() == expected["tiou"]
    assert int(report.num_truth.sum()) == expected["num_gt"]
    np.testing.assert_allclose(report.mean_ap(), expected["mAP"], atol=1e-6)
    assert report.average() == pytest.approx(expected["average_mAP"], abs=1e-6)
    assert len(expected["per_class_ap"]) == len(MMA52)
    for k, ap in expected["per_class_ap"].items():
        np.testing.assert_allclose(report.ap[:, int(k)], ap, atol=1e-6, err_msg=MMA52.actions[int(k)])


@pytest.mark.shared
def test_agrees_with_the_official_evaluator_on_edge_cases(shared):
    """Where the official code divides by zero (null or NaN), the class is left out and the rest agrees."""
    content = json.loads((shared / "golden/map/edge_cases.json").read_text())
    assert len(content["cases"]) == 13
    for name, case in content["cases"].items():
        report = evaluate(truths(case["gt"]), found(case["pred"]), LABELS, np.array(content["tiou"]))
        official = case["results"]["mma52"]
        expected = np.array([official["ap"][str(k)] for k in range(content["classes"])], dtype=float).T
        np.testing.assert_allclose(report.ap, expected, atol=1e-9, err_msg=name)  # NaN only equals NaN
        undefined = np.isnan(expected).any(axis=0)
        assert report.without_truth == [LABELS.actions[k] for k in np.flatnonzero(undefined)], name
        left = official["mAP"] if not undefined.any() else expected[:, ~undefined].mean(axis=1)
        np.testing.assert_allclose(report.mean_ap(), left, atol=1e-9, err_msg=name)


# --- curves -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("correct", "num_truth", "expected"),
    [  # precision after each prediction                   at recall 0, 1/2, 1
        ([1, 1], 2, [1, 1, 1]),  # 1, 1
        ([1, 0, 1], 2, [1, 1, 2 / 3]),  # 1, 1/2, 2/3
        ([0, 1, 1], 2, [2 / 3, 2 / 3, 2 / 3]),  # 0, 1/2, 2/3: the later, higher ones count
        ([1, 0], 2, [1, 1, 0]),  # the second truth is never found
        ([0, 0], 2, [0, 0, 0]),
        ([], 2, [0, 0, 0]),
        ([1, 1, 1, 0], 3, [1, 1, 1]),  # recall 1/2 lies between the first and the second of three
    ],
)
def test_precision_at_a_recall(correct, num_truth, expected):
    curve = precision_at(np.array(correct, dtype=bool), num_truth, np.array([0, 0.5, 1]))
    np.testing.assert_allclose(curve, expected)


def test_recalls_that_are_no_binary_fractions_are_reached():
    """Three of ten are recall 0.3, though 0.3 * 10 = 3.0000000000000004 as a sum of tenths."""
    curve = precision_at(np.array([1, 1, 1], dtype=bool), 10, np.array([0.1 + 0.1 + 0.1, 0.31]))
    np.testing.assert_allclose(curve, [1, 0])


def test_a_part_s_curve_pools_its_classes():
    """By score: right of class 0, wrong of class 1 (of the same part), right of class 1: precision 1, 1/2, 2/3."""
    labels = LabelSet("three", ("a", "b", "c"), ("one", "two", "none"), (0, 0, 1))
    actions = truths({"v": [(0, 1, 0), (2, 3, 1)]})
    predictions = found({"v": [(0, 1, 0, 0.9), (5, 6, 1, 0.8), (2, 3, 1, 0.7), (0, 1, 2, 1.0)]})
    curves = precision_curves(actions, predictions, labels, 0.5, np.array([0.25, 0.75]))
    np.testing.assert_allclose(curves.classes, [[1, 1], [0.5, 0.5], [np.nan, np.nan]])
    np.testing.assert_allclose(curves.parts, [[1, 2 / 3], [np.nan, np.nan], [np.nan, np.nan]])
    np.testing.assert_allclose(curves.part_ap, [(1 + 2 / 3) / 2, np.nan, np.nan])
    np.testing.assert_allclose(curves.mean(), [0.75, 0.75])


@pytest.mark.parametrize("seed", range(10))
def test_the_area_under_a_curve_is_the_average_precision(seed):
    actions, predictions = (make(x) for make, x in zip((truths, found), random_case(np.random.default_rng(seed))))
    middles = (np.arange(10_000) + 0.5) / 10_000
    curves = precision_curves(actions, predictions, LABELS, THRESHOLDS[4], middles)
    np.testing.assert_allclose(curves.classes.mean(axis=1), evaluate(actions, predictions, LABELS).ap[4], atol=1e-3)
