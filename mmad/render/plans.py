"""What is rendered: which person does which actions when, and in which file; and the processes that render it.

Everything random is determined by (seed, subset, kind, number): the same seed gives the same files with any number of
processes, and an interrupted run can be continued.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmad.config import RenderConfig
from mmad.render.timelines import Timeline, class_frequencies, make_clip, make_timeline
from mmad.worker_process import become_worker

SUBSETS = ("train", "val")
VIDEOS_PER_PERSON = 3  # MMA-52 has about 30
CLIPS_PER_PERSON = 12


@dataclass(frozen=True)
class Plan:
    """One video to render: its file and its timeline. key, person: seeds of the random choices in this video and of its
    person."""

    path: Path
    timeline: Timeline
    key: tuple[int, ...]
    person: tuple[int, ...]


def _key(config: RenderConfig, subset: str, kind: str, number: int) -> tuple[int, ...]:
    return config.seed, SUBSETS.index(subset), ("timeline", "video", "clip", "person").index(kind), number


def _count(total: int, subset: str) -> int:
    return total // 4 if subset == "val" else total - total // 4


def plan_videos(out: Path, config: RenderConfig, subset: str) -> list[Plan]:
    """Long videos with several actions each."""
    frequencies = class_frequencies(config.classes, config.tail)
    generator = np.random.default_rng(_key(config, subset, "timeline", 0))
    found = []
    for i in range(_count(config.videos, subset)):
        person = i // VIDEOS_PER_PERSON
        timeline = make_timeline(generator, f"{subset}_{person:03d}_{i:04d}", frequencies, config.longest)
        path = out / subset / f"{timeline.video_id}.mp4"
        found.append(Plan(path, timeline, _key(config, subset, "video", i), _key(config, subset, "person", person)))
    return found


def plan_clips(out: Path, config: RenderConfig, subset: str) -> list[Plan]:
    """Trimmed clips, equally many per class; the classes of each person are random."""
    generator = np.random.default_rng(_key(config, subset, "timeline", 1))
    found, names = [], []
    for i in range(_count(config.clips, subset)):
        person = i // CLIPS_PER_PERSON
        names = names or list(generator.permutation(list(class_frequencies(config.classes))))
        name = str(names.pop())
        clip = make_clip(generator, f"{subset}_clip_{person:03d}_{i:05d}", name)
        path = out / "clips" / f"{clip.video_id}.mp4"
        found.append(Plan(path, clip, _key(config, subset, "clip", i), _key(config, subset, "person", person)))
    return found


def run_in_processes(work: Callable, jobs: list[tuple], workers: int) -> None:
    """Call work(argument) for each (argument, frames) in jobs, with a progress bar. workers: processes; 0: one per
    core."""
    if not jobs:
        return
    from mmad.render.body import anatomy

    anatomy()  # fails early where the library is missing, and fills its cache before the processes start
    workers = min(workers or multiprocessing.cpu_count(), len(jobs))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=become_worker)
    try:
        with tqdm(total=sum(frames for _, frames in jobs), unit="frame", desc="rendering", disable=None) as bar:
            waiting = {pool.submit(work, argument): frames for argument, frames in jobs}
            for job in as_completed(waiting):
                job.result()
                bar.update(waiting[job])
    finally:
        pool.shutdown(cancel_futures=True)  # when interrupted, jobs in progress are finished and no others are started
