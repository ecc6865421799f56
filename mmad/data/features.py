"""Feature files: ID.npy, (T, C) float32, and ID.json beside it, written last: where the values came from, and when.

While a long video is under way its rows stand in ID.begun, so that a run that was stopped goes on behind them.

Files of other tools without the sidecar are read too (`bare_features.py`), and several folders' channels are joined.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.arrays import LazyRows, open_array
from mmad.config import FeaturesConfig
from mmad.data.bare_features import UNLIKE, check_times, find_bare
from mmad.errors import InputError
from mmad.files import atomic_path, path_for_id, read_json, write_json
from mmad.records import Annotation, FeatureTrack, Rows, TimeGrid

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
    """A track whose values are read when they are sliced. `InputError` where its two files are incomplete or do not
    fit."""
    sidecar = path_for_id(folder, video_id, ".json")
    path, content = sidecar.with_suffix(".npy"), read_json(sidecar)
    if not path.exists():
        problem = f"no such file, but its sidecar {sidecar.name} is there"
        raise InputError(path, problem, "copy it here too, or extract it again")
    values = open_array(path)
    try:
        grid = TimeGrid(float(content["start"]), float(content["step"]))
        duration, source, shape = float(content["duration"]), str(content["source"]), list(content["shape"])
    except (KeyError, TypeError, ValueError) as error:
        remedy = "move it away and extract them again"
        raise InputError(sidecar, f"is no sidecar of features ({error!r})", remedy) from None
    if list(values.shape) != shape:
        problem = f"shape {list(values.shape)}, its sidecar says {shape}"
        raise InputError(path, problem, "move both away and extract them again")
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
    return find_bare(folder, video_id, duration, config)


def find_tracks(
    folders: Sequence[str | Path], annotations: Sequence[Annotation], config: FeaturesConfig
) -> list[FeatureTrack]:
    """The tracks of a data set's videos, in order; of several folders, joined. `InputError` where a folder lacks a
    video, or where the rows of files without sidecar cannot lie as is said of them."""
    parts = [_tracks_in(folder, annotations, config) for folder in folders]
    if len(parts) == 1 or not annotations:
        return parts[0]
    finest = _finest(parts)
    return [join_tracks(tracks, finest) for tracks in zip(*parts)]


def _tracks_in(folder: str | Path, annotations: Sequence[Annotation], config: FeaturesConfig) -> list[FeatureTrack]:
    shared: dict = {}
    tracks = [_share(find_track(folder, item.video_id, item.duration, config), shared) for item in annotations]
    check_times([track for track in tracks if track.details.get("bare")], config, folder)
    return tracks


def _share(track: FeatureTrack, shared: dict) -> FeatureTrack:
    """The same track; its source and settings are one object for all tracks that have the same."""
    track.source = shared.setdefault(track.source, track.source)
    if "settings" in track.details:
        settings = track.details["settings"]
        track.details["settings"] = shared.setdefault(repr(settings), settings)
    return track


# --- several folders --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JoinedRows(LazyRows):
    """The values of several tracks of one video, their channels side by side at the times of `grid`.

    Between a track's rows its values are linear in time; before its first and behind its last row they stay.
    """

    parts: tuple[tuple[Rows, TimeGrid], ...]
    grid: TimeGrid
    shape: tuple[int, int]  # (T, C)

    def read(self, first: int, stop: int) -> np.ndarray:
        times = self.grid.to_seconds(np.arange(first, stop))
        return np.concatenate([rows_at(values, grid.to_index(times)) for values, grid in self.parts], axis=1)

    def fingerprint(self) -> Iterator:
        for values, grid in self.parts:
            yield from (grid.start, grid.step, *values.fingerprint())


def join_tracks(tracks: Sequence[FeatureTrack], finest: int) -> FeatureTrack:
    """One track with the channels of several of the same video, at the times of the rows of `tracks[finest]`."""
    chosen = tracks[finest]
    shape = (len(chosen.values), sum(track.values.shape[1] for track in tracks))
    values = JoinedRows(tuple((track.values, track.grid) for track in tracks), chosen.grid, shape)
    return FeatureTrack(
        chosen.video_id, values, chosen.grid, chosen.duration, " + ".join(track.source for track in tracks)
    )


def rows_at(values: Rows, at: np.ndarray) -> np.ndarray:
    """(N, C) values at fractional rows (N,), ascending; linear between rows, the outermost rows outside them."""
    if not len(at):
        return values[:0]
    at = np.round(np.clip(at, 0, len(values) - 1), 6)  # so that times that are rows but for rounding are rows
    low = np.floor(at).astype(int)
    part = (at - low).astype(np.float32)[:, None]
    first = low[0]
    block = values[first : low[-1] + 2]
    high = np.minimum(low + 1 - first, len(block) - 1)
    return block[low - first] * (1 - part) + block[high] * part


def _finest(folders: Sequence[Sequence[FeatureTrack]]) -> int:
    """The folder whose rows are the densest in time; of those alike to 5 %, the one with the most."""
    steps = [np.median([track.grid.step for track in tracks]) for tracks in folders]
    rows = [sum(len(track.values) for track in tracks) for tracks in folders]
    return max((i for i, step in enumerate(steps) if step <= (1 + UNLIKE) * min(steps)), key=lambda i: rows[i])
