"""Hands get where they are sent, feet stand on the floor, on every figure."""

import numpy as np
import pytest
from made_people import contact

from mmad.render.body import AIR, LEG, Body, Transforms, vertex_normals
from mmad.render.motions import MOTIONS
from mmad.render.perform import perform
from mmad.render.pose import SIDES, STANDING, Pose
from mmad.render.timelines import FPS, Action, Timeline

SHAPES = {
    "child": {"age": 0.4, "height": 0.3},
    "tall thin man": {"gender": 0.0, "height": 0.95, "weight": 0.1},
    "short heavy woman": {"gender": 1.0, "height": 0.1, "weight": 0.95},
    "elder": {"age": 1.0, "muscle": 0.2},
    "strong": {"muscle": 0.9, "weight": 0.6},
}


@pytest.fixture(scope="module", params=SHAPES)
def body(request) -> Body:
    return Body({"gender": 0.5, "age": 0.7, **SHAPES[request.param]})


def middle_of(name: str, side: str = "R", seed: int = 0, both: bool = False) -> Pose:
    """One second into two seconds of an action."""
    return perform(Timeline("v", 2 * FPS, (Action(name, 0.0, 2.0, side, both),)), np.random.default_rng(seed))


TOUCHES = [
    name
    for name in MOTIONS
    if any(
        reach.to not in AIR for seed in range(4) for side in SIDES for reach in middle_of(name, seed=seed).reaches[side]
    )
]


@pytest.mark.parametrize("name", TOUCHES)
def test_a_hand_that_touches_is_there(body, name):
    """Within 4 cm of the spot in the frames between onset and offset: clothes, scratching and patting included."""
    for seed in range(4):
        pose = middle_of(name, seed=seed, both=seed % 2 > 0)
        now = body.transforms(pose)
        for side in SIDES:
            for reach in pose.reaches[side]:
                there = reach.weight > 0.999
                if reach.to in AIR or not there.any():
                    continue
                asked = np.broadcast_to(body.scale * np.linalg.norm(np.atleast_2d(reach.offset), axis=1), pose.frames)
                away = contact(body, now, side, reach)
                assert (away - asked)[there].max() < 0.04, f"{seed} {side} {reach.to}"


@pytest.mark.parametrize("landmark", ["nose", "mouth", "forehead", "chest", "other shoulder", "thigh", "shin"])
@pytest.mark.parametrize("side", SIDES)
def test_touching_is_exact(body, landmark, side):
    """A finger sent to a spot ends on the skin over it: the 12 mm kept for clothes and flesh, and no more."""
    pose = Pose(2)
    pose.reach(side, np.ones(2), landmark, tip="index", hand="point", fingers=(-0.5, -0.6, 0.3), palm=(0.0, -1.0, -0.3))
    if landmark in LEG:
        pose.trunk[:, 0] += 20
    assert contact(body, body.transforms(pose), side, pose.reaches[side][0]) == pytest.approx(0.012, abs=0.005)


@pytest.mark.parametrize("name", [name for name in MOTIONS if not {"legs", "feet"} & {*MOTIONS[name].needs}])
def test_feet_stand_on_the_floor(body, name):
    now = body.transforms(middle_of(name))
    for side in SIDES:
        ankle = now.apply(body.anatomy.bones[f"foot.{side}"], body.head(f"foot.{side}"))
        assert ankle[:, 2] == pytest.approx(body.sole, abs=0.005)
        assert np.ptp(ankle[:, :2], axis=0).max() < 0.02


def ankles(body: Body, pose: Pose) -> list[np.ndarray]:
    """(T, 3), left and right"""
    now = body.transforms(pose)
    return [now.apply(body.anatomy.bones[f"foot.{side}"], body.head(f"foot.{side}")) for side in SIDES]


def test_one_leg_over_the_other(body):
    """Past the middle, and off the floor: hanging from the knee, or on the other knee."""
    ups = []
    for seed in range(6):
        left, right = (ankle[30] for ankle in ankles(body, middle_of("curling legs", "L", seed)))
        assert left[0] < -0.03 and right[2] == pytest.approx(body.sole, abs=0.01)
        ups.append((left[2] - right[2]) / body.shin)
    assert min(ups) > 0.2 and max(ups) > 0.9  # both ways of doing it


def test_crossed_legs_cross(body):
    """At the ankles, or first the one knee over the other and then the other way round."""
    kinds = []
    for seed in range(8):
        left, right = ankles(body, middle_of("crossing legs", "L", seed))
        crossed = left[:, 0] < right[:, 0]
        assert crossed.any()
        lifted = [(ankle[:, 2] > body.sole + 0.3 * body.shin).any() for ankle in (left, right)]
        kinds.append(all(lifted))
        assert all(lifted) or not any(lifted)
    assert len(set(kinds)) == 2


def test_interlaced_fingers_are_between_each_other(body):
    for seed in range(4):
        now = body.transforms(middle_of("hands touching fingers", seed=seed))
        left, right = (now.apply(*body.hands[side].tips["clasp"])[25:35] for side in SIDES)
        assert np.linalg.norm(left - right, axis=1).max() < 0.09


def test_standing_and_rising(body):
    stood = Pose(1, seat=STANDING)
    rising = Pose(3)
    rising.lift[:] = (0.0, 0.5, 1.0)
    hips = [body.transforms(pose).apply(0, body.heads[0])[:, 2] for pose in (stood, rising)]
    assert hips[1][2] == pytest.approx(hips[0][0]) and (np.diff(hips[1]) > 0.1).all()
    for pose in (stood, rising):
        for ankle in ankles(body, pose):
            assert ankle[:, 2] == pytest.approx(body.sole, abs=0.01)
            assert np.ptp(ankle[:, :2], axis=0).max() < 0.02
    left, _ = ankles(body, stood)
    hip = body.head("upperleg01.L")
    assert np.abs(left[0, :2] - hip[:2]).max() < 0.15  # under the hips


def test_turning_the_whole_person_turns_the_feet_too(body):
    pose = Pose(2)
    pose.facing[1] = 90
    left, right = ankles(body, pose)
    assert (left - right)[0, 0] > 0.1 and abs((left - right)[0, 1]) < 0.02
    assert (left - right)[1, 1] > 0.1 and abs((left - right)[1, 0]) < 0.02


def test_a_hand_on_the_thigh_stays_there_as_the_leg_moves(body):
    pose = Pose(2)
    pose.put_leg("R", np.array([0.0, 1.0]), out=-0.35, forward=0.1, up=0.24, knee=-0.7, dangling=1.0)
    assert contact(body, body.transforms(pose), "R", pose.rest["R"][0]) == pytest.approx(0.012, abs=0.01)


def test_bones_keep_their_lengths(body):
    now = body.transforms(middle_of("crossing arms"))
    for side in SIDES:
        for bones in (("upperarm01", "lowerarm01"), ("lowerarm01", "wrist"), ("upperleg01", "lowerleg01")):
            first, second = (body.anatomy.bones[f"{bone}.{side}"] for bone in bones)
            length = np.linalg.norm(body.heads[second] - body.heads[first])
            ends = now.apply(second, body.heads[second]) - now.apply(first, body.heads[first])
            assert np.linalg.norm(ends, axis=1) == pytest.approx(length, rel=1e-3)


def test_turns_are_turns(body):
    now = body.transforms(middle_of("scratching feet"))
    square = now.turn @ np.swapaxes(now.turn, 2, 3)
    assert square == pytest.approx(np.broadcast_to(np.eye(3), square.shape), abs=1e-5)
    assert np.linalg.det(now.turn) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", MOTIONS)
def test_motion_is_smooth(body, name):
    """No joint jumps: a wrist or an ankle goes less than 20 cm from one frame to the next."""
    for seed in range(3):
        now = body.transforms(middle_of(name, seed=seed))
        for bone in (f"{joint}.{side}" for joint in ("wrist", "foot") for side in SIDES):
            places = now.apply(body.anatomy.bones[bone], body.head(bone))
            assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 0.20, f"{seed} {bone}"


def test_a_hand_follows_the_head_it_touches():
    body = Body({})
    pose = Pose(2)
    pose.head[1, 2] = 30  # turned aside in the second frame
    pose.reach("R", np.ones(2), "nose", tip="index", hand="point")
    now = body.transforms(pose)
    finger = now.apply(*body.hands["R"].tips["index"])
    assert np.linalg.norm(finger[1] - finger[0]) > 0.03
    assert contact(body, now, "R", pose.reaches["R"][0]) == pytest.approx(0.012, abs=0.003)


def test_one_hand_finds_the_other(body):
    for seed in range(4):
        pose = middle_of("scratching arms", seed=seed)
        (reach,) = [reach for reach in pose.reaches["R"] if reach.to.startswith("other")]
        assert contact(body, body.transforms(pose), "R", reach)[25:35].max() < 0.09, seed


def test_normals_of_a_tetrahedron_point_outward():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float)
    normals = vertex_normals(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    assert ((corners - corners.mean(axis=0)) * normals).sum(axis=1).min() > 0
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)


def test_forward_kinematics_by_hand():
    """Turning the root a quarter about z takes a point in front of the person to the person's left."""
    body = Body({})
    turns = np.broadcast_to(np.eye(3), (1, len(body.heads), 3, 3)).copy()
    turns[0, 0] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    now = body._forward(turns, np.zeros(3))
    assert isinstance(now, Transforms)
    root = body.heads[0]
    assert now.apply(0, root) == pytest.approx(root[None])
    assert now.apply(body.anatomy.bones["head"], root + (0, -1, 0)) == pytest.approx((root + (1, 0, 0))[None], abs=1e-6)
