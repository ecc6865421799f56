"""Calibrated scores are as often right as they say."""

import numpy as np
import pytest

from mmad.labels import MMA52
from mmad.metrics.calibration import Calibration, fit_calibration
from mmad.records import Annotation, Detections


def made_up(share, count: int = 400, label: int = 9) -> tuple[list[Annotation], list[Detections]]:
    """One detection per video, right as often as `share` of its score says."""
    generator = np.random.default_rng(0)
    truth, found = [], []
    for i in range(count):
        score = generator.uniform(0.05, 0.95)
        right = generator.random() < share(score)
        truth.append(Annotation(f"v{i}", 10.0, [(0, 2)] if right else np.zeros((0, 2)), [label] if right else []))
        found.append(Detections(f"v{i}", [(0.0, 2.0)], [label], [score]))
    return truth, found


def test_scores_that_are_right_stay():
    truth, found = made_up(lambda score: score, 2000)
    calibration = fit_calibration(truth, found, MMA52)
    assert calibration.slope[9] == pytest.approx(1.0, abs=0.1) and calibration.offset[9] == pytest.approx(0, abs=0.15)


def test_boasting_scores_come_down():
    truth, found = made_up(lambda score: score / 4)
    calibrated = [fit_calibration(truth, found, MMA52).apply(item) for item in found]
    said = np.mean([item.scores[0] for item in calibrated])
    was = np.mean([len(item.labels) for item in truth])
    assert said == pytest.approx(was, abs=0.02) and np.mean([item.scores[0] for item in found]) > 2 * was


def test_an_unseen_class_goes_with_the_others():
    truth, found = made_up(lambda score: score / 4)
    calibration = fit_calibration(truth, found, MMA52)
    assert calibration.offset[3] == pytest.approx(calibration.offset[9], abs=0.3) and calibration.offset[3] < -0.5


def test_nothing_found_is_nothing_calibrated():
    none = Detections("v", np.zeros((0, 2)), [], [])
    assert len(Calibration(np.ones(52), np.zeros(52)).apply(none)) == 0
    assert (fit_calibration([], [none], MMA52).slope == 1).all()


def test_order_follows_the_new_scores():
    found = Detections("v", [(0, 1), (1, 2)], [0, 1], [0.9, 0.8])
    calibration = Calibration(np.ones(52), np.where(np.arange(52) == 0, -5.0, 0.0))
    assert calibration.apply(found).labels.tolist() == [1, 0]
