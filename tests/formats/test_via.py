import json
from pathlib import Path

import pytest
from made_annotations import BOWING, NODDING, WAVING, write

from mmad.errors import InputError
from mmad.formats import read_events


def test_a_via_project_of_two_videos(tmp_path):
    segment = {"flg": 0, "xy": []}
    project = {
        "attribute": {
            "1": {"aname": "what", "anchor_id": "FILE1_Z2_XY0", "type": 2, "options": {"a": "nodding", "b": "waving"}},
            "2": {"aname": "remark", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}},
        },
        "file": {"1": {"fname": "v1.mp4"}, "2": {"fname": "day/v2.mp4"}},
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
        "metadata": {
            "x": {**segment, "vid": "1", "z": [0.5, 1.25], "av": {"1": "a,b", "2": "?"}},
            "y": {**segment, "vid": "2", "z": [0, 2], "av": {"2": "bowing head"}},
            "z": {**segment, "vid": "1", "z": [3], "av": {"1": "a"}},
            "w": {**segment, "vid": "1", "z": [3, 4], "av": {"2": "unsure"}},
        },
    }
    first, second = read_events(write(tmp_path, "project.json", json.dumps(project)))
    assert (first.video_id, first.rows()) == ("v1", [(0.5, 1.25, NODDING, None), (0.5, 1.25, WAVING, None)])
    assert (second.video_id, second.labels.tolist()) == ("v2", [BOWING])
    assert first.notes == [
        f"{tmp_path / 'project.json'}: 1 segments are no action, such as 'unsure'",
        f"{tmp_path / 'project.json'}: 1 entries are no action in time and are left out, such as 'nodding'",
    ]


# --- as people have them ----------------------------------------------------------------------------------------


def project(path: Path, value: str, options: dict, files: dict[str, str], views: dict, times=(1.0, 2.0)) -> Path:
    """One segment of view 1. files: {file: name}. views: {view: its files}."""
    content = {
        "project": {"pid": "x", "creator": "VGG Image Annotator"},
        "attribute": {"1": {"aname": "TEMPORAL-SEGMENTS", "options": options}},
        "file": {key: {"fid": key, "fname": name} for key, name in files.items()},
        "view": {key: {"fid_list": list(shown)} for key, shown in views.items()},
        "metadata": {"1_a": {"vid": "1", "z": list(times), "xy": [], "av": {"1": value}}},
    }
    return write(path.parent, path.name, json.dumps(content))


ONE = {"files": {"1": "interview.mp4"}, "views": {"1": "1"}}


@pytest.mark.parametrize(
    ("value", "options", "labels"),
    [
        ("0", {"0": "Nodding"}, [NODDING]),
        ("nodding, Waving", {}, [NODDING, WAVING]),
        ("0,1", {"0": "nodding ", "1": "waving"}, [NODDING, WAVING]),
        ("nodding", {"nodding": "nodding"}, [NODDING]),
    ],
)
def test_values_name_actions_whatever_their_case(tmp_path, value, options, labels):
    [item] = read_events(project(tmp_path / "via_project_24Nov2026.json", value, options, **ONE))
    assert (item.video_id, item.labels.tolist(), item.notes) == ("interview", labels, [])


def test_a_project_without_an_action_is_the_wrong_file(tmp_path):
    path = project(tmp_path / "p.json", "0", {"0": "gaze left"}, **ONE)
    with pytest.raises(InputError, match="none of its 1 segments is an action of mma52, such as 'gaze left'"):
        read_events(path)
    path = project(tmp_path / "p.json", "0", {"0": "nodding"}, **ONE, times=(1.0,))
    with pytest.raises(
        InputError, match="no action in it: 1 entries are no action in time and are left out, such as 'nodd"
    ):
        read_events(path)


def test_videos_by_address_and_a_second_file_of_a_view(tmp_path):
    files = {"1": "http://host/v/clip1.mp4?x=1", "2": "http://host/v/clip2.mp4"}
    path = project(tmp_path / "p.json", "0", {"0": "nodding"}, files, {"1": "1", "2": "2"})
    assert [item.video_id for item in read_events(path)] == ["clip1", "clip2"]
    path = project(tmp_path / "p.json", "0", {"0": "nodding"}, {"1": "left.mp4", "2": "right.mp4"}, {"1": "12"})
    [item] = read_events(path)
    assert item.video_id == "left"
    said = "1 views show another file too; their actions are read as of the first, such as 'right.mp4'"
    assert item.notes == [f"{path}: {said}"]


def test_one_file_in_two_views_and_one_name_in_two_folders(tmp_path):
    both = {"1": "1", "2": "2"}
    path = project(tmp_path / "p.json", "0", {"0": "nodding"}, {"1": "a/cam.mp4", "2": "a/cam.mp4"}, both)
    assert [(item.video_id, len(item.labels)) for item in read_events(path)] == [("cam", 1)]
    path = project(tmp_path / "p.json", "0", {"0": "nodding"}, {"1": "a/cam.mp4", "2": "b/cam.mp4"}, both)
    assert [(item.video_id, len(item.labels)) for item in read_events(path)] == [("a/cam", 1), ("b/cam", 0)]


def test_a_rating_called_score_is_no_score(tmp_path):
    path = project(tmp_path / "p.json", "0", {"0": "nodding"}, **ONE)
    content = json.loads(path.read_text())
    content["attribute"]["2"] = {"aname": "score", "options": {}}
    content["metadata"]["1_a"]["av"]["2"] = "4"
    [item] = read_events(write(tmp_path, "p.json", json.dumps(content)))
    assert (item.labels.tolist(), item.scores) == ([NODDING], None)


CSV_HEADER = "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
CSV_ROW = '"1_a","[""day/interview.mp4""]",0,"{}","[]","{{""1"":""{}""}}"\n'


def test_the_export_as_csv(tmp_path):
    top = '# Exported using VGG Image Annotator (x)\n# ATTRIBUTE = {"1":{"aname":"a","options":{"0":"Nodding"}}}\n'
    rows = CSV_ROW.format("[1.5,2]", "0") + CSV_ROW.format("[3]", "0") + CSV_ROW.format("[4,5]", "waving")
    path = write(tmp_path, "v.csv", top + CSV_HEADER + rows)
    [item] = read_events(path)
    assert (item.video_id, item.rows()) == ("interview", [(1.5, 2.0, NODDING, None), (4.0, 5.0, WAVING, None)])
    assert item.notes == [f"{path}: 1 entries are no action in time and are left out, such as 'Nodding'"]
    bare = "# Exported using VGG Video Annotator\n" + CSV_HEADER + CSV_ROW.format("[1,2]", "0")
    with pytest.raises(
        InputError, match=r"line 3: has option '0' of attribute '1', .* save the project as JSON in VIA"
    ):
        read_events(write(tmp_path, "v.csv", bare))  # and not the action of number 0
