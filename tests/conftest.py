"""What several tests need: the gated research data where it is, and the choice to run slow tests."""

import os
from pathlib import Path

import pytest
import torch


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


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
