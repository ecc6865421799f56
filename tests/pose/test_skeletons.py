"""Layouts against the published orders, and maps between them."""

import json

import numpy as np
import pytest

from mmad.errors import InputError
from mmad.pose.skeletons import BY_COUNT, LAYOUTS, absent_joints, in_words, joint_named, mirrored, rearrange, to_layout
from mmad.records import LandmarkTrack

# Layout -> some of its joints by their published numbers: what MediaPipe's, OpenPose's, COCO's and Halpe's pages list.
PUBLISHED = {
    "mediapipe75": {
        **{0: "nose", 1: "left eye inner", 4: "right eye inner", 7: "left ear", 8: "right ear", 9: "mouth left"},
        **{11: "left shoulder", 12: "right shoulder", 15: "left wrist", 16: "right wrist", 17: "left pinky"},
        **{21: "left thumb", 23: "left hip", 28: "right ankle", 29: "left heel", 31: "left foot index"},
        **{33: "left hand wrist", 37: "left hand thumb 4", 54: "right hand wrist", 74: "right hand little finger 4"},
    },
    "coco17": {1: "left eye", 2: "right eye", 9: "left wrist", 10: "right wrist", 15: "left ankle", 16: "right ankle"},
    "body25": {
        **{0: "nose", 1: "neck", 2: "right shoulder", 4: "right wrist", 7: "left wrist", 8: "mid hip", 9: "right hip"},
        **{12: "left hip", 14: "left ankle", 15: "right eye", 16: "left eye", 17: "right ear", 18: "left ear"},
        **{19: "left big toe", 20: "left small toe", 21: "left heel", 22: "right big toe", 24: "right heel"},
    },
    "openpose18": {1: "neck", 4: "right wrist", 7: "left wrist", 8: "right hip", 11: "left hip", 14: "right eye"},
    "openpose_hands": {0: "left hand wrist", 8: "left hand index finger 4", 21: "right hand wrist"},
    "coco_wholebody133": {
        **{9: "left wrist", 17: "left big toe", 18: "left small toe", 19: "left heel", 20: "right big toe"},
        **{59: "right eye outer", 68: "left eye outer", 71: "mouth right", 77: "mouth left"},
        **{91: "left hand wrist", 95: "left hand thumb 4", 112: "right hand wrist"},
    },
    "halpe26": {17: "head top", 18: "neck", 19: "mid hip", 20: "left big toe", 21: "right big toe", 25: "right heel"},
    "halpe136": {24: "left heel", 62: "right eye outer", 94: "left hand wrist", 115: "right hand wrist"},
    "ma52_openpose28": {4: "right wrist", 7: "left wrist", 18: "left hand thumb 4", 27: "right hand little finger 4"},
    "mmn44": {
        **{9: "left wrist", 28: "right eye outer", 29: "left eye outer", 32: "left hand wrist"},
        **{33: "left hand thumb 4", 37: "left hand little finger 4", 38: "right hand wrist"},
    },
    "imigue22": {1: "neck", 4: "right wrist", 8: "right eye", 9: "left eye", 10: "right ear", 11: "left ear"},
}
# Which of MediaPipe's points stand for MMN's 44, from the description of MMN's data.
MEDIAPIPE_OF_MMN = {0: 0, 1: 2, 2: 5, 3: 7, 4: 8, 5: 11, 6: 12, 7: 13, 8: 14, 9: 15, 10: 16, 11: 23, 12: 24, 13: 25}
MEDIAPIPE_OF_MMN |= {14: 26, 15: 27, 16: 28, 20: 31, 21: 32, 24: 29, 25: 30, 28: 6, 29: 3}
MEDIAPIPE_OF_MMN |= {32 + i: 33 + point for i, point in enumerate((0, 4, 8, 12, 16, 20))}
MEDIAPIPE_OF_MMN |= {38 + i: 54 + point for i, point in enumerate((0, 4, 8, 12, 16, 20))}


def numbered(layout: str) -> LandmarkTrack:
    """Joint i at (i, 100 + i), confidence 0.5."""
    numbers = np.arange(len(LAYOUTS[layout]), dtype=float)
    points = np.stack([numbers, 100 + numbers, np.full(len(numbers), 0.5)], axis=-1)
    return LandmarkTrack("v", points[None], np.zeros(1), layout, np.array([640, 480]))


@pytest.mark.parametrize(("layout", "number", "joint"), [(k, i, j) for k, v in PUBLISHED.items() for i, j in v.items()])
def test_joints_stand_where_they_are_published(layout, number, joint):
    assert LAYOUTS[layout][number] == joint


def test_layouts_are_told_apart_by_their_number_of_joints():
    assert len(BY_COUNT) == len(LAYOUTS)
    for name, joints in LAYOUTS.items():
        assert len(set(joints)) == len(joints), name
        assert {mirrored(joint) for joint in joints if not joint.startswith("face")} <= set(joints), name


@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back(layout):
    """Joints that both layouts have come back as they were, and never on the other side."""
    track = numbered(layout)
    back = to_layout(to_layout(track, "mediapipe75"), layout)
    absent = absent_joints(LAYOUTS["mediapipe75"], layout) + absent_joints(LAYOUTS[layout], "mediapipe75")
    for i, joint in enumerate(LAYOUTS[layout]):
        if joint in absent or joint in ("neck", "mid hip"):
            continue
        np.testing.assert_array_equal(back.points[0, i], track.points[0, i])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_absent_joints_are_not_seen_and_all_others_are(layout):
    moved = to_layout(numbered(layout), "mediapipe75")
    unseen = [joint for joint, seen in zip(LAYOUTS["mediapipe75"], moved.seen[0], strict=True) if not seen]
    assert unseen == absent_joints(LAYOUTS[layout], "mediapipe75")
    assert np.isnan(moved.points[~moved.seen][:, :2]).all()


def test_joints_that_only_correspond():
    body = to_layout(numbered("body25"), "mediapipe75").points[0]
    at = LAYOUTS["mediapipe75"].index
    assert body[at("left foot index"), 0] == 19
    assert body[at("right foot index"), 0] == 22
    hands = to_layout(numbered("openpose_hands"), "mediapipe75").points[0]
    assert [hands[at(f"left {joint}"), 0] for joint in ("thumb", "index", "pinky")] == [2, 5, 17]
    assert [hands[at(f"right {joint}"), 0] for joint in ("thumb", "index", "pinky")] == [23, 26, 38]
    assert not np.isfinite(hands[at("left wrist"), 0])  # a hand alone says nothing of an arm


def test_the_neck_lies_between_the_shoulders_and_is_as_sure_as_the_less_sure_one():
    track = numbered("coco17")
    track.points[0, 6, 2] = 0.25
    body = to_layout(track, "body25").points[0]
    assert body[1].tolist() == [5.5, 105.5, 0.25]
    assert body[8].tolist() == [11.5, 111.5, 0.5]
    track.points[0, 5] = (np.nan, np.nan, 0)
    assert not to_layout(track, "body25").seen[0, 1]


def test_what_mmn_is_shown_of_mediapipe():
    points = to_layout(numbered("mediapipe75"), "mmn44").points[0]
    for joint, source in MEDIAPIPE_OF_MMN.items():
        assert points[joint, 0] == source, LAYOUTS["mmn44"][joint]
    assert points[18, 0] == 11.5
    assert points[19, 0] == 23.5


@pytest.mark.shared
def test_published_networks_have_as_many_joints(shared):
    shapes = {name: shape for name, shape, *_ in json.loads((shared / "golden/pcan/keys.json").read_text())}
    assert shapes["backbone.pose_path.conv1.conv.weight"][1] == len(LAYOUTS["ma52_openpose28"])
    for name, layout in (("ma52", "mmn44"), ("imigue", "imigue22")):
        keys = json.loads((shared / f"golden/mmn/keys_{name}.json").read_text())
        [shape] = [shape for key, shape, *_ in keys if key == "STPE"]
        assert shape[1] == len(LAYOUTS[layout])


def test_any_number_of_axes():
    points = numbered("coco17").points
    many = np.stack([points, points])
    assert rearrange(many, LAYOUTS["coco17"], LAYOUTS["mediapipe75"]).shape == (2, 1, 75, 3)
    assert rearrange(points[:0], LAYOUTS["coco17"], LAYOUTS["mediapipe75"]).shape == (0, 75, 3)


def test_unknown_layouts_are_refused():
    with pytest.raises(InputError, match="'coco18' is unknown; choose one of mediapipe75"):
        to_layout(numbered("coco17"), "coco18")


def test_absent_joints_in_words():
    assert in_words(absent_joints(LAYOUTS["mediapipe33"], "mediapipe75")) == "left hand, right hand"
    assert in_words(["left heel", "right heel", "mouth left", "nose"]) == "left/right heel, mouth left, nose"
    words = in_words(absent_joints(LAYOUTS["ma52_openpose28"], "mediapipe75"))
    assert "16 joints of the left hand, 16 joints of the right hand" in words


@pytest.mark.parametrize(
    ("text", "joint"),
    [
        *[
            (text, "left shoulder")
            for text in ("LeftShoulder", "shoulder_left", "L.Shoulder", "lshoulder", "Shoulder L")
        ],
        *[(text, "right wrist") for text in ("RIGHT_WRIST", "wrist1", "WristR", "right wrist", "r-wrist")],
        *[("shoulder2", "left shoulder"), ("MOUTH_LEFT", "mouth left"), ("left_foot_index", "left foot index")],
        *[("left_hand_8", "left hand index finger 4"), ("hand_20_right", "right hand little finger 4")],
        *[("LEFT_PINKY", "left pinky"), ("left_pinky_tip", "left hand little finger 4")],
        *[("right_hand_THUMB_CMC", "right hand thumb 1"), ("left_hand_wrist", "left hand wrist")],
        *[("Nose", "nose"), ("pelvis", "mid hip"), ("head_top", "head top"), ("RBigToe", "right big toe")],
        *[("tail", None), ("rear", None), ("hand", None), ("shoulder", None), ("", None)],
    ],
)
def test_joints_that_people_named(text, joint):
    assert joint_named(text) == joint


@pytest.mark.parametrize("layout", LAYOUTS)
def test_our_own_names_are_known(layout):
    assert [joint_named(joint) for joint in LAYOUTS[layout] if not joint.startswith("face")] == [
        joint for joint in LAYOUTS[layout] if not joint.startswith("face")
    ]
