"""The site that `make docs` builds with Sphinx: the pages of this folder, README, CONTRIBUTING, CHANGELOG, lab book."""

import contextlib
import io
import json
import os
import re
from pathlib import Path

from mmad import __version__
from mmad.cli import command_names, load_command

ROOT = Path(__file__).resolve().parents[1]

project, author, release = "mmad", "the mmad developers", __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["conf.py"]
default_role = "code"  # docstrings write `name`
highlight_language = "none"  # what people type is in no programming language; snippets of Python say so
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # as they are written: MMA52, not its 52 names
autodoc_class_signature = "mixed"
html_theme = "furo"
html_title = "mmad"
html_copy_source = html_show_sourcelink = False
html_show_search_summary = False  # excerpts are fetched, which browsers refuse to pages from disk
html_show_copyright = html_show_sphinx = False

# Pages whose text stands elsewhere in the repository.
ELSEWHERE = {
    "index": "README.md",
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
    "lab-book": "benchmarks/README.md",
    "notebook": "docs/notebook.ipynb",
}
PAGE_OF = {path: f"{page}.md" for page, path in ELSEWHERE.items()}
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")


def fill_page(app, page: str, source: list[str]) -> None:
    """The text of a page of ELSEWHERE in front of its own; links as they are in this folder."""
    place = ROOT / "docs"
    if page in ELSEWHERE:
        path = ROOT / ELSEWHERE[page]
        text = path.read_text(encoding="utf-8")
        place, source[0] = path.parent, (notebook_text(text) if path.suffix == ".ipynb" else text) + source[0]
    source[0] = LINK.sub(lambda link: link_from_docs(place, link[0]), source[0])


def link_from_docs(place: Path, link: str) -> str:
    """A relative link in a file of the folder `place`, as it must be in docs/."""
    if not (place / link).exists():
        return link  # of what only looks like a link there is nothing to say; of a broken one Sphinx warns
    target = (place / link).resolve().relative_to(ROOT).as_posix()
    return PAGE_OF.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}")


def notebook_text(content: str) -> str:
    """The cells of a notebook with what they printed and drew, as Markdown."""
    parts = []
    for cell in json.loads(content)["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        parts += [shown(output["data"]) for output in cell.get("outputs", [])]
    return "\n\n".join(parts) + "\n"


def shown(data: dict) -> str:
    """One output of a cell: a picture, a table or a text."""
    if "image/png" in data:
        picture = f'<img alt="What the cell draws" src="data:image/png;base64,{"".join(data["image/png"].split())}">'
        return f"```{{raw}} html\n<p>{picture}</p>\n```"
    if "text/html" in data:
        table = "".join(data["text/html"]).replace('<table border="1" class="dataframe">', '<table class="docutils">')
        return f'```{{raw}} html\n<div class="table-wrapper">{table}</div>\n```'
    return f"```\n{''.join(data['text/plain'])}\n```"


def add_settings(app, page: str, source: list[str]) -> None:
    """What `mmad NAME --keys` prints, behind the text of the page of settings; not every command has settings."""
    if page != "settings":
        return
    os.environ["COLUMNS"] = "92"
    commands_of: dict[str, list[str]] = {}
    for name in command_names():
        printed, complaints = io.StringIO(), io.StringIO()
        with (
            contextlib.suppress(SystemExit),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(complaints),
        ):
            load_command(name).main(["--keys"])
        commands_of.setdefault(printed.getvalue(), []).append(f"mmad {name}")
    for text, names in commands_of.items():
        source[0] += f"\n## {', '.join(names)}\n\n```\n{text}```\n" if text else ""


def as_plain_text(app, what, name, thing, options, lines: list[str]) -> None:
    """Docstrings are plain text with `names` in it: what else could be markup is shown as it stands."""
    for i, line in enumerate(lines):
        parts = line.split("`")
        parts[::2] = [re.sub(r"[*|@]|(?<=\w)_(?=\W|$)", r"\\\g<0>", part) for part in parts[::2]]
        lines[i] = "`".join(parts)


def setup(app) -> None:
    app.connect("source-read", fill_page)
    app.connect("source-read", add_settings)
    app.connect("autodoc-process-docstring", as_plain_text)
