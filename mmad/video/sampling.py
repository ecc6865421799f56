"""Which frames make feature step t, or stand for a trimmed clip: integers only. Numpy only.

A video of n frames has ceil(n / stride) steps; step t stands for frames [t * stride, (t + 1) * stride) and is centred
on frame t * stride + stride / 2. Reading frames is the business of `reader.py`.
"""

from dataclasses import dataclass

import numpy as np

from mmad.records import TimeGrid


def num_steps(num_frames: int, stride: int) -> int:
    """Feature steps of a video: every frame belongs to one."""
    return -(-num_frames // stride)


def step_grid(stride: int, fps: float) -> TimeGrid:
    """The times of the steps, s."""
    return TimeGrid(start=stride / 2 / fps, step=stride / fps)


def centre_frames(num_frames: int, stride: int) -> np.ndarray:
    """(steps,) the frame in the middle of each step, clamped to the video: what `dense` features look at."""
    return np.minimum(np.arange(num_steps(num_frames, stride)) * stride + stride // 2, num_frames - 1)


def window_frames(num_frames: int, stride: int, window: int, count: int) -> np.ndarray:
    """(steps, count) for each step, the centre frames of `count` equal parts of the `window` frames around its centre.

    Clamped to the video. What `clip` features look at.
    """
    centres = np.arange(num_steps(num_frames, stride)) * stride + stride / 2
    parts = (np.arange(count) + 0.5) * window / count - window / 2
    frames = np.floor(centres[:, None] + parts[None, :]).astype(np.int64)
    return np.clip(frames, 0, num_frames - 1)


def frame_of_each_part(num_frames: int, count: int, within: float | np.ndarray = 0.5) -> np.ndarray:
    """(count,) one frame of each of `count` equal parts of a trimmed clip (in the paper: of each segment).

    within: how far into its part each frame lies, 0..1; the centre for testing, random (count,) for training. Clips
    shorter than `count` repeat frames. Source: temporal segment networks (Wang et al., ECCV 2016), as MANet samples.
    """
    return np.minimum(((np.arange(count) + within) * num_frames / count).astype(np.int64), num_frames - 1)


@dataclass(frozen=True)
class FrameSampling:
    """Which frames of a video its feature steps look at.

    mode: "dense", the frame in the middle of each step; "clip", `per_step` frames of the `window` frames around it;
    "consecutive", `per_step` frames of each step. stride: frames per step. fps: rate to resample to; 0: the video's.
    """

    mode: str
    stride: int
    fps: float = 0.0
    window: int = 32
    per_step: int = 1

    def rate(self, fps: float, usual: float = 0.0) -> float:
        """Frames per second at which a video of `fps` frames per second is sampled.

        usual: the rate of other videos, 0 where that does not matter; a video of a very different rate is resampled.
        """
        if self.fps:
            return self.fps
        if usual and not 0.9 < fps / usual < 1.1:
            return usual  # otherwise actions would last more or fewer steps than in training
        return fps

    def choose(self, info, usual: float = 0.0) -> tuple[np.ndarray, TimeGrid]:
        """Frames of a video, (steps,) or (steps, per_step), and the times of the steps. info: a `VideoInfo`.

        Steps are evenly spaced in time; frames are chosen by their timestamps.
        """
        fps = self.rate(info.fps, usual)
        count = max(round(info.duration * fps), 1)  # frames, if the video had this constant rate
        if self.mode == "dense":
            wanted = centre_frames(count, self.stride)
        else:
            window = self.window if self.mode == "clip" else self.stride
            wanted = window_frames(count, self.stride, window, self.per_step)
        frames = wanted if info.constant_rate and fps == info.fps else info.nearest_frames(wanted / fps)
        return np.minimum(frames, info.num_frames - 1), step_grid(self.stride, fps)
