"""What the time stamps of a video say, and where they lie: pauses, jumps, frames far from all others. Numpy only."""

from dataclasses import dataclass

import numpy as np

SHORTEST = 1.0  # s without a frame, from which on that is a pause; of slow videos this many frames
FRAMES = 20
LONGEST = 600.0  # s: a longer pause is a jump, which is not a part of the recording
LONG = 120.0  # s: so is this one in a video that runs for less than a fiftieth of it
MANY = 50
MOST_STRAYS = 2  # frames of a file whose stamps may be replaced
REORDERED = 4  # places by which B frames are stored later than they are shown, at most


@dataclass(frozen=True)
class Gap:
    """A time without frames. after: index of the frame before it. start, end: s, when that frame was due to end, and
    when the next one is shown."""

    after: int
    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


def find_gaps(times: np.ndarray, frame_duration: float) -> list[Gap]:
    """The pauses and jumps of a video. times: (N,) s of its frames, ascending. frame_duration: s of most frames."""
    shortest = max(SHORTEST, FRAMES * frame_duration)
    return [
        Gap(int(i), float(times[i]) + frame_duration, float(times[i + 1]))
        for i in np.flatnonzero(np.diff(times) - frame_duration > shortest)
    ]


def is_jump(gap: float, running: float) -> bool:
    """Whether a gap of so many s cannot be a pause. running: s of the video without its gaps."""
    return gap > LONGEST or gap > max(LONG, MANY * running)


def evened(stamps: np.ndarray) -> np.ndarray:
    """(N,) ascending time stamps, made even where only single ones in between are off: their ends are where frames at
    an even rate would be."""
    if len(stamps) < 3:
        return stamps
    step = float(np.median(np.diff(stamps)))
    if abs(stamps[-1] - stamps[0] - (len(stamps) - 1) * step) > 0.5 * step:
        return stamps
    return np.round(np.linspace(stamps[0], stamps[-1], len(stamps))).astype(np.int64)


def without_strays(stamps: np.ndarray, frame: float, second: float) -> tuple[np.ndarray, int]:
    """((N,) ascending time stamps, how many of them were far from all others and were replaced).

    stamps: (N,) in the order in which the frames are stored. frame, second: how long these are in the stamps' unit. A
    frame with a wrong stamp is shown where it is stored, or where one is missing near there (B frames are stored later
    than they are shown).
    """
    strays: list[int] = []
    order = np.argsort(stamps, kind="stable")
    while len(order) > 3:
        running = (len(order) - 1) * frame / second
        ends = {order[0]: stamps[order[1]] - stamps[order[0]], order[-1]: stamps[order[-1]] - stamps[order[-2]]}
        far = [place for place, gap in ends.items() if is_jump(gap / second, running)]
        if len(far) != 1 or len(strays) == MOST_STRAYS:
            break  # two ends that are far from the middle: nothing says which of them is right
        strays.append(int(far[0]))
        order = order[order != far[0]]
    kept = stamps[order]
    for place in sorted(strays):
        kept = _filled(kept, place, frame)
    return kept, len(strays)


def _filled(stamps: np.ndarray, place: int, frame: float) -> np.ndarray:
    """Ascending stamps and one more, for the frame that is stored at this place."""
    if place == 0:
        return np.insert(stamps, 0, stamps[0] - round(frame))
    near = slice(max(place - REORDERED, 0), place + REORDERED)
    missing = np.flatnonzero(np.diff(stamps[near]) > 1.5 * frame)
    before = near.start + int(missing[0]) if len(missing) else min(place, len(stamps)) - 1
    return np.insert(stamps, before + 1, stamps[before] + round(frame))
