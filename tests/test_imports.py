"""Imports point down, never sideways; and judging needs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mmad

PACKAGE = Path(mmad.__file__).parent
BASE = {
    "mmad",
    "errors",
    "files",
    "arrays",
    "pickles",
    "records",
    "labels",
    "config",
    "sidecars",
    "storage",
    "weight_files",
    "worker_process",
}  # "mmad": its own __init__
LOW = BASE | {"metrics", "formats", "video", "ops"}  # none of which knows another, but for the reading of video
BELOW = {
    **dict.fromkeys(BASE, BASE),
    "mmad": BASE | {"engine", "data", "report"},  # the front door: its names are imported when they are asked for
    **dict.fromkeys(["metrics", "video", "ops"], BASE),
    "formats": BASE | {"video"},
    **dict.fromkeys(["pose"], BASE | {"formats", "video"}),
    "data": BASE | {"formats", "video", "pose"},
    "models": BASE | {"ops"},
    "engine": LOW | {"pose", "data", "models"},
    "report": LOW | {"pose", "data", "models"},
    "render": LOW | {"pose", "data"},
    "cli": LOW | {"pose", "data", "models", "engine", "report", "render"},
}
TORCH_FREE = ["errors", "files", "arrays", "pickles", "records", "labels", "config", "video.reader", "video.finding"]
TORCH_FREE += ["video.sampling", "video.archive_sources", "storage", "engine.pose_extractor"]
TORCH_FREE += ["engine.archive_workers", "engine.ray_archive"]  # of whose processes those for joints need none
TORCH_FREE += [
    f"{package}.{path.stem}"
    for package in ("formats", "metrics", "pose")
    for path in PACKAGE.glob(f"{package}/[!_]*.py")
]


def package_of(path: Path) -> str:
    """The folder below mmad that a file lies in, or the name of a file that lies in no folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "mmad" if parts == ("__init__",) else parts[0]


def packages_imported(source: str) -> set[str]:
    """The packages of mmad that a source text imports, also inside functions."""
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full: from mmad.package import ..."
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [module.split(".") for module in modules]
    return {
        names[1] if len(names) > 1 and names[1] != "__version__" else "mmad" for names in parts if names[0] == "mmad"
    }


@pytest.mark.parametrize(
    ("source", "packages"),
    [
        ("import numpy\nfrom pathlib import Path", set()),
        ("import mmad.ops.segments", {"ops"}),
        ("from mmad.records import Annotation", {"records"}),
        ("from mmad import config, __version__", {"config", "mmad"}),
        ("def f():\n    from mmad.video import reader", {"video"}),
    ],
)
def test_imports_are_seen_in_every_form(source, packages):
    assert packages_imported(source) == packages


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    package = package_of(path)
    assert package in BELOW, f"{package} has no place in the order of the house"
    upwards = packages_imported(path.read_text(encoding="utf-8")) - BELOW[package] - {package}
    assert not upwards, f"{package} must not import {', '.join(sorted(upwards))}"


@pytest.mark.parametrize("module", TORCH_FREE)
def test_judging_and_reading_files_need_no_torch(module):
    command = f"import sys, mmad.{module}\nsys.exit('torch' in sys.modules or 'mediapipe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command]).returncode == 0


def test_the_names_of_the_package_are_imported_when_they_are_asked_for():
    """`import mmad` brings neither numpy nor torch; a timeline is drawn without torch."""
    lines = [
        "import sys, mmad",
        "assert set(mmad.__all__) <= set(dir(mmad))",
        "assert not {'numpy', 'torch'} & set(sys.modules)",
        "assert mmad.Detections('v', [], [], []).to_dataframe and callable(mmad.plot_timeline)",
        "assert 'torch' not in sys.modules",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
    assert all(getattr(mmad, name) is not None for name in mmad.__all__)
    with pytest.raises(AttributeError, match="load_pipelines"):
        mmad.load_pipelines  # noqa: B018


def test_the_package_lists_the_names_that_it_imports():
    """Its imports for editors, the list of its names and the table of their modules say the same."""
    names = {f"{module}.{name}" for name, module in mmad._MODULE_OF.items()}
    source = ast.parse(Path(mmad.__file__).read_text(encoding="utf-8"))
    imported = {
        f"{node.module.removeprefix('mmad.')}.{alias.name}"
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("mmad.")
        for alias in node.names
    }
    assert names == imported and sorted(mmad._MODULE_OF) == sorted(mmad.__all__)


def modules_imported(source: str) -> set[str]:
    """The full names of what a source text imports of mmad, also inside functions: modules and what they hold."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("mmad.")}


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Some modules that import each other in a circle, the first again at the end; empty where there are none."""
    done: set[str] = set()

    def walk(path: list[str]) -> list[str]:
        for name in sorted(imports[path[-1]] - done):
            found = [*path[path.index(name) :], name] if name in path else walk([*path, name])
            if found:
                return found
        done.add(path[-1])
        return []

    return next((found for name in sorted(imports) if (found := walk([name]))), [])


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_no_files_import_each_other_in_a_circle():
    """Lazy imports included. The package's front door is no part of it: everything imports it, by name alone."""
    files = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}
    imports = {
        name: (modules_imported(path.read_text(encoding="utf-8")) & set(files)) - {"mmad", name}
        for name, path in files.items()
    }
    assert circle(imports) == []
