"""Calibrated scores: the probability that a detection with this score is correct, from videos with known truth.

Platt scaling (Platt, 1999) per class, regularised towards that of all classes together, which serves rare classes.
Numpy and scipy only.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from mmad.labels import LabelSet
from mmad.metrics.best_thresholds import matched
from mmad.records import Annotation, Detections

MIN_DISTANCE = 1e-4  # scores nearer to 0 or 1 than this are moved to this distance
STRENGTH = 5.0  # L2 penalty on the distance of a class's slope and offset from those of all classes


@dataclass
class Calibration:
    """probability = expit(slope * logit(score) + offset); slope and offset: (K,) per class, slopes not negative."""

    slope: np.ndarray
    offset: np.ndarray

    def apply(self, found: Detections) -> Detections:
        """The same detections with calibrated scores, best first."""
        if not len(found):
            return found
        slope, offset = self.slope[found.labels], self.offset[found.labels]
        return replace(found, scores=expit(slope * _logit(found.scores) + offset))


def fit_calibration(
    annotations: list[Annotation], detections: list[Detections], labels: LabelSet, at_tiou: float = 0.3
) -> Calibration:
    """The calibration for detections like these; their videos must not have been trained on.

    A detection is correct if it is matched to a truth of its class at `at_tiou`, as for mAP.
    """
    scores, label, correct, _ = matched(annotations, detections, labels, at_tiou)
    of_all = _platt(_logit(scores), correct, np.array([1.0, 0.0]), 1e-3)
    found = np.tile(of_all, (len(labels), 1))
    for k in np.unique(label):
        of_class = label == k
        found[k] = _platt(_logit(scores[of_class]), correct[of_class], of_all, STRENGTH)
    return Calibration(found[:, 0], found[:, 1])


def _logit(scores: np.ndarray) -> np.ndarray:
    return logit(np.clip(scores, MIN_DISTANCE, 1 - MIN_DISTANCE))


def _platt(x: np.ndarray, correct: np.ndarray, centre: np.ndarray, strength: float) -> np.ndarray:
    """[slope, offset] of the logistic regression of `correct` on x, with an L2 penalty on the distance from
    `centre`."""

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        z = values[0] * x + values[1]
        error = expit(z) - correct
        distance = values - centre
        total = (np.logaddexp(0, z) - correct * z).sum() + strength * (distance**2).sum()
        return float(total), np.array([(error * x).sum(), error.sum()]) + 2 * strength * distance

    return minimize(loss, centre, jac=True, bounds=[(0.0, None), (None, None)], method="L-BFGS-B").x
