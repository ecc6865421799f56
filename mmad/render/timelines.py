"""Random timelines of actions with the statistics of MMA-52. Numpy only.

Source of the statistics: counts and lengths of the official train annotations (Li et al., ICCV 2025), as aggregates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmad.labels import MMA52
from mmad.records import Annotation
from mmad.render.acts import Motion
from mmad.render.distractors import ARRIVALS, DISTRACTOR_STATISTICS, DISTRACTORS
from mmad.render.motions import MOTIONS
from mmad.render.pose import STANDING

FPS = 30


class Statistics(NamedTuple):
    """Statistics of one action in MMA-52 (train).

    instances: in 4,534 videos. short, median, long: 10 %, 50 % and 90 % quantiles of the length, s. whole: percentage
    of the instances that last the whole video. from_start: percentage that is under way when the video begins.
    """

    instances: int
    short: float
    median: float
    long: float
    whole: int
    from_start: int

    @property
    def is_posture(self) -> bool:
        """Whether the class is a posture, annotated as long as it is kept."""
        return self.whole > 25


STATISTICS = {
    "shaking body": Statistics(368, 1.9, 3.9, 9.6, 7, 40),
    "sitting straightly": Statistics(201, 0.8, 1.7, 5.2, 1, 20),
    "shrugging": Statistics(128, 1.0, 1.8, 3.7, 0, 14),
    "turning around": Statistics(1, 1.3, 1.3, 1.3, 0, 0),
    "rising up": Statistics(96, 1.2, 3.2, 7.5, 4, 27),
    "bowing head": Statistics(357, 0.6, 1.1, 3.8, 0, 17),
    "head up": Statistics(168, 0.6, 1.6, 5.1, 1, 21),
    "tilting head": Statistics(887, 0.8, 1.8, 5.5, 2, 24),
    "turning head": Statistics(2039, 0.8, 2.0, 6.1, 4, 28),
    "nodding": Statistics(1274, 0.8, 1.6, 4.3, 1, 19),
    "shaking head": Statistics(651, 0.8, 1.6, 3.7, 3, 18),
    "scratching arms": Statistics(239, 1.2, 5.7, 12.5, 27, 53),
    "playing objects": Statistics(407, 1.1, 6.0, 12.3, 28, 59),
    "putting hands together": Statistics(109, 0.8, 1.8, 10.8, 10, 40),
    "rubbing hands": Statistics(26, 0.6, 2.1, 6.2, 0, 8),
    "pointing oneself": Statistics(73, 0.9, 2.6, 6.1, 1, 18),
    "clenching fist": Statistics(26, 0.7, 3.0, 11.4, 8, 23),
    "stretching arms": Statistics(391, 0.8, 2.5, 9.3, 10, 30),
    "retracting arms": Statistics(47, 0.6, 0.9, 1.9, 0, 6),
    "waving": Statistics(946, 0.9, 2.9, 9.0, 8, 28),
    "spreading hands": Statistics(136, 0.7, 1.8, 10.3, 10, 24),
    "hands touching fingers": Statistics(879, 2.8, 9.3, 13.2, 46, 68),
    "other finger movements": Statistics(191, 1.6, 5.3, 12.0, 14, 43),
    "illustrative gestures": Statistics(250, 0.9, 3.9, 9.3, 11, 32),
    "shaking legs": Statistics(915, 2.4, 8.4, 12.7, 36, 55),
    "curling legs": Statistics(217, 2.7, 10.7, 13.7, 50, 82),
    "spread legs": Statistics(122, 0.9, 2.0, 4.9, 2, 34),
    "closing legs": Statistics(111, 0.7, 1.7, 5.2, 4, 43),
    "crossing legs": Statistics(110, 2.3, 6.2, 12.5, 36, 49),
    "stretching feet": Statistics(254, 0.9, 1.6, 5.4, 2, 17),
    "retracting feet": Statistics(314, 0.7, 1.6, 4.4, 2, 20),
    "tiptoe": Statistics(73, 0.9, 2.6, 8.4, 10, 27),
    "scratching or touching neck": Statistics(44, 1.1, 2.4, 7.3, 5, 27),
    "scratching or touching chest": Statistics(20, 1.1, 2.0, 12.6, 10, 30),
    "scratching or touching back": Statistics(22, 1.2, 2.2, 8.1, 5, 32),
    "scratching or touching shoulder": Statistics(17, 1.3, 5.5, 13.6, 24, 41),
    "arms akimbo": Statistics(3, 0.7, 3.1, 3.1, 0, 33),
    "crossing arms": Statistics(109, 1.4, 7.6, 13.3, 37, 65),
    "playing or tidying hair": Statistics(50, 0.5, 2.5, 7.2, 2, 18),
    "scratching or touching hindbrain": Statistics(24, 1.0, 4.1, 8.0, 4, 17),
    "scratching or touching forehead": Statistics(26, 0.6, 2.9, 6.7, 0, 19),
    "scratching or touching face": Statistics(51, 0.6, 2.2, 7.0, 2, 22),
    "rubbing eyes": Statistics(24, 1.1, 2.8, 9.0, 4, 29),
    "touching nose": Statistics(73, 0.9, 2.4, 8.2, 3, 26),
    "touching ears": Statistics(38, 0.6, 3.0, 6.2, 3, 32),
    "covering face": Statistics(1, 2.7, 2.7, 2.7, 0, 0),
    "covering mouth": Statistics(10, 0.7, 2.2, 10.5, 0, 30),
    "pushing glasses": Statistics(34, 0.4, 1.2, 3.1, 0, 18),
    "patting legs": Statistics(284, 0.6, 1.3, 3.4, 0, 11),
    "touching legs": Statistics(743, 1.3, 4.0, 11.3, 16, 31),
    "scratching legs": Statistics(111, 2.2, 5.3, 10.5, 15, 41),
    "scratching feet": Statistics(8, 1.1, 3.3, 10.6, 0, 25),
}
SHORTEST = 0.27  # s, the shortest annotated instance
# {actions in a video: share of the videos}
SHARE_OF_COUNTS = {2: 0.449, 3: 0.278, 4: 0.142, 5: 0.084, 6: 0.0335, 7: 0.0085, 8: 0.004, 9: 0.0005, 10: 0.0005}
# Lengths of the videos: quantiles and their values, s.
VIDEO_LENGTHS = ((0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1), (5.0, 5.1, 5.7, 8.3, 10.6, 12.5, 13.9, 14.5, 15.03))
MIN_GAP = 0.25  # s between two actions of one limb
SEATS = {"chair": 0.55, "stool": 0.33, "standing": 0.12}  # probabilities
STOOL_HEIGHTS = (0.08, 0.45)  # range, as `Pose.seat`
TABLE_PROBABILITY = 0.12
ARRIVAL_PROBABILITY = 0.07  # of a video of at least MIN_ARRIVAL_VIDEO seconds that begins with coming to the seat
MIN_ARRIVAL_VIDEO = 8.0
DISTRACTORS_PER_SECOND = 0.13  # attempts to place one
OVERLAP_PROBABILITY = 0.85  # that an action is placed to overlap another one
LONGEST_SHARE = (0.7, 0.97)  # of the video: limit of the length of actions that do not last the whole video
CUT_SHARE = (0.1, 0.8)  # of what is cut by the video: length outside the video relative to that inside
CUT_AT_END = 0.9  # instances cut at the end only, relative to those cut at the start only
WHOLE_FACTOR = 0.9  # on the share of instances that last the whole video: placed first, they find room more often
POSTURE_MARGIN = (0.7, 3.0)  # s that a posture is kept before the video begins, and after it ends


@dataclass(frozen=True)
class Action:
    """One action of a person, or a distractor.

    start, end: s; may lie outside the video. side: "L" or "R", of the hand or leg that does it; both: whether both
    hands do it.
    """

    name: str
    start: float
    end: float
    side: str
    both: bool = False

    @property
    def motion(self) -> Motion:
        """How it is done"""
        return MOTIONS[self.name] if self.name in MOTIONS else DISTRACTORS[self.name]

    def needs(self) -> set[str]:
        """The limbs that it occupies, of NEEDS"""
        hands = {"left hand", "right hand"} if self.both else {{"L": "left hand", "R": "right hand"}[self.side]}
        needs = set(self.motion.needs)
        return needs - {"one hand"} | hands if "one hand" in needs else needs


@dataclass(frozen=True)
class Timeline:
    """The actions in one video of `frames` frames.

    seat, table: as in `Pose`. distractors: movements that are not annotated.
    """

    video_id: str
    frames: int
    actions: tuple[Action, ...]
    seat: float = 0.0
    table: bool = False
    distractors: tuple[Action, ...] = ()

    @property
    def duration(self) -> float:
        return self.frames / FPS

    def annotation(self) -> Annotation:
        """The truth as a person would annotate it: whole frames, cut to the video, sorted by time."""
        rows = []
        for action in self.actions:
            start, end = (int(np.clip(round(at * FPS), 0, self.frames - 1)) for at in (action.start, action.end))
            rows.append((start / FPS, end / FPS, MMA52.index[action.name]))
        rows.sort()
        segments = [(start, end) for start, end, _ in rows]
        return Annotation(self.video_id, self.duration, segments, [label for *_, label in rows], fps=FPS)


def class_frequencies(names: Sequence[str] = (), tail: float = 1.0) -> dict[str, float]:
    """Relative frequencies of actions (by default of all 52): those of MMA-52 to the power of `tail`."""
    return {name: float(STATISTICS[name].instances) ** tail for name in names or STATISTICS}


def make_timeline(
    generator: np.random.Generator, video_id: str, frequencies: dict[str, float], longest: float = 15.03
) -> Timeline:
    """Two to ten actions, as many and as long as in MMA-52, and sometimes distractors.

    Actions of the same limb do not overlap. frequencies: relative, of each action. longest: limit of the length of the
    video, s; those of MMA-52 last 5 to 15 s.
    """
    frames = int(min(np.interp(generator.random(), *VIDEO_LENGTHS), longest) * FPS)
    counts = list(SHARE_OF_COUNTS)
    count = int(generator.choice(counts, p=np.array(list(SHARE_OF_COUNTS.values())) / sum(SHARE_OF_COUNTS.values())))
    seat = _seat(generator, list(frequencies))
    names = [name for name in frequencies if not (seat == STANDING and MOTIONS[name].seated)]
    values = [frequencies[name] for name in names]
    probabilities = np.array(values) / sum(values)
    drawn = [_draw(generator, names, probabilities, frames / FPS) for _ in range(count)]
    arrival = _arrive(generator, frames / FPS) if seat < STANDING else []
    actions: list[Action] = []
    for span in sorted(drawn, key=lambda span: span.length, reverse=True):  # longest first: they need most room
        for attempt in range(1, 81):
            action = _place(generator, span, frames / FPS, actions)
            if not any(_conflict(action, other) for other in arrival + actions):
                actions.append(action)
                break
            if attempt % 5 == 0:  # no room for it: another one
                span = _draw(generator, names, probabilities, frames / FPS)
    distractors = arrival + _distract(generator, seat, frames / FPS, arrival + actions)
    table = _table(generator, seat, actions + distractors)
    return Timeline(video_id, frames, tuple(actions), seat, table, tuple(distractors))


def _arrive(generator: np.random.Generator, duration: float) -> list[Action]:
    """In some videos, the person comes to the seat first."""
    if duration < MIN_ARRIVAL_VIDEO or generator.random() >= ARRIVAL_PROBABILITY:
        return []
    name = str(generator.choice(list(ARRIVALS)))
    length = generator.uniform(*ARRIVALS[name])
    start = generator.uniform(-0.3, 0.0) * length
    return [Action(name, start, start + length, *_limbs(generator, name))]


def _distract(generator: np.random.Generator, seat: float, duration: float, taken: list[Action]) -> list[Action]:
    """Random distractors whose limbs are free."""
    names = [name for name in DISTRACTOR_STATISTICS if not (seat == STANDING and DISTRACTORS[name].seated)]
    frequencies = np.array([DISTRACTOR_STATISTICS[name].frequency for name in names])
    found: list[Action] = []
    for _ in range(generator.poisson(DISTRACTORS_PER_SECOND * duration)):
        name = str(generator.choice(names, p=frequencies / frequencies.sum()))
        row = DISTRACTOR_STATISTICS[name]
        length = np.exp(generator.uniform(*np.log([row.shortest, row.longest])))
        for _ in range(6):
            start = generator.uniform(-0.4 * length, duration - 0.6 * length)
            action = Action(name, start, start + length, *_limbs(generator, name))
            if not any(_conflict(action, other) for other in taken + found):
                found.append(action)
                break
    return found


def _seat(generator: np.random.Generator, names: list[str]) -> float:
    """Random seat of a person who does some of these actions, as `Pose.seat`."""
    kind = str(generator.choice(list(SEATS), p=list(SEATS.values())))
    if kind == "standing" and not all(MOTIONS[name].seated for name in names):
        return STANDING
    return float(generator.uniform(*STOOL_HEIGHTS)) if kind == "stool" else 0.0


def _table(generator: np.random.Generator, seat: float, actions: list[Action]) -> bool:
    """Whether there is a table: never where legs move, which it would hide."""
    possible = seat < STANDING and not any("legs" in action.needs() for action in actions)
    return bool(possible and generator.random() < TABLE_PROBABILITY)


class _Span(NamedTuple):
    """An action without a place in the video. length: of the part inside the video, s. at_start, at_end: whether the
    start, the end of the video cuts it."""

    name: str
    length: float
    at_start: bool
    at_end: bool


def _draw(generator: np.random.Generator, names: list[str], probabilities: np.ndarray, duration: float) -> _Span:
    """A random action: its length and whether the video cuts it."""
    name = str(generator.choice(names, p=probabilities))
    row = STATISTICS[name]
    if generator.random() < WHOLE_FACTOR * row.whole / 100:
        return _Span(name, duration, True, True)
    cut = (row.from_start - row.whole) / (100 - row.whole)
    where = generator.random()
    at_start, at_end = where < cut, cut <= where < (1 + CUT_AT_END) * cut
    length = min(_length(generator, row), duration * generator.uniform(*LONGEST_SHARE))
    return _Span(name, length, at_start, at_end)


def _length(generator: np.random.Generator, row: Statistics) -> float:
    """Random length, s, of an instance that does not last the whole video: quantiles without those that do."""
    knots = np.array([row.short, row.median, row.long])
    of_videos = np.interp(
        knots, VIDEO_LENGTHS[1], VIDEO_LENGTHS[0]
    )  # shares of shorter videos, so of whole-video instances
    below = (np.array([0.1, 0.5, 0.9]) - row.whole / 100 * of_videos) / (1 - row.whole / 100)
    knots = [max(SHORTEST, 0.5 * row.short), *knots, min(1.4 * row.long, VIDEO_LENGTHS[1][-1])]
    return float(np.exp(np.interp(generator.random(), [0, *np.clip(below, 0, 1), 1], np.log(knots))))


def _place(generator: np.random.Generator, span: _Span, duration: float, others: list[Action]) -> Action:
    """An action at a random place that fits its span; if not cut, often overlapping another action."""
    if STATISTICS[span.name].is_posture:
        before, after = generator.uniform(*POSTURE_MARGIN, 2)
    else:
        before, after = span.length * generator.uniform(*CUT_SHARE, 2)
    if span.at_start:
        start = 0.0
    elif span.at_end:
        start = duration - span.length
    else:
        first, last = 0.1, max(duration - span.length - 0.1, 0.1)
        if others and generator.random() < OVERLAP_PROBABILITY:
            partner = others[int(generator.integers(len(others)))]
            first = min(max(first, partner.start - 0.8 * span.length), last)
            last = max(min(last, partner.end - 0.2 * span.length), first)
        start = generator.uniform(first, last)
    end = start + span.length
    limbs = _limbs(generator, span.name)
    return Action(span.name, start - before * span.at_start, end + after * span.at_end, *limbs)


def _conflict(one: Action, other: Action) -> bool:
    """Whether two actions need the same limb at the same time, or are the same action without a pause."""
    if one.start >= other.end + MIN_GAP or other.start >= one.end + MIN_GAP:
        return False
    return one.name == other.name or bool(one.needs() & other.needs())


def _limbs(generator: np.random.Generator, name: str) -> tuple[str, bool]:
    """Random side that does an action, and whether both hands do it."""
    motion = MOTIONS[name] if name in MOTIONS else DISTRACTORS[name]
    return str(generator.choice(["L", "R"])), bool(generator.random() < motion.both)


def make_clip(generator: np.random.Generator, video_id: str, name: str) -> Timeline:
    """A trimmed clip of one action, 1 to 4 seconds, as in MA-52 (22,422 clips of 2 s on average).

    Clips of a posture often show neither its beginning nor its end.
    """
    frames = int(np.clip(generator.gamma(6.0, 0.36), 1.0, 4.0) * FPS)
    margin = generator.uniform(0.0, 0.12, 2) * frames / FPS
    kept = (generator.random(2) < (0.6 if STATISTICS[name].is_posture else 0.0)) * generator.uniform(*POSTURE_MARGIN, 2)
    margin = np.where(kept > 0, -kept, margin)
    action = Action(name, margin[0], frames / FPS - margin[1], *_limbs(generator, name))
    seat = _seat(generator, [name])
    return Timeline(video_id, frames, (action,), seat, _table(generator, seat, [action]))
