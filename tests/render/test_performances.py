"""Joints of rendered people are where an estimator would mark them, with and without pictures the same timelines."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anny")

from mmad.config import RenderConfig
from mmad.formats import read_annotations
from mmad.labels import MMA52
from mmad.pose.landmark_files import load_landmarks
from mmad.pose.skeletons import LAYOUT_JOINTS
from mmad.render.body import Body
from mmad.render.body_joints import BodyJoints
from mmad.render.performances import perform_in_space, render_performances
from mmad.render.plans import plan_videos
from mmad.render.pose import Pose

ROOT = Path(__file__).parents[2]
AT = {name: i for i, name in enumerate(LAYOUT_JOINTS)}
CONFIG = RenderConfig(videos=8, clips=4, seed=5, workers=1, longest=6)


@pytest.fixture(scope="module")
def sitting() -> np.ndarray:
    """(75, 3) joints of a person who sits and does nothing."""
    body = Body({})
    return BodyJoints(body).at(body.transforms(Pose(1)))[0]


def test_a_body_is_put_together_as_bodies_are(sitting):
    def height(name: str) -> float:
        return sitting[AT[name], 2]

    order = ["left eye", "nose", "mouth left", "left shoulder", "left elbow", "left hip", "left ankle"]
    assert [height(name) for name in order] == sorted((height(name) for name in order), reverse=True)
    assert abs(height("left knee") - height("left hip")) < 0.12  # the thigh is level
    assert sitting[AT["left knee"], 1] < sitting[AT["left hip"], 1] - 0.25  # and points forward
    assert height("left heel") < height("left ankle") and abs(height("left foot index")) < 0.08


def test_left_and_right_mirror(sitting):
    for name, place in zip(AT, sitting):
        if name.startswith("left "):
            other = sitting[AT[name.replace("left", "right")]]
            np.testing.assert_allclose(place * (-1, 1, 1), other, atol=0.02)
            assert place[0] > other[0]


def test_fingers_come_out_of_the_palm(sitting):
    for side in ("left", "right"):
        wrist = sitting[AT[f"{side} hand wrist"]]
        assert np.linalg.norm(wrist - sitting[AT[f"{side} wrist"]]) < 0.02
        for finger in ("index finger", "middle finger", "ring finger", "little finger"):
            away = [np.linalg.norm(sitting[AT[f"{side} hand {finger} {n}"]] - wrist) for n in (1, 2, 3, 4)]
            assert away == sorted(away) and 0.1 < away[-1] < 0.25


def test_a_turned_head_turns_the_face_and_not_the_shoulders():
    body, pose = Body({}), Pose(2)
    pose.head[1, 2] = 40  # yaw to the left
    still, turned = BodyJoints(body).at(body.transforms(pose))
    assert turned[AT["nose"], 0] > still[AT["nose"], 0] + 0.03
    np.testing.assert_allclose(turned[AT["left shoulder"]], still[AT["left shoulder"]], atol=1e-6)


def test_performances_are_kept_and_are_the_plans(tmp_path):
    first = render_performances(tmp_path, CONFIG, "train")
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    again = render_performances(tmp_path, CONFIG, "train")
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")} == files
    plan = plan_videos(tmp_path, CONFIG, "train")[2]
    fresh = perform_in_space(plan)
    for one in (first[2], again[2]):
        np.testing.assert_array_equal(one.joints, fresh.joints)
        np.testing.assert_array_equal(one.truth.segments, plan.timeline.annotation().segments)
    assert len(first) == 6 + 3 and len(fresh.joints) == pytest.approx(plan.timeline.duration * 15, abs=1)


def test_landmarks_in_place_of_videos(tmp_path):
    command = [sys.executable, "tools/make_synthetic.py", tmp_path, "--videos", "4", "--clips", "4", "--landmarks"]
    command += ["--workers", "1", "--longest", "6"]
    for _ in range(2):  # the second finds all done
        done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    truth = read_annotations(tmp_path / "train.csv", MMA52)
    assert not list(tmp_path.rglob("*.mp4"))
    for item in truth:
        track = load_landmarks(tmp_path / "train" / f"{item.video_id}.npz")
        assert track.duration == pytest.approx(item.duration) and track.seen[:, 0].mean() > 0.8
    assert len(list((tmp_path / "clips").glob("*.npz"))) == 4
