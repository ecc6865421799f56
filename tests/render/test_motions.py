"""Motion programs move what their class is about, and nothing outside their time."""

import numpy as np
import pytest

from mmad.labels import MMA52
from mmad.render.motions import MOTIONS
from mmad.render.perform import perform
from mmad.render.pose import SIDES, Pose
from mmad.render.timelines import FPS, Action, Timeline

SEEDS = range(12)


def posed(name: str | None, frames: int = 3 * FPS, side: str = "R", both: bool = False, seed: int = 1) -> Pose:
    actions = (Action(name, 1.0, 2.0, side, both),) if name else ()
    return perform(Timeline("v", frames, actions), np.random.default_rng(seed))


def numbers(pose: Pose) -> np.ndarray:
    """(T, N): all that a pose asks for, reaches by their weights; in degrees, 3 cm, or thirtieths of a whole."""
    degrees = [pose.trunk, pose.head, pose.facing[:, None], pose.gaze]
    parts = [pose.shift, pose.place, *(v[:, None] for v in (pose.lift, pose.eyelids, pose.jaw, pose.smile))]
    for side in SIDES:
        degrees += [values[side][:, None] for values in (pose.shoulder, pose.forward, pose.heel, pose.edge)]
        parts += [pose.ankle[side], pose.dangling[side][:, None], pose.knee[side][:, None]]
        weight = sum((reach.weight for reach in pose.reaches[side]), np.zeros(pose.frames))
        parts += [weight[:, None]]
    return np.concatenate([*degrees, *(30 * part for part in parts)], axis=1)


@pytest.mark.parametrize("name", MMA52.actions)
def test_an_action_shows_in_its_time_and_only_then(name):
    """Outside it what it leaves behind stays, or goes more slowly than an action would: under 24 degrees a second."""
    for seed in SEEDS:
        added = numbers(posed(name, seed=seed)) - numbers(posed(None, seed=seed))
        speed = np.abs(np.diff(added, axis=0)).max(axis=1)
        assert speed[:28].max() < 0.8 and speed[61:].max() < 0.8
        assert speed[29:60].max() > 0.05 and np.ptp(added, axis=0).max() > 1


@pytest.mark.parametrize("name", MMA52.actions)
def test_no_two_performances_are_the_same_unless_the_seed_is(name):
    first, again, other = (numbers(posed(name, seed=seed)) - numbers(posed(None, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=0.01)


@pytest.mark.parametrize("name", [name for name, motion in MOTIONS.items() if "one hand" in motion.needs])
@pytest.mark.parametrize("side", SIDES)
def test_either_hand_does_it(name, side):
    pose = posed(name, side=side)
    assert pose.reaches[side] and not pose.reaches["L" if side == "R" else "R"]


@pytest.mark.parametrize("name", [name for name, motion in MOTIONS.items() if motion.both])
def test_both_hands_do_it_where_one_or_both_can(name):
    pose = posed(name, both=True)
    assert all(pose.reaches[side] for side in SIDES)


def heads(name: str) -> np.ndarray:
    """(seeds, T, 3) what an action adds to the head"""
    return np.array([posed(name, seed=seed).head - posed(None, seed=seed).head for seed in SEEDS])


def test_nodding_goes_down_and_up_and_shaking_to_both_sides():
    nod, shake = heads("nodding"), heads("shaking head")
    down = nod[:, :, 0].max(axis=1)
    assert down.min() > 1 and down.max() < 27 and down.max() > 4 * down.min()  # from barely visible to plain
    assert np.abs(nod[:, :, 1:]).max() < 1e-9
    assert (shake[:, :, 2].max(axis=1) > 1).all() and (shake[:, :, 2].min(axis=1) < -1).all()


def test_heads_are_lowered_raised_tilted_and_turned():
    """What most performances of a class do; bowing and tilting head have two readings."""
    largest = {name: np.abs(heads(name)).max(axis=1) for name in MMA52.actions if "head" in MOTIONS[name].needs}
    for name, axis in (("bowing head", 0), ("head up", 0), ("tilting head", 1), ("turning head", 2)):
        assert (largest[name].argmax(axis=1) == axis).mean() >= 0.5, name
    raised = heads("head up")[:, :, 0]
    assert ((raised[:, 45:60].min(axis=1) - raised[:, 28]) < -3).all()


def test_some_postures_stay_until_the_limb_does_something_else():
    """Straightened backs stay, sink or fall; where they stay, another action of the trunk ends it."""

    def back(*then: Action, seed: int) -> np.ndarray:
        chance = (np.random.default_rng(seed) for _ in range(2))
        actions = (Action("sitting straightly", 1.0, 2.0, "R"), *then)
        with_it, without = (perform(Timeline("v", 5 * FPS, some), next(chance)) for some in (actions, ()))
        return (with_it.trunk - without.trunk)[:, 0]

    alone = np.array([back(seed=seed)[-1] for seed in SEEDS])
    assert (alone < -3).sum() >= 3
    for seed in SEEDS:
        upright = back(Action("shaking body", 3.0, 4.0, "R"), seed=seed)[-1]
        assert upright == pytest.approx(0, abs=1e-6)


def test_a_person_is_never_quite_still():
    head = posed(None, 10 * FPS)
    assert head.head.std(axis=0).min() > 0.1
    assert head.eyelids.max() > 0.5  # blinks
    assert len(np.unique(head.gaze, axis=0)) > 2
