import numpy as np
import pytest

from mmad.errors import InputError
from mmad.files import write_json
from mmad.formats.score_thresholds import least_scores, read_thresholds
from mmad.labels import MMA52, LabelSet
from mmad.metrics.best_thresholds import as_json, as_table, best_cut, fit_thresholds
from mmad.records import Annotation, Detections

NODDING, WAVING, BOWING = (MMA52.index[name] for name in ("nodding", "waving", "bowing head"))


def test_best_cut_by_hand():
    """Two truths; F1 after each: 2/3, 1/2, 4/5, 4/6."""
    scores, correct = np.array([0.9, 0.7, 0.5, 0.3]), np.array([True, False, True, False])
    assert best_cut(scores, correct, 2) == (0.5, 0.8)
    assert best_cut(scores[:1], correct[:1], 1) == (0.9, 1.0)
    assert best_cut(scores, ~correct & False, 2) == (1.0, 0.0)
    assert best_cut(scores[:0], correct[:0], 2) == (1.0, 0.0)


def test_equal_scores_are_believed_together():
    """F1 with both detections of 0.5 is 2/3; with the right one alone it would be 1."""
    assert best_cut(np.array([0.5, 0.5]), np.array([True, False]), 1) == (0.5, 2 / 3)


def test_by_hand():
    truth = [
        Annotation("v1", 20.0, [[0, 2], [10, 12], [5, 9]], [NODDING, NODDING, WAVING]),
        Annotation("v2", 20.0, [[0, 4]], [BOWING]),
    ]
    found = [
        Detections("v1", [[0, 2], [0, 2], [10, 12], [5, 9]], [NODDING, NODDING, NODDING, WAVING], [0.9, 0.8, 0.6, 0.2]),
        Detections("v2", [[10, 14], [0, 1], [0, 1]], [BOWING, NODDING, 0], [0.7, 0.1, 0.95]),
        Detections("not annotated", [[0, 1]], [NODDING], [0.5]),
    ]
    result = fit_thresholds(truth, found, MMA52)
    # nodding: right, twice the same, right, not annotated, wrong: F1 2/3, 2/4, 4/5, 4/6, 4/7
    assert (result.values[NODDING], result.f1[NODDING]) == (0.6, 0.8)
    assert (result.values[WAVING], result.f1[WAVING]) == (0.2, 1.0)
    # all, four truths: wrong .95, right .9, wrong .8, wrong .7, right .6, wrong .5, right .2: 2/6 2/7 2/8 4/9 4/10 6/11
    assert (result.pooled, result.pooled_f1) == (0.2, 6 / 11)
    assert (result.values[BOWING], result.f1[BOWING]) == (0.2, 0.0)  # nothing right was found: the pooled one
    assert result.values[0] == 0.2
    assert np.isnan(result.f1[0])
    assert as_table(result).splitlines()[1].split() == ["bowing", "head", "1", "0.2000", "0.000", "(pooled", "score)"]


def test_what_is_written_is_read(tmp_path):
    truth = [Annotation("v", 20.0, [[0, 2]], [NODDING])]
    result = fit_thresholds(truth, [Detections("v", [[0, 2]], [NODDING], [1 / 3])], MMA52)
    write_json(tmp_path / "t.json", as_json(result))
    assert (read_thresholds(tmp_path / "t.json", MMA52) == result.values).all()
    assert least_scores(MMA52, 0.5, tmp_path / "t.json").tolist() == [0.5] * 52
    assert least_scores(MMA52, None, None) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "no thresholds in this JSON"),
        ({"thresholds": {"a": 0.5}}, "no threshold for 'b'; add it, or \"pooled\""),
        ({"thresholds": {"c": 0.5}}, "unknown label 'c'"),
        ({"thresholds": {"a": "x"}}, "'x' is not a number"),
        ({"thresholds": {}, "pooled": 2}, "pooled: score 2 is outside"),
    ],
)
def test_thresholds_that_are_refused(tmp_path, content, said):
    write_json(tmp_path / "t.json", content)
    with pytest.raises(InputError, match=said):
        read_thresholds(tmp_path / "t.json", LabelSet("own", ("a", "b"), ("all",), (0, 0)))
    with pytest.raises(InputError, match=r"scores are in 0\.\.1"):
        least_scores(MMA52, float("nan"), None)
