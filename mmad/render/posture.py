"""How a person sits or stands who does nothing: postures that are no action, kept for a video or changed in it.

Nothing here is annotated. So no posture looks like one of the classes: hands lie on each other but are not interlaced,
ankles are side by side, heels are down, and what shifts are hands, and trunk and head a little and slowly. Numpy only.
"""

from typing import Any

import numpy as np

from mmad.render.pose import SIDES, STANDING, Pose, Vector

Way = dict[str, Any]  # of resting a hand: the fields of Reach, but for its weight


def _way(to: str, offset: Vector, fingers: Vector, palm: Vector, elbow: Vector, tip="grip", hand="relaxed") -> Way:
    return {"to": to, "offset": offset, "tip": tip, "fingers": fingers, "palm": palm, "elbow": elbow, "hand": hand}


DOWN = (0.5, -0.7, -1.0)  # where elbows go of hands that lie low
FLAT = {"fingers": (-0.45, 1.0, -0.1), "palm": (-0.1, 0.0, -1.0), "elbow": DOWN, "tip": "palm"}
HANGING = _way("hip", (0.07, 0.03, -0.22), (-0.1, 0.25, -1.0), (-1.0, -0.2, 0.0), (0.5, -1.0, 0.0))

# Ways to rest one hand on a seat, and how frequent they are.
SEATED: dict[str, tuple[float, Way]] = {
    "lap": (0.22, _way("lap", (-0.03, 0.03, 0.01), **FLAT)),
    "thigh": (0.20, _way("thigh", (0.0, 0.02, 0.0), **FLAT)),
    "knee": (0.14, _way("knee", (0.0, 0.0, 0.0), **FLAT, hand="cupped")),
    "outer thigh": (0.06, _way("thigh", (0.06, 0.0, -0.03), (0.1, 0.6, -0.8), (-1.0, 0.0, -0.3), DOWN, "palm")),
    "arm rest": (0.10, _way("belly", (0.2, 0.08, 0.02), (0.0, 1.0, -0.15), (-0.2, 0.0, -1.0), (0.7, -1.0, -0.2))),
    "seat": (0.10, _way("hip", (0.05, 0.06, -0.16), (0.0, 0.9, -0.5), (-0.4, 0.0, -1.0), DOWN, "palm")),
    "hanging": (0.06, HANGING),
    "pocket": (0.04, _way("hip", (0.0, 0.09, -0.08), (-0.2, 0.6, -0.8), (-1.0, -0.1, -0.2), (0.8, -1.0, -0.2))),
    "between": (0.08, _way("belly", (0.035, 0.17, -0.17), (-0.1, 0.7, -0.8), (-1.0, 0.0, 0.0), DOWN)),  # the thighs
}
STOOD: dict[str, tuple[float, Way]] = {
    "hanging": (0.75, HANGING),
    "pocket": (0.25, _way("hip", (0.01, 0.05, -0.1), (-0.2, 0.25, -1.0), (-1.0, -0.1, -0.2), (0.8, -1.0, -0.2))),
}
# Both hands alike, how frequent, seated or standing.
TABLE = _way("belly", (0.07, 0.22, 0.03), (-0.6, 0.8, 0.0), (0.0, 0.0, -1.0), (1.0, -0.4, -0.4), "palm")
BENT_FORWARD, BENT = _way("knee", (-0.09, 0.08, 0.0), (-0.4, 0.7, -0.7), (-0.9, 0.0, -0.4), DOWN), 0.06
BEHIND, AT_THE_BACK = _way("back", (-0.03, -0.03, -0.12), (-0.8, -0.1, -0.6), (0, -1, 0), (1.0, -0.8, 0.0)), 0.1
ON_EACH_OTHER = 0.14
TOGETHER, SHIFTS = 0.65, 0.05  # how often both hands rest alike; changes of their posture a second


def rest(pose: Pose, seconds: np.ndarray, generator: np.random.Generator) -> None:
    """Put a person into a posture, before anything is done; seconds: (T,) of the frames."""
    seated = pose.seat < STANDING
    bent = seated and not pose.table and generator.random() < BENT
    _lean(pose, seconds, generator, bent)
    _stand_feet(pose, generator, seated)
    begins = np.cumsum(generator.exponential(1 / SHIFTS, 4))
    for begin in [-10.0, *begins[begins < seconds[-1]]]:
        taken = np.clip((seconds - begin) / generator.uniform(0.8, 1.8), 0, 1)
        ways = dict.fromkeys(SIDES, BENT_FORWARD) if bent else _hands(pose, generator)
        for side in SIDES:
            _take_up(pose, side, taken**2 * (3 - 2 * taken), ways[side], generator)


def _take_up(pose: Pose, side: str, weight: np.ndarray, way: Way, generator: np.random.Generator) -> None:
    """One hand goes where the posture has it, a little differently each time, and is never quite still there."""
    place = np.asarray(way.get("offset", (0, 0, 0))) + generator.normal(0, 0.012, 3)
    turned = {key: np.asarray(way[key]) + generator.normal(0, 0.08, 3) for key in ("fingers", "palm", "elbow")}
    pose.settle(side, weight, **{**way, **turned, "offset": place})


def _hands(pose: Pose, generator: np.random.Generator) -> dict[str, Way]:
    """side -> way"""
    seated, kind = pose.seat < STANDING, generator.random()
    if pose.table:
        return dict.fromkeys(SIDES, TABLE)
    if kind < ON_EACH_OTHER:
        up = generator.uniform(-0.11, -0.03) if seated else generator.uniform(-0.2, -0.1)
        return _on_each_other(generator, generator.uniform(0.06, 0.18) if seated else 0.06, up)
    if not seated and kind < ON_EACH_OTHER + AT_THE_BACK:
        return dict.fromkeys(SIDES, BEHIND)
    return _alike_or_not(SEATED if seated else STOOD, generator)


def _on_each_other(generator: np.random.Generator, forward: float, up: float) -> dict[str, Way]:
    """One hand lies on the other, or holds its wrist, so far before the belly and over it, metres."""
    below = str(generator.choice(SIDES))
    wrist, upward = generator.choice((0.0, 0.06)), generator.random() < 0.3
    ways = {}
    for side in SIDES:
        on_top = side != below
        at = (-0.02 + (wrist if on_top else 0.0), forward, up + (0.035 if on_top else 0.0))
        palm = (-0.2, -0.3, 1.0) if upward and not on_top else (-0.1, -0.4, -1.0)
        hand = "grasp" if on_top and wrist else "relaxed"
        ways[side] = _way("belly", at, (-0.9, 0.45, -0.1), palm, (1.0, -0.3, -0.8), hand=hand)
    return ways


def _alike_or_not(ways: dict[str, tuple[float, Way]], generator: np.random.Generator) -> dict[str, Way]:
    shares = np.array([share for share, _ in ways.values()])
    names = generator.choice(list(ways), 2, p=shares / shares.sum())
    if generator.random() < TOGETHER:
        names[1] = names[0]
    return {side: ways[str(name)][1] for side, name in zip(SIDES, names)}


def _lean(pose: Pose, seconds: np.ndarray, generator: np.random.Generator, bent: bool) -> None:
    """Trunk and head: back, forward, aside, facing somewhere; both change a little and slowly."""
    change = _slow_step(seconds, generator)
    back, ahead = generator.uniform(-14, -4), generator.uniform(6, 20)
    pitch = generator.choice((0.0, back, ahead), p=(0.6, 0.2, 0.2)) if pose.seat < STANDING else generator.normal(0, 2)
    if bent:
        pitch = generator.uniform(18, 32)
    trunk = np.array([pitch, 0, 0]) + generator.normal(0, 1, 3) * (3.0, 2.5, 5.0)
    head = np.array([-0.7 * pitch, 0, 0]) + generator.normal(0, 1, 3) * (6.0, 3.0, 11.0)
    pose.turn("trunk", *(trunk[:, None] + np.outer(generator.normal(0, 1, 3) * (2.5, 1.5, 2.0), change)))
    pose.turn("head", *(head[:, None] + np.outer(generator.normal(0, 1, 3) * (3.0, 1.5, 4.0), change)))


def _slow_step(seconds: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(T,) 0 to 1 within 3 s or more, once in a video or never."""
    taken = np.clip((seconds - generator.uniform(-5, 15)) / generator.uniform(3, 6), 0, 1)
    return taken**2 * (3 - 2 * taken)


def _stand_feet(pose: Pose, generator: np.random.Generator, seated: bool) -> None:
    """Feet on the floor: side by side, together, apart, one ahead, before the seat or under it."""
    kinds = ("plain", "together", "apart", "one ahead", "under", "before") if seated else ("plain", "apart")
    kind, ahead = str(generator.choice(kinds)), str(generator.choice(SIDES))
    if not seated:  # the weight is on one leg more than on the other
        pose.shift[:, 0] += generator.normal(0, 0.012)
    wide, forward = generator.uniform(-0.01, 0.03), generator.uniform(-0.04, 0.04) if seated else 0.0
    across = generator.uniform(0.35, 0.7) if kind == "together" else 0.0
    if kind == "apart":
        wide = generator.uniform(0.05, 0.16 if seated else 0.09)
    forward += {"under": -generator.uniform(0.08, 0.2), "before": generator.uniform(0.08, 0.22)}.get(kind, 0.0)
    open_knees = generator.uniform(-0.15, 0.4) if seated else 0.0
    for side in SIDES:
        own = generator.uniform(0.08, 0.2) if kind == "one ahead" and side == ahead else 0.0
        pose.across[side] += across
        pose.step(
            side,
            out=wide + generator.normal(0, 0.01),
            forward=forward + own + generator.normal(0, 0.015),
            knee=(open_knees if kind != "together" else 0.0) + 1.5 * wide,
        )


def resting_on(pose: Pose, side: str) -> set[str]:
    """The landmarks at which a hand rests in some frame"""
    return {way.to for way in pose.rest[side] if way.weight.max() > 0}
