"""Joints -> what a network is shown of them: places relative to other joints, to where they rest, and speeds.

Nothing depends on where in the picture a person is or how large: lengths are in widths of the shoulders. Numpy only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmad.pose.skeletons import NAMES, SIDES
from mmad.pose.views import outside_picture
from mmad.records import LandmarkTrack, TimeGrid

FPS = 15.0  # steps a second at which joints are described
GAP = 0.21  # s: a joint that is not seen for less is taken to move evenly
REST = 3.0  # s to either side, over whose mean a joint is at rest
SCALE = 4.0  # s to either side, over whose mean the shoulders' width is the unit of length
REACH = round((REST + SCALE) * FPS) + 2  # steps to either side that have a say in what is said of a step
LIMIT = 4.0  # values are cut here: a joint far off is a mistake
PLACE = slice(0, 2)  # of the seven numbers per place: where it is, as opposed to how it moves and whether it is seen
INDEX = {name: i for i, name in enumerate(NAMES)}
OTHER = {"left": "right", "right": "left"}


def on_grid(track: LandmarkTrack, fps: float = FPS) -> tuple[np.ndarray, TimeGrid]:
    """(T, J, 3) at even times, from the first to the last of the track, and these times.

    Between two rows a joint moves evenly if both saw it and they are less than GAP apart. What lies outside the picture
    counts as not seen.
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
        close = (times[after] - times[before] < GAP) & (times[before] <= at) & (at <= times[after])
        close |= exact
        span = np.maximum(times[after] - times[before], 1e-6)
        part = np.where(exact, 1.0, (at - times[before]) / span)[:, None]
        values = points[rows[before], joint] * (1 - part) + points[rows[after], joint] * part
        out[close, joint] = values[close]
    out[np.isnan(out[..., 0])] = (np.nan, np.nan, 0)
    return out, grid


@dataclass(frozen=True)
class Place:
    """One thing that is described: a vector of two numbers.

    name: what is relative to what. groups: of GROUPS, which see it. find: points by name -> (T, 2), NaN where not seen.
    still: whether the vector itself says something; without it only how it differs from its rest, and its speed.
    """

    name: str
    groups: str
    find: Callable[[dict[str, np.ndarray]], np.ndarray]
    still: bool = True
    factor: float = 1.0  # by which it is multiplied, so that all are about as large


def _between(one: str, other: str, groups: str, factor: float = 1.0) -> Place:
    return Place(f"{one} from {other}", groups, lambda p: (p[one] - p[other]) / p["unit"], factor=factor)


def _moving(one: str, groups: str, factor: float = 1.0) -> Place:
    return Place(one, groups, lambda p: p[one] / p["unit"], still=False, factor=factor)


def _in_ears(one: str, other: str, groups: str, factor: float = 1.0) -> Place:
    return Place(f"{one} from {other}, in ears", groups, lambda p: (p[one] - p[other]) / p["ears"], factor=factor)


# A letter a body part, as the labels order them: body, head, upper limb, lower limb, body-hand, head-hand, leg-hand.
# Each sees what it needs, so that a posture of the legs cannot speak for the head.
GROUPS = "ABCDEFG"


def _places() -> list[Place]:
    places = [
        _in_ears("nose", "mid ears", "B", 2.0),
        _in_ears("mid eyes", "mid ears", "B", 2.0),
        _in_ears("mid mouth", "mid eyes", "B", 2.0),
        _in_ears("nose", "mid eyes", "B", 2.0),
        _between("left ear", "right ear", "B", 2.0),
        _between("left eye", "right eye", "B", 4.0),
        _between("nose", "mid shoulders", "ABF"),
        _between("mid ears", "mid shoulders", "ABF"),
        _between("left shoulder", "right shoulder", "ABCEG"),
        _between("mid shoulders", "mid hips", "ABCG"),
        _between("left hip", "right hip", "AD", 2.0),
        _moving("mid shoulders", "ABCD", 3.0),
        _moving("nose", "AB", 3.0),
        _moving("mid hips", "AD", 3.0),
        _between("mid hips", "mid knees", "AD"),
    ]
    for side in SIDES:
        other = OTHER[side]
        wrist, elbow, shoulder = f"{side} wrist", f"{side} elbow", f"{side} shoulder"
        places += [
            _between(f"{side} ear", shoulder, "AB", 2.0),
            Place(f"{shoulder} moving", "A", lambda p, s=shoulder: p[s] / p["unit"], still=False, factor=3.0),
            _between(elbow, shoulder, "CEFG"),
            _between(wrist, elbow, "CEFG"),
            _between(wrist, shoulder, "CEFG"),
            _between(wrist, "nose", "CEF"),
            _between(wrist, f"{other} wrist", "CEG"),
            _between(wrist, f"{other} shoulder", "CE"),
            _between(wrist, f"{other} elbow", "CE"),
            _between(wrist, f"{side} hip", "CEG"),
            _between(f"{side} palm", f"{side} knee", "CG"),
            _between(f"{side} palm", f"{other} knee", "CG"),
            _between(f"{side} palm", f"{side} ankle", "G"),
            _between(f"{side} palm", f"{other} ankle", "G"),
            _moving(wrist, "CEFG", 1.0),
            _moving(elbow, "CE", 1.0),
            _between(f"{side} palm", f"{other} palm", "CEG"),
            _between(f"{side} palm", "mid shoulders", "CEF"),
            _between(f"{side} hand middle finger 1", f"{side} hand wrist", "CEFG", 3.0),
            _between(f"{side} hand index finger 1", f"{side} hand little finger 1", "CEFG", 4.0),
            _between(f"{side} index", f"{side} pinky", "CEFG", 4.0),
            _between(f"{side} index", wrist, "CEFG", 3.0),
            _between(f"{side} hand index finger 4", f"{other} hand index finger 4", "C", 1.5),
            _between(f"{side} hand thumb 4", f"{side} hand index finger 4", "CF", 4.0),
        ]
        for target in ("nose", "mid mouth", "left eye", "right eye", f"{side} ear", f"{other} ear", "forehead"):
            places.append(_between(f"{side} tips", target, "F", 1.5))
        for target in ("nose", "mid mouth", "mid eyes", f"{side} ear", "forehead"):
            places.append(_between(f"{side} hand index finger 4", target, "F", 1.5))
            places.append(_between(f"{side} index", target, "F", 1.5))
        for target in ("left shoulder", "right shoulder", "mid hips", "nose"):
            places.append(_between(f"{side} tips", target, "E"))
        places.append(_between(f"{side} tips", f"{other} elbow", "CE"))
        for finger in ("thumb", "index finger", "middle finger", "ring finger", "little finger"):
            tip = f"{side} hand {finger} 4"
            places.append(_between(tip, f"{side} hand wrist", "C", 2.0))
            places.append(Place(f"{tip} bent", "CEF", lambda p, t=tip, s=side: _bent(p, t, s), factor=1.0))
        knee, ankle = f"{side} knee", f"{side} ankle"
        places += [
            _between(knee, f"{side} hip", "ADG"),
            _between(ankle, knee, "ADG"),
            _between(f"{side} heel", ankle, "D", 4.0),
            _between(f"{side} foot index", ankle, "D", 3.0),
            _between(f"{side} foot index", f"{side} heel", "D", 3.0),
            _between(knee, f"{other} ankle", "D"),
            _moving(knee, "ADG", 2.0),
            _moving(ankle, "D", 2.0),
            _moving(f"{side} heel", "D", 2.0),
            _moving(f"{side} foot index", "D", 2.0),
        ]
    places += [
        _between("left knee", "right knee", "D"),
        _between("left ankle", "right ankle", "D"),
        Place("shoulder width", "AB", lambda p: p["width"] / p["unit"], factor=3.0),
    ]
    return places


def _bent(points: dict[str, np.ndarray], tip: str, side: str) -> np.ndarray:
    """How far a finger's tip is from the wrist, and from its own knuckle, in lengths of the palm."""
    wrist, knuckle = points[f"{side} hand wrist"], points[tip[:-1] + "1"]
    palm = _length(points[f"{side} hand middle finger 1"] - wrist)
    across = _length(points[f"{side} hand index finger 1"] - points[f"{side} hand little finger 1"])
    palm = np.maximum(np.maximum(palm, across), 1e-3)
    reach = np.concatenate([_length(points[tip] - at) / palm for at in (wrist, knuckle)], axis=-1)
    return reach - np.float32([1.5, 0.7])


def _length(vectors: np.ndarray) -> np.ndarray:
    """(..., 2) -> (..., 1)"""
    return np.sqrt((vectors**2).sum(axis=-1, keepdims=True))


PLACES = _places()
STILL = np.array([place.still for place in PLACES])[:, None]  # (P, 1): whether where it is says something


def named_points(points: np.ndarray) -> dict[str, np.ndarray]:
    """(T, ..., 75, 3) -> places of joints and of what lies between them, (T, ..., 2) each, NaN where not seen; "unit"
    and "ears", lengths, (T, ..., 1)."""
    seen = points[..., 2:] > 0
    flat = np.where(seen, points[..., :2], np.float32(np.nan))
    p = {name: flat[..., i, :] for name, i in INDEX.items()}
    for name in ("ear", "eye", "shoulder", "hip", "knee"):
        p[f"mid {name}s"] = 0.5 * (p[f"left {name}"] + p[f"right {name}"])
    p["mid mouth"] = 0.5 * (p["mouth left"] + p["mouth right"])
    p["forehead"] = p["mid eyes"] + 0.8 * (p["mid eyes"] - p["mid mouth"])
    for side in SIDES:
        hand = [p[f"{side} hand {finger} 4"] for finger in ("index finger", "middle finger", "ring finger")]
        body = 0.5 * (p[f"{side} index"] + p[f"{side} pinky"])
        reach = p[f"{side} wrist"] + 1.7 * (body - p[f"{side} wrist"])
        tips = np.mean(hand, axis=0)
        p[f"{side} tips"] = np.where(np.isnan(tips), reach, tips)
        palm = 0.4 * p[f"{side} hand wrist"] + 0.6 * p[f"{side} hand middle finger 1"]
        p[f"{side} palm"] = np.where(np.isnan(palm), 0.4 * p[f"{side} wrist"] + 0.6 * body, palm)
    width = _length(p["left shoulder"] - p["right shoulder"])
    ears = _length(p["left ear"] - p["right ear"])
    unit = mean_around(np.where(np.isnan(width), 2.3 * ears, width), SCALE)
    known = ~np.isnan(unit)
    usual = np.where(known, unit, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    p["unit"] = np.maximum(np.where(known, unit, usual), 1e-3)
    p["width"] = np.concatenate([width, 2.3 * ears], axis=-1)
    p["ears"] = np.maximum(ears, 0.2 * p["unit"])
    return p


def mean_around(values: np.ndarray, seconds: float) -> np.ndarray:
    """(T, ...) with NaN -> the mean over so many seconds to either side of what is seen there; NaN where nothing is."""
    reach, steps = round(seconds * FPS), len(values)
    known = ~np.isnan(values)
    nothing = np.zeros((1, *values.shape[1:]), dtype=values.dtype)
    total = np.concatenate([nothing, np.cumsum(np.where(known, values, values.dtype.type(0)), axis=0)])
    count = np.concatenate([nothing, np.cumsum(known, axis=0, dtype=values.dtype)])
    first = np.maximum(np.arange(steps) - reach, 0)
    last = np.minimum(np.arange(steps) + reach + 1, steps)
    number = count[last] - count[first]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, (total[last] - total[first]) / number, np.nan)


def describe(points: np.ndarray) -> np.ndarray:
    """(T, ..., 75, 3) at FPS -> (T, ..., P, 7) float32 of the P PLACES: still (2), from rest (2), speed (2), seen (1).

    What is not seen is 0 in all seven. Axes between, of several people or videos, do not touch one another.
    """
    p = named_points(points)
    vectors = np.stack([place.find(p) * place.factor for place in PLACES], axis=-2)  # (T, ..., P, 2)
    away = 3 * (vectors - mean_around(vectors, REST))
    speed = np.zeros_like(vectors)
    if len(vectors) > 2:
        speed[1:-1] = (vectors[2:] - vectors[:-2]) * (FPS / 2 / 3)
    seen = ~np.isnan(vectors).any(axis=-1, keepdims=True)
    values = np.concatenate([np.where(STILL, vectors, 0.0), away, speed], axis=-1) * seen
    return np.concatenate([np.clip(np.nan_to_num(values), -LIMIT, LIMIT), seen], axis=-1).astype(np.float32)
