"""Short clips as samples, trimmed or cut from long videos; what is seen is a matter of (seed, epoch, index) alone."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, WeightedRandomSampler

from mmad.config import ClipConfig, ViewConfig
from mmad.errors import InputError, warn
from mmad.files import path_for_id
from mmad.records import Annotation, annotations_digest, content_digest
from mmad.video.finding import find_video
from mmad.video.preprocess import Preprocess, centre_crop, resize_frames, three_crops
from mmad.video.reader import Probes, VideoInfo, read_frames
from mmad.video.sampling import segment_frames


@dataclass
class ClipBatch:
    """pixels: (N, V, T, 3, S, S) uint8, V views of each of N clips, 1 in training.

    labels: (N,) ids, or (N, K) of 0 and 1 where several actions may hold.
    """

    pixels: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "ClipBatch":
        return ClipBatch(self.pixels.to(device, non_blocking=True), self.labels.to(device, non_blocking=True))


class ClipSource(Dataset):
    """Samples ((V, T, 3, S, S) uint8, labels) by (epoch, index), or an `InputError` in a sample's place.

    A `ClipLoader` raises it: raised here, in another process, it would come out as a defect of ours.
    """

    def __init__(self):
        self.probes = Probes()

    def read(self, index: int, epoch: int = 0) -> tuple[Tensor, int | Tensor]:
        raise NotImplementedError

    def digests(self) -> dict[str, str]:
        """{what: digest} of what a training learns from; of the videos only their names."""
        raise NotImplementedError

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int | Tensor] | InputError:
        epoch, index = key
        try:
            return self.read(index, epoch)
        except InputError as error:
            return error

    def probe(self, path: Path, epoch: int) -> VideoInfo:
        """What a video holds; one that is cut off is used, and in the first epoch said to be."""
        info, new = self.probes(path)
        if new and not info.whole and epoch == 0:
            warn(f"{path}: cut off, {info.num_frames} of {info.expected_frames} frames are there and used")
        return info


class ClipDataset(ClipSource):
    """Listed clips of one folder. Training: a random frame of each part, multi-scale crop, flip; testing: the middle.

    A listed clip that is not there is refused at once.
    """

    def __init__(
        self,
        clips: list[tuple[str, int]],
        folder: str | Path,
        config: ClipConfig,
        preprocess: Preprocess,
        training: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.clips, self.config, self.preprocess = clips, config, preprocess
        self.training, self.seed = training, seed
        self.paths = [path_for_id(Path(folder), name, "") for name, _ in clips]
        missing = [path for path in self.paths if not path.exists()]
        if missing:
            remedy = f"{len(missing)} of {len(clips)} listed clips are missing; is this their folder?"
            raise InputError(missing[0], "no such file", remedy)

    def __len__(self) -> int:
        return len(self.clips)

    def digests(self) -> dict[str, str]:
        return {"clips": content_digest(part for clip in self.clips for part in clip)}

    @property
    def classes(self) -> np.ndarray:
        """(N,) what balanced sampling balances."""
        return np.array([label for _, label in self.clips])

    def read(self, index: int, epoch: int = 0) -> tuple[Tensor, int]:
        """((V, T, 3, S, S) uint8, label)"""
        info = self.probe(self.paths[index], epoch)
        generator = np.random.default_rng([self.seed, epoch, index]) if self.training else None
        views = read_views(info, 0, info.num_frames, self.config, self.preprocess, generator)
        return views, self.clips[index][1]


class WindowDataset(ClipSource):
    """Windows of `config.window` seconds of long videos, each with the actions that fill half of it or lie half in it.

    Training: one window around each annotated action, another one each epoch; testing: windows end to end.
    What a video is annotated to hold beyond its last frame is not used.
    """

    def __init__(
        self,
        annotations: Sequence[Annotation],
        folder: str | Path,
        subset: str,
        config: ClipConfig,
        preprocess: Preprocess,
        num_classes: int,
        training: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.config, self.preprocess, self.num_classes = config, preprocess, num_classes
        self.training, self.seed, self.annotations = training, seed, list(annotations)
        self.items: list[tuple[Annotation, int]] = []  # a video and which of its actions, or of its windows
        self.paths = {item.video_id: find_video(Path(folder), item.video_id, subset) for item in annotations}
        for item in annotations:
            ends = math.ceil(item.duration / config.window - 0.01)  # the last begins earlier, to end with the video
            count = len(item.labels) if training else max(ends, 1)
            self.items += [(item, i) for i in range(count)]
        if not any(len(item.labels) for item in annotations):
            raise InputError(f"the {subset} annotations", "hold no action", "check data.train, data.val, their subsets")

    def __len__(self) -> int:
        return len(self.items)

    def digests(self) -> dict[str, str]:
        return {"annotations": annotations_digest(self.annotations)}

    @property
    def classes(self) -> np.ndarray:
        """(N,) what balanced sampling balances; of training windows."""
        return np.array([item.labels[i] for item, i in self.items])

    def read(self, index: int, epoch: int = 0) -> tuple[Tensor, Tensor]:
        """((V, T, 3, S, S) uint8, (K,) of 0 and 1)"""
        item, i = self.items[index]
        generator = np.random.default_rng([self.seed, epoch, index]) if self.training else None
        info = self.probe(self.paths[item.video_id], epoch)
        duration = min(item.duration, info.duration)
        length = min(self.config.window, duration)
        if generator is None:
            start = min(i * length, duration - length)
        else:
            middle = generator.uniform(*item.segments[i])
            start = float(np.clip(middle - length / 2, 0, duration - length))
        first, end = np.searchsorted(info.times, (start, start + length - 1e-6))
        first = min(int(first), info.num_frames - 1)
        count = max(int(end) - first, 1)
        target = torch.zeros(self.num_classes)
        target[torch.from_numpy(labels_within(item, start, start + length))] = 1
        return read_views(info, first, count, self.config, self.preprocess, generator), target


def labels_within(item: Annotation, start: float, end: float) -> np.ndarray:
    """Ids of the actions that fill at least half of start..end (s), or of which at least half lies in it."""
    inside = np.minimum(item.segments[:, 1], end) - np.maximum(item.segments[:, 0], start)
    enough = 0.5 * np.minimum(item.segments[:, 1] - item.segments[:, 0], end - start)
    return item.labels[(inside > 0) & (inside >= enough)]


def read_views(
    info: VideoInfo,
    first: int,
    count: int,
    config: ViewConfig,
    how: Preprocess,
    generator: np.random.Generator | None,
) -> Tensor:
    """(V, T, 3, S, S) uint8 of `count` frames from `first` on: one augmented view with a generator, else to test by."""
    if generator is not None:
        chosen = first + segment_frames(count, config.frames, generator.random(config.frames))
        frames = read_frames(info, chosen, config.reader)
        pixels = resize_frames(frames, how.resized(*frames.shape[1:3]), how.antialias)
        return augment(pixels, config, how, generator)[None]
    within = (np.arange(config.samplings) + 0.5) / config.samplings
    chosen = first + np.stack([segment_frames(count, config.frames, share) for share in within])
    frames = read_frames(info, chosen.ravel(), config.reader)  # of all samplings: the file is opened once
    pixels = resize_frames(frames, how.resized(*frames.shape[1:3]), how.antialias)
    views = []
    for sampling in pixels.split(config.frames):
        views += three_crops(sampling, how.crop) if config.crops == 3 else [centre_crop(sampling, how.crop)]
    if config.mirrored:
        views += [view.flip(-1) for view in views]
    return torch.stack(views)


def augment(pixels: Tensor, config: ClipConfig, how: Preprocess, generator: np.random.Generator) -> Tensor:
    """(T, 3, H, W) uint8 -> (T, 3, crop, crop): one of five places, scales of its sides alike or next, maybe mirrored.

    Source: multi-scale crop of temporal segment networks (Wang et al., ECCV 2016), as MANet trains.
    """
    short = min(pixels.shape[-2:])
    sides = [max(int(short * scale), 1) for scale in config.scales]
    pairs = [(a, b) for i, a in enumerate(sides) for j, b in enumerate(sides) if abs(i - j) <= 1]
    height, width = pairs[int(generator.integers(len(pairs)))]
    room = pixels.shape[-2] - height, pixels.shape[-1] - width
    place = [(0, 0), (0, room[1]), (room[0], 0), (room[0], room[1]), (room[0] // 2, room[1] // 2)]
    top, left = place[int(generator.integers(5))]
    cut = pixels[..., top : top + height, left : left + width].permute(0, 2, 3, 1)
    cut = resize_frames(cut, (how.crop, how.crop), how.antialias)
    return cut.flip(-1) if generator.random() < config.flip else cut


def training_order(classes: np.ndarray, balance: float, seed: int, epoch: int) -> list[int]:
    """Indices in the order of an epoch. classes: (N,) ids.

    Each clip once; with `balance`, as many draws as there are clips, each with chance (clips of its class)^-balance.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    if not balance:
        return torch.randperm(len(classes), generator=generator).tolist()
    weights = np.bincount(classes)[classes].astype(np.float64) ** -balance
    return list(WeightedRandomSampler(weights.tolist(), len(classes), generator=generator))


def collate_clips(samples: list[tuple[Tensor, int | Tensor] | InputError]) -> ClipBatch | InputError:
    """A batch, or the first thing that is wrong with its samples."""
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
    labels = [torch.as_tensor(label) for _, label in samples]
    return ClipBatch(torch.stack([pixels for pixels, _ in samples]), torch.stack(labels))


class EpochBatches(Sampler):
    """Batches of (epoch, index): an index says to a worker that stays for the whole run which epoch it is of."""

    def __init__(self, count: int, batch: int, order: Callable[[int], Iterable[int]]):
        self.count, self.batch, self.order, self.epoch = count, batch, order, 0

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        pairs = [(self.epoch, index) for index in self.order(self.epoch)]
        return (pairs[first : first + self.batch] for first in range(0, len(pairs), self.batch))


class ClipLoader(DataLoader):
    """Batches of a `ClipSource`; what is wrong with a sample is raised here, whichever process came upon it.

    workers: processes that read, and stay for as long as the loader: they and what they remember of the videos serve
    every epoch. They are started afresh, not forked: decord's readers hang in forked processes.
    order: epoch -> as many indices as there are samples; default: all, one after the other.
    """

    def __init__(
        self, source: ClipSource, batch: int, workers: int = 0, order: Callable[[int], Iterable[int]] | None = None
    ):
        batches = EpochBatches(len(source), batch, order or (lambda epoch: range(len(source))))
        super().__init__(
            source,
            batch_sampler=batches,
            collate_fn=collate_clips,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # it draws when workers start: from torch's own, dropout would be another
        )

    def of_epoch(self, epoch: int) -> "ClipLoader":
        """The loader itself, whose next pass is that of an epoch."""
        self.batch_sampler.epoch = epoch
        return self

    def __iter__(self) -> Iterator[ClipBatch]:
        for batch in super().__iter__():
            if isinstance(batch, InputError):
                raise batch
            yield batch
