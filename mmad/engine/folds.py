"""Folds for cross-fitting: videos of one person stay together, and every class is spread over all folds."""

import re

import numpy as np

from mmad.config import DetectorConfig
from mmad.data.feature_dataset import FeatureDataset
from mmad.errors import InputError


def choose_folds(dataset: FeatureDataset, num_classes: int, config: DetectorConfig, seed: int) -> np.ndarray:
    """The fold of each video, (N,) int, at most `config.folds` of them.

    Videos of one group stay together. Greedy: groups with the rarest classes first, each goes to the fold that has the
    fewest actions of its classes so far.
    """
    names = group_names([item.video_id for item in dataset.annotations], config.groups, config.folds)
    groups, group_of = np.unique(names, return_inverse=True)
    folds = min(config.folds, len(groups))
    counts = np.zeros((len(groups), num_classes + 1))  # actions of each class, and videos
    for group, item in zip(group_of, dataset.annotations):
        counts[group, :-1] += np.bincount(item.labels, minlength=num_classes)
        counts[group, -1] += 1
    share = counts / np.maximum(counts.sum(axis=0), 1)
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(-share.max(axis=1)[order], kind="stable")]
    held, fold_of_group = np.zeros((folds, num_classes + 1)), np.zeros(len(groups), dtype=np.int64)
    for group in order:
        fold = int(np.argmin((share[group] * held).sum(axis=1)))
        fold_of_group[group] = fold
        held[fold] += share[group]
    return fold_of_group[group_of]


def group_names(ids: list[str], pattern: str, folds: int) -> list[str]:
    """The group of each video id, usually the person: what the regular expression matches (its first group, if any).

    Without a pattern the part before the first underscore, as in MMA-52's `196_01_0005_L`. If that gives fewer groups
    than folds, or one group with more than half of the videos, each video is a group of its own.
    """
    if not pattern:
        names = [video_id.split("/")[-1].split("_")[0] for video_id in ids]
        sizes = np.unique(names, return_counts=True)[1]
        return names if len(sizes) >= folds and sizes.max() <= max(len(ids) / 2, 1) else ids
    found = [re.search(pattern, video_id) for video_id in ids]
    for video_id, match in zip(ids, found):
        if match is None:
            problem = f"{pattern!r} does not match the id {video_id}"
            raise InputError("detector.groups", problem, "make it match all ids")
    return [match.group(min(1, match.re.groups)) or "" for match in found]
