"""Performances of rendered people as joints in space: the training data of the pose network, in files of some dozens.

Cameras, body proportions and errors of pose estimators are drawn anew each time that a performance is used
(`pose_dataset.py`).
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
    """joints: (T, 75, 3) float16, metres in space, at `joint_inputs.FPS`. truth: the actions and their times."""

    joints: np.ndarray
    truth: Annotation


def save_performances(path: str | Path, performances: Sequence[Performance]) -> None:
    """Write performances into one file, complete or not at all."""
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


def load_performances(path: str | Path) -> list[Performance]:
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
        problem = f"is not a file of performances ({error})"
        raise InputError(path, problem, "move it away: the same command makes it anew") from None
