"""tools/import_pose.py through the command line: other tools' joints to tracks, one file a video."""

import json
import os
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_videos import write_video

from mmad.pose.landmark_files import load_landmarks

ROOT = Path(__file__).parents[2]
KNOWN = ("--fps", "25", "--size", "640x480")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def typed(*arguments, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["tools/import_pose.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / "tools/import_pose.py"), run_name="__main__")
        done = capsys.readouterr()
        assert left.value.code == code, done.err
        return done.err if code else done.out

    return typed


def write_results(path: str, frames: int = 3, x: float = 100.0) -> Path:
    """COCO results: all joints at (x + number, 200)."""
    joints = [value for joint in range(17) for value in (x + joint, 200 + joint, 0.5)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps([{"image_id": frame, "keypoints": joints} for frame in range(frames)]))
    return Path(path)


def write_openpose(folder: str, name: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for frame in range(2):
        person = {"pose_keypoints_2d": [100.0, 200.0, 0.5] * 25}
        (Path(folder) / f"{name}_{frame:012d}_keypoints.json").write_text(json.dumps({"people": [person]}))


def write_clips(path: str, names: list[str], **change) -> None:
    clips = []
    for name in names:
        item = {"frame_dir": name, "label": 3, "img_shape": (480, 640)}
        item |= {"keypoint": np.full((1, 3, 17, 2), 100.0), "keypoint_score": np.full((1, 3, 17), 0.5)}
        clips.append(item)
    clips[-1].update(change)
    Path(path).write_bytes(pickle.dumps(clips))


def test_one_file(run, here):
    said = run(write_results("clip.json"), "--out", "tracks", *KNOWN)
    assert said.splitlines()[-1] == "1 tracks of 1 files in tracks"
    assert "note: absent joints, which count as not seen: left/right eye inner, " in said
    track = load_landmarks("tracks/clip.npz")
    assert (track.source, track.details["file"]) == ("imported from coco", "clip.json")
    np.testing.assert_allclose(track.points[2, 0], [100 / 480, 200 / 480, 0.5], rtol=1e-6)


def test_a_folder_of_everything(run, here):
    """OpenPose's folders, files in subfolders; what is no file of joints is left out, and so are our own sidecars."""
    write_openpose("in/openpose/day1", "day1")
    write_openpose("in/day2", "day2")
    write_results("in/more/clip.json")
    write_clips("in/set.pkl", ["a", "b"])
    Path("in/predictions.json").write_text('{"results": {}}')
    Path("in/notes.csv").write_text("id,text\n1,hello\n")
    said = run("in", "--out", "tracks", *KNOWN)
    assert "2 files in in are not known to hold joints and are left out" in said
    assert said.splitlines()[-1] == "5 tracks of 4 files in tracks"
    assert sorted(path.stem for path in Path("tracks").glob("*.npz")) == ["a", "b", "clip", "day1", "day2"]
    assert run("tracks", "--out", "copies").splitlines()[-1] == "5 tracks of 5 files in copies"
    np.testing.assert_array_equal(load_landmarks("copies/a.npz").points, load_landmarks("tracks/a.npz").points)
    assert load_landmarks("copies/a.npz").details["label"] == 3


def test_the_same_again(run, here):
    path = write_results("clip.json")
    run(path, "--out", "tracks", *KNOWN)
    write_results("clip.json", frames=5)
    run(path, "--out", "tracks", *KNOWN)
    assert len(load_landmarks("tracks/clip.npz").times) == 5


def test_tracks_of_another_kind_are_not_written_over(run, here):
    write_results("clip.json")
    write_openpose("openpose", "clip")
    run("openpose", "--out", "tracks", *KNOWN)
    before = Path("tracks/clip.npz").read_bytes()
    said = run("clip.json", "--out", "tracks", *KNOWN, code=2)
    assert "tracks/clip.npz: is a track that was not imported from coco (source: imported from openpose)" in said
    Path("tracks/clip.json").unlink()
    assert "(source: unknown); name another folder" in run("openpose", "--out", "tracks", *KNOWN, code=2)
    assert "tracks/clip.npz: is read by this very command" in run("tracks/clip.npz", "--out", "tracks", code=2)
    assert Path("tracks/clip.npz").read_bytes() == before


def test_two_videos_of_one_name(run, here):
    files = write_results("one/clip.json"), write_results("two/clip.json", x=300.0)
    said = run(*files, "--out", "tracks", *KNOWN, code=2)
    assert "error: two/clip.json: its video clip has the same name as one of one/clip.json" in said
    assert load_landmarks("tracks/clip.npz").points[0, 0, 0] == pytest.approx(100 / 480)


def test_what_is_wrong_with_one_does_not_stop_the_rest(run, here):
    write_clips("set.pkl", ["a", "b", "../../c"])
    write_clips("other.pkl", ["d", "e"], keypoint=np.zeros((1, 3, 19, 2)))
    Path("broken.json").write_text('[{"image_id": 0, "keypoints": [1')
    paths = ("set.pkl", "broken.json", "other.pkl", "missing.csv")
    assert "missing.csv: no such file" in run(*paths, "--out", "tracks", *KNOWN, code=2)
    said = run(*paths[:3], "--out", "tracks", *KNOWN, code=2).splitlines()
    assert [line.split(":")[1].strip() for line in said if line.startswith("error")] == [
        "set.pkl, '../../c'",
        "broken.json, line 1, column 33",
        "other.pkl, clip 1 (the first is 0)",
    ]
    assert sorted(path.stem for path in Path("tracks").glob("*.npz")) == ["a", "b", "d"]
    assert not list(here.parent.glob("c.*"))


def test_the_video_tells_rate_and_size(run, here):
    write_results("poses/clip.json")
    Path("videos").mkdir()
    write_video(Path("videos/clip.mp4"), 6, fps=20, size=(640, 480))
    run("poses", "--out", "tracks", "--videos", "videos")
    track = load_landmarks("tracks/clip.npz")
    np.testing.assert_allclose(track.times, np.arange(6) / 20)
    assert track.size.tolist() == [640, 480]
    write_clips("set.pkl", ["a", "b"])
    assert "is one file for 2 videos" in run("set.pkl", "--out", "t", "--videos", "videos/clip.mp4", code=2)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--out", "t"), "does not say how large the picture of clip is; give --size"),
        (("--out", "t", "--size", "640x480"), "does not say how many frames per second clip has; give --fps"),
        (("--out", "t", *KNOWN[:2], "--size", "640"), "--size: '640' is not WIDTHxHEIGHT"),
        (("--out", "t", *KNOWN, "--person", "left"), "--person: 'left'"),
        (("--out", "t", *KNOWN, "--person", "2"), "person 2 was asked for of 1"),
        (("--out", "t", *KNOWN, "--format", "pyskl"), "not a pickle that can be read"),
        (("--out", "t", *KNOWN, "--format", "c3d"), "--format: 'c3d' is unknown; choose one of openpose"),
        (("--out", "", *KNOWN), "--out: is empty"),
    ],
)
def test_what_is_typed_wrong(run, here, arguments, problem):
    assert problem in run(write_results("clip.json"), *arguments, code=2)
    assert not list(Path("t").glob("*")) if Path("t").exists() else True


def test_nobody_is_said(run, here):
    Path("v_000_keypoints.json").write_text('{"people": []}')
    assert "note: nobody is seen (1 of 1 tracks, such as v)" in run(here, "--out", "tracks", *KNOWN)


def test_help_starts_at_once_and_needs_no_torch():
    command = "import sys, runpy\nsys.argv = ['import_pose.py', '--help']\n"
    command += "try:\n    runpy.run_path('tools/import_pose.py', run_name='__main__')\n"
    command += "except SystemExit:\n    sys.exit(bool({'torch', 'mediapipe'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "openpose, coco, mmpose, mediapipe" in " ".join(done.stdout.split())
