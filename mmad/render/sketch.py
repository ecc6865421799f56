"""Sketched people: a seated stick figure that does some of the 52 micro-actions, several at once.

Small and quick, for trying the whole path and for tests that go from pixels to mAP. Each class is one short motion
program: a function that moves the joints of a pose. Same seed, same data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from tqdm import tqdm

from mmad.errors import InputError
from mmad.files import atomic_path, write_text
from mmad.labels import MMA52
from mmad.records import Annotation

FPS = 30
HEIGHT, WIDTH = 112, 96

# Joints of a seated figure, (x, y) in units of its height, the hip at 0, y down.
REST = {
    "hip": (0.0, 0.0),
    "neck": (0.0, -0.36),
    "head": (0.0, -0.48),
    "gaze": (0.0, -0.48),
    "left_shoulder": (-0.13, -0.33),
    "left_elbow": (-0.19, -0.13),
    "left_hand": (-0.09, 0.0),
    "right_shoulder": (0.13, -0.33),
    "right_elbow": (0.19, -0.13),
    "right_hand": (0.09, 0.0),
    "left_knee": (-0.12, 0.12),
    "left_foot": (-0.12, 0.4),
    "right_knee": (0.12, 0.12),
    "right_foot": (0.12, 0.4),
}
LIMBS = (  # from, to, half width, colour
    ("left_knee", "left_foot", 0.032, "legs"),
    ("right_knee", "right_foot", 0.032, "legs"),
    ("hip", "left_knee", 0.045, "legs"),
    ("hip", "right_knee", 0.045, "legs"),
    ("hip", "neck", 0.09, "shirt"),
    ("left_shoulder", "left_elbow", 0.03, "sleeve"),
    ("right_shoulder", "right_elbow", 0.03, "sleeve"),
    ("head", "head", 0.085, "skin"),
    ("gaze", "gaze", 0.03, "hair"),
    ("left_elbow", "left_hand", 0.027, "skin"),
    ("right_elbow", "right_hand", 0.027, "skin"),
)

Pose = dict[str, np.ndarray]  # joint -> (x, y)


def _toward(pose: Pose, joint: str, target, strength: float) -> None:
    pose[joint] += strength * (np.asarray(target) - pose[joint])


def _nod(pose: Pose, t: float, strength: float) -> None:
    dip = 0.05 * strength * (0.5 - 0.5 * np.cos(2 * np.pi * 1.7 * t))
    pose["head"][1] += 0.5 * dip
    pose["gaze"][1] += 1.8 * dip


def _shake_head(pose: Pose, t: float, strength: float) -> None:
    pose["gaze"][0] += 0.06 * strength * np.sin(2 * np.pi * 2.2 * t)


def _turn_head(pose: Pose, t: float, strength: float) -> None:
    pose["gaze"][0] -= 0.06 * strength
    pose["head"][0] -= 0.015 * strength


def _wave(pose: Pose, t: float, strength: float) -> None:
    _toward(pose, "right_elbow", (0.26, -0.24), strength)
    _toward(pose, "right_hand", (0.27 + 0.07 * np.sin(2 * np.pi * 2.0 * t), -0.48), strength)


def _rub_hands(pose: Pose, t: float, strength: float) -> None:
    rub = 0.035 * np.sin(2 * np.pi * 2.5 * t)
    _toward(pose, "left_hand", (-0.015, -0.12 + rub), strength)
    _toward(pose, "right_hand", (0.015, -0.12 - rub), strength)


def _touch_nose(pose: Pose, t: float, strength: float) -> None:
    _toward(pose, "left_elbow", (-0.22, -0.25), strength)
    _toward(pose, "left_hand", pose["gaze"] + (0.0, 0.03), strength)


def _cross_legs(pose: Pose, t: float, strength: float) -> None:
    _toward(pose, "right_knee", (-0.04, 0.08), strength)
    _toward(pose, "right_foot", (-0.24, 0.28), strength)


def _shake_legs(pose: Pose, t: float, strength: float) -> None:
    shake = 0.045 * strength * np.sin(2 * np.pi * 3.5 * t)
    pose["left_knee"][1] += shake
    pose["left_foot"][1] += 0.4 * shake


# Name -> (what moves it, motion). Actions that need the same limb never coincide.
MOTIONS: dict[str, tuple[str, Callable[[Pose, float, float], None]]] = {
    "nodding": ("head", _nod),
    "shaking head": ("head", _shake_head),
    "turning head": ("head", _turn_head),
    "waving": ("arms", _wave),
    "rubbing hands": ("arms", _rub_hands),
    "touching nose": ("arms", _touch_nose),
    "crossing legs": ("legs", _cross_legs),
    "shaking legs": ("legs", _shake_legs),
}


@dataclass
class Person:
    """How one subject looks: colours, (3,) RGB in 0..255; size in pixels; where the hip sits, pixels."""

    colours: dict[str, np.ndarray]
    background: np.ndarray
    size: float
    hip: np.ndarray
    sway: float


def make_person(generator: np.random.Generator) -> Person:
    names = ("legs", "shirt", "hair")
    colours = {name: generator.uniform(20, 200, 3) for name in names}
    colours["sleeve"] = colours["shirt"] * 0.8
    colours["skin"] = np.array([225, 180, 150]) * generator.uniform(0.5, 1.05)
    size = HEIGHT * generator.uniform(0.88, 1.0)
    hip = np.array([WIDTH * generator.uniform(0.44, 0.56), HEIGHT * generator.uniform(0.56, 0.6)])
    return Person(colours, generator.uniform(150, 245, 3), size, hip, generator.uniform(0.2, 0.8))


def make_timeline(generator: np.random.Generator, video_id: str, shortest: float = 5, longest: float = 9) -> Annotation:
    """Two to six actions, most of them at the same time as another, none twice on one limb at a moment."""
    frames = int(generator.integers(int(shortest * FPS), int(longest * FPS) + 1))
    segments, labels = [], []
    for limb in ("head", "arms", "legs"):
        at = int(generator.integers(-FPS, 2 * FPS))
        names = [name for name, (moves, _) in MOTIONS.items() if moves == limb]
        while at < frames - FPS // 2:
            length = int(FPS * np.exp(generator.normal(0.6, 0.5)))
            start, end = max(at, 0), min(at + length, frames - 1)
            if end - start >= FPS // 2:
                segments.append((start / FPS, end / FPS))
                labels.append(MMA52.index[str(generator.choice(names))])
            at += length + int(generator.integers(FPS // 2, 4 * FPS))
    return Annotation(video_id, frames / FPS, segments, labels, fps=FPS)


def draw_video(timeline: Annotation, person: Person, generator: np.random.Generator) -> np.ndarray:
    """(T, H, W, 3) uint8"""
    frames = round(timeline.duration * FPS)
    drift = np.cumsum(generator.normal(0, person.sway * 0.15, (frames, 2)), axis=0)
    drift -= np.linspace(0, 1, frames)[:, None] * drift[-1]
    video = np.empty((frames, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for i in range(frames):
        pose = {joint: np.array(place) for joint, place in REST.items()}
        for (start, end), label in zip(timeline.segments, timeline.labels):
            t = i / FPS
            strength = np.clip(min(t - start, end - t) / 0.2, 0, 1)  # a fifth of a second to begin and to end
            if strength > 0:
                MOTIONS[MMA52.actions[label]][1](pose, t - start, strength)
        noise = generator.normal(0, 4, (HEIGHT, WIDTH, 3))
        video[i] = np.clip(draw(pose, person, drift[i]) + noise, 0, 255)
    return video


def draw(pose: Pose, person: Person, offset: np.ndarray) -> np.ndarray:
    """(H, W, 3) float: the limbs as capsules with soft edges, back to front."""
    picture = np.broadcast_to(person.background, (HEIGHT, WIDTH, 3)).copy()
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    for start, end, half_width, colour in LIMBS:
        a, b = (pose[joint] * person.size + person.hip + offset for joint in (start, end))
        along = b - a
        share = ((columns - a[0]) * along[0] + (rows - a[1]) * along[1]) / max(along @ along, 1e-9)
        share = np.clip(share, 0, 1)
        away = np.hypot(columns - a[0] - share * along[0], rows - a[1] - share * along[1])
        cover = np.clip(half_width * person.size - away + 0.5, 0, 1)[..., None]
        picture += cover * (person.colours[colour] - picture)
    return picture


def write_video(path: str | Path, frames: np.ndarray) -> None:
    """H.264 at 30 frames a second."""
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        # One thread and no look-ahead: with either, what x264 writes now and then differs from run to run.
        x264 = "mbtree=0:rc-lookahead=0:sync-lookahead=0"
        options = {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": x264}
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def write_data_set(out: str | Path, videos: int = 60, clips: int = 200, seed: int = 0) -> None:
    """A data set in the official forms: train/, val/ with their CSVs, and trimmed clips/ with MA-52 lists.

    A quarter of the videos and clips are held out, of people whom training never shows. What is there already is kept.
    """
    out = Path(out)
    for name, value in (("--videos", videos), ("--clips", clips), ("--seed", seed)):
        if not 0 <= value < 2**31:
            raise InputError(name, f"{value}", "must not be negative")
    plans = []
    for subset, count in (("train", videos - videos // 4), ("val", videos // 4)):
        generator = np.random.default_rng([seed, len(subset), 1])
        timelines = [make_timeline(generator, f"{subset}{i:04d}") for i in range(count)]
        _write_once(out / f"{subset}.csv", _csv(timelines))
        plans += [
            (out / subset / f"{item.video_id}.mp4", item, (seed, len(subset), 1, i)) for i, item in enumerate(timelines)
        ]
    names = list(MOTIONS)
    for subset, count in (("train", clips - clips // 4), ("val", clips // 4)):
        generator = np.random.default_rng([seed, len(subset), 2])
        lines = []
        for i in range(count):
            label = MMA52.index[names[i % len(names)]]
            frames = int(generator.integers(FPS, 3 * FPS))
            name = f"{subset}_clip{i:04d}"
            clip = Annotation(name, frames / FPS, [(0, frames / FPS)], [label], fps=FPS)
            plans.append((out / "clips" / f"{name}.mp4", clip, (seed, len(subset), 2, i)))
            lines.append(f"{name}.mp4 {label}\n")
        _write_once(out / f"{subset}_list_videos.txt", "".join(lines))
    for path, timeline, key in tqdm([plan for plan in plans if not plan[0].exists()], unit="video", disable=None):
        generator = np.random.default_rng(key)
        write_video(path, draw_video(timeline, make_person(generator), generator))


def _write_once(path: Path, text: str) -> None:
    """Leave what is there; another data set is never written over."""
    if not path.exists():
        write_text(path, text)
    elif path.read_bytes() != text.encode():
        raise InputError(path, "is there already, with other content", "choose another folder")


def _csv(timelines: list[Annotation]) -> str:
    rows = ["id,video_id,start_frame,end_frame,class,total_frames,fps"]
    for item in timelines:
        for (start, end), label in zip(item.segments, item.labels):
            span = f"{round(start * FPS)},{round(end * FPS)},{label},{round(item.duration * FPS)},{FPS}"
            rows.append(f"{len(rows) - 1},{item.video_id},{span}")
    return "\n".join(rows) + "\n"
