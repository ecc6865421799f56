"""Timelines, read as the text of an SVG or by their pixels."""

import matplotlib
import pytest
from matplotlib.figure import Figure
from read_pictures import share_of, text_of

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.records import Annotation, Detections
from mmad.report.content import VideoResult
from mmad.report.pictures import COLOURS
from mmad.report.timeline import TimelineOptions, draw_timeline, plot_timeline

FOUND = Detections("clip7", [[0, 1], [1, 2], [2, 3]], [9, 24, 1], [0.9, 0.6, 0.3])  # nodding, shaking legs, sitting
TRUTH = Annotation("clip7", 4.0, [[3, 4]], [43])
VIDEO = VideoResult(FOUND, 4.0)


def test_actions_are_named_in_text_that_can_be_searched(tmp_path):
    draw_timeline(tmp_path / "t.svg", VideoResult(FOUND, 4.0, TRUTH), MMA52)
    text = text_of(tmp_path / "t.svg")
    assert {"nodding", "shaking legs", "sitting straightly", MMA52.actions[43], "head", "truth", "seconds"} <= {*text}
    assert "clip7: the 3 best-scored detections, truth in grey" in text


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        ({"max_detections": 2}, {"nodding", "shaking legs"}),
        ({"min_score": 0.9}, {"nodding"}),
        ({"max_detections": 0}, set()),
    ],
)
def test_what_is_shown_can_be_chosen(tmp_path, choice, shown):
    draw_timeline(tmp_path / "t.svg", VIDEO, MMA52, options=TimelineOptions(**choice))
    assert {*text_of(tmp_path / "t.svg")} & {*MMA52.actions} == shown


@pytest.mark.parametrize(("title", "said"), [("", 0), ("Fig. 1 ($p$)", 1), (None, 1)])
def test_the_title_is_optional(tmp_path, title, said):
    draw_timeline(tmp_path / "t.svg", VIDEO, MMA52, options=TimelineOptions(title=title))
    text = text_of(tmp_path / "t.svg")
    assert sum("clip7" in words or "$p$" in words for words in text) == said


def test_an_id_is_text(tmp_path):
    name = "<script>alert(1)</script> $x_1$ & $"
    found = Detections(name.replace("/", ""), [[0, 1]], [9], [0.5])
    draw_timeline(tmp_path / "t.svg", VideoResult(found, 4.0), MMA52)
    text = (tmp_path / "t.svg").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;script&gt; $x_1$ &amp; $" in text


def test_a_bar_has_its_part_s_colour_and_the_truth_is_grey(tmp_path):
    found = Detections("v", [[0, 4]], [9], [0.5])
    video = VideoResult(found, 4.0, Annotation("v", 4.0, [[0, 4]], [9]))
    draw_timeline(tmp_path / "t.png", video, MMA52, options=TimelineOptions(title=""))
    head, grey, lower_limb = (share_of(tmp_path / "t.png", colour) for colour in (COLOURS[1], "#404040", COLOURS[3]))
    assert head > 0.03 and grey > 0.03 and lower_limb == 0


def test_a_pdf_holds_fonts_that_publishers_take_and_no_date(tmp_path):
    for name in ("a.pdf", "b.pdf"):
        draw_timeline(tmp_path / name, VIDEO, MMA52)
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF") and b"/Type3" not in content and b"/Type /Font" in content
    assert content == (tmp_path / "b.pdf").read_bytes()


def test_another_suffix_is_refused_and_writes_nothing(tmp_path):
    for name in ("t.jpeg", "t"):
        with pytest.raises(InputError, match="not a kind of picture"):
            draw_timeline(tmp_path / name, VIDEO, MMA52)
    assert list(tmp_path.iterdir()) == []


# --- in a notebook --------------------------------------------------------------------------------------------------


def bars_of(axes) -> list[tuple[float, float]]:
    """(start, length) s of the bars, in the order in which they are drawn."""
    return [(bar.get_x(), bar.get_width()) for bar in axes.patches]


def test_a_timeline_is_drawn_into_axes_that_are_given():
    """Best last, so that it lies on top; a lane per action, in the order of the label ids."""
    axes = Figure().add_subplot()
    assert plot_timeline(FOUND, 10.0, ax=axes) is axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sitting straightly", "nodding", "shaking legs"]
    assert bars_of(axes) == [(2, 1), (1, 1), (0, 1)]
    assert axes.get_xlim() == (0, 10) and axes.get_xlabel() == "seconds"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["body", "head", "lower limb"]


@pytest.mark.parametrize(("truth", "end"), [(None, 3.0), (TRUTH, 4.0)])
def test_the_time_axis_ends_with_the_video_where_that_is_known(truth, end):
    axes = plot_timeline(FOUND, truth=truth, ax=Figure().add_subplot())
    assert axes.get_xlim() == (0, end)
    assert len(axes.patches) == 3 + (truth is not None)


def test_the_best_detections_are_chosen():
    axes = plot_timeline(FOUND, max_detections=1, ax=Figure().add_subplot())
    assert bars_of(axes) == [(0, 1)]
    assert bars_of(plot_timeline(Detections("v", [], [], []), ax=Figure().add_subplot())) == []


def test_without_axes_a_figure_is_made_that_a_notebook_shows():
    from matplotlib import pyplot

    matplotlib.use("agg")
    before = pyplot.get_fignums()
    axes = plot_timeline(FOUND)
    try:
        assert pyplot.gcf() is axes.figure and len(pyplot.get_fignums()) == len(before) + 1
    finally:
        pyplot.close(axes.figure)
