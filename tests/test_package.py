"""What `pip install .` puts into the package, besides Python files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder that holds `mmad` as it is installed."""
    pytest.importorskip("setuptools", reason="setup.py needs setuptools")
    folder = tmp_path_factory.mktemp("build")
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-base", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder / "lib"


def test_configurations_and_all_other_files_are_in_the_package(built):
    files = {path.relative_to(ROOT) for path in (ROOT / "mmad").rglob("*") if path.is_file() and "__" not in str(path)}
    others = {path for path in files if path.suffix != ".py"}
    assert {path.suffix for path in others} >= {".safetensors", ".md", ".js", ".css"}
    for path in others:
        assert (built / path).read_bytes() == (ROOT / path).read_bytes()
    configs = {path.name: path.read_bytes() for path in (ROOT / "configs").iterdir()}
    assert configs == {path.name: path.read_bytes() for path in (built / "mmad" / "configs").iterdir()}


def test_an_installed_command_finds_configurations_by_name_from_any_folder(built, tmp_path):
    def typed(*words: str) -> str:
        code = f"import sys\nsys.argv = {['mmad', *words]}\nfrom mmad.cli import main\nmain()"
        environment = {**os.environ, "PYTHONPATH": str(built)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 2
        return done.stderr

    assert typed("train-det", "mma52", "train.epoch=3").startswith("error: argument 'train.epoch=3': unknown key")
    assert typed("train-det", "mma5").endswith("manet_mma52, mma52, mmn_ma52, mmn_ma52_plus, pose\n")
