"""Figures of how good detections are: precision by recall, AP per class, and where mAP is lost."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.metrics.average_precision import PrecisionCurves, evaluate, precision_curves
from mmad.metrics.diagnosis import Diagnosis, diagnose
from mmad.records import Annotation, ApReport, Detections
from mmad.report.class_axes import draw_class_bars, width_of_bars
from mmad.report.pictures import COLOURS, NEUTRAL, PAGE, escape_math, figure_file, part_colour


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
    """Precision by recall, one curve per body part, and the mean over the classes, whose area is mAP.

    report: of the same detections at the same single threshold.
    """
    with figure_file(path, 5.0, 3.0) as figure:
        axes = figure.add_subplot()
        for part, (curve, ap) in enumerate(zip(curves.parts, curves.part_ap)):
            if not np.isnan(ap):
                name = f"{labels.parts[part]} {100 * ap:.1f}"
                axes.plot(curves.recalls, curve, color=part_colour(part), label=escape_math(name), linewidth=1.2)
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
    present = np.flatnonzero(report.num_truth)
    order = present[np.argsort(-report.ap[0, present], kind="stable")]
    with figure_file(path, width_of_bars(len(order)), 3.0) as figure:
        axes = figure.add_subplot()
        draw_class_bars(axes, 100 * report.ap[0, order], order, labels, [str(n) for n in report.num_truth[order]])
        mean = 100 * float(report.mean_ap()[0])
        line = axes.axhline(mean, color="black", linewidth=0.8, linestyle="--", zorder=0.5, label=f"mAP {mean:.1f}")
        axes.legend(handles=[*axes.get_legend().legend_handles, line], loc="upper right", ncols=2)
        axes.set_ylabel(f"AP at tIoU {report.thresholds[0]:g}, percent")


def draw_diagnosis(path: str | Path, diagnosis: Diagnosis) -> None:
    """The kinds of the detections, the mAP gained if each kind of error were fixed, and the calibration of scores."""
    names = list(dict.fromkeys([*diagnosis.counts, *diagnosis.map_gain]))
    total = max(sum(diagnosis.counts.values()), 1)
    shares = [100 * diagnosis.counts.get(name, np.nan) / total for name in names]
    gain_of = [100 * diagnosis.map_gain.get(name, np.nan) for name in names]
    with figure_file(path, PAGE, 2.2) as figure:
        kinds, gains, scores = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
        _draw_kinds(kinds, names, shares, "{:.1f}")
        _draw_kinds(gains, names, gain_of, "{:+.1f}")
        kinds.set_yticks(range(len(names)), names)
        kinds.set_xlabel("share of the detections, %")
        gains.set_xlabel("mAP gain if fixed")
        _draw_calibration(scores, diagnosis.calibration)
        title = f"mAP at tIoU {diagnosis.threshold:g}: {100 * diagnosis.mean_ap:.1f}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)


def _draw_kinds(axes: Axes, names: list[str], values: list[float], form: str) -> None:
    """A bar per kind of detection, with its value; none where that is NaN."""
    bars = axes.barh(range(len(names)), values, color=[COLOURS[2] if name == "true" else NEUTRAL for name in names])
    axes.bar_label(bars, ["" if np.isnan(value) else form.format(value) for value in values], padding=2)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(min(0, 1.4 * np.nanmin(values)), 1.3 * max(np.nanmax(values), 0.1))
    axes.set_yticks([])


def _draw_calibration(axes: Axes, rows: list[tuple[float, float, int]]) -> None:
    """Share of true detections by their score: on the diagonal, scores are probabilities. The bigger a point, the more
    detections."""
    axes.plot((0, 1), (0, 1), color=NEUTRAL, linewidth=0.8, linestyle="--")
    if rows:
        score, share, count = (np.array(column) for column in zip(*rows))
        axes.plot(score, share, color=COLOURS[0], linewidth=1)
        axes.scatter(score, share, 4 + 60 * count / count.max(), color=COLOURS[0], linewidth=0)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("mean score")
    axes.set_ylabel("share that is true")
