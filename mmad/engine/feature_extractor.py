"""From videos to features: decoding, the network and writing overlap, batches span videos, reruns continue.

Mode `dense`: every sampled frame goes through the network once; MANet's temporal shift runs over the whole video.
Mode `clip`: for each step, frames from a window around it go through the network as one clip.
Mode `consecutive`: the video is cut into clips that follow one another, each with a row per few of its frames.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import nn

from mmad.config import ExtractConfig
from mmad.data.feature_files import finished_track, save_track
from mmad.engine.background import in_background
from mmad.engine.checkpoint import has_untrained, load_backbone, load_recognizer, weight_digest
from mmad.engine.decoding_processes import decoded_in_processes, processes_by_default
from mmad.engine.devices import choose_device
from mmad.engine.feature_batches import (
    BatchRunner,
    ClipForward,
    Compute,
    ConsecutiveForward,
    DenseForward,
)
from mmad.engine.video_inputs import Inputs, VideoFeatures, VideoInputs
from mmad.engine.video_jobs import Progress, sort_videos, still_valid_sidecar, warn_unused
from mmad.errors import InputError, warn
from mmad.files import output_folder
from mmad.models import backbone_named, preprocess_of
from mmad.models.manet import FrameStream
from mmad.models.vit_backbones import with_sizes_of_folder
from mmad.records import FeatureTrack, settings_digest
from mmad.sidecars import video_of
from mmad.video.preprocess import Preprocess
from mmad.video.sampling import FrameSampling

AHEAD = 64  # prepared frames or clips that may wait for the network: bounds memory, however slow the network is


@dataclass
class Extracted:
    """The features of a video, or what is wrong with it; with both, the video is broken and only partly read."""

    video_id: str
    track: FeatureTrack | None = None
    problem: InputError | None = None


class FeatureExtractor(VideoInputs):
    """A backbone with its weights and settings, ready to turn videos into features.

    source: name of the backbone, digest of its weights and settings. usual_fps: frame rate of the videos that the
    reader of the features was trained on; videos of a very different rate are resampled to it. 0: they are not.
    """

    def __init__(self, config: ExtractConfig, checkpoint: str | None = None, network: nn.Module | None = None):
        """checkpoint: a recognizer whose backbone is used; without it, the one of `config.backbone`. network: use this
        one, which `config.backbone` describes, as it is."""
        config = replace(config, backbone=with_sizes_of_folder(config.backbone))
        if network is not None:
            self.network = network.eval()
        elif checkpoint is not None:
            recognizer = load_recognizer(checkpoint)
            config = replace(config, backbone=replace(recognizer.backbone_config, weights=str(checkpoint)))
            self.network = recognizer.backbone.eval()
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # untrained weights, and with them the features, are the same in every run
                self.network = load_backbone(config.backbone)
            if config.backbone.weights == "random" or has_untrained(config.backbone):
                warn("this backbone is untrained in whole or in part; give a trained one with --checkpoint")
        kind = backbone_named(config.backbone)
        self.config, self.preprocess = config, Preprocess(**preprocess_of(config.backbone))
        self.frames = config.frames or kind.frames
        sampling = frame_sampling(config)
        self.device = choose_device(config.device)
        self.network.to(self.device)
        if kind.streams and self.device.type in ("cpu", "cuda"):
            self.network.to(memory_format=torch.channels_last)  # the same features, up to a quarter faster
        self.batch = config.batch or (8 if self.device.type == "cpu" else 32)
        self.workers = processes_by_default(self.device) if config.workers < 0 else config.workers
        self.settings = self._settings()
        super().__init__(
            sampling,
            self.preprocess,
            config.resize_in_decoder,
            source=f"{config.backbone.name}/{self.settings['weights']}/{config.mode}-{settings_digest(self.settings)}",
            again=FrameStream(self.network).radius if config.mode == "dense" else 1,
            steps_per_clip=self.frames // sampling.per_step if config.mode == "consecutive" else 1,
        )

    def _settings(self) -> dict:
        """Everything that the features depend on, as stored in their sidecars."""
        config = self.config
        return {
            "backbone": config.backbone.name,
            "shift": config.backbone.shift,
            "weights": weight_digest(self.network),
            "mode": config.mode,
            "stride": config.stride,
            "fps": config.fps,
            **({"window": config.window} if config.mode == "clip" else {}),
            **({"frames": self.frames} if config.mode != "dense" else {}),
            **({"adapter": config.backbone.adapter} if config.backbone.adapter else {}),
            "resized_by": "decoder" if config.resize_in_decoder else "torch, in bytes",
            "precision": config.precision,
            "preprocess": json.loads(json.dumps(asdict(self.preprocess))),
        }

    def extract(
        self,
        videos: Iterable[tuple[str, Path]],
        on_progress: Callable[[int, float], None] | None = None,
        folder: str | Path | None = None,
        read: Callable[[list[tuple[str, Path]], str | Path | None], Inputs] | None = None,
    ) -> Iterator[Extracted]:
        """Yield an `Extracted` for each (video id, path), in order.

        on_progress: called with the number of steps computed since the last call (0: all by an earlier run) and the
        share of a video that they are, summed over videos. folder: where features of long videos are kept meanwhile.
        read: gives the inputs in place of `self.read`, such as from processes that decode elsewhere.
        """
        runner = BatchRunner(self.forward(), on_progress or (lambda steps, share: None))
        with self._decoded(list(videos), folder, read or self.read) as inputs:
            for video, pixels in inputs:
                runner.receive(video, pixels)
                yield from map(self._result, runner.finished())
            runner.flush()
            yield from map(self._result, runner.finished())

    def _decoded(
        self,
        videos: list[tuple[str, Path]],
        folder: str | Path | None,
        read: Callable[[list[tuple[str, Path]], str | Path | None], Inputs],
    ) -> AbstractContextManager[Inputs]:
        """What `read` gives, read in the background: by processes, or by a thread, as always for a single video."""
        if self.workers and len(videos) > 1 and read == self.read:
            return decoded_in_processes(self.without_network(), videos, folder, min(self.workers, len(videos)), AHEAD)
        return closing(in_background(lambda: read(videos, folder), AHEAD))

    def without_network(self) -> VideoInputs:
        """What reads videos for it, to be sent to other processes."""
        return VideoInputs(*(getattr(self, field.name) for field in fields(VideoInputs)))

    def forward(self) -> DenseForward | ClipForward | ConsecutiveForward:
        """A new forward pass of the configured mode, for one run over videos."""
        compute = Compute(self.network, self.preprocess, self.device, self.config.precision)
        if self.config.mode == "dense":
            return DenseForward(compute, self.batch)
        if self.config.mode == "consecutive":
            return ConsecutiveForward(compute, max(self.batch // self.frames, 1), self.steps_per_clip)
        return ClipForward(compute, max(self.batch // self.frames, 1))

    def _result(self, video: VideoFeatures) -> Extracted:
        plan, values, problem = video.plan, video.computed_values(), video.problem
        if values is None:
            return Extracted(video.video_id, problem=problem)
        details = plan.details(self.settings, problem)
        track = FeatureTrack(video.video_id, values, plan.grid, plan.info.duration, self.source, details)
        return Extracted(video.video_id, track, problem)


def frame_sampling(config: ExtractConfig) -> FrameSampling:
    """Which frames are looked at; `InputError` where the backbone has not the mode."""
    kind, name = backbone_named(config.backbone), config.backbone.name
    frames = config.frames or kind.frames
    if config.mode == "dense" and not kind.streams:
        raise InputError("mode", f"{name} sees whole clips", "use mode=clip or mode=consecutive")
    if config.mode == "consecutive" and kind.streams:
        raise InputError("mode", f"{name} sees single frames", "use mode=dense")
    if config.mode == "consecutive" and frames % kind.tubelet:
        problem = f"{frames} is not a multiple of the {kind.tubelet} frames per row of {name}"
        raise InputError("frames", problem, "choose one that is")
    per_step = {"dense": 1, "clip": frames, "consecutive": kind.tubelet}[config.mode]
    return FrameSampling(config.mode, config.stride, config.fps, config.window, per_step)


# --- folders ----------------------------------------------------------------------------------------------------


def extract_features(
    extractor: FeatureExtractor, videos: list[tuple[str, Path]], out: str | Path
) -> tuple[list[str], list[str]]:
    """Write one feature file per video (id, path) into `out`; those finished for the very same file are skipped.

    Returns the ids of the videos that have features, also of partly read ones, and what went wrong, one line each.
    """
    out = output_folder(out)
    print(f"features by {extractor.source} on {extractor.device}", flush=True)

    def finished(video_id: str, path: Path) -> dict | None:
        return still_valid_sidecar(finished_track(out, video_id, extractor.source), path, extractor.changed)

    found = sort_videos(videos, finished)
    _warn_of_unidentified(found.finished, len(videos), out)
    whole = sum("broken" not in sidecar for sidecar in found.finished.values())
    if whole:
        print(f"{whole} of {len(videos)} videos are done already")
    ready, problems = set(found.finished), found.problems
    with Progress(len(found.todo), "{:.1f} steps/s") as progress:
        for item in extractor.extract(found.todo, progress.add, out):
            if item.track is not None:
                save_track(out, item.track)
                ready.add(item.video_id)
                _warn_of_remarks(item.track)
            if item.problem is not None:
                problems.append(str(item.problem))
                if item.track is None:
                    warn_unused(item.video_id, out, "features")
            progress.finish_video()
        steps, seconds = int(progress.amount), progress.seconds
    print(f"{len(videos) - len(problems)} of {len(videos)} videos are whole, features in {out}")
    if steps:
        print(f"{steps} steps in {seconds:.1f} s, {steps / seconds:.1f} a second")
    return [video_id for video_id, _ in videos if video_id in ready], problems


def _warn_of_unidentified(finished: dict[str, dict], count: int, out: Path) -> None:
    """Say for which of `count` videos the finished features do not tell which file they were made from."""
    unknown = [video_id for video_id, sidecar in finished.items() if "digest" not in video_of(sidecar)]
    if unknown:
        which = f"{len(unknown)} of {count} videos (the first: {unknown[0]})"
        problem = f"the features of {which} do not say from which file they were made, as those of older versions"
        warn(f"{out}: {problem}; where a video was replaced since, move its .json away to have them made again")


def _warn_of_remarks(track: FeatureTrack) -> None:
    for remark in track.details["video"].get("remarks", ()):
        warn(f"{track.video_id}: {remark}")
