"""What is taken for what: a confusion matrix as a picture, grouped by body part."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmad.files import atomic_path
from mmad.labels import LabelSet
from mmad.report.timeline import part_colour


def draw_confusion(path: str | Path, matrix: np.ndarray, labels: LabelSet) -> None:
    """Write a picture (the kind is its suffix's). matrix: (K, K) counts, row = truth, column = prediction.

    A row is shaded by the shares of its predictions; a class without truth has an empty row.
    """
    size = len(labels)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 3.5 + 0.17 * size
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    axes.set_xticks(range(size), labels.actions, rotation=90, fontsize=7)
    axes.set_yticks(range(size), labels.actions, fontsize=7)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, tick in enumerate(ticks):
            tick.set_color(part_colour(labels.part_of[label]))
    for label in range(1, size):
        if labels.part_of[label] != labels.part_of[label - 1]:
            axes.axhline(label - 0.5, linewidth=0.6, color="#0072B2")
            axes.axvline(label - 0.5, linewidth=0.6, color="#0072B2")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.colorbar(image, ax=axes, shrink=0.5, label="share of the clips of a class")
    with atomic_path(path) as temporary:
        FigureCanvasAgg(figure)
        figure.savefig(temporary, format=Path(path).suffix.lstrip("."), dpi=110)


def worst_confusions(matrix: np.ndarray, labels: LabelSet, most: int = 8) -> list[str]:
    """The `most` frequent mistakes, a line each: "A taken for B: 5 of 9"."""
    wrong = matrix * ~np.eye(len(labels), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    lines = []
    for truth, predicted in zip(*np.unravel_index(order, matrix.shape)):
        if wrong[truth, predicted]:
            pair = f"{labels.actions[truth]} taken for {labels.actions[predicted]}"
            lines.append(f"{pair}: {wrong[truth, predicted]} of {matrix[truth].sum()}")
    return lines
