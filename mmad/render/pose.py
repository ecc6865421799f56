"""What a person's body is asked to do, frame by frame, before any body does it. Numpy only.

A motion program adds to these wishes; `body.py` fulfils them on a body of any size.
Directions and offsets are (out, forward, up): `out` points away from the midline on the side of the limb in question.
"""

from dataclasses import dataclass, field, fields, replace

import numpy as np

SIDES = ("L", "R")
Vector = tuple[float, float, float]

# Curl of thumb, index, middle, ring and little finger, degrees a joint.
HANDS: dict[str, tuple[float, ...]] = {
    "relaxed": (5, 8, 10, 12, 14),
    "flat": (0, -12, -12, -12, -12),
    "cupped": (6, 12, 14, 16, 18),
    "fist": (35, 68, 70, 72, 72),
    "point": (30, -10, 70, 72, 72),
    "pinch": (25, 32, 40, 45, 50),
}

# A hand that lies on the thigh.
REST = {"fingers": (-0.45, 1.0, -0.1), "palm": (-0.1, 0.0, -1.0), "elbow": (0.45, -0.7, -1.0), "hand": "relaxed"}


@dataclass
class Reach:
    """One wish of one hand: its `tip` shall be at a landmark of the body (or in the air before the chest).

    weight: (T,) 0..1, how far the hand is on its way from rest. to: a landmark of body.py. offset: (3,) or (T, 3), of
    the landmark, in units of the person's arm length over that of the default body, metres; it turns with the body
    part that bears the landmark. tip: "index", "fingers" (the middle one's), "palm" (its skin), "grip" (in the hand)
    or "knuckle". fingers, palm, elbow: directions that the fingers point in, the palm faces and the elbow goes. hand:
    of HANDS. curl: (T, 5) degrees on top.
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

    trunk, head: (T, 3) pitch (forward), roll (towards the left shoulder), yaw (to the left). shift: (T, 3) of the
    hips, x (left), y (back), z (up), metres. gaze: (T, 2) pitch, yaw. eyelids, jaw, smile: (T,) 0..1.
    By side: shoulder (T,) raised by; ankle (T, 3) moved by (out, forward, up), in leg lengths; heel (T,) raised by;
    dangling (T,) 0..1, how far the foot hangs from the shin instead of standing; knee (T,) pushed out, 0 straight
    ahead, 1 as much out as up; rest, what the hand does when it does nothing; reaches, what it is to do.
    """

    frames: int
    trunk: np.ndarray = field(init=False)
    head: np.ndarray = field(init=False)
    shift: np.ndarray = field(init=False)
    gaze: np.ndarray = field(init=False)
    eyelids: np.ndarray = field(init=False)
    jaw: np.ndarray = field(init=False)
    smile: np.ndarray = field(init=False)
    shoulder: dict[str, np.ndarray] = field(init=False)
    ankle: dict[str, np.ndarray] = field(init=False)
    heel: dict[str, np.ndarray] = field(init=False)
    dangling: dict[str, np.ndarray] = field(init=False)
    knee: dict[str, np.ndarray] = field(init=False)
    rest: dict[str, Reach] = field(init=False)
    reaches: dict[str, list[Reach]] = field(init=False)

    def __post_init__(self):
        self.trunk, self.head, self.shift = (np.zeros((self.frames, 3)) for _ in range(3))
        self.gaze = np.zeros((self.frames, 2))
        self.eyelids, self.jaw, self.smile = (np.zeros(self.frames) for _ in range(3))
        self.shoulder, self.heel, self.dangling, self.knee = (
            {side: np.zeros(self.frames) for side in SIDES} for _ in range(4)
        )
        self.ankle = {side: np.zeros((self.frames, 3)) for side in SIDES}
        self.rest = {side: Reach(np.ones(self.frames), "lap", tip="palm", **REST) for side in SIDES}
        self.reaches = {side: [] for side in SIDES}

    def turn(self, part: str, pitch=0.0, roll=0.0, yaw=0.0) -> None:
        """Bend "trunk" or "head", degrees, on top of what they do already."""
        for axis, angle in enumerate((pitch, roll, yaw)):
            getattr(self, part)[:, axis] += angle

    def step(self, side: str, out=0.0, forward=0.0, up=0.0, heel=0.0, knee=0.0, dangling=0.0) -> None:
        """Move a foot; units as in the fields."""
        for axis, way in enumerate((out, forward, up)):
            self.ankle[side][:, axis] += way
        self.heel[side] += heel
        self.knee[side] += knee
        self.dangling[side] = np.maximum(self.dangling[side], dangling)

    def reach(self, side: str, weight: np.ndarray, to: str, **how) -> None:
        self.reaches[side].append(Reach(weight, to, **how))

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
