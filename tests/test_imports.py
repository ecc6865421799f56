"""Imports point down, never sideways; and judging needs no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mmad

PACKAGE = Path(mmad.__file__).parent
BASE = {"mmad", "errors", "files", "records", "labels", "config"}  # "mmad": the package's own __init__
BELOW = {
    **dict.fromkeys(BASE, BASE),
    "mmad": BASE | {"engine"},  # the front door: mmad.load_pipeline, when it is asked for
    **dict.fromkeys(["metrics", "data", "ops"], BASE),
    "pose": BASE | {"data"},
    "models": BASE | {"ops"},
    "engine": BASE | {"metrics", "data", "ops", "pose", "models"},
    "report": BASE | {"metrics", "data", "ops", "pose", "models"},
    "render": BASE | {"metrics", "data", "pose"},
}
TORCH_FREE = ["errors", "files", "records", "labels", "config", "data.annotations", "data.exchange"]
TORCH_FREE += ["data.events", "data.elan", "data.per_video", "data.behaviour", "data.formats"]
TORCH_FREE += ["data.thresholds", "data.videos", "engine.extract_pose"]
TORCH_FREE += [f"pose.{path.stem}" for path in PACKAGE.glob("pose/[!_]*.py") if path.stem != "training_set"]
TORCH_FREE += [f"metrics.{path.stem}" for path in PACKAGE.glob("metrics/[!_]*.py")]


def room_of(path: Path) -> str:
    """The folder below mmad that a file lies in, or the name of a file that lies in no folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "mmad" if parts == ("__init__",) else parts[0]


def rooms_imported(source: str) -> set[str]:
    """The rooms of mmad that a source text imports, also inside functions."""
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full: from mmad.room import ..."
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [module.split(".") for module in modules]
    return {
        names[1] if len(names) > 1 and names[1] != "__version__" else "mmad" for names in parts if names[0] == "mmad"
    }


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import numpy\nfrom pathlib import Path", set()),
        ("import mmad.ops.segments", {"ops"}),
        ("from mmad.records import Annotation", {"records"}),
        ("from mmad import config, __version__", {"config", "mmad"}),
        ("def f():\n    from mmad.data import video", {"data"}),
    ],
)
def test_imports_are_seen_in_every_form(source, rooms):
    assert rooms_imported(source) == rooms


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    room = room_of(path)
    assert room in BELOW, f"{room} has no place in the order of the house"
    upwards = rooms_imported(path.read_text(encoding="utf-8")) - BELOW[room] - {room}
    assert not upwards, f"{room} must not import {', '.join(sorted(upwards))}"


@pytest.mark.parametrize("module", TORCH_FREE)
def test_judging_and_reading_files_need_no_torch(module):
    if not PACKAGE.joinpath(*module.split(".")).with_suffix(".py").exists():
        pytest.skip(f"mmad.{module} is not written yet")
    command = f"import sys, mmad.{module}\nsys.exit('torch' in sys.modules or 'mediapipe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command]).returncode == 0
