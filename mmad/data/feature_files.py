"""Feature files: ID.npy, (T, C) float32, and its sidecar ID.json, written last: what made the values, and their times.

Files of other tools without a sidecar are read too (`bare_features.py`), and channels of several folders are joined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.arrays import LazyRows, open_array
from mmad.config import FeaturesConfig
from mmad.data.bare_features import TOLERANCE, check_times, find_bare
from mmad.errors import InputError
from mmad.files import atomic_path, path_for_id, read_json, write_json
from mmad.records import Annotation, FeatureTrack, Rows, TimeGrid
from mmad.sidecars import read_finished

_FIELDS = ("video_id", "source", "start", "step", "duration", "shape")  # of the sidecar; the rest are details


def save_track(folder: str | Path, track: FeatureTrack) -> None:
    """Write a track, complete or not at all: an array without its sidecar does not count as finished."""
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


def load_track(folder: str | Path, video_id: str) -> FeatureTrack:
    """A track whose values are read when they are sliced. `InputError` where its two files are incomplete or do not
    match."""
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
        raise InputError(sidecar, f"is not a sidecar of features ({error!r})", remedy) from None
    if list(values.shape) != shape:
        problem = f"shape {list(values.shape)}, its sidecar says {shape}"
        raise InputError(path, problem, "move both away and extract them again")
    details = {key: value for key, value in content.items() if key not in _FIELDS}
    return FeatureTrack(video_id, values, grid, duration, source, details)


def finished_track(folder: str | Path, video_id: str, source: str) -> dict | None:
    """The sidecar of finished features that `source` made; None where there are none. `InputError` where another source
    made them, or where its two files are incomplete or do not match."""
    if not path_for_id(folder, video_id, ".json").exists():
        return None
    load_track(folder, video_id)
    return read_finished(folder, video_id, source)


def find_track(folder: str | Path, video_id: str, duration: float, config: FeaturesConfig) -> FeatureTrack:
    """The track of a video, with a sidecar or without. duration: of the video in s, from its annotation."""
    if path_for_id(folder, video_id, ".json").exists():
        return load_track(folder, video_id)
    return find_bare(folder, video_id, duration, config)


def find_tracks(
    folders: Sequence[str | Path], annotations: Sequence[Annotation], config: FeaturesConfig
) -> list[FeatureTrack]:
    """The tracks of the annotated videos, in order; the channels of several folders are joined.

    `InputError` where a folder lacks a video, or where the configured times of files without a sidecar cannot be right.
    """
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
    """The same track; equal sources and settings become one object for all tracks, which saves memory."""
    track.source = shared.setdefault(track.source, track.source)
    if "settings" in track.details:
        settings = track.details["settings"]
        track.details["settings"] = shared.setdefault(repr(settings), settings)
    return track


# --- several folders --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JoinedRows(LazyRows):
    """The values of several tracks of one video, their channels side by side at the times of `grid`.

    Values are interpolated linearly between the rows of a track, and constant before its first and after its last row.
    """

    parts: tuple[tuple[Rows, TimeGrid], ...]
    grid: TimeGrid
    shape: tuple[int, int]  # (T, C)

    def read(self, first: int, stop: int) -> np.ndarray:
        times = self.grid.to_seconds(np.arange(first, stop))
        return np.concatenate([rows_at(values, grid.to_index(times)) for values, grid in self.parts], axis=1)

    def digest_parts(self) -> Iterator:
        for values, grid in self.parts:
            yield from (grid.start, grid.step, *values.digest_parts())


def join_tracks(tracks: Sequence[FeatureTrack], finest: int) -> FeatureTrack:
    """One track with the channels of several of the same video, at the times of `tracks[finest]`."""
    chosen = tracks[finest]
    shape = (len(chosen.values), sum(track.values.shape[1] for track in tracks))
    values = JoinedRows(tuple((track.values, track.grid) for track in tracks), chosen.grid, shape)
    return FeatureTrack(
        chosen.video_id, values, chosen.grid, chosen.duration, " + ".join(track.source for track in tracks)
    )


def rows_at(values: Rows, at: np.ndarray) -> np.ndarray:
    """Values (N, C) at fractional, ascending row indices (N,): linear between rows, the outermost rows outside them."""
    if not len(at):
        return values[:0]
    at = np.round(np.clip(at, 0, len(values) - 1), 6)  # rounding errors must not turn rows into mixtures
    low = np.floor(at).astype(int)
    share = (at - low).astype(np.float32)[:, None]
    first = low[0]
    block = values[first : low[-1] + 2]
    high = np.minimum(low + 1 - first, len(block) - 1)
    return block[low - first] * (1 - share) + block[high] * share


def _finest(folders: Sequence[Sequence[FeatureTrack]]) -> int:
    """Index of the folder whose rows are densest in time; within 5 %, the one with the most rows."""
    steps = [np.median([track.grid.step for track in tracks]) for tracks in folders]
    rows = [sum(len(track.values) for track in tracks) for tracks in folders]
    return max((i for i, step in enumerate(steps) if step <= (1 + TOLERANCE) * min(steps)), key=lambda i: rows[i])
