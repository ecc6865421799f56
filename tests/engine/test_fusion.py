import itertools

import numpy as np
import pytest

from mmad.engine.fusion import fuse, scores_by_best, scores_by_rank
from mmad.errors import InputError
from mmad.records import Detections

NOD, WAVE = 9, 19


def video(name: str, *rows: tuple) -> Detections:
    """rows: (start, end, label, score)"""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Detections(name, table[:, :2], table[:, 2], table[:, 3])


def rows_of(item: Detections) -> list[tuple]:
    """(start, end, label, score to four digits), best first"""
    times = item.segments.tolist()
    return [(*pair, label, round(score, 4)) for pair, label, score in zip(times, item.labels, item.scores.tolist())]


def a_file(seed: int, apart: bool = False, videos: int = 3) -> list[Detections]:
    """Made-up detections. apart: no two of one action overlap."""
    made = np.random.default_rng(seed)
    found = []
    for number in range(videos):
        starts = np.arange(12.0) if apart else made.uniform(0, 10, 12)
        ends = starts + made.uniform(0.2, 1.0 if apart else 4.0, 12)
        segments = np.column_stack([starts, ends])
        found.append(Detections(f"v{number}", segments, made.integers(0, 3, 12), made.uniform(0.01, 1, 12)))
    return found


# --- scores on one scale ----------------------------------------------------------------------------------------


def test_scores_at_the_same_rank_become_equal():
    """Ranks 1, 2, 3 of both files: the means of .8 and .004, .4 and .002, .2 and 0 (the second has only two)."""
    large = [video("v", (0, 1, NOD, 0.8), (2, 3, NOD, 0.4), (4, 5, NOD, 0.2))]
    small = [video("v", (0, 1, NOD, 0.004), (2, 3, NOD, 0.002))]
    by_rank = scores_by_rank([large, small])
    np.testing.assert_allclose(by_rank[0], [0.402, 0.201, 0.1])
    np.testing.assert_allclose(by_rank[1], [0.402, 0.201])
    by_best = scores_by_best([large, small])
    np.testing.assert_allclose(by_best[0], [1, 0.5, 0.25])
    np.testing.assert_allclose(by_best[1], [1, 0.5])


def test_equal_scores_stay_equal_and_nothing_stays_nothing():
    tied, empty = [video("v", (0, 1, NOD, 0.5), (2, 3, NOD, 0.5), (4, 5, NOD, 0.1))], [video("v")]
    np.testing.assert_allclose(scores_by_rank([tied, tied])[0], [0.5, 0.5, 0.1])
    assert [len(scores) for scores in scores_by_rank([tied, empty])] == [3, 0]
    assert [len(scores) for scores in scores_by_best([tied, empty])] == [3, 0]
    assert [len(scores) for scores in scores_by_rank([empty, []])] == [0, 0]


def test_ranks_count_per_video():
    """The best of one video is as rare as the two best of two: it stands between them."""
    two = [video("v", (0, 1, NOD, 0.8)), video("w", (0, 1, NOD, 0.4))]
    one = [video("v", (0, 1, NOD, 0.6))]
    assert scores_by_rank([two, one])[1] == pytest.approx([(0.6 + 0.6) / 2])


@pytest.mark.parametrize(("how", "found_before_the_false_one"), [("rank", True), ("best", False), ("none", False)])
def test_by_rank_a_file_counts_whose_scores_are_small_and_have_one_outlier(how, found_before_the_false_one):
    """The first file's fourth best (.3) is false. The second's second and third best are true, in videos y and z."""
    first = [video(name, (0, 1, NOD, score)) for name, score in zip("uvwx", (0.9, 0.8, 0.7, 0.3))]
    second = [video(name, (0, 1, NOD, score)) for name, score in zip("oyzp", (0.5, 0.021, 0.02, 0.019))]
    score_of = {item.video_id: item.scores[0] for item in fuse([first, second], normalize=how)}
    assert (score_of["y"] > score_of["z"] > score_of["x"]) == found_before_the_false_one


@pytest.mark.parametrize("change", [lambda s: 0.01 * s, lambda s: s**4, lambda s: 1 / (1 + 1e3 * (1 - s) / (s + 1e-9))])
def test_no_rising_function_of_a_files_scores_changes_the_order_by_rank(change):
    one, other = a_file(0, apart=True), a_file(1, apart=True)
    changed = [Detections(item.video_id, item.segments, item.labels, change(item.scores)) for item in other]

    def order(fused):
        return [[row[:3] for row in rows_of(item)] for item in fused]

    assert order(fuse([one, other], nms="none")) == order(fuse([one, changed], nms="none"))


# --- pooling and suppression ------------------------------------------------------------------------------------


def test_two_files_by_hand():
    """Nods with an IoU of .5 (1 s of 2 s): the second best decays by exp(-.25 / .5) = .6065. The wave stays."""
    first = [video("v", (0, 1.5, NOD, 0.8), (3, 4, WAVE, 0.4))]
    second = [video("v", (0.5, 2, NOD, 0.6))]
    expected = [(0, 1.5, NOD, 0.8), (3, 4, WAVE, 0.4), (0.5, 2, NOD, 0.3639)]
    assert rows_of(fuse([first, second], normalize="none")[0]) == expected
    wide = [(0, 1.5, NOD, 0.8), (0.5, 2, NOD, 0.4673), (3, 4, WAVE, 0.4)]  # .6 exp(-.25)
    assert rows_of(fuse([first, second], normalize="none", sigma=1.0)[0]) == wide
    unsuppressed = [(0, 1.5, NOD, 0.8), (0.5, 2, NOD, 0.6), (3, 4, WAVE, 0.4)]
    assert rows_of(fuse([first, second], normalize="none", nms="none")[0]) == unsuppressed
    near = [video("v", (0.1, 1.5, NOD, 0.6))]
    assert rows_of(fuse([first, near], normalize="none", nms="hard")[0]) == rows_of(first[0])


def test_weights_by_hand():
    first, second = [video("v", (0, 1, NOD, 0.8))], [video("v", (4, 5, NOD, 0.6)), video("w", (0, 1, NOD, 0.5))]
    v, w = fuse([first, second], weights=[1, 2], normalize="none")
    assert rows_of(v) == [(4, 5, NOD, 0.6), (0, 1, NOD, 0.4)]
    assert rows_of(w) == [(0, 1, NOD, 0.5)], "of the files that have w, the second has the largest weight"
    assert rows_of(fuse([first, second], weights=[3, 6], normalize="none")[0]) == rows_of(v), "only ratios count"


def test_agreement_by_hand():
    """The nod at 0 s is found by both (IoU 2/3, of 1 s and 1.5 s), the one at 6 s by the first alone."""
    first = [video("v", (6, 7, NOD, 0.8), (0, 1, NOD, 0.6))]
    second = [video("v", (0, 1.5, NOD, 0.9)), video("w", (0, 1, NOD, 0.5))]
    v, w = fuse([first, second], normalize="none", agree=True, nms="none")
    # (.9 + .6 * 2/3) / 2, (.6 + .9 * 2/3) / 2, (.8 + 0) / 2
    assert rows_of(v) == [(0, 1.5, NOD, 0.65), (0, 1, NOD, 0.6), (6, 7, NOD, 0.4)]
    assert rows_of(w) == [(0, 1, NOD, 0.5)], "only the files that have the video are asked"
    v, _ = fuse([first, second], weights=[2, 1], normalize="none", agree=True, nms="none")
    # (2 * .6 + .6) / 3, (.9 + 2 * .4) / 3, 2 * .8 / 3
    assert rows_of(v) == [(0, 1, NOD, 0.6), (0, 1.5, NOD, 0.5667), (6, 7, NOD, 0.5333)]


@pytest.mark.parametrize("normalize", ["rank", "best", "none"])
def test_a_file_fused_with_itself_keeps_its_ranking(normalize):
    for found, kinds in ((a_file(0, apart=True), ("soft", "hard", "none")), (a_file(0), ("none",))):
        for nms in kinds:
            for item, alone in zip(fuse([found, found], normalize=normalize, nms=nms), found):
                assert [row[:3] for row in rows_of(item)] == [row[:3] for row in rows_of(alone)]
                if normalize != "best":
                    np.testing.assert_allclose(item.scores, alone.scores)


@pytest.mark.parametrize("agree", [False, True])
@pytest.mark.parametrize("normalize", ["rank", "best", "none"])
def test_the_order_of_the_files_makes_no_difference(normalize, agree):
    files, weights = [a_file(0), a_file(1, videos=2), a_file(2), a_file(1, videos=2)], [1, 1, 0.5, 1]
    expected = fuse(files, weights, normalize, agree)
    for order in itertools.permutations(range(4)):
        found = fuse([files[i] for i in order], [weights[i] for i in order], normalize, agree)
        for item, other in zip(expected, found, strict=True):
            assert item.video_id == other.video_id
            for name in ("segments", "labels", "scores"):
                np.testing.assert_array_equal(getattr(item, name), getattr(other, name))


def test_nothing_and_scores_of_zero():
    assert fuse([[], []]) == []
    (item,) = fuse([[video("v")], [video("v", (0, 1, NOD, 0.0))]])
    assert item.video_id == "v" and len(item) == 0


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [1, 0], [1, -1], [1, float("nan")], [1, float("inf")]])
def test_bad_weights_are_refused(weights):
    with pytest.raises(InputError, match="--weights"):
        fuse([a_file(0), a_file(1)], weights)


def test_unknown_ways_are_refused():
    with pytest.raises(InputError, match="'ranks'; choose one of rank, best, none"):
        fuse([a_file(0)], normalize="ranks")
    with pytest.raises(ValueError, match="nms"):
        fuse([a_file(0)], nms="gentle")
