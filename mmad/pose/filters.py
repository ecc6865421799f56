"""The filter by which MediaPipe quiets the joints of a single person, for joints that it does not filter itself."""

import numpy as np

LOWEST_CUTOFF, BETA, SPEED_CUTOFF = 0.05, 80.0, 1.0  # Hz, Hz by scales a second, Hz: MediaPipe's own, for pose points


def one_euro(places: np.ndarray, times: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The 1 euro filter (https://gery.casiez.net/1euro): an exponential mean that is slow at rest and quick in motion.

    places: (T, J, 2), NaN where a joint is not seen; there it starts anew. times: (T,) s, ascending. scale: (T,) in the
    unit of the places, by which speeds are divided, so that those who are far away are filtered alike.
    """
    filtered = np.array(places, dtype=np.float64)
    speed = np.zeros_like(filtered[0]) if len(filtered) else None
    for row in range(1, len(filtered)):
        seconds = times[row] - times[row - 1]
        change = (places[row] - places[row - 1]) / scale[row] / seconds
        speed = _mixed(change, np.where(np.isfinite(speed), speed, 0.0), SPEED_CUTOFF, seconds)
        mixed = _mixed(filtered[row], filtered[row - 1], LOWEST_CUTOFF + BETA * np.abs(speed), seconds)
        filtered[row] = np.where(np.isfinite(mixed), mixed, filtered[row])
    return filtered


def _mixed(new: np.ndarray, old: np.ndarray, cutoff: np.ndarray | float, seconds: float) -> np.ndarray:
    """The next value of an exponential mean with this cutoff frequency, Hz."""
    share = 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))
    return share * new + (1 - share) * old
