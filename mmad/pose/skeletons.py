"""Layouts: the joints of skeletons by name, and the conversion of joints from one layout to another.

"left" is the person's own left in every layout. A joint has the same name wherever it is the same point of the body;
`COUNTERPARTS` lists the few that correspond under two names.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmad.errors import InputError
from mmad.records import LandmarkTrack

SIDES = ("left", "right")


def _both(*joints: str) -> tuple[str, ...]:
    """Left and right of the first joint, then of the next."""
    return tuple(f"{side} {joint}" for joint in joints for side in SIDES)


def _side_joints(side: str, *joints: str) -> tuple[str, ...]:
    return tuple(f"{side} {joint}" for joint in joints)


ARM = ("shoulder", "elbow", "wrist")
LEG = ("hip", "knee", "ankle")
FOOT = ("big toe", "small toe", "heel")
FINGERS = ("thumb", "index finger", "middle finger", "ring finger", "little finger")
HAND21 = ("wrist", *(f"{finger} {number}" for finger in FINGERS for number in (1, 2, 3, 4)))  # 4 is the tip
TIPS = tuple(f"hand {finger} 4" for finger in FINGERS)
LEFT_HAND, RIGHT_HAND = (_side_joints(side, *(f"hand {joint}" for joint in HAND21)) for side in SIDES)
HANDS = LEFT_HAND + RIGHT_HAND
BODY33 = (
    "nose",
    *(f"{side} {joint}" for side in SIDES for joint in ("eye inner", "eye", "eye outer")),
    *("left ear", "right ear", "mouth left", "mouth right"),
    *_both(*ARM, "pinky", "index", "thumb"),
    *_both(*LEG, "heel", "foot index"),
)
COCO17 = ("nose", *_both("eye", "ear", *ARM, *LEG))
_OPENPOSE_ARMS = ("nose", "neck", *_side_joints("right", *ARM), *_side_joints("left", *ARM))
_OPENPOSE_HEAD = ("right eye", "left eye", "right ear", "left ear")
OPENPOSE18 = (*_OPENPOSE_ARMS, *_side_joints("right", *LEG), *_side_joints("left", *LEG), *_OPENPOSE_HEAD)
BODY25 = (
    *(*_OPENPOSE_ARMS, "mid hip", *_side_joints("right", *LEG), *_side_joints("left", *LEG), *_OPENPOSE_HEAD),
    *(*_side_joints("left", *FOOT), *_side_joints("right", *FOOT)),
)
HALPE26 = (*COCO17, "head top", "neck", "mid hip", *_both(*FOOT))
# The 68 face points of the iBUG annotation; only those that MediaPipe's pose also has are named.
_NAMED_OF_FACE = {
    **{36: "right eye outer", 39: "right eye inner", 42: "left eye inner", 45: "left eye outer"},
    **{48: "mouth right", 54: "mouth left"},
}
FACE68 = tuple(_NAMED_OF_FACE.get(number, f"face {number}") for number in range(68))
_MMN_FACE = tuple(FACE68[number] for number in (28, 33, 36, 45, 51, 57))
_SIX_OF_HAND = ("hand wrist", *TIPS)

# {name: the joints in order}
LAYOUTS: dict[str, tuple[str, ...]] = {
    "mediapipe75": BODY33 + HANDS,  # 33 pose points, 21 of the left hand, 21 of the right, as MediaPipe orders them
    "mediapipe33": BODY33,
    "coco17": COCO17,
    "body25": BODY25,  # OpenPose
    "openpose18": OPENPOSE18,  # OpenPose's COCO model
    "openpose_hands": HANDS,
    "body25_hands": BODY25 + HANDS,
    "openpose18_hands": OPENPOSE18 + HANDS,
    "coco_wholebody133": COCO17 + _side_joints("left", *FOOT) + _side_joints("right", *FOOT) + FACE68 + HANDS,
    "halpe26": HALPE26,  # AlphaPose
    "halpe136": HALPE26 + FACE68 + HANDS,
    # PCAN's: five points at either wrist, which we take for the tips from thumb to little finger. Its configuration
    # calls joints 2 to 4 left; in OpenPose, which found them, they are the person's right arm.
    "ma52_openpose28": OPENPOSE18 + _side_joints("left", *TIPS) + _side_joints("right", *TIPS),
    # MMN's, for MA-52 and for iMiGUE.
    "mmn44": HALPE26 + _MMN_FACE + _side_joints("left", *_SIX_OF_HAND) + _side_joints("right", *_SIX_OF_HAND),
    "imigue22": _OPENPOSE_ARMS + _OPENPOSE_HEAD + _side_joints("right", *TIPS) + _side_joints("left", *TIPS),
}
LAYOUT = "mediapipe75"  # of our own estimators, networks and rendered people
LAYOUT_JOINTS = LAYOUTS[LAYOUT]
BY_COUNT = {len(joints): name for name, joints in LAYOUTS.items()}  # for files that give only the number of joints

# {joint: its substitute where it is absent}: another joint, or two whose midpoint it is. BlazePose's "thumb" is nearest
# to the second joint of the hand model's thumb, "pinky" and "index" to the first of those fingers (medians over clips
# in which both models found the hand).
COUNTERPARTS: dict[str, tuple[str, ...]] = {
    **{f"{side} foot index": (f"{side} big toe",) for side in SIDES},
    **{f"{side} big toe": (f"{side} foot index",) for side in SIDES},
    **{f"{side} pinky": (f"{side} hand little finger 1",) for side in SIDES},
    **{f"{side} index": (f"{side} hand index finger 1",) for side in SIDES},
    **{f"{side} thumb": (f"{side} hand thumb 2",) for side in SIDES},
    "neck": ("left shoulder", "right shoulder"),
    "mid hip": ("left hip", "right hip"),
}


def to_layout(track: LandmarkTrack, layout: str) -> LandmarkTrack:
    """The track in another layout; joints that its own layout lacks (`absent_joints`) are not seen."""
    if layout == track.layout:
        return track
    points = rearrange(track.points, joints_of(track.layout), joints_of(layout))
    return replace(track, points=points, layout=layout)


def rearrange(points: np.ndarray, joints: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Points (..., J, 3) of `joints` -> (..., W, 3) of the `wanted` joints; NaN and confidence 0 where absent.

    The midpoint of two joints has the lower confidence of the two.
    """
    at = {joint: index for index, joint in enumerate(joints)}
    result = np.full((*points.shape[:-2], len(wanted), 3), (np.nan, np.nan, 0.0), dtype=np.float32)
    for index, joint in enumerate(wanted):
        sources = _sources(joint, at)
        if sources:
            chosen = points[..., [at[source] for source in sources], :]
            result[..., index, :2] = chosen[..., :2].mean(axis=-2)
            result[..., index, 2] = chosen[..., 2].min(axis=-1)
    return result


def absent_joints(joints: Sequence[str], layout: str) -> list[str]:
    """The joints of a layout that cannot be taken or computed from `joints`."""
    return [joint for joint in joints_of(layout) if not _sources(joint, joints)]


def in_words(joints: Sequence[str]) -> str:
    """Joints as text, shortened: left and right together, joints of hands as a number."""
    words = []
    for joint in joints:
        if joint in HANDS:
            side = joint.split()[0]
            count = sum(item in joints for item in (LEFT_HAND if side == "left" else RIGHT_HAND))
            words.append(f"{side} hand" if count == len(HAND21) else f"{count} joints of the {side} hand")
        else:
            words.append(re.sub("left|right", "left/right", joint) if mirrored(joint) in joints else joint)
    return ", ".join(dict.fromkeys(words))


def mirrored(joint: str) -> str:
    """The same joint of the other side of the body; a joint of the middle is its own."""
    return re.sub("left|right", lambda side: "right" if side[0] == "left" else "left", joint)


def mirror(points: np.ndarray, aspect: float) -> np.ndarray:
    """Joints (..., 75, 2 or 3) of LAYOUT mirrored: left becomes right. aspect: width / height of the picture."""
    mirrored_points = points[..., _MIRROR, :].copy()
    mirrored_points[..., 0] = aspect - mirrored_points[..., 0]
    return mirrored_points


_MIRROR = [LAYOUT_JOINTS.index(mirrored(joint)) for joint in LAYOUT_JOINTS]


def joints_of(layout: str) -> tuple[str, ...]:
    """The joints of a layout; `InputError` for an unknown name."""
    if layout not in LAYOUTS:
        raise InputError("layout", f"{layout!r} is unknown", f"choose one of {', '.join(LAYOUTS)}")
    return LAYOUTS[layout]


def _sources(joint: str, joints) -> tuple[str, ...]:
    """The joint itself, or its substitutes where they exist in `joints`; () if neither does."""
    if joint in joints:
        return (joint,)
    substitutes = COUNTERPARTS.get(joint, ())
    return substitutes if substitutes and all(item in joints for item in substitutes) else ()


# --- names of joints in other tools' files ---------------------------------------------------------------------


def joint_named(text: str) -> str | None:
    """The joint that a body part of DeepLabCut, a node of SLEAP or a column of a table names; None if unknown.

    Case, spaces, dots, dashes and underscores do not matter: "LeftShoulder", "shoulder_left", "L.Shoulder" and
    "lshoulder" are the same. DeepLabCut's human model counts instead of naming sides, and has its joints in the order
    of the MPII data, where the right ones come first: we read "shoulder1" as right and "shoulder2" as left.
    """
    return _NAMED.get(re.sub(r"[\s_.\-]+", "", text).lower())


_MORE_NAMES = {
    "mid hip": ("pelvis", "hipcenter", "hipcentre", "hipmid", "centerhip"),
    "head top": ("headtop", "topofhead", "topofthehead"),
    "big toe": ("bigtoe", "toe", "toes"),
    "small toe": ("smalltoe", "littletoe"),
    "pinky": ("pinky", "pinkie"),
    "eye inner": ("eyeinner", "innereye"),
    "eye outer": ("eyeouter", "outereye"),
}
_SIDED = (*ARM, *LEG, *FOOT, "eye", "ear", "eye inner", "eye outer", "pinky", "index", "thumb", "foot index")
_KNUCKLES = {"thumb": ("cmc", "mcp", "ip", "tip"), "others": ("mcp", "pip", "dip", "tip")}


def _names_of_hand() -> dict[str, tuple[str, ...]]:
    """{joint of a hand: its names after "left" or "lefthand"}: numbers, and those of MediaPipe."""
    names = {"wrist": ("handwrist", "handroot", "hand0")}
    for position, finger in enumerate(FINGERS):
        short = "pinky" if finger == "little finger" else finger.removesuffix(" finger")
        plain = {short, f"{short}finger", finger.replace(" ", ""), "little" if short == "pinky" else short}
        for number, knuckle in enumerate(_KNUCKLES.get(short, _KNUCKLES["others"]), start=1):
            ends = (knuckle, str(number))
            spelled = [f"{hand}{name}{end}" for hand in ("", "hand") for name in sorted(plain) for end in ends]
            names[f"{finger} {number}"] = (*spelled, f"hand{4 * position + number}")
    return names


def _all_names() -> dict[str, str]:
    """{known spelling, in small letters without spaces: joint}"""
    named = {"nose": "nose", "neck": "neck", "midhip": "mid hip"}
    parts = {part: _MORE_NAMES.get(part, (part.replace(" ", ""),)) for part in _SIDED}
    parts.update({f"hand {joint}": names for joint, names in _names_of_hand().items()})
    for joint in ("mid hip", "head top"):
        named.update(dict.fromkeys(_MORE_NAMES[joint], joint))
    for side, number in (("left", "2"), ("right", "1")):
        named.update({f"mouth{side}": f"mouth {side}", f"{side}mouth": f"mouth {side}"})
        for part, spelled in parts.items():
            for name in spelled:
                for given in (f"{side}{name}", f"{name}{side}", f"{side[0]}{name}", f"{name}{side[0]}"):
                    named.setdefault(given, f"{side} {part}")
        named.update({f"{part}{number}": f"{side} {part}" for part in (*ARM, *LEG)})
    del named["rear"]  # more likely the rear of an animal than a right ear
    return named


_NAMED = _all_names()
