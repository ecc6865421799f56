"""Axes along which the classes stand: a row of bars, or both sides of a matrix."""

import numpy as np
from matplotlib.axes import Axes

from mmad.labels import LabelSet
from mmad.report.pictures import HALF_PAGE, escape_math, part_colour, part_patches

BAR = 0.125  # inches that a class takes in a row of bars


def width_of_bars(count: int) -> float:
    """Inches that a row of so many bars, with their names, is wide."""
    return max(0.7 + BAR * count, HALF_PAGE)


def draw_class_bars(axes: Axes, values: np.ndarray, classes: np.ndarray, labels: LabelSet, notes: list[str]) -> None:
    """A bar per class in the colour of its body part, its note above it, its name below it.

    values, notes: (N,) in the order of the bars. classes: (N,) their labels.
    """
    places = range(len(classes))
    parts = [labels.part_of[label] for label in classes]
    bars = axes.bar(places, values, color=[part_colour(part) for part in parts])
    axes.bar_label(bars, notes, padding=2, fontsize=5, rotation=90, bbox={"color": "white", "pad": 0.4})
    axes.set_xticks(places, [escape_math(labels.actions[label]) for label in classes], rotation=90, fontsize=6)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.7, len(classes) - 0.3)
    axes.margins(y=0.08)
    axes.legend(handles=part_patches(parts, labels.parts), loc="upper right", ncols=2)


def matrix_side(classes: int) -> float:
    """Inches that a matrix of so many classes, with their names, is high."""
    return 2.2 + 0.115 * classes


def name_classes(axes: Axes, labels: LabelSet) -> None:
    """The names of the classes along both sides of a (K, K) image, and lines between the body parts."""
    names = [escape_math(name) for name in labels.actions]
    axes.set_xticks(range(len(labels)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(labels)), names, fontsize=6)
    axes.tick_params(length=1.5)
    axes.spines[:].set_visible(False)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, tick in enumerate(ticks):
            tick.set_color(part_colour(labels.part_of[label]))
    for label in range(1, len(labels)):
        if labels.part_of[label] != labels.part_of[label - 1]:
            axes.axhline(label - 0.5, linewidth=0.6, color="#0072B2")
            axes.axvline(label - 0.5, linewidth=0.6, color="#0072B2")
