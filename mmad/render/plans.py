"""What is rendered: which person does what when, in which file; and the processes that do it.

Whatever is random depends on (seed, subset, kind, number) alone: the same seed gives the same files, however many
processes render them, and a run that was stopped goes on where it was.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmad.config import RenderConfig
from mmad.render.timelines import Timeline, frequencies, make_clip, make_timeline

SUBSETS = ("train", "val")
VIDEOS_A_PERSON = 3  # of long ones; MMA-52 has some 30
CLIPS_A_PERSON = 12


@dataclass(frozen=True)
class Plan:
    """One video to render: its file, what happens in it, and the keys of what is random in it and in its person."""

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
    chances = frequencies(config.classes, config.tail)
    generator = np.random.default_rng(_key(config, subset, "timeline", 0))
    found = []
    for i in range(_count(config.videos, subset)):
        person = i // VIDEOS_A_PERSON
        timeline = make_timeline(generator, f"{subset}_{person:03d}_{i:04d}", chances, config.longest)
        path = out / subset / f"{timeline.video_id}.mp4"
        found.append(Plan(path, timeline, _key(config, subset, "video", i), _key(config, subset, "person", person)))
    return found


def plan_clips(out: Path, config: RenderConfig, subset: str) -> list[Plan]:
    """Trimmed clips, as many of each class, and each person does classes drawn at random."""
    generator = np.random.default_rng(_key(config, subset, "timeline", 1))
    found, names = [], []
    for i in range(_count(config.clips, subset)):
        person = i // CLIPS_A_PERSON
        names = names or list(generator.permutation(list(frequencies(config.classes))))
        name = str(names.pop())
        clip = make_clip(generator, f"{subset}_clip_{person:03d}_{i:05d}", name)
        path = out / "clips" / f"{clip.video_id}.mp4"
        found.append(Plan(path, clip, _key(config, subset, "clip", i), _key(config, subset, "person", person)))
    return found


def run_on_cores(work: Callable, jobs: list[tuple], workers: int) -> None:
    """Call `work` for each (argument, frames) in `workers` processes, one a core for 0, and show how far it is."""
    if not jobs:
        return
    from mmad.render.body import anatomy

    anatomy()  # refuses a machine without the library at once, and leaves its data cached for the processes
    workers = min(workers or multiprocessing.cpu_count(), len(jobs))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        with tqdm(total=sum(frames for _, frames in jobs), unit="frame", desc="rendering", disable=None) as bar:
            waiting = {pool.submit(work, argument): frames for argument, frames in jobs}
            for job in as_completed(waiting):
                job.result()
                bar.update(waiting[job])
    finally:
        pool.shutdown(cancel_futures=True)  # stopped, what is under way is finished, and no more


def _start_worker() -> None:
    """One thread a process: they share the cores. Interrupting is the parent's business, and nobody outlives it."""
    import torch  # here and not above: planning, --help and bad input need none of it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
