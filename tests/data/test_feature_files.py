import json

import numpy as np
import pytest
import torch

from mmad.config import FeaturesConfig
from mmad.data import feature_files
from mmad.data.feature_files import find_track, finished_track, load_track, save_track
from mmad.errors import InputError
from mmad.files import atomic_path
from mmad.records import FeatureTrack, TimeGrid


def made_track(video_id: str = "v", steps: int = 6, channels: int = 3, source: str = "net/abc") -> FeatureTrack:
    values = np.arange(steps * channels, dtype=np.float32).reshape(steps, channels)
    return FeatureTrack(video_id, values, TimeGrid(0.08, 0.16), 0.96, source, {"video": {"frames": 24}})


def test_round_trip(tmp_path):
    track = made_track("day1/cam2")
    save_track(tmp_path, track)
    read = load_track(tmp_path, "day1/cam2")
    np.testing.assert_array_equal(read.values, track.values)
    assert (read.video_id, read.grid, read.duration) == (track.video_id, track.grid, track.duration)
    assert (read.source, read.details) == (track.source, track.details)
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["cam2.json", "cam2.npy"]


def test_any_array_is_stored_as_float32_rows(tmp_path):
    track = made_track()
    track.values = np.asfortranarray(track.values.astype(np.float64))
    save_track(tmp_path, track)
    stored = np.load(tmp_path / "v.npy")
    assert stored.dtype == np.float32 and stored.flags.c_contiguous


def test_done_is_what_the_same_source_made(tmp_path):
    assert finished_track(tmp_path, "v", "net/abc") is None
    save_track(tmp_path, made_track())
    assert finished_track(tmp_path, "v", "net/abc")["video"] == {"frames": 24}
    with pytest.raises(InputError, match=r"v\.json: was made with other weights .*net/abc, now net/other.*--out"):
        finished_track(tmp_path, "v", "net/other")


# --- interruptions ----------------------------------------------------------------------------------------------


def test_a_writer_stopped_before_the_sidecar_is_not_done(tmp_path, monkeypatch):
    save_track(tmp_path, made_track(source="net/old"))

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_files, "write_json", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_track(tmp_path, made_track())
    assert [file.name for file in tmp_path.iterdir()] == ["v.npy"]  # the old sidecar does not vouch for new values
    assert finished_track(tmp_path, "v", "net/abc") is None


def test_a_writer_stopped_within_the_array_leaves_nothing_half_written(tmp_path, monkeypatch):
    def half(handle, values):
        handle.write(b"half an array")
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_files.np, "save", half)
    with pytest.raises(KeyboardInterrupt):
        save_track(tmp_path, made_track())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("new, but ha")
        raise KeyboardInterrupt
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "old")]


# --- damage -----------------------------------------------------------------------------------------------------


def damage_array(folder):
    (folder / "v.npy").write_bytes((folder / "v.npy").read_bytes()[:-4])


def swap_array(folder):
    np.save(folder / "v.npy", np.zeros((5, 3), np.float32))


def drop_step(folder):
    content = json.loads((folder / "v.json").read_text())
    del content["step"]
    (folder / "v.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "damage, message",
    [
        (damage_array, r"v\.npy: not a readable array .*; if it is damaged, move it away and make it again"),
        (lambda folder: (folder / "v.npy").write_bytes(b""), r"v\.npy: not a readable array"),
        (
            lambda folder: (folder / "v.npy").unlink(),
            r"v\.npy: no such file, but its sidecar v\.json is there; copy it",
        ),
        (swap_array, r"v\.npy: shape \[5, 3\], its sidecar says \[6, 3\]"),
        (drop_step, r"v\.json: is not a sidecar of features \(KeyError\('step'\)\)"),
        (lambda folder: (folder / "v.json").write_text("[]"), r"v\.json: is not a sidecar of features"),
        (lambda folder: (folder / "v.json").write_text("{"), r"v\.json, line 1, column 2: not JSON"),
    ],
)
def test_damaged_features_are_refused(tmp_path, damage, message):
    save_track(tmp_path, made_track())
    damage(tmp_path)
    for read in (
        lambda: load_track(tmp_path, "v"),
        lambda: find_track(tmp_path, "v", 1.0, FeaturesConfig()),
        lambda: finished_track(tmp_path, "v", "net/abc"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read()
        assert "\n" not in str(caught.value)


# --- arrays of other tools --------------------------------------------------------------------------------------


def write_bare(folder, suffix: str, values: np.ndarray) -> None:
    if suffix == "npy":
        np.save(folder / "v.npy", values)
    elif suffix == "npz":
        np.savez(folder / "v.npz", other=np.zeros(2), feats=values)
    else:
        torch.save(torch.from_numpy(values), folder / "v.pt")


@pytest.mark.parametrize("suffix", ["npy", "npz", "pt"])
@pytest.mark.parametrize("channels_first", [False, True])
def test_bare_arrays(tmp_path, suffix, channels_first):
    values = made_track(steps=4).values
    write_bare(tmp_path, suffix, np.ascontiguousarray(values.T) if channels_first else values)
    track = find_track(tmp_path, "v", 2.0, FeaturesConfig(channels_first=channels_first))
    np.testing.assert_array_equal(track.values, values)
    assert (track.duration, track.source) == (2.0, f"bare {tmp_path.name}/*.{suffix}, spread over the duration")
    assert track.grid.to_seconds(np.arange(4)) == pytest.approx([0.25, 0.75, 1.25, 1.75])


def test_the_only_array_of_an_npz_needs_no_name(tmp_path):
    np.savez(tmp_path / "v.npz", np.ones((4, 3)))
    assert find_track(tmp_path, "v", 2.0, FeaturesConfig()).values.shape == (4, 3)


@pytest.mark.parametrize("suffix", ["npy", "npz", "pt"])
@pytest.mark.parametrize("shape", [(0, 3), (4,), (2, 4, 3)])
def test_bare_arrays_of_other_shapes_are_refused(tmp_path, suffix, shape):
    write_bare(tmp_path, suffix, np.zeros(shape, np.float32))
    with pytest.raises(InputError, match=rf"v\.{suffix}: shape .* expected \(steps, channels\)"):
        find_track(tmp_path, "v", 2.0, FeaturesConfig())


def test_features_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"v\.npy: no such features"):
        find_track(tmp_path, "v", 2.0, FeaturesConfig())


@pytest.mark.parametrize("video_id", ["../v", "/v", "", "a\nb"])
def test_an_id_that_leaves_the_folder_is_refused(tmp_path, video_id):
    with pytest.raises(InputError, match="is not a name for a file in a folder"):
        save_track(tmp_path / "inside", made_track(video_id))
    assert list(tmp_path.iterdir()) == []
