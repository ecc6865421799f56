"""A picture of what happens when: one lane per action, coloured by body part, shaded by score."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation, Detections
from mmad.report.content import VideoResult
from mmad.report.pictures import PAGE, escape_math, figure_file, part_colour, part_patches, top_detections

TRUTH = "#404040"
LANE = 0.19  # inches
FILM = 1.0  # inches
LONGEST_NAME = 60  # characters of a video's name in the title


@dataclass(frozen=True)
class TimelineOptions:
    """max_detections: the best ones are shown. min_score: what scores less is not shown. title: over the picture; ""
    is none, None says what the picture shows."""

    max_detections: int = 30
    min_score: float = 0.0
    title: str | None = None


def draw_timeline(
    path: str | Path,
    video: VideoResult,
    labels: LabelSet,
    frames: np.ndarray | None = None,
    options: TimelineOptions | None = None,
) -> None:
    """Write a picture (the kind is its suffix's) of the best detections, under the truth where it is known.

    frames: (n, H, W, 3) uint8, the middles of n equal parts of the video, shown above.
    """
    options = options or TimelineOptions()
    chosen = top_detections(video.found, options.max_detections, options.min_score)
    rows = lanes_of(chosen, video.truth)
    tall = height_of(rows)
    with figure_file(path, PAGE, 0.3 + tall + (FILM if frames is not None else 0)) as figure:
        if frames is None:
            axes = top = figure.add_subplot()
        else:
            top, axes = figure.subplots(2, 1, height_ratios=(FILM, tall))
            _draw_film(top, frames, video.duration)
        draw_lanes(axes, chosen, video.truth, labels)
        axes.set_xlim(0, video.duration)
        title = _describe(chosen, video.truth) if options.title is None else options.title
        if title:
            top.set_title(escape_math(title), loc="left")


def plot_timeline(
    detections: Detections,
    duration: float | None = None,
    labels: LabelSet = MMA52,
    truth: Annotation | None = None,
    max_detections: int = 30,
    ax: Axes | None = None,
) -> Axes:
    """Draw the best detections of one video into matplotlib axes, under the truth where it is given; for notebooks.

    duration: s, where the time axis ends; None: with the annotated video, else with the last detection. labels: those
    of the detector. ax: axes to draw into; None: new ones, high enough for all lanes. Returns the axes.
    """
    chosen = top_detections(detections, max_detections)
    if ax is None:
        from matplotlib import pyplot  # on demand: it chooses a way to show figures, which files do not need

        size = (PAGE, 0.3 + height_of(lanes_of(chosen, truth)))
        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    draw_lanes(ax, chosen, truth, labels)
    if duration is None:
        duration = truth.duration if truth else float(chosen.segments[:, 1].max(initial=0)) or 1.0
    ax.set_xlim(0, duration)
    return ax


def lanes_of(chosen: Detections, truth: Annotation | None) -> list[int]:
    """The labels that have a lane, from the top: those of the body part that comes first."""
    return sorted(set(chosen.labels.tolist()) | set(truth.labels.tolist() if truth else []))


def height_of(lanes: list[int]) -> float:
    """Inches that axes with these lanes are high."""
    return 0.5 + LANE * max(len(lanes), 2)


def _describe(chosen: Detections, truth: Annotation | None) -> str:
    truth_too = ", truth in grey" if truth else ""
    name = chosen.video_id
    name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
    return f"{name}: the {len(chosen)} best-scored detections{truth_too}"


def draw_lanes(axes: Axes, chosen: Detections, truth: Annotation | None, labels: LabelSet) -> None:
    """The lanes with their names, a time axis in seconds, and a legend to the right of the axes."""
    rows = lanes_of(chosen, truth)
    _draw_bars(axes, chosen, truth, rows, labels)
    axes.set_yticks(range(len(rows)), [escape_math(labels.actions[label]) for label in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("seconds")
    axes.grid(axis="x", alpha=0.3)
    handles = part_patches((labels.part_of[label] for label in rows), labels.parts)
    handles += [Patch(color=TRUTH, label="truth")] if truth else []
    if handles:
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_bars(axes: Axes, chosen: Detections, truth: Annotation | None, rows: list[int], labels: LabelSet) -> None:
    """A bar per detection, the best ones on top; the truth in the upper half of each lane where it is given."""
    lane = {label: i for i, label in enumerate(rows)}
    highest = float(chosen.scores.max(initial=0)) or 1.0
    for (start, end), label, score in list(zip(chosen.segments, chosen.labels, chosen.scores))[::-1]:
        axes.barh(
            lane[int(label)],
            end - start,
            left=start,
            height=0.36 if truth else 0.7,
            align="edge" if truth else "center",
            color=part_colour(labels.part_of[label]),
            alpha=float(0.05 + 0.95 * (score / highest) ** 2),
            linewidth=0,
        )
    if truth:
        for (start, end), label in zip(truth.segments, truth.labels):
            axes.barh(lane[int(label)], end - start, left=start, height=-0.36, align="edge", color=TRUTH, linewidth=0)


def _draw_film(axes: Axes, frames: np.ndarray, duration: float) -> None:
    """Frames side by side, each over its part of the time axis."""
    part = duration / len(frames)
    for i, frame in enumerate(frames):
        axes.imshow(frame, extent=(i * part, (i + 1) * part, 0, 1), aspect="auto", interpolation="bilinear")
    axes.set_xlim(0, duration)
    axes.set_ylim(0, 1)
    axes.axis("off")
