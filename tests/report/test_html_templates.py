import pytest
from jinja2 import UndefinedError

from mmad.report.content import PageOptions
from mmad.report.html_templates import TEMPLATES, fill_template


def test_the_section_groups_by_reason_and_escapes():
    options = PageOptions(
        {
            "nodding": ("good", "fine"),
            "waving": ("cannot tell", "<b>too</b> few"),
            "tiptoe": ("cannot tell", "<b>too</b> few"),
            "shrugging": ("cannot tell", "never found"),
        }
    )
    section = fill_template("cannot_tell.html", unreliable=options.unreliable())
    assert "<dt>waving, tiptoe</dt><dd>&lt;b&gt;too&lt;/b&gt; few</dd>" in section
    assert "<dt>shrugging</dt><dd>never found</dd>" in section and "nodding" not in section
    reliable = PageOptions({"nodding": ("fair", "half")})
    assert fill_template("cannot_tell.html", unreliable=reliable.unreliable()) == ""


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="unreliable"):
        fill_template("cannot_tell.html")


def test_no_template_switches_escaping_off():
    """`|tojson` escapes by itself; `|safe` and autoescape blocks would let a name become markup."""
    texts = [path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.html")]
    assert len(texts) >= 9
    for text in texts:
        assert "|safe" not in text.replace(" ", "") and "autoescape" not in text
