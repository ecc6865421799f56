"""Agreement of two codings of the same videos: by two people, or by a person and the detector. Numpy only.

Frame by frame: Cohen's kappa (Cohen 1960) at moments every `step` seconds, each action being present or not.
Event by event: precision, recall and F1 of the second coding against the first. Two events of one action match if their
tIoU reaches a threshold, best overlap first, each event once.
"""

from dataclasses import dataclass

import numpy as np

from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.metrics.average_precision import tiou
from mmad.records import Annotation

MOST_MOMENTS = 10_000_000  # of one video


@dataclass
class Agreement:
    """Of K actions. tiou: threshold of a match. step: between moments, s.

    frames: (K, 2, 2) number of moments by whether the action is present in the first coding (axis 1: no, yes) and in
    the second (axis 2). first, second: (K,) events. matched: (K,) matched pairs of them. num_videos: in both codings.
    """

    names: list[str]
    tiou: float
    step: float
    num_videos: int
    frames: np.ndarray
    first: np.ndarray
    second: np.ndarray
    matched: np.ndarray

    def kappa(self) -> np.ndarray:
        """(K,) kappa per action; NaN for actions that both codings never, or always, contain."""
        return cohens_kappa(self.frames)

    def pooled_kappa(self) -> float:
        """Kappa over all decisions, one per moment and action."""
        return float(cohens_kappa(self.frames.sum(axis=0)))

    def scores(self) -> np.ndarray:
        """(K, 3) precision, recall, F1; NaN where there are no events."""
        return precision_recall_f1(self.matched, self.first, self.second)

    def pooled_scores(self) -> np.ndarray:
        """(3,) over all events of all actions."""
        return precision_recall_f1(self.matched.sum(), self.first.sum(), self.second.sum())


def agree(
    first: list[Annotation], second: list[Annotation], labels: LabelSet, at_tiou: float = 0.5, step: float = 0.04
) -> Agreement:
    """Agreement over the videos in both codings; of two durations of a video the longer one is used."""
    if not 0 < at_tiou < 1:
        raise InputError("--tiou", f"{at_tiou:g}", "expected a number between 0 and 1")
    if not 1e-4 <= step < 1e4:
        raise InputError("--step", f"{step:g} s", "expected a number of seconds, such as 0.04")
    second_of = {item.video_id: item for item in second}
    pairs = [(item, second_of[item.video_id]) for item in first if item.video_id in second_of]
    frames = np.zeros((len(labels), 2, 2), dtype=np.int64)
    matched = np.zeros(len(labels), dtype=np.int64)
    for one, other in pairs:
        duration = max(one.duration, other.duration)
        num = max(1, round(duration / step))
        if num > MOST_MOMENTS:
            raise InputError(one.video_id, f"{duration:g} s are {num} moments", "is it so long? give a longer --step")
        frames[:, 0, 0] += num  # those of the classes below are moved
        for k in np.union1d(one.labels, other.labels):
            segments1, segments2 = one.segments[one.labels == k], other.segments[other.labels == k]
            frames[k] += _count_frames(_present(segments1, num, step), _present(segments2, num, step))
            frames[k, 0, 0] -= num
            matched[k] += len(match_best_first(segments1, segments2, at_tiou))
    counts = [
        np.bincount(np.concatenate([item.labels for item in items] or [[]]).astype(np.int64), minlength=len(labels))
        for items in ([one for one, _ in pairs], [other for _, other in pairs])
    ]
    return Agreement(list(labels.actions), at_tiou, step, len(pairs), frames, *counts, matched)


def _present(segments: np.ndarray, num: int, step: float) -> np.ndarray:
    """(num,) bool: whether one of (N, 2) segments contains the moment (i + 0.5) * step; starts included, ends
    excluded."""
    present = np.zeros(num, dtype=bool)
    for start, end in np.ceil(segments / step - 0.5).astype(np.int64):
        present[max(start, 0) : max(end, 0)] = True
    return present


def _count_frames(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Contingency table (2, 2) of two (T,) bool."""
    return np.bincount(2 * first + second, minlength=4).reshape(2, 2)


def cohens_kappa(counts: np.ndarray) -> np.ndarray:
    """(observed - expected) / (1 - expected) agreement: (..., 2, 2) counts -> (...); NaN where 1 is expected by
    chance."""
    total = counts.sum(axis=(-2, -1), keepdims=True)
    share = counts / np.maximum(total, 1)
    observed = share[..., 0, 0] + share[..., 1, 1]
    expected = (share.sum(axis=-1) * share.sum(axis=-2)).sum(axis=-1)
    certain = (expected > 1 - 1e-12) | (total[..., 0, 0] == 0)
    return np.where(certain, np.nan, (observed - expected) / np.where(certain, 1, 1 - expected))


def match_best_first(segments1: np.ndarray, segments2: np.ndarray, at_tiou: float) -> list[tuple[int, int]]:
    """Matched pairs (i, j) of (N, 2) and (M, 2) segments in s, best overlap first, each segment at most once."""
    overlap = tiou(segments1, segments2)
    rows, columns = np.nonzero(overlap >= at_tiou)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    pairs, matched1, matched2 = [], set(), set()
    for i, j in zip(rows[order].tolist(), columns[order].tolist()):
        if i not in matched1 and j not in matched2:
            pairs.append((i, j))
            matched1.add(i)
            matched2.add(j)
    return pairs


def precision_recall_f1(matched, num_true, num_found) -> np.ndarray:
    """From counts (...): matched / found, matched / true, and their harmonic mean, (..., 3); NaN for 0 / 0."""
    matched, num_true, num_found = (np.asarray(count, dtype=np.float64) for count in (matched, num_true, num_found))
    parts = [(matched, num_found), (matched, num_true), (2 * matched, num_true + num_found)]
    return np.stack(
        [np.divide(top, below, out=np.full(top.shape, np.nan), where=below > 0) for top, below in parts], axis=-1
    )


def as_json(result: Agreement) -> dict:
    """The content of `eval/agreement.py --json`; results that cannot be computed are null."""
    keys = ("precision", "recall", "f1")

    def summary(kappa: float, scores: np.ndarray) -> dict:
        named = {"kappa": kappa, **dict(zip(keys, scores.tolist()))}
        return {key: None if np.isnan(value) else float(value) for key, value in named.items()}

    occurring = np.flatnonzero(result.first + result.second > 0)
    kappa, scores = result.kappa(), result.scores()
    return {
        "tiou": result.tiou,
        "step": result.step,
        "videos": result.num_videos,
        "pooled": summary(result.pooled_kappa(), result.pooled_scores()),
        "per_class": {
            result.names[k]: {
                **summary(kappa[k], scores[k]),
                "first": int(result.first[k]),
                "second": int(result.second[k]),
                "matched": int(result.matched[k]),
            }
            for k in occurring
        },
    }


def as_table(result: Agreement) -> str:
    head = f"{'action':<32}{'first':>7}{'second':>8}{'matched':>9}{'kappa':>8}{'prec.':>8}{'recall':>8}{'F1':>8}"
    lines = [head]
    kappa, scores = result.kappa(), result.scores()
    for k in np.flatnonzero(result.first + result.second > 0):
        counts = f"{result.first[k]:>7}{result.second[k]:>8}{result.matched[k]:>9}"
        lines.append(f"{result.names[k]:<32}{counts}{''.join(map(_shown, (kappa[k], *scores[k])))}")
    counts = f"{result.first.sum():>7}{result.second.sum():>8}{result.matched.sum():>9}"
    values = "".join(map(_shown, (result.pooled_kappa(), *result.pooled_scores())))
    lines.append(f"{'pooled':<32}{counts}{values}")
    lines.append(
        f"{result.num_videos} videos, a moment every {result.step:g} s, events match from tIoU {result.tiou:g} on"
    )
    return "\n".join(lines)


def _shown(value: float) -> str:
    return f"{'-':>8}" if np.isnan(value) else f"{value:8.3f}"
