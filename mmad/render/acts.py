"""One performance of an action: what its motion program is given, what it draws at random, and the movements that
programs share. Numpy only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmad.render.pose import Pose, Reach, Vector

NEEDS = ("head", "trunk", "shoulders", "left hand", "right hand", "one hand", "legs", "feet")
QUICKEST = 0.3  # s that a limb needs to arrive; actions shorter than twice that begin and end a little outside


@dataclass
class Act:
    """One performance of an action, over the frames of a video.

    seconds: (T,) times of the frames, s. start, end: of the action, s. generator: of all random choices of this
    performance. side: "L" or "R", the hand or leg that does it; both: whether both hands do it. previous_end,
    next_start: s, when the previous action of the same limbs ended, when the next one begins.

    Drawn at random: pace, 0.6..1.7, and size, 0.3..1.2, factors on speed and amplitude. sign: -1 or 1, the direction of
    what can go either way. strength: (T,) 0..1, how far the action is under way, eased in and out.
    """

    seconds: np.ndarray
    start: float
    end: float
    generator: np.random.Generator
    side: str = "R"
    both: bool = False
    previous_end: float = -np.inf
    next_start: float = np.inf
    pace: float = field(init=False)
    size: float = field(init=False)
    sign: float = field(init=False)
    strength: np.ndarray = field(init=False)

    def __post_init__(self):
        self.pace, self.size = self.log_uniform(0.6, 1.7), self.log_uniform(0.3, 1.2)
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
        """(T,) s since the start of the action, 0 before it"""
        return np.maximum(self.seconds - self.start, 0)

    @property
    def other(self) -> str:
        return "L" if self.side == "R" else "R"

    @property
    def hands(self) -> tuple[str, ...]:
        """Sides of the hands that do it"""
        return (self.side, self.other) if self.both else (self.side,)

    # Random choices

    def maybe(self, probability: float) -> bool:
        return bool(self.generator.random() < probability)

    def uniform(self, low: float, high: float) -> float:
        return float(self.generator.uniform(low, high))

    def log_uniform(self, low: float, high: float) -> float:
        """A value whose logarithm is uniform: small values are as frequent as large ones."""
        return float(np.exp(self.generator.uniform(np.log(low), np.log(high))))

    def pick(self, choices: Sequence[Any], probabilities: Sequence[float] | None = None) -> Any:
        """One of `choices`; all are equally probable by default."""
        return choices[int(self.generator.choice(len(choices), p=probabilities))]

    def sides(self, both: float) -> tuple[str, ...]:
        """Sides of the legs or shoulders that do it. both: probability that it is both."""
        return (self.side, self.other) if self.maybe(both) else (self.side,)

    # Functions of time

    def _ease(self) -> float:
        """Duration of the beginning or of the end of the action, s"""
        quick = self.log_uniform(0.28, 0.8) if self.maybe(0.6) else self.length * self.uniform(0.2, 0.45)
        return float(np.clip(quick, 0.05, min(0.45 * self.length, 1.6)))

    def _ramp(self, seconds: np.ndarray, ease: float) -> np.ndarray:
        """(T,) smoothly from 0 to 1 while `seconds` (T,) goes from 0 to `ease`; steeper early or late."""
        ramp = np.clip(seconds / ease, 0, 1) ** self.log_uniform(0.75, 1.35)
        return ramp**2 * (3 - 2 * ramp)

    def staying(self) -> np.ndarray:
        """(T,) 0 before, 1 at the end and after it, until the next action of the same limbs: a state that lasts."""
        rise = self._ramp(self.seconds - self.start, self.length * self.uniform(0.6, 1.0))
        return rise * self._ramp(self.next_start + 0.6 - self.seconds, 0.6)

    def leaving(self) -> np.ndarray:
        """(T,) 1 before, 0 at the end and after it: a state that the action ends."""
        fall = 1 - self._ramp(self.seconds - self.start, self.length * self.uniform(0.6, 1.0))
        return fall * self._ramp(self.seconds - self.previous_end + 0.6, 0.6)

    def lasting(self) -> np.ndarray:
        """(T,) 1 during the action and for up to 8 s before and after it, between the previous and the next action of
        the same limbs: a state in which the action happens. It comes and goes too slowly for an action."""
        rise = self._ramp(self.seconds - self.start + self.log_uniform(0.5, 8.0) + 4.0, 4.0)
        fall = self._ramp(self.end + self.log_uniform(0.5, 8.0) + 4.0 - self.seconds, 4.0)
        between = self._ramp(self.seconds - self.previous_end + 0.6, 0.6)
        return np.minimum(rise, fall) * between * self._ramp(self.next_start + 0.6 - self.seconds, 0.6)

    def fading(self) -> np.ndarray:
        """(T,) as `staying`, then back to 0 within some seconds, too slowly for an action."""
        fade = self.uniform(4.0, 9.0)
        return self.staying() * self._ramp(self.end + fade - self.seconds, fade)

    def approaching(self) -> np.ndarray:
        """(T,) from 0 some seconds before the action to 1 shortly before it: what precedes it, too slow for an
        action."""
        return self._ramp(self.seconds - self.start + 6.0, 4.0)

    def wave(self, hertz: float, phase: float = 0.0) -> np.ndarray:
        """(T,) -1..1, a sine, 0 where the action begins (at phase 0). phase: in periods."""
        return np.sin(2 * np.pi * (hertz * self.pace * self.t + phase))

    def swings(self, hertz: float) -> np.ndarray:
        """(T,) -1..1, to and fro; as with people, swings differ in duration and amplitude."""
        beat, count = self._beat(2 * hertz)
        amplitude = self.generator.uniform(0.6, 1.0, count)
        return amplitude[beat.astype(int)] * np.sin(np.pi * beat)

    def beats(self, hertz: float, pauses: float = 0.1) -> np.ndarray:
        """(T,) 0..1 and back about `hertz` times per second, unequally. pauses: probability that a beat is left out."""
        beat, count = self._beat(hertz)
        amplitude = self.generator.uniform(0.5, 1.0, count) * (self.generator.random(count) >= pauses)
        amplitude[0] = self.generator.uniform(0.8, 1.0)
        return amplitude[beat.astype(int)] * (0.5 - 0.5 * np.cos(2 * np.pi * beat))

    def _beat(self, hertz: float) -> tuple[np.ndarray, int]:
        """(T,) beats since the start, with fractions, and an upper limit of their number."""
        count = int(2 * hertz * self.pace * self.length) + 4
        ends = np.cumsum(np.exp(self.generator.normal(0, 0.13, count - 1))) / (hertz * self.pace)
        return np.interp(self.t, np.concatenate([[0.0], ends]), np.arange(count)), count

    def repeats(self, max_count: int) -> np.ndarray:
        """(T,) 0..1 and back, 1 to `max_count` times within the action, each for at least 0.4 s."""
        count = int(self.generator.integers(1, max(1, min(max_count, int(self.length / 0.4))) + 1))
        ends = np.linspace(0, self.length, count + 1)
        ends[1:-1] += self.generator.normal(0, 0.1, count - 1) * self.length / count
        repeat = np.interp(self.t, ends, np.arange(count + 1))
        amplitude = np.append(self.generator.uniform(0.7, 1.0, count), 0.0)
        flat = self.uniform(1.0, 2.5)  # above 1 the maximum is held
        return amplitude[repeat.astype(int)] * np.clip(flat * (0.5 - 0.5 * np.cos(2 * np.pi * repeat)), 0, 1)

    def wander(self, scale: float, hertz: float) -> np.ndarray:
        """(T, 3) a smooth random path around 0, of about `scale` in each direction."""
        rates, phases = self.generator.uniform(0.5, 1.6, (4, 3)), self.generator.random((4, 3))
        return (
            0.6 * scale * np.sin(2 * np.pi * (hertz * self.pace * rates * self.t[:, None, None] + phases)).sum(axis=1)
        )

    def along(self, direction: Vector, distance: np.ndarray) -> np.ndarray:
        """(T, 3) offsets: `distance` (T,) metres along `direction`."""
        return distance[:, None] * np.asarray(direction)


Program = Callable[[Pose, Act], None]


@dataclass(frozen=True)
class Motion:
    """How an action is done.

    needs: limbs that it occupies, of NEEDS; two actions of the same limb never overlap. "one hand" is either hand, the
    one that is free. both: probability that both hands do it. seated: whether it needs a person who sits.
    """

    needs: tuple[str, ...]
    program: Program
    both: float = 0.0
    seated: bool = False

    def __post_init__(self):
        assert set(self.needs) <= set(NEEDS), self.needs


def register(
    motions: dict[str, Motion], name: str, *needs: str, both: float = 0.0, seated: bool = False
) -> Callable[[Program], Program]:
    """Decorator that enters a motion program into `motions` under the name of its action."""

    def enter(program: Program) -> Program:
        motions[name] = Motion(needs, program, both, seated)
        return program

    return enter


# Movements that the programs share


def reach(pose: Pose, a: Act, side: str, to: str, weight: np.ndarray | None = None, **how) -> None:
    """A hand at the landmark `to`, in a direction that varies a little. how: other fields of `Reach`."""
    for name in ("fingers", "palm", "elbow"):
        direction = np.asarray(how.get(name, getattr(Reach, name)), dtype=float)
        how[name] = direction + a.generator.normal(0, 0.1, 3) * np.linalg.norm(direction)
    pose.reach(side, a.strength if weight is None else weight, to, **how)


def hold(pose: Pose, a: Act, side: str, at, to: str = "breastbone", tip: str = "grip", **how) -> None:
    """The hand in the air, `at` (out, forward, up) metres from the landmark `to`, the breastbone or the belly."""
    reach(pose, a, side, to, offset=np.asarray(at, dtype=float), tip=tip, **how)


def touch(
    pose: Pose,
    a: Act,
    landmark: str,
    scratch: Vector = (0.0, 0.0, 1.0),
    distance: float = 0.018,
    offset=(0.0, 0.0, 0.0),
    **how,
) -> None:
    """A hand comes to a landmark, where it rests, strokes, scratches or taps at random.

    scratch, distance: direction and amplitude, metres, of its movement there. how: other fields of `Reach`.
    """
    manner = a.pick(("rest", "stroke", "scratch", "tap"), (0.3, 0.3, 0.3, 0.1))
    offset = np.asarray(offset, dtype=float) + a.generator.normal(0, 0.006, 3)
    movements = {
        "rest": lambda: a.wander(0.002, 0.5),
        "stroke": lambda: a.along(scratch, 1.6 * distance * a.swings(0.7)),
        "scratch": lambda: a.along(scratch, distance * a.swings(3.0)),
        "tap": lambda: -a.along(how.get("palm", Reach.palm), 0.035 * a.beats(1.6)),
    }
    reach(pose, a, a.side, landmark, offset=offset + movements[manner](), **how)


def meet(pose: Pose, a: Act, at, fingers: Vector, slide=0.0, apart=0.0, **how) -> None:
    """Palm on palm, `at` metres from the breastbone (or from how["to"]).

    slide: (T,) metres by which the palms move along each other. apart: (T,) half their distance, metres. how: other
    fields of `Reach`.
    """
    for side, sign in (("L", 1.0), ("R", -1.0)):
        offset = np.asarray(at) + np.multiply.outer(sign * slide * np.ones(len(a.t)), np.asarray(fingers))
        offset = offset + np.multiply.outer(0.002 + apart * np.ones(len(a.t)), (1.0, 0.0, 0.0))
        palms = {"tip": "palm", "fingers": fingers, "palm": (-1.0, 0.0, 0.0), "elbow": (1.0, 0.0, -0.8), "hand": "flat"}
        pose.reach(side, a.strength, **{"to": "breastbone", "offset": offset, **palms, **how})
