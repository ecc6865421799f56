"""Which class is predicted for which: a confusion matrix as a picture, grouped by body part."""

from pathlib import Path

import numpy as np

from mmad.labels import LabelSet
from mmad.report.class_axes import matrix_side, name_classes
from mmad.report.pictures import figure_file


def draw_confusion(path: str | Path, matrix: np.ndarray, labels: LabelSet) -> None:
    """Write a picture (the kind is its suffix's). matrix: (K, K) counts, row = truth, column = prediction.

    A row is shaded by the shares of its predictions; the row of a class without truth is empty.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = matrix_side(len(labels))
    with figure_file(path, side + 0.6, side) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="Greys", vmin=0, vmax=1)
        name_classes(axes, labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        figure.colorbar(image, ax=axes, shrink=0.5, label="share of the clips of the class")


def worst_confusions(matrix: np.ndarray, labels: LabelSet, count: int = 8) -> list[str]:
    """The `count` most frequent mistakes, a line each: "A taken for B: 5 of 9"."""
    wrong = matrix * ~np.eye(len(labels), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    lines = []
    for truth, predicted in zip(*np.unravel_index(order, matrix.shape)):
        if wrong[truth, predicted]:
            pair = f"{labels.actions[truth]} taken for {labels.actions[predicted]}"
            lines.append(f"{pair}: {wrong[truth, predicted]} of {matrix[truth].sum()}")
    return lines
