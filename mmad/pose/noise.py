"""Simulated errors of pose estimators, for training on rendered people. Numpy only.

Sizes are in shoulder widths and were measured on real and rendered people (benchmarks/README.md).
"""

import numpy as np
from scipy.signal import lfilter

from mmad.config import NoiseConfig
from mmad.pose.boxes import outside_picture

BODY, LEFT_HAND, RIGHT_HAND = slice(0, 33), slice(33, 54), slice(54, 75)
HANDS = (LEFT_HAND, RIGHT_HAND)
FACE = slice(0, 11)
ARMS = {"left": (13, 15, 17, 19, 21), "right": (14, 16, 18, 20, 22)}  # elbow, wrist, and three points of the hand
LEGS = {"left": (25, 27, 29, 31), "right": (26, 28, 30, 32)}


def disturb(
    points: np.ndarray, aspect: float, generator: np.random.Generator, config: NoiseConfig, fps: float
) -> np.ndarray:
    """True joints (T, 75, 2) in picture heights -> joints with errors and confidence (T, 75, 3).

    aspect: width / height of the picture. Joints outside the picture are not seen.
    """
    steps, width = len(points), shoulder_width(points)
    found = points + width * _error(steps, generator, config, fps)
    for limbs in (ARMS, LEGS):
        _swap(found, limbs, _runs(generator, steps, config.swaps * generator.exponential(1.0), 0.4, fps))
    confidence = np.clip(generator.beta(12, 1.2, (1, 75)) + 0.03 * generator.standard_normal((steps, 75)), 0.05, 1)
    for hand, wrist in ((LEFT_HAND, 15), (RIGHT_HAND, 16)):
        share = np.clip(config.hands_missing * generator.exponential(1.0), 0, 1)
        missing = _runs(generator, steps, share, 0.6, fps)
        speed = np.linalg.norm(np.gradient(points[:, wrist], axis=0), axis=1) * fps / width if steps > 1 else 0.0
        missing |= speed > generator.uniform(4, 14)  # motion blur
        confidence[missing, hand] = 0
        shift = found[:, wrist] - points[:, wrist]  # hands are searched around the estimated wrist
        found[:, hand] += 0.5 * shift[:, None]
    for limbs in (ARMS, LEGS):
        for joints in limbs.values():
            lost = _runs(generator, steps, config.lost * generator.exponential(1.0), 0.7, fps)
            confidence[np.ix_(lost, joints)] = 0
    confidence[outside_picture(found, aspect)] = 0
    found[confidence == 0] = np.nan
    return np.concatenate([found, confidence[..., None]], axis=2).astype(np.float32)


def shoulder_width(points: np.ndarray) -> float:
    """Median over time of the shoulder width: joints (T, 75, 2) -> picture heights."""
    return max(float(np.median(np.linalg.norm(points[:, 11] - points[:, 12], axis=1))), 1e-3)


def _error(steps: int, generator: np.random.Generator, config: NoiseConfig, fps: float) -> np.ndarray:
    """Errors (T, 75, 2) in shoulder widths: constant, slowly changing and per frame, smoothed as estimators do."""
    scale = np.ones(75)  # of the jitter of each joint
    scale[FACE] = generator.choice([1.0, 3.0], p=[0.6, 0.4]) * generator.uniform(0.7, 1.5)  # faces may be masked
    scale[[15, 16, *range(17, 23)]] = 2.0
    scale[[25, 26, *range(27, 33)]] = 1.5
    scale[33:] = 3.0
    scale *= generator.lognormal(0, 0.3, 75)
    jitter = config.jitter * generator.lognormal(0, 0.7) * generator.standard_normal((steps, 75, 2))
    # Errors of the points of one hand, and of the face, are correlated.
    slow = _wander(generator, steps, 75, fps)
    for group in (FACE, LEFT_HAND, RIGHT_HAND):
        slow[:, group] = 0.35 * slow[:, group] + 0.9 * _wander(generator, steps, 1, fps)
    bias = generator.standard_normal((75, 2))
    for group in (FACE, LEFT_HAND, RIGHT_HAND):
        bias[group] = 0.35 * bias[group] + 0.8 * generator.standard_normal(2)
    weight = np.where(np.arange(75) < 11, 0.5, 1.0)[:, None]  # smaller for the face
    total = config.bias * generator.lognormal(0, 0.5) * weight * bias
    total = total + config.drift * generator.lognormal(0, 0.6) * weight * slow
    total = total + scale[:, None] * jitter
    share = config.smoothing * generator.uniform(0, 1.4)
    return _smooth(total, min(share, 0.85))


def _smooth(values: np.ndarray, share: float) -> np.ndarray:
    """Exponential smoothing over time, from the first value on."""
    start = values[:1] * share
    return lfilter([1 - share], [1, -share], values, axis=0, zi=start)[0]


def _wander(generator: np.random.Generator, steps: int, joints: int, fps: float) -> np.ndarray:
    """Smooth noise (T, J, 2) of standard deviation about 1, with periods of one to eight seconds."""
    seconds = np.arange(steps, dtype=np.float32)[:, None, None] / fps
    shape = (2, 1, joints, 2)
    rates = generator.uniform(0.12, 1.0, shape).astype(np.float32)
    phases = generator.random(shape, dtype=np.float32)
    waves = [np.sin(np.float32(2 * np.pi) * (seconds * rate + phase)) for rate, phase in zip(rates, phases)]
    return waves[0] + waves[1]


def _runs(generator: np.random.Generator, steps: int, share: float, length: float, fps: float) -> np.ndarray:
    """(T,) bool: True in about this share of the frames, in runs of `length` s on average."""
    if share >= 0.95:
        return np.ones(steps, dtype=bool)
    mean = max(length * fps, 1.0)
    gap = mean * (1 - share) / max(share, 1e-4)
    state, at, out = generator.random() < share, 0, np.zeros(steps, dtype=bool)
    while at < steps:
        run = int(generator.exponential(mean if state else gap)) + 1
        out[at : at + run] = state
        state, at = not state, at + run
    return out


def _swap(points: np.ndarray, limbs: dict[str, tuple[int, ...]], when: np.ndarray) -> None:
    """Exchange the left and the right limb in the frames in which `when` is True."""
    left, right = (np.array(limbs[side]) for side in ("left", "right"))
    rows = np.flatnonzero(when)[:, None]
    points[rows, left], points[rows, right] = points[rows, right], points[rows, left].copy()
