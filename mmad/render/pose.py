"""What a person's body is asked to do, frame by frame, before any body does it. Numpy only.

A motion program adds to these wishes; `body.py` fulfils them on a body of any size.
Directions and offsets are (out, forward, up): `out` points away from the midline on the side of the limb in question.
"""

from dataclasses import dataclass, field, fields, replace

import numpy as np

SIDES = ("L", "R")
STANDING = 0.985  # the `seat` of a person who stands: the knees are never quite straight
Vector = tuple[float, float, float]

OBJECTS = ("phone", "cup", "pen", "ball")  # what a hand may hold

# Curl of thumb, index, middle, ring and little finger, degrees a joint.
HANDS: dict[str, tuple[float, ...]] = {
    "relaxed": (5, 8, 10, 12, 14),
    "flat": (0, -12, -12, -12, -12),
    "cupped": (6, 12, 14, 16, 18),
    "fist": (35, 68, 70, 72, 72),
    "point": (30, -10, 70, 72, 72),
    "pinch": (25, 32, 40, 45, 50),
    "interlaced": (15, 42, 44, 44, 42),
    "grasp": (20, 38, 42, 44, 46),
}

# A hand that lies on the thigh.
REST = {"fingers": (-0.45, 1.0, -0.1), "palm": (-0.1, 0.0, -1.0), "elbow": (0.45, -0.7, -1.0), "hand": "relaxed"}


@dataclass
class Reach:
    """One wish of one hand: its `tip` shall be at a landmark of the body (or in the air before the chest).

    weight: (T,) 0..1, how far the hand is on its way from rest. to: a landmark of body.py. offset: (3,) or (T, 3), of
    the landmark, in units of the person's arm length over that of the default body, metres; it turns with the body
    part that bears the landmark. tip: "index", "fingers" (the middle one's), "palm" (its skin), "grip" (in the hand),
    "knuckle" or "clasp" (between the fingers). fingers, palm, elbow: directions that the fingers point in, the palm
    faces and the elbow goes. hand: of HANDS. curl: (T, 5) degrees on top.
    """

    weight: np.ndarray
    to: str
    offset: Vector | np.ndarray = (0.0, 0.0, 0.0)
    tip: str = "fingers"
    fingers: Vector = (-0.5, 0.3, 0.8)
    palm: Vector = (0.0, -1.0, 0.0)
    elbow: Vector = (0.7, 0.0, -1.0)
    hand: str = "cupped"
    curl: np.ndarray | None = None


@dataclass
class Pose:
    """All wishes over T frames; angles in degrees.

    seat: how high the person sits, the sine of the thighs' slope: 0 on a chair, STANDING, a stool in between. table:
    whether there is one before the belly. lift: (T,) what the hips are raised over the seat. trunk, head: (T, 3) pitch
    (forward), roll (towards the left shoulder), yaw (to the left). shift: (T, 3) of the hips, x (left), y (back),
    z (up), metres. place: (T, 3) metres from the person's place, feet included. facing: (T,) yaw of the whole person,
    feet included. gaze: (T, 2) pitch, yaw. eyelids, jaw, smile: (T,) 0..1.
    By side: shoulder (T,) raised by; forward (T,) shoulder drawn forward by; ankle (T, 3) moved by (out, forward, up),
    in leg lengths; across (T,) moved by this share of its way to the middle, beyond it above 1; heel (T,) raised by;
    edge (T,) foot rolled onto its outer edge by; dangling (T,) 0..1, how far the foot hangs from the shin instead of
    standing; knee (T,) pushed out, 0 straight ahead, 1 as much out as up; rest, what the hand does when it does
    nothing, weights 1 in all; reaches, what it is to do; held, which of OBJECTS is in the hand.
    """

    frames: int
    seat: float = 0.0
    table: bool = False
    lift: np.ndarray = field(init=False)
    trunk: np.ndarray = field(init=False)
    head: np.ndarray = field(init=False)
    shift: np.ndarray = field(init=False)
    place: np.ndarray = field(init=False)
    facing: np.ndarray = field(init=False)
    gaze: np.ndarray = field(init=False)
    eyelids: np.ndarray = field(init=False)
    jaw: np.ndarray = field(init=False)
    smile: np.ndarray = field(init=False)
    shoulder: dict[str, np.ndarray] = field(init=False)
    forward: dict[str, np.ndarray] = field(init=False)
    ankle: dict[str, np.ndarray] = field(init=False)
    across: dict[str, np.ndarray] = field(init=False)
    heel: dict[str, np.ndarray] = field(init=False)
    edge: dict[str, np.ndarray] = field(init=False)
    dangling: dict[str, np.ndarray] = field(init=False)
    knee: dict[str, np.ndarray] = field(init=False)
    rest: dict[str, list[Reach]] = field(init=False)
    reaches: dict[str, list[Reach]] = field(init=False)
    held: dict[str, str] = field(init=False)

    def __post_init__(self):
        self.trunk, self.head, self.shift, self.place = (np.zeros((self.frames, 3)) for _ in range(4))
        self.gaze = np.zeros((self.frames, 2))
        self.lift, self.facing, self.eyelids, self.jaw, self.smile = (np.zeros(self.frames) for _ in range(5))
        self.shoulder, self.forward, self.across, self.heel, self.edge, self.dangling, self.knee = (
            {side: np.zeros(self.frames) for side in SIDES} for _ in range(7)
        )
        self.ankle = {side: np.zeros((self.frames, 3)) for side in SIDES}
        self.rest = {side: [Reach(np.ones(self.frames), "lap", tip="palm", **REST)] for side in SIDES}
        self.reaches = {side: [] for side in SIDES}
        self.held = {}

    def turn(self, part: str, pitch=0.0, roll=0.0, yaw=0.0) -> None:
        """Bend "trunk" or "head", degrees, on top of what they do already."""
        for axis, angle in enumerate((pitch, roll, yaw)):
            getattr(self, part)[:, axis] += angle

    def step(self, side: str, out=0.0, forward=0.0, up=0.0, heel=0.0, knee=0.0, edge=0.0) -> None:
        """Move a foot from where it is; units as in the fields."""
        for axis, way in enumerate((out, forward, up)):
            self.ankle[side][:, axis] += way
        self.heel[side] += heel
        self.knee[side] += knee
        self.edge[side] += edge

    def put_leg(
        self, side: str, weight: np.ndarray, across=0.0, out=0.0, forward=0.0, up=0.0, heel=0.0, knee=0.0, dangling=0.0
    ) -> None:
        """Move a foot to a place, wherever it was; weight: (T,) 0..1, how far it is on its way. Units as in the fields.

        Offsets are from where a foot stands upright under the knee.
        """
        ankle = np.stack([np.broadcast_to(way, weight.shape) for way in (out, forward, up)], axis=1)
        self.ankle[side] += weight[:, None] * (ankle - self.ankle[side])
        wishes = ((self.across, across), (self.heel, heel), (self.knee, knee), (self.edge, 0.0))
        for values, wish in (*wishes, (self.dangling, dangling)):
            values[side] += weight * (wish - values[side])

    def reach(self, side: str, weight: np.ndarray, to: str, **how) -> None:
        self.reaches[side].append(Reach(weight, to, **how))

    def settle(self, side: str, weight: np.ndarray, to: str, **how) -> None:
        """Another way to rest a hand, from where `weight` (T,) becomes 1."""
        for reach in self.rest[side]:
            reach.weight = reach.weight * (1 - weight)
        self.rest[side].append(Reach(weight, to, **how))

    def at_frames(self, frames: np.ndarray) -> "Pose":
        """The same pose at some of its frames."""
        less = replace(self, frames=len(frames))
        for item in fields(self):
            if item.name != "frames":
                setattr(less, item.name, _at_frames(getattr(self, item.name), frames, self.frames))
        return less


def _at_frames(value, frames: np.ndarray, count: int):
    """What of a value is said of each of `count` frames, at some of them; in dicts, lists and reaches too."""
    if isinstance(value, dict):
        return {key: _at_frames(item, frames, count) for key, item in value.items()}
    if isinstance(value, list):
        return [_at_frames(item, frames, count) for item in value]
    if isinstance(value, Reach):
        return Reach(**{item.name: _at_frames(getattr(value, item.name), frames, count) for item in fields(Reach)})
    return value[frames] if isinstance(value, np.ndarray) and len(value) == count and value.ndim else value
