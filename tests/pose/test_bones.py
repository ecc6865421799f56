import pytest

from mmad.pose.bones import SKELETON_REGIONS, bones, joints_of_region
from mmad.pose.skeletons import LAYOUTS


def test_a_body_with_its_hands_hangs_together():
    """From the left hip every drawn joint can be reached but those of the head, which has no joint of the neck."""
    lines = bones("mediapipe75")
    reached, names = {LAYOUTS["mediapipe75"].index("left hip")}, LAYOUTS["mediapipe75"]
    for _ in lines:
        reached |= {end for a, b, _ in lines if reached & {a, b} for end in (a, b)}
    beyond = {names[end] for a, b, _ in lines for end in (a, b)} - {names[joint] for joint in reached}
    sides = {f"{side} {joint}" for side in ("left", "right") for joint in ("eye", "ear")}
    assert beyond == {"nose", "mouth left", "mouth right"} | sides
    assert len(set(lines)) == len(lines)
    assert sum("hand" in names[a] and "hand" in names[b] for a, b, _ in lines) == 2 * (5 * 4 + 3)


def test_a_bone_lies_on_its_side():
    names = LAYOUTS["mediapipe75"]
    for a, b, side in bones("mediapipe75"):
        sides = {word for joint in (names[a], names[b]) for word in ("left", "right") if word in joint}
        assert sides == ({"left", "right"} if side == "middle" else {side})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_bones_and_parts(layout):
    parts = [joints_of_region(layout, part) for part in SKELETON_REGIONS]
    assert sorted(joint for part in parts for joint in part) == list(range(len(LAYOUTS[layout])))
    assert bones(layout)


def test_hands_are_not_the_body():
    assert [len(joints_of_region("mediapipe75", part)) for part in SKELETON_REGIONS] == [33, 21, 21]
