"""People who do nothing: postures that are as varied as life and look like none of the classes."""

import numpy as np
import pytest

from mmad.render.body import Body
from mmad.render.motions import MOTIONS
from mmad.render.perform import perform
from mmad.render.pose import SIDES, STANDING, Pose
from mmad.render.posture import SEATED, STOOD, TABLE, resting_on
from mmad.render.timelines import FPS, Action, Timeline, class_frequencies, make_timeline

SEATS = {"chair": 0.0, "stool": 0.35, "standing": STANDING}


def idle(seat: float, seed: int, seconds: int = 2) -> Pose:
    return perform(Timeline("v", seconds * FPS, (), seat), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def body() -> Body:
    return Body({"gender": 0.5, "age": 0.7})


@pytest.mark.parametrize("seat", SEATS.values(), ids=SEATS)
def test_no_posture_is_one_of_the_actions(body, seat):
    """Ankles are not crossed, heels are down, no leg lies over the other, the hands are away from head and chest."""
    for seed in range(40):
        pose = idle(seat, seed)
        now = body.transforms(pose)
        left, right, *wrists = (
            now.apply(body.anatomy.bones[f"{joint}.{side}"], body.head(f"{joint}.{side}"))
            for joint in ("foot", "wrist")
            for side in SIDES
        )
        assert (left[:, 0] - right[:, 0]).min() > 0.03
        assert np.abs(np.concatenate([left[:, 2], right[:, 2]]) - body.sole).max() < 0.015
        neck = now.apply(body.anatomy.bones["neck01"], body.head("neck01"))
        assert all((neck - wrist)[:, 2].min() > 0.15 for wrist in wrists)
        for side in SIDES:
            assert np.abs(pose.head).max() < 60 and not pose.reaches[side]
            assert sum(rest.weight for rest in pose.rest[side]) == pytest.approx(1)


def test_hands_rest_in_many_ways_and_differently_from_each_other():
    seated = [idle(0.0, seed) for seed in range(150)]
    places = {name: rest.to for name, (_, rest) in SEATED.items()}
    assert {place for pose in seated for place in resting_on(pose, "L")} == {*places.values()}
    unlike = np.mean([resting_on(pose, "L") != resting_on(pose, "R") for pose in seated])
    assert 0.1 < unlike < 0.5
    stood = [idle(STANDING, seed) for seed in range(60)]
    assert {place for pose in stood for place in resting_on(pose, "L")} >= {rest.to for _, rest in STOOD.values()}


def test_hands_lie_on_a_table_where_there_is_one():
    pose = perform(Timeline("v", 60, (), table=True), np.random.default_rng(0))
    assert pose.table and all(resting_on(pose, side) == {TABLE.to} for side in SIDES)


def test_a_posture_is_kept_or_changed_without_haste(body):
    """In half a minute some hands move elsewhere, none faster than 1.5 m/s."""
    moved = []
    for seed in range(12):
        now = body.transforms(idle(0.0, seed, seconds=30))
        for side in SIDES:
            wrist = now.apply(body.anatomy.bones[f"wrist.{side}"], body.head(f"wrist.{side}"))
            assert np.linalg.norm(np.diff(wrist, axis=0), axis=1).max() < 1.5 / FPS
            moved.append(np.ptp(wrist, axis=0).max())
    assert 0.2 < np.mean(np.array(moved) > 0.08) < 0.95


@pytest.mark.parametrize("name", [name for name, motion in MOTIONS.items() if not motion.seated])
def test_who_stands_does_it_standing(body, name):
    for seed in range(3):
        action = Action(name, 0.5, 2.5, "R")
        now = body.transforms(perform(Timeline("v", 3 * FPS, (action,), STANDING), np.random.default_rng(seed)))
        for side in SIDES:
            ankle = now.apply(body.anatomy.bones[f"foot.{side}"], body.head(f"foot.{side}"))
            assert ankle[:, 2] == pytest.approx(body.sole, abs=0.015)


def test_people_sit_on_chairs_and_stools_or_stand():
    generator = np.random.default_rng(0)
    made = [make_timeline(generator, str(i), class_frequencies()) for i in range(400)]
    standing = [item for item in made if item.seat == STANDING]
    assert 0.07 < len(standing) / len(made) < 0.18
    assert not any(MOTIONS[action.name].seated for item in standing for action in item.actions)
    assert 0.03 < np.mean([item.table for item in made]) < 0.15 and not any(item.table for item in standing)
    assert 0.2 < np.mean([0 < item.seat < STANDING for item in made]) < 0.5
    legs = [make_timeline(generator, "", class_frequencies(["shaking legs", "tiptoe"])) for _ in range(40)]
    assert all(item.seat < STANDING for item in legs)
