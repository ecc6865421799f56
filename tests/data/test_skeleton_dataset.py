"""Clips of joints in every form that people have them: landmark tracks, pyskl's, PCAN's and MMN's files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mmad.config import SkeletonConfig
from mmad.data.clip_dataset import ClipLoader, Loading
from mmad.data.skeleton_dataset import SkeletonClip, SkeletonDataset, read_skeleton_clips
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.pose.landmark_files import save_landmarks
from mmad.pose.skeleton_clips import SKELETONS
from mmad.pose.skeletons import LAYOUTS
from mmad.records import LandmarkTrack

MA52, IMIGUE = SKELETONS["ma52"], SKELETONS["imigue"]


def keypoints(place: float, joints: int = 44, people: int = 1, frames: int = 5) -> np.ndarray:
    """(M, T, V, 2) pixels: every person of every frame at `place`, the second 100 further."""
    points = np.full((people, frames, joints, 2), place, dtype=np.float32)
    return points + 100 * np.arange(people, dtype=np.float32)[:, None, None, None]


def item(name: str, place: float, label: int | None = 3, joints: int = 44, people: int = 1) -> dict:
    found = {"frame_dir": name, "keypoint": keypoints(place, joints, people), "img_shape": (480, 640)}
    return found if label is None else {**found, "label": label}


def pickled(path: Path, content) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


def places(clips: list[SkeletonClip]) -> list[tuple[str, int, float]]:
    return [(clip.name, clip.label, float(clip.points[0, 0, 0])) for clip in clips]


def read(path: Path, joints: str | Path = "", subset: str = "", skeleton=MA52) -> list[SkeletonClip]:
    return read_skeleton_clips(path, joints, MMA52, skeleton, subset)


def test_pyskls_parts(tmp_path):
    content = {
        "split": {"train": ["a", "c"], "val": ["b"]},
        "annotations": [item(n, i + 1) for i, n in enumerate("abc")],
    }
    path = pickled(tmp_path / "ma52.pkl", content)
    assert places(read(path, subset="train")) == [("a.mp4", 3, 1), ("c.mp4", 3, 3)]
    assert places(read(path, subset="val")) == [("b.mp4", 3, 2)]
    with pytest.raises(InputError, match=r"ma52\.pkl: has no part 'test'.*\['train', 'val'\]"):
        read(path, subset="test")


def test_pcans_list_and_its_layout(tmp_path):
    """Of two people the first counts, as in training; what OpenPose's joints lack is not known."""
    content = [{**item("", 2, 7, 28, people=2), "filename": f"data/ma52/train/train{i}.mp4"} for i in range(2)]
    for clip in content:
        clip.pop("frame_dir")
    clips = read(pickled(tmp_path / "MA52_train.pkl", content), subset="train")
    assert places(clips) == [("train0.mp4", 7, 2), ("train1.mp4", 7, 2)]
    assert np.isnan(clips[0].points[:, LAYOUTS["mmn44"].index("left heel")]).all()


@pytest.mark.parametrize("named", ["val_label.pkl", "val_data.pkl"])
def test_mmns_two_files(tmp_path, named):
    pickled(tmp_path / "val_data.pkl", {"split": {}, "annotations": [item("v1", 4, None), item("v0", 5, None)]})
    pickled(tmp_path / "val_label.pkl", [{"file_name": "v0", "label": 1}, {"file_name": "v1", "label": np.int64(12)}])
    assert places(read(tmp_path / named, subset="val")) == [("v1.mp4", 12, 4), ("v0.mp4", 1, 5)]


def test_a_list_and_the_joints_of_a_pickle(tmp_path):
    path = pickled(tmp_path / "joints.pkl", [item("a", 1, None), item("b", 2, None), item("c", 3, None)])
    (tmp_path / "list.txt").write_text("c.mp4 5\na.mp4 0\n")
    assert places(read(tmp_path / "list.txt", path)) == [("c.mp4", 5, 3), ("a.mp4", 0, 1)]
    (tmp_path / "more.txt").write_text("c.mp4 5\nd.mp4 0\n")
    with pytest.raises(InputError, match=r"joints\.pkl: lacks 1 of 2 listed clips, such as d\.mp4; .*more\.txt"):
        read(tmp_path / "more.txt", path)


def test_a_list_and_landmark_tracks(tmp_path):
    points = np.full((6, 75, 3), 0.5, dtype=np.float32)
    save_landmarks(tmp_path / "tracks", LandmarkTrack("a", points, np.arange(6) / 15, "mediapipe75", (640, 480)))
    (tmp_path / "list.txt").write_text("a.mp4 5\n")
    assert places(read(tmp_path / "list.txt", tmp_path / "tracks")) == [("a.mp4", 5, 0.5)]
    (tmp_path / "list.txt").write_text("a.mp4 5\nb.mp4 5\n")
    with pytest.raises(InputError, match=r"b\.npz: no such file; landmark tracks are made by `mmad extract-pose`"):
        read(tmp_path / "list.txt", tmp_path / "tracks")


def test_a_test_set_has_no_classes(tmp_path):
    assert places(read(pickled(tmp_path / "test.pkl", [item("a", 1, None)]))) == [("a.mp4", 0, 1)]
    with pytest.raises(InputError, match=r"half\.pkl: 1 of 2 clips have no class"):
        read(pickled(tmp_path / "half.pkl", [item("a", 1, None), item("b", 1)]))
    with pytest.raises(InputError, match=r"big\.pkl, clip a: class 52, there are 52"):
        read(pickled(tmp_path / "big.pkl", [item("a", 1, 52)]))
    with pytest.raises(InputError, match=r"only_label\.pkl|only_data\.pkl: no such file"):
        pickled(tmp_path / "only_label.pkl", [{"file_name": "v0", "label": 1}])
        read(tmp_path / "only_label.pkl")


class Runs:
    def __reduce__(self):
        return print, ("this code ran",)


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    path = pickled(tmp_path / "evil.pkl", [{**item("a", 1), "label": Runs()}])
    with pytest.raises(InputError, match=r"evil\.pkl: it asks for builtins\.print"):
        read(path)
    (tmp_path / "list.txt").write_text("a.mp4 5\n")
    with pytest.raises(InputError, match=r"evil\.pkl"):
        read(tmp_path / "list.txt", path)
    assert "this code ran" not in capsys.readouterr().out


def test_batches(tmp_path):
    generator = np.random.default_rng(0)
    clips = [SkeletonClip(f"{i}.mp4", i, generator.uniform(0, 1, (9, 22, 2)).astype(np.float32)) for i in range(5)]
    data = SkeletonDataset(clips, IMIGUE, SkeletonConfig())
    batches = list(ClipLoader(data, Loading(batch=2)))
    assert [batch.labels.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert batches[0].x.shape == (2, 2, 64, 22, 1) and batches[0].index_t.shape == (2, 64)
    assert batches[0].inputs(None) == (batches[0].x, batches[0].index_t)
    assert data.classes.tolist() == [0, 1, 2, 3, 4] and data.clips[4] == ("4.mp4", 4)
    training = SkeletonDataset(clips, IMIGUE, SkeletonConfig(), seed=1)
    assert np.array_equal(training[3, 1][0], training[3, 1][0])
    assert not np.array_equal(training[3, 1][0], training[4, 1][0])
    assert data.digests() == training.digests()
    changed = [*clips[:4], SkeletonClip("4.mp4", 4, clips[4].points + 1)]
    assert data.digests() != SkeletonDataset(changed, IMIGUE, SkeletonConfig()).digests()
    assert batches[0].to(torch.device("cpu")).x is batches[0].x
