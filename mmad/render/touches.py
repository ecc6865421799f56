"""Motion programs of the classes in which a hand touches the body, the head or a leg. Numpy only; see motions.py.

The manual gives the places; whether the hand rests, strokes, scratches or taps there is random.
"""

from functools import partial

import numpy as np

from mmad.render.acts import Act, Motion, hold, reach, register, touch
from mmad.render.pose import Pose

TOUCHES: dict[str, Motion] = {}
motion = partial(register, TOUCHES)


# Body and hand


@motion("scratching or touching neck", "one hand")
def touching_neck(pose: Pose, a: Act) -> None:
    """A hand comes to the neck: its side, mostly that of the hand, the nape, or the throat."""
    side = {"fingers": (-0.8, -0.6, 0.4), "palm": (-0.9, -0.3, 0.0), "elbow": (0.6, 0.8, -0.8)}
    nape = {"fingers": (-0.9, -0.7, 0.2), "palm": (-0.5, 0.5, -0.5), "elbow": (1.0, 0.6, -0.1)}
    front = {"fingers": (-0.9, -0.3, 0.4), "palm": (-0.2, -1.0, 0.0), "elbow": (0.7, 0.4, -1.0)}
    across = {"fingers": (-1.0, -0.4, 0.4), "palm": (0.2, -0.8, -0.2), "elbow": (0.4, 1.0, -0.6)}
    spot, how = a.pick(
        (("neck", side), ("nape", nape), ("throat", front), ("other neck", across)), (0.45, 0.25, 0.15, 0.15)
    )
    touch(pose, a, spot, scratch=(0.2, 0.3, 1.0), hand=a.pick(("cupped", "relaxed")), **how)
    pose.turn("head", roll=a.uniform(-10, 10) * a.strength, pitch=a.uniform(-4, 10) * a.strength)


@motion("scratching or touching chest", "one hand")
def touching_chest(pose: Pose, a: Act) -> None:
    """A hand comes to the front of the upper body, flat or with its finger tips, high or low."""
    touch(
        pose,
        a,
        a.pick(("chest", "belly"), (0.8, 0.2)),
        offset=(a.uniform(-0.02, 0.05), 0.0, a.uniform(-0.06, 0.07)),
        scratch=a.pick(((1.0, 0.0, 0.2), (0.2, 0.0, 1.0))),
        distance=0.03,
        tip=a.pick(("palm", "fingers")),
        fingers=(-1.0, -0.1, 0.35),
        palm=(0.0, -1.0, 0.0),
        elbow=(1.0, 0.1, -0.5),
        hand=a.pick(("flat", "cupped")),
    )


@motion("scratching or touching back", "one hand")
def touching_back(pose: Pose, a: Act) -> None:
    """A hand comes to the back, behind the waist with the elbow out and back, or over the shoulder."""
    if a.maybe(0.75):
        touch(
            pose,
            a,
            "back",
            offset=(a.uniform(-0.02, 0.03), 0.0, a.uniform(-0.08, 0.06)),
            scratch=(0.2, 0.0, 1.0),
            distance=0.03,
            fingers=(-1.0, -0.2, 0.3),
            palm=(0.2, 1.0, 0.0),
            elbow=(1.0, -0.7, 0.1),
        )
    else:
        how = {"fingers": (-0.4, -0.9, -0.7), "palm": (-0.3, 0.6, -0.5), "elbow": (0.7, 0.7, 0.6)}
        touch(pose, a, "nape", offset=(0.03, -0.02, -0.05), scratch=(0.2, 0.0, 1.0), **how)
    pose.turn("trunk", pitch=a.uniform(0, 14) * a.strength, yaw=a.uniform(-6, 6) * a.strength)


@motion("scratching or touching shoulder", "one hand")
def touching_shoulder(pose: Pose, a: Act) -> None:
    """A hand comes to a shoulder, mostly the opposite one, sometimes that of its side."""
    other = {"fingers": (-1.0, -0.4, 0.3), "palm": (-0.1, -0.5, -1.0), "elbow": (0.2, 1.0, -0.6)}
    own = {"fingers": (-0.3, -0.8, 0.3), "palm": (-0.3, -0.6, -0.8), "elbow": (1.0, 0.8, -0.2)}
    spot, how = a.pick((("other shoulder", other), ("shoulder", own)), (0.8, 0.2))
    touch(pose, a, spot, scratch=(1.0, 0.3, 0.0), offset=(a.uniform(-0.04, 0.02), 0.0, 0.0), distance=0.025, **how)
    pose.turn("head", yaw=a.uniform(-12, 12) * a.strength)


@motion("arms akimbo", "one hand", both=0.6)
def arms_akimbo(pose: Pose, a: Act) -> None:
    """One hand or both on the hips, elbows out, fingers in front or behind."""
    in_front = a.maybe(0.7)
    for side in a.hands:
        fingers = (-0.5, 0.8, -0.4) if in_front else (-0.4, -0.8, -0.4)
        reach(pose, a, side, "hip", tip="palm", fingers=fingers, palm=(-1.0, -0.2, -0.2), elbow=(1.0, -0.3, 0.2))


@motion("crossing arms", "left hand", "right hand")
def crossing_arms(pose: Pose, a: Act) -> None:
    """Arms crossed over the chest, high or low: a posture. Each hand lies on the other arm or is hidden under it."""
    low, tucked = a.uniform(-0.05, 0.03), a.uniform(0, 0.05)
    how = {"elbow": (0.6, 0.2, -1.0), "hand": a.pick(("cupped", "grasp"))}
    hold(pose, a, a.side, (-0.17, 0.05, -0.09 + low), fingers=(-0.7, -0.5, 0.45), palm=(-0.5, -1.0, 0.0), **how)
    at = (-0.15 + tucked, 0.03 - tucked, -0.12 + low)
    hold(pose, a, a.other, at, fingers=(-0.8, -0.7, 0.25), palm=(-0.5, -1.0, 0.0), **how)


# Head and hand


@motion("playing or tidying hair", "one hand")
def tidying_hair(pose: Pose, a: Act) -> None:
    """A hand at the hair, at the side, on top or where it hangs down: strokes it, puts it back, or plays with it."""
    spot, direction, how = a.pick(
        (
            ("hair", (0.25, -0.25, -1.0), {"fingers": (-0.7, -0.4, 0.7), "palm": (-0.9, -0.3, -0.2)}),
            ("crown", (-0.1, -1.0, 0.1), {"fingers": (-0.5, -0.9, 0.3), "palm": (-0.3, -0.1, -1.0)}),
            ("ear", (0.1, -0.4, -1.0), {"fingers": (-0.5, -0.6, 0.6), "palm": (-1.0, -0.2, 0.0)}),
        ),
        (0.45, 0.3, 0.25),
    )
    stroke = a.along(direction, a.uniform(0.04, 0.13) * a.beats(0.8)) if a.maybe(0.65) else a.wander(0.015, 1.0)
    hand = a.pick(("cupped", "pinch", "relaxed"), (0.5, 0.3, 0.2))
    reach(pose, a, a.side, spot, offset=stroke, elbow=(1.0, 0.5, -0.3), hand=hand, **how)
    pose.turn("head", roll=a.uniform(-6, 8) * a.strength, pitch=a.uniform(-4, 10) * a.strength)


@motion("scratching or touching hindbrain", "one hand")
def touching_hindbrain(pose: Pose, a: Act) -> None:
    """A hand comes to the back of the head, the elbow out or high."""
    touch(
        pose,
        a,
        "hindbrain",
        scratch=(0.2, 0.0, 1.0),
        offset=(a.uniform(-0.02, 0.02), 0.0, a.uniform(-0.04, 0.05)),
        fingers=(-1.0, -0.35, 0.1),
        palm=(-0.3, 1.0, 0.0),
        elbow=(1.0, a.uniform(-0.1, 0.6), a.uniform(0.0, 0.6)),
    )
    pose.turn("head", pitch=a.uniform(0, 16) * a.strength, yaw=a.uniform(-8, 8) * a.strength)


@motion("scratching or touching forehead", "one hand")
def touching_forehead(pose: Pose, a: Act) -> None:
    """A hand comes to the forehead, with its finger tips or its palm; the head is often lowered."""
    touch(
        pose,
        a,
        "forehead",
        scratch=(1.0, 0.0, 0.0),
        distance=0.022,
        offset=(a.uniform(-0.01, 0.03), 0.0, a.uniform(-0.01, 0.02)),
        tip=a.pick(("fingers", "palm", "index"), (0.6, 0.2, 0.2)),
        fingers=(-0.8, -0.5, 0.5),
        palm=(0.0, -1.0, -0.3),
        elbow=(1.0, 0.6, -0.2),
    )
    pose.turn("head", pitch=a.pick((0.0, a.uniform(4, 22))) * a.strength)


@motion("scratching or touching face", "one hand")
def touching_face(pose: Pose, a: Act) -> None:
    """A hand comes to a cheek, mostly that of its side: finger tips scratch, or the head leans on the palm."""
    spot = a.pick(("cheek", "other cheek"), (0.85, 0.15))
    across = spot != "cheek"
    palm_on = not across and a.maybe(0.5)
    touch(
        pose,
        a,
        spot,
        scratch=(0.1, 0.1, 1.0),
        distance=0.016,
        tip="palm" if palm_on else a.pick(("fingers", "index")),
        fingers=(-0.1, -0.5, 1.0) if palm_on else (-0.8, -0.5, 0.7),
        palm=(0.2, -1.0, -0.1) if across else (-1.0, -0.5, 0.0),
        elbow=(0.5, 0.6, -1.0),
        hand="flat" if palm_on else a.pick(("cupped", "point")),
    )
    pose.turn("head", roll=a.uniform(-3, 12) * (1 if a.side == "L" else -1) * a.strength)


@motion("rubbing eyes", "one hand", both=0.35)
def rubbing_eyes(pose: Pose, a: Act) -> None:
    """One hand or both at the closed eyes, with fists, knuckles or finger tips, in circles or wiping."""
    tip, hand = a.pick((("knuckle", "fist"), ("fingers", "cupped"), ("index", "point")), (0.4, 0.4, 0.2))
    wide, hertz = a.log_uniform(0.005, 0.014), 2.2
    for side, phase in zip(a.hands, (0.0, 0.5)):
        path = [wide * a.wave(hertz, phase), 0 * a.t, wide * a.wave(hertz, phase + a.pick((0.25, 0.0)))]
        reach(
            pose,
            a,
            side,
            "eye",
            offset=np.stack(path, axis=1),
            tip=tip,
            fingers=(-0.4, -0.6, 0.8),
            palm=(-0.4, -1.0, -0.3),
            elbow=(0.8, 0.6, -0.9),
            hand=hand,
        )
    pose.turn("head", pitch=a.uniform(0, 16) * a.strength)
    pose.eyelids += a.strength


@motion("touching nose", "one hand")
def touching_nose(pose: Pose, a: Act) -> None:
    """A hand at the nose: the index finger, the pinching fingers, or a knuckle wipes it."""
    tip, hand = a.pick((("index", "point"), ("fingers", "pinch"), ("knuckle", "fist")), (0.55, 0.25, 0.2))
    touch(
        pose,
        a,
        "nose",
        scratch=a.pick(((0.3, 0.0, 1.0), (1.0, 0.0, 0.0))),
        distance=0.012,
        tip=tip,
        fingers=(-0.6, -0.7, 0.7),
        palm=(-0.3, -1.0, -0.6),
        elbow=(0.6, 0.6, -1.0),
        hand=hand,
    )
    pose.turn("head", pitch=a.uniform(-2, 10) * a.strength)


@motion("touching ears", "one hand")
def touching_ears(pose: Pose, a: Act) -> None:
    """Finger tips at the ear, touching, rubbing or pulling."""
    touch(
        pose,
        a,
        "ear",
        scratch=(0.0, 0.2, 1.0),
        distance=0.014,
        offset=(0.0, 0.0, a.uniform(-0.02, 0.02)),
        tip=a.pick(("fingers", "index")),
        fingers=(-0.6, -0.6, 0.8),
        palm=(-1.0, -0.2, 0.0),
        elbow=(1.0, 0.4, -0.6),
        hand=a.pick(("pinch", "cupped", "point")),
    )
    pose.turn("head", roll=a.uniform(-4, 12) * (1 if a.side == "L" else -1) * a.strength)


@motion("covering face", "one hand", "head", both=0.7)
def covering_face(pose: Pose, a: Act) -> None:
    """One palm or both over the face, not only over the mouth; the head is often bowed."""
    for side in a.hands:
        reach(
            pose,
            a,
            side,
            "cheek",
            offset=(-0.01 if a.both else -0.035, 0.025, 0.02),
            tip="palm",
            fingers=(-0.12, -0.15, 1.0) if a.both else (-0.35, -0.15, 1.0),
            palm=(-0.3, -1.0, 0.0),
            elbow=(0.4, 0.9, -1.0),
            hand="flat",
        )
    pose.turn("head", pitch=a.uniform(0, 26) * a.strength)
    pose.eyelids += a.strength


@motion("covering mouth", "one hand")
def covering_mouth(pose: Pose, a: Act) -> None:
    """A hand over the mouth, flat across it, cupped, or as a fist in front of it."""
    hand = a.pick(("flat", "cupped", "fist"), (0.55, 0.25, 0.2))
    touch(
        pose,
        a,
        "mouth",
        scratch=(1.0, 0.0, 0.2),
        distance=0.008,
        offset=(0.0, 0.012, 0.0),
        tip="knuckle" if hand == "fist" else "grip",
        fingers=(-1.0, -0.25, 0.35),
        palm=(-0.15, -1.0, 0.0),
        elbow=(0.9, 0.5, -0.8),
        hand=hand,
    )
    pose.turn("head", pitch=a.uniform(-4, 12) * a.strength)


@motion("pushing glasses", "one hand")
def pushing_glasses(pose: Pose, a: Act) -> None:
    """The glasses are pushed up, by one finger at the bridge, or by two at the rim of one side."""
    push = a.along((0.0, 0.0, 1.0), 0.02 * a.repeats(2))
    if a.maybe(0.6):
        how = {"tip": "index", "fingers": (-0.3, -0.8, 0.5), "palm": (-0.7, -0.2, -0.8), "hand": "point"}
        reach(pose, a, a.side, "bridge", offset=push, elbow=(0.9, 0.8, -0.4), **how)
    else:
        how = {"tip": "fingers", "fingers": (-0.6, -0.6, 0.7), "palm": (-0.9, -0.5, -0.2), "hand": "pinch"}
        reach(pose, a, a.side, "temple", offset=push, elbow=(0.9, 0.6, -0.6), **how)
    pose.turn("head", pitch=a.uniform(-2, 9) * a.strength)


# Leg and hand


@motion("patting legs", "one hand", seated=True)
def patting_legs(pose: Pose, a: Act) -> None:
    """One hand hits a leg gently, once or a few times, flat or with the finger tips."""
    count = a.repeats(1) if a.maybe(0.3) else a.beats(2.0)
    spot = a.pick(("thigh", "knee", "lap"), (0.5, 0.3, 0.2))
    touch_leg(pose, a, spot, a.along((0.0, 0.1, 1.0), 0.012 + a.log_uniform(0.03, 0.13) * count), tip="palm")


@motion("touching legs", "one hand", seated=True)
def touching_legs(pose: Pose, a: Act) -> None:
    """One hand touches and rubs a leg: along the thigh, across it, around the knee; slowly or quickly."""
    spot = a.pick(("thigh", "knee", "lap"), (0.5, 0.3, 0.2))
    direction = a.pick(((0.1, 1.0, 0.0), (1.0, 0.2, 0.0)), (0.75, 0.25))
    stroke = a.along(
        direction, a.log_uniform(0.02, 0.12) * (0.4 if spot == "knee" else 1.0) * a.swings(a.log_uniform(0.35, 1.6))
    )
    touch_leg(pose, a, spot, stroke + (0.0, 0.0, 0.015), tip=a.pick(("palm", "fingers"), (0.75, 0.25)))


def touch_leg(pose: Pose, a: Act, spot: str, offset: np.ndarray, tip: str) -> None:
    """A hand at the landmark `spot` of a leg, moved by `offset` (T, 3) metres."""
    offset = offset + (a.uniform(-0.03, 0.03), a.uniform(-0.02, 0.06), 0.0)
    directions = {"fingers": (a.uniform(-0.8, 0.1), 1.0, -0.1), "palm": (0.0, 0.0, -1.0), "elbow": (0.6, -0.6, -0.8)}
    hand = a.pick(("flat", "relaxed")) if tip == "palm" else "cupped"
    reach(pose, a, a.side, spot, offset=offset, tip=tip, hand=hand, **directions)


@motion("scratching legs", "one hand", "trunk", seated=True)
def scratching_legs(pose: Pose, a: Act) -> None:
    """A hand at the lower leg, the calf or the shin, not the ankle; the trunk leans towards it."""
    calf = a.maybe(0.5)
    touch(
        pose,
        a,
        "calf" if calf else "shin",
        scratch=(0.1, 0.0, 1.0),
        distance=0.03,
        offset=(0.0, 0.0, a.uniform(-0.06, 0.06)),
        fingers=(-0.4, 0.2, -1.0) if calf else (-0.2, 0.5, -1.0),
        palm=(-1.0, 0.0, -0.2) if calf else (-0.3, -1.0, -0.3),
        elbow=(1.0, -0.2, 0.3),
    )
    pose.turn("head", pitch=a.uniform(4, 18) * a.strength)


@motion("scratching feet", "one hand", "legs", "feet", "trunk", seated=True)
def scratching_feet(pose: Pose, a: Act) -> None:
    """A hand at the foot, which is lifted towards the hand, on the other knee, or on the floor with the trunk far
    down."""
    kind = a.pick(("lifted", "floor", "on knee"), (0.4, 0.35, 0.25))
    w = a.strength
    if kind == "lifted":
        pose.put_leg(a.side, w, out=0.02, forward=0.02, up=0.30, knee=0.5, dangling=w)
    elif kind == "on knee":
        pose.put_leg(a.side, w, across=1, out=-0.14, forward=-0.04, up=0.58, knee=2.2, dangling=w)
    else:
        pose.put_leg(a.side, w, out=0.02, forward=-a.uniform(0.0, 0.15), heel=a.uniform(0, 15))
    touch(
        pose,
        a,
        "foot",
        scratch=(0.0, 1.0, 0.3),
        distance=0.025,
        fingers=(-0.3, 0.6, -1.0),
        palm=(-0.4, -0.3, -1.0),
        elbow=(1.0, -0.2, 0.2),
    )
    pose.turn("trunk", pitch={"lifted": 16, "floor": 38, "on knee": 10}[kind] * w)
    pose.turn("head", pitch=a.uniform(6, 16) * w)
