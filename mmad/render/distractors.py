"""What people do besides and nobody annotates: negatives, as motion programs. Numpy only; see motions.py.

They occupy limbs as actions do, so they never coincide with an action of the same limbs.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mmad.render.acts import Act, Motion, hold, reach, register
from mmad.render.pose import SIDES, Pose
from mmad.render.posture import HANGING


@dataclass(frozen=True)
class Habit:
    """How frequent a distractor is beside the others, and between which lengths it lasts, s."""

    share: float
    shortest: float
    longest: float


DISTRACTORS: dict[str, Motion] = {}
motion = partial(register, DISTRACTORS)

HABITS = {
    "shifting in the seat": Habit(1.0, 1.0, 2.8),
    "reaching aside": Habit(0.7, 1.4, 3.5),
    "leaning forward": Habit(1.0, 2.0, 8.0),
    "breathing hard": Habit(0.6, 2.5, 10.0),
    "drifting head": Habit(1.6, 4.0, 10.0),
    "drinking": Habit(0.7, 2.2, 5.0),
    "looking at a phone": Habit(0.8, 3.0, 13.0),
    "writing": Habit(0.6, 3.0, 13.0),
    "typing": Habit(0.6, 3.0, 13.0),
    "adjusting clothes": Habit(0.7, 0.9, 2.5),
}
ARRIVALS = {"walking in": (3.2, 5.0), "sitting down": (1.8, 3.2)}  # s, at the start of a video


@motion("shifting in the seat", "trunk", seated=True)
def shifting_in_the_seat(pose: Pose, a: Act) -> None:
    """The weight goes to one side and off the seat a little, the hips move, and once only."""
    course, moved = a.strength * a.sign * a.around(0.5, 1.2), a.staying()
    pose.turn("trunk", roll=9 * course, pitch=a.between(-4, 12) * a.strength)
    pose.turn("head", roll=-5 * course)
    pose.shift[:, 2] += a.between(0.005, 0.025) * a.strength
    pose.shift[:, 0] += a.between(-0.025, 0.025) * moved
    pose.shift[:, 1] += a.between(-0.03, 0.03) * moved


@motion("reaching aside", "one hand", "trunk")
def reaching_aside(pose: Pose, a: Act) -> None:
    """A hand reaches for something beside the seat or out of the picture, low, the trunk leaning after it."""
    at = (a.between(0.35, 0.55), a.between(0.0, 0.35), a.between(-0.55, -0.3))
    hold(pose, a, a.side, at, fingers=(0.6, 0.5, -0.8), palm=(-0.5, 0.2, -0.8), elbow=(0.3, -0.6, -0.8), hand="grasp")
    aside = 1 if a.side == "L" else -1
    pose.turn("trunk", roll=aside * a.between(6, 22) * a.strength, pitch=a.between(0, 18) * a.strength)
    pose.turn("head", yaw=aside * a.between(0, 25) * a.strength, pitch=a.between(0, 15) * a.strength)


@motion("leaning forward", "trunk")
def leaning_forward(pose: Pose, a: Act) -> None:
    """The trunk leans forward, back or aside for a moment, slowly."""
    slow = np.sin(0.5 * np.pi * np.clip(np.minimum(a.t, a.end - a.seconds) / (0.4 * a.length), 0, 1)) ** 2
    pitch, roll = a.pick(((a.between(6, 22), 0.0), (a.between(-10, -5), 0.0), (0.0, a.between(-8, 8))), (0.6, 0.2, 0.2))
    pose.turn("trunk", pitch=pitch * slow, roll=roll * slow)
    pose.turn("head", pitch=-0.6 * pitch * slow, roll=-0.5 * roll * slow)


@motion("breathing hard", "shoulders")
def breathing_hard(pose: Pose, a: Act) -> None:
    """Deep breaths, or a sigh: the shoulders and the chest go up and down slowly."""
    breath = a.strength * a.beats(0.35)
    for side in SIDES:
        pose.shoulder[side] += a.between(3, 8) * breath
    pose.turn("trunk", pitch=-a.between(0.5, 2.5) * breath)


@motion("drifting head", "head")
def drifting_head(pose: Pose, a: Act) -> None:
    """The head goes slowly where no one would say that it turned, bowed or tilted."""
    drift = a.wander(1.0, 0.06) * (a.around(2, 7), a.around(1, 5), a.around(3, 10)) * a.strength[:, None]
    pose.turn("head", *drift.T)
    pose.gaze[:, 1] += drift[:, 2]


@motion("drinking", "one hand", "head")
def drinking(pose: Pose, a: Act) -> None:
    """A cup goes to the mouth, once; the head tips back a little."""
    pose.held[a.side] = "cup"
    sip = a.strength**3
    way = {"fingers": (-0.8, 0.3, 0.5), "palm": (-0.6, -0.8, 0.1), "elbow": (0.9, 0.4, -0.8), "hand": "grasp"}
    reach(pose, a, a.side, "mouth", offset=(0.02, a.between(0.05, 0.08), -0.03), tip="grip", **way)
    pose.turn("head", pitch=-a.between(0, 18) * sip + a.between(0, 8) * a.strength)


@motion("looking at a phone", "one hand", "head", both=0.4)
def looking_at_a_phone(pose: Pose, a: Act) -> None:
    """The head down, a hand or both in front of the belly or the chest, still but for a thumb."""
    pose.held[a.side] = "phone"
    out, forward, up = a.between(0.0, 0.08), a.between(0.16, 0.28), a.between(0.02, 0.28)
    curl = np.zeros((len(a.t), 5))
    curl[:, 0] = a.around(3, 20) * a.swings(1.0)
    for side, aside in zip(a.hands, (0.0, -0.03)):
        at = (out + aside if not a.both else 0.01, forward, up)
        way = {"fingers": (-0.5, 0.6, 0.7), "palm": (-0.5, -0.6, 0.6), "elbow": (0.6, -0.4, -1.0)}
        hold(pose, a, side, at, "belly", hand="grasp", curl=curl, **way)
    pose.turn("head", pitch=a.between(10, 30) * a.strength, yaw=a.between(-8, 8) * a.strength)


@motion("writing", "left hand", "right hand", "head", seated=True)
def writing(pose: Pose, a: Act) -> None:
    """One hand writes before the belly or on the lap, the other one holds the paper; the head is down."""
    pose.held[a.side] = "pen"
    up, forward = (0.03, a.between(0.2, 0.28)) if pose.table else (a.between(-0.12, 0.02), a.between(0.16, 0.26))
    letters = a.wander(0.004, 2.5) + a.along((-0.6, 0.0, 0.0), 0.05 * (a.t * 0.25 * a.pace % 1))
    how = {"elbow": (0.9, -0.4, -0.6), "palm": (-0.5, 0.0, -1.0)}
    hold(pose, a, a.side, (0.06, forward, up) + letters, "belly", fingers=(-0.5, 0.9, -0.2), hand="pinch", **how)
    hold(pose, a, a.other, (0.08, forward, up), "belly", fingers=(-0.7, 0.7, 0.0), hand="flat", **how)
    pose.turn("head", pitch=a.between(10, 26) * a.strength)
    pose.turn("trunk", pitch=a.between(0, 12) * a.strength)


@motion("typing", "left hand", "right hand", "head", seated=True)
def typing(pose: Pose, a: Act) -> None:
    """Both hands on a keyboard before the belly, their fingers busy; the head a little down."""
    up, forward = (0.04, a.between(0.2, 0.28)) if pose.table else (a.between(-0.1, 0.04), a.between(0.16, 0.26))
    for side in SIDES:
        keys = np.stack([9 * a.swings(a.between(1.5, 3.0)) for _ in range(5)], axis=1)
        at = np.array([a.between(0.05, 0.09), forward, up]) + a.wander(0.006, 0.8)
        way = {"fingers": (-0.3, 1.0, -0.15), "palm": (-0.1, 0.0, -1.0), "elbow": (0.7, -0.6, -0.7)}
        hold(pose, a, side, at, "belly", hand="cupped", curl=keys, **way)
    pose.turn("head", pitch=a.between(2, 16) * a.strength)


@motion("adjusting clothes", "one hand", both=0.4)
def adjusting_clothes(pose: Pose, a: Act) -> None:
    """A hand or both pull at the shirt, at the waist."""
    pull = a.along((0.0, 0.0, -1.0), 0.03 * a.repeats(2))
    for side in a.hands:
        way = {"fingers": (-0.5, 0.2, -0.9), "palm": (-0.6, -0.7, 0.0), "elbow": (0.8, -0.6, -0.5)}
        reach(pose, a, side, "hip", offset=pull + (-0.03, 0.06, -0.03), tip="fingers", hand="pinch", **way)


@motion("walking in", "head", "trunk", "shoulders", "left hand", "right hand", "legs", "feet", seated=True)
def walking_in(pose: Pose, a: Act) -> None:
    """From outside the picture to the seat, turning, and down onto it."""
    walk, turn, sit = (_step(a, *when) for when in ((0.0, 0.55), (0.45, 0.7), (0.65, 1.0)))
    way = a.between(1.1, 2.0)
    pose.place[:, 0] += a.sign * way * (1 - walk)
    pose.facing += -a.sign * 85 * (1 - turn)
    pose.turn("head", yaw=a.sign * a.between(0, 45) * (1 - turn))
    stride = np.sin(2 * np.pi * walk * way / 1.1)
    walking = np.clip(np.minimum(walk, 1 - walk) * 8, 0, 1)
    for side, sign in zip(SIDES, (1, -1)):
        lifted = np.clip(np.cos(2 * np.pi * walk * way / 1.1) * sign, 0, 1)
        pose.step(side, forward=sign * 0.25 * stride * walking, up=0.07 * lifted * walking)
    _sit(pose, sit)


@motion("sitting down", "head", "trunk", "shoulders", "left hand", "right hand", "legs", "feet", seated=True)
def sitting_down(pose: Pose, a: Act) -> None:
    """Standing before the seat, then down onto it."""
    sit = _step(a, a.between(0.0, 0.4), 1.0)
    _sit(pose, sit)
    pose.turn("head", pitch=a.between(0, 20) * np.sin(np.pi * sit))


def _step(a: Act, first: float, last: float) -> np.ndarray:
    """(T,) 0 to 1 between two shares of the action's length."""
    done = np.clip(((a.seconds - a.start) / a.length - first) / (last - first), 0, 1)
    return done**2 * (3 - 2 * done)


def _sit(pose: Pose, seated: np.ndarray) -> None:
    """seated: (T,) 0 standing, 1 on the seat"""
    pose.lift += (1 - pose.seat) * (1 - seated)
    pose.turn("trunk", pitch=32 * np.sin(np.pi * seated))
    for side in SIDES:
        pose.settle(side, np.clip(1.6 * (1 - seated), 0, 1), **HANGING)
