"""Scores as probabilities: how often a detection of such a score was right in videos whose truth is known.

Platt scaling (Platt, 1999) per class, drawn towards what holds for all classes together, so that a class of which
little was seen borrows from the others. Numpy and scipy only.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from mmad.labels import LabelSet
from mmad.metrics.thresholds import matched
from mmad.records import Annotation, Detections

LEAST = 1e-4  # scores nearer to 0 or 1 are taken as that near
DRAWN = 5.0  # how strongly a class is drawn towards all classes: as by so many squared units of its two numbers


@dataclass
class Calibration:
    """probability = expit(slope * logit(score) + offset), both (K,) by class; slopes are not negative."""

    slope: np.ndarray
    offset: np.ndarray

    def apply(self, found: Detections) -> Detections:
        """The same detections, their scores as probabilities, best first."""
        if not len(found):
            return found
        slope, offset = self.slope[found.labels], self.offset[found.labels]
        return replace(found, scores=expit(slope * _logit(found.scores) + offset))


def fit_calibration(
    annotations: list[Annotation], detections: list[Detections], labels: LabelSet, at_tiou: float = 0.3
) -> Calibration:
    """From detections in videos whose truth is known and which nothing was trained on.

    A detection is right that takes a truth of its class at `at_tiou`, as for mAP.
    """
    scores, label, correct, _ = matched(annotations, detections, labels, at_tiou)
    everyone = _platt(_logit(scores), correct, np.array([1.0, 0.0]), 1e-3)
    found = np.tile(everyone, (len(labels), 1))
    for k in np.unique(label):
        mine = label == k
        found[k] = _platt(_logit(scores[mine]), correct[mine], everyone, DRAWN)
    return Calibration(found[:, 0], found[:, 1])


def _logit(scores: np.ndarray) -> np.ndarray:
    return logit(np.clip(scores, LEAST, 1 - LEAST))


def _platt(x: np.ndarray, correct: np.ndarray, centre: np.ndarray, drawn: float) -> np.ndarray:
    """[slope, offset] of the logistic regression of `correct` on x, drawn towards `centre`."""

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        z = values[0] * x + values[1]
        wrong = expit(z) - correct
        away = values - centre
        total = (np.logaddexp(0, z) - correct * z).sum() + drawn * (away**2).sum()
        return float(total), np.array([(wrong * x).sum(), wrong.sum()]) + 2 * drawn * away

    return minimize(loss, centre, jac=True, bounds=[(0.0, None), (None, None)], method="L-BFGS-B").x
