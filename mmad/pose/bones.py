"""Bones: the pairs of joints that are connected when a skeleton is drawn; and the joints of the body and of each hand.

Defined by the names of joints, so that they are valid for every layout of `mmad.pose.skeletons.LAYOUTS`.
"""

from itertools import pairwise

from mmad.pose.skeletons import FINGERS, LAYOUTS, SIDES

SKELETON_REGIONS = ("body", "left hand", "right hand")
_ACROSS = (
    ("left eye", "right eye"),
    ("mouth left", "mouth right"),
    ("left shoulder", "right shoulder"),
    ("left hip", "right hip"),
)
_CHAINS = (  # "*" is a side; thumb, index and pinky of the pose points are left out: the hand joints are better
    ("nose", "* eye", "* ear", "mouth *"),
    ("* hip", "* shoulder", "* elbow", "* wrist", "* hand wrist"),
    ("* hip", "* knee", "* ankle", "* heel", "* foot index", "* ankle"),
    ("* ankle", "* big toe", "* small toe"),
    *(("* hand wrist", *(f"* hand {finger} {number}" for number in (1, 2, 3, 4))) for finger in FINGERS),
    tuple(f"* hand {finger} 1" for finger in FINGERS if finger != "thumb"),
)


def bones(layout: str) -> list[tuple[int, int, str]]:
    """(joint, joint, side) of each bone: two indices into the layout, and "left", "right" or "middle" of the body.

    Bones of which the layout lacks an end are left out, and so are face points other than eyes, ears and mouth.
    """
    place = {joint: index for index, joint in enumerate(LAYOUTS[layout])}
    ends = [(*pair, "middle") for pair in _ACROSS]
    for side in SIDES:
        for chain in _CHAINS:
            joints = [joint.replace("*", side) for joint in chain]
            ends += [(*pair, side) for pair in pairwise(joints)]
    return [(place[a], place[b], side) for a, b, side in ends if a in place and b in place]


def joints_of_region(layout: str, region: str) -> list[int]:
    """Indices into the layout of the joints of one of `SKELETON_REGIONS`; empty where the layout lacks them."""
    return [index for index, joint in enumerate(LAYOUTS[layout]) if region_of_joint(joint) == region]


def region_of_joint(joint: str) -> str:
    """Which of `SKELETON_REGIONS` a joint belongs to."""
    return next((region for region in SKELETON_REGIONS[1:] if joint.startswith(f"{region} ")), "body")
