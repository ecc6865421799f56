"""From video files to what a network is shown, without the network: in a thread beside it, or in other processes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmad.engine.video_jobs import VideoPlan
from mmad.errors import InputError
from mmad.records import TimeGrid
from mmad.sidecars import is_same_video, video_of
from mmad.video.preprocess import Preprocess, prepare_frames
from mmad.video.reader import probe, refuse_jumps, stream, video_identity
from mmad.video.sampling import FrameSampling

LONG_VIDEO = 500  # features of videos with at least so many steps are kept while they are processed


@dataclass(kw_only=True)
class FeaturePlan(VideoPlan):
    """grid: times of the steps. first: the step to begin at, more than 0 where an earlier run kept features."""

    grid: TimeGrid
    first: int = 0


class VideoFeatures:
    """A video whose features are being computed.

    plan: None until it is opened. submitted, computed: steps up to which inputs went into the network and features came
    out. ended: whether there are no more inputs. problem: what is wrong with the video.
    """

    def __init__(self, video_id: str):
        self.video_id = video_id
        self.plan: FeaturePlan | None = None
        self.submitted = self.computed = 0
        self.values: np.ndarray | None = None  # (steps, C), filled from the front
        self.ended = False
        self.problem: InputError | None = None

    def start(self, plan: FeaturePlan) -> None:
        self.plan, self.submitted, self.computed = plan, plan.first, plan.first

    def add(self, rows: np.ndarray) -> None:
        """The next rows, (N, C).

        Recomputed rows that an earlier run already kept are thrown away: here the network started in the middle and had
        not seen the frames before.
        """
        partial = self.plan.partial
        kept = partial.count if partial else 0
        if self.values is None:
            self.values = np.empty((len(self.plan.frames), rows.shape[1]), dtype=np.float32)
            if partial:
                self.values[:kept] = partial.begin(rows.shape[1])
        new = rows[max(kept - self.computed, 0) :]
        self.computed += len(rows)
        self.values[self.computed - len(new) : self.computed] = new
        if partial and len(new):
            partial.write(self.computed - len(new), new)

    def computed_values(self) -> np.ndarray | None:
        """The (steps, C) features so far; None where there are none."""
        return None if self.values is None else self.values[: self.computed]


Inputs = Iterator[tuple[VideoFeatures, Tensor | None]]


@dataclass(eq=False)
class VideoInputs:
    """Which frames of videos a network is shown, and how: it can be sent to another process.

    resize_in_decoder: as `ExtractConfig` has it. source: what makes the features, which an earlier run must have been
    made by. again: steps before the first new one that are computed again where an earlier run stopped, at least 1: if
    the video breaks just there, it still has features. steps_per_clip: of clips that follow one another; 1: there are
    none. usual_fps: videos of a very different frame rate are resampled to it; 0: they are not.
    """

    sampling: FrameSampling
    preprocess: Preprocess
    resize_in_decoder: bool
    source: str
    again: int
    steps_per_clip: int
    usual_fps: float = 0.0

    def plan(self, path: Path, video_id: str) -> FeaturePlan:
        """Which frames to read."""
        identity, info = video_identity(path), refuse_jumps(probe(path))
        frames, grid = self.sampling.choose(info, self.usual_fps)
        return FeaturePlan(video_id=video_id, identity=identity, info=info, frames=frames, grid=grid)

    def resume(self, plan: FeaturePlan, folder: str | Path) -> FeaturePlan:
        """The same plan; that of a long video begins after the features that an earlier run kept in the folder."""
        if len(plan.frames) < LONG_VIDEO:
            return plan
        partial = plan.partial_rows(folder, self.source)
        first = max(partial.count - self.again, 0)
        first -= first % self.steps_per_clip  # clips begin where they would have
        return replace(plan, partial=partial, first=first)

    def changed(self, sidecar: dict, path: Path) -> str:
        """Why features with this sidecar are not those of the video as it is now; empty if they seem to be.

        Sidecars of older versions do not identify the file: for those only the step is compared. `InputError` where the
        video cannot be read.
        """
        video, identity = video_of(sidecar), video_identity(path)
        if "digest" in video and not is_same_video(sidecar, identity):
            return "is another video than the one its features were made from"
        step = (
            self.sampling.stride / self.sampling.rate(video["fps"], self.usual_fps)
            if "fps" in video
            else sidecar["step"]
        )
        if not math.isclose(step, sidecar["step"], rel_tol=1e-6):
            return f"its features lie {sidecar['step']:.4g} s apart, {step:.4g} s are needed now"
        return ""

    def read(self, videos: Iterable[tuple[str, Path]], folder: str | Path | None, first: int = 0) -> Inputs:
        """The inputs of each video, then None when there are no more; a problem is noted in its `VideoFeatures`.

        folder: where earlier runs may have kept features of a long video; None: the inputs begin at step `first`.
        """
        for video_id, path in videos:
            video = VideoFeatures(video_id)
            try:
                plan = self.plan(Path(path), video_id)
                video.start(replace(plan, first=first) if folder is None else self.resume(plan, folder))
                for pixels in self.inputs(video.plan):
                    yield video, pixels
                video.problem = plan.truncation_problem()
            except InputError as error:
                video.problem = error
            yield video, None

    def inputs(self, plan: FeaturePlan) -> Iterator[Tensor]:
        """The network's input for each step, uint8: (3, h, w), in clip mode (frames, 3, h, w). Holds one window."""
        steps = plan.frames.reshape(len(plan.frames), -1)
        size = self.preprocess.resized(plan.info.height, plan.info.width) if self.resize_in_decoder else None
        held: dict[int, Tensor] = {}
        step = plan.first
        for index, frame in stream(plan.info, np.unique(steps[step:]), size):
            held[index] = prepare_frames(frame[None], self.preprocess)[0]
            while step < len(steps) and steps[step].max() <= index:
                chosen = torch.stack([held[int(i)] for i in steps[step]])
                yield chosen if plan.frames.ndim == 2 else chosen[0]
                step += 1
            if step < len(steps):
                for old in [i for i in held if i < steps[step].min()]:
                    del held[old]


def in_packets(inputs: Inputs, size: int) -> Iterator[tuple[str, object]]:
    """Of each video: ("plan", its plan) if it could be opened, ("inputs", (N, ...) of them) repeatedly, ("end", what is
    wrong with it or None).

    size: bytes from which on a packet of inputs is full; it holds at least one.
    """
    begun: VideoFeatures | None = None
    held: list[Tensor] = []
    for video, pixels in inputs:
        if video is not begun and video.plan is not None:
            begun = video
            yield "plan", video.plan
        if pixels is not None:
            held.append(pixels)
        if held and (pixels is None or len(held) * held[0].numel() >= size):
            yield "inputs", torch.stack(held)
            held = []
        if pixels is None:
            yield "end", video.problem
