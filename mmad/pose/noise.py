"""What a pose network does wrong, added to joints that are right: for training on rendered people. Numpy only.

Sizes are in widths of the shoulders and come from measurements on real and rendered people (benchmarks/README.md).
"""

import numpy as np
from scipy.signal import lfilter

from mmad.config import NoiseConfig
from mmad.pose.views import outside_picture

BODY, LEFT_HAND, RIGHT_HAND = slice(0, 33), slice(33, 54), slice(54, 75)
HANDS = (LEFT_HAND, RIGHT_HAND)
FACE = slice(0, 11)
ARMS = {"left": (13, 15, 17, 19, 21), "right": (14, 16, 18, 20, 22)}  # elbow, wrist, and three points of the hand
LEGS = {"left": (25, 27, 29, 31), "right": (26, 28, 30, 32)}


def disturb(
    points: np.ndarray, aspect: float, generator: np.random.Generator, config: NoiseConfig, fps: float
) -> np.ndarray:
    """(T, 75, 2) true places in heights of the picture -> (T, 75, 3) as an estimator gives them, with confidence.

    aspect: width of the picture over its height. What lies outside the picture is not seen.
    """
    steps, wide = len(points), shoulder_width(points)
    found = points + wide * _error(steps, generator, config, fps)
    for limbs in (ARMS, LEGS):
        _swap(found, limbs, _runs(generator, steps, config.swaps * generator.exponential(1.0), 0.4, fps))
    confidence = np.clip(generator.beta(12, 1.2, (1, 75)) + 0.03 * generator.standard_normal((steps, 75)), 0.05, 1)
    for hand, wrist in ((LEFT_HAND, 15), (RIGHT_HAND, 16)):
        share = np.clip(config.hands_missing * generator.exponential(1.0), 0, 1)
        missing = _runs(generator, steps, share, 0.6, fps)
        quick = np.linalg.norm(np.gradient(points[:, wrist], axis=0), axis=1) * fps / wide if steps > 1 else 0.0
        missing |= quick > generator.uniform(4, 14)  # blurred
        confidence[missing, hand] = 0
        shift = found[:, wrist] - points[:, wrist]  # a hand is looked for where the wrist is said to be
        found[:, hand] += 0.5 * shift[:, None]
    for limbs in (ARMS, LEGS):
        for joints in limbs.values():
            gone = _runs(generator, steps, config.lost * generator.exponential(1.0), 0.7, fps)
            confidence[np.ix_(gone, joints)] = 0
    confidence[outside_picture(found, aspect)] = 0
    found[confidence == 0] = np.nan
    return np.concatenate([found, confidence[..., None]], axis=2).astype(np.float32)


def shoulder_width(points: np.ndarray) -> float:
    """The median over time, of (T, 75, 2)."""
    return max(float(np.median(np.linalg.norm(points[:, 11] - points[:, 12], axis=1))), 1e-3)


def _error(steps: int, generator: np.random.Generator, config: NoiseConfig, fps: float) -> np.ndarray:
    """(T, 75, 2) in widths of the shoulders: constant, wandering and from frame to frame, smoothed as estimators do."""
    rough = np.ones(75)
    rough[FACE] = generator.choice([1.0, 3.0], p=[0.6, 0.4]) * generator.uniform(0.7, 1.5)  # faces may be masked
    rough[[15, 16, *range(17, 23)]] = 2.0
    rough[[25, 26, *range(27, 33)]] = 1.5
    rough[33:] = 3.0
    rough *= generator.lognormal(0, 0.3, 75)
    jitter = config.jitter * generator.lognormal(0, 0.7) * generator.standard_normal((steps, 75, 2))
    # Points of one hand, and of the face, are mostly wrong together.
    slow = _wander(generator, steps, 75, fps)
    for group in (FACE, LEFT_HAND, RIGHT_HAND):
        slow[:, group] = 0.35 * slow[:, group] + 0.9 * _wander(generator, steps, 1, fps)
    bias = generator.standard_normal((75, 2))
    for group in (FACE, LEFT_HAND, RIGHT_HAND):
        bias[group] = 0.35 * bias[group] + 0.8 * generator.standard_normal(2)
    weight = np.where(np.arange(75) < 11, 0.5, 1.0)[:, None]  # faces are small: so are their errors
    total = config.bias * generator.lognormal(0, 0.5) * weight * bias
    total = total + config.drift * generator.lognormal(0, 0.6) * weight * slow
    total = total + rough[:, None] * jitter
    share = config.smoothing * generator.uniform(0, 1.4)
    return _smooth(total, min(share, 0.85))


def _smooth(values: np.ndarray, share: float) -> np.ndarray:
    """Exponential smoothing over time, from the first value on."""
    start = values[:1] * share
    return lfilter([1 - share], [1, -share], values, axis=0, zi=start)[0]


def _wander(generator: np.random.Generator, steps: int, joints: int, fps: float) -> np.ndarray:
    """(T, J, 2) of deviation about 1, with periods of one to eight seconds."""
    seconds = np.arange(steps, dtype=np.float32)[:, None, None] / fps
    shape = (2, 1, joints, 2)
    rates = generator.uniform(0.12, 1.0, shape).astype(np.float32)
    phases = generator.random(shape, dtype=np.float32)
    waves = [np.sin(np.float32(2 * np.pi) * (seconds * rate + phase)) for rate, phase in zip(rates, phases)]
    return waves[0] + waves[1]


def _runs(generator: np.random.Generator, steps: int, share: float, length: float, fps: float) -> np.ndarray:
    """(T,) bool: about this share of the frames, in runs of `length` s on average."""
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
    left, right = (np.array(limbs[side]) for side in ("left", "right"))
    rows = np.flatnonzero(when)[:, None]
    points[rows, left], points[rows, right] = points[rows, right], points[rows, left].copy()
