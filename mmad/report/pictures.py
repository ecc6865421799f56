"""What all pictures share: a colour per body part, text without markup, and how a figure becomes a file."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmad.errors import InputError
from mmad.files import atomic_path
from mmad.metrics.reliability import drop_below
from mmad.records import Detections

# One colour per body part: Okabe & Ito's palette, which colour-blind people can tell apart, and for label sets with
# more than MMA-52's seven parts colours of Tol's palette "muted". Then they begin anew.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A7500")
COLOURS += ("#332288", "#882255", "#44AA99", "#CC6677", "#999933")
KINDS = (".png", ".svg", ".pdf")
PAGE = 7.2  # inches: the text of a two-column page is about as wide
HALF_PAGE = PAGE / 2
NEUTRAL = "#606060"  # what belongs to no body part
STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text that can be searched and edited
    "pdf.fonttype": 42,  # TrueType: publishers refuse the default, Type 3
    "svg.hashsalt": "mmad",  # the same figure, the same bytes
}
UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


@contextlib.contextmanager
def figure_file(path: str | Path, width: float = PAGE, height: float = 3.0) -> Iterator[Figure]:
    """A figure to draw into, written to `path` at the end of the block if that ends well. width, height: inches.

    The kind of picture is the suffix's, one of `KINDS`.
    """
    kind = Path(path).suffix.lower()
    if kind not in KINDS:
        raise InputError(path, f"{kind or 'no suffix'!r} is not a kind of picture", f"name a {', '.join(KINDS)} file")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind[1:], dpi=160, metadata=UNDATED.get(kind))


def part_colour(part: int) -> str:
    return COLOURS[part % len(COLOURS)]


def part_patches(parts: Iterable[int], names: Sequence[str]) -> list[Patch]:
    """Legend entries for the colours of these body parts. names: of all body parts."""
    return [Patch(color=part_colour(part), label=escape_math(names[part])) for part in sorted(set(parts))]


def escape_math(text: str) -> str:
    """The text with "$" escaped, which would begin a formula for matplotlib: ids and names are plain text."""
    return text.replace("$", r"\$")


def top_detections(detections: Detections, count: int, min_score: float = 0.0) -> Detections:
    """Of the detections that score `min_score` or more, the `count` best."""
    if count < 0:
        raise InputError("number of detections", f"{count}", "give a number from 0 on")
    return drop_below(detections, min_score).select(slice(count))
