"""Movements that belong to no class and are not annotated, as motion programs: negatives. Numpy only; see motions.py.

They occupy limbs as actions do: they never overlap an action of the same limbs.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mmad.render.acts import Act, Motion, hold, reach, register
from mmad.render.pose import SIDES, Pose
from mmad.render.posture import HANGING


@dataclass(frozen=True)
class DistractorStatistics:
    """Frequency of a distractor relative to the others, and the range of its lengths, s."""

    frequency: float
    shortest: float
    longest: float


DISTRACTORS: dict[str, Motion] = {}
motion = partial(register, DISTRACTORS)

DISTRACTOR_STATISTICS = {
    "shifting in the seat": DistractorStatistics(1.0, 1.0, 2.8),
    "reaching aside": DistractorStatistics(0.7, 1.4, 3.5),
    "leaning forward": DistractorStatistics(1.0, 2.0, 8.0),
    "breathing hard": DistractorStatistics(0.6, 2.5, 10.0),
    "drifting head": DistractorStatistics(1.6, 4.0, 10.0),
    "drinking": DistractorStatistics(0.7, 2.2, 5.0),
    "looking at a phone": DistractorStatistics(0.8, 3.0, 13.0),
    "writing": DistractorStatistics(0.6, 3.0, 13.0),
    "typing": DistractorStatistics(0.6, 3.0, 13.0),
    "adjusting clothes": DistractorStatistics(0.7, 0.9, 2.5),
}
ARRIVALS = {"walking in": (3.2, 5.0), "sitting down": (1.8, 3.2)}  # range of lengths, s; at the start of a video


@motion("shifting in the seat", "trunk", seated=True)
def shifting_in_the_seat(pose: Pose, a: Act) -> None:
    """The weight goes to one side and off the seat a little, and the hips move, once."""
    course, moved = a.strength * a.sign * a.log_uniform(0.5, 1.2), a.staying()
    pose.turn("trunk", roll=9 * course, pitch=a.uniform(-4, 12) * a.strength)
    pose.turn("head", roll=-5 * course)
    pose.shift[:, 2] += a.uniform(0.005, 0.025) * a.strength
    pose.shift[:, 0] += a.uniform(-0.025, 0.025) * moved
    pose.shift[:, 1] += a.uniform(-0.03, 0.03) * moved


@motion("reaching aside", "one hand", "trunk")
def reaching_aside(pose: Pose, a: Act) -> None:
    """A hand reaches low for something beside the seat or outside the picture, and the trunk leans there."""
    at = (a.uniform(0.35, 0.55), a.uniform(0.0, 0.35), a.uniform(-0.55, -0.3))
    hold(pose, a, a.side, at, fingers=(0.6, 0.5, -0.8), palm=(-0.5, 0.2, -0.8), elbow=(0.3, -0.6, -0.8), hand="grasp")
    aside = 1 if a.side == "L" else -1
    pose.turn("trunk", roll=aside * a.uniform(6, 22) * a.strength, pitch=a.uniform(0, 18) * a.strength)
    pose.turn("head", yaw=aside * a.uniform(0, 25) * a.strength, pitch=a.uniform(0, 15) * a.strength)


@motion("leaning forward", "trunk")
def leaning_forward(pose: Pose, a: Act) -> None:
    """The trunk leans forward, back or aside for a while, slowly."""
    slow = np.sin(0.5 * np.pi * np.clip(np.minimum(a.t, a.end - a.seconds) / (0.4 * a.length), 0, 1)) ** 2
    pitch, roll = a.pick(((a.uniform(6, 22), 0.0), (a.uniform(-10, -5), 0.0), (0.0, a.uniform(-8, 8))), (0.6, 0.2, 0.2))
    pose.turn("trunk", pitch=pitch * slow, roll=roll * slow)
    pose.turn("head", pitch=-0.6 * pitch * slow, roll=-0.5 * roll * slow)


@motion("breathing hard", "shoulders")
def breathing_hard(pose: Pose, a: Act) -> None:
    """Deep breaths, or a sigh: the shoulders and the chest go up and down slowly."""
    breath = a.strength * a.beats(0.35)
    for side in SIDES:
        pose.shoulder[side] += a.uniform(3, 8) * breath
    pose.turn("trunk", pitch=-a.uniform(0.5, 2.5) * breath)


@motion("drifting head", "head")
def drifting_head(pose: Pose, a: Act) -> None:
    """The head moves too slowly for an annotator to see that it turned, bowed or tilted."""
    drift = a.wander(1.0, 0.06) * (a.log_uniform(2, 7), a.log_uniform(1, 5), a.log_uniform(3, 10)) * a.strength[:, None]
    pose.turn("head", *drift.T)
    pose.gaze[:, 1] += drift[:, 2]


@motion("drinking", "one hand", "head")
def drinking(pose: Pose, a: Act) -> None:
    """A cup goes to the mouth, once; the head tips back a little."""
    pose.held[a.side] = "cup"
    sip = a.strength**3
    directions = {"fingers": (-0.8, 0.3, 0.5), "palm": (-0.6, -0.8, 0.1), "elbow": (0.9, 0.4, -0.8), "hand": "grasp"}
    reach(pose, a, a.side, "mouth", offset=(0.02, a.uniform(0.05, 0.08), -0.03), tip="grip", **directions)
    pose.turn("head", pitch=-a.uniform(0, 18) * sip + a.uniform(0, 8) * a.strength)


@motion("looking at a phone", "one hand", "head", both=0.4)
def looking_at_a_phone(pose: Pose, a: Act) -> None:
    """The head down, a hand or both in front of the belly or the chest; only a thumb moves."""
    pose.held[a.side] = "phone"
    out, forward, up = a.uniform(0.0, 0.08), a.uniform(0.16, 0.28), a.uniform(0.02, 0.28)
    curl = np.zeros((len(a.t), 5))
    curl[:, 0] = a.log_uniform(3, 20) * a.swings(1.0)
    for side, aside in zip(a.hands, (0.0, -0.03)):
        at = (out + aside if not a.both else 0.01, forward, up)
        directions = {"fingers": (-0.5, 0.6, 0.7), "palm": (-0.5, -0.6, 0.6), "elbow": (0.6, -0.4, -1.0)}
        hold(pose, a, side, at, "belly", hand="grasp", curl=curl, **directions)
    pose.turn("head", pitch=a.uniform(10, 30) * a.strength, yaw=a.uniform(-8, 8) * a.strength)


@motion("writing", "left hand", "right hand", "head", seated=True)
def writing(pose: Pose, a: Act) -> None:
    """One hand writes in front of the belly or on the lap, the other one holds the paper; the head is down."""
    pose.held[a.side] = "pen"
    up, forward = (0.03, a.uniform(0.2, 0.28)) if pose.table else (a.uniform(-0.12, 0.02), a.uniform(0.16, 0.26))
    letters = a.wander(0.004, 2.5) + a.along((-0.6, 0.0, 0.0), 0.05 * (a.t * 0.25 * a.pace % 1))
    how = {"elbow": (0.9, -0.4, -0.6), "palm": (-0.5, 0.0, -1.0)}
    hold(pose, a, a.side, (0.06, forward, up) + letters, "belly", fingers=(-0.5, 0.9, -0.2), hand="pinch", **how)
    hold(pose, a, a.other, (0.08, forward, up), "belly", fingers=(-0.7, 0.7, 0.0), hand="flat", **how)
    pose.turn("head", pitch=a.uniform(10, 26) * a.strength)
    pose.turn("trunk", pitch=a.uniform(0, 12) * a.strength)


@motion("typing", "left hand", "right hand", "head", seated=True)
def typing(pose: Pose, a: Act) -> None:
    """Both hands on a keyboard in front of the belly, moving fingers; the head a little down."""
    up, forward = (0.04, a.uniform(0.2, 0.28)) if pose.table else (a.uniform(-0.1, 0.04), a.uniform(0.16, 0.26))
    for side in SIDES:
        keys = np.stack([9 * a.swings(a.uniform(1.5, 3.0)) for _ in range(5)], axis=1)
        at = np.array([a.uniform(0.05, 0.09), forward, up]) + a.wander(0.006, 0.8)
        directions = {"fingers": (-0.3, 1.0, -0.15), "palm": (-0.1, 0.0, -1.0), "elbow": (0.7, -0.6, -0.7)}
        hold(pose, a, side, at, "belly", hand="cupped", curl=keys, **directions)
    pose.turn("head", pitch=a.uniform(2, 16) * a.strength)


@motion("adjusting clothes", "one hand", both=0.4)
def adjusting_clothes(pose: Pose, a: Act) -> None:
    """A hand or both pull at the shirt, at the waist."""
    pull = a.along((0.0, 0.0, -1.0), 0.03 * a.repeats(2))
    for side in a.hands:
        directions = {"fingers": (-0.5, 0.2, -0.9), "palm": (-0.6, -0.7, 0.0), "elbow": (0.8, -0.6, -0.5)}
        reach(pose, a, side, "hip", offset=pull + (-0.03, 0.06, -0.03), tip="fingers", hand="pinch", **directions)


@motion("walking in", "head", "trunk", "shoulders", "left hand", "right hand", "legs", "feet", seated=True)
def walking_in(pose: Pose, a: Act) -> None:
    """From outside the picture to the seat, a turn, and down onto it."""
    walk, turn, sit = (_step(a, *when) for when in ((0.0, 0.55), (0.45, 0.7), (0.65, 1.0)))
    distance = a.uniform(1.1, 2.0)
    pose.place[:, 0] += a.sign * distance * (1 - walk)
    pose.facing += -a.sign * 85 * (1 - turn)
    pose.turn("head", yaw=a.sign * a.uniform(0, 45) * (1 - turn))
    stride = np.sin(2 * np.pi * walk * distance / 1.1)
    walking = np.clip(np.minimum(walk, 1 - walk) * 8, 0, 1)
    for side, sign in zip(SIDES, (1, -1)):
        lifted = np.clip(np.cos(2 * np.pi * walk * distance / 1.1) * sign, 0, 1)
        pose.step(side, forward=sign * 0.25 * stride * walking, up=0.07 * lifted * walking)
    _sit(pose, sit)


@motion("sitting down", "head", "trunk", "shoulders", "left hand", "right hand", "legs", "feet", seated=True)
def sitting_down(pose: Pose, a: Act) -> None:
    """Standing in front of the seat, then down onto it."""
    sit = _step(a, a.uniform(0.0, 0.4), 1.0)
    _sit(pose, sit)
    pose.turn("head", pitch=a.uniform(0, 20) * np.sin(np.pi * sit))


def _step(a: Act, first: float, last: float) -> np.ndarray:
    """(T,) smoothly from 0 at the share `first` of the action to 1 at the share `last`."""
    share = np.clip(((a.seconds - a.start) / a.length - first) / (last - first), 0, 1)
    return share**2 * (3 - 2 * share)


def _sit(pose: Pose, seated: np.ndarray) -> None:
    """Sit down. seated: (T,) 0 standing, 1 on the seat."""
    pose.lift += (1 - pose.seat) * (1 - seated)
    pose.turn("trunk", pitch=32 * np.sin(np.pi * seated))
    for side in SIDES:
        pose.settle(side, np.clip(1.6 * (1 - seated), 0, 1), **vars(HANGING))
