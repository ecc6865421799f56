"""Videos to landmark tracks: frames are chosen by their times, decoding and the networks overlap, reruns go on."""

from pathlib import Path

import numpy as np

from mmad.config import PoseConfig
from mmad.data.video import VideoInfo, probe, stream
from mmad.errors import InputError
from mmad.pose.estimators import LAYOUT, open_estimator
from mmad.records import LandmarkTrack


def sampled_frames(info: VideoInfo, fps: float) -> np.ndarray:
    """Indices of the frames nearest to 0, 1 / fps, 2 / fps ... s, ascending, each once."""
    count = max(int(np.ceil(info.duration * fps - 1e-6)), 1)
    return np.unique(info.nearest_frames(np.arange(count) / fps))


def estimate_video(path: str | Path, config: PoseConfig) -> list[LandmarkTrack]:
    """The people in one video."""
    path = Path(path)
    info, estimator = probe(path), open_estimator(config)
    frames = sampled_frames(info, config.fps)
    try:
        estimator.begin(1)
        rows = np.full((len(frames), 75, 3), np.nan, np.float32)
        for i, (index, frame) in enumerate(stream(info, frames)):
            found = estimator.estimate(frame, info.times[index])
            if len(found):
                rows[i] = found[0]
    finally:
        estimator.close()
    if not np.isfinite(rows).any():
        raise InputError(path, "nobody was found in it")
    size = (info.width, info.height)
    return [LandmarkTrack(path.stem, rows, info.times[frames], LAYOUT, size, 0, info.duration, estimator.source)]
