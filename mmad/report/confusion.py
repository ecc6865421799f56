"""What is taken for what: a confusion matrix as a picture, grouped by body part."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mmad.labels import LabelSet
from mmad.report.pictures import part_colour, picture, plain


def draw_confusion(path: str | Path, matrix: np.ndarray, labels: LabelSet) -> None:
    """Write a picture (the kind is its suffix's). matrix: (K, K) counts, row = truth, column = prediction.

    A row is shaded by the shares of its predictions; a class without truth has an empty row.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = matrix_side(len(labels))
    with picture(path, side + 0.6, side) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
        name_classes(axes, labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        figure.colorbar(image, ax=axes, shrink=0.5, label="share of the clips of a class")


def matrix_side(classes: int) -> float:
    """Inches that a matrix of so many classes, with their names, is high."""
    return 2.2 + 0.115 * classes


def name_classes(axes: Axes, labels: LabelSet) -> None:
    """The names of the classes along both sides of a (K, K) image, and lines between the body parts."""
    names = [plain(name) for name in labels.actions]
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
