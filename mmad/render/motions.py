"""How each micro-action is performed: one motion program per class, next to its name. Numpy only.

To add or change a class, write a function that adds the action to the pose, in proportion to `a.strength` (0 before and
after, 1 in the middle), and with random variants: the docstring lists them. Sources: the annotation manual of MA-52
(Guo et al., 2024), in other words, and the lengths of the instances in MMA-52: where more than a quarter last a whole
video, the class is a posture (a state). Where the manual is unclear, both readings are performed, and the docstring
says so.
"""

from functools import partial

import numpy as np

from mmad.render.acts import Act, Motion, hold, meet, reach, register
from mmad.render.pose import OBJECTS, SIDES, Pose
from mmad.render.posture import HANGING, resting_on
from mmad.render.touches import TOUCHES

MOTIONS: dict[str, Motion] = dict(TOUCHES)  # {name of the action: its motion}
motion = partial(register, MOTIONS)


# Body


@motion("shaking body", "trunk")
def shaking_body(pose: Pose, a: Act) -> None:
    """The upper body moves from side to side: rocks, twists, or shifts on the seat; the head stays up or follows."""
    swing = a.strength * a.size * a.swings(0.75)
    twist, shift = a.pick(((0.0, 0.0), (0.8, 0.0), (0.2, 0.03)), (0.5, 0.25, 0.25))
    pose.turn("trunk", roll=12 * swing, yaw=14 * twist * swing)
    pose.turn("head", roll=-a.uniform(0, 9) * swing)
    pose.shift[:, 0] -= shift * swing


@motion("sitting straightly", "trunk", seated=True)
def sitting_straightly(pose: Pose, a: Act) -> None:
    """Straightening the back, not the upright posture. Before it, the person often sits slumped; after it, they stay
    upright, sink back slowly, or fall back at once."""
    upright = {"stay": a.staying, "sink": a.fading, "fall": lambda: a.strength}[
        a.pick(("stay", "sink", "fall"), (0.45, 0.35, 0.2))
    ]()
    slumped = a.leaving() * a.uniform(4, 14) if a.maybe(0.6) else np.zeros(len(a.t))
    back = a.uniform(14, 28) * max(a.size, 0.45) * upright - slumped
    pose.turn("trunk", pitch=-back)
    pose.turn("head", pitch=0.45 * back)
    pose.shift[:, 2] += 0.03 * upright
    if a.maybe(0.3):  # sliding back on the seat
        pose.shift[:, 1] += 0.04 * upright
        pose.turn("trunk", pitch=12 * a.strength * (1 - upright))


@motion("shrugging", "shoulders")
def shrugging(pose: Pose, a: Act) -> None:
    """The shoulders alone: up, mostly once, or forward and back; both, sometimes one."""
    course = a.strength * max(a.size, 0.4) * a.repeats(1 if a.maybe(0.6) else 3)
    forward = a.maybe(0.25)
    for side in a.sides(both=0.8):
        pose.shoulder[side] += (6 if forward else 30) * course
        pose.forward[side] += (26 if forward else a.uniform(-4, 8)) * course * (a.sign if forward else 1)
    pose.turn("head", pitch=a.uniform(-4, 5) * course, roll=a.uniform(-5, 5) * course)


@motion("turning around", "trunk", "head", "legs", "feet")
def turning_around(pose: Pose, a: Act) -> None:
    """The body turns to face another way, 30 to 90 degrees: trunk and head twist, or all of it turns on the seat."""
    course = a.sign * (a.staying() if a.maybe(0.3) else a.strength)
    whole = a.pick((0.0, 0.35, 0.7))
    angle = a.uniform(35, 60) + 40 * whole
    pose.facing += whole * angle * course
    pose.turn("trunk", yaw=0.75 * (1 - whole) * angle * course, pitch=4 * np.abs(course))
    pose.turn("head", yaw=(0.45 * (1 - whole) * angle + a.uniform(-5, 25)) * course)


# What hands do on the way up: push against the knees, or hang from the shoulders of a trunk that leans far forward.
PUSHING_OFF = {"to": "knee", "offset": (0.0, -0.03, 0.02), "tip": "palm", "elbow": (0.8, -0.5, 0.2)}
ARMS_DOWN = {"to": "knee", "offset": (0.06, 0.08, -0.16), "fingers": (0.0, 0.2, -1.0), "palm": (-1.0, -0.2, 0.0)}


@motion("rising up", "trunk", "legs", "feet", seated=True)
def rising_up(pose: Pose, a: Act) -> None:
    """Getting ready to stand up: leans forward and lifts off the seat a little, or stands up and stays or sits down
    again. The hands push off the knees, hang, or stay where they are."""
    if a.maybe(0.45):
        up, peak = a.strength * a.log_uniform(0.06, 0.45), 1.0
        lean = a.uniform(18, 42) * a.strength
    else:
        stood = a.staying() if a.next_start > a.seconds[-1] and a.maybe(0.6) else a.strength
        peak = 1 - pose.seat
        up = peak * stood
        # the trunk leans while the hips rise, and is upright again when they are up
        leaning = np.sin(np.pi * np.clip(stood, 0, 1) ** 0.8)
        lean = a.uniform(25, 62) * leaning
        on_the_way = a.pick((PUSHING_OFF, ARMS_DOWN, None), (0.3, 0.4, 0.3))
        for side in SIDES:
            if on_the_way:
                pose.settle(side, leaning**2, **on_the_way)
            pose.settle(side, np.clip(1.4 * stood - 0.2, 0, 1), **vars(HANGING))
    pose.lift += np.clip(up, 0, peak)
    pose.turn("trunk", pitch=lean)
    pose.turn("head", pitch=-a.uniform(0.2, 0.8) * lean)


# Head


@motion("bowing head", "head")
def bowing_head(pose: Pose, a: Act) -> None:
    """The head is lowered, slowly or at once, and raised again or left to come up slowly.

    The manual describes it as a movement towards the shoulder (its rows for bowing and tilting look exchanged): that is
    performed with probability 0.15.
    """
    course = a.fading() if a.maybe(0.35) else a.strength
    if a.maybe(0.85):
        pose.turn(
            "head", pitch=a.log_uniform(10, 42) * course, yaw=a.uniform(-6, 6) * course, roll=a.uniform(-4, 4) * course
        )
    else:
        pose.turn("head", roll=a.sign * a.log_uniform(8, 26) * course, pitch=a.uniform(0, 12) * course)
    pose.eyelids += 0.4 * course


@motion("head up", "head")
def head_up(pose: Pose, a: Act) -> None:
    """The head is raised, slowly or at once, mostly in one movement: from being lowered, or towards the ceiling."""
    lowered = a.uniform(12, 36) if a.maybe(0.5) else 0.0
    raised = a.log_uniform(8, 40) if lowered == 0 or a.maybe(0.25) else a.uniform(0, 5)
    pose.turn("head", pitch=lowered * a.leaving() * a.approaching() - raised * a.strength)
    pose.turn("head", yaw=a.uniform(-6, 6) * a.strength)
    pose.gaze[:, 0] -= 10 * a.strength


@motion("tilting head", "head")
def tilting_head(pose: Pose, a: Act) -> None:
    """The ear goes towards the shoulder, once; in a third, as the manual says for this class, the head is lowered."""
    course = a.fading() if a.maybe(0.25) else a.strength * (a.repeats(2) if a.maybe(0.15) else 1)
    if a.maybe(0.67):
        pose.turn("head", roll=a.sign * a.log_uniform(7, 28) * course, yaw=a.uniform(-10, 10) * course)
        pose.turn("head", pitch=a.uniform(-5, 8) * course)
    else:
        pose.turn("head", pitch=a.log_uniform(10, 38) * course, roll=a.uniform(-6, 6) * course)


@motion("turning head", "head")
def turning_head(pose: Pose, a: Act) -> None:
    """To the side or backward by 10 to 82 degrees, mostly one movement; the head comes back, stays there for a while,
    or goes on to the other side. In wide turns the trunk turns too, in others sometimes."""
    angle = a.log_uniform(10, 82)
    course = a.strength
    if a.maybe(0.25):
        course = a.fading()
    elif a.length > 1.6 and a.maybe(0.25):
        course = a.strength * a.swings(1 / a.length / a.pace)
    pose.turn("head", yaw=a.sign * angle * course, pitch=a.pick((0.0, a.uniform(-8, 16))) * np.abs(course))
    pose.turn("head", roll=a.uniform(-5, 5) * course)
    if angle > 45 or a.maybe(0.3):
        pose.turn("trunk", yaw=a.sign * a.uniform(0.05, 0.4) * angle * course, roll=a.uniform(-3, 3) * course)
    pose.gaze[:, 1] += a.sign * 15 * course


@motion("nodding", "head")
def nodding(pose: Pose, a: Act) -> None:
    """Down and up, once or several times, by 4 to 26 degrees, 0.8 to 3 times per second, in bursts when it is long."""
    hertz = 1 / a.length / a.pace if a.length < 1.3 and a.maybe(0.3) else 1.8
    dips = a.beats(hertz, pauses=0.08 if a.length < 3 else 0.3)
    first_up = a.uniform(0, 0.35) if a.maybe(0.3) else 0.0
    pose.turn("head", pitch=a.strength * a.log_uniform(4, 26) * (dips - first_up))


@motion("shaking head", "head")
def shaking_head(pose: Pose, a: Act) -> None:
    """Left and right, repeated, by 4 to 28 degrees each way, 0.8 to 3 times per second."""
    swing = a.strength * a.sign * a.log_uniform(4, 28) * a.swings(1.6)
    pose.turn("head", yaw=swing, roll=a.uniform(-0.2, 0.2) * swing, pitch=a.uniform(-3, 8) * a.strength)


# Upper limb


@motion("scratching arms", "left hand", "right hand")
def scratching_arms(pose: Pose, a: Act) -> None:
    """One hand scratches, strokes or holds the other arm, below or above the elbow; that arm lies on the lap or is held
    in front of the belly."""
    if a.maybe(0.5) or not resting_on(pose, a.other) <= {"lap", "thigh", "knee", "belly"}:
        hold(pose, a, a.other, (0.02, 0.24, -0.22), fingers=(-1.0, 0.5, 0.1), palm=(0.0, -1.0, -0.4))
    where, direction = a.pick((("other forearm", (0.6, -0.3, 0.0)), ("other upper arm", (0.1, 0.2, 1.0))), (0.7, 0.3))
    course = a.pick(
        (
            lambda: a.along(direction, 0.03 * a.swings(3.0)),
            lambda: a.along(direction, 0.05 * a.swings(0.8)),
            lambda: a.wander(0.003, 0.4),
        )
    )()
    reach(
        pose,
        a,
        a.side,
        where,
        offset=course,
        tip=a.pick(("fingers", "palm")),
        fingers=(-0.8, 0.6, -0.3) if where == "other forearm" else (-1.0, 0.1, 0.2),
        palm=(-0.4, -0.3, -1.0) if where == "other forearm" else (-0.4, -1.0, -0.1),
        elbow=(0.7, 0.0, -1.0),
        hand="cupped",
    )


@motion("playing objects", "one hand", both=0.6)
def playing_objects(pose: Pose, a: Act) -> None:
    """One hand or both play with an object or adjust it, in the lap, in front of the belly or higher: a posture."""
    pose.held.setdefault(a.side, a.pick(OBJECTS))
    up, forward = a.pick((-0.06, 0.0, 0.12)), a.uniform(0.08, 0.16)
    middle = np.array([0.0 if a.both else a.uniform(0.0, 0.12), forward, up])
    path = a.wander(0.012, 0.6) + a.along((0.0, 0.4, 1.0), a.log_uniform(0.004, 0.025) * a.swings(1.2))
    for side, sign in zip(a.hands, (1, -1)):
        curl = np.stack([a.log_uniform(4, 18) * a.swings(1.3) for _ in range(5)], axis=1)
        at = middle + sign * path + (-0.02 if a.both else 0.0, 0.0, 0.0)
        directions = {"fingers": (-0.7, 0.8, 0.3), "palm": (-0.8, -0.2, 0.5), "hand": "pinch", "curl": curl}
        hold(pose, a, side, at, "belly", **directions)
    if a.maybe(0.7):
        pose.turn("head", pitch=a.uniform(6, 22) * a.strength)


@motion("putting hands together", "left hand", "right hand")
def putting_hands_together(pose: Pose, a: Act) -> None:
    """Both hands come together until the palms meet: in front of the chest, fingers up, or lower, fingers forward;
    once, or a few times as in clapping."""
    apart = 0.09 * (1 - a.repeats(4)) if a.maybe(0.25) else 0.0
    if a.maybe(0.5):
        meet(pose, a, (0.0, a.uniform(0.2, 0.3), a.uniform(-0.08, 0.08)), fingers=(0.0, 0.5, 1.0), apart=apart)
    else:
        at = (0.0, a.uniform(0.1, 0.2), a.uniform(-0.04, 0.12))
        meet(pose, a, at, to="belly", fingers=(0.0, 1.0, a.uniform(-0.3, 0.4)), apart=apart)


@motion("rubbing hands", "left hand", "right hand")
def rubbing_hands(pose: Pose, a: Act) -> None:
    """The hands touch and rub each other: palm along palm, or in circles, in the lap or higher."""
    slide = a.log_uniform(0.02, 0.055) * a.swings(a.log_uniform(1.2, 2.8))
    at = np.array([0.0, a.uniform(0.1, 0.2), a.uniform(-0.06, 0.14)])
    if a.maybe(0.4):
        at = at + a.along((0.0, 0.0, 1.0), 0.025 * a.wave(1.5, 0.25))
    fingers = (0.0, 1.0, a.uniform(-0.2, 0.6))
    meet(pose, a, at, to="belly", fingers=fingers, slide=slide, hand=a.pick(("flat", "relaxed", "cupped")))


@motion("pointing oneself", "one hand")
def pointing_oneself(pose: Pose, a: Act) -> None:
    """A hand points at the own chest; or, as the manual also says, it shows a direction."""
    beat = a.beats(1.2)
    if a.maybe(0.6):
        tip, hand = a.pick((("index", "point"), ("fingers", "flat"), ("knuckle", "fist")), (0.6, 0.25, 0.15))
        reach(
            pose,
            a,
            a.side,
            "chest",
            offset=a.along((0.0, 1.0, 0.0), 0.012 + a.log_uniform(0.01, 0.05) * beat),
            tip=tip,
            fingers=(-0.7, -0.9, 0.1),
            palm=(0.1, -0.4, -1.0),
            hand=hand,
            elbow=(1.0, 0.2, -0.4),
        )
        return
    direction = a.pick(((0.1, 1.0, 0.1), (1.0, 0.5, 0.1), (-0.4, 0.9, 0.1), (0.2, 0.8, -0.7), (0.4, 0.6, 0.8)))
    far = a.uniform(0.22, 0.5)
    at = np.array([0.12, 0.08, -0.02]) + far * np.asarray(direction) / np.linalg.norm(direction)
    at = at + a.along(direction, 0.04 * beat)
    hold(pose, a, a.side, at, fingers=direction, palm=(-0.5, 0.1, -1.0), hand="point", elbow=(0.6, -0.3, -1.0))


@motion("clenching fist", "one hand", both=0.15)
def clenching_fist(pose: Pose, a: Act) -> None:
    """The fingers bend to a fist, partly or fully, once or repeatedly: on the lap, in front of the body, raised, or
    with the arm hanging. The hand comes there for it, or was there before, open, and stays."""
    opened = a.uniform(60, 90) if a.maybe(0.4) else a.uniform(35, 60)
    open_by = -opened * (a.beats(0.9) if a.maybe(0.6) else np.zeros(len(a.t)))
    curl = open_by[:, None] * np.ones(5) - a.pick((0.0, a.uniform(0, 25)))
    where = a.pick(("lap", "air", "raised", "hanging"), (0.35, 0.25, 0.25, 0.15))
    held = a.lasting() if a.maybe(0.5) else None  # when the open hand is there, where it is held in the air
    for side in a.hands:
        how = {"hand": "fist", "curl": curl}
        if where == "lap":
            at = (a.uniform(-0.03, 0.03), a.uniform(0.0, 0.1), 0.02)
            spot = "thigh" if pose.seat < 0.5 else "hip"
            directions = {
                "fingers": (-0.3, 1.0, -0.1),
                "palm": (-0.4, 0.0, a.pick((-1.0, 1.0))),
                "elbow": (0.5, -0.7, -1.0),
            }
            reach(pose, a, side, spot, offset=at, tip="palm", **directions, **how)
        elif where == "hanging":
            directions = {"fingers": (-0.1, 0.25, -1.0), "palm": (-1.0, -0.2, 0.0), "elbow": (0.5, -1.0, 0.0)}
            reach(pose, a, side, "hip", offset=(0.09, 0.03, -0.16), tip="grip", **directions, **how)
        else:
            high = a.uniform(-0.02, 0.22) if where == "raised" else a.uniform(-0.2, -0.08)
            at = (a.uniform(0.08, 0.25), a.uniform(0.15, 0.32), high)
            directions = {"fingers": (-0.2, 0.4, 1.0), "palm": (-0.5, a.pick((-1.0, 1.0)), 0.2)}
            if held is not None:
                hold(pose, a, side, at, weight=held, hand=a.pick(("flat", "relaxed")), **directions)
            hold(pose, a, side, at, **directions, **how)


@motion("stretching arms", "one hand", both=0.35)
def stretching_arms(pose: Pose, a: Act) -> None:
    """An arm, sometimes both, is raised or extended, partly or fully: forward, sideways, up, or forward and down.

    It comes back, or stays extended until the arm does something else.
    """
    direction, elbow = a.pick(
        (
            ((0.1, 1.0, 0.1), (0.5, 0.0, -1.0)),
            ((1.0, 0.4, 0.1), (0.0, -0.6, -1.0)),
            ((0.35, 0.4, 1.0), (1.0, 0.3, 0.0)),
            ((0.2, 1.0, -0.6), (0.5, -0.3, -1.0)),
        ),
        (0.35, 0.25, 0.2, 0.2),
    )
    direction = np.asarray(direction) + a.generator.normal(0, 0.12, 3)
    far, course = a.uniform(0.42, 0.66), a.staying() if a.maybe(0.2) else a.strength
    back_and_forth = 0.1 * a.beats(0.8) if a.maybe(0.2) else 0.0 * a.t
    hand = a.pick(("flat", "relaxed", "fist"), (0.45, 0.4, 0.15))
    for side in a.hands:
        at = np.array([0.13, -0.03, 0.06]) + np.multiply.outer(
            far - back_and_forth, direction / np.linalg.norm(direction)
        )
        palm = (-0.2, 0.3, -1.0) if direction[2] < 0.8 else (-0.6, 0.8, 0.0)
        hold(pose, a, side, at, weight=course, fingers=tuple(direction), palm=palm, elbow=elbow, hand=hand)
    pose.turn("trunk", pitch=a.uniform(-6, 4) * a.strength)


@motion("retracting arms", "one hand", both=0.35)
def retracting_arms(pose: Pose, a: Act) -> None:
    """An extended arm is drawn back, to its rest or against the ribs.

    The manual does not say whether extending it belongs to the action. It is extended since the start of the video or
    the previous action of the arm, if that is less than 5 s ago; else, and sometimes then too, it is extended first.
    """
    direction = np.asarray(a.pick(((0.1, 1.0, 0.0), (0.7, 0.7, 0.1), (0.1, 0.9, -0.5)))) + a.generator.normal(0, 0.1, 3)
    extended_before = a.start - max(a.previous_end, 0) < 5 and a.maybe(0.7)
    away = a.leaving() if extended_before else a.strength * np.clip(2.2 - 2.2 * a.t / a.length, 0, 1)
    ribs = a.strength * (1 - away) if a.maybe(0.5) else 0.0 * a.t
    for side in a.hands:
        at = np.array([0.13, -0.03, 0.0]) + a.uniform(0.4, 0.58) * direction / np.linalg.norm(direction)
        hold(pose, a, side, at, weight=away, fingers=tuple(direction), palm=(-0.5, 0.2, -1.0), elbow=(0.5, -0.2, -1.0))
        at = (0.13, a.uniform(0.04, 0.16), a.uniform(-0.16, -0.04))
        elbow = (0.6, -1.0, -0.3)
        hold(pose, a, side, at, weight=ribs, fingers=(-0.4, 0.9, 0.2), palm=(-0.8, -0.3, -0.3), elbow=elbow)


@motion("waving", "one hand", both=0.12)
def waving(pose: Pose, a: Act) -> None:
    """A hand or a whole arm is waved, beside the head or above it, in front of the chest or low in refusal; often the
    head is shaken."""
    out, forward, up = a.pick(
        ((0.28, 0.22, 0.16), (0.18, 0.34, 0.0), (0.22, 0.3, -0.16), (0.36, 0.16, 0.32), (0.26, 0.12, 0.5)),
        (0.3, 0.2, 0.2, 0.15, 0.15),
    )
    swing = a.swings(1.8)
    reached = a.log_uniform(0.07, 0.2) if up > 0.1 else 0.1  # m to either side: a raised arm may swing as a whole
    path = a.along(a.pick(((1.0, 0.0, 0.0), (0.8, 0.3, 0.3), (0.1, 1.0, 0.3)), (0.6, 0.2, 0.2)), reached * swing)
    path = a.log_uniform(0.35, 1.3) * path
    down = a.maybe(0.3)  # from the wrist
    how = {"fingers": (0.1, 0.5, 1.0), "palm": (-0.1, 1.0, -0.3), "hand": a.pick(("flat", "relaxed"))}
    for side in a.hands:
        at = np.array([out, forward, up]) + a.generator.normal(0, 0.03, 3) + (0.3 if down else 1.0) * path
        if not down:
            hold(pose, a, side, at, **how)
            continue
        share = 0.5 + 0.5 * swing
        hold(pose, a, side, at, weight=a.strength * share, **how)
        hold(pose, a, side, at, weight=a.strength * (1 - share), **{**how, "fingers": (0.3, 1.0, 0.0)})
    if a.maybe(0.35):
        pose.turn("head", yaw=a.strength * a.uniform(5, 14) * a.swings(1.6))


@motion("spreading hands", "one hand", both=0.65)
def spreading_hands(pose: Pose, a: Act) -> None:
    """One open hand with the palm up, or both, above the lap or far out to the sides, once or a few times."""
    far = a.log_uniform(0.35, 1.0)
    beat = 0.25 * a.beats(1.0) if a.maybe(0.4) else 0.0 * a.t
    for side in a.hands:
        at = np.array([0.14, 0.26, -0.2]) + np.multiply.outer(far * (1 - beat), (0.28, 0.02, 0.10))
        fingers = (far, 0.8, a.uniform(-0.1, 0.3))
        hold(pose, a, side, at, fingers=fingers, palm=(0.0, 0.3, 1.0), hand=a.pick(("flat", "relaxed")))
    if a.maybe(0.3):
        for side in SIDES:
            pose.shoulder[side] += a.strength * 10 * a.size


@motion("hands touching fingers", "left hand", "right hand")
def hands_touching_fingers(pose: Pose, a: Act) -> None:
    """The fingers of both hands are interlaced: a posture. In the lap or in front of the belly; the thumbs move a
    little, or the hands twist, or they are still."""
    at = np.array([0.0, a.uniform(0.04, 0.2), a.pick((a.uniform(-0.11, -0.03), a.uniform(-0.03, 0.12)), (0.65, 0.35))])
    path = a.wander(0.004, 0.4) if a.maybe(0.6) else a.wander(0.012, 0.9)
    thumbs = a.log_uniform(3, 25) * a.swings(1.0)
    down = a.pick((-0.5, 0.0, 0.4))  # where the palms face
    for side in SIDES:
        offset = at + path * ((1 if side == "L" else -1), 1, 1) + (-0.012, 0.01 if side == a.side else 0.0, 0.0)
        reach(
            pose,
            a,
            side,
            "belly",
            offset=offset,
            tip="clasp",
            fingers=(-0.85, 0.55, -0.1),
            palm=(-0.5, -0.8, down),
            elbow=(1.0, -0.2, -0.8),
            hand="interlaced",
            curl=np.stack([thumbs] + [0.2 * thumbs] * 4, axis=1),
        )


@motion("other finger movements", "one hand", both=0.3)
def other_finger_movements(pose: Pose, a: Act) -> None:
    """Finger movements of no other class: drumming on the thigh, bending one after the other, rubbing against the
    thumb, or stretching, on the lap or in the air."""
    kind = a.pick(("drum", "count", "rub", "stretch"), (0.4, 0.2, 0.25, 0.15))
    size, hertz = {"drum": (24, 1.5), "count": (40, 0.5), "rub": (14, 2.2), "stretch": (30, 0.5)}[kind]
    lag = 0.16 if kind in ("drum", "count") else 0.0
    hand = {"drum": "relaxed", "count": "relaxed", "rub": "pinch", "stretch": "cupped"}[kind]
    size *= a.uniform(0.6, 1.2)
    curl = np.stack([size * a.wave(hertz, phase=lag * finger) - size / 2 for finger in range(5)], axis=1)
    on_lap = pose.seat < 0.5 and (kind == "drum" or a.maybe(0.5))
    for side in a.hands:
        if on_lap:
            spot, forward = a.pick((("thigh", a.uniform(0.0, 0.1)), ("knee", 0.0), ("lap", a.uniform(0.0, 0.08))))
            up = a.pick((-1.0, -1.0, 1.0)) if kind != "drum" else -1.0
            directions = {"fingers": (-0.1, 1.0, 0.2), "palm": (-0.2, 0.0, up), "elbow": (0.5, -0.7, -1.0)}
            reach(pose, a, side, spot, offset=(0.0, forward, 0.03), tip="palm", hand=hand, curl=curl, **directions)
        else:
            at = (a.uniform(0.02, 0.2), a.uniform(0.08, 0.22), a.uniform(-0.05, 0.2))
            directions = {"fingers": (-0.4, 0.9, 0.3), "palm": (-0.8, 0.0, a.pick((-0.6, 0.6)))}
            hold(pose, a, side, at, "belly", hand=hand, curl=curl, **directions)


@motion("illustrative gestures", "one hand", both=0.6)
def illustrative_gestures(pose: Pose, a: Act) -> None:
    """One arm or both illustrate speech: they beat, draw, open and close in the air, small or large, with pauses in
    which they stay there."""
    large, high = a.log_uniform(0.35, 1.3), a.uniform(-0.22, 0.06)
    together = a.maybe(0.5)
    for i, side in enumerate(a.hands):
        if i == 0 or not together:
            path = a.wander(0.09, a.uniform(0.35, 0.8)) * (0.8, 0.6, 1.0)
            path += a.along((0.1, 0.4, -1.0), 0.07 * a.beats(1.3, pauses=0.5))
            turning = np.clip(0.5 + 0.8 * a.wander(1.0, 0.4)[:, 0], 0, 1)
        at = np.array([a.uniform(0.08, 0.2), a.uniform(0.24, 0.36), high]) + large * path
        how = {"hand": a.pick(("relaxed", "flat", "cupped", "point", "pinch"), (0.4, 0.2, 0.2, 0.1, 0.1))}
        for share, palm in ((turning, (-0.8, 0.0, 0.5)), (1 - turning, (-0.4, 0.4, -0.8))):
            hold(pose, a, side, at, weight=a.strength * share, fingers=(-0.3, 1.0, 0.4), palm=palm, **how)
    if a.maybe(0.5):  # people who gesture rarely sit still
        for part in ("trunk", "head"):
            sway = a.log_uniform(2, 9) * a.wander(1.0, a.uniform(0.2, 0.5))  # degrees
            pose.turn(part, *(a.strength[:, None] * sway).T)


# Lower limb


@motion("shaking legs", "feet", seated=True)
def shaking_legs(pose: Pose, a: Act) -> None:
    """One leg or both go up and down quickly, the heel off the floor, 2 to 6 times per second; a leg that lies over the
    other one swings."""
    bounce = a.strength * a.log_uniform(3, 13) * (1 + a.wave(3.6))
    swing = a.strength * a.log_uniform(0.01, 0.045) * a.swings(a.pick((1.1, 2.6)))
    lifted = a.strength * a.uniform(0, 12)
    hanging = [side for side in SIDES if (pose.dangling[side] * a.strength).max() > 0.5]
    for side in hanging or a.sides(both=0.25):
        dangling = pose.dangling[side]
        pose.step(side, heel=(1 - dangling) * (lifted + bounce) + dangling * 150 * swing)
        pose.step(side, forward=dangling * swing, up=0.4 * dangling * swing)
    if not hanging and a.maybe(0.15):  # the knees, to and fro
        for side in SIDES:
            pose.step(side, knee=4 * swing)


@motion("curling legs", "legs", seated=True)
def curling_legs(pose: Pose, a: Act) -> None:
    """Sitting with one leg over the other: a posture. Knee over knee, the foot hanging, or the ankle on the knee."""
    w = a.strength
    if a.maybe(0.65):
        over_knee(pose, a, a.side, w)
    else:
        swung = 4 * w * (1 - w)  # the foot goes around the other knee
        pose.put_leg(
            a.side,
            w,
            across=1,
            out=-a.uniform(0.1, 0.2),
            forward=-a.uniform(0.02, 0.12) + 0.1 * swung,
            up=a.uniform(0.56, 0.62),
            knee=a.uniform(1.6, 3.0),
            dangling=w,
        )
        pose.put_leg(a.other, w, out=a.uniform(-0.03, 0.03), forward=a.uniform(-0.06, 0.06))
    if a.maybe(0.4):
        pose.turn("trunk", pitch=-a.uniform(0, 8) * w, roll=a.uniform(-4, 4) * w)


def over_knee(pose: Pose, a: Act, side: str, weight: np.ndarray) -> None:
    """Lay one thigh over the other, with the foot hanging."""
    other = "L" if side == "R" else "R"
    lifted = 0.06 * 4 * weight * (1 - weight)
    pose.put_leg(
        side,
        weight,
        across=1,
        out=-a.uniform(0.15, 0.25),
        forward=a.uniform(0.04, 0.16),
        up=a.uniform(0.2, 0.28) + lifted,
        knee=-a.uniform(0.65, 0.85),
        heel=a.uniform(-10, 15),
        dangling=weight,
    )
    pose.put_leg(other, weight, across=a.uniform(0.3, 0.9), forward=a.uniform(-0.12, 0.03), knee=a.uniform(-0.1, 0.1))


@motion("spread legs", "legs", "feet", seated=True)
def spread_legs(pose: Pose, a: Act) -> None:
    """The knees move apart, with the feet or without; they stay apart, or close again, or fall open a few times."""
    course = a.staying() if a.maybe(0.55) else a.strength * (a.repeats(5) if a.maybe(0.4) else 1)
    size, feet = max(a.size, 0.4), a.pick((1.0, 0.5, 0.0))
    for side in a.sides(both=0.85):
        pose.step(side, out=0.15 * feet * size * course, knee=(0.35 + 0.35 * (1 - feet)) * size * course)


@motion("closing legs", "legs", "feet", seated=True)
def closing_legs(pose: Pose, a: Act) -> None:
    """The legs come from apart to together, and stay, or open again."""
    apart, together = a.leaving(), a.staying() if a.maybe(0.7) else a.strength
    size, feet = max(a.size, 0.4), a.pick((1.0, 0.6, 0.2))
    for side in a.sides(both=0.85):
        pose.step(side, out=0.13 * feet * size * apart, knee=(0.3 + 0.25 * (1 - feet)) * size * apart)
        pose.put_leg(side, together, across=a.uniform(0.4, 0.75), forward=a.uniform(-0.05, 0.05), knee=-0.2)


@motion("crossing legs", "legs", "feet", seated=True)
def crossing_legs(pose: Pose, a: Act) -> None:
    """The legs change from one knee over the other to the reverse.

    The manual is unclear, and the lengths show that the class is also a posture: with probability 0.5, and always from
    8 s on, the ankles are crossed and stay so, forward or under the seat.
    """
    if a.length < 8 and a.maybe(0.5):
        for side, when in ((a.side, (0.0, 0.22, 0.4, 0.58)), (a.other, (0.42, 0.6, 0.8, 1.0))):
            crossed = np.interp(a.t / a.length, when, (0, 1, 1, 0))
            over_knee(pose, a, side, crossed**2 * (3 - 2 * crossed))
        return
    w, forward = a.strength, a.pick((a.uniform(0.05, 0.3), a.uniform(-0.22, -0.05)))
    lifted = 0.05 * 4 * w * (1 - w)
    back = 70 * max(-forward, 0)
    cross = a.uniform(0.03, 0.08)
    pose.put_leg(
        a.side,
        w,
        across=1,
        out=-cross,
        forward=forward + 0.05,
        up=0.025 + lifted,
        heel=back + 5,
        knee=a.uniform(0, 0.5),
    )
    pose.put_leg(a.other, w, across=1, out=-cross + 0.02, forward=forward - 0.02, heel=back, knee=a.uniform(0, 0.5))


@motion("stretching feet", "legs", "feet", seated=True)
def stretching_feet(pose: Pose, a: Act) -> None:
    """A foot, or both, is extended forward or sideways, often while the trunk leans; it stays there or comes back."""
    course = a.staying() if a.maybe(0.5) else a.strength
    far, aside = 0.34 * max(a.size, 0.35), a.pick((0.0, a.uniform(0.1, 0.3)), (0.65, 0.35))
    lifted = 0.04 * 4 * course * (1 - course)
    for side in a.sides(both=0.35):
        toes = a.pick((0.0, a.uniform(8, 28)), (0.4, 0.6))
        pose.step(side, out=aside * far * course / 0.34, forward=far * course * (1 - aside), up=lifted)
        pose.step(side, heel=-toes * course, knee=aside * course)
    if a.maybe(0.4):
        pose.turn("trunk", pitch=a.uniform(-10, 8) * a.strength, roll=a.uniform(-5, 5) * a.strength)


@motion("retracting feet", "legs", "feet", seated=True)
def retracting_feet(pose: Pose, a: Act) -> None:
    """A foot, or both, is drawn towards the body: back from where it was extended, or under the seat, often onto the
    toes; it stays there or comes back."""
    extended = a.leaving() if a.maybe(0.45) else 0.0 * a.t
    course = a.staying() if a.maybe(0.55) else a.strength
    back, out = 0.24 * max(a.size, 0.35), 0.28 * max(a.size, 0.35)
    under = a.maybe(0.8) or not extended.any()
    heel = a.pick((a.uniform(0, 8), a.uniform(10, 40)))
    for side in a.sides(both=0.5):
        lifted = 0.03 * 4 * course * (1 - course)
        pose.step(side, forward=out * extended - under * back * course, up=lifted, heel=under * heel * course)


@motion("tiptoe", "legs", "feet", seated=True)
def tiptoe(pose: Pose, a: Act) -> None:
    """The toes on the floor and the heel up, of one foot or both; or the foot on its side; or the feet drawn back
    against the stool, on their toes."""
    kind = a.pick(("heel", "edge", "stool"), (0.6, 0.2, 0.2))
    course = a.strength if a.maybe(0.8) else a.strength * a.repeats(4)
    for side in a.sides(both=0.6):
        if kind == "heel":
            pose.step(side, heel=a.log_uniform(14, 44) * course, forward=-a.uniform(0, 0.08) * a.strength)
        elif kind == "edge":
            pose.step(side, edge=a.log_uniform(18, 48) * course, out=a.uniform(0, 0.05) * course)
        else:
            pose.step(side, forward=-a.uniform(0.16, 0.26) * a.strength, up=a.uniform(0.0, 0.1) * a.strength)
            pose.step(side, heel=a.uniform(25, 45) * course)
