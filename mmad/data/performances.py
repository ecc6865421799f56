"""What rendered people did, as joints in space: the raw material that poses are learned from, on disk in parts.

A part is one .npz file of some dozens of videos. Cameras, proportions and the mistakes of an estimator are drawn anew
each time that a video is shown (`training_set.py`), so that one performance serves many times.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import atomic_path
from mmad.records import Annotation


@dataclass
class Performance:
    """joints: (T, 75, 3) float16 metres in space at `features.FPS` steps a second. truth: what was done when."""

    joints: np.ndarray
    truth: Annotation


def save_part(path: str | Path, performances: Sequence[Performance]) -> None:
    """Write performances into one file, whole or not at all."""
    truths = [item.truth for item in performances]
    content = {
        "joints": np.concatenate([item.joints for item in performances]).astype(np.float16),
        "steps": np.array([len(item.joints) for item in performances]),
        "ids": np.array([truth.video_id for truth in truths]),
        "durations": np.array([truth.duration for truth in truths]),
        "segments": np.concatenate([truth.segments for truth in truths]),
        "labels": np.concatenate([truth.labels for truth in truths]),
        "actions": np.array([len(truth.labels) for truth in truths]),
    }
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **content)


def load_part(path: str | Path) -> list[Performance]:
    """The performances of one file, in order."""
    try:
        with np.load(path, allow_pickle=False) as found:
            content = {name: found[name] for name in found.files}
        joints = np.split(content["joints"], np.cumsum(content["steps"])[:-1])
        where = np.cumsum(content["actions"])[:-1]
        segments, labels = np.split(content["segments"], where), np.split(content["labels"], where)
        rows = zip(joints, content["ids"], content["durations"], segments, labels)
        return [
            Performance(points, Annotation(str(name), float(s), some, which)) for points, name, s, some, which in rows
        ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        problem = f"is no file of performances ({error})"
        raise InputError(path, problem, "move it away: the same command makes it anew") from None
