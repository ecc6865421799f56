"""Figures for a paper: what a data set holds, how a training went, where precision is lost, what a person does."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from mmad.errors import InputError
from mmad.files import read_lines, write_text
from mmad.labels import MMA52, LabelSet
from mmad.metrics.average_precision import PrecisionCurves, evaluate, precision_curves
from mmad.metrics.diagnosis import Diagnosis, diagnose
from mmad.metrics.statistics import co_occurrence, describe
from mmad.records import Annotation, ApReport, Detections
from mmad.report.confusion import matrix_side, name_classes
from mmad.report.pictures import COLOURS, PAGE, part_colour, part_patches, picture, plain

NEUTRAL = "#606060"  # bars that are of no body part
BAR = 0.125  # inches that a class takes in a row of bars
HALF = PAGE / 2
# What a row of metrics.jsonl holds beside losses and figures of the evaluation.
NO_LOSS = ("epoch", "lr", "seconds")

# --- a data set -----------------------------------------------------------------------------------------------------


def write_statistics(
    out: str | Path, annotations: list[Annotation], labels: LabelSet, kind: str = ".png"
) -> list[Path]:
    """lengths, instances, classes and co_occurrence as pictures of a kind, and co_occurrence.csv, in the folder `out`.

    Returns the paths.
    """
    out, statistics = Path(out), describe(annotations, labels)
    if not len(statistics.lengths):
        raise InputError("annotations", "there is no action in them to draw", "choose another file or subset")
    pairs = co_occurrence(annotations, len(labels))
    paths = [out / f"{name}{kind}" for name in ("lengths", "instances", "classes", "co_occurrence")]
    draw_lengths(paths[0], statistics.lengths)
    draw_instances(paths[1], statistics.counts)
    draw_classes(paths[2], statistics.per_class, labels)
    draw_co_occurrence(paths[3], pairs, labels)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(
        [["", *labels.actions], *([name, *row] for name, row in zip(labels.actions, pairs.tolist()))]
    )
    write_text(out / "co_occurrence.csv", table.getvalue())
    return [*paths, out / "co_occurrence.csv"]


def draw_lengths(path: str | Path, lengths: np.ndarray) -> None:
    """How long the instances are. lengths: (N,) s, N > 0, on a logarithmic axis; what lasts no time is left out."""
    lengths = lengths[lengths > 0]
    low, high = (lengths.min(), lengths.max()) if len(lengths) else (1.0, 1.0)
    with picture(path, HALF, 2.3) as figure:
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
    with picture(path, HALF, 2.3) as figure:
        axes = figure.add_subplot()
        axes.hist(counts, np.arange(counts.min(initial=0), counts.max(initial=0) + 2) - 0.5, color=NEUTRAL, rwidth=0.85)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(f"instances in a video (mean {counts.mean():.2f})")
        axes.set_ylabel("videos")


def draw_classes(path: str | Path, per_class: np.ndarray, labels: LabelSet) -> None:
    """The long tail: a bar a class, most frequent first. per_class: (K,) instances."""
    order = np.argsort(-per_class, kind="stable")
    notes = [str(count) for count in per_class[order]]
    with picture(path, _width_of_bars(len(order)), 3.0) as figure:
        axes = figure.add_subplot()
        _draw_class_bars(axes, per_class[order], order, labels, notes)
        axes.set_ylabel("instances")


def draw_co_occurrence(path: str | Path, pairs: np.ndarray, labels: LabelSet) -> None:
    """Which classes overlap in time. pairs: (K, K) of `co_occurrence`, shaded by their logarithm; none is white."""
    side = matrix_side(len(labels))
    with picture(path, side + 0.6, side) as figure:
        axes = figure.add_subplot()
        shown = np.ma.masked_equal(pairs, 0)
        image = axes.imshow(shown, cmap="viridis_r", norm=LogNorm(1, max(int(pairs.max(initial=1)), 10)))
        name_classes(axes, labels)
        bar = figure.colorbar(image, ax=axes, shrink=0.5, label="pairs of instances that overlap in time")
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


# --- a training -----------------------------------------------------------------------------------------------------


def read_history(run: str | Path) -> list[dict[str, float]]:
    """The rows of RUN/metrics.jsonl, one an epoch."""
    path = Path(run) / "metrics.jsonl" if Path(run).is_dir() else Path(run)
    rows = []
    for line, text in enumerate(read_lines(path), start=1):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError(f"{path}, line {line}", "is no JSON", "is the file complete?") from None
        if not isinstance(row, dict) or not all(type(value) in (int, float) for value in row.values()):
            raise InputError(f"{path}, line {line}", "is no row of numbers", 'expected {"epoch": 1, "loss": 2.5, ...}')
        if not {"epoch", "loss"} <= row.keys():
            raise InputError(f"{path}, line {line}", "has no epoch or no loss", "name the folder of a training run")
        rows.append(row)
    if not rows:
        raise InputError(path, "the file is empty", "no epoch is finished yet")
    return rows


def draw_training(path: str | Path, history: list[dict[str, float]]) -> None:
    """Losses on the left, figures of the evaluation in percent on the right, each by epoch; the best epoch is marked.

    history: rows of `read_history`. The losses of a row come before "loss", their sum; the figures come after it.
    """
    names = list(dict.fromkeys(name for row in history for name in row if name not in NO_LOSS))
    first = list(history[0])
    losses = [name for name in names if name in first[: first.index("loss") + 1]]
    figures = [name for name in names if name not in losses]
    if len(losses) == 2:  # one loss is its own sum
        losses.remove("loss")
    judged = [row for row in history if "score" in row]
    with picture(path, PAGE, 2.5) as figure:
        left, right = figure.subplots(1, 2, sharex=True)
        for i, name in enumerate(losses):
            colour = "black" if name == "loss" else COLOURS[i % len(COLOURS)]
            _draw_course(left, history, name, colour, "sum" if name == "loss" else name)
        for i, name in enumerate(figures):
            _draw_course(right, history, name, "black" if name == "score" else COLOURS[i % len(COLOURS)], name, 100)
        left.set_ylabel("loss")
        right.set_ylabel("percent")
        if judged:
            best = max(judged, key=lambda row: row["score"])
            said = f"best: epoch {best['epoch']:g}, {100 * best['score']:.1f} %"
            for axes, label in ((left, None), (right, said)):
                axes.axvline(best["epoch"], color=COLOURS[3], linewidth=0.8, linestyle="--", label=label, zorder=0)
        else:
            right.text(0.5, 0.5, "not evaluated yet", transform=right.transAxes, ha="center", color=NEUTRAL)
        for axes in (left, right):
            axes.set_ylim(bottom=0)
            axes.set_xlabel("epoch")
            axes.set_xlim(history[0]["epoch"] - 0.5, history[-1]["epoch"] + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            if axes.get_legend_handles_labels()[0]:
                axes.legend()


def _draw_course(axes: Axes, rows: list[dict], name: str, colour: str, label: str, scale: float = 1) -> None:
    epochs, values = zip(*((row["epoch"], scale * row[name]) for row in rows if name in row))
    marker = "o" if len(values) <= 40 else ""
    axes.plot(epochs, values, color=colour, label=plain(label), linewidth=1.2, marker=marker, markersize=2.5)


# --- detections -----------------------------------------------------------------------------------------------------


def write_precision(
    out: str | Path,
    annotations: list[Annotation],
    detections: list[Detections],
    labels: LabelSet,
    threshold: float = 0.5,
    kind: str = ".png",
) -> list[Path]:
    """precision_recall, average_precision and diagnosis as pictures of that kind in the folder `out`, at one tIoU.

    Returns the paths.
    """
    if not 0 < threshold <= 1:
        raise InputError("tIoU", f"{threshold:g}", "give a number over 0, up to 1")
    report = evaluate(annotations, detections, labels, np.array([threshold]))
    curves = precision_curves(annotations, detections, labels, threshold)
    paths = [Path(out) / f"{name}{kind}" for name in ("precision_recall", "average_precision", "diagnosis")]
    draw_precision(paths[0], curves, report, labels)
    draw_average_precision(paths[1], report, labels)
    draw_diagnosis(paths[2], diagnose(annotations, detections, labels, threshold))
    return paths


def draw_precision(path: str | Path, curves: PrecisionCurves, report: ApReport, labels: LabelSet) -> None:
    """Precision by recall, a curve a body part and the mean over the classes, whose area is mAP.

    report: of the same detections at the same single threshold.
    """
    with picture(path, 5.0, 3.0) as figure:
        axes = figure.add_subplot()
        for part, (curve, ap) in enumerate(zip(curves.parts, curves.part_ap)):
            if not np.isnan(ap):
                name = f"{labels.parts[part]} {100 * ap:.1f}"
                axes.plot(curves.recalls, curve, color=part_colour(part), label=plain(name), linewidth=1.2)
        mean = f"mean of classes {100 * report.mean_ap()[0]:.1f}"
        axes.plot(curves.recalls, curves.mean(), color="black", label=mean, linewidth=1.8)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall")
        axes.set_ylabel(f"precision at tIoU {report.thresholds[0]:g}")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="area, percent", alignment="left")


def draw_average_precision(path: str | Path, report: ApReport, labels: LabelSet) -> None:
    """AP of every class that has truth, best first, with the number of its instances. report: of one threshold."""
    judged = np.flatnonzero(report.num_truth)
    order = judged[np.argsort(-report.ap[0, judged], kind="stable")]
    with picture(path, _width_of_bars(len(order)), 3.0) as figure:
        axes = figure.add_subplot()
        _draw_class_bars(axes, 100 * report.ap[0, order], order, labels, [str(n) for n in report.num_truth[order]])
        mean = 100 * float(report.mean_ap()[0])
        line = axes.axhline(mean, color="black", linewidth=0.8, linestyle="--", zorder=0.5, label=f"mAP {mean:.1f}")
        axes.legend(handles=[*axes.get_legend().legend_handles, line], loc="upper right", ncols=2)
        axes.set_ylabel(f"AP at tIoU {report.thresholds[0]:g}, percent")


def draw_diagnosis(path: str | Path, diagnosis: Diagnosis) -> None:
    """What the detections are, how much mAP the mending of each fault returns, and what their scores are worth."""
    names = list(dict.fromkeys([*diagnosis.counts, *diagnosis.gains]))
    total = max(sum(diagnosis.counts.values()), 1)
    shares = [100 * diagnosis.counts.get(name, np.nan) / total for name in names]
    returns = [100 * diagnosis.gains.get(name, np.nan) for name in names]
    with picture(path, PAGE, 2.2) as figure:
        kinds, gains, scores = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
        _draw_faults(kinds, names, shares, "{:.1f}")
        _draw_faults(gains, names, returns, "{:+.1f}")
        kinds.set_yticks(range(len(names)), names)
        kinds.set_xlabel("share of the detections, %")
        gains.set_xlabel("mAP it returns if mended")
        _draw_calibration(scores, diagnosis.calibration)
        said = f"mAP at tIoU {diagnosis.threshold:g}: {100 * diagnosis.mean_ap:.1f}"
        figure.suptitle(said, x=0.01, ha="left", fontsize=9)


def _draw_faults(axes: Axes, names: list[str], values: list[float], form: str) -> None:
    """A bar a kind of detection, with its value; NaN has none."""
    bars = axes.barh(range(len(names)), values, color=[COLOURS[2] if name == "true" else NEUTRAL for name in names])
    axes.bar_label(bars, ["" if np.isnan(value) else form.format(value) for value in values], padding=2)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(min(0, 1.4 * np.nanmin(values)), 1.3 * max(np.nanmax(values), 0.1))
    axes.set_yticks([])


def _draw_calibration(axes: Axes, rows: list[tuple[float, float, int]]) -> None:
    """Where the line lies on the diagonal, a score is a probability. The bigger a point, the more detections."""
    axes.plot((0, 1), (0, 1), color=NEUTRAL, linewidth=0.8, linestyle="--")
    if rows:
        score, share, count = (np.array(column) for column in zip(*rows))
        axes.plot(score, share, color=COLOURS[0], linewidth=1)
        axes.scatter(score, share, 4 + 60 * count / count.max(), color=COLOURS[0], linewidth=0)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("mean score")
    axes.set_ylabel("share that is true")


# --- a person -------------------------------------------------------------------------------------------------------

EthogramRow = tuple[str, int, int, float, float, float]


def draw_ethogram(path: str | Path, rows: Sequence[EthogramRow], parts: Sequence[str] = MMA52.parts) -> None:
    """How often and how long each action was done: a row an action, grouped by body part, the most frequent first.

    rows: (action, index of its body part, count, total s, mean s, rate a minute). parts: names of the body parts.
    """
    rows = sorted(rows, key=lambda row: (row[1], -row[5]))
    places, rates, totals = range(len(rows)), [row[5] for row in rows], [row[3] for row in rows]
    with picture(path, PAGE, 0.7 + 0.17 * max(len(rows), 2)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, values, notes in (
            (left, rates, [f"{rate:.2g} ({count})" for _, _, count, _, _, rate in rows]),
            (right, totals, [f"{total:.3g} (mean {mean:.2g})" for _, _, _, total, mean, _ in rows]),
        ):
            bars = axes.barh(places, values, color=[part_colour(row[1]) for row in rows])
            axes.bar_label(bars, notes, padding=2, fontsize=6)
            axes.set_xlim(0, 1.5 * max(values, default=0) or 1)
            for place in range(1, len(rows)):
                if rows[place][1] != rows[place - 1][1]:
                    axes.axhline(place - 0.5, color=NEUTRAL, linewidth=0.4)
        left.set_yticks(places, [plain(row[0]) for row in rows])
        left.set_ylim(max(len(rows), 1) - 0.4, -0.6)
        left.set_xlabel("times a minute (count)")
        right.set_xlabel("seconds in all (mean of one)")
        right.tick_params(axis="y", length=0)
        if rows:
            patches = part_patches((row[1] for row in rows), parts)
            right.legend(handles=patches, loc="upper left", bbox_to_anchor=(1, 1))


# --- bars -----------------------------------------------------------------------------------------------------------


def _width_of_bars(count: int) -> float:
    return max(0.7 + BAR * count, HALF)


def _draw_class_bars(axes: Axes, values: np.ndarray, classes: np.ndarray, labels: LabelSet, notes: list[str]) -> None:
    """A bar a class in the colour of its body part, its note above it, its name below it."""
    places = range(len(classes))
    parts = [labels.part_of[label] for label in classes]
    bars = axes.bar(places, values, color=[part_colour(part) for part in parts])
    axes.bar_label(bars, notes, padding=2, fontsize=5, rotation=90, bbox={"color": "white", "pad": 0.4})
    axes.set_xticks(places, [plain(labels.actions[label]) for label in classes], rotation=90, fontsize=6)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.7, len(classes) - 0.3)
    axes.margins(y=0.08)
    axes.legend(handles=part_patches(parts, labels.parts), loc="upper right", ncols=2)
