from itertools import pairwise

import numpy as np
import pytest

from mmad.data.annotations import read_annotations, read_clip_list
from mmad.data.video import probe, read_frames
from mmad.labels import MMA52
from mmad.render.sketch import FPS, MOTIONS, make_person, make_timeline, write_data_set


def test_the_files_are_the_official_ones_and_the_same_for_a_seed(tmp_path):
    for out in ("a", "b"):
        write_data_set(tmp_path / out, videos=4, clips=4, seed=3)
    for name in ("train.csv", "val.csv", "train_list_videos.txt", "val_list_videos.txt"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    annotations = read_annotations(tmp_path / "a" / "train.csv")
    assert len(annotations) == 3
    info = probe(tmp_path / "a" / "train" / "train0000.mp4")
    assert info.fps == pytest.approx(FPS)
    assert info.duration == pytest.approx(annotations[0].duration)
    same = [read_frames(tmp_path / out / "train" / "train0000.mp4", [5]) for out in ("a", "b")]
    assert (same[0] == same[1]).all()
    assert len(read_clip_list(tmp_path / "a" / "train_list_videos.txt")) == 3


def test_no_limb_does_two_things_at_once():
    limb_of = {MMA52.index[name]: limb for name, (limb, _) in MOTIONS.items()}
    generator = np.random.default_rng(0)
    for i in range(50):
        timeline = make_timeline(generator, str(i))
        for limb in ("head", "arms", "legs"):
            mine = sorted(s.tolist() for s, label in zip(timeline.segments, timeline.labels) if limb_of[label] == limb)
            assert all(before[1] <= after[0] for before, after in pairwise(mine))


def test_people_differ():
    first, second = (make_person(np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.allclose(first.colours["shirt"], second.colours["shirt"])
