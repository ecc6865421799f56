"""What lands on disk: the official forms, real videos, and the same for the same seed."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mmad.config import RenderConfig
from mmad.errors import InputError
from mmad.formats import read_annotations
from mmad.formats.mma52 import read_clip_list
from mmad.labels import MMA52
from mmad.render.dataset import write_data_set
from mmad.render.timelines import FPS
from mmad.video.reader import probe, read_frames

MAKE = Path(__file__).parents[2] / "tools" / "make_synthetic.py"
SMALL = {"videos": 4, "clips": 4, "seed": 3, "classes": ["waving", "nodding"], "longest": 2.0}
SMALL |= {"width": 40, "height": 48, "samples": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The same data set twice, once by one process and once by two."""
    root = tmp_path_factory.mktemp("made")
    for out, workers in (("a", 1), ("b", 2)):
        write_data_set(root / out, RenderConfig(**SMALL, workers=workers))
    return root


def test_the_same_seed_gives_the_same_files(made):
    names = sorted(path.relative_to(made / "a") for path in (made / "a").rglob("*") if path.is_file())
    assert len(names) == 4 + 4 + 4 + 2  # videos, clips, annotations and lists, settings and card
    for name in names:
        assert (made / "a" / name).read_bytes() == (made / "b" / name).read_bytes(), name


def test_the_files_are_the_official_ones(made):
    annotations = read_annotations(made / "a" / "train.csv")
    assert len(annotations) == 3
    for item in annotations:
        info = probe(made / "a" / "train" / f"{item.video_id}.mp4")
        assert info.fps == pytest.approx(FPS)
        assert info.duration == pytest.approx(item.duration)
        assert set(item.labels) <= {MMA52.index[name] for name in SMALL["classes"]}
    clips = read_clip_list(made / "a" / "train_list_videos.txt")
    assert len(clips) == 3
    for name, _ in clips:
        assert probe(made / "a" / "clips" / name).num_frames >= FPS
    assert "3 videos" in (made / "a" / "card.md").read_text()


def test_people_are_in_one_subset_only(made):
    people = {
        subset: {path.name.split("_")[1] for path in (made / "a" / subset).iterdir()} for subset in ("train", "val")
    }
    assert people == {"train": {"000"}, "val": {"000"}}  # numbered from 0 in each: the name says the subset
    train, val = (
        read_frames(next((made / "a" / subset).glob("*_0000.mp4")), [0])[0].astype(int) for subset in ("train", "val")
    )
    assert np.abs(train - val).mean() > 5


def test_a_person_is_in_the_picture_and_moves(made):
    path = sorted((made / "a" / "clips").iterdir())[0]
    frames = read_frames(path, range(probe(path).num_frames)).astype(float)
    assert frames.shape[1:] == (48, 40, 3)
    assert frames.std(axis=(1, 2, 3)).min() > 15  # not an empty room
    assert np.abs(frames - frames[0]).max(axis=(1, 2, 3))[15:].max() > 40  # more than noise


def test_a_stopped_run_goes_on(made):
    lost = sorted((made / "a" / "train").iterdir())[1]
    before, kept = lost.read_bytes(), sorted((made / "a" / "train").iterdir())[0].stat().st_mtime_ns
    lost.unlink()
    write_data_set(made / "a", RenderConfig(**SMALL, workers=1))
    assert lost.read_bytes() == before
    assert sorted((made / "a" / "train").iterdir())[0].stat().st_mtime_ns == kept


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to a group")
def test_interrupting_ends_soon_and_leaves_nothing_half_written(tmp_path):
    """Dozens of videos are planned; after Ctrl-C only those under way are finished."""
    small = ["--clips", "0", "--size", "40x48", "--samples", "1", "--longest", "4"]
    command = [sys.executable, MAKE, tmp_path, "--videos", "80", *small, "--workers", "2"]
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # whoever started us in the background ignores it
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears
    ) as process:
        while not list(tmp_path.glob("*/*.mp4")) and process.poll() is None:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted" in said
    done = list(tmp_path.glob("*/*.mp4"))
    assert 1 <= len(done) < 20
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]
    assert all(probe(path).num_frames > FPS for path in done)


def test_annotations_come_without_frames_too(made, tmp_path):
    write_data_set(tmp_path, RenderConfig(**SMALL), content="nothing")
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert names == sorted(path.name for path in (made / "a").iterdir() if path.is_file())
    assert (tmp_path / "val.csv").read_bytes() == (made / "a" / "val.csv").read_bytes()


def test_other_settings_want_another_folder(made):
    with pytest.raises(InputError, match=r"settings\.json.*choose another folder"):
        write_data_set(made / "a", RenderConfig(**{**SMALL, "width": 42}))
    assert json.loads((made / "a" / "settings.json").read_text())["width"] == 40


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"width": 41}, "even"),
        ({"height": 8}, "32..4096"),
        ({"classes": ["noding"]}, "did you mean 'nodding'"),
        ({"seed": -1}, "seed"),
        ({"longest": float("nan")}, "longest"),
    ],
)
def test_settings_are_checked(setting, says):
    with pytest.raises(InputError, match=says):
        RenderConfig(**setting)
