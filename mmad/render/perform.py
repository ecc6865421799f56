"""From a timeline to a pose: the actions one by one, on a body in a posture that is never quite still. Numpy only."""

from collections.abc import Sequence

import numpy as np

from mmad.render.acts import Act
from mmad.render.pose import SIDES, Pose
from mmad.render.posture import rest
from mmad.render.timelines import FPS, Action, Timeline


def perform(timeline: Timeline, generator: np.random.Generator) -> Pose:
    """The pose in every frame of a video: posture, idle motion (breathing, swaying, blinks, glances), and the
    actions."""
    pose = Pose(timeline.frames, timeline.seat, timeline.table)
    seconds = np.arange(timeline.frames) / FPS
    actions = (*timeline.actions, *timeline.distractors)
    rest(pose, seconds, generator)
    _idle(pose, seconds, generator)
    # Postures of the legs first: a leg that lies over the other one shakes differently.
    for action in sorted(actions, key=lambda action: ("legs" not in action.needs(), action.start)):
        action.motion.program(pose, _act(action, actions, seconds, generator))
    return pose


def _act(action: Action, actions: Sequence[Action], seconds: np.ndarray, generator: np.random.Generator) -> Act:
    same_limbs = [other for other in actions if other is not action and other.needs() & action.needs()]
    return Act(
        seconds,
        action.start,
        action.end,
        generator=np.random.default_rng(generator.integers(2**63)),  # its own: its draws do not shift those of others
        side=action.side,
        both=action.both,
        previous_end=max((other.end for other in same_limbs if other.start < action.start), default=-np.inf),
        next_start=min((other.start for other in same_limbs if other.start >= action.start), default=np.inf),
    )


def _idle(pose: Pose, seconds: np.ndarray, generator: np.random.Generator) -> None:
    """What people do all the time and what is not annotated."""

    def drift(scale: float, hertz: float = 0.25) -> np.ndarray:
        """(T,) a slow random function of about -scale..scale"""
        waves = [
            np.sin(2 * np.pi * (hertz * rate * seconds + generator.random())) / (1 + i)
            for i, rate in enumerate(generator.uniform(0.4, 2.2, 4))
        ]
        return scale * sum(waves) / 1.5

    still = generator.uniform(0.5, 1.3)
    breath = np.sin(2 * np.pi * (generator.uniform(0.2, 0.33) * seconds + generator.random()))
    pose.turn("trunk", drift(1.0 * still) + 0.5 * breath, drift(0.8 * still), drift(1.0 * still))
    pose.turn("head", drift(1.6 * still), drift(1.2 * still), drift(2.2 * still))
    for side in SIDES:
        pose.shoulder[side] += 1.2 + 1.2 * breath
        pose.step(side, knee=drift(0.02))
    for at in np.cumsum(generator.exponential(3.2, 12)):  # blinks
        pose.eyelids += np.clip(1 - np.abs(seconds - at) / 0.09, 0, 1)
    for at, until in np.cumsum(generator.exponential(1.5, (8, 2)).reshape(-1)).reshape(-1, 2):  # glances
        pose.gaze[(seconds >= at) & (seconds < until)] = generator.normal(0, 1, 2) * (4.0, 9.0)
    if generator.random() < 0.5:  # talks
        loud = np.clip(drift(1.0, 0.3) + 0.3, 0, 1)
        pose.jaw += 0.35 * loud * (0.5 + 0.5 * np.sin(2 * np.pi * (4 * seconds + drift(0.6, 1.5))))
    pose.smile += np.clip(drift(0.4, 0.1), 0, 0.6)
