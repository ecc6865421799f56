"""One performance of an action: what its motion program knows, draws and asks of a pose. Numpy only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmad.render.pose import Pose, Reach, Vector

NEEDS = ("head", "trunk", "shoulders", "left hand", "right hand", "one hand", "legs", "feet")
QUICKEST = 0.3  # s in which a limb comes; what is annotated shorter than twice that begins and ends a little outside


@dataclass
class Act:
    """One performance of an action, over the frames of a video.

    seconds: (T,) s of the frames. start, end: s, of the action. side: the hand or leg that does it, `other` its twin;
    both: whether both hands do it. chance: draws how this performance is done. since, until: s, when another action of
    the same limbs ended, when the next one begins.

    Drawn, not given: pace, 0.6..1.7, and size, 0.3..1.2, how quick and how large it is done, 1 is plain. sign: -1 or
    1, for what can go either way. strength: (T,) 0..1, eased in and out, often one more quickly than the other.
    """

    seconds: np.ndarray
    start: float
    end: float
    chance: np.random.Generator
    side: str = "R"
    both: bool = False
    since: float = -np.inf
    until: float = np.inf
    pace: float = field(init=False)
    size: float = field(init=False)
    sign: float = field(init=False)
    strength: np.ndarray = field(init=False)

    def __post_init__(self):
        self.pace, self.size = self.around(0.6, 1.7), self.around(0.3, 1.2)
        self.sign = self.pick((-1.0, 1.0))
        early = max(0.0, QUICKEST - 0.5 * self.length)
        rise = self._ramp(self.seconds - self.start + early, self._ease() + early)
        fall = self._ramp(self.end + early - self.seconds, self._ease() + early)
        self.strength = np.minimum(rise, fall)

    @property
    def length(self) -> float:
        return self.end - self.start

    @property
    def t(self) -> np.ndarray:
        """(T,) s since it began, 0 before"""
        return np.maximum(self.seconds - self.start, 0)

    @property
    def other(self) -> str:
        return "L" if self.side == "R" else "R"

    @property
    def hands(self) -> tuple[str, ...]:
        """The sides whose hands do it"""
        return (self.side, self.other) if self.both else (self.side,)

    # Draws

    def often(self, share: float) -> bool:
        return bool(self.chance.random() < share)

    def between(self, low: float, high: float) -> float:
        return float(self.chance.uniform(low, high))

    def around(self, low: float, high: float) -> float:
        """As often in the lower half of a range as in the upper, by factors: small values are as frequent as large."""
        return float(np.exp(self.chance.uniform(np.log(low), np.log(high))))

    def pick(self, choices: Sequence[Any], shares: Sequence[float] | None = None) -> Any:
        return choices[int(self.chance.choice(len(choices), p=shares))]

    def feet(self, both: float) -> tuple[str, ...]:
        """The sides of the legs that do it; both of them in this share of performances"""
        return (self.side, self.other) if self.often(both) else (self.side,)

    # Courses over time

    def _ease(self) -> float:
        """s that it takes to begin, or to end"""
        quick = self.around(0.28, 0.8) if self.often(0.6) else self.length * self.between(0.2, 0.45)
        return float(np.clip(quick, 0.05, min(0.45 * self.length, 1.6)))

    def _ramp(self, near: np.ndarray, ease: float) -> np.ndarray:
        """(T,) 0 to 1 in `ease` s, the faster half early or late."""
        ramp = np.clip(near / ease, 0, 1) ** self.around(0.75, 1.35)
        return ramp**2 * (3 - 2 * ramp)

    def staying(self) -> np.ndarray:
        """(T,) 0 before, 1 at the end and from then on, until the same limbs do something else."""
        rise = self._ramp(self.seconds - self.start, self.length * self.between(0.6, 1.0))
        return rise * self._ramp(self.until + 0.6 - self.seconds, 0.6)

    def leaving(self) -> np.ndarray:
        """(T,) 1 before, 0 at the end and from then on: what the action puts an end to."""
        fall = 1 - self._ramp(self.seconds - self.start, self.length * self.between(0.6, 1.0))
        return fall * self._ramp(self.seconds - self.since + 0.6, 0.6)

    def fading(self) -> np.ndarray:
        """(T,) as `staying`, but what was reached is lost again within some seconds, too slowly to be an action."""
        lost = self.between(4.0, 9.0)
        return self.staying() * self._ramp(self.end + lost - self.seconds, lost)

    def approaching(self) -> np.ndarray:
        """(T,) 0 some seconds before the action, 1 when it begins: what leads to it builds up too slowly to be one."""
        return self._ramp(self.seconds - self.start + 6.0, 4.0)

    def wave(self, hertz: float, phase: float = 0.0) -> np.ndarray:
        """(T,) -1..1, a sine, 0 where the action begins."""
        return np.sin(2 * np.pi * (hertz * self.pace * self.t + phase))

    def swings(self, hertz: float) -> np.ndarray:
        """(T,) -1..1, to and fro as people do: no two swings are equally long or wide."""
        place, count = self._beat(2 * hertz)
        wide = self.chance.uniform(0.6, 1.0, count)
        return wide[place.astype(int)] * np.sin(np.pi * place)

    def beats(self, hertz: float, pauses: float = 0.1) -> np.ndarray:
        """(T,) 0..1 and back about `hertz` times a second, unequally; a share of the beats is left out."""
        place, count = self._beat(hertz)
        high = self.chance.uniform(0.5, 1.0, count) * (self.chance.random(count) >= pauses)
        high[0] = self.chance.uniform(0.8, 1.0)
        return high[place.astype(int)] * (0.5 - 0.5 * np.cos(2 * np.pi * place))

    def _beat(self, hertz: float) -> tuple[np.ndarray, int]:
        """(T,) how many beats have passed, and their number."""
        count = int(2 * hertz * self.pace * self.length) + 4
        ends = np.cumsum(np.exp(self.chance.normal(0, 0.13, count - 1))) / (hertz * self.pace)
        return np.interp(self.t, np.concatenate([[0.0], ends]), np.arange(count)), count

    def repeats(self, most: int) -> np.ndarray:
        """(T,) 0..1 and back, once or up to `most` times within the action, each taking at least 0.4 s."""
        count = int(self.chance.integers(1, max(1, min(most, int(self.length / 0.4))) + 1))
        ends = np.linspace(0, self.length, count + 1)
        ends[1:-1] += self.chance.normal(0, 0.1, count - 1) * self.length / count
        place = np.interp(self.t, ends, np.arange(count + 1))
        high = np.append(self.chance.uniform(0.7, 1.0, count), 0.0)
        flat = self.between(1.0, 2.5)  # above 1 the top is held
        return high[place.astype(int)] * np.clip(flat * (0.5 - 0.5 * np.cos(2 * np.pi * place)), 0, 1)

    def wander(self, scale: float, hertz: float) -> np.ndarray:
        """(T, 3) an aimless way about nothing, of about `scale` in each direction."""
        rates, phases = self.chance.uniform(0.5, 1.6, (4, 3)), self.chance.random((4, 3))
        return (
            0.6 * scale * np.sin(2 * np.pi * (hertz * self.pace * rates * self.t[:, None, None] + phases)).sum(axis=1)
        )

    def along(self, direction: Vector, way: np.ndarray) -> np.ndarray:
        """(T, 3): `way` (T,) metres along a direction."""
        return way[:, None] * np.asarray(direction)


Program = Callable[[Pose, Act], None]


@dataclass(frozen=True)
class Motion:
    """How an action is done. needs: the limbs it occupies, of NEEDS; two actions that need the same never coincide.

    "one hand" is either hand, whichever is free; both: how often it is both hands instead. seated: whether only a
    person who sits can do it.
    """

    needs: tuple[str, ...]
    program: Program
    both: float = 0.0
    seated: bool = False


def register(
    motions: dict[str, Motion], name: str, *needs: str, both: float = 0.0, seated: bool = False
) -> Callable[[Program], Program]:
    """Enter a motion program in a table under the name of its action."""

    def enter(program: Program) -> Program:
        motions[name] = Motion(needs, program, both, seated)
        return program

    return enter


# Words that the programs share


def reach(pose: Pose, a: Act, side: str, to: str, weight: np.ndarray | None = None, **how) -> None:
    """A hand at a landmark, held a little differently each time."""
    for way in ("fingers", "palm", "elbow"):
        plain = np.asarray(how.get(way, getattr(Reach, way)), dtype=float)
        how[way] = plain + a.chance.normal(0, 0.1, 3) * np.linalg.norm(plain)
    pose.reach(side, a.strength if weight is None else weight, to, **how)


def hold(pose: Pose, a: Act, side: str, at, to: str = "breastbone", tip: str = "grip", **how) -> None:
    """The hand in the air, `at` (out, forward, up) metres from the breastbone or the belly."""
    reach(pose, a, side, to, offset=np.asarray(at, dtype=float), tip=tip, **how)


def touch(
    pose: Pose,
    a: Act,
    landmark: str,
    scratch: Vector = (0.0, 0.0, 1.0),
    way: float = 0.018,
    offset=(0.0, 0.0, 0.0),
    side: str | None = None,
    **how,
) -> None:
    """A hand comes to a landmark; there it rests, strokes, scratches or taps, by chance.

    scratch, way: the direction in which it moves there and how far, metres.
    """
    manner = a.pick(("rest", "stroke", "scratch", "tap"), (0.3, 0.3, 0.3, 0.1))
    offset = np.asarray(offset, dtype=float) + a.chance.normal(0, 0.006, 3)
    course = {
        "rest": lambda: a.wander(0.002, 0.5),
        "stroke": lambda: a.along(scratch, 1.6 * way * a.swings(0.7)),
        "scratch": lambda: a.along(scratch, way * a.swings(3.0)),
        "tap": lambda: -a.along(how.get("palm", Reach.palm), 0.035 * a.beats(1.6)),
    }
    reach(pose, a, side or a.side, landmark, offset=offset + course[manner](), **how)


def meet(pose: Pose, a: Act, at, fingers: Vector, to: str = "breastbone", slide=0.0, apart=0.0, **how) -> None:
    """Palm on palm, `at` from the breastbone or the belly; slide: (T,) metres along each other; apart: (T,) metres."""
    for side, way in (("L", 1.0), ("R", -1.0)):
        offset = np.asarray(at) + np.multiply.outer(way * slide * np.ones(len(a.t)), np.asarray(fingers))
        offset = offset + np.multiply.outer(0.002 + apart * np.ones(len(a.t)), (1.0, 0.0, 0.0))
        pose.reach(
            side,
            a.strength,
            to,
            offset=offset,
            tip="palm",
            fingers=fingers,
            palm=(-1.0, 0.0, 0.0),
            elbow=(1.0, 0.0, -0.8),
            **{"hand": "flat", **how},
        )
