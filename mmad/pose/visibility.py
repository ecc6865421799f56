"""Which actions can be recognized at all: those whose joints are seen. Numpy only."""

import numpy as np

from mmad.labels import LabelSet
from mmad.pose.skeletons import LAYOUT_JOINTS, SIDES

SEEN = 0.3  # confidence above which a joint counts as seen here


def _one_side(*joints: str) -> tuple[tuple[str, ...], ...]:
    """These joints of the left side, or of the right."""
    return tuple(tuple(joint if joint in LAYOUT_JOINTS else f"{side} {joint}" for joint in joints) for side in SIDES)


# Per body part, in the order of the labels: alternatives, each a set of joints that must all be seen.
JOINTS_NEEDED = (
    _one_side("shoulder"),
    (("nose",),),
    _one_side("wrist"),
    _one_side("knee"),
    _one_side("wrist"),
    _one_side("wrist", "nose"),
    (*_one_side("wrist", "knee"), ("left wrist", "right knee"), ("right wrist", "left knee")),
)
# The same for actions that need other joints than their body part.
JOINTS_NEEDED_BY_ACTION = {
    **dict.fromkeys(("tiptoe", "stretching feet", "retracting feet", "scratching feet"), _one_side("ankle")),
    **dict.fromkeys(("clenching fist", "other finger movements"), _one_side("hand index finger 4")),
    **dict.fromkeys(
        ("putting hands together", "rubbing hands", "hands touching fingers", "scratching arms", "crossing arms"),
        (("left wrist", "right wrist"),),
    ),
}


def needed_joints_seen(points: np.ndarray, labels: LabelSet) -> np.ndarray:
    """Whether the joints that each action needs are seen: joints (T, 75, 3) -> (T, K) bool."""
    seen = {name: points[:, i, 2] > SEEN for i, name in enumerate(LAYOUT_JOINTS)}

    def visible(alternatives: tuple[tuple[str, ...], ...]) -> np.ndarray:
        return np.any([np.all([seen[name] for name in joints], axis=0) for joints in alternatives], axis=0)

    parts = [visible(alternatives) for alternatives in JOINTS_NEEDED]
    own = {name: visible(alternatives) for name, alternatives in JOINTS_NEEDED_BY_ACTION.items()}
    return np.stack([own.get(name, parts[part]) for name, part in zip(labels.actions, labels.part_of)], axis=1)
