"""When a person and their hands were not seen: what they did then is not known."""

from dataclasses import dataclass

import numpy as np

from mmad.pose.bones import joints_of_region
from mmad.records import LandmarkTrack

PAGE_NAMES = {"body": "person", "left hand": "left hand", "right hand": "right hand"}  # of the skeleton's regions
IN_WORDS = 0.5  # share of the video unseen, from which on the page says it in a sentence
NEAR = 2.5  # median steps between rows: rows farther apart have a gap between them


@dataclass
class Unseen:
    """When one region of one person's skeleton was not seen.

    name: "person", "left hand" or "right hand". person: its number, None where only one was looked for. stretches:
    (N, 2) s, ascending. share: of the video, 0..1.
    """

    name: str
    person: int | None
    stretches: np.ndarray
    share: float

    def label(self) -> str:
        if self.person is None:
            return self.name
        return f"person {self.person}" if self.name == "person" else f"{self.name} of person {self.person}"

    def sentence(self) -> str:
        """In words, where it is most of the video; else ""."""
        if self.share < IN_WORDS:
            return ""
        subject = self.label().capitalize() if self.label().startswith("person ") else f"The {self.label()}"
        does = "they do" if self.name == "person" else "it does"
        if self.share > 1 - 1e-6:
            return f"{subject} is never seen: what {does} cannot be told."
        percent = min(round(100 * self.share), 99)  # nearly all of it is not all of it
        return f"{subject} is not seen for {percent} % of the time: what {does} then cannot be told."


def unseen_parts(tracks: list[LandmarkTrack], duration: float) -> list[Unseen]:
    """For each person three records: the body, the left hand, the right hand. duration: of the video, s."""
    result = []
    for track in tracks:
        starts, ends = row_extents(track, duration)
        for region, name in PAGE_NAMES.items():
            found = track.seen[:, joints_of_region(track.layout, region)].any(axis=1)
            stretches = complement(starts[found], ends[found], duration)
            share = float(np.diff(stretches).sum() / duration)
            result.append(Unseen(name, track.person if len(tracks) > 1 else None, stretches, share))
    return result


def row_extents(track: LandmarkTrack, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Start and end (T,), (T,) s of the time that each row stands for: half-way to its neighbours, but only half a
    median step where a gap follows."""
    times = track.times
    steps = np.diff(times)
    step = float(np.median(steps)) if len(steps) else duration
    half = np.where(steps <= NEAR * step, steps, step) / 2
    # The first and the last row also stand for the ends of the video, where these are near.
    before = times[0] if times[0] <= NEAR * step else step / 2
    after = duration - times[-1] if duration - times[-1] <= NEAR * step else step / 2
    starts, ends = times - np.r_[before, half], times + np.r_[half, max(after, 0.0)]
    return starts.clip(0, duration), ends.clip(0, duration)


def complement(starts: np.ndarray, ends: np.ndarray, duration: float, min_length: float = 1e-6) -> np.ndarray:
    """(N, 2) s: the parts of 0..duration outside all of the stretches, which ascend and do not overlap.

    starts, ends: (M,) s of the stretches. min_length: s; shorter parts, which are rounding errors, are left out.
    """
    gaps = np.stack([np.r_[0.0, ends], np.r_[starts, duration]], axis=1)
    return gaps[gaps[:, 1] - gaps[:, 0] > min_length]
