"""Figures of what a data set holds: lengths, instances per video, instances per class, classes that overlap."""

import csv
import io
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from mmad.errors import InputError
from mmad.files import write_text
from mmad.labels import LabelSet
from mmad.metrics.statistics import annotation_statistics, co_occurrence
from mmad.records import Annotation
from mmad.report.class_axes import draw_class_bars, matrix_side, name_classes, width_of_bars
from mmad.report.pictures import COLOURS, HALF_PAGE, NEUTRAL, figure_file


def write_statistics(
    out: str | Path, annotations: list[Annotation], labels: LabelSet, kind: str = ".png"
) -> list[Path]:
    """lengths, instances, classes and co_occurrence as pictures of a kind, and co_occurrence.csv, in the folder `out`.

    Returns the paths.
    """
    out, statistics = Path(out), annotation_statistics(annotations, labels)
    if not len(statistics.lengths):
        raise InputError("annotations", "there is no action in them to draw", "choose another file or subset")
    pairs = co_occurrence(annotations, len(labels))
    paths = [out / f"{name}{kind}" for name in ("lengths", "instances", "classes", "co_occurrence")]
    draw_lengths(paths[0], statistics.lengths)
    draw_instances(paths[1], statistics.counts)
    draw_classes(paths[2], statistics.per_class, labels)
    draw_co_occurrence(paths[3], pairs, labels)
    paths.append(out / "co_occurrence.csv")
    write_text(paths[-1], co_occurrence_table(pairs, labels))
    return paths


def co_occurrence_table(pairs: np.ndarray, labels: LabelSet) -> str:
    """CSV with the classes along both sides. pairs: (K, K) of `co_occurrence`."""
    table = io.StringIO()
    rows = ([name, *row] for name, row in zip(labels.actions, pairs.tolist()))
    csv.writer(table, lineterminator="\n").writerows([["", *labels.actions], *rows])
    return table.getvalue()


def draw_lengths(path: str | Path, lengths: np.ndarray) -> None:
    """How long the instances are. lengths: (N,) s, N > 0, on a logarithmic axis; instances of length 0 are left out."""
    lengths = lengths[lengths > 0]
    low, high = (lengths.min(), lengths.max()) if len(lengths) else (1.0, 1.0)
    with figure_file(path, HALF_PAGE, 2.3) as figure:
        axes = figure.add_subplot()
        axes.hist(lengths, np.geomspace(low / 1.05, high * 1.05, 40), color=NEUTRAL)
        axes.set_xscale("log")
        ticks = [mantissa * 10.0**power for power in range(-4, 5) for mantissa in (1, 2, 5)]
        axes.set_xticks([tick for tick in ticks if low / 1.05 <= tick <= high * 1.05])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
        if len(lengths):
            median = float(np.median(lengths))
            axes.axvline(median, color=COLOURS[3], linewidth=1, label=f"median {median:.2g} s")
            axes.legend(loc="upper left")
        axes.set_xlabel("length of an instance, seconds")
        axes.set_ylabel("instances")


def draw_instances(path: str | Path, counts: np.ndarray) -> None:
    """How many instances a video has. counts: (V,)"""
    with figure_file(path, HALF_PAGE, 2.3) as figure:
        axes = figure.add_subplot()
        axes.hist(counts, np.arange(counts.min(initial=0), counts.max(initial=0) + 2) - 0.5, color=NEUTRAL, rwidth=0.85)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(f"instances in a video (mean {counts.mean():.2f})")
        axes.set_ylabel("videos")


def draw_classes(path: str | Path, per_class: np.ndarray, labels: LabelSet) -> None:
    """The long tail: a bar per class, most frequent first. per_class: (K,) instances."""
    order = np.argsort(-per_class, kind="stable")
    notes = [str(count) for count in per_class[order]]
    with figure_file(path, width_of_bars(len(order)), 3.0) as figure:
        axes = figure.add_subplot()
        draw_class_bars(axes, per_class[order], order, labels, notes)
        axes.set_ylabel("instances")


def draw_co_occurrence(path: str | Path, pairs: np.ndarray, labels: LabelSet) -> None:
    """Which classes overlap in time. pairs: (K, K) of `co_occurrence`, shaded by their logarithm; none is white."""
    side = matrix_side(len(labels))
    with figure_file(path, side + 0.6, side) as figure:
        axes = figure.add_subplot()
        shown = np.ma.masked_equal(pairs, 0)
        image = axes.imshow(shown, cmap="viridis_r", norm=LogNorm(1, max(int(pairs.max(initial=1)), 10)))
        name_classes(axes, labels)
        bar = figure.colorbar(image, ax=axes, shrink=0.5, label="pairs of instances that overlap in time")
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
