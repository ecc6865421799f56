"""Suppression of duplicate detections: soft-NMS and hard NMS per class, and segment voting."""

import numpy as np
import torch
from torch import Tensor

from mmad.config import InferConfig
from mmad.ops.segments import iou_matrix


def batched_nms(segments: Tensor, scores: Tensor, labels: Tensor, config: InferConfig) -> tuple[Tensor, Tensor]:
    """Soft-NMS (or hard) per class: indices of what is kept and its scores in float64, best first, on the CPU.

    segments: (M, 2). scores: (M,). labels: (M,) class ids; with one label for all, suppression is class-agnostic.
    config: these settings are used:

    - `nms`, the kind of suppression:
      "soft": scores of overlapping segments of the class decay by exp(-IoU^2 / `sigma`); Bodla et al., ICCV 2017;
      "hard": those with an IoU above `iou` are removed;
      "none": segments are only sorted;
    - `min_score`: segments whose score is, or decays to, less than this are dropped, and those whose score is 0;
    - `max_detections`: at most so many are kept.

    The best remaining segment over all classes is taken until there are `max_detections`. This gives the same result as
    suppression class by class followed by a cut, because scores never rise, and takes fewer picks.
    """
    classes, values = labels.detach().cpu().numpy(), scores.detach().cpu().double().numpy()
    spans = segments.detach().cpu().double().numpy()
    if config.nms == "none":
        kept = np.argsort(-values, kind="stable")[: config.max_detections]
        kept = kept[(values[kept] > 0) & (values[kept] >= config.min_score)]
        return torch.from_numpy(kept), torch.from_numpy(values[kept])
    order = np.argsort(classes, kind="stable")
    by_class = np.split(order, np.flatnonzero(np.diff(classes[order])) + 1) if len(order) else []
    groups = [_ClassCandidates(indices, *spans[indices].T.copy(), values[indices]) for indices in by_class]
    best = np.array([group.find_best() for group in groups])
    kept, kept_scores = [], []
    while len(kept) < config.max_detections and len(best):
        k = int(best.argmax())
        if not (best[k] > 0 and best[k] >= config.min_score):
            break
        kept_scores.append(best[k])
        index, overlap = groups[k].take_best()
        kept.append(index)
        if config.nms == "soft":
            groups[k].scores *= np.exp(overlap * overlap * (-1 / config.sigma))
        else:
            groups[k].scores[overlap > config.iou] = 0
        best[k] = groups[k].find_best()
    return torch.tensor(kept, dtype=torch.int64), torch.tensor(kept_scores, dtype=torch.float64)


class _ClassCandidates:
    """The candidates of one class. scores: (M,) as suppressed so far, 0 for those already taken."""

    def __init__(self, indices: np.ndarray, start: np.ndarray, end: np.ndarray, scores: np.ndarray):
        self.indices, self.start, self.end, self.scores = indices, start, end, scores
        self.length = np.maximum(end - start, 1e-8)
        self.top = 0  # position of the best candidate, as `find_best` found it

    def find_best(self) -> float:
        """The highest score; also remembers which candidate has it, for `take_best`."""
        self.top = self.scores.argmax()
        return self.scores[self.top]

    def take_best(self) -> tuple[int, np.ndarray]:
        """Index of the candidate that `find_best` found, and its IoU with all of them, (M,)."""
        start, end, top = self.start, self.end, self.top
        shared = np.minimum(end, end[top])
        shared -= np.maximum(start, start[top])
        np.maximum(shared, 0, out=shared)
        self.scores[top] = 0
        return int(self.indices[top]), shared / (self.length + self.length[top] - shared)


def vote_segments(kept: Tensor, segments: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Segment voting: kept segments moved to the mean of the candidates around them: (M, 2), (N, 2), (N,) -> (M, 2).

    Each is the mean of the candidates whose IoU with it is at least `iou`, weighted by score times IoU. A segment
    without such candidates stays. Source: Gidaris and Komodakis, ICCV 2015, in one dimension, as in ActionFormer.
    """
    moved = kept.clone()
    block = max(2**22 // max(len(segments), 1), 1)  # bounds memory to some 32 MB of IoU
    for result, some in zip(moved.split(block), kept.split(block)):
        overlap = iou_matrix(some, segments)
        weights = overlap * scores * (overlap >= iou)
        total = weights.sum(dim=1, keepdim=True)
        result.copy_(torch.where(total > 0, weights @ segments / total.clamp(min=1e-12), some))
    return moved
