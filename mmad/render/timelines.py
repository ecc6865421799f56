"""Who does what when: timelines with the statistics of MMA-52's real ones. Numpy only.

Source of the figures: counts and lengths of the official train annotations (Li et al., ICCV 2025), as aggregates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmad.labels import MMA52
from mmad.records import Annotation
from mmad.render.motions import MOTIONS

FPS = 30

# Name -> (instances in 4,534 videos, median length s, spread: standard deviation of the log length)
STATISTICS: dict[str, tuple[int, float, float]] = {
    "shaking body": (368, 3.9, 0.6),
    "sitting straightly": (201, 1.7, 0.7),
    "shrugging": (128, 1.8, 0.5),
    "turning around": (1, 1.3, 0.3),
    "rising up": (96, 3.2, 0.7),
    "bowing head": (357, 1.1, 0.7),
    "head up": (168, 1.5, 0.7),
    "tilting head": (887, 1.8, 0.7),
    "turning head": (2039, 2.0, 0.8),
    "nodding": (1274, 1.6, 0.65),
    "shaking head": (651, 1.6, 0.65),
    "scratching arms": (239, 5.7, 0.9),
    "playing objects": (407, 6.0, 0.9),
    "putting hands together": (109, 1.8, 1.0),
    "rubbing hands": (26, 2.1, 0.8),
    "pointing oneself": (73, 2.6, 0.75),
    "clenching fist": (26, 3.0, 0.9),
    "stretching arms": (391, 2.5, 0.9),
    "retracting arms": (47, 0.9, 0.45),
    "waving": (946, 2.9, 0.85),
    "spreading hands": (136, 1.8, 0.95),
    "hands touching fingers": (879, 9.3, 0.7),
    "other finger movements": (191, 5.3, 0.75),
    "illustrative gestures": (250, 3.9, 0.85),
    "shaking legs": (915, 8.4, 0.7),
    "curling legs": (217, 10.7, 0.7),
    "spread legs": (122, 2.0, 0.75),
    "closing legs": (111, 1.7, 0.8),
    "crossing legs": (110, 6.2, 0.7),
    "stretching feet": (254, 1.6, 0.65),
    "retracting feet": (314, 1.6, 0.65),
    "tiptoe": (73, 2.6, 0.9),
    "scratching or touching neck": (44, 2.4, 0.75),
    "scratching or touching chest": (20, 2.0, 0.8),
    "scratching or touching back": (22, 2.2, 0.7),
    "scratching or touching shoulder": (17, 5.5, 0.9),
    "arms akimbo": (3, 3.1, 0.7),
    "crossing arms": (109, 7.6, 0.8),
    "playing or tidying hair": (50, 2.5, 0.95),
    "scratching or touching hindbrain": (24, 4.1, 0.7),
    "scratching or touching forehead": (26, 2.9, 0.75),
    "scratching or touching face": (51, 2.2, 0.85),
    "rubbing eyes": (24, 2.8, 0.75),
    "touching nose": (73, 2.4, 0.85),
    "touching ears": (38, 3.0, 0.85),
    "covering face": (1, 2.7, 0.3),
    "covering mouth": (10, 2.2, 0.9),
    "pushing glasses": (34, 1.2, 0.65),
    "patting legs": (284, 1.3, 0.75),
    "touching legs": (743, 4.0, 0.8),
    "scratching legs": (111, 5.3, 0.65),
    "scratching feet": (8, 3.3, 0.65),
}
SHORTEST = 0.27  # s, of an instance as annotated
SHARE_OF_COUNTS = {2: 0.449, 3: 0.278, 4: 0.142, 5: 0.084, 6: 0.0335, 7: 0.0085, 8: 0.004, 9: 0.0005, 10: 0.0005}
# Lengths of the videos, s: quantiles and their values.
VIDEO_LENGTHS = ((0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1), (5.0, 5.1, 5.7, 8.3, 10.6, 12.5, 13.9, 14.5, 15.03))
REST = 0.25  # s between two actions of one limb
TOGETHER = 0.6  # how often an action is placed beside another one on purpose
LONG, THROUGHOUT = 0.9, 0.5  # what would last this share of the video lasts all of it, this often
CUT = 0.45  # up to this share of an action may lie outside the video at either end


@dataclass(frozen=True)
class Action:
    """One action of a person.

    start, end: s; may lie outside the video. side: of the hand or leg that does it; both: whether both hands do.
    """

    name: str
    start: float
    end: float
    side: str
    both: bool = False

    def needs(self) -> set[str]:
        """The limbs it occupies"""
        hands = {"left hand", "right hand"} if self.both else {{"L": "left hand", "R": "right hand"}[self.side]}
        needs = set(MOTIONS[self.name].needs)
        return needs - {"one hand"} | hands if "one hand" in needs else needs


@dataclass(frozen=True)
class Timeline:
    """What happens in one video of `frames` frames. seat: how the person sits or stands, as in `Pose`."""

    video_id: str
    frames: int
    actions: tuple[Action, ...]
    seat: float = 0.0

    @property
    def duration(self) -> float:
        return self.frames / FPS

    def annotation(self) -> Annotation:
        """As a person would annotate it: whole frames, cut to the video, in order of time."""
        rows = []
        for action in self.actions:
            start, end = (int(np.clip(round(at * FPS), 0, self.frames - 1)) for at in (action.start, action.end))
            rows.append((start / FPS, end / FPS, MMA52.index[action.name]))
        rows.sort()
        segments = [(start, end) for start, end, _ in rows]
        return Annotation(self.video_id, self.duration, segments, [label for *_, label in rows], fps=FPS)


def frequencies(names: Sequence[str] = (), balanced: bool = False) -> dict[str, float]:
    """How frequent each of the actions is, all 52 without `names`: as in MMA-52, or equally."""
    return {name: 1.0 if balanced else STATISTICS[name][0] for name in names or STATISTICS}


def make_timeline(
    generator: np.random.Generator, video_id: str, chances: dict[str, float], longest: float = 15.03
) -> Timeline:
    """Two to ten actions, as many and as long as in MMA-52; what needs the same limb does not coincide.

    chances: how frequent each action is. longest: of the video, s; real ones last 5 to 15.
    """
    duration = min(np.interp(generator.random(), *VIDEO_LENGTHS), longest)
    frames = int(duration * FPS)
    counts = list(SHARE_OF_COUNTS)
    wanted = int(generator.choice(counts, p=np.array(list(SHARE_OF_COUNTS.values())) / sum(SHARE_OF_COUNTS.values())))
    names, shares = list(chances), np.array(list(chances.values())) / sum(chances.values())
    drawn = sorted((_draw(generator, names, shares, frames / FPS) for _ in range(wanted)), reverse=True)
    actions: list[Action] = []
    for length, name in drawn:  # the longest first: it needs most room
        for attempt in range(1, 81):
            action = _place(generator, name, length, frames / FPS, actions)
            if action is not None and not any(_clash(action, other) for other in actions):
                actions.append(action)
                break
            if attempt % 10 == 0:  # there is no room for it
                length, name = _draw(generator, names, shares, frames / FPS)
    return Timeline(video_id, frames, tuple(actions))


def _draw(generator: np.random.Generator, names: list[str], shares: np.ndarray, duration: float) -> tuple[float, str]:
    """Length in s, of which some may fall outside the video, and the action."""
    name = str(generator.choice(names, p=shares))
    _, median, spread = STATISTICS[name]
    length = 1.2 * median * np.exp(generator.normal(0, spread))
    return float(np.clip(length, SHORTEST, 1.6 * duration)), name


def _place(
    generator: np.random.Generator, name: str, length: float, duration: float, others: list[Action]
) -> Action | None:
    """One action somewhere in the video, often at the same time as another; None if too little of it shows."""
    if length > LONG * duration and generator.random() < THROUGHOUT:
        start, length = -0.1 * duration, 1.2 * duration
    elif others and generator.random() < TOGETHER:
        partner = others[int(generator.integers(len(others)))]
        start = generator.uniform(partner.start - 0.8 * length, partner.end - 0.2 * length)
    else:
        start = generator.uniform(-CUT * length, duration - (1 - CUT) * length)
    end = start + length
    if min(end, duration) - max(start, 0) < max(SHORTEST, 0.45 * length):
        return None
    return Action(name, start, end, *_limbs(generator, name))


def _limbs(generator: np.random.Generator, name: str) -> tuple[str, bool]:
    """Side that does an action, and whether both hands do."""
    return str(generator.choice(["L", "R"])), bool(generator.random() < MOTIONS[name].both)


def _clash(one: Action, other: Action) -> bool:
    """Whether two actions need the same limb at one moment, or are the same action without a pause."""
    if one.start >= other.end + REST or other.start >= one.end + REST:
        return False
    return one.name == other.name or bool(one.needs() & other.needs())


def make_clip(generator: np.random.Generator, video_id: str, name: str) -> Timeline:
    """A trimmed clip of one action, 1 to 4 seconds, as in MA-52 (22,422 clips of 2 s on average)."""
    frames = int(np.clip(generator.gamma(6.0, 0.36), 1.0, 4.0) * FPS)
    margin = generator.uniform(0.0, 0.12, 2) * frames / FPS
    action = Action(name, margin[0], frames / FPS - margin[1], *_limbs(generator, name))
    return Timeline(video_id, frames, (action,))
