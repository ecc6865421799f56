import numpy as np
import pytest

from mmad.labels import MMA52
from mmad.metrics.statistics import annotation_statistics, co_occurrence, most_at_once, overlaps, propose_stride
from mmad.records import Annotation


def test_overlap_by_hand():
    segments = np.array([[0, 4], [1, 2], [4, 5], [1.5, 6]])
    assert overlaps(segments).any(axis=1).tolist() == [True, True, True, True]
    assert not overlaps(segments)[0, 2]  # they touch
    assert most_at_once(segments) == 3
    assert most_at_once(segments[:0]) == 0


def test_statistics_by_hand():
    items = [Annotation("a", 10, [[0, 4], [2, 10]], [9, 9]), Annotation("b", 5, [], [])]
    found = annotation_statistics(items, MMA52)
    assert (found.overlapping, found.at_start, found.at_end) == (1.0, 0.5, 0.5)
    assert found.counts.tolist() == [2, 0]
    assert found.per_class[9] == 2


@pytest.mark.parametrize(("shortest", "stride"), [(0.05, 1), (0.4, 2), (0.67, 4), (1.4, 8), (60, 16)])
def test_short_actions_span_a_few_steps(shortest, stride):
    assert propose_stride(np.full(10, shortest), 30) == stride


def test_pairs_that_overlap_are_counted_once_a_pair():
    """v: 0-4 a, 2-6 b, 3-5 b: a with each b, and the two b; they only touch c. w: nothing shares a moment."""
    v = Annotation("v", 9, [[0, 4], [2, 6], [3, 5], [6, 8]], [0, 1, 1, 2])
    w = Annotation("w", 9, [[0, 1], [5, 6]], [0, 2])
    empty = Annotation("x", 9, [], [])
    assert co_occurrence([v, w, empty], 3).tolist() == [[0, 2, 0], [2, 1, 0], [0, 0, 0]]
    assert co_occurrence([v, v], 3).tolist() == [[0, 4, 0], [4, 2, 0], [0, 0, 0]]
    assert co_occurrence([], 2).tolist() == [[0, 0], [0, 0]]
