"""What README, CONTRIBUTING, CHANGELOG and docs/ name exists: links, files, commands, settings, Python names."""

import ast
import contextlib
import functools
import importlib
import importlib.util
import io
import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest
from safetensors import safe_open

from mmad.cli import command_names, load_command
from mmad.config import named_configs
from mmad.labels import MMA52

ROOT = Path(__file__).parents[1]
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(ROOT.glob("docs/*.md"))]
LAB_BOOK = ROOT / "benchmarks" / "README.md"
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
ROOMS = ("mmad", "tools", "eval", "configs", "tests", "docs", "benchmarks")
NAMED_FILE = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROOMS)})/[\w./-]*[\w/]")
PLACEHOLDER = re.compile(r"[A-Z]{2,}|\bx\.")  # tools/NAME.py
SITE = ("sphinx", "myst_parser", "furo")


def each_page(*more: Path):
    return pytest.mark.parametrize("page", [*PAGES, *more], ids=lambda page: page.relative_to(ROOT).as_posix())


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands_in(text: str) -> list[str]:
    """`mmad ...` as it is typed, in blocks of code and inline, without comments; indented lines go on with the last."""
    blocks = [textwrap.dedent(code) for language, code in FENCE.findall(text) if language != "python"]
    blocks = [re.sub(r"\\?\n +", " ", code) for code in blocks]
    lines = [line.split("  #")[0].strip() for code in blocks for line in code.splitlines()]
    inline = [" ".join(code.split()) for code in INLINE.findall(FENCE.sub("", text))]
    return [line for line in lines + inline if line.startswith("mmad ") and "NAME" not in line]


def snippets_in(text: str) -> list[str]:
    return [code for language, code in FENCE.findall(text) if language == "python"]


def anchors_of(text: str) -> set[str]:
    """Of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@functools.cache
def printed(name: str, *words: str) -> str:
    """What a command prints of such words as --help and --keys; "" where it has no such option."""
    out = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        load_command(name).main(list(words))
    return out.getvalue()


# --- what is looked at is found -------------------------------------------------------------------------------------


def test_commands_are_found_in_blocks_and_inline():
    text = "```\nmmad map a.json \\\n    --fps 25   # why\nmmad x A\n  [B]\ncd x\n```\n`mmad detect`, `mmad NAME`\n"
    found = [line.split() for line in commands_in(text + "```python\nmmad = 1\n```")]
    assert found == [["mmad", "map", "a.json", "--fps", "25"], ["mmad", "x", "A", "[B]"], ["mmad", "detect"]]


def test_anchors_are_those_of_github():
    assert anchors_of("# A b\n```\n# no\n```\n## MMA-52, from `x` to y: how?") == {"a-b", "mma-52-from-x-to-y-how"}


# --- what is named exists -------------------------------------------------------------------------------------------


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120


@each_page(LAB_BOOK)
def test_links_lead_somewhere(page):
    for path, anchor in LINK.findall(FENCE.sub("", text_of(page))):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} is not there"
        if anchor:
            assert anchor in anchors_of(text_of(target)), f"{target.name} has no heading #{anchor}"


@each_page()
def test_files_that_are_named_exist(page):
    named = [name for name in NAMED_FILE.findall(text_of(page)) if not PLACEHOLDER.search(name)]
    assert not [name for name in named if not (ROOT / name).exists() and not (page.parent / name).exists()]


@each_page()
def test_commands_and_their_options_exist(page):
    for line in commands_in(text_of(page)):
        name, *words = line.removeprefix("mmad ").split()
        if name == "--help":
            continue
        assert name in command_names(), line
        which = words[:1] if name == "figures" and words else []
        known = printed(name, *which, "--help")
        unknown = [option for option in re.findall(r"(?<![\w-])--[a-z-]+", line) if option not in known]
        assert not unknown, f"{line}: no {', '.join(unknown)}"


@each_page()
def test_settings_and_configurations_exist(page):
    """Of commands as they are typed in full; usage with [brackets] and `...` is left to the test above."""
    for line in commands_in(text_of(page)):
        name, *words = shlex.split(line.removeprefix("mmad "))
        settings = {word.partition("=")[0] for word in words if re.match(r"[a-z_.]+=", word)} - {"key"}
        known = set(re.findall(r"^  ([\w.]+)=", printed(name, "--keys"), re.MULTILINE)) if settings else set()
        assert settings <= known, f"{line}: unknown {', '.join(settings - known)}"
        takes_one = name.startswith("train-") or name == "extract-features"
        if takes_one and words and re.fullmatch(r"[a-z][\w.]*", words[0]):
            assert words[0] in named_configs(), line


@each_page()
def test_settings_of_a_section_exist(page):
    """`data.root`, `features.bare_stride=4`: in the middle of a sentence too."""
    known = {
        key for name in command_names() for key in re.findall(r"^  ([\w.]+)=", printed(name, "--keys"), re.MULTILINE)
    }
    sections = {key.split(".")[0] for key in known if "." in key}
    words = " ".join(INLINE.findall(FENCE.sub("", text_of(page)))).split()
    named = [match[0] for word in words if (match := re.match(r"([a-z_]+)(\.[a-z_]+)+(?==|$)", word))]
    keys = [key for key in named if key.split(".")[0] in sections and not key.endswith((".csv", ".json", ".pt"))]
    assert not [key for key in keys if key not in known]


@each_page()
def test_snippets_of_python_compile_and_import_what_exists(page):
    for snippet in snippets_in(text_of(page)):
        tree = ast.parse(snippet)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert not [alias.name for alias in node.names if not hasattr(module, alias.name)], snippet
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)


def test_grades_are_those_of_the_packaged_weights():
    with safe_open(ROOT / "mmad" / "weights" / "pose.safetensors", "np") as file:
        grades = json.loads(file.metadata()["mmad"])["reliability"]
    count = Counter(grade for grade, _ in grades.values())
    readme = " ".join(text_of(ROOT / "README.md").split())
    good, fair, cannot = (count[grade] for grade in ("good", "fair", "cannot tell"))
    assert f"{good} of the {len(MMA52)} are graded good, {fair} fair, and {cannot} cannot be recognized" in readme
    rows = re.findall(r"^\| (good|fair|cannot tell) \|[^|]*\| (.*) \|$", text_of(ROOT / "docs/own-video.md"), re.M)
    assert [grade for grade, _ in rows] == ["good", "fair", "cannot tell"]
    for grade, text in rows:
        named = [action for action in MMA52.actions if re.search(rf"\b{action}\b", text)]
        assert named and {grades[action][0] for action in named} == {grade}
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        assert (numbers or [len(named)]) == [count[grade]]


# --- the site -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the site, built with every warning an error."""
    missing = [name for name in SITE if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"building the site needs {', '.join(missing)}: pip install 'mmad[docs]'")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", f"{out}.doctrees"]
    done = subprocess.run([*command, str(ROOT / "docs"), str(out)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_in_the_site(site):
    assert {path.stem for path in site.glob("*.html")} >= {path.stem for path in ROOT.glob("docs/*.md")}
    for page, heading in (("index", "mmad: every micro-action"), ("lab-book", "Measured"), ("changelog", "Changes")):
        assert heading in text_of(site / f"{page}.html")


def test_the_site_asks_nothing_of_a_network(site):
    loads = re.compile(r"""(?:<(?:script|img|iframe)\b[^>]*\bsrc|<link\b[^>]*\bhref)=["']?(?:https?:)?//""")
    for path in site.rglob("*.html"):
        assert not loads.search(text_of(path)), path.name
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*[\"']?(?:https?:)?//", text_of(path)), path.name


def test_links_between_pages_of_the_site_lead_somewhere(site):
    """Also those of README and the lab book, which lie in other folders in the repository."""
    for path in site.glob("*.html"):
        for link in re.findall(r'href="([^"#:?]+)(?:#[^"]*)?"', text_of(path)):
            assert (site / link).exists(), f"{path.name}: {link}"
        assert "README.md" not in re.findall(r'href="[^":]*?([\w.]+)"', text_of(path)), path.name


def test_the_api_page_has_the_public_names(site):
    text = text_of(site / "api.html")
    for name in ("mmad.load_pipeline", "mmad.Detections", "mmad.metrics.average_precision.evaluate"):
        assert f'id="{name}"' in text


def test_the_page_of_settings_lists_every_command_that_has_some(site):
    text = text_of(site / "settings.html")
    assert "data.root=" in text and "mmad train-det" in text and "mmad export" not in text
