"""Timelines, read as the text of an SVG or by their pixels."""

import re

import numpy as np
import pytest
from PIL import Image

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.records import Annotation, Detections
from mmad.report.pictures import COLOURS
from mmad.report.timeline import draw_timeline

FOUND = Detections("clip7", [[0, 1], [1, 2], [2, 3]], [9, 24, 1], [0.9, 0.6, 0.3])  # nodding, shaking legs, sitting
TRUTH = Annotation("clip7", 4.0, [[3, 4]], [43])


def text_of(path) -> list[str]:
    """What a person reads in an SVG."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def shares_of(path, colours) -> list[float]:
    """Of each colour, the share of the picture that has it."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    wanted = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours]
    return [float((pixels == rgb).all(axis=2).mean()) for rgb in wanted]


def test_actions_are_named_in_text_that_can_be_searched(tmp_path):
    draw_timeline(tmp_path / "t.svg", FOUND, 4.0, MMA52, TRUTH)
    text = text_of(tmp_path / "t.svg")
    assert {"nodding", "shaking legs", "sitting straightly", MMA52.actions[43], "head", "truth", "seconds"} <= {*text}
    assert "clip7: the 3 best-scored detections, truth in grey" in text


@pytest.mark.parametrize(
    ("choice", "shown"),
    [({"most": 2}, {"nodding", "shaking legs"}), ({"min_score": 0.9}, {"nodding"}), ({"most": 0}, set())],
)
def test_what_is_shown_can_be_chosen(tmp_path, choice, shown):
    draw_timeline(tmp_path / "t.svg", FOUND, 4.0, MMA52, **choice)
    assert {*text_of(tmp_path / "t.svg")} & {*MMA52.actions} == shown


@pytest.mark.parametrize(("title", "said"), [("", 0), ("Fig. 1 ($p$)", 1), (None, 1)])
def test_the_title_is_optional(tmp_path, title, said):
    draw_timeline(tmp_path / "t.svg", FOUND, 4.0, MMA52, title=title)
    text = text_of(tmp_path / "t.svg")
    assert sum("clip7" in words or "$p$" in words for words in text) == said


def test_an_id_is_text(tmp_path):
    name = "<script>alert(1)</script> $x_1$ & $"
    draw_timeline(tmp_path / "t.svg", Detections(name.replace("/", ""), [[0, 1]], [9], [0.5]), 4.0, MMA52)
    text = (tmp_path / "t.svg").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;script&gt; $x_1$ &amp; $" in text


def test_a_bar_has_its_part_s_colour_and_the_truth_is_grey(tmp_path):
    found = Detections("v", [[0, 4]], [9], [0.5])
    draw_timeline(tmp_path / "t.png", found, 4.0, MMA52, Annotation("v", 4.0, [[0, 4]], [9]), title="")
    head, grey, lower_limb = shares_of(tmp_path / "t.png", (COLOURS[1], "#404040", COLOURS[3]))
    assert head > 0.03 and grey > 0.03 and lower_limb == 0


def test_a_pdf_holds_fonts_that_publishers_take_and_no_date(tmp_path):
    for name in ("a.pdf", "b.pdf"):
        draw_timeline(tmp_path / name, FOUND, 4.0, MMA52)
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF") and b"/Type3" not in content and b"/Type /Font" in content
    assert content == (tmp_path / "b.pdf").read_bytes()


def test_another_suffix_is_refused_and_writes_nothing(tmp_path):
    for name in ("t.jpeg", "t"):
        with pytest.raises(InputError, match="no kind of picture"):
            draw_timeline(tmp_path / name, FOUND, 4.0, MMA52)
    assert list(tmp_path.iterdir()) == []
