"""What each micro-action looks like: one small motion program a class, beside its name. Numpy only.

To add or change a class, write a function that adds to the pose what the action does, in proportion to `a.strength`
(0 before and after, 1 in the middle). `needs` names what it occupies: two actions that need the same never coincide.
"one hand" is either hand, whichever is free.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmad.render.pose import Pose, Vector

NEEDS = ("head", "trunk", "shoulders", "left hand", "right hand", "one hand", "legs")


@dataclass
class Act:
    """One performance of an action, over the frames of a video.

    t: (T,) s since it began. strength: (T,) 0..1, eased in and out. side: the hand or leg that does it, `other` its
    twin. pace, size: how quick and how large this person does it, about 1. sign: -1 or 1, for what can go either way.
    """

    t: np.ndarray
    strength: np.ndarray
    side: str = "R"
    pace: float = 1.0
    size: float = 1.0
    sign: float = 1.0

    @property
    def other(self) -> str:
        return "L" if self.side == "R" else "R"

    def wave(self, hertz: float, phase: float = 0.0) -> np.ndarray:
        """(T,) -1..1, a sine, 0 where the action begins."""
        return np.sin(2 * np.pi * (hertz * self.pace * self.t + phase))

    def dips(self, hertz: float) -> np.ndarray:
        """(T,) 0..1 and back, `hertz` times a second."""
        return 0.5 - 0.5 * np.cos(2 * np.pi * hertz * self.pace * self.t)

    def along(self, direction: Vector, way: np.ndarray) -> np.ndarray:
        """(T, 3): `way` (T,) metres along a direction."""
        return way[:, None] * np.asarray(direction)


Program = Callable[[Pose, Act], None]


@dataclass(frozen=True)
class Motion:
    needs: tuple[str, ...]
    program: Program


MOTIONS: dict[str, Motion] = {}  # name of the action -> how it is done


def motion(name: str, *needs: str) -> Callable[[Program], Program]:
    def register(program: Program) -> Program:
        MOTIONS[name] = Motion(needs, program)
        return program

    return register


# Body


@motion("shaking body", "trunk")
def shaking_body(pose: Pose, a: Act) -> None:
    """Rocks from side to side."""
    pose.turn("trunk", roll=a.strength * a.size * 11 * a.wave(0.9))
    pose.turn("head", roll=-a.strength * a.size * 5 * a.wave(0.9))


@motion("sitting straightly", "trunk")
def sitting_straightly(pose: Pose, a: Act) -> None:
    """Straightens the back and stays so."""
    pose.turn("trunk", pitch=-24 * a.strength)
    pose.turn("head", pitch=10 * a.strength)
    pose.shift[:, 2] += 0.03 * a.strength


@motion("shrugging", "shoulders")
def shrugging(pose: Pose, a: Act) -> None:
    """Both shoulders up and down, once or a few times."""
    for side in "LR":
        pose.shoulder[side] += a.strength * a.size * (8 + 24 * a.dips(0.9))


@motion("turning around", "trunk", "head")
def turning_around(pose: Pose, a: Act) -> None:
    """Looks behind: trunk and head far to one side."""
    pose.turn("trunk", yaw=a.sign * 48 * a.strength)
    pose.turn("head", yaw=a.sign * 50 * a.strength)


@motion("rising up", "trunk", "legs")
def rising_up(pose: Pose, a: Act) -> None:
    """Leaves the seat, leaning forward."""
    up = a.strength * a.size
    pose.shift[:, 2] += 0.24 * up
    pose.shift[:, 1] -= 0.14 * up
    pose.turn("trunk", pitch=22 * up)
    pose.turn("head", pitch=-14 * up)


# Head


@motion("bowing head", "head")
def bowing_head(pose: Pose, a: Act) -> None:
    """Looks down and stays there."""
    pose.turn("head", pitch=38 * a.strength * a.size)
    pose.eyelids += 0.5 * a.strength


@motion("head up", "head")
def head_up(pose: Pose, a: Act) -> None:
    """Face towards the ceiling."""
    pose.turn("head", pitch=-42 * a.strength * a.size)
    pose.gaze[:, 0] -= 10 * a.strength


@motion("tilting head", "head")
def tilting_head(pose: Pose, a: Act) -> None:
    """Ear towards the shoulder."""
    pose.turn("head", roll=a.sign * 24 * a.strength * a.size)


@motion("turning head", "head")
def turning_head(pose: Pose, a: Act) -> None:
    """Looks to one side and back."""
    pose.turn("head", yaw=a.sign * 45 * a.strength * a.size)
    pose.gaze[:, 1] += a.sign * 15 * a.strength


@motion("nodding", "head")
def nodding(pose: Pose, a: Act) -> None:
    """Down and up, again and again."""
    pose.turn("head", pitch=a.strength * a.size * 22 * a.dips(1.7))


@motion("shaking head", "head")
def shaking_head(pose: Pose, a: Act) -> None:
    """Left and right, again and again: no."""
    pose.turn("head", yaw=a.strength * a.size * 22 * a.wave(1.6))


# Upper limb


@motion("scratching arms", "left hand", "right hand")
def scratching_arms(pose: Pose, a: Act) -> None:
    """One forearm is held across the belly, the other hand scratches it up and down."""
    hold(pose, a, a.other, (0.02, 0.24, -0.22), fingers=(-1.0, 0.5, 0.1), palm=(0.0, -1.0, -0.4))
    scratch = a.along((0.6, -0.3, 0.0), 0.03 * a.wave(3.0))
    pose.reach(
        a.side,
        a.strength,
        "other forearm",
        offset=scratch,
        fingers=(-0.8, 0.6, -0.3),
        palm=(-0.4, -0.3, -1.0),
        hand="cupped",
    )


@motion("playing objects", "left hand", "right hand")
def playing_objects(pose: Pose, a: Act) -> None:
    """Both hands before the belly turn an object over and over."""
    roll = a.along((0.0, 0.4, 1.0), 0.02 * a.wave(1.3))
    hold(pose, a, "R", (-0.03, 0.27, -0.17) + roll, fingers=(-0.7, 0.8, 0.3), palm=(-0.8, -0.2, 0.5), hand="pinch")
    hold(pose, a, "L", (-0.03, 0.27, -0.17) - roll, fingers=(-0.7, 0.8, 0.3), palm=(-0.8, -0.2, 0.5), hand="pinch")
    pose.turn("head", pitch=10 * a.strength)


@motion("putting hands together", "left hand", "right hand")
def putting_hands_together(pose: Pose, a: Act) -> None:
    """Palm on palm before the chest, fingers up, still."""
    meet(pose, a, (0.0, 0.26, -0.02), fingers=(0.0, 0.5, 1.0))


@motion("rubbing hands", "left hand", "right hand")
def rubbing_hands(pose: Pose, a: Act) -> None:
    """Palm on palm, one sliding along the other."""
    meet(pose, a, (0.0, 0.28, -0.12), fingers=(0.0, 1.0, 0.35), slide=0.055 * a.wave(2.3))


@motion("pointing oneself", "one hand")
def pointing_oneself(pose: Pose, a: Act) -> None:
    """The index finger at the breastbone, tapping."""
    tap = a.along((0.0, 1.0, 0.0), 0.015 + 0.035 * a.dips(1.2))
    pose.reach(
        a.side,
        a.strength,
        "chest",
        offset=tap,
        tip="index",
        fingers=(-0.7, -0.9, 0.1),
        palm=(0.1, -0.4, -1.0),
        hand="point",
        elbow=(1.0, 0.2, -0.4),
    )


@motion("clenching fist", "one hand")
def clenching_fist(pose: Pose, a: Act) -> None:
    """A fist, raised from the lap, opening and closing."""
    hold(
        pose,
        a,
        a.side,
        (0.10, 0.30, -0.12),
        fingers=(-0.2, 0.5, 1.0),
        palm=(-0.5, -1.0, 0.2),
        hand="fist",
        curl=-45 * a.dips(0.8)[:, None] * np.ones(5),
    )


@motion("stretching arms", "left hand", "right hand")
def stretching_arms(pose: Pose, a: Act) -> None:
    """Both arms straight, forward and up."""
    for side in "LR":
        hold(pose, a, side, (0.12, 0.62, 0.20), fingers=(0.0, 1.0, 0.4), palm=(-0.2, 0.3, -1.0), hand="flat")


@motion("retracting arms", "left hand", "right hand")
def retracting_arms(pose: Pose, a: Act) -> None:
    """Both hands drawn up and back against the ribs, elbows behind."""
    for side in "LR":
        hold(
            pose,
            a,
            side,
            (0.13, 0.10, -0.07),
            fingers=(-0.5, 0.8, 0.3),
            palm=(-0.8, -0.3, -0.3),
            elbow=(0.6, -1.0, -0.3),
            hand="fist",
        )


@motion("waving", "one hand")
def waving(pose: Pose, a: Act) -> None:
    """The open hand beside the shoulder, swung from side to side."""
    swing = a.along((1.0, 0.0, 0.0), 0.09 * a.wave(1.8))
    hold(pose, a, a.side, (0.28, 0.22, 0.16) + swing, fingers=(0.1, 0.2, 1.0), palm=(0.0, 1.0, 0.0), hand="flat")


@motion("spreading hands", "left hand", "right hand")
def spreading_hands(pose: Pose, a: Act) -> None:
    """Both hands out to the sides, palms up."""
    for side in "LR":
        hold(pose, a, side, (0.42, 0.26, -0.14), fingers=(0.8, 0.7, 0.1), palm=(0.0, 0.3, 1.0), hand="flat")


@motion("hands touching fingers", "left hand", "right hand")
def hands_touching_fingers(pose: Pose, a: Act) -> None:
    """One hand's finger tips pick at those of the other, in the lap."""
    hold(pose, a, a.other, (-0.01, 0.26, -0.26), fingers=(-0.9, 0.6, 0.0), palm=(-0.1, -0.8, 0.6), hand="cupped")
    pick = a.along((0.3, 0.4, 1.0), 0.006 + 0.012 * a.dips(1.6))
    pose.reach(
        a.side,
        a.strength,
        "other fingers",
        offset=pick,
        tip="index",
        fingers=(-0.9, 0.3, -0.3),
        palm=(-0.2, -0.4, -1.0),
        hand="pinch",
    )


@motion("other finger movements", "one hand")
def other_finger_movements(pose: Pose, a: Act) -> None:
    """The fingers of one hand drum on the thigh, one after the other."""
    drum = np.stack([24 * a.wave(1.5, phase=0.16 * finger) - 10 for finger in range(5)], axis=1)
    pose.reach(
        a.side,
        a.strength,
        "thigh",
        offset=(0.0, 0.05, 0.03),
        tip="palm",
        fingers=(-0.1, 1.0, 0.25),
        palm=(0.0, 0.0, -1.0),
        hand="relaxed",
        curl=drum,
    )


@motion("illustrative gestures", "left hand", "right hand")
def illustrative_gestures(pose: Pose, a: Act) -> None:
    """Both hands in the air before the chest, each beating and drawing as in talk."""
    for side, phase in (("L", 0.0), ("R", 0.37)):
        beat = np.stack([0.07 * a.wave(0.7, phase), 0.05 * a.wave(0.9, phase), 0.08 * a.wave(1.1, 2 * phase)], axis=1)
        hold(pose, a, side, (0.12, 0.33, -0.02) + beat, fingers=(-0.3, 1.0, 0.4), palm=(-0.8, 0.0, 0.4), hand="relaxed")


# Lower limb


@motion("shaking legs", "legs")
def shaking_legs(pose: Pose, a: Act) -> None:
    """One heel off the floor, the knee bouncing quickly."""
    pose.step(a.side, heel=a.strength * a.size * (13 + 11 * a.wave(3.6)))


@motion("curling legs", "legs")
def curling_legs(pose: Pose, a: Act) -> None:
    """Both legs under the seat, ankles crossed."""
    pose.step(a.side, forward=-0.24 * a.strength, out=-0.16 * a.strength, heel=40 * a.strength)
    pose.step(a.other, forward=-0.14 * a.strength, out=-0.12 * a.strength, heel=12 * a.strength)


@motion("spread legs", "legs")
def spread_legs(pose: Pose, a: Act) -> None:
    """Knees and feet apart."""
    for side in "LR":
        pose.step(side, out=0.16 * a.strength * a.size, knee=0.45 * a.strength * a.size)


@motion("closing legs", "legs")
def closing_legs(pose: Pose, a: Act) -> None:
    """Knees and feet pressed together."""
    for side in "LR":
        pose.step(side, out=-0.105 * a.strength, knee=-0.22 * a.strength)


@motion("crossing legs", "legs")
def crossing_legs(pose: Pose, a: Act) -> None:
    """One thigh over the other, the foot hanging."""
    pose.step(
        a.side,
        out=-0.38 * a.strength,
        forward=0.10 * a.strength,
        up=0.24 * a.strength,
        knee=-0.75 * a.strength,
        dangling=a.strength,
        heel=8 * a.strength * a.wave(0.6),
    )
    pose.step(a.other, out=-0.03 * a.strength)


@motion("stretching feet", "legs")
def stretching_feet(pose: Pose, a: Act) -> None:
    """Both feet slide forward, toes up."""
    for side in "LR":
        pose.step(side, forward=0.30 * a.strength * a.size, heel=-25 * a.strength)


@motion("retracting feet", "legs")
def retracting_feet(pose: Pose, a: Act) -> None:
    """Both feet slide back under the seat, heels up."""
    for side in "LR":
        pose.step(side, forward=-0.20 * a.strength * a.size, heel=22 * a.strength)


@motion("tiptoe", "legs")
def tiptoe(pose: Pose, a: Act) -> None:
    """Both heels up, standing on the toes."""
    for side in "LR":
        pose.step(side, heel=38 * a.strength * a.size)


# Body and hand


@motion("scratching or touching neck", "one hand")
def touching_neck(pose: Pose, a: Act) -> None:
    touch(
        pose,
        a,
        "neck",
        scratch=(0.2, 0.3, 1.0),
        fingers=(-0.8, -0.6, 0.4),
        palm=(-0.9, -0.3, 0.0),
        elbow=(0.6, 0.8, -0.8),
    )


@motion("scratching or touching chest", "one hand")
def touching_chest(pose: Pose, a: Act) -> None:
    """The flat hand on the chest, stroking sideways."""
    touch(
        pose,
        a,
        "chest",
        scratch=(1.0, 0.0, 0.2),
        way=0.045,
        hertz=1.1,
        tip="palm",
        fingers=(-1.0, -0.1, 0.35),
        palm=(0.0, -1.0, 0.0),
        elbow=(1.0, 0.1, -0.5),
        hand="flat",
    )


@motion("scratching or touching back", "one hand")
def touching_back(pose: Pose, a: Act) -> None:
    """The hand behind the waist, the elbow out and back."""
    touch(
        pose,
        a,
        "back",
        scratch=(0.2, 0.0, 1.0),
        way=0.035,
        fingers=(-1.0, -0.2, 0.3),
        palm=(0.2, 1.0, 0.0),
        elbow=(1.0, -0.7, 0.1),
    )
    pose.turn("trunk", pitch=8 * a.strength)


@motion("scratching or touching shoulder", "one hand")
def touching_shoulder(pose: Pose, a: Act) -> None:
    """The hand on the opposite shoulder."""
    touch(
        pose,
        a,
        "other shoulder",
        scratch=(1.0, 0.3, 0.0),
        fingers=(-1.0, -0.4, 0.3),
        palm=(-0.1, -0.5, -1.0),
        elbow=(0.2, 1.0, -0.6),
    )


@motion("arms akimbo", "left hand", "right hand")
def arms_akimbo(pose: Pose, a: Act) -> None:
    """Both hands on the hips, elbows out."""
    for side in "LR":
        pose.reach(
            side,
            a.strength,
            "hip",
            tip="palm",
            fingers=(-0.5, 0.8, -0.4),
            palm=(-1.0, -0.2, -0.2),
            elbow=(1.0, -0.3, 0.2),
        )


@motion("crossing arms", "left hand", "right hand")
def crossing_arms(pose: Pose, a: Act) -> None:
    """Forearms crossed on the chest, each hand at the other upper arm."""
    hold(
        pose,
        a,
        a.side,
        (-0.20, 0.03, -0.12),
        fingers=(-1.0, -0.3, 0.35),
        palm=(-0.1, -1.0, 0.0),
        elbow=(0.5, 0.4, -1.0),
    )
    hold(
        pose,
        a,
        a.other,
        (-0.17, 0.09, -0.15),
        fingers=(-1.0, -0.3, 0.1),
        palm=(0.0, -1.0, -0.1),
        elbow=(0.5, 0.5, -1.0),
    )


# Head and hand


@motion("playing or tidying hair", "one hand")
def tidying_hair(pose: Pose, a: Act) -> None:
    """The fingers stroke down over the hair at the side of the head."""
    stroke = a.along((0.25, -0.25, -1.0), 0.12 * a.dips(0.8))
    touch(pose, a, "hair", offset=stroke, fingers=(-0.7, -0.4, 0.7), palm=(-0.9, -0.3, -0.2), elbow=(1.0, 0.5, -0.3))


@motion("scratching or touching hindbrain", "one hand")
def touching_hindbrain(pose: Pose, a: Act) -> None:
    """The hand behind the head, the elbow high."""
    touch(
        pose,
        a,
        "hindbrain",
        scratch=(0.2, 0.0, 1.0),
        fingers=(-1.0, -0.35, 0.1),
        palm=(-0.3, 1.0, 0.0),
        elbow=(1.0, 0.0, 0.6),
    )


@motion("scratching or touching forehead", "one hand")
def touching_forehead(pose: Pose, a: Act) -> None:
    touch(
        pose,
        a,
        "forehead",
        scratch=(1.0, 0.0, 0.0),
        fingers=(-0.8, -0.5, 0.5),
        palm=(0.0, -1.0, -0.3),
        elbow=(1.0, 0.6, -0.2),
    )


@motion("scratching or touching face", "one hand")
def touching_face(pose: Pose, a: Act) -> None:
    """The palm on the cheek."""
    touch(
        pose,
        a,
        "cheek",
        scratch=(0.1, 0.1, 1.0),
        way=0.02,
        hertz=1.4,
        tip="palm",
        fingers=(-0.1, -0.5, 1.0),
        palm=(-1.0, -0.5, 0.0),
        elbow=(0.5, 0.6, -1.0),
        hand="flat",
    )


@motion("rubbing eyes", "left hand", "right hand")
def rubbing_eyes(pose: Pose, a: Act) -> None:
    """Fists at both closed eyes, turning."""
    for side, phase in (("L", 0.0), ("R", 0.5)):
        rub = np.stack([0.010 * a.wave(2.2, phase), np.zeros(len(a.t)), 0.010 * a.wave(2.2, phase + 0.25)], axis=1)
        pose.reach(
            side,
            a.strength,
            "eye",
            offset=rub,
            tip="knuckle",
            fingers=(-0.4, -0.6, 0.8),
            palm=(-0.4, -1.0, -0.3),
            elbow=(0.8, 0.6, -0.9),
            hand="fist",
        )
    pose.eyelids += a.strength


@motion("touching nose", "one hand")
def touching_nose(pose: Pose, a: Act) -> None:
    """The index finger at the tip of the nose."""
    touch(
        pose,
        a,
        "nose",
        scratch=(0.3, 0.0, 1.0),
        way=0.012,
        hertz=2.0,
        tip="index",
        fingers=(-0.6, -0.7, 0.7),
        palm=(-0.3, -1.0, -0.6),
        elbow=(0.6, 0.6, -1.0),
        hand="point",
    )


@motion("touching ears", "one hand")
def touching_ears(pose: Pose, a: Act) -> None:
    """Finger tips at the ear, pulling."""
    touch(
        pose,
        a,
        "ear",
        scratch=(0.0, 0.2, 1.0),
        way=0.02,
        hertz=1.5,
        fingers=(-0.6, -0.6, 0.8),
        palm=(-1.0, -0.2, 0.0),
        elbow=(1.0, 0.4, -0.6),
        hand="pinch",
    )


@motion("covering face", "left hand", "right hand", "head")
def covering_face(pose: Pose, a: Act) -> None:
    """Both palms over the face, the head bowed."""
    for side in "LR":
        pose.reach(
            side,
            a.strength,
            "cheek",
            offset=(-0.01, 0.025, 0.02),
            tip="palm",
            fingers=(-0.12, -0.15, 1.0),
            palm=(-0.3, -1.0, 0.0),
            elbow=(0.4, 0.9, -1.0),
            hand="flat",
        )
    pose.turn("head", pitch=14 * a.strength)
    pose.eyelids += a.strength


@motion("covering mouth", "one hand")
def covering_mouth(pose: Pose, a: Act) -> None:
    """The flat hand across the mouth."""
    touch(
        pose,
        a,
        "mouth",
        offset=(0.0, 0.012, 0.0),
        tip="grip",
        fingers=(-1.0, -0.25, 0.35),
        palm=(-0.15, -1.0, 0.0),
        elbow=(0.9, 0.5, -0.8),
        hand="flat",
    )


@motion("pushing glasses", "one hand")
def pushing_glasses(pose: Pose, a: Act) -> None:
    """The index finger at the bridge of the glasses, pushing up."""
    push = a.along((0.0, 0.0, 1.0), 0.02 * a.dips(1.0))
    touch(
        pose,
        a,
        "bridge",
        offset=push,
        tip="index",
        fingers=(-0.3, -0.8, 0.5),
        palm=(-0.7, -0.2, -0.8),
        elbow=(0.9, 0.8, -0.4),
        hand="point",
    )
    pose.turn("head", pitch=6 * a.strength)


# Leg and hand


@motion("patting legs", "one hand")
def patting_legs(pose: Pose, a: Act) -> None:
    """The flat hand claps on the thigh."""
    pat = a.along((0.0, 0.0, 1.0), 0.02 + 0.10 * a.dips(2.0))
    pose.reach(
        a.side,
        a.strength,
        "thigh",
        offset=pat,
        tip="palm",
        fingers=(-0.2, 1.0, 0.1),
        palm=(0.0, 0.0, -1.0),
        hand="flat",
    )


@motion("touching legs", "one hand")
def touching_legs(pose: Pose, a: Act) -> None:
    """The hand strokes the thigh from hip to knee and back."""
    stroke = a.along((0.1, 1.0, 0.0), 0.11 * a.wave(0.5))
    pose.reach(
        a.side,
        a.strength,
        "thigh",
        offset=stroke + (0.0, 0.06, 0.015),
        tip="palm",
        fingers=(-0.2, 1.0, -0.1),
        palm=(0.0, 0.0, -1.0),
        hand="flat",
    )


@motion("scratching legs", "one hand")
def scratching_legs(pose: Pose, a: Act) -> None:
    """Bent fingers scratch the shin below the knee."""
    touch(
        pose,
        a,
        "shin",
        scratch=(0.1, 0.0, 1.0),
        way=0.035,
        fingers=(-0.2, 0.5, -1.0),
        palm=(-0.3, -1.0, -0.3),
        elbow=(1.0, -0.2, 0.3),
    )
    pose.turn("head", pitch=12 * a.strength)


@motion("scratching feet", "one hand", "legs", "trunk")
def scratching_feet(pose: Pose, a: Act) -> None:
    """One foot lifted towards the hand, which scratches it."""
    pose.step(
        a.side,
        out=0.02 * a.strength,
        forward=0.02 * a.strength,
        up=0.30 * a.strength,
        knee=0.5 * a.strength,
        dangling=a.strength,
    )
    touch(
        pose,
        a,
        "foot",
        scratch=(0.0, 1.0, 0.3),
        way=0.03,
        fingers=(-0.3, 0.6, -1.0),
        palm=(-0.4, -0.3, -1.0),
        elbow=(1.0, -0.2, 0.2),
    )
    pose.turn("trunk", pitch=16 * a.strength)
    pose.turn("head", pitch=12 * a.strength)


# Words that the programs share


def hold(pose: Pose, a: Act, side: str, at, **how) -> None:
    """The hand in the air, `at` (out, forward, up) metres from the breastbone."""
    pose.reach(side, a.strength, "breastbone", offset=np.asarray(at), tip="grip", **how)


def touch(
    pose: Pose,
    a: Act,
    landmark: str,
    scratch: Vector | None = None,
    way: float = 0.018,
    hertz: float = 3.0,
    offset=(0.0, 0.0, 0.0),
    **how,
) -> None:
    """The hand at a landmark, moving `way` metres to and fro along `scratch`, the fingers with it."""
    offset = np.broadcast_to(np.asarray(offset), (len(a.t), 3))
    if scratch is not None:
        offset = offset + a.along(scratch, way * a.wave(hertz))
    pose.reach(a.side, a.strength, landmark, offset=offset, **how)


def meet(pose: Pose, a: Act, at, fingers: Vector, slide: np.ndarray | float = 0.0) -> None:
    """Palm on palm, `at` from the breastbone; the hands slide along each other by `slide` metres."""
    for side, way in (("L", 1.0), ("R", -1.0)):
        offset = (
            np.asarray(at) + (0.012, 0.0, 0.0) + np.multiply.outer(way * slide * np.ones(len(a.t)), np.asarray(fingers))
        )
        pose.reach(
            side,
            a.strength,
            "breastbone",
            offset=offset,
            tip="palm",
            fingers=fingers,
            palm=(-1.0, 0.0, 0.0),
            elbow=(1.0, 0.0, -0.8),
            hand="flat",
        )
