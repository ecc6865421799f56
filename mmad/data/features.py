"""Feature files: ID.npy, (T, C) float32, and ID.json beside it, written last: where the values came from, and when.

While a long video is under way its rows stand in ID.begun, so that a run that was stopped goes on behind them.

Arrays of other tools without the sidecar are read too: .npy, .npz or .pt, (T, C) or (C, T).
"""

import contextlib
import json
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mmad.config import FeaturesConfig
from mmad.errors import InputError
from mmad.files import atomic_path, path_for_id, read_json, write_json
from mmad.records import FeatureTrack, TimeGrid

_FIELDS = ("video_id", "source", "start", "step", "duration", "shape")  # of the sidecar; the rest are details


def save_track(folder: str | Path, track: FeatureTrack) -> None:
    """Write a track, whole or not at all: without its sidecar an array does not count as done."""
    path = path_for_id(folder, track.video_id, ".npy")
    sidecar = path_for_id(folder, track.video_id, ".json")
    sidecar.unlink(missing_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, np.ascontiguousarray(track.values, dtype=np.float32))
    content = {
        "video_id": track.video_id,
        "source": track.source,
        "start": track.grid.start,
        "step": track.grid.step,
        "duration": track.duration,
        "shape": list(track.values.shape),
        **track.details,
    }
    write_json(sidecar, content, indent=1)
    path_for_id(folder, track.video_id, ".begun").unlink(missing_ok=True)


class GrowingTrack:
    """The rows of a video that are computed so far: ID.begun, a line of JSON and float32 values behind it.

    identity: of what they are the features, as JSON has it. steps: how many there will be. count: whole rows that an
    earlier run left of just that.
    """

    def __init__(self, folder: str | Path, video_id: str, identity: dict, steps: int):
        self.path, self.identity = path_for_id(folder, video_id, ".begun"), identity
        self.count = min(self._count(), steps) if self.path.exists() else 0

    def _head(self, channels: int) -> bytes:
        return json.dumps({**self.identity, "channels": channels}).encode() + b"\n"

    def _count(self) -> int:
        with open(self.path, "rb") as handle:
            head = handle.readline()
        try:
            channels = int(json.loads(head)["channels"])
        except (ValueError, KeyError, TypeError):
            return 0
        ours = channels > 0 and head == self._head(channels)
        return (self.path.stat().st_size - len(head)) // (4 * channels) if ours else 0

    def begin(self, channels: int) -> np.ndarray:
        """The (count, C) rows that are there."""
        head = self._head(channels)
        if not self.count:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(head)
        values = np.fromfile(self.path, np.float32, self.count * channels, offset=len(head))
        return values.reshape(self.count, channels)

    def write(self, first: int, rows: np.ndarray) -> None:
        """Write (N, C) rows from row `first` on: two runs that make the same features write the same file."""
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb+") as handle:  # the other may be through
            handle.seek(len(self._head(rows.shape[1])) + 4 * first * rows.shape[1])
            handle.write(np.ascontiguousarray(rows, dtype=np.float32))


def load_track(folder: str | Path, video_id: str) -> FeatureTrack:
    """A track with its values memory-mapped. `InputError` where the pair of files is incomplete or does not fit."""
    path, sidecar = path_for_id(folder, video_id, ".npy"), path_for_id(folder, video_id, ".json")
    content = read_json(sidecar)
    values = open_array(path)
    try:
        grid = TimeGrid(float(content["start"]), float(content["step"]))
        duration, source, shape = float(content["duration"]), str(content["source"]), list(content["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(sidecar, f"is no sidecar of features ({error!r})", "extract them again") from None
    if list(values.shape) != shape:
        raise InputError(path, f"shape {list(values.shape)}, its sidecar says {shape}", "extract them again")
    details = {key: value for key, value in content.items() if key not in _FIELDS}
    return FeatureTrack(video_id, values, grid, duration, source, details)


def is_done(folder: str | Path, video_id: str, source: str) -> dict | None:
    """The sidecar of features that are there and were made by `source`; None if they are not there or incomplete.

    Features of another source are refused: mixing them would go unnoticed until the figures are bad.
    """
    sidecar = path_for_id(folder, video_id, ".json")
    if not sidecar.exists():
        return None
    track = load_track(folder, video_id)
    if track.source != source:
        raise InputError(
            sidecar, f"was made with other weights or settings ({track.source}, now {source})", "choose another --out"
        )
    return json.loads(sidecar.read_text(encoding="utf-8"))


def find_track(folder: str | Path, video_id: str, duration: float, config: FeaturesConfig) -> FeatureTrack:
    """The track of a video, with a sidecar or bare. duration: of the video in s, from its annotation."""
    if path_for_id(folder, video_id, ".json").exists():
        return load_track(folder, video_id)
    for suffix, read in (("npy", open_array), ("npz", _read_npz), ("pt", _read_pt)):
        path = path_for_id(folder, video_id, f".{suffix}")
        if path.exists():
            values = read(path)
            values = values.T if config.channels_first else values
            if values.ndim != 2 or len(values) == 0:
                raise InputError(path, f"shape {values.shape}", "expected (steps, channels)")
            return FeatureTrack(video_id, values, bare_grid(len(values), duration, config), duration, f"bare {suffix}")
    raise InputError(path_for_id(folder, video_id, ".npy"), "no such features", "extract them, or check data.root")


def bare_grid(steps: int, duration: float, config: FeaturesConfig) -> TimeGrid:
    """The times of an array without sidecar: as configured, or its rows spread evenly over the duration."""
    if config.bare_stride <= 0:
        return TimeGrid(duration / steps / 2, duration / steps)
    offset = config.bare_offset or config.bare_stride / 2
    return TimeGrid(offset / config.bare_fps, config.bare_stride / config.bare_fps)


def open_array(path: Path) -> np.ndarray:
    """A .npy of numbers, memory-mapped."""
    try:
        return _numbers(np.load(path, mmap_mode="r", allow_pickle=False), path)
    except FileNotFoundError:
        raise InputError(path, "no such file", "make it again") from None
    except (ValueError, EOFError, OSError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"not a readable array ({error})", "delete it and make it again") from None


def _numbers(values, path: Path) -> np.ndarray:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(path, f"holds {getattr(values, 'dtype', 'no array')}", "expected an array of real numbers")
    return values


def _read_npz(path: Path) -> np.ndarray:
    """The array called "feats", or the only one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            name = "feats" if "feats" in arrays.files else arrays.files[0]
            return _numbers(arrays[name], path)
    except (ValueError, OSError, IndexError, EOFError, TypeError, AttributeError, BadZipFile, zlib.error) as error:
        raise InputError(path, f"no readable array in it ({error})", "make it again") from None


def _read_pt(path: Path) -> np.ndarray:
    import torch  # on demand: the other forms need numpy only

    try:
        return _numbers(torch.load(path, map_location="cpu", weights_only=True).float().numpy(), path)
    except Exception as error:  # whatever a broken file makes of itself
        raise InputError(path, f"no readable tensor in it ({type(error).__name__})") from None
