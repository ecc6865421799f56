"""Annotated features as training samples: crop a window, put segments on the grid, collate to a `Batch`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmad.arrays import LazyRows
from mmad.config import FeaturesConfig
from mmad.data.feature_files import find_tracks
from mmad.errors import InputError
from mmad.records import Annotation, FeatureTrack, TimeGrid, annotations_digest, content_digest


@dataclass
class Sample:
    """One video, or a window of one: features (T, C), segments (M, 2) in steps, labels (M,).

    probe_scores: (T, E, S) out-of-fold scores of the linear probe, instead of features.
    """

    features: Tensor | None
    segments: Tensor
    labels: Tensor
    video_id: str
    grid: TimeGrid
    probe_scores: Tensor | None = None


@dataclass
class Batch:
    """features: (B, T, C) zero-padded. mask: (B, T) True where a step is real. The lists have B items.

    segments: (M_i, 2) steps. labels: (M_i,). probe_scores: (B, T, E, S) instead of features.
    """

    features: Tensor | None
    mask: Tensor
    segments: list[Tensor]
    labels: list[Tensor]
    video_ids: list[str]
    grids: list[TimeGrid]
    probe_scores: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        return Batch(
            moved(self.features),
            moved(self.mask),
            [segments.to(device) for segments in self.segments],
            [labels.to(device) for labels in self.labels],
            self.video_ids,
            self.grids,
            moved(self.probe_scores),
        )


class FeatureDataset(Dataset):
    """Annotated videos and their features; item i is the whole video, or a random window of a long one.

    annotations: one per video. tracks: the features of these videos, in any order; those of other videos are not used.
    window: steps at most; None: no limit. Item (epoch, i) has a window determined by (seed, epoch, i); dataset[i]
    equals dataset[0, i]. Features in files are read when an item is asked for; NaN or infinite ones are refused then,
    but for NaN in features of several folders, which says that a folder is missing at this step. blocks: the number of
    channels of each folder.
    probe_scores: out-of-fold scores (T, E, S) of each video; items then hold these instead of features.

    `InputError` where a video has no features, or where features differ in their source or number of channels.
    """

    def __init__(
        self,
        annotations: Sequence[Annotation],
        tracks: Sequence[FeatureTrack],
        window: int | None = None,
        seed: int = 0,
    ):
        self.annotations, self.window, self.seed = list(annotations), window, seed
        self.tracks = _tracks_of(self.annotations, tracks)
        self.source = _one_source(self.tracks)
        self.channels = self.tracks[0].values.shape[1]
        self.blocks = blocks_of(self.tracks[0])
        self.probe_scores: Sequence[np.ndarray] | None = None

    @classmethod
    def from_folder(
        cls,
        annotations: Sequence[Annotation],
        folder: str | Path | Sequence[str | Path],
        config: FeaturesConfig,
        window: int | None = None,
        seed: int = 0,
    ) -> "FeatureDataset":
        """The annotated videos whose features lie in a folder, or in several whose channels are joined."""
        folders = [folder] if isinstance(folder, str | Path) else folder
        return cls(annotations, find_tracks(folders, annotations, config), window, seed)

    def __len__(self) -> int:
        return len(self.annotations)

    def digests(self) -> dict[str, str]:
        """{what: digest} of the training data."""
        return {"annotations": annotations_digest(self.annotations), "features": tracks_digest(self.tracks)}

    def read_through(self) -> None:
        """Read every track once, so that one that cannot be read or contains NaN is refused now and not hours later."""
        for track in self.tracks:
            track.values[:]

    def __getitem__(self, item: int | tuple[int, int]) -> Sample:
        epoch, index = item if isinstance(item, tuple) else (0, item)
        annotation, track = self.annotations[index], self.tracks[index]
        grid, steps = track.grid, len(track.values)
        segments, labels = grid.to_index(annotation.segments), annotation.labels
        first, count = 0, min(steps, self.window or steps)
        if count < steps:
            first = int(np.random.default_rng([self.seed, epoch, index]).integers(steps - count + 1))
            segments, labels = crop(segments, labels, first, count)
            grid = TimeGrid(grid.to_seconds(first), grid.step)
        features = scores = None
        if self.probe_scores is None:
            features = torch.from_numpy(np.array(track.values[first : first + count], dtype=np.float32))
        else:
            scores = torch.from_numpy(self.probe_scores[index][first : first + count]).float()
        return Sample(
            features,
            torch.from_numpy(np.asarray(segments, dtype=np.float32)),
            torch.from_numpy(labels),
            annotation.video_id,
            grid,
            scores,
        )


def crop(
    segments: np.ndarray, labels: np.ndarray, first: int, count: int, min_visible: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """The actions in a window of `count` steps from step `first` on: segments (M, 2) and labels (M,).

    Actions are cut at the ends of the window; those of which less than the share `min_visible` remains are dropped.
    Segments are in steps, those returned relative to `first`.
    """
    low, high = first - 0.5, first + count - 0.5  # start of the first and end of the last step of the window
    cut = np.clip(segments, low, high)
    visible_share = (cut[:, 1] - cut[:, 0]) / np.maximum(segments[:, 1] - segments[:, 0], 1e-6)
    kept = (segments[:, 0] < high) & (segments[:, 1] > low) & (visible_share >= min_visible)
    return cut[kept] - first, labels[kept]


def collate(samples: list[Sample]) -> Batch:
    """A batch, padded with zeros to the longest sample."""
    inputs = [sample.features if sample.probe_scores is None else sample.probe_scores for sample in samples]
    padded = torch.nn.utils.rnn.pad_sequence(inputs, batch_first=True)
    lengths = torch.tensor([len(values) for values in inputs])
    scored = samples[0].probe_scores is not None
    return Batch(
        None if scored else padded,
        torch.arange(padded.shape[1]) < lengths[:, None],
        [sample.segments for sample in samples],
        [sample.labels for sample in samples],
        [sample.video_id for sample in samples],
        [sample.grid for sample in samples],
        padded if scored else None,
    )


class FeatureBatchSampler:
    """Batches of (epoch, index) for a `FeatureDataset`; set `epoch` before each epoch.

    The epoch is part of the index because workers live for the whole run. lengths: steps of each video.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int):
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for indices in batches_of_similar_length(self.lengths, self.batch, [self.seed, self.epoch]):
            yield [(self.epoch, index) for index in indices]


def batches_of_similar_length(lengths: Sequence[int], batch: int, seed: Sequence[int]) -> list[list[int]]:
    """Each index once, in random batches of similar length, which keeps padding short."""
    generator = np.random.default_rng(seed)
    order = np.argsort(np.asarray(lengths) * np.exp(generator.normal(0, 0.1, len(lengths))))
    batches = [order[first : first + batch].tolist() for first in range(0, len(order), batch)]
    return [batches[i] for i in generator.permutation(len(batches))]


def tracks_digest(tracks: Sequence[FeatureTrack]) -> str:
    """Digest of the sources and times of features, and of a few rows or parts of each file: reading all takes too
    long."""
    return content_digest(part for track in tracks for part in _digest_parts(track))


def _digest_parts(track: FeatureTrack) -> Iterator:
    yield from (track.source, track.grid.start, track.grid.step, len(track.values))
    if isinstance(track.values, LazyRows):
        yield from track.values.digest_parts()
    else:
        yield track.values[:: max(1, len(track.values) // 8)]


def _tracks_of(annotations: list[Annotation], tracks: Sequence[FeatureTrack]) -> list[FeatureTrack]:
    """The track of each annotated video; values in memory are checked now, those in files when they are read."""
    track_of = {track.video_id: track for track in tracks}
    missing = [item.video_id for item in annotations if item.video_id not in track_of]
    if missing:
        problem = f"there are none of {len(missing)} annotated videos, such as {missing[0]}"
        raise InputError("features", problem, "give a track with the video_id of each annotation")
    chosen = [track_of[item.video_id] for item in annotations]
    for track in chosen:
        if isinstance(track.values, np.ndarray) and not np.isfinite(track.values).all():
            row = int(np.argmin(np.isfinite(track.values).all(axis=1)))
            raise InputError(f"features of {track.video_id}, row {row}", "a value is NaN or infinite")
    return chosen


def blocks_of(track: FeatureTrack) -> tuple[int, ...]:
    """The number of channels of each folder that the values come from; of any other values there is one block."""
    return getattr(track.values, "blocks", (track.values.shape[1],))


def _one_source(tracks: list) -> str:
    """The source that all tracks have; `InputError` where sources or numbers of channels differ."""
    if not tracks:
        raise InputError("data", "no annotated videos", "check data.train, data.val and their subsets")
    first = tracks[0]
    for track in tracks[1:]:
        if track.source != first.source:
            raise InputError(
                f"features of {track.video_id}",
                f"made by {track.source}",
                f"{first.video_id} was made by {first.source}",
            )
        if (track.values.shape[1], blocks_of(track)) != (first.values.shape[1], blocks_of(first)):
            raise InputError(
                f"features of {track.video_id}",
                f"{track.values.shape[1]} channels",
                f"{first.video_id} has {first.values.shape[1]}; for (channels, steps) use features.channels_first=true",
            )
    return first.source
