"""Who does what when: timelines with the statistics of MMA-52's real ones. Numpy only.

Source of the figures: counts and lengths of the official train annotations (Li et al., ICCV 2025), as aggregates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmad.labels import MMA52
from mmad.records import Annotation
from mmad.render.acts import Motion
from mmad.render.distractors import ARRIVALS, DISTRACTORS, HABITS
from mmad.render.motions import MOTIONS
from mmad.render.pose import STANDING

FPS = 30


class Statistics(NamedTuple):
    """What MMA-52 (train) says about one action.

    instances: in 4,534 videos. short, median, long: s; 10 % of the instances are shorter than the first, 90 % than the
    last. whole: percentage that lasts the whole video. from_start: that is under way when the video begins.
    """

    instances: int
    short: float
    median: float
    long: float
    whole: int
    from_start: int

    @property
    def is_posture(self) -> bool:
        """Whether the posture itself is what is annotated, as long as it is kept"""
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
SHORTEST = 0.27  # s, of an instance as annotated
SHARE_OF_COUNTS = {2: 0.449, 3: 0.278, 4: 0.142, 5: 0.084, 6: 0.0335, 7: 0.0085, 8: 0.004, 9: 0.0005, 10: 0.0005}
# Lengths of the videos, s: quantiles and their values.
VIDEO_LENGTHS = ((0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1), (5.0, 5.1, 5.7, 8.3, 10.6, 12.5, 13.9, 14.5, 15.03))
REST = 0.25  # s between two actions of one limb
SEATS = {"chair": 0.55, "stool": 0.33, "standing": 0.12}  # how often people sit or stand so
STOOLS = (0.08, 0.45)  # how high a stool is, as `Pose.seat`
TABLES = 0.12  # how often there is one
ARRIVING, TO_ARRIVE = 0.07, 8.0  # share of the videos of at least so many seconds that begin with coming to the seat
DISTRACTED = 0.13  # tries a second to do something that is no action
TOGETHER = 0.85  # how often an action is placed beside another one on purpose
LONGEST = (0.7, 0.97)  # share of the video, of what is long and does not last all of it
CUT = (0.1, 0.8)  # outside the video lies this much of what is cut by it, as a share of what lies inside
CUT_AT_END = 0.9  # as often as at the start, of the instances cut at one end only
ROOM = 0.9  # what lasts the whole video is placed first and finds room more often than the rest
LEAD = (0.7, 3.0)  # s that a posture is kept before the video begins, and after it ends


@dataclass(frozen=True)
class Action:
    """One action of a person, or something else that they do and nobody annotates.

    start, end: s; may lie outside the video. side: of the hand or leg that does it; both: whether both hands do.
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
        """The limbs it occupies"""
        hands = {"left hand", "right hand"} if self.both else {{"L": "left hand", "R": "right hand"}[self.side]}
        needs = set(self.motion.needs)
        return needs - {"one hand"} | hands if "one hand" in needs else needs


@dataclass(frozen=True)
class Timeline:
    """What happens in one video of `frames` frames.

    seat, table: how the person sits or stands and at what, as in `Pose`. others: what is done and not annotated.
    """

    video_id: str
    frames: int
    actions: tuple[Action, ...]
    seat: float = 0.0
    table: bool = False
    others: tuple[Action, ...] = ()

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


def frequencies(names: Sequence[str] = (), tail: float = 1.0) -> dict[str, float]:
    """How frequent each of the actions is, all 52 without `names`: as in MMA-52 to the power of `tail`."""
    return {name: float(STATISTICS[name].instances) ** tail for name in names or STATISTICS}


def make_timeline(
    generator: np.random.Generator, video_id: str, chances: dict[str, float], longest: float = 15.03
) -> Timeline:
    """Two to ten actions, as many and as long as in MMA-52, and now and then something that is no action.

    What needs the same limb does not coincide.

    chances: how frequent each action is. longest: of the video, s; real ones last 5 to 15.
    """
    frames = int(min(np.interp(generator.random(), *VIDEO_LENGTHS), longest) * FPS)
    counts = list(SHARE_OF_COUNTS)
    wanted = int(generator.choice(counts, p=np.array(list(SHARE_OF_COUNTS.values())) / sum(SHARE_OF_COUNTS.values())))
    seat = _seat(generator, list(chances))
    possible = {name: chance for name, chance in chances.items() if not (seat == STANDING and MOTIONS[name].seated)}
    names, shares = list(possible), np.array(list(possible.values())) / sum(possible.values())
    drawn = [_draw(generator, names, shares, frames / FPS) for _ in range(wanted)]
    arrival = _arrive(generator, frames / FPS) if seat < STANDING else []
    actions: list[Action] = []
    for span in sorted(drawn, key=lambda span: span.length, reverse=True):  # the longest first: it needs most room
        for attempt in range(1, 81):
            action = _place(generator, span, frames / FPS, actions)
            if not any(_clash(action, other) for other in arrival + actions):
                actions.append(action)
                break
            if attempt % 5 == 0:  # there is no room for it
                span = _draw(generator, names, shares, frames / FPS)
    others = arrival + _distract(generator, seat, frames / FPS, arrival + actions)
    return Timeline(video_id, frames, tuple(actions), seat, _table(generator, seat, actions + others), tuple(others))


def _arrive(generator: np.random.Generator, duration: float) -> list[Action]:
    """Sometimes a person comes to the seat first."""
    if duration < TO_ARRIVE or generator.random() >= ARRIVING:
        return []
    name = str(generator.choice(list(ARRIVALS)))
    length = generator.uniform(*ARRIVALS[name])
    start = generator.uniform(-0.3, 0.0) * length
    return [Action(name, start, start + length, *_limbs(generator, name))]


def _distract(generator: np.random.Generator, seat: float, duration: float, taken: list[Action]) -> list[Action]:
    """What is done besides, where the limbs for it are free."""
    names = [name for name in HABITS if not (seat == STANDING and DISTRACTORS[name].seated)]
    shares = np.array([HABITS[name].share for name in names])
    found: list[Action] = []
    for _ in range(generator.poisson(DISTRACTED * duration)):
        name = str(generator.choice(names, p=shares / shares.sum()))
        length = np.exp(generator.uniform(*np.log([HABITS[name].shortest, HABITS[name].longest])))
        for _ in range(6):
            start = generator.uniform(-0.4 * length, duration - 0.6 * length)
            action = Action(name, start, start + length, *_limbs(generator, name))
            if not any(_clash(action, other) for other in taken + found):
                found.append(action)
                break
    return found


def _seat(generator: np.random.Generator, names: list[str]) -> float:
    """What a person is on who does some of these actions, as `Pose.seat`"""
    kind = str(generator.choice(list(SEATS), p=list(SEATS.values())))
    if kind == "standing" and not all(MOTIONS[name].seated for name in names):
        return STANDING
    return float(generator.uniform(*STOOLS)) if kind == "stool" else 0.0


def _table(generator: np.random.Generator, seat: float, done: list[Action]) -> bool:
    """Whether there is a table; it would be in the way of legs"""
    free = seat < STANDING and not any("legs" in action.needs() for action in done)
    return bool(free and generator.random() < TABLES)


class _Span(NamedTuple):
    """How an action lies in its video. length: s of it that are inside. at_start, at_end: whether it is cut there."""

    name: str
    length: float
    at_start: bool
    at_end: bool


def _draw(generator: np.random.Generator, names: list[str], shares: np.ndarray, duration: float) -> _Span:
    name = str(generator.choice(names, p=shares))
    row = STATISTICS[name]
    if generator.random() < ROOM * row.whole / 100:
        return _Span(name, duration, True, True)
    cut = (row.from_start - row.whole) / (100 - row.whole)
    where = generator.random()
    at_start, at_end = where < cut, cut <= where < (1 + CUT_AT_END) * cut
    length = min(_length(generator, row), duration * generator.uniform(*LONGEST))
    return _Span(name, length, at_start, at_end)


def _length(generator: np.random.Generator, row: Statistics) -> float:
    """s, of an instance that does not last the whole video: those that do leave less of the long ones."""
    knots = np.array([row.short, row.median, row.long])
    of_videos = np.interp(knots, VIDEO_LENGTHS[1], VIDEO_LENGTHS[0])  # shares of videos, so of whole ones, below
    below = (np.array([0.1, 0.5, 0.9]) - row.whole / 100 * of_videos) / (1 - row.whole / 100)
    knots = [max(SHORTEST, 0.5 * row.short), *knots, min(1.4 * row.long, VIDEO_LENGTHS[1][-1])]
    return float(np.exp(np.interp(generator.random(), [0, *np.clip(below, 0, 1), 1], np.log(knots))))


def _place(generator: np.random.Generator, span: _Span, duration: float, others: list[Action]) -> Action:
    """One action somewhere in the video as its span says; inside it, often at the same time as another action."""
    if STATISTICS[span.name].is_posture:
        before, after = generator.uniform(*LEAD, 2)
    else:
        before, after = span.length * generator.uniform(*CUT, 2)
    if span.at_start:
        start = 0.0
    elif span.at_end:
        start = duration - span.length
    else:
        first, last = 0.1, max(duration - span.length - 0.1, 0.1)
        if others and generator.random() < TOGETHER:
            partner = others[int(generator.integers(len(others)))]
            first = min(max(first, partner.start - 0.8 * span.length), last)
            last = max(min(last, partner.end - 0.2 * span.length), first)
        start = generator.uniform(first, last)
    end = start + span.length
    limbs = _limbs(generator, span.name)
    return Action(span.name, start - before * span.at_start, end + after * span.at_end, *limbs)


def _clash(one: Action, other: Action) -> bool:
    """Whether two actions need the same limb at one moment, or are the same action without a pause."""
    if one.start >= other.end + REST or other.start >= one.end + REST:
        return False
    return one.name == other.name or bool(one.needs() & other.needs())


def _limbs(generator: np.random.Generator, name: str) -> tuple[str, bool]:
    """Side that does an action, and whether both hands do."""
    motion = MOTIONS[name] if name in MOTIONS else DISTRACTORS[name]
    return str(generator.choice(["L", "R"])), bool(generator.random() < motion.both)


def make_clip(generator: np.random.Generator, video_id: str, name: str) -> Timeline:
    """A trimmed clip of one action, 1 to 4 seconds, as in MA-52 (22,422 clips of 2 s on average).

    Of a posture, the clip often shows neither how it is taken up nor how it is given up.
    """
    frames = int(np.clip(generator.gamma(6.0, 0.36), 1.0, 4.0) * FPS)
    margin = generator.uniform(0.0, 0.12, 2) * frames / FPS
    kept = (generator.random(2) < (0.6 if STATISTICS[name].is_posture else 0.0)) * generator.uniform(*LEAD, 2)
    margin = np.where(kept > 0, -kept, margin)
    action = Action(name, margin[0], frames / FPS - margin[1], *_limbs(generator, name))
    seat = _seat(generator, [name])
    return Timeline(video_id, frames, (action,), seat, _table(generator, seat, [action]))
