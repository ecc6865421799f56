import json
import zipfile

import numpy as np
import pytest

from mmad.errors import InputError
from mmad.formats.annotations import (
    Origin,
    choose_labels,
    is_placeholder,
    origin_of,
    read_annotations,
    read_clip_list,
    read_label_set,
    read_predictions,
    read_truth,
    select_subset,
    write_predictions,
)
from mmad.labels import MMA52, LabelSet
from mmad.records import Detections

CSV = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"
CSV_2024 = ",video_id,start_frame,end_frame,class,total_frames\n"
HANDS = LabelSet("hands", ("wave", "nod"), ("hand", "head"), (0, 1))
PREDICTIONS = ",video_id,t_start,t_end,class,score\n"


@pytest.fixture
def write(tmp_path):
    """write(name, text or something for JSON) -> path"""

    def write(name: str, content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def plain(annotations) -> dict:
    """{video id: (duration, [(label, start, end)])}, rounded to a microsecond"""
    return {
        item.video_id: (
            round(item.duration, 6),
            [(k, round(s, 6), round(e, 6)) for k, (s, e) in zip(item.labels.tolist(), item.segments.tolist())],
        )
        for item in annotations
    }


# --- annotations ------------------------------------------------------------------------------------------------


def test_csv_seconds_are_frames_by_the_rate_of_their_row(write):
    rows = "0,v30,15,60,9,300,30.0\n1,v29,29,58,21,290,29\n2,v30,0,300,0,300,30.0\n"
    annotations = read_annotations(write("val.csv", CSV + rows))
    assert plain(annotations) == {"v30": (10.0, [(9, 0.5, 2.0), (0, 0.0, 10.0)]), "v29": (10.0, [(21, 1.0, 2.0)])}
    assert [item.fps for item in annotations] == [30.0, 29.0]


def test_csv_of_early_2024_is_read_at_the_rate_that_is_given(write):
    path = write("val.csv", CSV_2024 + "0,196_01_0005_L,0,150,28,300\n1,196_01_0005_L,30,60,21,300\n")
    assert plain(read_annotations(path)) == {"196_01_0005_L": (10.0, [(28, 0.0, 5.0), (21, 1.0, 2.0)])}
    assert plain(read_annotations(path, fps=15)) == {"196_01_0005_L": (20.0, [(28, 0.0, 10.0), (21, 2.0, 4.0)])}


def test_a_rate_that_nobody_said_is_pointed_out_once(write, capsys):
    path = write("val.csv", CSV_2024 + "0,v1,0,150,28,300\n1,v2,30,60,21,300\n")
    assert [item.fps for item in read_annotations(path)] == [30.0, 30.0]
    said = "30 frames a second are assumed; else give --fps N (in training data.fps=N)"
    assert capsys.readouterr().err == f"warning: {path} has no fps column: {said}\n"
    read_annotations(path, fps=30)
    read_annotations(write("rates.csv", CSV + "0,v1,0,150,28,300,25\n"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "content",
    [
        {
            "database": {
                "v1": {
                    "subset": "train",
                    "duration": 10,
                    "annotations": [
                        {"segment": [0, 2.5], "label": "nodding"},
                        {"segment": ["1", 4], "label_id": 8},
                        {"segment": [3, 3], "label": "8", "label_id": 0},
                    ],
                },
                "v2": {"subset": "val", "duration": 5.5, "annotations": []},
            }
        },
        {
            "v1": {"subset": "train", "duration": 10, "actions": [["nodding", 0, 2.5], [8, 1, 4], ["8", 3, 3]]},
            "v2": {"subset": "val", "duration": 5.5, "actions": []},
        },
    ],
    ids=["ActivityNet", "baseline"],
)
def test_json_forms_read_the_same(write, content):
    annotations = read_annotations(write("truth.json", content))
    assert plain(annotations) == {"v1": (10.0, [(9, 0.0, 2.5), (8, 1.0, 4.0), (8, 3.0, 3.0)]), "v2": (5.5, [])}
    assert [item.subset for item in annotations] == ["train", "val"]
    assert [item.video_id for item in select_subset(annotations, "val", "truth.json")] == ["v2"]
    with pytest.raises(InputError, match=r"truth\.json: no video of subset 'test'; subsets in the file: train, val"):
        select_subset(annotations, "test", "truth.json")


@pytest.mark.parametrize("video", [{"duration": 3}, {"duration": 3, "subset": None}], ids=["absent", "null"])
def test_video_without_subset_belongs_to_every_subset(write, video):
    path = write("truth.json", {"database": {"v1": {**video, "annotations": []}}})
    assert len(select_subset(read_annotations(path), "val", path)) == 1


def test_dummy_rows_of_the_official_test_file_are_recognised(write):
    rows = "0,test0000,0,20,1,166,30\n1,test0001,0,20,2,232,29\n"
    assert is_placeholder(read_annotations(write("test.csv", CSV + rows)))
    assert not is_placeholder(read_annotations(write("val.csv", CSV + rows + "2,test0001,5,20,2,232,29\n")))


def json_truth(**video) -> dict:
    return {"database": {"v1": {"duration": 10, "annotations": [], **video}}}


def json_action(segment, label=9) -> dict:
    return json_truth(annotations=[{"segment": [0, 1], "label": 0}, {"segment": segment, "label": label}])


BAD_ANNOTATIONS = [
    ("a.csv", "", "", "the file is empty"),
    ("a.csv", CSV.replace("class", "klass"), ", line 1", "no column class; found id, video_id"),
    ("a.csv", CSV + "0,v1,x,60,9,300,30\n", ", line 2", "start_frame 'x' is not a number"),
    ("a.csv", CSV + "0,v1,0,60,9,300,30\n1,v1,0,nan,9,300,30\n", ", line 3", "end_frame 'nan' is not a number"),
    ("a.csv", CSV + "0,v1,0,60,9,300,0\n", ", line 2", "fps 0, total_frames 300; both must be positive"),
    ("a.csv", CSV + "0,v1,0,60,9,0,30\n", ", line 2", "fps 30, total_frames 0; both must be positive"),
    ("a.csv", CSV + "0,v1,-5,60,9,300,30\n", ", line 2", "start_frame -5 is negative"),
    ("a.csv", CSV + "0,v1,60,15,9,300,30\n", ", line 2", "end_frame 15 is before start_frame 60"),
    ("a.csv", CSV + "0,v1,0,60,52,300,30\n", ", line 2", "unknown label 52; ids of mma52 are 0..51"),
    ("a.csv", CSV + "0,v1,0,60,-1,300,30\n", ", line 2", "unknown label -1"),
    ("a.csv", CSV + "0,v1,0,60,1.5,300,30\n", ", line 2", "unknown label '1.5'"),
    ("a.csv", CSV + "0,v1,0,60,noding,300,30\n", ", line 2", "unknown label 'noding'; did you mean 'nodding'?"),
    ("a.csv", CSV + "0, ,0,60,9,300,30\n", ", line 2", "is no name for a file"),
    ("a.csv", CSV + "0,v1,0,60,9,300,30\n1,v1,0,60,9,300,29\n", ", line 3", "v1: 300 frames at 29 fps here"),
    ("a.csv", CSV + "0,v1,0,60\n", ", line 2", "4 fields where the header has 7"),
    ("a.csv", CSV + "0,../v1,0,60,9,300,30\n", ", line 2", "'../v1'"),
    ("a.json", "", ", line 1, column 1", "not JSON"),
    ("a.json", '{"database": {"v1": {"dur', ", line 1, column", "not JSON"),
    ("a.json", [], "", "no annotations in this JSON"),
    ("a.json", {"results": {}}, "", "no annotations in this JSON"),
    ("a.json", json_truth(annotations={}), ", video 'v1'", "'annotations' is not a list"),
    ("a.json", json_truth(duration="long"), ", video 'v1'", "duration 'long' is not a number"),
    ("a.json", json_truth(duration=10**400), ", video 'v1'", "is not a number"),
    ("a.json", json_truth(duration=0), ", video 'v1'", "duration 0 s is not positive"),
    ("a.json", {"database": {"v1": {}}}, ", video 'v1'", "no duration"),
    ("a.json", json_action([0, None]), ", video 'v1', annotations[1]", "segment None is not a number"),
    ("a.json", json_action([0]), ", video 'v1', annotations[1]", "segment [0]"),
    ("a.json", json_action([4, 2]), ", video 'v1', annotations[1]", "ends before it starts (4 s .. 2 s)"),
    ("a.json", json_action([-3, 2]), ", video 'v1', annotations[1]", "-3"),
    ("a.json", json_action([0, 2], "noding"), ", video 'v1', annotations[1]", "did you mean 'nodding'?"),
    ("a.json", json_action([0, 2], True), ", video 'v1', annotations[1]", "unknown label True"),
    ("a.json", json_truth(annotations=[{"label": 9}]), ", video 'v1', annotations[0]", "no segment or no label"),
    ("a.json", {"v1": {"duration": 9, "actions": [[9, 1]]}}, ", video 'v1', actions[0]", "[9, 1]"),
    ("a.json", {"database": {"../v1": {"duration": 9}}}, ", video '../v1'", "'../v1'"),
]


@pytest.mark.parametrize(("name", "content", "place", "said"), BAD_ANNOTATIONS, ids=[row[3] for row in BAD_ANNOTATIONS])
def test_bad_annotation_is_refused_with_file_and_place(write, name, content, place, said):
    path = write(name, content)
    with pytest.raises(InputError) as error:
        read_annotations(path)
    assert error.value.place.startswith(f"{path}{place}")
    assert said in str(error.value)


def test_all_problems_of_a_csv_are_collected_and_the_good_rows_kept(write):
    rows = [
        "0,v1,15,60,9,300,30",
        "1,v1,60,15,9,300,30",
        "2,v2,0,x,9,300,30",
        "3,v1,0,60,9,301,30",
        "4,v1,0,300,0,300,30",
    ]
    path, problems = write("val.csv", CSV + "\n".join(rows)), []
    annotations = read_annotations(path, on_problem=problems.append)
    assert plain(annotations) == {"v1": (10.0, [(9, 0.5, 2.0), (0, 0.0, 10.0)])}
    assert [problem.place for problem in problems] == [f"{path}, line {line}" for line in (3, 4, 5)]


def test_all_problems_of_a_json_are_collected_and_the_good_items_kept(write):
    video = {"duration": 10, "actions": [[0, 0, 1], ["noding", 1, 2], [9, 4, 3], [9, 5], [9, 2, 4]]}
    path, problems = write("mmad.json", {"v1": video, "v2": {"actions": []}}), []
    annotations = read_annotations(path, on_problem=problems.append)
    assert plain(annotations) == {"v1": (10.0, [(0, 0.0, 1.0), (9, 2.0, 4.0)])}
    where = f"{path}, video"
    places = [f"{where} 'v1', actions[{i}]" for i in (1, 2, 3)]
    assert [problem.place for problem in problems] == [*places, f"{where} 'v2'"]


# --- lists of clips, label files --------------------------------------------------------------------------------


def test_clip_list_is_names_and_labels(write):
    path = write("list.txt", "train/a.mp4 3\nwith space.mp4 51\n\nb.mp4 9\n")
    assert read_clip_list(path) == [("train/a.mp4", 3), ("with space.mp4", 51), ("b.mp4", 9)]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "", "no clips in the list"),
        ("a.mp4 1\n\nb.mp4\n", ", line 3", "'b.mp4'; expected `name.mp4 label`"),
        ("a.mp4 52\n", ", line 1", "unknown label 52"),
        ("a.mp4 1\na.mp4 2\n", ", line 2", "clip a.mp4 is listed twice"),
    ],
)
def test_bad_clip_list_is_refused_with_its_line(write, text, place, said):
    path = write("list.txt", text)
    with pytest.raises(InputError) as error:
        read_clip_list(path)
    assert error.value.place == f"{path}{place}"
    assert said in str(error.value)


def test_all_problems_of_a_clip_list_are_collected(write):
    path, problems = write("list.txt", "a.mp4 1\nb.mp4 x\na.mp4 2\nc.mp4 3\n"), []
    assert read_clip_list(path, on_problem=problems.append) == [("a.mp4", 1), ("c.mp4", 3)]
    assert [problem.place for problem in problems] == [f"{path}, line 2", f"{path}, line 3"]


@pytest.mark.parametrize(
    ("text", "parts", "part_of"),
    [
        ("wave\nnod twice\nsit\n", ("all",), (0, 0, 0)),
        ("0\twave\n1\tnod twice\n\n2\tsit\n", ("all",), (0, 0, 0)),
        ("0\twave\thand\n1\tnod twice\thead\n2\tsit\thand\n", ("hand", "head"), (0, 1, 0)),
    ],
    ids=["names", "numbered", "with body parts"],
)
def test_label_file_forms(write, text, parts, part_of):
    labels = read_label_set(str(write("office.txt", text)))
    assert (labels.name, labels.actions) == ("office", ("wave", "nod twice", "sit"))
    assert (labels.parts, labels.part_of) == (parts, part_of)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("\n", "", "no labels in the file"),
        ("0\twave\n2\tsit\n", ", line 2", "index '2'; expected 1"),
        ("0\twave\n\n2\tsit\n", ", line 3", "index '2'; expected 1"),
        ("wave\nsit\nwave\n", "", "'wave' is there twice"),
    ],
)
def test_bad_label_file_is_refused_with_its_line(write, text, place, said):
    path = write("office.txt", text)
    with pytest.raises(InputError) as error:
        read_label_set(str(path))
    assert error.value.place == f"{path}{place}"
    assert said in str(error.value)


@pytest.mark.parametrize("read", [read_label_set, read_clip_list])
def test_list_that_is_not_text_is_refused(tmp_path, read):
    (tmp_path / "list.txt").write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(InputError, match=r"list\.txt"):
        read(str(tmp_path / "list.txt"))


# --- predictions ------------------------------------------------------------------------------------------------


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

WAVE = Detections("v1", [[0, 1]], [0], [0.5])


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
        ("ground_truth", "a\0b", "is no file name"),
        ("subset", 5, "is no name of a subset"),
        ("fps", 0, "expected a positive number or null"),
        ("fps", "fast", "expected a positive number or null"),
        ("labels", "hands", "is no label set"),
        ("labels", {"name": "hands", "actions": ["wave"]}, "is no label set"),
        ("labels", {**HANDS.as_dict(), "part_of": [0, 2]}, "is no label set"),
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


# --- the real files ---------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "videos", "instances"),
    [
        ("mma52/train.csv", 4534, 13698),
        ("mma52/val.csv", 1475, 4735),
        ("mma52_2024/train.csv", 4537, 13708),
        ("mma52_2024/val.csv", 1479, 4746),
    ],
)
def test_official_files_are_read_whole(shared, name, videos, instances):
    annotations = read_annotations(shared / "data" / name)
    assert len(annotations) == videos
    assert sum(len(item.labels) for item in annotations) == instances
    assert not is_placeholder(annotations)


@pytest.mark.shared
def test_official_train_has_the_published_lengths_and_counts(shared):
    annotations = read_annotations(shared / "data/mma52/train.csv")
    durations = [item.duration for item in annotations]
    counts = np.bincount(np.concatenate([item.labels for item in annotations]), minlength=52)
    assert min(durations) == pytest.approx(5.0, abs=0.01)
    assert max(durations) == pytest.approx(15.03, abs=0.01)
    assert np.mean(durations) == pytest.approx(10.3, abs=0.05)
    assert counts[[0, 3, 8, 45, 51]].tolist() == [368, 1, 2039, 1, 8]
    assert {item.fps for item in annotations} == {29.0, 30.0}


@pytest.mark.shared
def test_official_test_file_is_a_placeholder(shared):
    annotations = read_annotations(shared / "data/mma52/test.csv")
    assert len(annotations) == 519
    assert is_placeholder(annotations)


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["ma52", "mma52", "mma52_2024"])
def test_our_label_names_are_the_official_ones(shared, folder):
    assert read_label_set(str(shared / "data" / folder / "label_name.txt")).actions == MMA52.actions


@pytest.mark.shared
@pytest.mark.parametrize(("part", "clips"), [("train", 11250), ("val", 5586)])
def test_official_clip_lists_are_read_whole(shared, part, clips):
    assert len(read_clip_list(shared / "data/ma52" / f"{part}_list_videos.txt")) == clips
