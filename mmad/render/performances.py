"""Joints in space of rendered people, for the pose network: timelines and motions as in the videos, without
pictures."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from mmad.config import NoiseConfig, RenderConfig
from mmad.data.performance_files import Performance, load_performances, save_performances
from mmad.data.pose_dataset import estimated_joints
from mmad.pose.joint_inputs import FPS as JOINTS_FPS
from mmad.pose.landmark_files import save_landmarks
from mmad.pose.skeletons import LAYOUT
from mmad.records import LandmarkTrack
from mmad.render.body import Body
from mmad.render.body_joints import BodyJoints
from mmad.render.look import make_shape
from mmad.render.perform import perform
from mmad.render.plans import Plan, plan_clips, plan_videos, run_in_processes
from mmad.render.timelines import FPS

PERFORMANCES_PER_FILE = 60
PICTURE_HEIGHT = 720  # pixels, stated in the landmark tracks: no picture is rendered


def render_performances(folder: str | Path, config: RenderConfig, split: str) -> list[Performance]:
    """The performances of a split, "train" or "val" (other people), from files in `folder`; missing files are made."""
    folder = Path(folder)
    plans = plan_videos(folder, config, split) + plan_clips(folder, config, split)
    chunks = [plans[i : i + PERFORMANCES_PER_FILE] for i in range(0, len(plans), PERFORMANCES_PER_FILE)]
    paths = [folder / f"{split}_{number:04d}.npz" for number in range(len(chunks))]
    missing = [(path, chunk) for path, chunk in zip(paths, chunks) if not path.exists()]
    jobs = [(job, sum(plan.timeline.frames for plan in job[1])) for job in missing]
    run_in_processes(_write_chunk, jobs, config.workers)
    return [item for path in paths for item in load_performances(path)]


def _write_chunk(job: tuple[Path, Sequence[Plan]]) -> None:
    path, plans = job
    save_performances(path, [perform_in_space(plan) for plan in plans])


def write_landmarks(plan: Plan) -> None:
    """Write the track of a plan beside where its video would be."""
    save_landmarks(plan.path.parent, landmark_track(plan))


def landmark_track(plan: Plan) -> LandmarkTrack:
    """The joints of a plan's person as an estimator would find them in the picture of a camera, 15 rows per second.

    The true actions are `plan.timeline.annotation()`, also those that the camera does not show.
    """
    performance = perform_in_space(plan)
    joints = performance.joints.astype(np.float32)
    points, aspect = estimated_joints(joints, np.random.default_rng([*plan.key, 1]), NoiseConfig())
    times = np.arange(len(points)) / JOINTS_FPS
    size = (round(PICTURE_HEIGHT * aspect), PICTURE_HEIGHT)
    truth, source = performance.truth, "rendered people, with an estimator's mistakes"
    return LandmarkTrack(truth.video_id, points, times, LAYOUT, size, duration=truth.duration, source=source)


def perform_in_space(plan: Plan) -> Performance:
    """The joints of the plan's person who does the actions of its timeline, at `mmad.pose.joint_inputs.FPS`."""
    generator = np.random.default_rng(plan.key)
    pose = perform(plan.timeline, generator)
    pose = pose.at_frames(np.arange(0, pose.frames, round(FPS / JOINTS_FPS)))
    body, joints = _person(plan.person)
    return Performance(joints.at(body.transforms(pose)).astype(np.float16), plan.timeline.annotation())


@lru_cache(maxsize=2)
def _person(key: tuple[int, ...]) -> tuple[Body, BodyJoints]:
    """Cached: consecutive plans show the same person."""
    body = Body(make_shape(np.random.default_rng(key)))
    return body, BodyJoints(body)
