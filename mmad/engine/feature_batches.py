"""Inputs of several videos through the network in full batches, and the features sorted back into videos."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mmad.engine.devices import in_precision
from mmad.engine.video_inputs import VideoFeatures
from mmad.models.manet import FrameStream
from mmad.video.preprocess import Preprocess, normalise


@dataclass
class Compute:
    """A network and how it is run. precision: of the forward pass, see `ExtractConfig`."""

    network: nn.Module
    preprocess: Preprocess
    device: torch.device
    precision: str

    @contextmanager
    def inference(self):
        """Context without gradients and in the configured precision, only while the network computes."""
        with torch.inference_mode(), in_precision(self.precision, self.device):
            yield

    def normalised(self, pixels: Tensor) -> Tensor:
        """(..., 3, h, w) uint8 -> float32 on the device."""
        return normalise(self.on_device(pixels), self.preprocess)

    def stacked(self, inputs: list[Tensor]) -> Tensor:
        """`torch.stack`, for CUDA into pinned memory."""
        if self.device.type != "cuda":
            return torch.stack(inputs)
        shape = len(inputs), *inputs[0].shape
        return torch.stack(inputs, out=torch.empty(shape, dtype=inputs[0].dtype, pin_memory=True))

    def on_device(self, values: Tensor) -> Tensor:
        """A copy on the device. To CUDA it is made from pinned memory, and nobody waits for it.

        Torch's pool of pinned memory gives the values' memory to others only when the copy has been made.
        """
        if self.device.type != "cuda" or values.is_cuda:
            return values.to(self.device)
        return values.pin_memory().to(self.device, non_blocking=True)


class DenseForward:
    """Frames through the network as one stream, videos one after the other. batch: frames per forward pass."""

    def __init__(self, compute: Compute, batch: int):
        self.compute, self.batch = compute, batch
        self.stream = FrameStream(compute.network)

    def push(self, frames: Tensor, starts: list[bool]) -> Tensor:
        """frames: (T, 3, h, w) uint8. starts: whether each is the first of a video. Returns the (T', C) features that
        are complete now."""
        with self.compute.inference():
            pixels = self.compute.normalised(frames)
            return self.stream.push(pixels, self.compute.on_device(torch.tensor(starts)))

    def finish(self) -> Tensor:
        """The (T', C) features still held back."""
        with self.compute.inference():
            return self.stream.finish()


class ClipForward:
    """The frames of each step through the network as one clip; features are averaged over them. batch: clips."""

    def __init__(self, compute: Compute, batch: int):
        self.compute, self.batch = compute, batch

    def push(self, clips: Tensor, starts: list[bool]) -> Tensor:
        """clips: (N, T, 3, h, w) uint8 -> (N, C) features. Clips are independent: `starts` is not used."""
        with self.compute.inference():
            return self.compute.network(self.compute.normalised(clips)).mean(dim=1)

    def finish(self) -> Tensor:
        return torch.empty(0)


class ConsecutiveForward:
    """Clips that follow one another, a row for each of their steps. clips: per forward pass. steps: per clip.

    The last clip of a video is filled up by its last step, and the rows of that are dropped.
    """

    def __init__(self, compute: Compute, clips: int, steps: int):
        self.compute, self.steps, self.batch = compute, steps, clips * steps
        self.waiting: list[Tensor] = []  # steps of the clip that is not full yet, each (frames, 3, h, w)

    def push(self, inputs: Tensor, starts: list[bool]) -> Tensor:
        """inputs: (T, frames, 3, h, w) uint8. starts: whether each is the first of a video. Returns the (T', C) rows of
        the clips that are full now."""
        clips = []
        for pixels, start in zip(inputs, starts):
            if self.waiting and (start or len(self.waiting) == self.steps):
                clips.append(self._take())
            self.waiting.append(pixels)
        if len(self.waiting) == self.steps:
            clips.append(self._take())
        return self._rows(clips)

    def finish(self) -> Tensor:
        """The (T', C) rows of the last clip."""
        return self._rows([self._take()] if self.waiting else [])

    def _take(self) -> Tensor:
        clip, self.waiting = torch.stack(self.waiting), []
        return clip

    def _rows(self, clips: list[Tensor]) -> Tensor:
        if not clips:
            return torch.empty(0)
        with self.compute.inference():
            full = torch.cat([fill_up(clip, self.steps) for clip in clips])
            rows = self.compute.network.rows(self.compute.normalised(full))
        return torch.cat([of_clip[: len(clip)] for of_clip, clip in zip(rows, clips)])


def fill_up(steps: Tensor, per_clip: int) -> Tensor:
    """Consecutive clips of a video's steps: (S, frames, ...) -> (N, per_clip * frames, ...), the last step repeated."""
    missing = -len(steps) % per_clip
    full = torch.cat([steps, steps[-1:].expand(missing, *steps.shape[1:])])
    return full.unflatten(0, (-1, per_clip)).flatten(1, 2)


class Results:
    """Features of a batch on their way to the host: on CUDA they are copied while the next batch is computed."""

    def __init__(self, features: Tensor):
        """features: (T, C)."""
        features = features.float()
        self.copied = None
        self.values = features.to("cpu", non_blocking=features.is_cuda)  # from CUDA into pinned memory
        if features.is_cuda:
            self.copied = torch.cuda.Event()
            self.copied.record(torch.cuda.current_stream(features.device))

    def rows(self) -> np.ndarray:
        """(T, C) float32; waits until they are there."""
        if self.copied is not None:
            self.copied.synchronize()
        return self.values.numpy()


class BatchRunner:
    """Collects inputs into batches that may span videos, runs them, and gives each video its features.

    on_progress: called with the number of steps computed (0: all by an earlier run) and the share of a video that they
    are, summed over videos.
    """

    def __init__(
        self, forward: DenseForward | ClipForward | ConsecutiveForward, on_progress: Callable[[int, float], None]
    ):
        self.forward, self.on_progress = forward, on_progress
        self.videos: list[VideoFeatures] = []  # in order, those that are not finished
        self.inputs: list[Tensor] = []
        self.starts: list[bool] = []  # of each input: is it the first of its video?
        self.shares: list[float] = []  # of each input: what share of its video is it?
        self.results: deque[Results] = deque()  # of batches that were started, in order
        self.started_ahead = 1 if forward.compute.device.type == "cuda" else 0  # batches, while results are waited for

    def receive(self, video: VideoFeatures, pixels: Tensor | None) -> None:
        """The next input of a video; None: there are no more. Runs the network when the batch is full."""
        if not self.videos or self.videos[-1] is not video:
            self.videos.append(video)
            if video.submitted:
                self.on_progress(0, video.submitted / len(video.plan.frames))
        if pixels is None:
            video.ended = True
            return
        self.inputs.append(pixels)
        self.starts.append(video.submitted == video.plan.first)
        self.shares.append(1 / len(video.plan.frames))
        video.submitted += 1
        if len(self.inputs) == self.forward.batch:
            self._run()

    def flush(self) -> None:
        """Run the last batch, and take the features that the network still holds."""
        if self.inputs:
            self._run()
        self.results.append(Results(self.forward.finish()))
        self._distribute(0)

    def finished(self) -> Iterator[VideoFeatures]:
        """The videos, in order, whose features are complete; each once."""
        while self.videos and self.videos[0].ended and self.videos[0].computed == self.videos[0].submitted:
            yield self.videos.pop(0)

    def _run(self) -> None:
        batch = self.forward.compute.stacked(self.inputs)
        self.results.append(Results(self.forward.push(batch, self.starts)))
        self._distribute(self.started_ahead)
        self.on_progress(len(self.inputs), sum(self.shares))
        for collected in (self.inputs, self.starts, self.shares):
            collected.clear()

    def _distribute(self, remaining: int) -> None:
        """Give the videos all results but the last `remaining`; they come in the order in which the inputs went in."""
        while len(self.results) > remaining:
            rows = self.results.popleft().rows()
            for video in self.videos:
                own = rows[: video.submitted - video.computed]
                rows = rows[len(own) :]
                if len(own):
                    video.add(own)
