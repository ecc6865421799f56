"""Motion programs move what their class is about, and nothing outside their time."""

import numpy as np
import pytest

from mmad.labels import MMA52
from mmad.render.motions import MOTIONS
from mmad.render.performance import perform
from mmad.render.pose import SIDES, Pose
from mmad.render.timelines import FPS, Action, Timeline


def posed(name: str | None, frames: int = 3 * FPS, side: str = "R") -> Pose:
    actions = (Action(name, 1.0, 2.0, side),) if name else ()
    return perform(Timeline("v", frames, actions), np.random.default_rng(1))


def numbers(pose: Pose, frame: int) -> np.ndarray:
    """All that a pose asks for in a frame, reaches by their weights."""
    parts = [pose.trunk, pose.head, pose.shift, pose.gaze]
    parts += [values[:, None] for values in (pose.eyelids, pose.jaw, pose.smile)]
    for side in SIDES:
        parts += [pose.ankle[side]]
        parts += [values[side][:, None] for values in (pose.shoulder, pose.heel, pose.dangling, pose.knee)]
        weight = sum((reach.weight for reach in pose.reaches[side]), np.zeros(pose.frames))
        parts += [weight[:, None]]
    return np.concatenate([part[frame] for part in parts])


@pytest.mark.parametrize("name", MMA52.actions)
def test_an_action_shows_in_its_time_and_only_then(name):
    idle, acting = posed(None), posed(name)
    for frame in (0, 20, 29, 61, 80):
        assert numbers(acting, frame) == pytest.approx(numbers(idle, frame), abs=1e-9)
    assert np.abs(numbers(acting, 45) - numbers(idle, 45)).max() > 0.05


@pytest.mark.parametrize("name", [name for name, motion in MOTIONS.items() if "one hand" in motion.needs])
@pytest.mark.parametrize("side", SIDES)
def test_either_hand_does_it(name, side):
    pose = posed(name, side=side)
    assert pose.reaches[side] and not pose.reaches["L" if side == "R" else "R"]


def test_nodding_goes_down_and_up_and_shaking_to_both_sides():
    quiet = posed(None).head
    nod, shake = (posed(name).head - quiet for name in ("nodding", "shaking head"))
    assert nod[:, 0].max() > 10 and nod[:, 0].min() > -1
    assert shake[:, 2].max() > 8 and shake[:, 2].min() < -8
    assert np.abs(nod[:, 2]).max() < 1e-9


def test_a_person_is_never_quite_still():
    head = posed(None, 10 * FPS)
    assert head.head.std(axis=0).min() > 0.1
    assert head.eyelids.max() > 0.5  # blinks
    assert len(np.unique(head.gaze, axis=0)) > 2
