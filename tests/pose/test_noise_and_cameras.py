"""Cameras project as cameras do, and an estimator's mistakes are as large as is asked for."""

import numpy as np
import pytest
from made_joints import sitting

from mmad.config import NoiseConfig, PoseTrainConfig, TrainConfig
from mmad.data.performance_files import Performance, load_performances, save_performances
from mmad.data.pose_dataset import PoseBatches, offset_limbs, shrink_head_motion, targets_of, visible_truth
from mmad.labels import MMA52
from mmad.pose.cameras import Camera, make_camera, vary_proportions
from mmad.pose.noise import disturb, shoulder_width
from mmad.pose.skeletons import LAYOUTS
from mmad.pose.visibility import needed_joints_seen
from mmad.records import Annotation

AT = {name: i for i, name in enumerate(LAYOUTS["mediapipe75"])}


def test_a_camera_in_front_has_the_persons_left_on_the_right():
    camera = Camera(np.array([0.0, -2.0, 1.0]), np.array([0.0, 0.0, 1.0]), zoom=1.0, aspect=1.5)
    points = camera.project(np.array([[0.0, 0.0, 1.0], [0.4, 0.0, 1.0], [0.0, 0.0, 1.2]]))
    np.testing.assert_allclose(points, [[0.75, 0.5], [0.95, 0.5], [0.75, 0.4]], atol=1e-9)


def test_every_framing_holds_the_face():
    joints = sitting()
    for seed in range(60):
        camera = make_camera(joints, np.random.default_rng(seed))
        x, y = camera.project(joints[0, AT["nose"]])
        assert -0.1 < x < camera.aspect + 0.1 and 0 < y < 1


def test_proportions_leave_hands_and_face_alone():
    joints = sitting()
    other = vary_proportions(joints, np.random.default_rng(0))
    same = [i for name, i in AT.items() if not any(w in name for w in ("shoulder", "elbow", "ankle", "heel", "foot"))]
    np.testing.assert_array_equal(other[:, same], joints[:, same])
    assert not np.allclose(other, joints)


def places(steps: int = 400) -> np.ndarray:
    points = np.random.default_rng(0).uniform(0.3, 0.7, (1, 75, 2)).repeat(steps, axis=0)
    points[:, AT["left shoulder"]], points[:, AT["right shoulder"]] = (0.6, 0.5), (0.4, 0.5)
    return points


def test_without_mistakes_joints_are_where_they_are():
    points = places(30)
    found = disturb(points, 1.0, np.random.default_rng(1), NoiseConfig(0, 0, 0, 0, 0, 0, 0), 15.0)
    np.testing.assert_allclose(found[..., :2], points, atol=1e-6)
    assert (found[..., 2] > 0).all()


def test_mistakes_are_in_shoulder_widths_and_grow_with_the_settings():
    points, errors = places(), []
    for jitter in (0.001, 0.01):
        config = NoiseConfig(jitter, 0, 0, 0, 0, 0, 0)
        found = disturb(points, 1.0, np.random.default_rng(1), config, 15.0)
        errors.append(np.nanstd(found[:, 11:33, :2] - points[:, 11:33]) / shoulder_width(points))
    assert 0.0003 < errors[0] < 0.01 and errors[1] == pytest.approx(10 * errors[0], rel=0.01)


def test_hands_go_missing_in_runs_and_outside_the_picture():
    found = disturb(places(), 1.0, np.random.default_rng(1), NoiseConfig(hands_missing=0.5), 15.0)
    missing = found[:, AT["left hand wrist"], 2] == 0
    assert 0.05 < missing.mean() < 1
    assert np.abs(np.diff(missing.astype(int))).sum() < 0.3 * len(missing)  # runs, not single frames
    assert (found[:, :33, 2] > 0).mean() > 0.9
    outside = places(5) + (0.6, 0.0)
    assert (
        disturb(outside, 1.0, np.random.default_rng(1), NoiseConfig(), 15.0)[outside[..., 0] > 1.1][:, 2] == 0
    ).all()


def test_limbs_are_thrown_as_a_whole_and_stay_there():
    points = places(10)
    other = offset_limbs(points, 0.1, np.random.default_rng(0))
    moved = other - points
    np.testing.assert_allclose(moved, moved[:1].repeat(10, axis=0), atol=1e-12)
    np.testing.assert_allclose(moved[:, AT["left wrist"]], moved[:, AT["left hand thumb 4"]])
    assert not np.allclose(moved[:, AT["left wrist"]], moved[:, AT["left elbow"]])
    np.testing.assert_array_equal(moved[:, AT["left shoulder"]], 0)


def test_a_heads_motion_becomes_smaller_about_its_middle():
    points = places(11)
    points[:, :11, 0] += np.linspace(-0.1, 0.1, 11)[:, None]
    small = shrink_head_motion(points, 0.5)
    assert np.ptp(small[:, 0, 0]) == pytest.approx(0.5 * np.ptp(points[:, 0, 0]))
    np.testing.assert_allclose(small[5], points[5])


def performance(steps: int = 45, name: str = "p_0") -> Performance:
    return Performance(sitting(steps).astype(np.float16), Annotation(name, steps / 15, [(1.0, 2.0)], [8]))


def seen(steps: int) -> np.ndarray:
    """(T, 75, 3) everything is seen."""
    return np.concatenate([places(steps), np.ones((steps, 75, 1))], axis=2)


def test_what_cannot_be_seen_is_not_asked_for():
    points = seen(45)
    points[:, AT["nose"], 2] = 0
    assert targets_of(performance(), 0, points, MMA52).sum() == 0  # turning the head
    assert len(visible_truth(performance(), points, MMA52).labels) == 0
    points[:20, AT["nose"], 2] = 1  # a third of a second of one
    assert len(visible_truth(performance(), points, MMA52).labels) == 0
    assert visible_truth(performance(), seen(45), MMA52).labels.tolist() == [8]


def test_each_body_part_has_joints_that_it_needs():
    points = seen(2)
    assert needed_joints_seen(points, MMA52).all()
    for joint, action in (("left knee", "shaking legs"), ("left wrist", "waving"), ("left shoulder", "shrugging")):
        without = points.copy()
        without[0, [AT[joint], AT[joint.replace("left", "right")]], 2] = 0
        seen_joints = needed_joints_seen(without, MMA52)[:, MMA52.index[action]]
        assert seen_joints.tolist() == [False, True]
    hand = points.copy()
    hand[:, 33:, 2] = 0
    assert not needed_joints_seen(hand, MMA52)[:, MMA52.index["clenching fist"]].any()


def test_targets_are_one_while_an_action_lasts():
    targets = targets_of(performance(), 6, seen(30), MMA52)
    times = (6 + 2 * np.arange(15)) / 15
    np.testing.assert_array_equal(targets[:, 8], (times >= 1) & (times <= 2))
    assert targets.sum() == targets[:, 8].sum()


def test_batches_are_what_seed_epoch_and_number_say():
    def batches(seed: int = 0) -> PoseBatches:
        config = PoseTrainConfig(seed=seed, batches=3, train=TrainConfig(batch=4))
        return PoseBatches([performance(), performance(20)], MMA52, config)

    one, other = batches(), batches()
    assert (one[1].inputs == other[1].inputs).all() and one[1].inputs.isfinite().all()
    other.epoch = 1
    assert one[1].inputs.shape != other[1].inputs.shape or (one[1].inputs != other[1].inputs).any()
    assert one[1].inputs.shape[1] == 2 * one[1].targets.shape[1] and len(list(batches(2))) == 3


def test_performances_survive_the_disk(tmp_path):
    written = [performance(), performance(20, "other"), Performance(sitting(7).astype(np.float16), empty())]
    save_performances(tmp_path / "part.npz", written)
    for before, after in zip(written, load_performances(tmp_path / "part.npz"), strict=True):
        np.testing.assert_array_equal(before.joints, after.joints)
        assert before.truth.video_id == after.truth.video_id
        np.testing.assert_array_equal(before.truth.segments, after.truth.segments)


def empty() -> Annotation:
    return Annotation("nothing", 7 / 15, np.zeros((0, 2)), [])
