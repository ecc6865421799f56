"""Which joints a line connects where a skeleton is drawn, and which belong to the body and to either hand.

By the names of the joints, so that it holds for every layout of `mmad.pose.skeletons.LAYOUTS`.
"""

from itertools import pairwise

from mmad.pose.skeletons import FINGERS, LAYOUTS, SIDES

PARTS = ("body", "left hand", "right hand")
_ACROSS = (
    ("left eye", "right eye"),
    ("mouth left", "mouth right"),
    ("left shoulder", "right shoulder"),
    ("left hip", "right hip"),
)
_CHAINS = (  # "*" is a side; the thumb and fingers that a pose network guesses are left out, the hands have them
    ("nose", "* eye", "* ear", "mouth *"),
    ("* hip", "* shoulder", "* elbow", "* wrist", "* hand wrist"),
    ("* hip", "* knee", "* ankle", "* heel", "* foot index", "* ankle"),
    ("* ankle", "* big toe", "* small toe"),
    *(("* hand wrist", *(f"* hand {finger} {number}" for number in (1, 2, 3, 4))) for finger in FINGERS),
    tuple(f"* hand {finger} 1" for finger in FINGERS if finger != "thumb"),
)


def bones(layout: str) -> list[tuple[int, int, str]]:
    """Two joints by their place in the layout, and the side of the body they lie on: "left", "right", "middle".

    A bone of which the layout lacks an end is left out, and so are the points of the face beside eyes, ears and mouth.
    """
    place = {joint: index for index, joint in enumerate(LAYOUTS[layout])}
    ends = [(*pair, "middle") for pair in _ACROSS]
    for side in SIDES:
        for chain in _CHAINS:
            joints = [joint.replace("*", side) for joint in chain]
            ends += [(*pair, side) for pair in pairwise(joints)]
    return [(place[a], place[b], side) for a, b, side in ends if a in place and b in place]


def joints_of_part(layout: str, part: str) -> list[int]:
    """The places in the layout of the joints of one of `PARTS`; none where the layout lacks them."""
    return [index for index, joint in enumerate(LAYOUTS[layout]) if part_of(joint) == part]


def part_of(joint: str) -> str:
    return next((part for part in PARTS[1:] if joint.startswith(f"{part} ")), "body")
