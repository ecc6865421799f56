"""How a person sits or stands at rest: postures that are not an action, kept for a video or changed in it. Numpy only.

Nothing here is annotated, so no posture looks like one of the classes: hands lie on each other but are not interlaced,
ankles are side by side and heels down. Only the hands move to other places; trunk and head move a little and slowly.
"""

from dataclasses import dataclass

import numpy as np

from mmad.render.pose import SIDES, STANDING, Pose, Vector


@dataclass(frozen=True)
class HandRest:
    """Where and how a hand rests: fields of `Reach`."""

    to: str
    offset: Vector
    fingers: Vector
    palm: Vector
    elbow: Vector
    tip: str = "grip"
    hand: str = "relaxed"


DOWN = (0.5, -0.7, -1.0)  # elbows of hands that lie low
FLAT = {"fingers": (-0.45, 1.0, -0.1), "palm": (-0.1, 0.0, -1.0), "elbow": DOWN, "tip": "palm"}
HANGING = HandRest("hip", (0.07, 0.03, -0.22), (-0.1, 0.25, -1.0), (-1.0, -0.2, 0.0), (0.5, -1.0, 0.0))

# {name: (relative frequency, where a hand rests)} of a person who sits, of one who stands.
SEATED: dict[str, tuple[float, HandRest]] = {
    "lap": (0.22, HandRest("lap", (-0.03, 0.03, 0.01), **FLAT)),
    "thigh": (0.20, HandRest("thigh", (0.0, 0.02, 0.0), **FLAT)),
    "knee": (0.14, HandRest("knee", (0.0, 0.0, 0.0), **FLAT, hand="cupped")),
    "outer thigh": (0.06, HandRest("thigh", (0.06, 0.0, -0.03), (0.1, 0.6, -0.8), (-1.0, 0.0, -0.3), DOWN, "palm")),
    "arm rest": (0.10, HandRest("belly", (0.2, 0.08, 0.02), (0.0, 1.0, -0.15), (-0.2, 0.0, -1.0), (0.7, -1.0, -0.2))),
    "seat": (0.10, HandRest("hip", (0.05, 0.06, -0.16), (0.0, 0.9, -0.5), (-0.4, 0.0, -1.0), DOWN, "palm")),
    "hanging": (0.06, HANGING),
    "pocket": (0.04, HandRest("hip", (0.0, 0.09, -0.08), (-0.2, 0.6, -0.8), (-1.0, -0.1, -0.2), (0.8, -1.0, -0.2))),
    "between": (0.08, HandRest("belly", (0.035, 0.17, -0.17), (-0.1, 0.7, -0.8), (-1.0, 0.0, 0.0), DOWN)),  # the thighs
}
STOOD: dict[str, tuple[float, HandRest]] = {
    "hanging": (0.75, HANGING),
    "pocket": (0.25, HandRest("hip", (0.01, 0.05, -0.1), (-0.2, 0.25, -1.0), (-1.0, -0.1, -0.2), (0.8, -1.0, -0.2))),
}
# Both hands alike; BENT, AT_THE_BACK, ON_EACH_OTHER: probabilities.
TABLE = HandRest("belly", (0.07, 0.22, 0.03), (-0.6, 0.8, 0.0), (0.0, 0.0, -1.0), (1.0, -0.4, -0.4), "palm")
BENT_FORWARD, BENT = HandRest("knee", (-0.09, 0.08, 0.0), (-0.4, 0.7, -0.7), (-0.9, 0.0, -0.4), DOWN), 0.06
BEHIND, AT_THE_BACK = HandRest("back", (-0.03, -0.03, -0.12), (-0.8, -0.1, -0.6), (0, -1, 0), (1.0, -0.8, 0.0)), 0.1
ON_EACH_OTHER = 0.14
TOGETHER = 0.65  # probability that both hands rest alike
CHANGES_PER_SECOND = 0.05  # of the posture of the hands


def rest(pose: Pose, seconds: np.ndarray, generator: np.random.Generator) -> None:
    """Put a person at rest into a random posture, before any action. seconds: (T,) times of the frames."""
    seated = pose.seat < STANDING
    bent = seated and not pose.table and generator.random() < BENT
    _lean(pose, seconds, generator, bent)
    _stand_feet(pose, generator, seated)
    begins = np.cumsum(generator.exponential(1 / CHANGES_PER_SECOND, 4))
    for begin in [-10.0, *begins[begins < seconds[-1]]]:
        taken = np.clip((seconds - begin) / generator.uniform(0.8, 1.8), 0, 1)
        rests = dict.fromkeys(SIDES, BENT_FORWARD) if bent else _hands(pose, generator)
        for side in SIDES:
            _take_up(pose, side, taken**2 * (3 - 2 * taken), rests[side], generator)


def _take_up(pose: Pose, side: str, weight: np.ndarray, rest: HandRest, generator: np.random.Generator) -> None:
    """One hand goes to its place of rest, with small random differences."""
    offset = np.asarray(rest.offset) + generator.normal(0, 0.012, 3)
    names = ("fingers", "palm", "elbow")
    directions = {name: np.asarray(getattr(rest, name)) + generator.normal(0, 0.08, 3) for name in names}
    pose.settle(side, weight, **{**vars(rest), **directions, "offset": offset})


def _hands(pose: Pose, generator: np.random.Generator) -> dict[str, HandRest]:
    """{side: random place of rest of its hand}"""
    seated, kind = pose.seat < STANDING, generator.random()
    if pose.table:
        return dict.fromkeys(SIDES, TABLE)
    if kind < ON_EACH_OTHER:
        up = generator.uniform(-0.11, -0.03) if seated else generator.uniform(-0.2, -0.1)
        return _on_each_other(generator, generator.uniform(0.06, 0.18) if seated else 0.06, up)
    if not seated and kind < ON_EACH_OTHER + AT_THE_BACK:
        return dict.fromkeys(SIDES, BEHIND)
    return _one_or_two_rests(SEATED if seated else STOOD, generator)


def _on_each_other(generator: np.random.Generator, forward: float, up: float) -> dict[str, HandRest]:
    """One hand lies on the other or holds its wrist, (forward, up) metres from the belly."""
    below = str(generator.choice(SIDES))
    wrist, upward = generator.choice((0.0, 0.06)), generator.random() < 0.3
    rests = {}
    for side in SIDES:
        on_top = side != below
        at = (-0.02 + (wrist if on_top else 0.0), forward, up + (0.035 if on_top else 0.0))
        palm = (-0.2, -0.3, 1.0) if upward and not on_top else (-0.1, -0.4, -1.0)
        hand = "grasp" if on_top and wrist else "relaxed"
        rests[side] = HandRest("belly", at, (-0.9, 0.45, -0.1), palm, (1.0, -0.3, -0.8), hand=hand)
    return rests


def _one_or_two_rests(rests: dict[str, tuple[float, HandRest]], generator: np.random.Generator) -> dict[str, HandRest]:
    """Both hands alike, or each for itself."""
    frequencies = np.array([frequency for frequency, _ in rests.values()])
    names = generator.choice(list(rests), 2, p=frequencies / frequencies.sum())
    if generator.random() < TOGETHER:
        names[1] = names[0]
    return {side: rests[str(name)][1] for side, name in zip(SIDES, names)}


def _lean(pose: Pose, seconds: np.ndarray, generator: np.random.Generator, bent: bool) -> None:
    """Random angles of trunk and head, which change a little and slowly."""
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
    """(T,) 0 to 1 within 3 s or more, once or never in a video."""
    taken = np.clip((seconds - generator.uniform(-5, 15)) / generator.uniform(3, 6), 0, 1)
    return taken**2 * (3 - 2 * taken)


def _stand_feet(pose: Pose, generator: np.random.Generator, seated: bool) -> None:
    """Feet on the floor: side by side, together, apart, one ahead, in front of the seat or under it."""
    kinds = ("plain", "together", "apart", "one ahead", "under", "before") if seated else ("plain", "apart")
    kind, ahead = str(generator.choice(kinds)), str(generator.choice(SIDES))
    if not seated:  # more weight is on one leg than on the other
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
    """Landmarks at which a hand rests in at least one frame."""
    return {rest.to for rest in pose.rest[side] if rest.weight.max() > 0}
