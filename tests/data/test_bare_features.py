"""Feature files of other tools: their names, the times of their rows, and several folders joined."""

import numpy as np
import pytest

from mmad.config import FeaturesConfig
from mmad.data.bare_features import bare_grid
from mmad.data.feature_dataset import FeatureDataset
from mmad.data.feature_files import JoinedRows, find_track, find_tracks, rows_at, save_track
from mmad.errors import InputError
from mmad.records import Annotation, FeatureTrack, TimeGrid

FPS = 30


def put(folder, durations: dict[str, float], rows, channels: int = 2) -> list[Annotation]:
    """`rows(frames)` rows for each video, of which all values are the row's number."""
    folder.mkdir(parents=True, exist_ok=True)
    for video_id, duration in durations.items():
        count = rows(round(duration * FPS))
        np.save(folder / f"{video_id}.npy", np.repeat(np.arange(count, dtype=np.float32)[:, None], channels, axis=1))
    return [Annotation(video_id, duration, [], []) for video_id, duration in durations.items()]


# --- names ------------------------------------------------------------------------------------------------------


def test_names_have_a_prefix_and_a_suffix(tmp_path):
    np.save(tmp_path / "v_abc_pool.npy", np.zeros((4, 3)))
    config = FeaturesConfig(prefix="v_", suffix="_pool")
    track = find_track(tmp_path, "abc", 2.0, config)
    assert (track.video_id, track.values.shape) == ("abc", (4, 3))
    assert track.source == f"bare {tmp_path.name}/v_*_pool.npy, spread over the duration"
    with pytest.raises(InputError, match=r"v_def_pool\.npy: no such features \(nor \.npz, \.pt, .*features\.prefix"):
        find_track(tmp_path, "def", 2.0, config)


def test_a_source_says_what_the_rows_are(tmp_path):
    annotations = put(tmp_path / "vit_L16", {"a": 4.0}, lambda frames: frames // 4 - 3)
    config = FeaturesConfig(bare_stride=4, bare_window=16)
    assert FeatureDataset.from_folder(annotations, tmp_path / "vit_L16", config, 100).source == (
        "bare vit_L16/*.npy, stride 4, offset 8, 30 fps"
    )


def test_a_name_that_leaves_the_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a name for a file in a folder"):
        find_track(tmp_path, "v", 2.0, FeaturesConfig(prefix="../"))


# --- times ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, start, step",
    [
        ({}, 0.25, 0.5),  # 4 rows over 2 s
        ({"bare_stride": 4}, 2 / 30, 4 / 30),
        ({"bare_stride": 4, "bare_fps": 25.0}, 0.08, 0.16),
        ({"bare_stride": 4, "bare_offset": 8, "bare_fps": 25.0}, 0.32, 0.16),
        ({"bare_stride": 4, "bare_offset": 0, "bare_fps": 25.0}, 0.0, 0.16),
        ({"bare_stride": 4, "bare_window": 16, "bare_fps": 25.0}, 0.32, 0.16),  # ActionFormer's, VideoMAE's
        ({"bare_stride": 4, "bare_window": 16, "bare_offset": 2, "bare_fps": 25.0}, 0.08, 0.16),  # OpenTAD's
    ],
)
def test_bare_grid(settings, start, step):
    grid = bare_grid(4, 2.0, FeaturesConfig(**settings))
    assert (grid.start, grid.step) == (pytest.approx(start), pytest.approx(step))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bare_window": 16}, "bare_window: 16 has no meaning without bare_stride"),
        ({"bare_offset": 8}, "bare_offset: 8 has no meaning without bare_stride"),
        ({"bare_stride": 4, "bare_offset": -0.5}, "bare_offset: -0.5; must lie in 0"),
        ({"bare_stride": 4, "bare_spread": True}, "bare_spread: true does not go with bare_stride 4"),
    ],
)
def test_settings_that_contradict_each_other(settings, said):
    with pytest.raises(InputError) as caught:
        FeaturesConfig(**settings)
    assert said in str(caught.value)


HONEST = {
    "floor, 4": lambda frames: frames // 4,
    "ceiling, 4": lambda frames: -(-frames // 4),
    "floor, 16": lambda frames: frames // 16,
    "ceiling, 30": lambda frames: -(-frames // 30),
    "one row less": lambda frames: frames // 8 - 1,
}
DURATIONS = {f"v{i}": seconds for i, seconds in enumerate([5.0, 5.07, 4.9, 12.3, 61.0, 5.33, 7.77])}


@pytest.mark.parametrize("how", HONEST)
def test_rows_without_a_stride_are_spread_and_that_is_said_once(tmp_path, capsys, how):
    annotations = put(tmp_path, DURATIONS, HONEST[how])
    tracks = find_tracks([tmp_path], annotations, FeaturesConfig())
    assert all(track.grid.step == track.duration / len(track.values) for track in tracks)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.startswith(f"note: the features of 7 videos in {tmp_path} have no sidecar: their rows are spread over ")
    if how == "floor, 4":
        assert "one every 0.1337 s (4.01 frames at 30 fps); give features.bare_stride if you know it" in out


@pytest.mark.parametrize(
    "rows",
    [
        lambda frames: (frames - 16) // 4 + 1,  # whole windows of 16 frames only
        lambda frames: 100 if frames == 1830 else frames // 4,  # cut off after 100 rows
        lambda frames: 100 + frames % 2,  # resized
    ],
    ids=["windows", "cut off", "resized"],
)
def test_rows_that_cannot_be_equally_far_apart_are_refused(tmp_path, capsys, rows):
    annotations = put(tmp_path, DURATIONS, rows)
    with pytest.raises(InputError) as caught:
        find_tracks([tmp_path], annotations, FeaturesConfig())
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}: the rows are not equally far apart in all videos: ")
    assert " rows for 61 s, one every " in said and said.count(" has ") == 2 and "give features.bare_stride" in said
    spread = find_tracks([tmp_path], annotations, FeaturesConfig(bare_spread=True))
    assert [track.grid.step for track in spread] == [track.duration / len(track.values) for track in spread]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("rows", "settings", "warns"),
    [
        (lambda frames: frames // 4, {"bare_stride": 4}, False),
        (lambda frames: frames // 16, {"bare_stride": 16}, False),
        (lambda frames: (frames - 16) // 4 + 1, {"bare_stride": 4, "bare_window": 16}, False),
        (lambda frames: (frames - 64) // 4 + 1, {"bare_stride": 4}, True),  # of windows that nobody spoke of
        (lambda frames: frames // 4, {"bare_stride": 8}, True),
        (lambda frames: frames // 4, {"bare_stride": 4, "bare_fps": 25}, True),
    ],
)
def test_a_stride_that_does_not_reach_the_end_is_warned_of(tmp_path, capsys, rows, settings, warns):
    annotations = put(tmp_path, DURATIONS, rows)
    find_tracks([tmp_path], annotations, FeaturesConfig(**settings))
    said = capsys.readouterr()
    assert said.out == ""
    if warns:
        assert said.err.count("\n") == 1 and said.err.startswith(f"warning: {tmp_path}: ")
        assert " s at features.bare_stride=" in said.err and "check bare_stride, bare_window and bare_fps" in said.err
    else:
        assert said.err == ""


# --- several folders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ([0, 1, 2], [0, 1, 2]),
        ([0.5, 1.25], [0.5, 1.25]),
        ([-3, 0, 3, 9], [0, 0, 3, 3]),
        ([-2, -1], [0, 0]),
        ([7, 8], [3, 3]),
        ([2 + 1e-12, 3 - 1e-12], [2, 3]),
        ([], []),
    ],
)
def test_rows_between_rows(at, expected):
    values = np.arange(4, dtype=np.float32)[:, None] * [1, 10]
    read = rows_at(values.astype(np.float32), np.array(at, dtype=float))
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, np.array(expected, dtype=float)[:, None] * [1, 10], rtol=1e-6)


def test_folders_are_joined_at_the_times_of_the_finest(tmp_path):
    """Channels that hold their own time in s, on three grids: joined, all channels of a row say the row's time."""
    grids = {"a": TimeGrid(0.4, 0.8), "b": TimeGrid(0.1, 0.2), "c": TimeGrid(0.3, 0.4)}
    steps = {"a": 12, "b": 48, "c": 24}
    for name, grid in grids.items():
        times = grid.to_seconds(np.arange(steps[name]))
        values = np.repeat(times[:, None], 2, axis=1).astype(np.float32)
        save_track(tmp_path / name, FeatureTrack("v", values, grid, 9.6, f"net/{name}", {"settings": {"net": name}}))
    config = FeaturesConfig(folders=["a", "b", "c"])
    dataset = FeatureDataset.from_folder([Annotation("v", 9.6, [], [])], config.paths(tmp_path), config, window=100)
    track = dataset.tracks[0]
    assert (dataset.source, dataset.channels, track.grid) == ("net/a + net/b + net/c", 6, grids["b"])
    assert track.details == {}  # no one network's settings
    features, times = dataset[0].features.numpy(), grids["b"].to_seconds(np.arange(48))
    assert features.shape == (48, 6)
    np.testing.assert_allclose(features[:, 2:4], times[:, None].repeat(2, axis=1), rtol=1e-6)
    np.testing.assert_allclose(features[:, 0], np.clip(times, 0.4, 0.4 + 11 * 0.8), rtol=1e-6)
    np.testing.assert_allclose(features[:, 4], np.clip(times, 0.3, 0.3 + 23 * 0.4), rtol=1e-6)
    for rows in (slice(0, 3), slice(5, 6), slice(40, 48), slice(7, 7)):  # a stretch is what the whole has there
        np.testing.assert_array_equal(track.values[rows], features[rows])


def test_folders_of_the_same_times_are_put_side_by_side_unchanged(tmp_path):
    durations = {"x": 5.0, "y": 5.5}
    annotations = put(tmp_path / "rgb", durations, lambda frames: frames // 4, channels=3)
    put(tmp_path / "flow", durations, lambda frames: frames // 4, channels=1)
    config = FeaturesConfig(folders=["rgb", "flow"], bare_stride=4)
    for track in find_tracks(config.paths(tmp_path), annotations, config):
        assert isinstance(track.values, JoinedRows)
        expected = np.arange(len(track.values))[:, None].repeat(4, axis=1)
        np.testing.assert_array_equal(np.asarray(track.values), expected)


def test_rows_are_those_of_one_folder_for_all_videos(tmp_path):
    """Spread rows of nearly the same step: otherwise rounding would choose the folder anew for each video."""
    annotations = put(tmp_path / "a", DURATIONS, lambda frames: frames // 4)
    put(tmp_path / "b", DURATIONS, lambda frames: -(-frames // 4))
    config = FeaturesConfig(folders=["a", "b"])
    tracks = find_tracks(config.paths(tmp_path), annotations, config)
    assert [len(track.values) for track in tracks] == [-(-round(s * FPS) // 4) for s in DURATIONS.values()]


def test_an_infinite_value_in_a_joined_folder_is_named(tmp_path):
    annotations = put(tmp_path / "a", {"v": 5.0}, lambda frames: frames // 4)
    put(tmp_path / "b", {"v": 5.0}, lambda frames: frames // 4)
    np.save(tmp_path / "b" / "v.npy", np.full((37, 2), np.inf))
    config = FeaturesConfig(folders=["a", "b"])
    dataset = FeatureDataset.from_folder(annotations, config.paths(tmp_path), config, window=100)
    with pytest.raises(InputError, match=rf"{tmp_path}/b/v\.npy, row 0, channel 0 .*the value is inf"):
        dataset[0]
