"""Annotations that the tests of the formats share, and where they are written."""

from dataclasses import replace
from pathlib import Path

from mmad.formats import PER_VIDEO_FORMATS
from mmad.labels import MMA52
from mmad.records import Annotation

NODDING, BOWING, WAVING = (MMA52.index[name] for name in ("nodding", "bowing head", "waving"))
FOUND = [
    Annotation(
        "day1/v1",
        10.04,
        [[0.2, 1.0], [0.4, 2.08], [3.0, 4.04]],
        [NODDING, NODDING, WAVING],
        fps=25.0,
        scores=[0.9, 0.25, 1.0],
    ),
    Annotation("v2", 5.0, [[0.0, 5.0]], [BOWING], fps=25.0, scores=[0.5]),
]
SAID = [replace(item, scores=None) for item in FOUND]
ASSUMED = "30 frames a second are assumed; else give --fps N (in training data.fps=N)"
BORIS_7 = """\
Observation id,Observation date,Media file,Total length,FPS,Subject,Behavior,Behavioral category,Modifiers,\
Behavior type,Start (s),Stop (s),Duration (s),Comment start,Comment stop
v1,2020-01-02,v1.mp4,60.5,25.0,No focal subject,nodding,head,,STATE,1.000,2.500,1.500,,
v1,2020-01-02,v1.mp4,60.5,25.0,No focal subject,waving,,,POINT,3.000,3.000,NA,,
v2,2020-01-02,v2.mp4,NA,25.0,No focal subject,waving,,,STATE,0.000,4.000,4.000,sure,
"""
BORIS_9 = (
    BORIS_7.replace("Total length", "Media duration (s)")
    .replace("FPS,", "FPS (frame/s),")
    .replace("Modifiers", "Modifier #1")
)


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def out_for(folder: Path, form: str) -> Path:
    return folder / ("out" if form in PER_VIDEO_FORMATS else "out.csv" if form == "boris" else "out.json")


def plain(annotations) -> dict:
    """{video id: (duration, [(label, start, end)])}, rounded to a microsecond"""
    return {
        item.video_id: (
            round(item.duration, 6),
            [(k, round(s, 6), round(e, 6)) for k, (s, e) in zip(item.labels.tolist(), item.segments.tolist())],
        )
        for item in annotations
    }
