"""Feature files of other tools, without a sidecar ("bare"): their names, the times of their rows, and checks of these.

OpenTAD, ActionFormer and VideoMAE name them {prefix}{video id}{suffix}.npy (or .npz, .pt, .csv, .pkl). Row i is
computed from `window` frames from frame i * stride on, and is centred on frame i * stride + window / 2.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmad.arrays import FORMATS, open_array
from mmad.config import FeaturesConfig
from mmad.errors import InputError, warn
from mmad.files import path_for_id
from mmad.records import FeatureTrack, TimeGrid

TOLERANCE = 0.05  # relative; steps, or durations, that differ by more are not the same


def find_bare(folder: str | Path, video_id: str, duration: float, config: FeaturesConfig) -> FeatureTrack:
    """The features of a video from a file without sidecar. duration: of the video, s."""
    path = bare_path(folder, video_id, config)
    if path is None:
        rest = ", ".join(f".{suffix}" for suffix in FORMATS[1:])
        remedy = "extract them, or check data.root, features.folder, features.prefix and features.suffix"
        raise InputError(f"{_stem(folder, video_id, config)}.{FORMATS[0]}", f"no such features (nor {rest})", remedy)
    values = open_array(path, config.channels_first)
    grid = bare_grid(len(values), duration, config)
    source = f"bare {Path(folder).name}/{config.prefix}*{config.suffix}{path.suffix}, {_grid_in_words(config)}"
    return FeatureTrack(video_id, values, grid, duration, source, {"bare": True})


def bare_path(folder: str | Path, video_id: str, config: FeaturesConfig) -> Path | None:
    """The file without sidecar that holds the features of a video; None where there is none."""
    stem = _stem(folder, video_id, config)
    paths = (stem.with_name(f"{stem.name}.{suffix}") for suffix in FORMATS)
    return next((path for path in paths if path.exists()), None)


def _stem(folder: str | Path, video_id: str, config: FeaturesConfig) -> Path:
    return path_for_id(folder, f"{config.prefix}{video_id}{config.suffix}", "")


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
    """Check the configured or guessed times of the rows of bare tracks against the durations of the videos.

    Prints a note where times are guessed, warns where configured ones are unlikely; `InputError` where guessed ones
    cannot be right.
    """
    if not tracks or config.bare_spread:
        return
    rows = np.array([len(track.values) for track in tracks])
    durations = np.array([track.duration for track in tracks])
    if config.bare_stride:
        _warn_of_unlikely_stride(tracks, rows, durations, config, folder)
    else:
        _refuse_unequal_steps(tracks, rows, durations, folder)
        step = float(np.median(durations / rows))
        print(
            f"note: the features of {len(tracks)} videos in {folder} have no sidecar: their rows are spread over the "
            f"duration, one every {step:.4g} s ({step * config.bare_fps:.3g} frames at {config.bare_fps:g} fps); "
            "give features.bare_stride if you know it",
            flush=True,
        )


def _refuse_unequal_steps(tracks: Sequence, rows: np.ndarray, durations: np.ndarray, folder: str | Path) -> None:
    """`InputError` where no step fits all videos.

    T rows may be one more or less than duration / step, so the step is in duration / (T + 1) .. duration / (T - 1). One
    that is the same for all videos is in all of these ranges.
    """
    least, most = durations / (rows + 1), durations / np.maximum(rows - 1, 1e-9)
    largest_minimum, smallest_maximum = int(least.argmax()), int(most.argmin())  # videos that fit together worst
    if least[largest_minimum] <= (1 + TOLERANCE) * most[smallest_maximum]:
        return
    examples = [
        f"{tracks[i].video_id} has {rows[i]} rows for {durations[i]:.4g} s, one every {durations[i] / rows[i]:.3g} s"
        for i in (largest_minimum, smallest_maximum)
    ]
    remedy = (
        "give features.bare_stride (with bare_window and bare_fps), or check these two files and durations; if the "
    )
    remedy += "rows do cover every video from its start to its end, give features.bare_spread=true"
    raise InputError(folder, f"the rows are not equally far apart in all videos: {' and '.join(examples)}", remedy)


def _warn_of_unlikely_stride(
    tracks: Sequence, rows: np.ndarray, durations: np.ndarray, config: FeaturesConfig, folder: str | Path
) -> None:
    """Warn where the rows cover other durations than annotated, as with a wrong stride or frame rate.

    One step more or less is the rounding of the extractor.
    """
    step = config.bare_stride / config.bare_fps
    covered = (rows - 1) * step + max(config.bare_window, config.bare_stride) / config.bare_fps
    off = np.sign(covered - durations) * np.maximum(np.abs(covered - durations) - step, 0) / durations
    if abs(np.median(off)) <= TOLERANCE:
        return
    typical = int(off.argsort()[len(off) // 2])
    warn(
        f"{folder}: {rows[typical]} rows of {tracks[typical].video_id} cover {covered[typical]:.4g} s at "
        f"features.bare_stride={config.bare_stride:g} and bare_fps={config.bare_fps:g}, its annotation says "
        f"{durations[typical]:.4g} s, and so for at least half of the videos: "
        "check bare_stride, bare_window and bare_fps"
    )
