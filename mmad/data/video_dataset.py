"""Whole annotated videos as samples of frames, for training through the frames of a backbone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from mmad.config import VideosConfig
from mmad.data.clip_dataset import augment
from mmad.data.feature_dataset import crop
from mmad.errors import InputError, warn
from mmad.files import check_id
from mmad.records import Annotation, annotations_digest
from mmad.video.finding import VideoFolder
from mmad.video.preprocess import Preprocess, prepare_frames, resize_frames
from mmad.video.reader import VideoInfos, probe, read_frames, refuse_jumps
from mmad.video.sampling import FrameSampling


@dataclass
class VideoSample:
    """A video, or a part of one. pixels: (S, 3, H, W) uint8, or (S, F, 3, H, W) where a step looks at F frames.

    segments: (M, 2) steps. labels: (M,). index: of the video in its data set.
    """

    pixels: Tensor
    segments: Tensor
    labels: Tensor
    video_id: str
    index: int


@dataclass
class VideoBatch:
    """Several videos, not padded: frames of different lengths are kept apart."""

    samples: list[VideoSample]

    def to(self, device: torch.device) -> "VideoBatch":
        return VideoBatch(
            [
                VideoSample(
                    item.pixels.to(device, non_blocking=True),
                    item.segments.to(device),
                    item.labels.to(device),
                    item.video_id,
                    item.index,
                )
                for item in self.samples
            ]
        )


class VideoDataset(Dataset):
    """Training samples of annotated videos; item (epoch, index) is determined by (seed, epoch, index).

    paths: the file of each video id. sampling: which frames make a step, as in extraction, so that features are the
    same there. seed: None: nothing is random, the picture's middle and the first part of a long video. steps_per_clip:
    parts of long videos begin at a multiple of it. Items are `VideoSample`s, or an
    `InputError` instead of one, which `ClipLoader` raises.
    """

    def __init__(
        self,
        annotations: Sequence[Annotation],
        paths: dict[str, Path],
        config: VideosConfig,
        preprocess: Preprocess,
        sampling: FrameSampling,
        seed: int | None = None,
        steps_per_clip: int = 1,
    ):
        self.annotations, self.paths, self.config = list(annotations), paths, config
        self.preprocess, self.sampling = preprocess, sampling
        self.seed, self.steps_per_clip = seed, steps_per_clip
        self.infos = VideoInfos()

    def __len__(self) -> int:
        return len(self.annotations)

    def digests(self) -> dict[str, str]:
        """{what: digest} of the training data; of the videos only their names."""
        return {"annotations": annotations_digest(self.annotations)}

    def __getitem__(self, key: tuple[int, int]) -> VideoSample | InputError:
        epoch, index = key
        try:
            return self.read(index, epoch)
        except InputError as error:
            return error

    def read(self, index: int, epoch: int = 0) -> VideoSample:
        item = self.annotations[index]
        generator = None if self.seed is None else np.random.default_rng([self.seed, epoch, index])
        info, new = self.infos(self.paths[item.video_id])
        if new and not info.is_complete and epoch == 0:
            warn(f"{info.path}: cut off, {info.num_frames} of {info.expected_frames} frames are there and used")
        frames, grid = self.sampling.choose(refuse_jumps(info))
        segments, labels = grid.to_index(item.segments), item.labels
        window = max(round(self.config.longest / grid.step), self.steps_per_clip)
        if len(frames) > window:
            places = (len(frames) - window) // self.steps_per_clip + 1
            first = 0 if generator is None else int(generator.integers(places)) * self.steps_per_clip
            segments, labels = crop(segments, labels, first, window)
            frames = frames[first : first + window]
        pixels = self.pixels(read_frames(info, frames.ravel()), generator)
        return VideoSample(
            pixels.unflatten(0, frames.shape),
            torch.from_numpy(np.asarray(segments, dtype=np.float32)),
            torch.from_numpy(np.asarray(labels)),
            item.video_id,
            index,
        )

    def pixels(self, frames: np.ndarray, generator: np.random.Generator | None) -> Tensor:
        """(T, H, W, 3) -> (T, 3, h, w) uint8, all frames of a video cropped and mirrored alike."""
        how = self.preprocess
        if generator is None:
            return prepare_frames(frames, how)
        resized = resize_frames(frames, how.resized(*frames.shape[1:3]), how.antialias)
        return augment(resized, self.config, how, generator)

    @staticmethod
    def collate(samples: list[VideoSample | InputError]) -> VideoBatch | InputError:
        """A batch, or the first error among its samples."""
        return next((item for item in samples if isinstance(item, InputError)), None) or VideoBatch(samples)


def epoch_order(videos: int, clips: int, share: float, seed: int) -> Callable[[int], list[int]]:
    """epoch -> indices: each of the videos 0..videos-1 once, and share * videos of the clips that follow them, mixed.

    Where there are fewer clips, each once.
    """

    def order(epoch: int) -> list[int]:
        generator = np.random.default_rng([seed, epoch])
        chosen = generator.permutation(clips)[: round(share * videos)] + videos
        return generator.permutation([*range(videos), *chosen.tolist()]).tolist()

    return order


def clips_as_videos(clips: list[tuple[str, int]], folder: str | Path) -> tuple[list[Annotation], dict[str, Path]]:
    """Trimmed clips (file name, label) as annotated videos of one action from end to end, and their files.

    Their ids begin with "clips/", so that they are not those of videos. Every file is opened, for its duration.
    """
    videos, annotations, paths = VideoFolder(folder), [], {}
    for name, label in tqdm(clips, desc="clips", leave=False, disable=None):
        path = videos.find_listed(check_id(name))
        video_id, info = f"clips/{Path(name).with_suffix('')}", refuse_jumps(probe(path))
        annotations.append(Annotation(video_id, info.duration, [(0.0, info.duration)], [label], fps=info.fps))
        paths[video_id] = path
    return annotations, paths
