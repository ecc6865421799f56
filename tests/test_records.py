import sys

import numpy as np
import pytest

from mmad.errors import InputError
from mmad.formats.submissions import write_detections
from mmad.labels import MMA52, LabelSet
from mmad.records import (
    Annotation,
    ApReport,
    Detections,
    FeatureTrack,
    TimeGrid,
    annotations_digest,
    content_digest,
)

NAN = float("nan")


# --- labels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "first", "last"),
    [
        ("body", (0, "shaking body"), (4, "rising up")),
        ("head", (5, "bowing head"), (10, "shaking head")),
        ("upper limb", (11, "scratching arms"), (23, "illustrative gestures")),
        ("lower limb", (24, "shaking legs"), (31, "tiptoe")),
        ("body-hand", (32, "scratching or touching neck"), (37, "crossing arms")),
        ("head-hand", (38, "playing or tidying hair"), (47, "pushing glasses")),
        ("leg-hand", (48, "patting legs"), (51, "scratching feet")),
    ],
)
def test_every_body_part_spans_its_official_ids(part, first, last):
    ids = [k for k in range(len(MMA52)) if MMA52.parts[MMA52.part_of[k]] == part]
    assert ids == list(range(first[0], last[0] + 1))
    assert (MMA52.actions[first[0]], MMA52.actions[last[0]]) == (first[1], last[1])
    assert MMA52.index[last[1]] == last[0]


# --- time grid --------------------------------------------------------------------------------------------------


def test_grid_of_every_fourth_frame_at_30_fps():
    """Step i stands for frames 4i .. 4i + 3, whose middle is 4i + 2 frames after the start."""
    grid = TimeGrid(start=2 / 30, step=4 / 30)
    steps = np.array([0, 1, 2.5, 15])
    np.testing.assert_allclose(grid.to_seconds(steps) * 30, [2, 6, 12, 62])
    np.testing.assert_allclose(grid.to_index(grid.to_seconds(steps)), steps)
    assert grid.to_index(2 / 30) == 0


@pytest.mark.parametrize(("start", "step"), [(0, 0), (0, -1), (0, NAN), (NAN, 1), (float("inf"), 1)])
def test_grid_that_does_not_go_forward_is_refused(start, step):
    with pytest.raises(InputError, match="the step must be positive"):
        TimeGrid(start, step)


# --- annotations and detections ---------------------------------------------------------------------------------


def test_detections_are_sorted_best_first_and_equal_scores_keep_their_order():
    found = Detections("v", [[0, 1], [1, 2], [2, 3], [3, 4]], [10, 11, 12, 13], [0.5, 0.9, 0.5, 0.9])
    assert found.labels.tolist() == [11, 13, 10, 12]
    assert found.scores.tolist() == [0.9, 0.9, 0.5, 0.5]
    assert found.segments.tolist() == [[1, 2], [3, 4], [0, 1], [2, 3]]


def test_nothing_is_legal():
    truth, found = Annotation("v", 10.0, [], []), Detections("v", [], [], [])
    assert truth.segments.shape == found.segments.shape == (0, 2)
    assert (len(truth.labels), len(found)) == (0, 0)


@pytest.mark.parametrize(
    ("segments", "labels", "said"),
    [
        ([[0, 1], [1, 2]], [0], "2 segments for 1 labels"),
        ([[5, 3]], [0], r"ends before it starts \(5 s .. 3 s\)"),
        ([[0, NAN]], [0], "not a number"),
        ([[0, float("inf")]], [0], "not a number"),
        ([[0, 1]], [-1], "label -1 is negative"),
        ([[0, 1, 2], [3, 4, 5]], [0, 0, 0], "segment"),  # (2, N) by mistake: pairs of other numbers if reshaped
    ],
    ids=["lengths", "backwards", "NaN", "infinite", "negative label", "transposed"],
)
@pytest.mark.parametrize("kind", ["annotation", "detections"])
def test_segments_are_checked_at_birth(kind, segments, labels, said):
    with pytest.raises(InputError, match=f"{kind} .* v1: .*{said}"):
        if kind == "annotation":
            Annotation("v1", 10.0, segments, labels)
        else:
            Detections("v1", segments, labels, np.full(len(labels), 0.5))


@pytest.mark.parametrize("duration", [0, -1, NAN, float("inf")])
def test_video_without_a_length_is_refused(duration):
    with pytest.raises(InputError, match="v1: duration"):
        Annotation("v1", duration, [], [])


@pytest.mark.parametrize("scores", [[NAN], [1.5], [-0.1], [0.5, 0.5]])
def test_scores_are_checked_at_birth(scores):
    with pytest.raises(InputError, match="detections in v1"):
        Detections("v1", [[0, 1]], [0], scores)


@pytest.mark.parametrize("shape", [(0, 8), (8,), (2, 3, 4)])
def test_features_are_steps_by_channels(shape):
    with pytest.raises(InputError, match="features of v1: shape"):
        FeatureTrack("v1", np.zeros(shape, np.float32), TimeGrid(0, 1), 10.0)


# --- report -----------------------------------------------------------------------------------------------------


@pytest.fixture
def two() -> Detections:
    return Detections("v", [[0.5, 1.5], [2.0, 2.25]], [MMA52.index["waving"], MMA52.index["nodding"]], [0.25, 0.75])


def test_detections_as_a_table(two):
    pandas = pytest.importorskip("pandas", reason='needs pip install "mmad[notebook]"')
    table = two.to_dataframe()
    assert table.columns.tolist() == ["video_id", "t_start", "t_end", "class", "score", "body_part"]
    assert table.values.tolist() == [
        ["v", 2.0, 2.25, "nodding", 0.75, "head"],
        ["v", 0.5, 1.5, "waving", 0.25, "upper limb"],
    ]
    assert table.groupby("body_part")["score"].max().to_dict() == {"head": 0.75, "upper limb": 0.25}
    nothing = Detections("w", [], [], []).to_dataframe()
    assert len(nothing) == 0 and nothing.columns.tolist() == table.columns.tolist()
    assert len(pandas.concat([table, nothing])) == 2


def test_a_table_has_the_columns_of_the_file(two, tmp_path):
    pandas = pytest.importorskip("pandas", reason='needs pip install "mmad[notebook]"')
    write_detections(tmp_path / "p.csv", [two], "csv")
    table = two.to_dataframe()
    read = pandas.read_csv(tmp_path / "p.csv")
    assert read[table.columns].values.tolist() == table.values.tolist()


def test_a_table_names_labels_of_the_right_set(two):
    pytest.importorskip("pandas", reason='needs pip install "mmad[notebook]"')
    few = LabelSet("few", ("a", "b"), ("part",), (0, 0))
    assert Detections("v", [[0, 1]], [1], [0.5]).to_dataframe(few)["class"].tolist() == ["b"]
    with pytest.raises(InputError, match=r"is not in few; give the label set of the detector"):
        two.to_dataframe(few)


def test_without_pandas_a_table_says_what_to_install(two, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r'pandas: is not installed; type: pip install "mmad\[notebook\]"'):
        two.to_dataframe()


def test_report_averages_classes_with_truth_only():
    report = ApReport(
        thresholds=np.array([0.2, 0.3, 0.5, 0.7]),
        ap=np.array([[1.0, NAN, 0.6], [0.9, NAN, 0.5], [0.8, NAN, 0.4], [0.2, NAN, 0.0]]),
        num_truth=np.array([5, 0, 1]),
        names=["a", "b", "c"],
    )
    np.testing.assert_allclose(report.mean_ap(), [0.8, 0.7, 0.6, 0.1])
    assert report.average() == pytest.approx(0.55)
    assert report.average_at() == pytest.approx((0.8 + 0.6 + 0.1) / 3)
    assert report.average_at((0.3,)) == pytest.approx(0.7)


# --- digests ----------------------------------------------------------------------------------------------------


def test_a_digest_changes_with_every_part_its_shape_and_the_order():
    contents = [[], ["a", "b"], ["b", "a"], ["ab"], [0], [0.0], [1], [np.zeros(2)], [np.zeros((1, 2))], [np.zeros(3)]]
    assert len({content_digest(parts) for parts in contents}) == len(contents)
    assert content_digest(["a", 1.5, np.arange(6)[::2]]) == content_digest(iter(["a", 1.5, np.array([0, 2, 4])]))


def test_annotations_are_known_by_what_they_say():
    said = Annotation("v", 9.0, [[1, 2], [3, 4]], [5, 6])
    others = [
        Annotation("w", 9.0, [[1, 2], [3, 4]], [5, 6]),
        Annotation("v", 9.5, [[1, 2], [3, 4]], [5, 6]),
        Annotation("v", 9.0, [[1, 2], [3, 4.01]], [5, 6]),
        Annotation("v", 9.0, [[1, 2], [3, 4]], [5, 7]),
        Annotation("v", 9.0, [[1, 2]], [5]),
    ]
    digests = {annotations_digest(items) for items in ([], [said], [said, said], *([item] for item in others))}
    assert len(digests) == 3 + len(others)
    same = Annotation("v", 9.0, [[1, 2], [3, 4]], [5, 6], "train", 30.0)
    assert annotations_digest([same]) == annotations_digest([said])
