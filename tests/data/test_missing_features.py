"""What one of several folders of features lacks is missing, not zero: a video, rows that are NaN, unseen people."""

import json

import numpy as np
import pytest

from mmad.config import MOST_FOLDERS, FeaturesConfig, load_config
from mmad.data.feature_dataset import FeatureDataset, tracks_digest
from mmad.data.feature_files import find_tracks, load_track, rows_at, save_track
from mmad.errors import InputError
from mmad.records import Annotation, FeatureTrack, TimeGrid

NAN = np.nan


def put(folder, video_id: str, values, start: float = 0.1, step: float = 0.2, seen=None) -> None:
    """Features of a video of 2 s in files."""
    values = np.asarray(values, dtype=np.float32).reshape(len(values), -1)
    details = {} if seen is None else {"seen": seen}
    save_track(folder, FeatureTrack(video_id, values, TimeGrid(start, step), 2.0, f"net/{folder.name}", details))


def dataset_of(root, *names: str, videos: str = "v") -> FeatureDataset:
    config = FeaturesConfig(folders=list(names))
    annotations = [Annotation(video_id, 2.0, [], []) for video_id in videos]
    return FeatureDataset.from_folder(annotations, config.paths(root), config)


def test_a_row_with_nan_is_missing_as_a_whole(tmp_path):
    put(tmp_path / "a", "v", np.arange(10))
    values = np.arange(20.0).reshape(10, 2)
    values[3, 1] = values[7] = NAN
    put(tmp_path / "b", "v", values)
    dataset = dataset_of(tmp_path, "a", "b")
    assert (dataset.blocks, dataset.channels) == ((1, 2), 3)
    read = dataset[0].features.numpy()
    assert read[:, 0].tolist() == list(range(10))
    assert np.flatnonzero(np.isnan(read[:, 1])).tolist() == [3, 7] == np.flatnonzero(np.isnan(read[:, 2])).tolist()
    np.testing.assert_array_equal(dataset.tracks[0].values[6:9], read[6:9])


def test_in_one_folder_alone_nan_is_refused(tmp_path):
    put(tmp_path / "b", "v", [1, NAN, 3])
    with pytest.raises(InputError, match=r"b/v\.npy, row 1, channel 0 .*the value is nan, .*extract it again"):
        dataset_of(tmp_path, "b")[0]


def test_between_a_row_and_a_missing_one_there_is_nothing():
    """Rows at 0, 1, 2, 3 of which 2 is missing; exactly at a row its neighbours do not matter."""
    at = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 9])
    by_nan = rows_at(np.array([[0.0], [10], [NAN], [30]], dtype=np.float32), at)[:, 0]
    by_runs = rows_at(np.array([[0.0], [10], [20], [30]], dtype=np.float32), at, [(0, 2), (3, 4)])[:, 0]
    np.testing.assert_array_equal(by_nan, [0, 5, 10, NAN, NAN, NAN, 30, 30])
    np.testing.assert_array_equal(by_runs, by_nan)
    assert np.isnan(rows_at(np.ones((3, 2), np.float32), at, [])).all()


def test_people_who_are_not_seen_are_missing_only_beside_other_folders(tmp_path):
    put(tmp_path / "pixels", "v", np.arange(10))
    put(tmp_path / "joints", "v", np.arange(10), seen=[[0, 4], [8, 10]])
    alone, both = (dataset_of(tmp_path, *names)[0].features.numpy() for names in (["joints"], ["pixels", "joints"]))
    assert alone[:, 0].tolist() == list(range(10))
    assert np.flatnonzero(np.isnan(both[:, 1])).tolist() == [4, 5, 6, 7]
    assert np.isfinite(both[:, 0]).all()


@pytest.mark.parametrize(
    "seen", [[[0, 11]], [[-1, 3]], [[4, 4]], [[0, 5], [3, 8]], [[0, 5.0]], [0, 5], "all", [[True, 2]]]
)
def test_runs_that_cannot_be_are_refused(tmp_path, seen):
    put(tmp_path / "joints", "v", np.arange(10), seen=seen)
    with pytest.raises(InputError, match=r"v\.json: its `seen` is not a list of ascending runs .* of the 10 rows"):
        load_track(tmp_path / "joints", "v")


def test_a_video_that_one_folder_lacks_is_scored_by_the_others(tmp_path, capsys):
    for video_id in "uvw":
        put(tmp_path / "a", video_id, np.arange(10))
    put(tmp_path / "b", "v", np.arange(10))
    dataset = dataset_of(tmp_path, "a", "b", videos="uvw")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"note: 2 of 3 videos have no features in {tmp_path / 'b'}, such as u: they are scored by the other folders"
    ]
    assert [np.isnan(track.values[:]).mean(axis=0).tolist() for track in dataset.tracks] == [[0, 1], [0, 0], [0, 1]]
    assert dataset.source == "net/a + net/b" and dataset.blocks == (1, 1)


def test_rows_of_a_video_that_the_finest_folder_lacks(tmp_path):
    """The rows of the others are put on even rows with its usual step."""
    put(tmp_path / "fine", "u", np.arange(20), start=0.05, step=0.1)
    for video_id in "uv":
        put(tmp_path / "coarse", video_id, np.arange(5), start=0.2, step=0.4)
    track = dataset_of(tmp_path, "coarse", "fine", videos="uv").tracks[1]
    assert (track.grid, len(track.values)) == (TimeGrid(0.05, 0.1), 20)
    read = track.values[:]
    assert np.isnan(read[:, 1]).all()
    np.testing.assert_allclose(read[[0, 2, 6, 19], 0], [0, 0.125, 1.125, 4], atol=1e-6)


def test_a_video_in_no_folder_is_an_error(tmp_path):
    put(tmp_path / "a", "u", np.arange(10))
    put(tmp_path / "b", "u", np.arange(10))
    with pytest.raises(InputError, match=rf"{tmp_path}/a/v\.npy: no such features"):
        dataset_of(tmp_path, "a", "b", videos="uv")


def test_a_folder_without_any_of_the_videos_is_an_error(tmp_path):
    for video_id in "uv":
        put(tmp_path / "a", video_id, np.arange(10))
    put(tmp_path / "b", "w", np.arange(10))
    with pytest.raises(InputError, match=rf"^{tmp_path}/b: there are no features of any of the 2 videos, such as u; "):
        dataset_of(tmp_path, "a", "b", videos="uv")


def test_what_is_missing_is_part_of_the_digest(tmp_path):
    def digest(**changed) -> str:
        put(tmp_path / "a", "v", np.arange(10))
        put(tmp_path / "b", "v", np.arange(10), **changed)
        config = FeaturesConfig(folders=["a", "b"])
        return tracks_digest(find_tracks(config.paths(tmp_path), [Annotation("v", 2.0, [], [])], config))

    assert len({digest(), digest(seen=[[0, 5]]), digest(seen=[[0, 6]])}) == 3


def test_more_folders_than_there_are_maps_for_are_refused():
    from mmad.config import DetectionConfig

    names = json.dumps([f"f{i}" for i in range(MOST_FOLDERS + 1)])
    with pytest.raises(InputError, match=r"features\.folders names 6 folders; give 5 at most"):
        load_config(DetectionConfig, None, [f"features.folders={names}"])
