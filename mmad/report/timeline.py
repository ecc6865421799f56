"""A picture of what happens when: one lane an action, coloured by body part, shaded by score."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmad.files import atomic_path
from mmad.labels import LabelSet
from mmad.records import Annotation, Detections

# Okabe & Ito's palette, which colour-blind people can tell apart; one colour a body part.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A7500")


def part_colour(part: int) -> str:
    return COLOURS[part % len(COLOURS)]


def draw_timeline(
    path: str | Path,
    detections: Detections,
    duration: float,
    labels: LabelSet,
    truth: Annotation | None = None,
    frames: np.ndarray | None = None,
    most: int = 30,
) -> None:
    """Write a picture (the kind is its suffix's) of the `most` best detections, under the truth where it is given.

    duration: of the video, s. frames: (n, H, W, 3) uint8, the middles of n equal parts of the video, shown above.
    """
    shown = slice(0, most)
    chosen = list(zip(detections.segments[shown], detections.labels[shown], detections.scores[shown]))
    rows = sorted({int(label) for _, label, _ in chosen} | set(truth.labels.tolist() if truth else []))
    lane = {label: i for i, label in enumerate(rows)}
    tall = 1.3 + 0.28 * max(len(rows), 1)
    figure = Figure(figsize=(10, tall + (1.5 if frames is not None else 0)), layout="constrained")
    if frames is None:
        axes = figure.add_subplot()
    else:
        film, axes = figure.subplots(2, 1, height_ratios=(1.5, tall))
        _draw_film(film, frames, duration)
    top = max((score for _, _, score in chosen), default=1.0) or 1.0
    for (start, end), label, score in reversed(chosen):
        axes.barh(
            lane[int(label)],
            end - start,
            left=start,
            height=0.36 if truth else 0.7,
            align="edge" if truth else "center",
            color=part_colour(labels.part_of[label]),
            alpha=float(0.05 + 0.95 * (score / top) ** 2),
            linewidth=0,
        )
    if truth:
        for (start, end), label in zip(truth.segments, truth.labels):
            axes.barh(lane[int(label)], end - start, left=start, height=-0.36, align="edge", color="#404040")
    axes.set_yticks(range(len(rows)), [labels.actions[label] for label in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, duration)
    axes.set_xlabel("seconds")
    # "$" starts a formula in matplotlib: an id is text.
    title = detections.video_id.replace("$", r"\$")
    (axes if frames is None else film).set_title(
        f"{title}: the {len(chosen)} best-scored detections" + (", truth in grey" if truth else ""), loc="left"
    )
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    parts = sorted({labels.part_of[label] for label in rows})
    handles = [Patch(color=part_colour(part), label=labels.parts[part]) for part in parts]
    if handles:
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    kind = Path(path).suffix.lstrip(".")
    with atomic_path(path) as temporary:
        FigureCanvasAgg(figure)
        figure.savefig(temporary, format=kind, dpi=110)


def _draw_film(axes: Axes, frames: np.ndarray, duration: float) -> None:
    """Frames side by side, each over its part of the time axis."""
    part = duration / len(frames)
    for i, frame in enumerate(frames):
        axes.imshow(frame, extent=(i * part, (i + 1) * part, 0, 1), aspect="auto", interpolation="bilinear")
    axes.set_xlim(0, duration)
    axes.set_ylim(0, 1)
    axes.axis("off")
