"""Clips of joints as samples for MMN: listed landmark tracks, or a data set in one .pkl file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from mmad.config import SkeletonConfig
from mmad.errors import InputError
from mmad.formats.mma52 import read_clip_list
from mmad.labels import LabelSet
from mmad.pose.landmark_files import load_landmarks
from mmad.pose.pyskl import DATA_AND_LABELS, read_pyskl, without_video_suffix
from mmad.pose.recording import Recording
from mmad.pose.skeleton_clips import Skeleton, clip_input, clip_points
from mmad.pose.skeletons import joints_of
from mmad.records import content_digest

PICKLED = ".pkl"


@dataclass(frozen=True)
class SkeletonClip:
    """name: of the video file. points: (T, V, 2) float32 as `mmad.pose.skeleton_clips.clip_points` gives them."""

    name: str
    label: int
    points: np.ndarray


@dataclass
class SkeletonBatch:
    """x: (N, 2, 64, V, 1). index_t: (N, 64). labels: (N,) class ids."""

    x: Tensor
    index_t: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "SkeletonBatch":
        return SkeletonBatch(*(part.to(device, non_blocking=True) for part in (self.x, self.index_t, self.labels)))

    def inputs(self, _) -> tuple[Tensor, Tensor]:
        """What an MMN takes."""
        return self.x, self.index_t


class SkeletonDataset(Dataset):
    """Samples (x, index_t, label) by (epoch, index).

    seed: of the random frames and variations of training; None: the fixed frames of testing.
    """

    def __init__(
        self, clips: Sequence[SkeletonClip], skeleton: Skeleton, config: SkeletonConfig, seed: int | None = None
    ):
        self.items, self.skeleton, self.config, self.seed = list(clips), skeleton, config, seed

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, int]:
        epoch, index = key
        clip = self.items[index]
        generator = None if self.seed is None else np.random.default_rng([self.seed, epoch, index])
        return (*clip_input(clip.points, self.skeleton, self.config, generator), clip.label)

    @staticmethod
    def collate(samples: list[tuple[np.ndarray, np.ndarray, int]]) -> SkeletonBatch:
        x, index_t, labels = zip(*samples)
        return SkeletonBatch(torch.from_numpy(np.stack(x)), torch.from_numpy(np.stack(index_t)), torch.tensor(labels))

    def digests(self) -> dict[str, str]:
        """{what: digest} of the data, from the names and classes of the clips and some of their joints."""
        some = (part for clip in self.items for part in (clip.name, clip.label, clip.points[0], clip.points[-1]))
        return {"clips": content_digest(some)}

    @property
    def clips(self) -> list[tuple[str, int]]:
        """(name, class id) of each clip."""
        return [(clip.name, clip.label) for clip in self.items]

    @property
    def classes(self) -> np.ndarray:
        """(N,) class ids, for balanced sampling."""
        return np.array([clip.label for clip in self.items])


# --- reading ----------------------------------------------------------------------------------------------------


def read_skeleton_clips(
    path: str | Path, joints: str | Path, labels: LabelSet, skeleton: Skeleton, subset: str = ""
) -> list[SkeletonClip]:
    """The clips of a list, whose joints are in `joints`: a folder of landmark tracks, or a .pkl file.

    path: `name.mp4 label` a line; or a .pkl file of pyskl, PCAN or MMN (`_label.pkl`, with `_data.pkl` beside it), all
    of whose clips are read, and `joints` is not. subset: the part of pyskl's `split` that is read. Clips of a .pkl
    without a class have class 0, as those of a test set. Of several people in a .pkl the first counts.
    """
    path, joints = Path(path), Path(joints)
    if path.suffix.lower() == PICKLED:
        return _pickled_clips(path, labels, skeleton, subset)
    listed = read_clip_list(path, labels)
    if joints.suffix.lower() == PICKLED:
        clips = {without_video_suffix(clip.name): clip for clip in _pickled_clips(joints, None, skeleton, "")}
        missing = [name for name, _ in listed if without_video_suffix(name) not in clips]
        if missing:
            problem = f"lacks {len(missing)} of {len(listed)} listed clips, such as {missing[0]}"
            raise InputError(joints, problem, f"does it belong to {path}?")
        return [SkeletonClip(name, label, clips[without_video_suffix(name)].points) for name, label in listed]
    return [
        SkeletonClip(name, label, _points_of_file(_file_of(name, joints), skeleton))
        for name, label in tqdm(listed, desc="joints", unit=" clips", leave=False, disable=None)
    ]


def _file_of(name: str, folder: Path) -> Path:
    file = folder / f"{without_video_suffix(name)}.npz"
    if not file.is_file():
        remedy = "landmark tracks are made by `mmad extract-pose` or `mmad import-pose`; is this their folder?"
        raise InputError(file, "no such file", remedy)
    return file


def _points_of_file(path: Path, skeleton: Skeleton) -> np.ndarray:
    track = load_landmarks(path)
    if not len(track.points):
        raise InputError(path, "has no frame", "leave the clip out of the list")
    return clip_points(track.points, joints_of(track.layout), skeleton)


def _pickled_clips(path: Path, labels: LabelSet | None, skeleton: Skeleton, subset: str) -> list[SkeletonClip]:
    """labels: None where classes do not matter."""
    data, beside = DATA_AND_LABELS
    path = path.with_name(path.name.removesuffix(beside) + data) if path.name.endswith(beside) else path
    if not path.exists():
        raise InputError(path, "no such file", "the joints are in it; the file of classes alone is not enough")
    recordings = read_pyskl(path)
    clips, parts, unclassed = [], set(), 0
    for recording in tqdm(recordings, desc=path.name, unit=" clips", leave=False, disable=None):
        part = recording.details.get("split", "")
        parts.update(part.split(", ") if part else ())
        label = recording.details.get("label")
        unclassed += label is None
        if labels is not None and label is not None and not 0 <= label < len(labels):
            where = f"{path}, clip {recording.video_id}"
            raise InputError(where, f"class {label}, there are {len(labels)}", "are these the labels of data.labels?")
        clip = SkeletonClip(f"{recording.video_id}.mp4", label or 0, _points_of(recording, skeleton))
        clips.append((part.split(", "), clip))
    if unclassed and unclassed < len(clips) and labels is not None:
        raise InputError(path, f"{unclassed} of {len(clips)} clips have no class", "take them out, or give them one")
    if subset in parts:
        clips = [item for item in clips if subset in item[0]]
    elif parts and labels is not None and subset:
        raise InputError(path, f"has no part {subset!r}", f"set data.train_subset, data.val_subset: {sorted(parts)}")
    return [clip for _, clip in clips]


def _points_of(recording: Recording, skeleton: Skeleton) -> np.ndarray:
    """The first person, as the published weights were trained."""
    nobody = np.full((len(recording.joints), 3), np.nan, dtype=np.float32)
    first = np.stack([people[0] if len(people) else nobody for people in recording.people])
    return clip_points(first, recording.joints, skeleton)
