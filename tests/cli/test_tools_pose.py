"""By joints from end to end: a small training that goes on where it was, and detect.py on a landmark track."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typed_commands import ROOT, run

from mmad.cli.commands import train_pose
from mmad.pose.landmark_files import landmark_files, save_landmarks
from mmad.records import LandmarkTrack

SMALL = ["videos=8", "clips=8", "detector_videos=24", "batches=2", "train.epochs=2", "train.batch=4", "workers=1"]
SMALL += ["detection.train.epochs=1", "network.width=8", "detection.detector.random=16", "device=cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    pytest.importorskip("anny")
    out = tmp_path_factory.mktemp("pose")
    train_pose.main([str(ROOT / "configs" / "pose.yaml"), *SMALL, f"output={out}"])
    return out


def test_training_goes_on_where_it_was(trained):
    before = (trained / "pose.safetensors").read_bytes()
    again = run("tools/train_pose.py", "configs/pose.yaml", *SMALL, f"output={trained}")
    assert again.code == 0, again.err
    assert "going on from" in again.out and "epoch 1 " not in again.out
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
    assert done.code == 0, done.err
    assert list(json.loads((out / "predictions.json").read_text())["results"]) == ["someone"]
    page = (out / "report" / "someone.html").read_text(encoding="utf-8")
    index = (out / "report.html").read_text(encoding="utf-8")
    assert "All that was found is in" in index and "All of them are in" not in index
    assert "rendered people" in page and (out / "report" / "joints" / "someone.js").exists()


def test_bad_input_is_one_line(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"nothing")
    done = run("tools/detect.py", tmp_path / "no.npz", "--out", tmp_path / "out")
    assert done.code == 2 and "no.npz" in done.err and len(done.err.strip().splitlines()) == 1


def test_features_of_joints_lie_beside_those_of_pixels(trained, tmp_path):
    """Two folders on their own grids, one detector: joints from landmark tracks, and features of another tool."""
    generator = np.random.default_rng(1)
    tracks, joints, pixels = (tmp_path / name for name in ("landmarks", "joints", "pixels"))
    pixels.mkdir()
    rows = ["video_id,start_frame,end_frame,class,total_frames,fps"]
    for i in range(8):
        points = np.concatenate([generator.uniform(0.3, 0.7, (90, 75, 2)), np.ones((90, 75, 1))], axis=2)
        save_landmarks(tracks, LandmarkTrack(f"p{i}_v", points, np.arange(90) / 15, "mediapipe75", (640, 480)))
        np.save(pixels / f"p{i}_v.npy", generator.standard_normal((40, 5)).astype(np.float32))
        rows.append(f"p{i}_v,30,90,nodding,180,30")
    (tmp_path / "all.csv").write_text("\n".join(rows))
    model = trained / "pose.safetensors"
    extract = ["tools/extract_features.py", "--videos", tracks, "--out", joints, "--checkpoint", model]
    done = run(*extract, "--device", "cpu")
    assert done.code == 0, done.err
    assert "8 of 8 tracks have features" in done.out
    assert "8 of 8 tracks are done already" in run(*extract, "--device", "cpu").out
    changed = LandmarkTrack("p0_v", points[:60], np.arange(60) / 15, "mediapipe75", (640, 480))
    save_landmarks(tracks, changed)
    assert "p0_v.npz: is another file than" in run(*extract, "--device", "cpu").err
    assert len(np.load(joints / "p0_v.npy")) == 30
    save_landmarks(tracks, LandmarkTrack("p0_v", points, np.arange(90) / 15, "mediapipe75", (640, 480)))
    run(*extract, "--device", "cpu")

    options = ["features.folders=[joints,pixels]", "data.train=all.csv", "data.val=all.csv", "detector.random=16"]
    options += ["train.epochs=1", "device=cpu", f"data.root={tmp_path}", f"output={tmp_path / 'run'}"]
    done = run("tools/train_det.py", "configs/mma52.yaml", *options)
    assert done.code == 0, done.err
    channels = sum(np.load(folder / "p0_v.npy").shape[1] for folder in (joints, pixels))
    assert torch.load(tmp_path / "run" / "best.pt", weights_only=True)["features"]["channels"] == channels
    done = run("tools/detect.py", tracks / "p0_v.npz", "--detector", tmp_path / "run" / "best.pt", "--out", tmp_path)
    assert done.code == 2 and "was trained on features of joints" in done.err


@pytest.mark.parametrize(
    "typed, said",
    [
        (["mode=clip"], "error: mode=clip: does not go with landmark tracks; leave it out"),
        (["--shard", "2"], "is not I/N"),
        (["--checkpoint", "absent.safetensors"], "error: absent.safetensors: no such file"),
    ],
)
def test_options_that_landmark_tracks_do_not_take(tmp_path, typed, said):
    (tmp_path / "a.npz").write_bytes(b"")
    done = run("tools/extract_features.py", *typed, "--videos", tmp_path, "--out", tmp_path / "out")
    assert done.code == 2 and said in done.err and "Traceback" not in done.err


def test_a_file_that_is_not_a_landmark_track_is_named_and_the_others_are_done(tmp_path):
    points = np.concatenate([np.full((30, 75, 2), 0.5), np.ones((30, 75, 1))], axis=2)
    save_landmarks(tmp_path, LandmarkTrack("good", points, np.arange(30) / 15, "mediapipe75", (640, 480)))
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    done = run("tools/extract_features.py", "--videos", tmp_path, "--out", tmp_path / "out", "--device", "cpu")
    assert done.code == 2 and "bad.npz: is not a file of landmarks" in done.err
    assert (tmp_path / "out" / "good.npy").exists() and "1 of 2 tracks have features" in done.out


def test_folders_with_videos_are_folders_of_videos(tmp_path):
    for name in ("tracks", "videos", "both", "neither"):
        (tmp_path / name).mkdir()
    for name in ("tracks/a.npz", "tracks/b.npz", "both/a.npz", "both/a.mp4", "videos/a.mp4"):
        (tmp_path / name).touch()
    tracks = [tmp_path / "tracks" / "a.npz", tmp_path / "tracks" / "b.npz"]
    assert landmark_files([tmp_path / "tracks"]) == tracks == landmark_files(tracks)
    for others in (["both"], ["videos"], ["neither"], ["tracks", "videos"], ["tracks", "neither"], ["videos/a.mp4"]):
        assert landmark_files([tmp_path / name for name in others]) == []
