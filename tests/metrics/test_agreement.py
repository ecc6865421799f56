import numpy as np
import pytest

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.metrics.agreement import agree, as_json, as_table, cohens_kappa, match_best_first, precision_recall_f1
from mmad.records import Annotation

NODDING, WAVING = MMA52.index["nodding"], MMA52.index["waving"]


def video(segments, labels, name="v", duration=10.0) -> Annotation:
    return Annotation(name, duration, segments, labels)


def test_kappa_by_hand():
    """Cohen's own kind of example: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: (0.7 - 0.5) / (1 - 0.5)."""
    assert np.isclose(cohens_kappa(np.array([[15, 10], [5, 20]])), 0.4)
    assert cohens_kappa(np.array([[5, 0], [0, 5]])) == 1
    assert cohens_kappa(np.array([[0, 5], [5, 0]])) == -1
    assert cohens_kappa(np.array([[25, 25], [25, 25]])) == 0
    assert np.isnan(cohens_kappa(np.array([[10, 0], [0, 0]])))
    assert np.isnan(cohens_kappa(np.zeros((2, 2))))


def test_frames_by_hand():
    """Moments 0.5, 1.5 ... 9.5: the first nods in five of them, the second in four, both in three."""
    result = agree([video([[0, 5]], [NODDING])], [video([[2, 6]], [NODDING])], MMA52, step=1.0)
    assert result.frames[NODDING].tolist() == [[4, 1], [2, 3]]
    expected = 0.5 * 0.6 + 0.5 * 0.4
    assert np.isclose(result.kappa()[NODDING], (0.7 - expected) / (1 - expected))
    assert result.frames[WAVING].tolist() == [[10, 0], [0, 0]]
    assert np.isnan(result.kappa()[WAVING])
    p = 5 / 520, 4 / 520
    chance = p[0] * p[1] + (1 - p[0]) * (1 - p[1])
    assert np.isclose(result.pooled_kappa(), (517 / 520 - chance) / (1 - chance))


def test_the_best_overlap_matches_first():
    mine = np.array([[0.0, 4.0], [1.0, 5.0]])
    theirs = np.array([[1.0, 5.0], [8.0, 9.0]])
    assert match_best_first(mine, theirs, 0.5) == [(1, 0)]  # the first overlaps it too, by 0.6, but less
    assert match_best_first(mine, theirs[1:], 0.5) == []
    assert match_best_first(mine[:0], theirs, 0.5) == []


def test_events_by_hand():
    first = [video([[0, 2], [4, 6], [0, 9]], [NODDING, NODDING, WAVING]), video([[0, 1]], [0], name="only here")]
    second = [video([[0, 2.5], [7, 8]], [NODDING, NODDING])]
    result = agree(first, second, MMA52)
    assert result.num_videos == 1
    assert (result.first[NODDING], result.second[NODDING], result.matched[NODDING]) == (2, 2, 1)
    assert result.scores()[NODDING].tolist() == [0.5, 0.5, 0.5]
    precision, recall, f1 = result.scores()[WAVING]
    assert (np.isnan(precision), recall, f1) == (True, 0, 0)
    assert np.allclose(result.pooled_scores(), [1 / 2, 1 / 3, 2 / 5])
    assert np.isnan(precision_recall_f1(0, 0, 0)).all()
    results = as_json(result)
    assert list(results["per_class"]) == ["nodding", "waving"]
    assert results["per_class"]["waving"]["precision"] is None
    assert results["per_class"]["nodding"]["matched"] == 1
    table = as_table(result).splitlines()
    assert len(table) == 5
    assert table[2].split() == ["waving", "1", "0", "0", "0.000", "-", "0.000", "0.000"]


def test_the_same_coding_agrees_wholly():
    coding = [video([[0, 3], [1, 4], [2, 10]], [NODDING, NODDING, WAVING])]
    result = agree(coding, coding, MMA52)
    assert result.pooled_kappa() == 1
    assert result.pooled_scores().tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"at_tiou": 0.0}, "--tiou"),
        ({"at_tiou": np.nan}, "--tiou"),
        ({"step": 0.0}, "--step"),
        ({"step": 1e-4}, "longer"),
    ],
)
def test_settings_that_make_no_sense(settings, said):
    coding = [video([[0, 3]], [0], duration=1e5)]
    with pytest.raises(InputError, match=said):
        agree(coding, coding, MMA52, **settings)
