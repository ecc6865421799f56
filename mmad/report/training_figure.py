"""How a training went: losses and scores of the evaluation by epoch."""

import json
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mmad.errors import InputError
from mmad.files import read_lines
from mmad.report.pictures import COLOURS, NEUTRAL, PAGE, escape_math, figure_file

# Keys of a row of metrics.jsonl that are neither losses nor scores of the evaluation.
NOT_DRAWN = ("epoch", "lr", "seconds")


def read_history(run: str | Path) -> list[dict[str, float]]:
    """The rows of RUN/metrics.jsonl, one per epoch. run: the folder of a training, or the file itself."""
    path = Path(run) / "metrics.jsonl" if Path(run).is_dir() else Path(run)
    rows = []
    for line, text in enumerate(read_lines(path), start=1):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError(f"{path}, line {line}", "is not JSON", "is the file complete?") from None
        if not isinstance(row, dict) or not all(type(value) in (int, float) for value in row.values()):
            raise InputError(
                f"{path}, line {line}", "is not a row of numbers", 'expected {"epoch": 1, "loss": 2.5, ...}'
            )
        if not {"epoch", "loss"} <= row.keys():
            raise InputError(f"{path}, line {line}", "has no epoch or no loss", "name the folder of a training run")
        rows.append(row)
    if not rows:
        raise InputError(path, "the file is empty", "no epoch is finished yet")
    return rows


def draw_training(path: str | Path, history: list[dict[str, float]]) -> None:
    """Losses on the left, scores of the evaluation in percent on the right, each by epoch; the best epoch is marked.

    history: rows of `read_history`.
    """
    losses, scores = losses_and_scores(history)
    with figure_file(path, PAGE, 2.5) as figure:
        left, right = figure.subplots(1, 2, sharex=True)
        for i, name in enumerate(losses):
            colour = "black" if name == "loss" else COLOURS[i % len(COLOURS)]
            _draw_course(left, history, name, colour, "sum" if name == "loss" else name)
        for i, name in enumerate(scores):
            _draw_course(right, history, name, "black" if name == "score" else COLOURS[i % len(COLOURS)], name, 100)
        left.set_ylabel("loss")
        right.set_ylabel("percent")
        _mark_best(left, right, history)
        for axes in (left, right):
            axes.set_ylim(bottom=0)
            axes.set_xlabel("epoch")
            axes.set_xlim(history[0]["epoch"] - 0.5, history[-1]["epoch"] + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            if axes.get_legend_handles_labels()[0]:
                axes.legend()


def losses_and_scores(history: list[dict[str, float]]) -> tuple[list[str], list[str]]:
    """The names in the rows, in order. The losses of a row come before "loss", their sum, the scores after it."""
    names = list(dict.fromkeys(name for row in history for name in row if name not in NOT_DRAWN))
    first = list(history[0])
    losses = [name for name in names if name in first[: first.index("loss") + 1]]
    scores = [name for name in names if name not in losses]
    if len(losses) == 2:  # a single loss is its own sum
        losses.remove("loss")
    return losses, scores


def _mark_best(left: Axes, right: Axes, history: list[dict[str, float]]) -> None:
    """A line at the epoch with the highest score; a sentence where no epoch has one yet."""
    evaluated = [row for row in history if "score" in row]
    if not evaluated:
        right.text(0.5, 0.5, "not evaluated yet", transform=right.transAxes, ha="center", color=NEUTRAL)
        return
    best = max(evaluated, key=lambda row: row["score"])
    caption = f"best: epoch {best['epoch']:g}, {100 * best['score']:.1f} %"
    for axes, label in ((left, None), (right, caption)):
        axes.axvline(best["epoch"], color=COLOURS[3], linewidth=0.8, linestyle="--", label=label, zorder=0)


def _draw_course(axes: Axes, rows: list[dict], name: str, colour: str, label: str, scale: float = 1) -> None:
    epochs, values = zip(*((row["epoch"], scale * row[name]) for row in rows if name in row))
    marker = "o" if len(values) <= 40 else ""
    axes.plot(epochs, values, color=colour, label=escape_math(label), linewidth=1.2, marker=marker, markersize=2.5)
