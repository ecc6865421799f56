"""By joints from end to end: a small training that goes on where it was, and detect.py on a landmark track."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmad.pose.landmark_files import save_landmarks
from mmad.records import LandmarkTrack

ROOT = Path(__file__).parents[2]
SMALL = ["videos=8", "clips=8", "detector_videos=24", "networks=2", "batches=2", "train.epochs=2", "train.batch=4"]
SMALL += ["workers=1", "detection.train.epochs=1", "network.width=8", "detection.detector.random=16", "device=cpu"]
    "clips=8",
    "detector_videos=24",
    "networks=2",
    "batches=2",
    "train.epochs=2",
    "train.batch=4",
    "workers=1",
]
SMALL += ["detection.train.epochs=1", "network.width=8", "detection.detector.random=16", "device=cpu"]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    pytest.importorskip("anny")
    out = tmp_path_factory.mktemp("pose")
    done = run("tools/train_pose.py", "configs/pose.yaml", *SMALL, f"output={out}")
    assert done.returncode == 0, done.stderr
    return out


def test_training_goes_on_where_it_was(trained):
    before = (trained / "pose.safetensors").read_bytes()
    again = run("tools/train_pose.py", "configs/pose.yaml", *SMALL, f"output={trained}")
    assert again.returncode == 0, again.stderr
    assert "going on from" in again.stdout and "epoch 1 " not in again.stdout
    assert (trained / "pose.safetensors").read_bytes() == before


def test_a_track_becomes_a_page(trained, tmp_path):
    generator = np.random.default_rng(0)
    places = generator.uniform(0.3, 0.7, (1, 75, 2)) + 0.01 * generator.standard_normal((60, 75, 2))
    points = np.concatenate([places, np.ones((60, 75, 1))], axis=2)
    save_landmarks(tmp_path, LandmarkTrack("someone", points, np.arange(60) / 15, "mediapipe75", (640, 480)))
    out = tmp_path / "out"
    done = run(
        "tools/detect.py",
        tmp_path / "someone.npz",
        "--detector",
        trained / "pose.safetensors",
        "--out",
        out,
        "--device",
        "cpu",
    )
    assert done.returncode == 0, done.stderr
    assert list(json.loads((out / "predictions.json").read_text())["results"]) == ["someone"]
    page = (out / "report" / "someone.html").read_text(encoding="utf-8")
    index = (out / "report.html").read_text(encoding="utf-8")
    assert "All that was found is in" in index and "All of them are in" not in index
    assert "rendered people" in page and (out / "report" / "joints" / "someone.js").exists()


def test_bad_input_is_one_line(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"nothing")
    done = run("tools/detect.py", tmp_path / "no.npz", "--out", tmp_path / "out")
    assert done.returncode == 2 and "no.npz" in done.stderr and len(done.stderr.strip().splitlines()) == 1
