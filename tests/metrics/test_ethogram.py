import numpy as np

from mmad.labels import MMA52
from mmad.metrics.ethogram import as_rows, as_table, ethogram, union_length
from mmad.records import Annotation

NODDING, BOWING, WAVING = (MMA52.index[name] for name in ("nodding", "bowing head", "waving"))
VIDEOS = [
    Annotation("v1", 60.0, [[0, 6], [3, 9], [20, 23], [5, 15]], [NODDING, NODDING, NODDING, BOWING]),
    Annotation("v2", 120.0, [[10, 11]], [WAVING]),
    Annotation("v3", 20.0, [], []),
]


def test_union_by_hand():
    assert union_length(np.empty((0, 2))) == 0
    assert union_length(np.array([[1.0, 2.0]])) == 1
    assert union_length(np.array([[4.0, 6.0], [0.0, 5.0], [1.0, 2.0], [6.0, 7.0], [9.0, 9.0]])) == 7


def test_by_hand():
    actions, parts = ethogram(VIDEOS, MMA52)
    assert actions.counts[:, [NODDING, BOWING, WAVING]].tolist() == [[3, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert actions.totals[0, [NODDING, BOWING]].tolist() == [15, 10]
    assert actions.covered[0, [NODDING, BOWING]].tolist() == [12, 10]  # 0-9 and 20-23
    assert actions.mean_s()[0, NODDING] == 5
    assert np.isnan(actions.mean_s()[1, NODDING])
    assert actions.share_of_time()[0, NODDING] == 0.2
    assert actions.rate_per_minute()[:, [NODDING, WAVING]].tolist() == [[3, 0], [0, 0.5], [0, 0]]
    head = MMA52.parts.index("head")
    assert parts.counts[0, head] == 4
    assert parts.covered[0, head] == 18  # 0-15 and 20-23
    whole = actions.together()
    assert whole.durations.tolist() == [200]
    assert whole.share_of_time()[0, NODDING] == 0.06
    assert np.isclose(whole.rate_per_minute()[0, NODDING], 0.9)


def test_rows():
    actions, parts = ethogram(VIDEOS, MMA52)
    rows = as_rows(actions) + as_rows(parts)
    assert len(rows) == 3 * (52 + 7)
    assert ["v1", "action", "nodding", 3, "15.000", "5.000", "0.200000", "3.0000"] in rows
    assert ["v3", "body part", "head", 0, "0.000", "", "0.000000", "0.0000"] in rows
    lines = as_table(actions).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["action", "nodding", "bowing head", "waving"]


def test_no_video_and_what_reaches_past_the_end():
    assert ethogram([], MMA52)[0].counts.shape == (0, 52)
    actions, _ = ethogram([Annotation("v", 10.0, [[8, 12]], [0])], MMA52)
    assert actions.share_of_time()[0, 0] == 0.2
