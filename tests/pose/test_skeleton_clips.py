"""Clips of joints for MMN: hand-checked on small skeletons, and against the authors' feeder where its output is."""

import json

import numpy as np
import pytest

from mmad.config import SkeletonConfig
from mmad.errors import InputError
from mmad.pose.skeleton_clips import (
    FRAMES,
    SKELETONS,
    Skeleton,
    augment,
    bones_of,
    clip_input,
    clip_points,
    even_frames,
    hide,
    interpolate,
    mirror_order,
    normalise,
    random_frames,
    skeleton_named,
)
from mmad.pose.skeletons import LAYOUTS

MMN44 = LAYOUTS["mmn44"]
STILL = SkeletonConfig(zero_axis=False, zero_frames=0, probability=1.0)


def always(**ways) -> SkeletonConfig:
    return SkeletonConfig(**{"zero_axis": False, "zero_frames": 0, "probability": 1.0, **ways})


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name, layout, count", [("ma52", "mmn44", 44), ("imigue", "imigue22", 22)])
def test_every_joint_is_shown_once_and_bones_are_between_joints(name, layout, count):
    skeleton = skeleton_named(name)
    assert skeleton.layout == layout and len(LAYOUTS[layout]) == count
    assert sorted(skeleton.order) == list(range(count))
    assert all(0 <= joint < count for bone in skeleton.bones for joint in bone)
    with pytest.raises(InputError, match=r"backbone\.skeleton: 'ntu'; choose one of ma52, imigue"):
        skeleton_named("ntu")


def test_normalised_by_the_extent_of_each_axis():
    """x from 2 to 6 and y from -10 to 10, over joints and frames; 4 and 0 are the middle."""
    points = np.array([[[2.0, -10], [6, 0]], [[4, 10], [np.nan, np.nan]]])
    out = normalise(points)
    np.testing.assert_allclose(out[0], [[-1, -1], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(out[1, 0], [0, 1], atol=1e-6)
    assert np.isnan(out[1, 1]).all()
    np.testing.assert_allclose(normalise(points * (30, 0.1) + 5), out, atol=1e-5)
    assert np.isnan(normalise(np.full((3, 2, 2), np.nan))).all()


def test_frames_of_short_and_long_clips():
    assert even_frames(1).tolist() == [0] * FRAMES
    assert even_frames(64).tolist() == list(range(64))
    assert even_frames(127).tolist() == list(range(0, 127, 2))
    drawn = random_frames(10, generator())
    assert len(drawn) == FRAMES and (np.diff(drawn) >= 0).all() and drawn.min() >= 0 and drawn.max() <= 9


def test_of_bones_at_one_joint_the_last_counts():
    points = np.array([[[1.0, 1], [3, 5], [10, 10]]])
    found = bones_of(points, [(0, 1), (0, 2), (2, 1)])
    np.testing.assert_array_equal(found, [[[-9, -9], [0, 0], [7, 5]]])


def test_joints_that_are_not_seen_for_a_while_are_interpolated():
    points = np.zeros((5, 3, 2))
    points[:, 0, 0] = [0, 9, 9, 6, 9]
    seen = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]], dtype=bool)
    out = interpolate(points, seen)
    assert out[:, 0, 0].tolist() == [0, 2, 4, 6, 6]
    assert (out[:, 1] == 0).all() and np.isnan(out[:, 2]).all()


def test_points_of_other_layouts():
    """A joint in the corner of the picture without confidence is not seen; what OpenPose lacks is not known."""
    points = np.ones((2, len(LAYOUTS["openpose18"]), 3), dtype=np.float32)
    joints = LAYOUTS["openpose18"]
    points[:, joints.index("nose"), 0] = [5, 5]
    points[1, joints.index("nose")] = 0
    out = clip_points(points, joints, SKELETONS["ma52"])
    assert out.shape == (2, 44, 2) and out[1, MMN44.index("nose")].tolist() == [5, 1]
    assert np.isnan(out[:, MMN44.index("left heel")]).all()
    assert out[0, MMN44.index("mid hip")].tolist() == [1, 1]


def test_what_is_not_known_is_the_middle_and_has_no_bone():
    skeleton = Skeleton("mmn44", bones=((0, 1), (1, 2), (3, 2)), order=tuple(range(44)))
    points = generator().uniform(1, 2, (10, 44, 2))
    points[:, 2] = np.nan
    x, _ = clip_input(points, skeleton, STILL)
    assert (x[:, :, 2] == 0).all() and (x[:, :, 1] != 0).any() and np.isfinite(x).all()
    bones, _ = clip_input(points, skeleton, SkeletonConfig(stream="bone"))
    assert (bones[:, :, 0] != 0).any() and (bones[:, :, [1, 2, 3]] == 0).all()
    nothing, _ = clip_input(np.full((4, 44, 2), np.nan), skeleton, STILL)
    assert (nothing == 0).all()


def test_where_in_the_clip_each_frame_was():
    points = generator().uniform(1, 2, (50, 44, 2))
    x, index_t = clip_input(points, SKELETONS["ma52"], STILL)
    assert x.shape == (2, 64, 44, 1) and x.dtype == index_t.dtype == np.float32
    np.testing.assert_allclose(index_t, 2 * np.linspace(0, 49, 64).astype(int) / 50 - 1, atol=1e-7)
    first = normalise(points)[0]
    np.testing.assert_allclose(x[:, 0, :, 0], first[list(SKELETONS["ma52"].order)].T, atol=1e-6)


# --- augmentation -----------------------------------------------------------------------------------------------


def varied(config: SkeletonConfig, points: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return augment(np.arange(FRAMES), points, SKELETONS["ma52"], config, generator(seed))


POINTS = np.random.default_rng(5).uniform(-1, 1, (70, 44, 2))


def test_each_way_of_varying_acts_and_is_off_by_default():
    """The released code computes most of these and then uses the unvaried array."""
    frames, points = varied(always(), POINTS)
    assert points is POINTS and frames.tolist() == list(range(64))
    rotated = varied(always(rotate=15), POINTS)[1]
    np.testing.assert_allclose((rotated**2).sum(axis=2), (POINTS**2).sum(axis=2))
    angle = np.degrees(np.arccos((rotated * POINTS).sum(axis=2) / (POINTS**2).sum(axis=2)))
    assert angle.min() > 0.1 and np.ptp(angle) < 1e-6 and angle.max() <= 15
    scaled = varied(always(scale=0.1), POINTS)[1] / POINTS
    assert np.ptp(scaled[..., 0]) < 1e-9 and scaled[0, 0, 0] != scaled[0, 0, 1]
    assert (np.abs(scaled - 1) <= 0.1).all() and (scaled != 1).all()
    moved = varied(always(shift=0.1), POINTS)[1] - POINTS
    assert np.ptp(moved[..., 0]) < 1e-9 and 0 < np.abs(moved).max() <= 0.1
    np.testing.assert_array_equal(varied(always(reverse=True), POINTS)[1], POINTS[::-1])
    jittered = varied(always(jitter=3), POINTS)[0]
    assert jittered.tolist() != list(range(64)) and (np.diff(jittered) >= 0).all()
    assert np.abs(np.sort(jittered) - np.arange(64)).max() <= 3


def test_mirrored_people_have_their_hands_on_the_other_side():
    mirrored = varied(always(mirror=True), POINTS)[1]
    left, right = MMN44.index("left wrist"), MMN44.index("right wrist")
    np.testing.assert_array_equal(mirrored[:, left], POINTS[:, right] * (-1, 1))
    order = np.array(mirror_order("mmn44"))
    assert (order[order] == np.arange(44)).all()
    assert MMN44[order[MMN44.index("right eye outer")]] == "left eye outer"


def test_what_is_hidden():
    shown = np.ones((FRAMES, 44, 2))
    axis = hide(shown, always(zero_axis=True), generator())
    assert sorted(axis.mean(axis=(0, 1)).tolist()) == [0, 1]
    for seed in range(20):
        block = hide(shown, always(zero_frames=16), generator(seed))
        zero = np.flatnonzero(block[:, 0, 0] == 0)
        assert 4 <= len(zero) <= 16 and (np.diff(zero) == 1).all()
        dropped = hide(shown, always(drop_joints=4), generator(seed))
        assert 1 <= (dropped == 0).all(axis=(0, 2)).sum() <= 4
    assert (shown == 1).all()
    never = SkeletonConfig(probability=0, rotate=90, drop_joints=40)
    np.testing.assert_array_equal(hide(shown, never, generator()), shown)


def test_a_training_clip_is_random_and_repeatable():
    config = SkeletonConfig(probability=1.0, rotate=20)
    first, again, other = (clip_input(POINTS, SKELETONS["ma52"], config, generator(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# --- the authors' feeder ----------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("stream, key", [("joint", "feeder_j"), ("bone", "feeder_b")])
def test_as_the_authors_feed_it(shared, stream, key):
    reference = json.loads((shared / "golden/mmn/reference_seed0.json").read_text())[key]
    noise = np.random.default_rng([1, 2026]).standard_normal((50, 44, 2))
    points = 40 * noise + 10 * np.arange(44)[None, :, None] + np.arange(50)[:, None, None]
    x, index_t = clip_input(points, SKELETONS["ma52"], SkeletonConfig(stream=stream))
    assert list(x.shape) == reference["shape"]
    np.testing.assert_allclose(x[:, :3, :5, 0], reference["corner"], atol=1e-5)
    assert x.mean() == pytest.approx(reference["mean"], abs=1e-5)
    assert x.std() == pytest.approx(reference["std"], abs=1e-5)
    np.testing.assert_allclose(index_t[:5], reference["index_t_head"], atol=1e-6)
    np.testing.assert_allclose(index_t[-3:], reference["index_t_tail"], atol=1e-6)
