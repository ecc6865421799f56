"""A figure of what a person does: how often and how long each action."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes

from mmad.labels import MMA52
from mmad.report.pictures import NEUTRAL, PAGE, escape_math, figure_file, part_colour, part_patches


class EthogramRow(NamedTuple):
    """One action that a person did. part: index of its body part. total, mean: s. per_minute: times per minute."""

    action: str
    part: int
    count: int
    total: float
    mean: float
    per_minute: float


def draw_ethogram(path: str | Path, rows: Sequence[EthogramRow], parts: Sequence[str] = MMA52.parts) -> None:
    """How often and how long each action was done: a bar per action, grouped by body part, the most frequent first.

    parts: names of the body parts.
    """
    rows = sorted((EthogramRow(*row) for row in rows), key=lambda row: (row.part, -row.per_minute))
    with figure_file(path, PAGE, 0.7 + 0.17 * max(len(rows), 2)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        _draw_bars(
            left, rows, [row.per_minute for row in rows], [f"{row.per_minute:.2g} ({row.count})" for row in rows]
        )
        _draw_bars(right, rows, [row.total for row in rows], [f"{row.total:.3g} (mean {row.mean:.2g})" for row in rows])
        left.set_yticks(range(len(rows)), [escape_math(row.action) for row in rows])
        left.set_ylim(max(len(rows), 1) - 0.4, -0.6)
        left.set_xlabel("times per minute (count)")
        right.set_xlabel("seconds in all (mean of one)")
        right.tick_params(axis="y", length=0)
        if rows:
            patches = part_patches((row.part for row in rows), parts)
            right.legend(handles=patches, loc="upper left", bbox_to_anchor=(1, 1))


def _draw_bars(axes: Axes, rows: list[EthogramRow], values: list[float], notes: list[str]) -> None:
    """A bar per row in the colour of its body part with a note behind it, and lines between the body parts."""
    bars = axes.barh(range(len(rows)), values, color=[part_colour(row.part) for row in rows])
    axes.bar_label(bars, notes, padding=2, fontsize=6)
    axes.set_xlim(0, 1.5 * max(values, default=0) or 1)
    for place in range(1, len(rows)):
        if rows[place].part != rows[place - 1].part:
            axes.axhline(place - 0.5, color=NEUTRAL, linewidth=0.4)
