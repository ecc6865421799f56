"""Feature files of other tools, without a sidecar ("bare"): their names, the times of their rows, and what looks wrong.

OpenTAD, ActionFormer and VideoMAE name them {prefix}{video id}{suffix}.npy (or .npz, .pt, .csv, .pkl). Row i is made of
`window` frames from frame i * stride on, and is centred on frame i * stride + window / 2.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmad.arrays import FORMS, open_array
from mmad.config import FeaturesConfig
from mmad.errors import InputError, warn
from mmad.files import path_for_id
from mmad.records import FeatureTrack, TimeGrid

UNLIKE = 0.05  # steps, or durations, that differ by a larger part than this are not the same


def find_bare(folder: str | Path, video_id: str, duration: float, config: FeaturesConfig) -> FeatureTrack:
    """The features of a video from a file without sidecar. duration: of the video, s."""
    stem = path_for_id(folder, f"{config.prefix}{video_id}{config.suffix}", "")
    for form in FORMS:
        path = stem.with_name(f"{stem.name}.{form}")
        if path.exists():
            values = open_array(path, config.channels_first)
            grid = bare_grid(len(values), duration, config)
            source = f"bare {Path(folder).name}/{config.prefix}*{config.suffix}.{form}, {_grid_in_words(config)}"
            return FeatureTrack(video_id, values, grid, duration, source, {"bare": True})
    others = ", ".join(f".{form}" for form in FORMS[1:])
    remedy = "extract them, or check data.root, features.folder, features.prefix and features.suffix"
    raise InputError(f"{stem}.{FORMS[0]}", f"no such features (nor {others})", remedy)


def bare_grid(steps: int, duration: float, config: FeaturesConfig) -> TimeGrid:
    """The times of an array without sidecar: as configured, or its rows spread evenly over the duration."""
    if not config.bare_stride:
        return TimeGrid(duration / steps / 2, duration / steps)
    return TimeGrid(_centre(config) / config.bare_fps, config.bare_stride / config.bare_fps)


def _centre(config: FeaturesConfig) -> float:
    """The frame on which row 0 is centred."""
    return config.bare_offset if config.bare_offset >= 0 else (config.bare_window or config.bare_stride) / 2


def _grid_in_words(config: FeaturesConfig) -> str:
    if not config.bare_stride:
        return "spread over the duration"
    return f"stride {config.bare_stride:g}, offset {_centre(config):g}, {config.bare_fps:g} fps"


def check_times(tracks: Sequence[FeatureTrack], config: FeaturesConfig, folder: str | Path) -> None:
    """Of the bare tracks of a data set: is what is said, or guessed, of the times of their rows likely?"""
    if not tracks or config.bare_spread:
        return
    rows = np.array([len(track.values) for track in tracks])
    durations = np.array([track.duration for track in tracks])
    if config.bare_stride:
        _warn_of_other_durations(tracks, rows, durations, config, folder)
    else:
        _refuse_unlike_steps(tracks, rows, durations, folder)
        step = float(np.median(durations / rows))
        print(
            f"note: the features of {len(tracks)} videos in {folder} have no sidecar: their rows are spread over the "
            f"duration, one every {step:.4g} s ({step * config.bare_fps:.3g} frames at {config.bare_fps:g} fps); "
            "give features.bare_stride if you know it",
            flush=True,
        )


def _refuse_unlike_steps(tracks: Sequence, rows: np.ndarray, durations: np.ndarray, folder: str | Path) -> None:
    """An extractor makes one row per step, but T of them may be one more or less than duration / step: the step lies
    in duration / (T + 1) .. duration / (T - 1). A step that is the same for all videos lies in all of these ranges."""
    least, most = durations / (rows + 1), durations / np.maximum(rows - 1, 1e-9)
    wide, narrow = int(least.argmax()), int(most.argmin())
    if least[wide] <= (1 + UNLIKE) * most[narrow]:
        return
    said = [
        f"{tracks[i].video_id} has {rows[i]} rows for {durations[i]:.4g} s, one every {durations[i] / rows[i]:.3g} s"
        for i in (wide, narrow)
    ]
    remedy = (
        "give features.bare_stride (with bare_window and bare_fps), or check these two files and durations; if the "
    )
    remedy += "rows do cover every video from its start to its end, give features.bare_spread=true"
    raise InputError(folder, f"the rows are not equally far apart in all videos: {' and '.join(said)}", remedy)


def _warn_of_other_durations(
    tracks: Sequence, rows: np.ndarray, durations: np.ndarray, config: FeaturesConfig, folder: str | Path
) -> None:
    """What a wrong stride or frame rate looks like; one step more or less is the extractor's rounding."""
    step = config.bare_stride / config.bare_fps
    covered = (rows - 1) * step + max(config.bare_window, config.bare_stride) / config.bare_fps
    off = np.sign(covered - durations) * np.maximum(np.abs(covered - durations) - step, 0) / durations
    if abs(np.median(off)) <= UNLIKE:
        return
    typical = int(off.argsort()[len(off) // 2])
    warn(
        f"{folder}: {rows[typical]} rows of {tracks[typical].video_id} cover {covered[typical]:.4g} s at "
        f"features.bare_stride={config.bare_stride:g} and bare_fps={config.bare_fps:g}, its annotation says "
        f"{durations[typical]:.4g} s, and half of the videos or more are like that: "
        "check bare_stride, bare_window and bare_fps"
    )
