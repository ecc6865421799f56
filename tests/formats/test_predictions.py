import json
import zipfile

import numpy as np
import pytest
from made_annotations import plain

from mmad.errors import InputError
from mmad.formats import read_predictions, read_truth
from mmad.formats.predictions import Origin, choose_labels, origin_of, write_predictions
from mmad.labels import MMA52, LabelSet, read_label_set
from mmad.records import Detections

CSV = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"
HANDS = LabelSet("hands", ("wave", "nod"), ("hand", "head"), (0, 1))
PREDICTIONS = ",video_id,t_start,t_end,class,score\n"
WAVE = Detections("v1", [[0, 1]], [0], [0.5])


@pytest.mark.parametrize(
    "label", [{"label": "nodding"}, {"label_id": 9}, {"label": 9}, {"label": "9"}, {"label": "nodding", "label_id": 0}]
)
def test_json_predictions_name_or_number_their_labels(write, label):
    items = [{"segment": [0, 2.5], "score": 0.25, **label}, {"segment": [1, 4], "score": 0.75, **label}]
    path = write("predictions.json", {"ground_truth": "val.csv", "results": {"v1": items, "v2": []}})
    file = read_predictions(path)
    first, second = file.detections
    assert first.segments.tolist() == [[1, 4], [0, 2.5]]
    assert (first.labels.tolist(), first.scores.tolist()) == ([9, 9], [0.75, 0.25])
    assert (second.video_id, len(second), file.labels) == ("v2", 0, MMA52)
    assert file.origin == origin_of(path) == Origin(path.parent / "val.csv")


@pytest.mark.parametrize(
    "header",
    [",video_id,t_start,t_end,class,score", "ID,video-id,t-start,t-end,label,score"],
    ids=["2024 and 2025", "2026"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["csv", "zip"])
def test_submissions_of_all_years_read_the_same(write, tmp_path, header, packed):
    path = write("prediction.csv", f"{header}\n0,v1,0.5,2,9,0.25\n1,v2,0,1,51,1\n2,v1,1,4.25,0,0.75\n")
    if packed:
        with zipfile.ZipFile(tmp_path / "prediction.zip", "w") as archive:
            archive.write(path, path.name)
        path = tmp_path / "prediction.zip"
    file = read_predictions(path)
    first, second = file.detections
    assert (first.video_id, first.segments.tolist()) == ("v1", [[1, 4.25], [0.5, 2]])
    assert (first.labels.tolist(), first.scores.tolist()) == ([0, 9], [0.75, 0.25])
    assert (second.video_id, second.segments.tolist(), second.labels.tolist()) == ("v2", [[0, 1]], [51])
    assert (file.labels, file.origin) == (MMA52, origin_of(path)) == (MMA52, Origin())


def test_written_predictions_read_as_what_they_were(tmp_path):
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 900, 50)
    segments = np.stack([start, start + rng.uniform(0, 10, 50)], axis=1)
    found = Detections("day1/v1", segments, rng.integers(0, 52, 50), rng.uniform(0, 1, 50))
    write_predictions(tmp_path / "p.json", [found, Detections("none", [], [], [])])
    file = read_predictions(tmp_path / "p.json")
    again, none = file.detections
    assert (again.video_id, none.video_id, len(none)) == ("day1/v1", "none", 0)
    assert file.origin == Origin(labels=MMA52)
    np.testing.assert_allclose(again.segments, found.segments, atol=0.5e-4 + 1e-9, rtol=0)
    np.testing.assert_allclose(again.scores, found.scores, rtol=1e-6)
    assert again.labels.tolist() == found.labels.tolist()


def test_two_records_of_one_video_are_both_written(tmp_path):
    parts = [Detections("v1", [[0, 1]], [0], [0.5]), Detections("v1", [[2, 3]], [1], [0.9])]
    write_predictions(tmp_path / "p.json", parts)
    assert [item.labels.tolist() for item in read_predictions(tmp_path / "p.json").detections] == [[1, 0]]


# --- what predictions carry -------------------------------------------------------------------------------------


def test_predictions_carry_their_origin_and_their_labels(tmp_path, monkeypatch):
    """No absolute path is in them, and they are understood where the folder is moved to, without the label file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all" / "data").mkdir(parents=True)
    origin = Origin(tmp_path / "all" / "data" / "val.csv", "test", 25.0)
    for truth in (origin.ground_truth, "all/data/val.csv"):
        write_predictions("all/runs/a/p.json", [WAVE], HANDS, Origin(tmp_path / truth, "test", 25.0))
        content = json.loads((tmp_path / "all/runs/a/p.json").read_text())
        assert (content["ground_truth"], content["subset"], content["fps"]) == ("../../data/val.csv", "test", 25.0)
        assert str(tmp_path) not in json.dumps(content)
    (tmp_path / "all").rename(tmp_path / "moved")
    file = read_predictions(tmp_path / "moved/runs/a/p.json")
    assert file.labels == file.origin.labels == HANDS
    assert file.origin.ground_truth.resolve() == tmp_path / "moved" / "data" / "val.csv"
    assert (file.origin.subset, file.origin.fps) == ("test", 25.0)


def test_a_ground_truth_is_found_from_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "val.csv").write_text(CSV)
    (tmp_path / "far" / "away" / "runs").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "far" / "away" / "runs")
    write_predictions(tmp_path / "runs" / "p.json", [WAVE], origin=Origin(tmp_path / "data" / "val.csv"))
    assert origin_of(tmp_path / "runs" / "p.json").ground_truth.read_text() == CSV


def test_predictions_of_before_are_read_as_before(write, tmp_path):
    path = write("p.json", {"version": "mmad-1", "ground_truth": str(tmp_path / "val.csv"), "results": {}})
    assert origin_of(path) == Origin(tmp_path / "val.csv")
    assert read_predictions(path).labels == MMA52


def test_labels_that_are_named_win_over_those_that_are_carried(write, tmp_path):
    write_predictions(tmp_path / "p.json", [WAVE], HANDS)
    (tmp_path / "more.txt").write_text("wave\nnod\nsit\n")
    more = read_label_set(str(tmp_path / "more.txt"))
    assert read_predictions(tmp_path / "p.json", more).labels == more
    carried, silent = origin_of(tmp_path / "p.json"), origin_of(write("val.csv", CSV))
    assert choose_labels(None, silent) == MMA52
    assert choose_labels(None, silent, carried) == HANDS
    assert choose_labels(str(tmp_path / "more.txt"), carried) == more
    with pytest.raises(InputError, match=r"--labels: the files carry different label sets"):
        choose_labels(None, carried, Origin(labels=MMA52))


def test_truth_is_read_as_the_predictions_say_unless_somebody_says_otherwise(write, tmp_path, capsys):
    path = write("val.csv", ",video_id,start_frame,end_frame,class,total_frames\n0,v1,0,50,nod,100\n")
    write_predictions(tmp_path / "p.json", [WAVE], HANDS, Origin(path, fps=25.0))
    predictions = read_predictions(tmp_path / "p.json")
    assert plain(read_truth(path, predictions)) == {"v1": (4.0, [(1, 0.0, 2.0)])}
    assert plain(read_truth(path, predictions, fps=50)) == {"v1": (2.0, [(1, 0.0, 1.0)])}
    assert capsys.readouterr().err == ""
    videos = {name: {"subset": name, "duration": 9, "actions": [["wave", 0, 1]]} for name in ("val", "test")}
    path = write("truth.json", videos)
    for carried, typed, read in (("", None, "val"), ("test", None, "test"), ("test", "val", "val")):
        predictions.origin = Origin(subset=carried)
        assert [item.video_id for item in read_truth(path, predictions, typed)] == [read]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ground_truth", "a\0b", "is not a file name"),
        ("subset", 5, "is not the name of a subset"),
        ("fps", 0, "expected a positive number or null"),
        ("fps", "fast", "expected a positive number or null"),
        ("labels", "hands", "is not a label set"),
        ("labels", {"name": "hands", "actions": ["wave"]}, "is not a label set"),
        ("labels", {**HANDS.as_dict(), "part_of": [0, 2]}, "is not a label set"),
        ("labels", {**HANDS.as_dict(), "actions": ["wave", "wave"]}, "is there twice"),
    ],
)
def test_what_predictions_carry_is_checked(write, key, value, said):
    path = write("p.json", {key: value, "results": {}})
    for read in (read_predictions, origin_of):
        with pytest.raises(InputError) as error:
            read(path)
        assert error.value.place == f"{path}, {key}" and said in str(error.value)


def json_item(**changes) -> dict:
    good = {"segment": [0, 1], "label": "nodding", "score": 0.5}
    return {"results": {"v1": [good, {**good, **changes}]}}


BAD_PREDICTIONS = [
    ("p.csv", "", "", "the file is empty"),
    ("p.csv", PREDICTIONS.replace(",score", ""), ", line 1", "no column score; found"),
    ("p.csv", PREDICTIONS + "0,v1,0,1,9,0.5\n1,v1,0,1s,9,0.5\n", ", line 3", "t_end '1s' is not a number"),
    ("p.csv", PREDICTIONS + "0,v1,inf,1,9,0.5\n", ", line 2", "t_start 'inf' is not a number"),
    ("p.csv", PREDICTIONS + "0,v1,0,1,9,0.5\n1,v1,4,2,9,0.5\n", ", line 3", "t_end 2 is before t_start 4"),
    ("p.csv", PREDICTIONS + "0,v1,0,1,9,nan\n", ", line 2", "score 'nan' is not a number"),
    ("p.csv", PREDICTIONS + "0,v1,0,1,9,0.5\n1,v1,0,1,9,1.5\n", ", line 3", "score 1.5 is outside 0..1"),
    ("p.csv", PREDICTIONS + "0,v1,0,1,9,-0.5\n", ", line 2", "score -0.5 is outside 0..1"),
    ("p.csv", PREDICTIONS + "0,v1,0,1,9,0.5\n1,v1,0,1,52,0.5\n", ", line 3", "unknown label 52"),
    ("p.csv", PREDICTIONS + "0,../v1,0,1,9,0.5\n", ", line 2", "'../v1'"),
    ("p.zip", "this is no archive", "", "not a zip archive"),
    ("p.json", "", ", line 1, column 1", "not JSON"),
    ("p.json", '{"results": {"v1": [', ", line 1, column", "not JSON"),
    ("p.json", [], "", "no predictions in this JSON"),
    ("p.json", {"database": {}}, "", "no predictions in this JSON"),
    ("p.json", {"results": {"v1": {}}}, ", video 'v1'", "not a list"),
    ("p.json", {"results": {"v1": [3]}}, ", video 'v1', results[0]", "has no score"),
    ("p.json", {"results": {"../v1": []}}, ", video '../v1'", "'../v1'"),
    ("p.json", json_item(label="noding"), ", video 'v1', results[1]", "did you mean 'nodding'?"),
    ("p.json", json_item(label=[9]), ", video 'v1', results[1]", "unknown label [9]"),
    ("p.json", json_item(segment=[4, 2]), ", video 'v1', results[1]", "ends before it starts (4 s .. 2 s)"),
    ("p.json", json_item(segment=[0, 1, 2]), ", video 'v1', results[1]", "segment [0, 1, 2]"),
    ("p.json", json_item(segment=[0, "end"]), ", video 'v1', results[1]", "segment 'end' is not a number"),
    ("p.json", json_item(segment=[0, float("inf")]), ", video 'v1', results[1]", "segment inf is not a number"),
    ("p.json", json_item(score=float("nan")), ", video 'v1', results[1]", "score nan is not a number"),
    ("p.json", json_item(score=None), ", video 'v1', results[1]", "score None is not a number"),
    ("p.json", json_item(score=10**400), ", video 'v1', results[1]", "is not a number"),
    ("p.json", json_item(score=1.5), ", video 'v1', results[1]", "score 1.5 is outside 0..1"),
]


@pytest.mark.parametrize(("name", "content", "place", "said"), BAD_PREDICTIONS, ids=[row[3] for row in BAD_PREDICTIONS])
def test_bad_prediction_is_refused_with_file_and_place(write, name, content, place, said):
    path = write(name, content)
    with pytest.raises(InputError) as error:
        read_predictions(path)
    assert error.value.place.startswith(f"{path}{place}")
    assert said in str(error.value)
