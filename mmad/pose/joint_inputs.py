"""From joints to the inputs of the pose network: positions relative to other joints, deviations from rest, speeds.

Skeletons are normalised: nothing depends on where in the picture a person is or how large, as lengths are in shoulder
widths (`named_points`). Numpy only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mmad.pose.boxes import outside_picture
from mmad.pose.skeletons import LAYOUT_JOINTS, SIDES
from mmad.records import LandmarkTrack, TimeGrid

FPS = 15.0  # steps per second of the inputs
MAX_GAP = 0.21  # a joint that is not seen for less than this is interpolated, s
REST = 3.0  # radius of the moving mean that is the rest position of a joint, s
SCALE = 4.0  # radius of the moving mean of the shoulder width, the unit of length, s
RADIUS = round((REST + SCALE) * FPS) + 2  # steps on either side that influence the inputs at a step
LIMIT = 4.0  # inputs are clipped to -LIMIT..LIMIT: a joint far off is a mistake of the pose estimator
POSITION = slice(0, 2)  # of the 7 channels of an input: position; then deviation from rest (2), speed (2), seen (1)
PART_LETTERS = "ABCDEFG"  # of the body parts, in the order of the labels
BODY, HEAD, UPPER, LOWER, BODY_HAND, HEAD_HAND, LEG_HAND = PART_LETTERS
ARM_PARTS = UPPER + BODY_HAND + HEAD_HAND + LEG_HAND  # those in which an arm moves
# Typical proportions, chosen by hand. The packaged weights were trained with them: other values need other weights.
SHOULDERS_BY_EARS = 2.3  # width of the shoulders in distances between the ears, where only these are seen
TIPS_BY_KNUCKLES = 1.7  # distance of fingertips from the wrist, by that of the body's points at the knuckles
PALM_BY_KNUCKLES = 0.6  # distance of the middle of the palm from the wrist, likewise
FOREHEAD_BY_FACE = 0.8  # distance of the forehead from the eyes, by that of the mouth from the eyes
TIP_FROM_WRIST, TIP_FROM_KNUCKLE = 1.5, 0.7  # distances of a fingertip, palm lengths
FROM_REST_SCALE, SPEED_SCALE = 3.0, 1 / 3  # make these channels about as large as positions
INDEX = {name: i for i, name in enumerate(LAYOUT_JOINTS)}
OTHER = {"left": "right", "right": "left"}


def on_grid(track: LandmarkTrack, fps: float = FPS) -> tuple[np.ndarray, TimeGrid]:
    """A track resampled to even times: points (T, J, 3), and the grid of their times.

    The grid goes from the first to the last time of the track. A joint is interpolated between two times at which it
    was seen if they are less than MAX_GAP apart. Joints outside the picture count as not seen.
    """
    grid = TimeGrid(float(track.times[0]), 1 / fps)
    count = int(np.floor(grid.to_index(track.times[-1]) + 1e-6)) + 1
    points = track.points.copy()
    points[outside_picture(points, track.size[0] / track.size[1])] = (np.nan, np.nan, 0)
    at = grid.to_seconds(np.arange(count))
    out = np.full((count, points.shape[1], 3), np.nan, dtype=np.float32)
    for joint in range(points.shape[1]):
        rows = np.flatnonzero(points[:, joint, 2] > 0)
        if len(rows) == 0:
            continue
        times = track.times[rows]
        after = np.clip(np.searchsorted(times, at - 1e-6), 0, len(rows) - 1)
        before = np.clip(after - 1, 0, None)
        exact = np.abs(times[after] - at) < 1e-3
        close = (times[after] - times[before] < MAX_GAP) & (times[before] <= at) & (at <= times[after])
        close |= exact
        span = np.maximum(times[after] - times[before], 1e-6)
        share = np.where(exact, 1.0, (at - times[before]) / span)[:, None]
        values = points[rows[before], joint] * (1 - share) + points[rows[after], joint] * share
        out[close, joint] = values[close]
    out[np.isnan(out[..., 0])] = (np.nan, np.nan, 0)
    return out, grid


# --- the list of inputs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JointInput:
    """One input of the pose network: a vector of two numbers, such as a wrist relative to the nose.

    parts: letters of the body parts whose networks see it. vector: named points -> (T, ..., 2), NaN where not seen.
    has_position: whether the vector itself is an input; otherwise only its deviation from rest and its speed are.
    scale: factor that makes all inputs about equally large.
    """

    name: str
    parts: str
    vector: Callable[[dict[str, np.ndarray]], np.ndarray]
    has_position: bool = True
    scale: float = 1.0


def _relative(joint: str, origin: str, parts: str, scale: float = 1.0) -> JointInput:
    """A joint relative to another, in shoulder widths."""
    return JointInput(f"{joint} from {origin}", parts, lambda p: (p[joint] - p[origin]) / p["unit"], scale=scale)


def _moving(joint: str, parts: str, scale: float = 1.0) -> JointInput:
    """A joint relative to its rest position only, in shoulder widths."""
    return JointInput(joint, parts, lambda p: p[joint] / p["unit"], has_position=False, scale=scale)


def _in_ear_distances(joint: str, origin: str, parts: str, scale: float = 1.0) -> JointInput:
    """A joint relative to another, in units of the distance between the ears."""
    name = f"{joint} from {origin}, in ear distances"
    return JointInput(name, parts, lambda p: (p[joint] - p[origin]) / p["ears"], scale=scale)


def _joint_inputs() -> list[JointInput]:
    """All inputs, in the order of the network's input channels: trained weights rely on it."""
    inputs = _head_and_trunk_inputs()
    for side in SIDES:
        inputs += _arm_inputs(side) + _touch_inputs(side) + _finger_inputs(side) + _leg_inputs(side)
    return [
        *inputs,
        _relative("left knee", "right knee", LOWER),
        _relative("left ankle", "right ankle", LOWER),
        JointInput("shoulder width", BODY + HEAD, lambda p: p["width"] / p["unit"], scale=3.0),
    ]


def _head_and_trunk_inputs() -> list[JointInput]:
    return [
        _in_ear_distances("nose", "mid ears", HEAD, 2.0),
        _in_ear_distances("mid eyes", "mid ears", HEAD, 2.0),
        _in_ear_distances("mid mouth", "mid eyes", HEAD, 2.0),
        _in_ear_distances("nose", "mid eyes", HEAD, 2.0),
        _relative("left ear", "right ear", HEAD, 2.0),
        _relative("left eye", "right eye", HEAD, 4.0),
        _relative("nose", "mid shoulders", BODY + HEAD + HEAD_HAND),
        _relative("mid ears", "mid shoulders", BODY + HEAD + HEAD_HAND),
        _relative("left shoulder", "right shoulder", BODY + HEAD + UPPER + BODY_HAND + LEG_HAND),
        _relative("mid shoulders", "mid hips", BODY + HEAD + UPPER + LEG_HAND),
        _relative("left hip", "right hip", BODY + LOWER, 2.0),
        _moving("mid shoulders", BODY + HEAD + UPPER + LOWER, 3.0),
        _moving("nose", BODY + HEAD, 3.0),
        _moving("mid hips", BODY + LOWER, 3.0),
        _relative("mid hips", "mid knees", BODY + LOWER),
    ]


def _arm_inputs(side: str) -> list[JointInput]:
    """Shoulder, elbow, wrist and palm of one side."""
    other = OTHER[side]
    wrist, elbow, shoulder = f"{side} wrist", f"{side} elbow", f"{side} shoulder"
    return [
        _relative(f"{side} ear", shoulder, BODY + HEAD, 2.0),
        _moving(shoulder, BODY, 3.0),
        _relative(elbow, shoulder, ARM_PARTS),
        _relative(wrist, elbow, ARM_PARTS),
        _relative(wrist, shoulder, ARM_PARTS),
        _relative(wrist, "nose", UPPER + BODY_HAND + HEAD_HAND),
        _relative(wrist, f"{other} wrist", UPPER + BODY_HAND + LEG_HAND),
        _relative(wrist, f"{other} shoulder", UPPER + BODY_HAND),
        _relative(wrist, f"{other} elbow", UPPER + BODY_HAND),
        _relative(wrist, f"{side} hip", UPPER + BODY_HAND + LEG_HAND),
        _relative(f"{side} palm", f"{side} knee", UPPER + LEG_HAND),
        _relative(f"{side} palm", f"{other} knee", UPPER + LEG_HAND),
        _relative(f"{side} palm", f"{side} ankle", LEG_HAND),
        _relative(f"{side} palm", f"{other} ankle", LEG_HAND),
        _moving(wrist, ARM_PARTS, 1.0),
        _moving(elbow, UPPER + BODY_HAND, 1.0),
        _relative(f"{side} palm", f"{other} palm", UPPER + BODY_HAND + LEG_HAND),
        _relative(f"{side} palm", "mid shoulders", UPPER + BODY_HAND + HEAD_HAND),
        _relative(f"{side} hand middle finger 1", f"{side} hand wrist", ARM_PARTS, 3.0),
        _relative(f"{side} hand index finger 1", f"{side} hand little finger 1", ARM_PARTS, 4.0),
        _relative(f"{side} index", f"{side} pinky", ARM_PARTS, 4.0),
        _relative(f"{side} index", wrist, ARM_PARTS, 3.0),
        _relative(f"{side} hand index finger 4", f"{other} hand index finger 4", UPPER, 1.5),
        _relative(f"{side} hand thumb 4", f"{side} hand index finger 4", UPPER + HEAD_HAND, 4.0),
    ]


def _touch_inputs(side: str) -> list[JointInput]:
    """Fingertips of one side relative to what they may touch."""
    inputs, other = [], OTHER[side]
    for target in ("nose", "mid mouth", "left eye", "right eye", f"{side} ear", f"{other} ear", "forehead"):
        inputs.append(_relative(f"{side} tips", target, HEAD_HAND, 1.5))
    for target in ("nose", "mid mouth", "mid eyes", f"{side} ear", "forehead"):
        inputs.append(_relative(f"{side} hand index finger 4", target, HEAD_HAND, 1.5))
        inputs.append(_relative(f"{side} index", target, HEAD_HAND, 1.5))
    for target in ("left shoulder", "right shoulder", "mid hips", "nose"):
        inputs.append(_relative(f"{side} tips", target, BODY_HAND))
    inputs.append(_relative(f"{side} tips", f"{other} elbow", UPPER + BODY_HAND))
    return inputs


def _finger_inputs(side: str) -> list[JointInput]:
    """Each finger of one side: its tip relative to the wrist, and how far it is bent."""
    inputs = []
    for finger in ("thumb", "index finger", "middle finger", "ring finger", "little finger"):
        tip = f"{side} hand {finger} 4"
        inputs.append(_relative(tip, f"{side} hand wrist", UPPER, 2.0))
        inputs.append(JointInput(f"{tip} bent", UPPER + BODY_HAND + HEAD_HAND, partial(_bent, tip=tip, side=side)))
    return inputs


def _leg_inputs(side: str) -> list[JointInput]:
    """Knee, ankle and foot of one side."""
    knee, ankle = f"{side} knee", f"{side} ankle"
    return [
        _relative(knee, f"{side} hip", BODY + LOWER + LEG_HAND),
        _relative(ankle, knee, BODY + LOWER + LEG_HAND),
        _relative(f"{side} heel", ankle, LOWER, 4.0),
        _relative(f"{side} foot index", ankle, LOWER, 3.0),
        _relative(f"{side} foot index", f"{side} heel", LOWER, 3.0),
        _relative(knee, f"{OTHER[side]} ankle", LOWER),
        _moving(knee, BODY + LOWER + LEG_HAND, 2.0),
        _moving(ankle, LOWER, 2.0),
        _moving(f"{side} heel", LOWER, 2.0),
        _moving(f"{side} foot index", LOWER, 2.0),
    ]


def _bent(points: dict[str, np.ndarray], tip: str, side: str) -> np.ndarray:
    """Distance of a fingertip from the wrist and from its own knuckle: (T, ..., 2).

    In palm lengths, minus typical values so that the mean is near 0.
    """
    wrist, knuckle = points[f"{side} hand wrist"], points[tip[:-1] + "1"]
    palm = _length(points[f"{side} hand middle finger 1"] - wrist)
    across = _length(points[f"{side} hand index finger 1"] - points[f"{side} hand little finger 1"])
    palm = np.maximum(np.maximum(palm, across), 1e-3)
    distances = np.concatenate([_length(points[tip] - at) / palm for at in (wrist, knuckle)], axis=-1)
    return distances - np.float32([TIP_FROM_WRIST, TIP_FROM_KNUCKLE])


def _length(vectors: np.ndarray) -> np.ndarray:
    """(..., 2) -> (..., 1)"""
    return np.sqrt((vectors**2).sum(axis=-1, keepdims=True))


JOINT_INPUTS = _joint_inputs()
HAS_POSITION = np.array([item.has_position for item in JOINT_INPUTS])[:, None]  # (I, 1)


# --- their values -----------------------------------------------------------------------------------------------


def build_inputs(points: np.ndarray) -> np.ndarray:
    """The inputs of the pose network: joints (T, ..., 75, 3) at FPS -> (T, ..., I, 7) float32 for the I JOINT_INPUTS.

    Channels: position (2), deviation from rest (2), speed (2), seen (1). All are 0 where a joint that is needed is not
    seen. Axes between the first and the joints (people, videos) are independent of each other.
    """
    p = named_points(points)
    vectors = np.stack([item.vector(p) * item.scale for item in JOINT_INPUTS], axis=-2)  # (T, ..., I, 2)
    from_rest = FROM_REST_SCALE * (vectors - nan_moving_mean(vectors, REST))
    speed = np.zeros_like(vectors)
    if len(vectors) > 2:
        speed[1:-1] = (vectors[2:] - vectors[:-2]) * (FPS / 2 * SPEED_SCALE)
    seen = ~np.isnan(vectors).any(axis=-1, keepdims=True)
    values = np.concatenate([np.where(HAS_POSITION, vectors, 0.0), from_rest, speed], axis=-1) * seen
    return np.concatenate([np.clip(np.nan_to_num(values), -LIMIT, LIMIT), seen], axis=-1).astype(np.float32)


def named_points(points: np.ndarray) -> dict[str, np.ndarray]:
    """Joints and points derived from them by name: (T, ..., 75, 3) -> (T, ..., 2) each, NaN where not seen.

    Also the lengths "unit" (shoulder width) and "ears" (distance between the ears), (T, ..., 1).
    """
    seen = points[..., 2:] > 0
    flat = np.where(seen, points[..., :2], np.float32(np.nan))
    p = {name: flat[..., i, :] for name, i in INDEX.items()}
    for name in ("ear", "eye", "shoulder", "hip", "knee"):
        p[f"mid {name}s"] = 0.5 * (p[f"left {name}"] + p[f"right {name}"])
    p["mid mouth"] = 0.5 * (p["mouth left"] + p["mouth right"])
    p["forehead"] = p["mid eyes"] + FOREHEAD_BY_FACE * (p["mid eyes"] - p["mid mouth"])
    for side in SIDES:
        fingertips = [p[f"{side} hand {finger} 4"] for finger in ("index finger", "middle finger", "ring finger")]
        wrist, knuckles = p[f"{side} wrist"], 0.5 * (p[f"{side} index"] + p[f"{side} pinky"])
        estimated = wrist + TIPS_BY_KNUCKLES * (knuckles - wrist)  # where the hand itself is not seen
        tips = np.mean(fingertips, axis=0)
        p[f"{side} tips"] = np.where(np.isnan(tips), estimated, tips)
        palm = _palm(p[f"{side} hand wrist"], p[f"{side} hand middle finger 1"])
        p[f"{side} palm"] = np.where(np.isnan(palm), _palm(wrist, knuckles), palm)
    width = _length(p["left shoulder"] - p["right shoulder"])
    ears = _length(p["left ear"] - p["right ear"])
    unit = nan_moving_mean(np.where(np.isnan(width), SHOULDERS_BY_EARS * ears, width), SCALE)
    known = ~np.isnan(unit)
    mean = np.where(known, unit, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    p["unit"] = np.maximum(np.where(known, unit, mean), 1e-3)
    p["width"] = np.concatenate([width, SHOULDERS_BY_EARS * ears], axis=-1)
    p["ears"] = np.maximum(ears, 0.2 * p["unit"])
    return p


def _palm(wrist: np.ndarray, knuckles: np.ndarray) -> np.ndarray:
    return (1 - PALM_BY_KNUCKLES) * wrist + PALM_BY_KNUCKLES * knuckles


def nan_moving_mean(values: np.ndarray, radius: float) -> np.ndarray:
    """Mean over `radius` s on either side, at FPS, ignoring NaN: (T, ...) -> (T, ...); NaN where all are NaN."""
    reach, steps = round(radius * FPS), len(values)
    known = ~np.isnan(values)
    zero = np.zeros((1, *values.shape[1:]), dtype=values.dtype)
    total = np.concatenate([zero, np.cumsum(np.where(known, values, values.dtype.type(0)), axis=0)])
    count = np.concatenate([zero, np.cumsum(known, axis=0, dtype=values.dtype)])
    first = np.maximum(np.arange(steps) - reach, 0)
    last = np.minimum(np.arange(steps) + reach + 1, steps)
    number = count[last] - count[first]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, (total[last] - total[first]) / number, np.nan)
