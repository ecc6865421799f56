"""What several tests need: the gated research data where it is, and the choice to run slow tests."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ANNYS_CACHE = Path.home() / ".cache" / "anny"


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_sessionstart(session):
    """Before several processes (`-n`) make people at once: on a new machine the first to do so writes anny's cache, and
    another would read it half written."""
    several = getattr(session.config.option, "numprocesses", None) and not hasattr(session.config, "workerinput")
    if several and importlib.util.find_spec("anny") and not any(ANNYS_CACHE.rglob("*.safetensors")):
        command = [sys.executable, "-c", "from mmad.render.body import anatomy; anatomy()"]
        subprocess.run(command, cwd=Path(__file__).parents[1])


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="takes minutes; run with --slow"))
        if item.get_closest_marker("shared") and shared_folder() is None:
            item.add_marker(pytest.mark.skip(reason="needs the research data: set MMAD_SHARED to its folder"))


def shared_folder() -> Path | None:
    """The folder of the gated data and reference outputs: MMAD_SHARED, or `shared` beside the repository."""
    folder = Path(os.environ.get("MMAD_SHARED", Path(__file__).parents[2] / "shared"))
    return folder if (folder / "golden").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """For tests marked `shared`, which are skipped without it."""
    folder = shared_folder()
    assert folder is not None, "mark the test with pytest.mark.shared"
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small tensors are slower on several threads, much slower where other processes are busy."""
    torch.set_num_threads(1)


@pytest.fixture
def write(tmp_path):
    """write(name, text or something for JSON) -> path"""

    def write(name: str, content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write
