import json

from made_annotations import BOWING, NODDING, WAVING, write

from mmad.formats import (
    read_events,
)


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
