import pytest
from made_annotations import plain

from mmad.errors import InputError
from mmad.formats import read_annotations, select_subset


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


def json_truth(**video) -> dict:
    return {"database": {"v1": {"duration": 10, "annotations": [], **video}}}


def json_action(segment, label=9) -> dict:
    return json_truth(annotations=[{"segment": [0, 1], "label": 0}, {"segment": segment, "label": label}])


BAD_ANNOTATIONS = [
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


def test_all_problems_of_a_json_are_collected_and_the_good_items_kept(write):
    video = {"duration": 10, "actions": [[0, 0, 1], ["noding", 1, 2], [9, 4, 3], [9, 5], [9, 2, 4]]}
    path, problems = write("mmad.json", {"v1": video, "v2": {"actions": []}}), []
    annotations = read_annotations(path, on_problem=problems.append)
    assert plain(annotations) == {"v1": (10.0, [(0, 0.0, 1.0), (9, 2.0, 4.0)])}
    where = f"{path}, video"
    places = [f"{where} 'v1', actions[{i}]" for i in (1, 2, 3)]
    assert [problem.place for problem in problems] == [*places, f"{where} 'v2'"]
