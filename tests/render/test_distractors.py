"""What nobody annotates is done beside the actions, shows, and ends where it began."""

from dataclasses import replace

import numpy as np
import pytest
from made_people import contact

from mmad.labels import MMA52
from mmad.render.acts import NEEDS
from mmad.render.body import Body
from mmad.render.distractors import ARRIVALS, DISTRACTOR_STATISTICS, DISTRACTORS
from mmad.render.perform import perform
from mmad.render.pose import STANDING
from mmad.render.timelines import FPS, Action, Timeline, class_frequencies, make_timeline


@pytest.fixture(scope="module")
def body() -> Body:
    return Body({"gender": 0.5, "age": 0.7})


def joints(body: Body, name: str | None, seed: int, both: bool = False) -> np.ndarray:
    """(T, J, 3) heads of the bones over 5 s; a distractor from 1 to 4 s"""
    others = (Action(name, 1.0, 4.0, "R", both),) if name else ()
    now = body.transforms(perform(Timeline("v", 5 * FPS, (), distractors=others), np.random.default_rng(seed)))
    return np.einsum("tjik,jk->tji", now.turn, body.heads) + now.move


def test_distractors_are_none_of_the_actions():
    assert set(DISTRACTORS) == {*DISTRACTOR_STATISTICS, *ARRIVALS} and not set(DISTRACTORS) & set(MMA52.actions)
    assert {need for motion in DISTRACTORS.values() for need in motion.needs} <= {*NEEDS}


@pytest.mark.parametrize("name", DISTRACTORS)
def test_a_distractor_shows_and_is_smooth(body, name):
    for seed in range(4):
        acting, idle = (joints(body, done, seed, both=seed % 2 > 0) for done in (name, None))
        assert np.abs(acting - idle)[40:110].max() > 0.003
        assert np.linalg.norm(np.diff(acting, axis=0), axis=2).max() < 0.2
        if name not in ARRIVALS:
            assert np.abs(acting - idle)[:28].max() < 1e-6


def test_a_cup_gets_to_the_mouth(body):
    for seed in range(4):
        pose = perform(Timeline("v", 90, (), distractors=(Action("drinking", 0, 3, "L"),)), np.random.default_rng(seed))
        assert pose.held == {"L": "cup"}
        (reach,) = pose.reaches["L"]
        assert contact(body, body.transforms(pose), "L", reach)[40:50].max() < 0.16


@pytest.mark.parametrize("name", ARRIVALS)
def test_who_arrives_stands_first_and_sits_in_the_end(body, name):
    for seed in range(4):
        arriving, idle = joints(body, name, seed), joints(body, None, seed)
        hips, seated = arriving[:, 0], idle[:, 0]
        assert hips[29, 2] > seated[29, 2] + 0.8 * body.thigh
        assert (np.abs(hips[29, 0]) > 0.9) == (name == "walking in")
        assert hips[-5:] == pytest.approx(seated[-5:], abs=0.01)


def test_timelines_hold_distractors_and_do_not_annotate_them():
    generator = np.random.default_rng(0)
    made = [make_timeline(generator, str(i), class_frequencies()) for i in range(500)]
    assert {action.name for item in made for action in item.distractors} == set(DISTRACTORS)
    assert 0.4 < np.mean([len(item.distractors) > 0 for item in made]) < 0.9
    assert 0.01 < np.mean([any(action.name in ARRIVALS for action in item.distractors) for item in made]) < 0.09
    for item in made:
        plain = replace(item, distractors=())
        assert np.array_equal(item.annotation().segments, plain.annotation().segments)
        if item.seat == STANDING:
            assert not any(DISTRACTORS[action.name].seated for action in item.distractors)


def test_there_is_no_table_in_the_way_of_legs():
    generator = np.random.default_rng(0)
    made = [make_timeline(generator, str(i), class_frequencies()) for i in range(300)]
    tables = [item for item in made if item.table]
    assert tables
    assert not any("legs" in action.needs() for item in tables for action in (*item.actions, *item.distractors))
