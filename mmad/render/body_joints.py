"""Joints in space of a rendered person, without pictures.

They lie where a pose estimator marks them (MediaPipe's 33 of the body and 21 per hand), on the skin or in the joint, so
that joints of rendered and of real people have the same meaning.
"""

import numpy as np

from mmad.pose.skeletons import HAND21, LAYOUT_JOINTS
from mmad.render.body import Body, Transforms

# {joint: landmark of body.py at which it is marked}
ON_SKIN = {name: name for name in ("nose", "eye inner", "eye", "eye outer", "ear")} | {"mouth": "mouth corner"}
AT_BONE = {
    **{"shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist"},
    **{"pinky": "finger5-1", "index": "finger2-1", "thumb": "finger1-2"},
    **{"hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot"},
}
# Offset of the joints that MediaPipe marks from ours, (out, up) metres on the figure at rest: medians over pictures of
# 14 rendered people.
MARKED: dict[str, tuple[float, float]] = {
    **{"nose": (0.0, 0.013), "eye inner": (0.0, 0.006), "eye outer": (-0.004, 0.006), "mouth": (0.0, 0.008)},
    **{"ear": (-0.024, 0.012), "shoulder": (-0.005, 0.03), "elbow": (0.0, 0.016), "wrist": (0.0, 0.008)},
    **{"hip": (-0.007, 0.04), "knee": (0.0, 0.011), "ankle": (0.003, 0.03), "heel": (-0.003, 0.03)},
    **{"foot index": (0.012, 0.012), "index": (0.013, -0.003)},
}


class BodyJoints:
    """The joints of our layout on one body: `bones` (J,) that they follow and `places` (J, 3) at rest, metres."""

    def __init__(self, body: Body):
        found = [self._find(body, name) for name in LAYOUT_JOINTS]
        self.bones = np.array([bone for bone, _ in found])
        self.places = np.array([place for _, place in found])

    def _find(self, body: Body, name: str) -> tuple[int, np.ndarray]:
        word, _, rest = name.partition(" ")
        side = {"left": "L", "right": "R"}.get(word)
        if side is None and name.startswith("mouth "):
            side, rest = name.removeprefix("mouth ")[0].upper(), "mouth"
        rest = rest if side else name
        bone, place = self._bone_and_place(body, rest, side)
        out, up = MARKED.get(rest, (0.0, 0.0))
        return bone, place + body.scale * np.array([-out if side == "R" else out, 0.0, up])

    def _bone_and_place(self, body: Body, rest: str, side: str | None) -> tuple[int, np.ndarray]:
        bones = body.anatomy.bones
        if rest in ON_SKIN:
            vertex = body.landmark(ON_SKIN[rest], side or "L")
            return bones["head"], body.vertices[vertex]  # the face is rigid here
        if rest in AT_BONE:
            bone = f"{AT_BONE[rest]}.{side}"
            return bones[bone], body.head(bone)
        foot = f"foot.{side}"
        if rest == "heel":
            return bones[foot], body.head(foot) + (0.0, 0.05 * body.scale, -0.8 * body.sole)
        if rest == "foot index":
            return bones[foot], _toe(body, side)
        return self._of_hand(body, rest.removeprefix("hand "), side)

    def _of_hand(self, body: Body, name: str, side: str) -> tuple[int, np.ndarray]:
        bones, number = body.anatomy.bones, HAND21.index(name)
        if number == 0:
            return bones[f"wrist.{side}"], body.head(f"wrist.{side}")
        finger, joint = (number - 1) // 4 + 1, (number - 1) % 4 + 1
        if joint < 4:
            bone = f"finger{finger}-{joint}.{side}"
            return bones[bone], body.head(bone)
        bone = bones[f"finger{finger}-3.{side}"]
        bone_vertices = np.flatnonzero(body.anatomy.bone_of_vertex == bone)
        away = np.linalg.norm(body.vertices[bone_vertices] - body.heads[bone], axis=1)
        return bone, body.vertices[bone_vertices[away.argmax()]]

    def at(self, transforms: Transforms) -> np.ndarray:
        """(T, J, 3) metres in the world: x to the person's left, y to the back, z up."""
        turned = np.einsum("tjab,jb->tja", transforms.turn[:, self.bones], self.places)
        return turned + transforms.move[:, self.bones]


def _toe(body: Body, side: str) -> np.ndarray:
    """The foremost point of the foot."""
    bones = [body.anatomy.bones[f"{toe}.{side}"] for toe in ("toe1-2", "toe2-3", "toe3-3")]
    toe_vertices = np.flatnonzero(np.isin(body.anatomy.bone_of_vertex, bones))
    return body.vertices[toe_vertices[body.vertices[toe_vertices, 1].argmin()]]
