"""Short clips as samples, trimmed or cut from long videos; a training sample is determined by (seed, epoch, index)."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, WeightedRandomSampler

from mmad.config import ClipConfig, ViewConfig
from mmad.data.batch_share import BatchShare
from mmad.errors import InputError, warn
from mmad.files import check_id
from mmad.records import Annotation, annotations_digest, content_digest
from mmad.video.finding import VideoFolder
from mmad.video.preprocess import Preprocess, centre_crop, normalise, resize_frames, three_crops
from mmad.video.reader import VideoInfo, VideoInfos, read_frames
from mmad.video.sampling import frame_of_each_part


@dataclass(frozen=True)
class Loading:
    """How clips are read. batch: clips per forward pass. workers: processes that read clips; 0: this process does.

    share: (i, n) reads only the batches i, i + n, i + 2 n and so on.
    """

    batch: int = 8
    workers: int = 0
    share: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class SubsetFolder:
    """Where the videos of annotations are: in `folder`, or in its subfolder `subset`."""

    folder: str | Path
    subset: str = ""


@dataclass
class ClipBatch:
    """pixels: (N, V, T, 3, H, W) uint8, V views of each of N clips; 1 in training.

    labels: (N,) class ids, or (N, K) of 0 and 1 where a clip may contain several actions.
    """

    pixels: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "ClipBatch":
        return ClipBatch(self.pixels.to(device, non_blocking=True), self.labels.to(device, non_blocking=True))

    def inputs(self, preprocess: Preprocess) -> tuple[Tensor]:
        """What a network of pictures takes: (N * V, T, 3, H, W), normalised."""
        return (normalise(self.pixels.flatten(0, 1), preprocess),)


class ClipSource(Dataset):
    """Samples ((V, T, 3, H, W) uint8, labels) by (epoch, index), or an `InputError` instead of a sample.

    `ClipLoader` raises the error: raised here, in a worker process, it would reach the user as a traceback. seed: of
    the random views of training; None: the fixed views of testing.
    """

    def __init__(self, config: ClipConfig, preprocess: Preprocess, seed: int | None):
        self.config, self.preprocess, self.seed = config, preprocess, seed
        self.infos = VideoInfos()

    def generator(self, index: int, epoch: int) -> np.random.Generator | None:
        """The random generator of a training sample; None in testing."""
        return None if self.seed is None else np.random.default_rng([self.seed, epoch, index])

    def read(self, index: int, epoch: int = 0) -> tuple[Tensor, int | Tensor]:
        raise NotImplementedError

    def digests(self) -> dict[str, str]:
        """{what: digest} of the training data; of the videos only their names."""
        raise NotImplementedError

    @staticmethod
    def collate(samples: list[tuple[Tensor, int | Tensor] | InputError]) -> ClipBatch | InputError:
        """A batch, or the first error among its samples."""
        for sample in samples:
            if isinstance(sample, InputError):
                return sample
        labels = [torch.as_tensor(label) for _, label in samples]
        return ClipBatch(torch.stack([pixels for pixels, _ in samples]), torch.stack(labels))

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int | Tensor] | InputError:
        epoch, index = key
        try:
            return self.read(index, epoch)
        except InputError as error:
            return error

    def info_of(self, path: Path, epoch: int) -> VideoInfo:
        """Frames and times of a video; one that is cut off is used, with a warning in the first epoch."""
        info, new = self.infos(path)
        if new and not info.is_complete and epoch == 0:
            warn(f"{path}: cut off, {info.num_frames} of {info.expected_frames} frames are there and used")
        return info


class ClipDataset(ClipSource):
    """Listed clips (file name, label) of one folder; `InputError` at once where one is missing.

    Each clip is divided into `config.frames` parts. Training: a random frame of each part, multi-scale crop, flip.
    Testing: the middle frame of each part, `config.crops` crops.
    """

    def __init__(
        self,
        clips: list[tuple[str, int]],
        folder: str | Path,
        config: ClipConfig,
        preprocess: Preprocess,
        seed: int | None = None,
    ):
        super().__init__(config, preprocess, seed)
        self.clips = clips
        self.paths = _paths_of([check_id(name) for name, _ in clips], folder)

    def __len__(self) -> int:
        return len(self.clips)

    def digests(self) -> dict[str, str]:
        return {"clips": content_digest(part for clip in self.clips for part in clip)}

    @property
    def classes(self) -> np.ndarray:
        """(N,) class ids, for balanced sampling."""
        return np.array([label for _, label in self.clips])

    def read(self, index: int, epoch: int = 0) -> tuple[Tensor, int]:
        """((V, T, 3, H, W) uint8, label)"""
        info = self.info_of(self.paths[index], epoch)
        stretch = Stretch(info, 0, info.num_frames)
        views = read_views(stretch, self.config, self.preprocess, self.generator(index, epoch))
        return views, self.clips[index][1]


def _paths_of(names: list[str], folder: str | Path) -> list[Path]:
    """The files of listed clips; `InputError` that counts those that are not there."""
    videos, paths, missing = VideoFolder(folder), [], []
    for name in names:
        try:
            paths.append(videos.find_listed(name))
        except InputError:
            missing.append(Path(folder) / name)
    if missing:
        remedy = f"{len(missing)} of {len(names)} listed clips are missing; is this their folder?"
        raise InputError(missing[0], "no such file", remedy)
    return paths


class WindowDataset(ClipSource):
    """Windows of `config.window` seconds of long videos; the targets of a window are given by `labels_within`.

    Training: one random window around each annotated action, drawn anew in every epoch. Testing: consecutive windows.
    Annotations beyond the last frame of a video are not used.
    """

    def __init__(
        self,
        annotations: Sequence[Annotation],
        videos: SubsetFolder,
        config: ClipConfig,
        preprocess: Preprocess,
        num_classes: int,
        seed: int | None = None,
    ):
        super().__init__(config, preprocess, seed)
        self.num_classes, self.annotations = num_classes, list(annotations)
        self.items: list[tuple[Annotation, int]] = []  # a video, and the index of one of its actions or windows
        files = VideoFolder(videos.folder)
        self.paths = {item.video_id: files.find(item.video_id, videos.subset) for item in annotations}
        for item in annotations:
            num_windows = max(math.ceil(item.duration / config.window - 0.01), 1)  # the last one overlaps
            count = num_windows if seed is None else len(item.labels)
            self.items += [(item, i) for i in range(count)]
        if not any(len(item.labels) for item in annotations):
            raise InputError(
                f"the {videos.subset} annotations", "hold no action", "check data.train, data.val, their subsets"
            )

    def __len__(self) -> int:
        return len(self.items)

    def digests(self) -> dict[str, str]:
        return {"annotations": annotations_digest(self.annotations)}

    @property
    def classes(self) -> np.ndarray:
        """(N,) class ids of the training windows, for balanced sampling."""
        return np.array([item.labels[i] for item, i in self.items])

    def read(self, index: int, epoch: int = 0) -> tuple[Tensor, Tensor]:
        """((V, T, 3, H, W) uint8, (K,) of 0 and 1)"""
        item, i = self.items[index]
        generator = self.generator(index, epoch)
        info = self.info_of(self.paths[item.video_id], epoch)
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
        stretch = Stretch(info, first, count)
        return read_views(stretch, self.config, self.preprocess, generator), target


def labels_within(item: Annotation, start: float, end: float) -> np.ndarray:
    """Class ids of the actions that cover at least half of start..end (s), or of which at least half is in it."""
    overlap = np.minimum(item.segments[:, 1], end) - np.maximum(item.segments[:, 0], start)
    enough = 0.5 * np.minimum(item.segments[:, 1] - item.segments[:, 0], end - start)
    return item.labels[(overlap > 0) & (overlap >= enough)]


@dataclass(frozen=True)
class Stretch:
    """`count` frames of a video from frame `first` on."""

    info: VideoInfo
    first: int
    count: int


def read_views(stretch: Stretch, config: ViewConfig, how: Preprocess, generator: np.random.Generator | None) -> Tensor:
    """The views of a stretch of frames: (V, T, 3, H, W) uint8.

    With a generator one augmented view, for training; `config` is then a `ClipConfig`, which has scales and flip.
    """
    info, first, count = stretch.info, stretch.first, stretch.count
    if generator is not None:
        chosen = first + frame_of_each_part(count, config.frames, generator.random(config.frames))
        frames = read_frames(info, chosen, config.reader)
        pixels = resize_frames(frames, how.resized(*frames.shape[1:3]), how.antialias)
        return augment(pixels, config, how, generator)[None]
    within = (np.arange(config.samplings) + 0.5) / config.samplings
    chosen = first + np.stack([frame_of_each_part(count, config.frames, share) for share in within])
    frames = read_frames(info, chosen.ravel(), config.reader)  # for all samplings, so that the file is opened once
    pixels = resize_frames(frames, how.resized(*frames.shape[1:3]), how.antialias)
    views = []
    for sampling in pixels.split(config.frames):
        views += three_crops(sampling, how.crop) if config.crops == 3 else [centre_crop(sampling, how.crop)]
    if config.mirrored:
        views += [view.flip(-1) for view in views]
    return torch.stack(views)


def augment(pixels: Tensor, config: ClipConfig, how: Preprocess, generator: np.random.Generator) -> Tensor:
    """Multi-scale crop and flip: (T, 3, H, W) uint8 -> (T, 3, crop, crop).

    The crop is at one of five positions; the scales of its sides are equal or neighbours in `config.scales`. Source:
    temporal segment networks (Wang et al., ECCV 2016), as for MANet.
    """
    short = min(pixels.shape[-2:])
    sides = [max(int(short * scale), 1) for scale in config.scales]
    pairs = [(a, b) for i, a in enumerate(sides) for j, b in enumerate(sides) if abs(i - j) <= 1]
    height, width = pairs[int(generator.integers(len(pairs)))]
    room = pixels.shape[-2] - height, pixels.shape[-1] - width
    positions = [(0, 0), (0, room[1]), (room[0], 0), (room[0], room[1]), (room[0] // 2, room[1] // 2)]
    top, left = positions[int(generator.integers(5))]
    cut = pixels[..., top : top + height, left : left + width].permute(0, 2, 3, 1)
    cut = resize_frames(cut, (how.crop, how.crop), how.antialias)
    return cut.flip(-1) if generator.random() < config.flip else cut


def training_order(classes: np.ndarray, balance: float, seed: int, epoch: int) -> list[int]:
    """Indices in the order of an epoch. classes: (N,) ids.

    Each clip once. With `balance`, N draws in which the probability of a clip is proportional to
    (number of clips of its class)^-balance.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    if not balance:
        return torch.randperm(len(classes), generator=generator).tolist()
    weights = np.bincount(classes)[classes].astype(np.float64) ** -balance
    return list(WeightedRandomSampler(weights.tolist(), len(classes), generator=generator))


class ClipBatchSampler(Sampler):
    """Batches of (epoch, index): workers that live for the whole run learn the epoch from the index."""

    def __init__(self, count: int, batch: int, order: Callable[[int], Iterable[int]]):
        self.count, self.batch, self.order, self.epoch = count, batch, order, 0

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        pairs = [(self.epoch, index) for index in self.order(self.epoch)]
        return (pairs[first : first + self.batch] for first in range(0, len(pairs), self.batch))


class ClipLoader(DataLoader):
    """Batches of a `ClipSource` or `SkeletonDataset`; errors of samples are raised here, whichever process met them.

    Workers live as long as the loader, so that what they know of the videos serves every epoch. They are spawned, not
    forked: decord's readers hang in forked processes. order: epoch -> as many indices as there are samples; default:
    all in order.
    """

    def __init__(
        self,
        source: Dataset,
        loading: Loading,
        order: Callable[[int], Iterable[int]] | None = None,
    ):
        workers = loading.workers
        batches = ClipBatchSampler(len(source), loading.batch, order or (lambda epoch: range(len(source))))
        super().__init__(
            source,
            batch_sampler=BatchShare(batches, loading.share),
            collate_fn=source.collate,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # used when workers start: with torch's global one, dropout would differ
        )

    def at_epoch(self, epoch: int) -> "ClipLoader":
        """Set the epoch of the next pass, and return the loader itself."""
        self.batch_sampler.batches.epoch = epoch
        return self

    def __iter__(self) -> Iterator:
        for batch in super().__iter__():
            if isinstance(batch, InputError):
                raise batch
            yield batch
