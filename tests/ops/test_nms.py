import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmad.config import InferConfig
from mmad.ops.nms import batched_nms, vote_segments


def run(segments, scores, labels, **settings):
    """(kept indices, their scores) as lists. settings: of `InferConfig`."""
    kept, values = batched_nms(
        torch.tensor(segments, dtype=torch.float64).reshape(-1, 2),
        torch.tensor(scores, dtype=torch.float64),
        torch.tensor(labels, dtype=torch.int64),
        InferConfig(**settings),
    )
    return kept.tolist(), values.tolist()


@pytest.mark.parametrize("nms", ["soft", "hard", "none"])
def test_nms_of_nothing_and_of_one(nms):
    assert run([], [], [], nms=nms) == ([], [])
    assert run([[1, 2]], [0.7], [3], nms=nms) == ([0], [0.7])
    assert run([[1, 2]], [0.0], [3], nms=nms) == ([], [])


SUPPRESSED = {  # nms, second segment beside the better (0, 4) of score 0.8, what is left of its score 0.5
    "soft identical": ("soft", (0, 4), 0.5 * math.exp(-1 / 0.5)),
    "soft overlapping": ("soft", (2, 6), 0.5 * math.exp(-((2 / 6) ** 2) / 0.5)),
    "soft touching": ("soft", (4, 8), 0.5),
    "hard identical": ("hard", (0, 4), None),
    "hard over the limit": ("hard", (1, 5), None),  # IoU 3/5
    "hard under the limit": ("hard", (2, 6), 0.5),  # IoU 2/6
    "hard touching": ("hard", (4, 8), 0.5),
    "none identical": ("none", (0, 4), 0.5),
}


@pytest.mark.parametrize("nms, other, left", SUPPRESSED.values(), ids=SUPPRESSED)
def test_nms_of_two_of_a_class(nms, other, left):
    kept, scores = run([other, (0, 4)], [0.5, 0.8], [7, 7], nms=nms, sigma=0.5, iou=0.5)
    assert kept == ([1] if left is None else [1, 0])
    assert scores == pytest.approx([0.8] if left is None else [0.8, left])


@pytest.mark.parametrize("nms", ["soft", "hard"])
def test_classes_never_suppress_each_other(nms):
    scores = [0.9, 0.2, 0.8, 0.5]
    assert run([[0, 4]] * 4, scores, [3, 1, 0, 2], nms=nms) == ([0, 2, 3, 1], [0.9, 0.8, 0.5, 0.2])


@pytest.mark.parametrize("nms", ["soft", "hard", "none"])
def test_max_detections_and_min_score(nms):
    segments, scores = [[i, i + 1] for i in range(5)], [0.1, 0.5, 0.3, 0.4, 0.2]
    assert run(segments, scores, [0, 1, 0, 1, 0], nms=nms, max_detections=2) == ([1, 3], [0.5, 0.4])
    assert run(segments, scores, [0, 1, 0, 1, 0], nms=nms, min_score=0.3) == ([1, 3, 2], [0.5, 0.4, 0.3])


def test_soft_drops_what_falls_below_min_score():
    left = 0.5 * math.exp(-1 / 0.5)
    assert run([[0, 4], [0, 4]], [0.8, 0.5], [0, 0], min_score=left + 1e-6)[0] == [0]
    assert run([[0, 4], [0, 4]], [0.8, 0.5], [0, 0], min_score=left - 1e-6)[0] == [0, 1]


def plain_nms(segments, scores, labels, nms, sigma, iou, min_score, max_detections):
    """Class by class, pair by pair, then a cut over all classes: [(score, index)] best first."""
    kept = []
    for label in set(labels.tolist()):
        left = {i: scores[i] for i in np.flatnonzero(labels == label) if scores[i] >= min_score}
        while left:
            best = max(left, key=left.get)
            kept.append((left.pop(best), best))
            for i in list(left):
                (a, b), (c, d) = segments[best], segments[i]
                shared = max(0, min(b, d) - max(a, c))
                overlap = shared / max((b - a) + (d - c) - shared, 1e-8)
                if nms == "soft":
                    left[i] *= math.exp(-(overlap**2) / sigma)
                if left[i] < min_score or (nms == "hard" and overlap > iou):
                    del left[i]
    return sorted(kept, reverse=True)[:max_detections]


@pytest.mark.parametrize("nms", ["soft", "hard"])
def test_nms_equals_the_plain_one(nms):
    rng = np.random.default_rng(0)
    for _ in range(2000):
        count = int(rng.integers(1, 40))
        start = rng.uniform(0, 10, count)
        segments = np.stack([start, start + rng.exponential(3, count)], axis=1)
        scores, labels = rng.random(count), rng.integers(0, 4, count)
        settings = {"nms": nms, "min_score": rng.choice([0, 0.05]), "max_detections": int(rng.choice([5, 200]))}
        settings |= {"sigma": rng.uniform(0.1, 1), "iou": rng.uniform(0.1, 0.9)}
        wanted = plain_nms(segments, scores, labels, **settings)
        kept, values = run(segments, scores, labels, **settings)
        assert kept == [index for _, index in wanted]
        assert values == pytest.approx([score for score, _ in wanted])


@pytest.mark.shared
@pytest.mark.parametrize("nms", ["soft", "hard"])
def test_nms_equals_actionformer(shared, nms):
    case = np.load(shared / "golden" / "nms" / "nms_case.npz")
    for i in range(int(case["n"])):
        segments, scores, labels = (torch.from_numpy(case[f"in_{name}_{i}"]) for name in ("seg", "score", "label"))
        kept, values = batched_nms(segments, scores, labels, InferConfig(nms=nms, min_score=0.001))
        ours = np.column_stack([values, segments[kept], labels[kept]])
        theirs = np.column_stack([case[f"{nms}_multi_{name}_{i}"] for name in ("score", "seg", "label")])
        assert ours.shape == theirs.shape
        # By class and segment: equal scores may stand in any order.
        ours, theirs = (rows[np.lexsort(rows.T)] for rows in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.shared
def test_voting_over_all_classes_equals_actionformer(shared):
    case = np.load(shared / "golden" / "nms" / "nms_case.npz")
    for i in range(int(case["n"])):
        segments, scores, labels = (torch.from_numpy(case[f"in_{name}_{i}"]) for name in ("seg", "score", "label"))
        segments, scores = segments.double(), scores.double()
        kept, values = batched_nms(segments, scores, torch.zeros_like(labels), InferConfig(min_score=0.001))
        ours = np.column_stack([values, vote_segments(segments[kept], segments, scores, iou=0.7), labels[kept]])
        theirs = np.column_stack([case[f"soft_agnostic_vote_{name}_{i}"] for name in ("score", "seg", "label")])
        assert ours.shape == theirs.shape
        ours, theirs = (rows[np.argsort(-rows[:, 0])] for rows in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_votes_by_hand():
    """(1, 5) of score 0.5 and (0, 4) of 1.0 overlap (0, 4) with IoU 3/5 and 1; (2, 6) with 2/6, (8, 9) not at all."""
    segments = torch.tensor([[0.0, 4], [1, 5], [2, 6], [8, 9]], dtype=torch.float64)
    scores = torch.tensor([1.0, 0.5, 0.9, 0.9], dtype=torch.float64)
    moved = vote_segments(segments[[0, 3]], segments, scores, iou=0.5)
    shift = 0.5 * 0.6 / (1 + 0.5 * 0.6)
    assert moved[0].tolist() == pytest.approx([shift, 4 + shift])
    assert moved[1].tolist() == pytest.approx([8, 9])
    far = torch.tensor([[20.0, 21]], dtype=torch.float64)
    assert_close(vote_segments(far, segments, scores, iou=0.5), far)  # no candidate votes
    assert vote_segments(far[:0], segments, scores, 0.5).shape == (0, 2)
    assert_close(vote_segments(far, segments[:0], scores[:0], 0.5), far)
