"""Joint inputs do not depend on where a person is or how large; joints that are not seen are zero."""

import numpy as np
import pytest

from mmad.pose.joint_inputs import (
    FPS,
    JOINT_INPUTS,
    PART_LETTERS,
    RADIUS,
    build_inputs,
    named_points,
    nan_moving_mean,
    on_grid,
)
from mmad.pose.skeletons import LAYOUTS, mirror
from mmad.records import LandmarkTrack

NAMES = LAYOUTS["mediapipe75"]
AT = {name: i for i, name in enumerate(NAMES)}


def person(steps: int = 30, seed: int = 0) -> np.ndarray:
    """(T, 75, 3) joints at random places in the picture, trembling, all seen."""
    generator = np.random.default_rng(seed)
    places = generator.uniform(0.3, 0.7, (1, 75, 2)) + 0.01 * generator.standard_normal((steps, 75, 2))
    places[:, AT["left shoulder"], 0] += 0.2
    return np.concatenate([places, np.ones((steps, 75, 1))], axis=2).astype(np.float32)


def test_place_and_size_in_the_picture_do_not_matter():
    points = person()
    moved = points.copy()
    moved[..., :2] = 0.4 * points[..., :2] + (0.3, -0.05)
    np.testing.assert_allclose(build_inputs(points), build_inputs(moved), atol=2e-3)


def test_an_unseen_joint_is_zero_where_it_is_needed_and_nowhere_else():
    points, fewer = person(), person()
    fewer[:, AT["left wrist"]] = (np.nan, np.nan, 0)
    whole, without = build_inputs(points), build_inputs(fewer)
    needs = np.array(["left wrist" in item.name for item in JOINT_INPUTS])
    assert (without[:, needs] == 0).all()
    apart = np.array(["left" in item.name and "hand" not in item.name for item in JOINT_INPUTS]) | needs
    np.testing.assert_array_equal(whole[:, ~apart], without[:, ~apart])


def test_nothing_seen_is_all_zero_and_finite():
    nothing = np.full((5, 75, 3), np.nan, dtype=np.float32)
    nothing[..., 2] = 0
    assert (build_inputs(nothing) == 0).all()
    assert build_inputs(person(1)).shape == (1, len(JOINT_INPUTS), 7)


def test_a_legs_posture_is_hidden_from_the_head():
    points, other = person(), person()
    legs = [AT[f"{side} {joint}"] for side in ("left", "right") for joint in ("knee", "ankle", "heel", "foot index")]
    other[:, legs, :2] += 0.1
    seen = np.array(["B" in item.parts for item in JOINT_INPUTS])
    np.testing.assert_array_equal(build_inputs(points)[:, seen], build_inputs(other)[:, seen])
    assert set("".join(item.parts for item in JOINT_INPUTS)) == set(PART_LETTERS)


def test_steps_beyond_the_radius_have_no_influence():
    points, other = person(600), person(600)
    other[450:] = person(150, seed=5)
    np.testing.assert_allclose(build_inputs(points)[: 450 - RADIUS], build_inputs(other)[: 450 - RADIUS], atol=1e-3)


def test_a_turned_head_shows_in_ears():
    points = person()
    points[..., :2] = points[:1, :, :2]
    points[:, AT["left ear"], :2], points[:, AT["right ear"], :2] = (0.6, 0.3), (0.4, 0.3)
    points[:, AT["nose"], :2] = (0.55, 0.3)
    values = build_inputs(points)[:, [item.name for item in JOINT_INPUTS].index("nose from mid ears, in ear distances")]
    assert values[0, 0] == pytest.approx(2.0 * (0.55 - 0.5) / max(0.2, 0.0), rel=1e-4)  # factor 2, ears 0.2 apart


def test_mirrored_people_mirror():
    points = person()
    turned = mirror(points, 1.0)
    there, here = named_points(points), named_points(turned)
    np.testing.assert_allclose(here["left wrist"][:, 0], 1 - there["right wrist"][:, 0], atol=1e-6)
    np.testing.assert_allclose(here["left hand thumb 4"][:, 1], there["right hand thumb 4"][:, 1], atol=1e-6)
    np.testing.assert_allclose(mirror(turned, 1.0), points, atol=1e-6)


def test_nan_moving_mean_ignores_nan():
    values = np.array([[1.0], [np.nan], [3.0], [np.nan]])
    assert nan_moving_mean(values, 1 / FPS)[:, 0].tolist() == [1.0, 2.0, 3.0, 3.0]
    assert np.isnan(nan_moving_mean(np.full((3, 1), np.nan), 1.0)).all()


def track(times, points) -> LandmarkTrack:
    return LandmarkTrack("v", points, np.asarray(times, dtype=float), "mediapipe75", (100, 100))


def test_joints_are_put_on_an_even_grid():
    points = person(4)
    points[:, 0, 0] = (0.1, 0.2, 0.4, 0.5)
    found, grid = on_grid(track([0, 0.1, 0.2, 0.7], points))
    assert grid.step == pytest.approx(1 / 15) and len(found) == 11
    assert found[1, 0, 0] == pytest.approx(0.1 + 0.1 * (1 / 15) / 0.1, abs=1e-5)  # two thirds of the way
    assert np.isnan(found[6, 0, 0]) and found[6, 0, 2] == 0  # half a second without a row is no movement


def test_what_lies_outside_the_picture_is_not_seen():
    points = person(3)
    points[1, 5, 0] = 1.2
    found, _ = on_grid(track([0, 1 / 15, 2 / 15], points))
    assert found[1, 5, 2] == 0 or np.isnan(found[1, 5, 0]) or found[1, 5, 0] <= 1
    assert (found[:, 6, 2] > 0).all()
