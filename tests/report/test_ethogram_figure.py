"""The figure of what a person does, read as the text of an SVG or by its pixels."""

from read_pictures import share_of, text_of

from mmad.report.ethogram_figure import draw_ethogram
from mmad.report.pictures import COLOURS


def test_ethogram(tmp_path):
    rows = [
        ("waving", 2, 1, 3.0, 3.0, 0.5),
        ("nodding", 1, 4, 2.0, 0.5, 2.0),
        ("turning <head> $", 1, 8, 4.0, 0.5, 4.0),
    ]
    draw_ethogram(tmp_path / "e.svg", rows)
    text = text_of(tmp_path / "e.svg")
    names = [word for word in text if word in ("waving", "nodding", "turning &lt;head&gt; $")]
    assert names == ["turning &lt;head&gt; $", "nodding", "waving"]  # by part, then by rate
    assert {"4 (8)", "2 (mean 0.5)", "head", "upper limb"} <= {*text}
    draw_ethogram(tmp_path / "e.png", rows)
    assert share_of(tmp_path / "e.png", COLOURS[1]) > 2 * share_of(tmp_path / "e.png", COLOURS[2]) > 0
    draw_ethogram(tmp_path / "none.png", [])
