"""The pose of a person in each frame, independent of the size of the body. Numpy only.

Motion programs add to a pose; `body.py` computes the bones of a body of any size from it. Directions and offsets are
(out, forward, up): `out` points away from the midline, on the side of the limb in question.
"""

from dataclasses import dataclass, field, fields, replace

import numpy as np

SIDES = ("L", "R")
STANDING = 0.985  # `Pose.seat` of a person who stands: the knees are never quite straight
Vector = tuple[float, float, float]

OBJECTS = ("phone", "cup", "pen", "ball")  # what a hand may hold

# Curl of thumb, index, middle, ring and little finger, degrees per joint.
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

# Directions of a hand that lies on the thigh, fields of `Reach`.
REST = {"fingers": (-0.45, 1.0, -0.1), "palm": (-0.1, 0.0, -1.0), "elbow": (0.45, -0.7, -1.0), "hand": "relaxed"}


@dataclass
class Reach:
    """A target of one hand: its `tip` at a landmark of the body, or in the air in front of the chest.

    weight: (T,) 0..1, from rest to the target. to: one of LANDMARKS in body.py. offset: (3,) or (T, 3) from the
    landmark, metres on a body with the default arm length, else scaled with it; it turns with the body part of the
    landmark. tip: the point of the hand that goes there: "index", "fingers" (tip of the middle one), "palm" (skin),
    "grip" (in the hand), "knuckle" or "clasp" (between the fingers). fingers, palm, elbow: directions in which the
    fingers point, the palm faces and the elbow goes. hand: of HANDS. curl: (T, 5) degrees added to it.
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
class FootMove:
    """Movement of one foot and its leg; (T,) or numbers.

    out, forward, up: leg lengths. heel: degrees by which it is raised. knee: pushed out, 0 straight ahead, 1 as much
    out as up. edge: degrees by which the foot is rolled onto its outer edge. across: share of the way to the middle,
    beyond it above 1. dangling: 0..1, from standing to hanging from the shin.
    """

    out: np.ndarray | float = 0.0
    forward: np.ndarray | float = 0.0
    up: np.ndarray | float = 0.0
    heel: np.ndarray | float = 0.0
    knee: np.ndarray | float = 0.0
    edge: np.ndarray | float = 0.0
    across: np.ndarray | float = 0.0
    dangling: np.ndarray | float = 0.0


@dataclass
class Pose:
    """The pose in T frames; angles in degrees.

    seat: height of the seat as the sine of the slope of the thighs: 0 on a chair, STANDING for a person who stands, a
    stool in between. table: whether there is one in front of the belly. lift: (T,) by which the hips are above the
    seat, in units of `seat`. trunk, head: (T, 3) pitch (forward), roll (towards the left shoulder), yaw (to the left).
    shift: (T, 3) of the hips, x (left), y (back), z (up), metres. place: (T, 3) shift of the whole person, metres.
    facing: (T,) yaw of the whole person. gaze: (T, 2) pitch, yaw. eyelids, jaw, smile: (T,) 0..1.

    {side: value}: shoulder (T,) raised; forward (T,) shoulder drawn forward; ankle (T, 3) as out, forward, up of
    `FootMove`; across, heel, edge, dangling, knee (T,) as there; rest, targets of the hand at rest, whose weights sum
    to 1; reaches, targets of its actions; held, the object in the hand, of OBJECTS.
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
        """Bend "trunk" or "head" further, degrees."""
        for axis, angle in enumerate((pitch, roll, yaw)):
            getattr(self, part)[:, axis] += angle

    def step(self, side: str, **changes: np.ndarray | float) -> None:
        """Move a foot relative to where it is. changes: fields of `FootMove`."""
        move = FootMove(**changes)
        for axis, change in enumerate((move.out, move.forward, move.up)):
            self.ankle[side][:, axis] += change
        for name in ("across", "heel", "knee", "edge", "dangling"):
            getattr(self, name)[side] += getattr(move, name)

    def put_leg(self, side: str, weight: np.ndarray, **target: np.ndarray | float) -> None:
        """Move a foot to a place, from wherever it is.

        weight: (T,) 0..1, from where it is to the target. target: fields of `FootMove`, relative to a foot that stands
        upright under the knee.
        """
        move = FootMove(**target)
        ankle = np.stack([np.broadcast_to(x, weight.shape) for x in (move.out, move.forward, move.up)], axis=1)
        self.ankle[side] += weight[:, None] * (ankle - self.ankle[side])
        for name in ("across", "heel", "knee", "edge", "dangling"):
            values = getattr(self, name)
            values[side] += weight * (getattr(move, name) - values[side])

    def reach(self, side: str, weight: np.ndarray, to: str, **how) -> None:
        """Give a hand a target; arguments are the fields of `Reach`."""
        self.reaches[side].append(Reach(weight, to, **how))

    def settle(self, side: str, weight: np.ndarray, to: str, **how) -> None:
        """Change where a hand rests, as `weight` (T,) goes from 0 to 1; other arguments are fields of `Reach`."""
        for reach in self.rest[side]:
            reach.weight = reach.weight * (1 - weight)
        self.rest[side].append(Reach(weight, to, **how))

    def at_frames(self, frames: np.ndarray) -> "Pose":
        """The same pose at some of its frames, given by their numbers."""
        selected = replace(self, frames=len(frames))
        for item in fields(self):
            if item.name != "frames":
                setattr(selected, item.name, _at_frames(getattr(self, item.name), frames, self.frames))
        return selected


def _at_frames(value, frames: np.ndarray, count: int):
    """The arrays with a row for each of `count` frames at some frames, also in dicts, lists and reaches; else
    `value`."""
    if isinstance(value, dict):
        return {key: _at_frames(item, frames, count) for key, item in value.items()}
    if isinstance(value, list):
        return [_at_frames(item, frames, count) for item in value]
    if isinstance(value, Reach):
        return Reach(**{item.name: _at_frames(getattr(value, item.name), frames, count) for item in fields(Reach)})
    return value[frames] if isinstance(value, np.ndarray) and len(value) == count and value.ndim else value
