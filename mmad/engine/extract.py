"""Videos to features: decoding, the network and writing overlap, batches are filled across videos, reruns go on.

`dense`: every sampled frame goes through the network once; MANet's temporal shift runs over the whole video.
`clip`: for each step, frames spread over a window around it go through the network as one clip.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mmad.config import ExtractConfig
from mmad.data.features import GrowingTrack, is_done, save_track
from mmad.engine.background import in_background
from mmad.engine.checkpoint import has_untrained, load_backbone, load_recognizer, weight_digest
from mmad.engine.devices import choose_device, in_precision
from mmad.errors import InputError, warn
from mmad.files import check_id, output_folder, path_for_id
from mmad.models import backbone_named, preprocess_of
from mmad.models.manet import FrameStream
from mmad.records import FeatureTrack, TimeGrid, content_digest
from mmad.video import sampling
from mmad.video.preprocess import Preprocess, normalise, prepare_frames
from mmad.video.reader import BrokenVideo, VideoInfo, probe, stream, video_identity

PROGRESS = "{percentage:3.0f}%|{bar}| {n:.2f}/{total_fmt} videos [{elapsed}<{remaining}{postfix}]"
WORTH_KEEPING = 500  # steps of a video whose features are kept while it is under way
AHEAD = 64  # prepared frames or clips that may wait for the network: bounds memory however slow it is


@dataclass
class Plan:
    """Which frames of one video are needed, and the times of its steps.

    identity: which file it is, as `video_identity` has it. frames: (steps,) or (steps, frames of a clip) indices into
    the video, ascending over the steps. kept: what an earlier run made of it and this one adds to; None for short
    videos. first: the step to begin at.
    """

    video_id: str
    identity: dict[str, int | str]
    info: VideoInfo
    grid: TimeGrid
    frames: np.ndarray
    kept: GrowingTrack | None = None
    first: int = 0


@dataclass
class Extracted:
    """A finished track, or what went wrong with a video; `problem` with a track: it is broken but partly read."""

    video_id: str
    track: FeatureTrack | None = None
    problem: InputError | None = None


class Extractor:
    """A backbone with its weights and settings, ready to turn videos into features."""

    def __init__(self, config: ExtractConfig, checkpoint: str | None = None):
        """checkpoint: a recognizer, whose backbone is used; without it `config.backbone` says what to load."""
        if checkpoint is not None:
            recognizer = load_recognizer(checkpoint)
            config = replace(config, backbone=replace(recognizer.backbone_config, weights=str(checkpoint)))
            self.network = recognizer.backbone.eval()
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # what stays untrained is the same in every run, and so are its features
                self.network = load_backbone(config.backbone)
            if config.backbone.weights == "random" or has_untrained(config.backbone):
                warn("this backbone is untrained in whole or in part; give a trained one with --checkpoint")
        kind = backbone_named(config.backbone)
        if config.mode == "dense" and not kind.streams:
            raise InputError("mode", f"{config.backbone.name} sees whole clips", "use mode=clip")
        self.config, self.preprocess = config, Preprocess(**preprocess_of(config.backbone))
        self.frames = config.frames or kind.frames
        self.device = choose_device(config.device)
        self.network.to(self.device)
        if kind.streams and self.device.type in ("cpu", "cuda"):
            self.network.to(memory_format=torch.channels_last)  # the same features, up to a quarter faster
        self.usual_fps = 0.0  # of the videos that whoever reads the features was trained on; 0: any rate will do
        self.batch = config.batch or (8 if self.device.type == "cpu" else 32)
        self.settings = {
            "backbone": config.backbone.name,
            "shift": config.backbone.shift,
            "weights": weight_digest(self.network),
            "mode": config.mode,
            "stride": config.stride,
            "fps": config.fps,
            **({"window": config.window, "frames": self.frames} if config.mode == "clip" else {}),
            "resized_by": "decoder" if config.resize_in_decoder else "torch, in bytes",
            "precision": config.precision,
            "preprocess": json.loads(json.dumps(asdict(self.preprocess))),
        }
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:8]
        self.source = f"{config.backbone.name}/{self.settings['weights']}/{config.mode}-{digest}"

    def plan(self, path: Path, video_id: str) -> Plan:
        """Which frames to read. Steps lie evenly in time; frames are chosen by their timestamps."""
        identity, info, config = video_identity(path), probe(path), self.config
        fps = self.sampled_fps(info.fps)
        even = max(round(info.duration * fps), 1)  # frames, if the video had this constant rate
        if config.mode == "dense":
            wanted = sampling.centre_frames(even, config.stride)
        else:
            wanted = sampling.window_frames(even, config.stride, config.window, self.frames)
        frames = wanted if info.constant_rate and fps == info.fps else info.nearest_frames(wanted / fps)
        grid = sampling.step_grid(config.stride, fps)
        return Plan(video_id, identity, info, grid, np.minimum(frames, info.num_frames - 1))

    def sampled_fps(self, fps: float) -> float:
        """Frames a second by which a video of `fps` is cut into steps."""
        if self.config.fps:
            return self.config.fps
        if self.usual_fps and not 0.9 < fps / self.usual_fps < 1.1:
            return self.usual_fps  # or actions would last more or fewer steps than they did in training
        return fps

    def changed(self, sidecar: dict, path: Path) -> str:
        """Why the features with this sidecar are not those of the video as it is now; empty where nothing shows it.

        Sidecars of older versions know no file: of those only the step is compared. `InputError` where the video
        cannot be read.
        """
        video, identity = _video_of(sidecar), video_identity(path)
        if "digest" in video and any(video.get(key) != value for key, value in identity.items()):
            return "is another video than the one its features were made from"
        step = self.config.stride / self.sampled_fps(video["fps"]) if "fps" in video else sidecar["step"]
        if not math.isclose(step, sidecar["step"], rel_tol=1e-6):
            return f"its features lie {sidecar['step']:.4g} s apart, {step:.4g} s are needed now"
        return ""

    def go_on(self, plan: Plan, folder: str | Path) -> Plan:
        """The same plan; of a long video it begins behind what an earlier run left in the folder."""
        if len(plan.frames) < WORTH_KEEPING:
            return plan
        read = content_digest([plan.frames, plan.info.timestamps])
        identity = {"source": self.source, **plan.identity, "frames": read}
        kept = GrowingTrack(folder, plan.video_id, identity, len(plan.frames))
        # At least one step is made anew: a video that is broken just there has features all the same.
        reach = FrameStream(self.network).reach if self.config.mode == "dense" else 1
        first = max(kept.count - reach, 0)
        return replace(plan, kept=kept, first=first)

    def extract(
        self,
        videos: Iterable[tuple[str, Path]],
        on_progress: Callable[[int, float], None] | None = None,
        folder: str | Path | None = None,
    ) -> Iterator[Extracted]:
        """Yield an `Extracted` for each (video id, path), in order.

        on_progress: told how many more steps were computed (0: all of them by an earlier run), and how many videos they
        make (fractions of 1). folder: where long videos are kept while they are under way.
        """
        network = _Reel(self) if self.config.mode == "dense" else _Clips(self)
        results = _Results(self)
        inputs: list[Tensor] = []
        starts: list[bool] = []  # of each input, whether it is the first of its video
        shares: list[float] = []  # of each input, what part it is of its video

        def compute() -> None:
            results.add(network.push(torch.stack(inputs), starts))
            if on_progress is not None:
                on_progress(len(inputs), sum(shares))
            for gathered in (inputs, starts, shares):
                gathered.clear()

        with closing(in_background(lambda: self._read(videos, folder), AHEAD)) as messages:
            first = False
            for kind, content in messages:
                if kind == "begin":
                    results.begin(content)
                    first = True
                    if isinstance(content, Plan) and content.first and on_progress is not None:
                        on_progress(0, content.first / len(content.frames))
                elif kind == "input":
                    inputs.append(content)
                    starts.append(first)
                    shares.append(results.count())
                    first = False
                    if len(inputs) == network.batch:
                        compute()
                else:
                    results.end(content)
                yield from results.ready()
            if inputs:
                compute()
            results.add(network.finish())
            yield from results.ready()

    def _read(self, videos: Iterable[tuple[str, Path]], folder: str | Path | None) -> Iterator[tuple]:
        """In the background thread, for each video: ("begin", plan or id), ("input", pixels) ..., ("end", problem)."""
        for video_id, path in videos:
            problem = None
            try:
                plan = self.plan(Path(path), video_id)
                plan = self.go_on(plan, folder) if folder is not None else plan
            except InputError as error:
                yield "begin", video_id
                yield "end", error
                continue
            yield "begin", plan
            try:
                for pixels in self._inputs(plan):
                    yield "input", pixels
                info = plan.info
                if not info.whole:  # all that is there was read, but not all is there
                    problem = BrokenVideo(info.path, info.num_frames, info.expected_frames, float(info.times[-1]))
            except InputError as error:
                problem = error
            yield "end", problem

    def _inputs(self, plan: Plan) -> Iterator[Tensor]:
        """(3, h, w) for each step in dense mode, (frames, 3, h, w) in clip mode; holds one window of frames at most."""
        steps = plan.frames.reshape(len(plan.frames), -1)
        size = self.preprocess.resized(plan.info.height, plan.info.width) if self.config.resize_in_decoder else None
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

    @contextmanager
    def forward(self):
        """No gradients and the configured precision, for as long as the network computes and no longer."""
        with torch.inference_mode(), in_precision(self.config.precision, self.device):
            yield

    def normalised(self, pixels: Tensor) -> Tensor:
        """(..., 3, h, w) uint8 -> float32 on the device."""
        return normalise(pixels.to(self.device, non_blocking=True), self.preprocess)


class _Reel:
    """The dense way: frames go through the network one after the other, videos spliced into one reel."""

    def __init__(self, extractor: Extractor):
        self.extractor, self.batch = extractor, extractor.batch
        self.stream = FrameStream(extractor.network)

    def push(self, frames: Tensor, starts: list[bool]) -> Tensor:
        """(T, 3, h, w) uint8 and whether each frame begins a video -> the (T', C) features that are complete."""
        with self.extractor.forward():
            pixels = self.extractor.normalised(frames)
            return self.stream.push(pixels, torch.tensor(starts, device=pixels.device))

    def finish(self) -> Tensor:
        with self.extractor.forward():
            return self.stream.finish()


class _Clips:
    """The clip way: each step's frames go through the network together, and their features are averaged."""

    def __init__(self, extractor: Extractor):
        self.extractor, self.batch = extractor, max(extractor.batch // extractor.frames, 1)

    def push(self, windows: Tensor, starts: list[bool]) -> Tensor:
        """(N, T, 3, h, w) uint8 -> (N, C) features; where videos begin does not matter here."""
        with self.extractor.forward():
            return self.extractor.network(self.extractor.normalised(windows)).mean(dim=1)

    def finish(self) -> Tensor:
        return torch.empty(0)


@dataclass
class _Pending:
    """A video whose features are being computed.

    values: (steps, C), filled from the front. begun, filled: up to which step they went into the network, and came out.
    ended: whether no more will go in.
    """

    plan: Plan | str  # the id alone where the video could not be opened
    begun: int = 0
    filled: int = 0
    values: np.ndarray | None = None
    ended: bool = False
    problem: InputError | None = None

    def add(self, rows: np.ndarray) -> None:
        """The next rows, (N, C). Those of an earlier run stay: the network did not see what comes before its first."""
        kept = self.plan.kept
        known = kept.count if kept else 0
        if self.values is None:
            self.values = np.empty((len(self.plan.frames), rows.shape[1]), dtype=np.float32)
            if kept:
                self.values[:known] = kept.begin(rows.shape[1])
        new = rows[max(known - self.filled, 0) :]
        self.filled += len(rows)
        self.values[self.filled - len(new) : self.filled] = new
        if kept and len(new):
            kept.write(self.filled - len(new), new)


class _Results:
    """Puts the rows of features back into videos: they come in the order in which the inputs went in."""

    def __init__(self, extractor: Extractor):
        self.extractor = extractor
        self.pending: list[_Pending] = []

    def begin(self, plan: Plan | str) -> None:
        first = plan.first if isinstance(plan, Plan) else 0
        self.pending.append(_Pending(plan, first, first))

    def end(self, problem: InputError | None) -> None:
        self.pending[-1].ended, self.pending[-1].problem = True, problem

    def count(self) -> float:
        """One more input of the video that is being read; returns what part of it that is."""
        self.pending[-1].begun += 1
        return 1 / len(self.pending[-1].plan.frames)

    def add(self, features: Tensor) -> None:
        rows = features.float().cpu().numpy()
        for video in self.pending:
            mine = rows[: video.begun - video.filled]
            rows = rows[len(mine) :]
            if len(mine):
                video.add(mine)

    def ready(self) -> Iterator[Extracted]:
        """The videos, in order, whose rows are all there."""
        while self.pending and self.pending[0].ended and self.pending[0].filled == self.pending[0].begun:
            video = self.pending.pop(0)
            if video.values is None:
                video_id = video.plan if isinstance(video.plan, str) else video.plan.video_id
                yield Extracted(video_id, problem=video.problem)
            else:
                track = self._track(video, video.values[: video.filled])
                yield Extracted(video.plan.video_id, track, video.problem)

    def _track(self, video: _Pending, values: np.ndarray) -> FeatureTrack:
        plan, info = video.plan, video.plan.info
        details = {
            "settings": self.extractor.settings,
            "video": {
                "file": info.path.name,
                **plan.identity,
                "fps": info.fps,
                "frames": info.num_frames,
                "reader": "pyav",
            },
        }
        if info.damaged:
            details["video"]["damaged"] = info.damaged
        if video.problem is not None:
            details["broken"] = str(video.problem)
        return FeatureTrack(plan.video_id, values, plan.grid, info.duration, self.extractor.source, details)


def extract_folder(
    extractor: Extractor, videos: list[tuple[str, Path]], out: str | Path
) -> tuple[list[str], list[str]]:
    """Write one feature file a video into `out`, skipping what is done of the very same video.

    Returns the ids of the videos whose features are there, be it of what could be read, and what went wrong, a line
    each.
    """
    out = output_folder(out)
    print(f"features by {extractor.source} on {extractor.device}", flush=True)
    done, todo, problems = _sort_out(extractor, videos, out)
    ready = set(done)
    whole = sum("broken" not in sidecar for sidecar in done.values())
    if whole:
        print(f"{whole} of {len(videos)} videos are done already")
    steps, began = 0, time.perf_counter()
    with tqdm(total=len(todo), disable=None, bar_format=PROGRESS) as bar:

        def count(more: int, share: float) -> None:
            nonlocal steps
            steps += more
            if not more:  # of an earlier run, and nothing to judge the rate by
                bar.write(f"{100 * share:.0f} % of a video was done by an earlier run")
                bar.initial = bar.last_print_n = bar.n = bar.n + share
            bar.set_postfix_str(f"{steps / (time.perf_counter() - began):.1f} steps/s", refresh=False)
            bar.update(min(share, bar.total - bar.n))  # shares are rounded

        for made, item in enumerate(extractor.extract(todo, count, out), start=1):
            if item.track is not None:
                save_track(out, item.track)
                ready.add(item.video_id)
                damaged = item.track.details["video"].get("damaged")
                if damaged:
                    warn(f"{item.video_id}: {damaged} packets are damaged, or the seams of a recording in parts")
            if item.problem is not None:
                problems.append(str(item.problem))
                if item.track is None and path_for_id(out, item.video_id, ".json").exists():
                    warn(f"{item.video_id}: its features in {out} are of an earlier file of this name, and not used")
            bar.update(max(made - bar.n, 0))  # what could not be read of it
    seconds = time.perf_counter() - began
    print(f"{len(videos) - len(problems)} of {len(videos)} videos are whole, features in {out}")
    if steps:
        print(f"{steps} steps in {seconds:.1f} s, {steps / seconds:.1f} a second")
    return [video_id for video_id, _ in videos if video_id in ready], problems


def _sort_out(
    extractor: Extractor, videos: list[tuple[str, Path]], out: Path
) -> tuple[dict[str, dict], list[tuple[str, Path]], list[str]]:
    """({id: sidecar} of what is done, the videos whose features are to be made, what is wrong, a line each)."""
    done, todo, problems, unknown = {}, [], [], []
    for video_id, path in videos:
        try:
            check_id(video_id, repr(str(path)))
        except InputError as error:
            problems.append(str(error))
            continue
        sidecar = is_done(out, video_id, extractor.source)
        if sidecar is None or not _still_fits(extractor, sidecar, path):
            todo.append((video_id, path))
            continue
        done[video_id] = sidecar
        if "broken" in sidecar:
            problems.append(sidecar["broken"])
        if "digest" not in _video_of(sidecar):
            unknown.append(video_id)
    if unknown:
        which = f"{len(unknown)} of {len(videos)} videos (the first: {unknown[0]})"
        problem = f"the features of {which} do not say from which file they were made, as those of older versions"
        warn(f"{out}: {problem}; where a video was replaced since, move its .json away to have them made again")
    return done, todo, problems


def _video_of(sidecar: dict) -> dict:
    """What a sidecar says of the video; nothing where it is another program's."""
    video = sidecar.get("video")
    return video if isinstance(video, dict) else {}


def _still_fits(extractor: Extractor, sidecar: dict, path: Path) -> bool:
    """Whether features are of the video as it is now; where not, that is said, or will be when it is opened."""
    try:
        changed = extractor.changed(sidecar, path)
    except InputError:
        return False
    if changed:
        warn(f"{path}: {changed}; they are made again")
    return not changed
