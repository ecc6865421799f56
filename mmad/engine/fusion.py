"""Fusion: the detections of several detectors in the same videos, made into one.

The scores of the files are put on one scale, multiplied by the weights, pooled, and suppressed per class, as the
winners of the MAC challenges do it. The order in which the files are given makes no difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mmad.config import InferConfig
from mmad.errors import InputError
from mmad.ops.nms import batched_nms
from mmad.ops.segments import iou_matrix
from mmad.records import Detections


@dataclass
class _Pool:
    """The detections of one video in all files, best first. files: (M,) which file each is of."""

    segments: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    files: np.ndarray

    def select(self, which: np.ndarray) -> "_Pool":
        return _Pool(self.segments[which], self.labels[which], self.scores[which], self.files[which])


def fuse(
    files: Sequence[Sequence[Detections]],
    weights: Sequence[float] | None = None,
    normalize: str = "rank",
    agree: bool = False,
    nms: str = "soft",
    sigma: float = 0.5,
) -> list[Detections]:
    """One ranking per video, in the order of their ids, from the detections of several files.

    weights: one positive number per file; None: all equal. Only their ratios count, and in each video only those of the
    files that have it.
    normalize: a key of `NORMALIZERS`.
    agree: a score is the weighted mean, over the files that have the video, of the best score that each gives to the
    same action there, times its IoU with the segment; otherwise it is the detection's own, times its file's weight
    relative to the largest.
    nms, sigma: the suppression within each action, as in `InferConfig`; hard NMS has the `iou` that is default there.
    What scores 0 is left out.
    """
    suppression = InferConfig(nms=nms, sigma=sigma)
    weights = _as_weights(weights, len(files))
    if normalize not in NORMALIZERS:
        raise InputError("--normalize", f"{normalize!r}", f"choose one of {', '.join(NORMALIZERS)}")
    normalized = NORMALIZERS[normalize](files)
    pooled: dict[str, list[tuple[int, Detections, np.ndarray]]] = {}
    for number, (found, scores) in enumerate(zip(files, normalized)):
        of_videos = np.split(scores, np.cumsum([len(item) for item in found])[:-1]) if found else []
        for item, own in zip(found, of_videos):
            pooled.setdefault(item.video_id, []).append((number, item, own))
    return [_fuse_video(video_id, pooled[video_id], weights, agree, suppression) for video_id in sorted(pooled)]


def _as_weights(weights: Sequence[float] | None, num_files: int) -> np.ndarray:
    values = np.ones(num_files) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(values) != num_files:
        raise InputError("--weights", f"{len(values)} for {num_files} files", "give one for each file, in their order")
    if not (np.isfinite(values) & (values > 0)).all():
        typed = " ".join(f"{value:g}" for value in values)
        raise InputError("--weights", f"{typed}", "expected positive numbers; leave out a file that is not to count")
    return values


# --- scores on one scale ----------------------------------------------------------------------------------------


def _scores_of(found: Sequence[Detections]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(item.scores for item in found)])


def scores_by_rank(files: Sequence[Sequence[Detections]]) -> list[np.ndarray]:
    """Quantile normalization: the scores of each file, (M,), replaced by those that all files have at this rank.

    A detection's rank is its place among all of its file's, per video of the file; equal scores share their mean rank.
    It gets the mean over the files of their scores at that rank; a file without so many counts as 0 there. So any
    rising function of a file's scores leaves the order of these as it is, no file is preferred for its scale, and a
    file fused with itself keeps its scores. Source: Bolstad et al., Bioinformatics 2003.
    """
    scores = [_scores_of(found) for found in files]
    videos = [len({item.video_id for item in found}) for found in files]
    falling = [np.sort(values)[::-1] for values in scores]
    # The i-th best of 100 videos is as rare as the 2 i-th best of 200.
    ranks = [(np.arange(len(values)) + 0.5) / max(count, 1) for values, count in zip(falling, videos)]

    def common(rank: np.ndarray) -> np.ndarray:
        own = [np.interp(rank, at, values, right=0.0) for at, values in zip(ranks, falling) if len(values)]
        return np.sort(own, axis=0).sum(axis=0) / len(own)  # sorted: sums do not depend on the order of the files

    return [common(_mean_ranks(values) / count) if len(values) else values for values, count in zip(scores, videos)]


def _mean_ranks(scores: np.ndarray) -> np.ndarray:
    """(M,) 0.5 for the best, 1.5 for the next ...; the mean of their ranks for equal scores."""
    _, which, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - counts / 2)[which]


def scores_by_best(files: Sequence[Sequence[Detections]]) -> list[np.ndarray]:
    """The scores of each file, (M,), divided by its highest."""
    scores = [_scores_of(found) for found in files]
    return [values / (values.max(initial=0.0) or 1.0) for values in scores]


def scores_as_they_are(files: Sequence[Sequence[Detections]]) -> list[np.ndarray]:
    return [_scores_of(found) for found in files]


NORMALIZERS: dict[str, Callable[[Sequence[Sequence[Detections]]], list[np.ndarray]]] = {
    "rank": scores_by_rank,
    "best": scores_by_best,
    "none": scores_as_they_are,
}


# --- one video --------------------------------------------------------------------------------------------------


def _fuse_video(
    video_id: str,
    found: list[tuple[int, Detections, np.ndarray]],
    weights: np.ndarray,
    agree: bool,
    suppression: InferConfig,
) -> Detections:
    """found: of the files that have the video: their number, detections, and normalized scores."""
    own = weights[sorted({number for number, _, _ in found})]
    pool = _Pool(
        np.concatenate([item.segments for _, item, _ in found]),
        np.concatenate([item.labels for _, item, _ in found]),
        np.concatenate([scores for _, _, scores in found]),
        np.concatenate([np.full(len(item), number) for number, item, _ in found]),
    )
    if agree:
        pool.scores = _agreed_scores(pool, weights) / np.sort(own).sum()
    else:
        pool.scores = pool.scores * (weights / own.max())[pool.files]
    pool = _each_once(pool)
    everything = replace(suppression, max_detections=max(len(pool.labels), 1))
    tensors = (torch.from_numpy(values) for values in (pool.segments, pool.scores, pool.labels))
    kept, scores = batched_nms(*tensors, everything)
    chosen = pool.select(kept.numpy())
    return Detections(video_id, chosen.segments, chosen.labels, scores.clamp(0, 1).numpy())


def _each_once(pool: _Pool) -> _Pool:
    """Best first, and of detections of one action with the same segment only the best: several files found the same
    action. Ties are ordered by segment and label, so that the order of the files makes no difference."""
    starts, ends = pool.segments.T
    pool = pool.select(np.lexsort((pool.labels, ends, starts, -pool.scores)))
    rows = np.column_stack([pool.segments, pool.labels])
    _, first = np.unique(rows, axis=0, return_index=True)
    return pool.select(np.sort(first))


def _agreed_scores(pool: _Pool, weights: np.ndarray) -> np.ndarray:
    """(M,) sum over the files of weight times the best score there of this action, times its IoU with the segment.

    In its own file a detection counts with its own score.
    """
    files = np.unique(pool.files)
    support = np.zeros((len(pool.labels), len(files)))
    for label in np.unique(pool.labels):
        rows = np.flatnonzero(pool.labels == label)
        for column, file in enumerate(files):
            others = rows[pool.files[rows] == file]
            if len(others):
                support[rows, column] = weights[file] * _best_match(pool, rows, others)
                support[others, column] = weights[file] * pool.scores[others]
    return np.sort(support, axis=1).sum(axis=1)


def _best_match(pool: _Pool, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(rows,) the highest score times IoU among `others`."""
    segments, candidates = torch.from_numpy(pool.segments[rows]), torch.from_numpy(pool.segments[others])
    scores = torch.from_numpy(pool.scores[others])
    block = max(2**22 // len(others), 1)  # bounds memory to some 32 MB of IoU
    return torch.cat([(iou_matrix(some, candidates) * scores).amax(dim=1) for some in segments.split(block)]).numpy()
