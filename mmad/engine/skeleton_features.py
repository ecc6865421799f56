"""Features of an MMN along landmark tracks of any length: windows of joints, each seen as a clip of its own.

Mode `clip`: one window of `window` frames around each step, whose features are one row. Mode `dense`: windows of 64
consecutive frames, half of which overlap; each gives a row for every eighth frame of its middle half, at an eighth of
the work.
"""

from collections.abc import Iterator

import numpy as np
import torch

from mmad.config import ExtractConfig
from mmad.engine.checkpoint import weight_digest
from mmad.engine.devices import in_precision
from mmad.models.manet import Recognizer
from mmad.pose.joint_inputs import on_grid
from mmad.pose.skeleton_clips import FRAMES, SKELETONS, clip_input, clip_points
from mmad.pose.skeletons import joints_of, rearrange
from mmad.records import FeatureTrack, LandmarkTrack, TimeGrid, settings_digest
from mmad.video.sampling import num_steps, step_grid

MMN_SOURCE = "mmn/"  # begins the source of its features
FPS = 30.0  # frames per second of MA-52, from which clips of 64 frames were drawn
ROW = 8  # frames of a row in mode `dense`


class SkeletonFeatures:
    """An MMN, ready to turn joints into features. config: mode, stride and window (both of `clip`), fps, batch."""

    def __init__(self, recognizer: Recognizer, config: ExtractConfig, device: torch.device):
        self.network, self.device, self.config = recognizer.backbone.to(device).eval(), device, config
        self.skeleton = SKELETONS[recognizer.backbone_config.skeleton]
        self.skeleton_config = recognizer.skeleton_config
        self.fps, self.batch = config.fps or FPS, config.batch or 16
        self.settings = {
            "backbone": "mmn",
            "weights": weight_digest(self.network),
            "stream": self.skeleton_config.stream,
            "mode": config.mode,
            "fps": self.fps,
            "precision": config.precision,
            **({"window": config.window, "stride": config.stride} if config.mode == "clip" else {}),
        }
        self.source = f"{MMN_SOURCE}{self.settings['weights']}/{config.mode}-{settings_digest(self.settings)}"

    def of_track(self, track: LandmarkTrack) -> FeatureTrack:
        points, grid = on_grid(track, self.fps)
        points = rearrange(points, joints_of(track.layout), joints_of(self.skeleton.layout))
        steps = step_grid(self.config.stride if self.config.mode == "clip" else ROW, self.fps)
        steps = TimeGrid(grid.start + steps.start, steps.step)
        details = {"settings": self.settings}
        return FeatureTrack(track.video_id, self.of_points(points), steps, track.duration, self.source, details)

    @torch.inference_mode()
    def of_points(self, points: np.ndarray) -> np.ndarray:
        """(T, V, 3) joints of the skeleton's layout at `fps` -> (steps, 96) float32."""
        dense, rows, inputs = self.config.mode == "dense", [], []
        windows = list(self._windows(len(points)))
        for number, frames in enumerate(windows):
            clip = clip_points(points[frames], joints_of(self.skeleton.layout), self.skeleton)
            inputs.append(clip_input(clip, self.skeleton, self.skeleton_config))
            if len(inputs) == self.batch or number + 1 == len(windows):
                x, index_t = (torch.from_numpy(np.stack(part)).to(self.device) for part in zip(*inputs))
                with in_precision(self.config.precision, self.device):
                    found = self.network.over_time(x, index_t)  # (B, 8, 96)
                found = found[:, 2:-2].flatten(0, 1) if dense else found.mean(dim=1)
                rows.append(found.float().cpu().numpy())
                inputs = []
        return np.concatenate(rows)[: num_steps(len(points), ROW if dense else self.config.stride)]

    def _windows(self, count: int) -> Iterator[np.ndarray]:
        """The frames of each window; beyond the first and the last of `count` frames, `dense` repeats these."""
        if self.config.mode == "dense":
            for first in range(0, count, FRAMES // 2):
                yield np.clip(np.arange(first - FRAMES // 4, first + FRAMES * 3 // 4), 0, count - 1)
            return
        half = self.config.window / 2
        for step in range(num_steps(count, self.config.stride)):
            middle = min((step + 0.5) * self.config.stride, count)
            yield np.arange(max(int(middle - half), 0), min(max(int(middle + half), 1), count))
