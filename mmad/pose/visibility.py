"""What can be told at all: an action is not said of joints that nobody sees. Numpy only."""

import numpy as np

from mmad.labels import LabelSet
from mmad.pose.skeletons import NAMES, SIDES

SEEN = 0.3  # confidence from which on a joint counts as seen here


def _one_side(*joints: str) -> tuple[tuple[str, ...], ...]:
    """These joints, of one side or of the other."""
    return tuple(tuple(joint if joint in NAMES else f"{side} {joint}" for joint in joints) for side in SIDES)


# Per body part, in the order of the labels: ways to see it, of each of which all joints are needed.
PARTS = (
    _one_side("shoulder"),
    (("nose",),),
    _one_side("wrist"),
    _one_side("knee"),
    _one_side("wrist"),
    _one_side("wrist", "nose"),
    (*_one_side("wrist", "knee"), ("left wrist", "right knee"), ("right wrist", "left knee")),
)
# Actions that need more than their body part.
ACTIONS = {
    **dict.fromkeys(("tiptoe", "stretching feet", "retracting feet", "scratching feet"), _one_side("ankle")),
    **dict.fromkeys(("clenching fist", "other finger movements"), _one_side("hand index finger 4")),
    **dict.fromkeys(
        ("putting hands together", "rubbing hands", "hands touching fingers", "scratching arms", "crossing arms"),
        (("left wrist", "right wrist"),),
    ),
}


def can_be_told(points: np.ndarray, labels: LabelSet) -> np.ndarray:
    """(T, 75, 3) -> (T, K) bool: whether the joints are seen that each action is told by."""
    seen = {name: points[:, i, 2] > SEEN for i, name in enumerate(NAMES)}

    def visible(ways: tuple[tuple[str, ...], ...]) -> np.ndarray:
        return np.any([np.all([seen[name] for name in way], axis=0) for way in ways], axis=0)

    parts = [visible(ways) for ways in PARTS]
    own = {name: visible(ways) for name, ways in ACTIONS.items()}
    return np.stack([own.get(name, parts[part]) for name, part in zip(labels.actions, labels.part_of)], axis=1)
