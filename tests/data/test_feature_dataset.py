import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmad.config import FeaturesConfig
from mmad.data.feature_dataset import FeatureBatchSampler, FeatureDataset, batches_of_similar_length, collate, crop
from mmad.data.feature_files import save_track
from mmad.errors import InputError
from mmad.records import Annotation, FeatureTrack, TimeGrid

STEP = 0.5  # s
REPOSITORY = Path(__file__).parents[2]


def put_video(folder, video_id: str, steps: int, segments=(), channels: int = 2, source: str = "net/abc") -> Annotation:
    """Features whose row i holds i, of a video with actions of label 0, 1, ... at `segments` (s)."""
    values = np.repeat(np.arange(steps, dtype=np.float32)[:, None], channels, axis=1)
    save_track(folder, FeatureTrack(video_id, values, TimeGrid(STEP / 2, STEP), steps * STEP, source))
    return Annotation(video_id, steps * STEP, segments, range(len(segments)))


def dataset_of(annotations, folder, window: int = 100, **more) -> FeatureDataset:
    return FeatureDataset.from_folder(annotations, folder, FeaturesConfig(), window, **more)


# --- crop -------------------------------------------------------------------------------------------------------

# The window of 4 steps from 10 on reaches from 9.5 to 13.5.


@pytest.mark.parametrize(
    "segment, cropped",
    [
        ((10, 12), (0, 2)),  # inside
        ((9.5, 13.5), (-0.5, 3.5)),  # identical
        ((5, 20), None),  # 4 of 15 are left: less than 0.3
        ((8, 11), (-0.5, 1)),  # 1.5 of 3 are left
        ((12, 17), (2, 3.5)),  # 1.5 of 5 are left: exactly 0.3
        ((12, 18), None),  # 1.5 of 6
        ((7.5, 9.5), None),  # touches
        ((13.5, 14), None),
        ((2, 3), None),
        ((11, 11), None),  # an action without length
    ],
)
def test_crop_of_one_action(segment, cropped):
    segments, labels = crop(np.array([segment], float), np.array([7]), 10, 4)
    assert segments.tolist() == ([list(cropped)] if cropped else [])
    assert labels.tolist() == ([7] if cropped else [])


def test_crop_keeps_labels_with_their_actions():
    segments = np.array([[0, 5], [10, 12], [10, 12], [30, 31], [11, 13]], float)
    segments, labels = crop(segments, np.arange(5), 10, 4)
    assert segments.tolist() == [[0, 2], [0, 2], [1, 3]]
    assert labels.tolist() == [1, 2, 4]


def test_crop_without_actions():
    segments, labels = crop(np.empty((0, 2)), np.empty(0, int), 10, 4)
    assert (segments.shape, labels.shape) == ((0, 2), (0,))


# --- samples ----------------------------------------------------------------------------------------------------


def test_a_short_video_comes_whole(tmp_path):
    annotation = put_video(tmp_path, "a", 10, [(0.25, 1.25), (2.0, 4.75)])
    dataset = dataset_of([annotation], tmp_path)
    sample = dataset[0]
    assert (len(dataset), dataset.source, dataset.channels) == (1, "net/abc", 2)
    assert sample.features[:, 0].tolist() == list(range(10))
    assert sample.segments.tolist() == [[0, 2], [3.5, 9]]  # step i is centred on 0.25 s + i * 0.5 s
    assert sample.labels.tolist() == [0, 1]
    assert (sample.features.dtype, sample.segments.dtype, sample.labels.dtype) == (
        torch.float32,
        torch.float32,
        torch.int64,
    )


def test_a_window_of_a_long_video_keeps_its_times(tmp_path):
    annotation = put_video(tmp_path, "a", 60, [(i * 1.0, i + 1.0) for i in range(30)])
    dataset = dataset_of([annotation], tmp_path, window=16)
    firsts = set()
    for epoch in range(20):
        sample = dataset[epoch, 0]
        first = int(sample.features[0, 0])
        firsts.add(first)
        assert sample.features[:, 0].tolist() == list(range(first, first + 16))
        assert sample.grid.to_seconds(0) == pytest.approx(0.25 + first * STEP)
        seconds = sample.grid.to_seconds(sample.segments.numpy())
        whole = (seconds[:, 1] - seconds[:, 0]) > 0.99
        assert whole.sum() >= 7
        assert seconds[whole, 0] == pytest.approx(sample.labels.numpy()[whole])  # label i begins at i s
    assert len(firsts) > 10 and min(firsts) >= 0 and max(firsts) <= 44


def test_windows_depend_on_seed_epoch_and_index_only(tmp_path):
    annotations = [put_video(tmp_path, name, 500) for name in "abc"]

    def firsts(seed: int, epoch: int, order=(0, 1, 2)) -> dict[int, int]:
        dataset = dataset_of(annotations, tmp_path, window=16, seed=seed)
        return {i: int(dataset[epoch, i].features[0, 0]) for i in order}

    expected = firsts(seed=3, epoch=1)
    np.random.seed(9)
    torch.manual_seed(9)
    assert firsts(seed=3, epoch=1, order=(2, 0, 2, 1)) == expected
    assert len(set(expected.values())) == 3
    assert firsts(seed=3, epoch=2) != expected
    assert firsts(seed=4, epoch=1) != expected
    dataset = dataset_of(annotations, tmp_path, window=16, seed=3)
    assert {i: int(dataset[i].features[0, 0]) for i in range(3)} == firsts(seed=3, epoch=0)


def test_a_window_of_probe_scores_is_that_of_the_features(tmp_path):
    """Given scores come in place of features, of the same steps, and what is known of the features stays true."""
    dataset = dataset_of([put_video(tmp_path, name, 60, [(4.0, 24.0)]) for name in "ab"], tmp_path, window=16)
    read = [dataset[epoch, 1] for epoch in range(5)]
    dataset.probe_scores = [np.arange(100 * i, 100 * i + 60)[:, None, None] * np.ones((1, 5, 6)) for i in range(2)]
    scored = [dataset[epoch, 1] for epoch in range(5)]
    for one, other in zip(read, scored):
        assert other.features is None and other.probe_scores.shape == (16, 5, 6)
        assert (other.probe_scores[:, 4, 5] == 100 + one.features[:, 0]).all()
        assert torch.equal(other.segments, one.segments) and other.grid == one.grid
    assert (dataset.source, dataset.channels) == ("net/abc", 2)


@pytest.mark.parametrize(
    "other, message",
    [
        ({"source": "net/def"}, "features of b: made by net/def; a was made by net/abc"),
        ({"channels": 3}, "features of b: 3 channels; a has 2"),
    ],
)
def test_mixed_features_are_refused(tmp_path, other, message):
    annotations = [put_video(tmp_path, "a", 10), put_video(tmp_path, "b", 10, **other)]
    with pytest.raises(InputError, match=message):
        dataset_of(annotations, tmp_path)


def test_no_videos_are_refused(tmp_path):
    with pytest.raises(InputError, match="no annotated videos"):
        dataset_of([], tmp_path)


# --- in memory --------------------------------------------------------------------------------------------------


def made_track(video_id: str, steps: int = 10, channels: int = 2, source: str = "mine") -> FeatureTrack:
    values = np.repeat(np.arange(steps, dtype=np.float32)[:, None], channels, axis=1)
    return FeatureTrack(video_id, values, TimeGrid(STEP / 2, STEP), steps * STEP, source)


def test_tracks_in_memory_are_found_by_their_ids():
    annotations = [Annotation("b", 30.0, [[0.25, 1.25]], [7]), Annotation("a", 5.0, [], [])]
    dataset = FeatureDataset(annotations, [made_track("a"), made_track("c"), made_track("b", 60)])
    assert [track.video_id for track in dataset.tracks] == ["b", "a"]
    assert (len(dataset), dataset.source, dataset.channels) == (2, "mine", 2)
    assert len(dataset[0].features) == 60  # no window: the whole video
    assert dataset[0].segments.tolist() == [[0, 2]] and dataset[0].labels.tolist() == [7]
    assert len(FeatureDataset(annotations, dataset.tracks, window=16)[3, 0].features) == 16


def test_tracks_in_memory_and_in_files_are_the_same_data(tmp_path):
    annotations = [put_video(tmp_path, name, 60, [(4.0, 24.0)]) for name in "ab"]
    read = dataset_of(annotations, tmp_path, window=16, seed=3)
    held = [made_track(name, 60, source="net/abc") for name in "ab"]
    made = FeatureDataset(annotations, held, window=16, seed=3)
    for item in ((0, 0), (5, 1)):
        one, other = read[item], made[item]
        assert torch.equal(one.features, other.features) and torch.equal(one.segments, other.segments)


@pytest.mark.parametrize(
    ("tracks", "said"),
    [
        ([made_track("a")], "there are none of 1 annotated videos, such as b"),
        ([made_track("a"), made_track("b", source="other")], "features of b: made by other; a was made by mine"),
        ([made_track("a"), made_track("b", channels=3)], "features of b: 3 channels; a has 2"),
    ],
)
def test_tracks_that_do_not_fit_are_refused(tracks, said):
    with pytest.raises(InputError, match=said):
        FeatureDataset([Annotation("a", 5.0, [], []), Annotation("b", 5.0, [], [])], tracks)


def test_nan_in_memory_is_refused_at_once():
    track = made_track("a")
    track.values[3, 1] = np.nan
    with pytest.raises(InputError, match="features of a, row 3: a value is NaN or infinite"):
        FeatureDataset([Annotation("a", 5.0, [], [])], [track])


# --- batches ----------------------------------------------------------------------------------------------------


def test_collate_pads_to_the_longest(tmp_path):
    annotations = [put_video(tmp_path, "a", 3, [(0.25, 1.25)]), put_video(tmp_path, "b", 5)]
    dataset = dataset_of(annotations, tmp_path)
    batch = collate([dataset[0], dataset[1]])
    assert batch.features.shape == (2, 5, 2)
    assert batch.mask.sum(dim=1).tolist() == [3, 5]
    assert batch.features[0, :, 1].tolist() == [0, 1, 2, 0, 0]
    assert batch.features[1, :, 1].tolist() == [0, 1, 2, 3, 4]
    assert batch.mask[0].tolist() == [True] * 3 + [False] * 2
    assert [segments.tolist() for segments in batch.segments] == [[[0, 2]], []]
    assert batch.segments[1].shape == (0, 2)
    assert [labels.tolist() for labels in batch.labels] == [[0], []]
    assert batch.video_ids == ["a", "b"]
    assert batch.grids == [TimeGrid(0.25, 0.5)] * 2


def test_collate_pads_probe_scores_as_it_pads_features(tmp_path):
    dataset = dataset_of([put_video(tmp_path, "a", 3), put_video(tmp_path, "b", 5)], tmp_path)
    dataset.probe_scores = [np.full((steps, 4, 3), steps, np.float16) for steps in (3, 5)]
    batch = collate([dataset[0], dataset[1]]).to(torch.device("cpu"))
    assert batch.features is None and batch.probe_scores.shape == (2, 5, 4, 3)
    assert batch.probe_scores.dtype == torch.float32
    assert batch.probe_scores[:, :, 3, 2].tolist() == [[3, 3, 3, 0, 0], [5] * 5]
    assert batch.mask.sum(dim=1).tolist() == [3, 5]


def test_an_epoch_of_batches_is_asked_for_by_its_number():
    batches = FeatureBatchSampler([10, 100, 11, 101, 12], batch=2, seed=3)
    seen = []
    for epoch in (0, 1, 2, 1):
        batches.epoch = epoch
        seen.append(list(batches))
        assert len(seen[-1]) == len(batches) == 3
        assert sorted(item for batch in seen[-1] for item in batch) == [(epoch, index) for index in range(5)]
    assert seen[1] == seen[3]
    orders = [[[index for _, index in batch] for batch in epoch] for epoch in seen]
    assert any(order != orders[0] for order in orders)


def test_batches_hold_each_video_once_beside_others_of_like_length():
    lengths = [10, 100, 11, 101, 12, 102, 13]
    batches = batches_of_similar_length(lengths, 3, [0, 0])
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    assert sorted(map(len, batches)) == [1, 3, 3]
    short = {0, 2, 4, 6}
    assert any(set(batch) <= short for batch in batches)
    assert batches_of_similar_length(lengths, 3, [0, 0]) == batches  # determined by the seed alone
    assert any(batches_of_similar_length(lengths, 3, [0, epoch]) != batches for epoch in range(1, 9))


# --- many files -------------------------------------------------------------------------------------------------


def test_values_are_checked_when_they_are_read(tmp_path):
    annotations = [put_video(tmp_path, name, 60) for name in "ab"]
    values = np.load(tmp_path / "b.npy")
    values[41, 1] = np.nan
    np.save(tmp_path / "b.npy", values)
    dataset = dataset_of(annotations, tmp_path)  # reads no values
    assert torch.isfinite(dataset[0].features).all()
    with pytest.raises(InputError, match=r"b\.npy, row 41, channel 1 .*the value is nan, .*extract it again"):
        dataset[1]


def test_an_item_is_its_readers_own(tmp_path):
    dataset = dataset_of([put_video(tmp_path, "a", 10)], tmp_path)
    for track in dataset.tracks, [replace(track, values=np.asarray(track.values)) for track in dataset.tracks]:
        dataset.tracks = track
        dataset[0].features[:] = 9
        assert dataset[0].features[:, 0].tolist() == list(range(10))


def test_what_many_tracks_share_is_kept_once(tmp_path):
    annotations = []
    for name in "abc":
        annotations.append(put_video(tmp_path, name, 10))
        track = FeatureTrack(name, np.zeros((10, 2)), TimeGrid(0, 1), 10.0, "net/" + "abc", {"settings": {"net": [1]}})
        save_track(tmp_path, track)
    first, *others = dataset_of(annotations, tmp_path).tracks
    for track in others:
        assert track.source is first.source and track.details["settings"] is first.details["settings"]


def test_digests_tell_features_apart(tmp_path):
    annotations = [put_video(tmp_path, name, 60) for name in "ab"]
    first = dataset_of(annotations, tmp_path).digests()
    assert dataset_of(annotations, tmp_path).digests() == first
    np.save(tmp_path / "b.npy", np.load(tmp_path / "b.npy") + 1)
    assert dataset_of(annotations, tmp_path).digests()["features"] != first["features"]


FEW_FILES = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
sys.path[:0] = sys.argv[2:]
import torch  # its libraries are open while they are loaded
from mmad.config import FeaturesConfig
from mmad.data.feature_dataset import FeatureDataset
from mmad.formats import read_annotations
from mmad.labels import MMA52
annotations = read_annotations(Path(sys.argv[1]) / "truth.json", MMA52)
dataset = FeatureDataset.from_folder(annotations, Path(sys.argv[1]) / "features", FeaturesConfig(), window=20)
items = [dataset[i] for i in range(len(dataset))]
print(len(items), sorted(dataset.digests()))
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """300 videos: more than a process may open files, where it may open 128."""
    folder, database = tmp_path_factory.mktemp("many"), {}
    (folder / "features").mkdir()
    for i in range(300):
        values = np.random.default_rng(i).normal(size=(24, 4)).astype(np.float32)
        np.save(folder / "features" / f"v{i}.npy", values)
        action = {"segment": [0.5, 1.5], "label": "nodding"}
        part = "val" if i % 3 == 2 else "train"
        database[f"v{i}"] = {"subset": part, "duration": 3.2, "annotations": [action]}
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="limits open files as Unix does")
def test_more_videos_than_files_may_be_open(many):
    command = [sys.executable, "-c", FEW_FILES, str(many), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "300 ['annotations', 'features']"


@pytest.mark.skipif(sys.platform == "win32", reason="limits open files as Unix does")
def test_training_on_more_videos_than_files_may_be_open(many):
    import resource

    settings = ["data.train=truth.json", "data.val=truth.json", "device=cpu", "train.epochs=1", "detector.folds=2"]
    settings += ["detector.width=8", "detector.dilations=[1]", "detector.centring=4", f"output={many / 'out'}"]
    command = [sys.executable, "tools/train_det.py", "configs/bench.yaml", f"data.root={many}", *settings]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads((many / "out" / "predictions.json").read_text())["results"]) == 100
