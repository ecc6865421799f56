"""Feature files: ID.npy, (T, C) float32, and its sidecar ID.json, written last: what made the values, and their times.

Files of other tools without a sidecar are read too (`bare_features.py`), and channels of several folders are joined.
What a folder lacks is missing, not zero: a video, rows that are NaN, and rows outside the sidecar's `seen`, a list of
runs [first, stop] of the rows in which the person was seen (without it all were).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from mmad.arrays import LazyRows, open_array
from mmad.config import FeaturesConfig
from mmad.data.bare_features import TOLERANCE, bare_path, check_times, find_bare
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
    if "seen" in details:
        _require_runs(details["seen"], len(values), sidecar)
    return FeatureTrack(video_id, values, grid, duration, source, details)


def _require_runs(seen, steps: int, sidecar: Path) -> None:
    """`InputError` where the sidecar's `seen` is not a list of ascending runs [first, stop) of rows."""
    try:
        edges = [edge for first, stop in seen for edge in (first, stop)]
        right = all(type(edge) is int for edge in edges) and all(a < b for a, b in pairwise(edges))
    except (TypeError, ValueError):
        edges, right = [], False
    if not right or (edges and not (edges[0] >= 0 and edges[-1] <= steps)):
        problem = f"its `seen` is not a list of ascending runs [first, stop] of the {steps} rows"
        raise InputError(sidecar, problem, "move it away and extract them again")


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
    """The tracks of the annotated videos, in order; the channels of several folders are joined (`JoinedRows`).

    Of several folders some may lack a video, as long as one has it: a line per folder says how many it lacks.
    `InputError` where no folder has a video, where a folder has none of them, or where the configured times of files
    without a sidecar cannot be right.
    """
    if len(folders) == 1 or not annotations:
        return _tracks_in(folders[0], annotations, config)
    has = [[has_features(folder, item.video_id, config) for item in annotations] for folder in folders]
    for item, *found in zip(annotations, *has):
        if not any(found):
            find_track(folders[0], item.video_id, item.duration, config)  # raises the error
    parts = []
    for folder, found in zip(folders, has):
        _tell_lacking(folder, annotations, found)
        tracks = iter(_tracks_in(folder, [item for item, there in zip(annotations, found) if there], config))
        parts.append([next(tracks) if there else None for there in found])
    return join_folders(annotations, parts)


def _tell_lacking(folder: str | Path, annotations: Sequence[Annotation], found: Sequence[bool]) -> None:
    """Print how many videos have no features in a folder; `InputError` where none has."""
    lacking = [item.video_id for item, there in zip(annotations, found) if not there]
    if len(lacking) == len(annotations):
        problem = f"there are no features of any of the {len(annotations)} videos, such as {lacking[0]}"
        remedy = "extract them, check data.root, features.folders, features.prefix and features.suffix, or leave it out"
        raise InputError(folder, problem, remedy)
    if lacking:
        print(
            f"note: {len(lacking)} of {len(annotations)} videos have no features in {folder}, such as {lacking[0]}: "
            "they are scored by the other folders",
            flush=True,
        )


def has_features(folder: str | Path, video_id: str, config: FeaturesConfig) -> bool:
    """Whether a folder has features of a video, with a sidecar or without."""
    return path_for_id(folder, video_id, ".json").exists() or bare_path(folder, video_id, config) is not None


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
class FolderRows:
    """What one folder has of a video.

    rows: (T, C), row i at `grid.to_seconds(i)`; None where the folder lacks the video. channels: C. seen: runs (first,
    stop) of the rows in which the video's subject was seen, the others say nothing; None: all rows count.
    """

    rows: Rows | None
    grid: TimeGrid
    channels: int
    seen: tuple[tuple[int, int], ...] | None = None

    def at(self, times: np.ndarray) -> np.ndarray:
        """(N, C) float32 at ascending times (N,) s, NaN in all channels where anything is missing."""
        if self.rows is None:
            return np.full((len(times), self.channels), np.nan, dtype=np.float32)
        values = rows_at(self.rows, self.grid.to_index(times), self.seen)
        values[np.isnan(values).any(axis=1)] = np.nan
        return values


@dataclass(frozen=True, slots=True)
class JoinedRows(LazyRows):
    """The values of several folders for one video, their channels side by side at the times of `grid`.

    Values are interpolated linearly between the rows of a folder, and constant before its first and after its last
    row. All channels of a folder are NaN at the steps where it has nothing to say, see `FolderRows`.
    """

    parts: tuple[FolderRows, ...]
    grid: TimeGrid
    shape: tuple[int, int]  # (T, C)

    @property
    def blocks(self) -> tuple[int, ...]:
        """The number of channels of each folder."""
        return tuple(part.channels for part in self.parts)

    def read(self, first: int, stop: int) -> np.ndarray:
        times = self.grid.to_seconds(np.arange(first, stop))
        return np.concatenate([part.at(times) for part in self.parts], axis=1)

    def digest_parts(self) -> Iterator:
        for part in self.parts:
            yield from (part.grid.start, part.grid.step, repr(part.seen))
            if part.rows is None:
                yield "missing"
            elif isinstance(part.rows, LazyRows):
                yield from part.rows.digest_parts()
            else:
                yield np.asarray(part.rows)


def join_folders(
    annotations: Sequence[Annotation], folders: Sequence[Sequence[FeatureTrack | None]]
) -> list[FeatureTrack]:
    """One track per video with the channels of all folders, at the times of the folder with the finest rows.

    folders: of each folder the tracks of the annotated videos, in order, None where it has none; each folder has at
    least one track, and each video too. A video that the finest folder lacks has even rows with that folder's usual
    step.
    """
    finest = _finest(folders)
    step = _usual_step(folders[finest])
    examples = [next(track for track in tracks if track is not None) for tracks in folders]
    source = " + ".join(track.source for track in examples)
    joined = []
    for item, *tracks in zip(annotations, *folders):
        parts = tuple(_folder_rows(track, example) for track, example in zip(tracks, examples))
        chosen = tracks[finest]
        if chosen is None:
            grid, steps, duration = TimeGrid(step / 2, step), max(1, round(item.duration / step)), item.duration
        else:
            grid, steps, duration = chosen.grid, len(chosen.values), chosen.duration
        values = JoinedRows(parts, grid, (steps, sum(part.channels for part in parts)))
        of_video = [example.source if track is None else track.source for track, example in zip(tracks, examples)]
        own_source = " + ".join(of_video)
        joined.append(
            FeatureTrack(item.video_id, values, grid, duration, source if own_source == source else own_source)
        )
    return joined


def _folder_rows(track: FeatureTrack | None, example: FeatureTrack) -> FolderRows:
    """example: the track of another video in the same folder."""
    if track is None:
        return FolderRows(None, example.grid, example.values.shape[1])
    seen = track.details.get("seen")
    seen = None if seen is None else tuple((first, stop) for first, stop in seen)
    return FolderRows(track.values, track.grid, track.values.shape[1], seen)


def rows_at(values: Rows, at: np.ndarray, seen: Sequence[tuple[int, int]] | None = None) -> np.ndarray:
    """Values (N, C) at fractional, ascending row indices (N,): linear between rows, the outermost rows outside them.

    NaN where a row that is needed is NaN, or is not in one of the runs (first, stop) of `seen`.
    """
    if not len(at):
        return values[:0]
    at = np.round(np.clip(at, 0, len(values) - 1), 6)  # rounding errors must not turn rows into mixtures
    low = np.floor(at).astype(int)
    share = (at - low).astype(np.float32)[:, None]
    first, stop = int(low[0]), min(int(low[-1]) + 2, len(values))
    block = values.read_with_gaps(first, stop) if isinstance(values, LazyRows) else values[first:stop]
    if seen is not None:
        counts = np.zeros(len(block), dtype=bool)
        for run_first, run_stop in seen:
            counts[max(run_first - first, 0) : max(run_stop - first, 0)] = True
        block = np.where(counts[:, None], block, np.float32(np.nan))
    high = np.where(share[:, 0] > 0, low + 1, low) - first  # a row that is not needed may be NaN
    return block[low - first] * (1 - share) + block[high] * share


def _finest(folders: Sequence[Sequence[FeatureTrack | None]]) -> int:
    """Index of the folder whose rows are densest in time; within 5 %, the one with the most rows."""
    steps = [_usual_step(tracks) for tracks in folders]
    rows = [sum(len(track.values) for track in tracks if track is not None) for tracks in folders]
    return max((i for i, step in enumerate(steps) if step <= (1 + TOLERANCE) * min(steps)), key=lambda i: rows[i])


def _usual_step(tracks: Sequence[FeatureTrack | None]) -> float:
    """Median time between rows, s."""
    return float(np.median([track.grid.step for track in tracks if track is not None]))
