import json
from pathlib import Path

import pytest
from made_annotations import NODDING, WAVING, write

from mmad.errors import InputError
from mmad.formats import read_events
from mmad.formats.source import Coders


def test_label_studio_after_people_corrected_it(tmp_path):
    def region(first, last, *names):
        value = {"ranges": [{"start": first, "end": last}], "timelinelabels": list(names)}
        return {"type": "timelinelabels", "value": value}

    task = {
        "id": 7,
        "data": {"video": "/data/upload/1/0a1b2c3d-v1.mp4"},
        "predictions": [{"result": [region(1, 100, "waving")]}],
        "annotations": [
            {"result": [region(1, 9, "waving")]},
            {"result": [region(1, 25, "nodding", "waving"), {"type": "choices", "value": {"choices": ["ok"]}}]},
            {"was_cancelled": True, "result": []},
        ],
    }
    [events] = read_events(write(tmp_path, "export.json", json.dumps([task])), fps=25)
    assert events.video_id == "v1"
    assert events.rows() == [(0.0, 1.0, NODDING, None), (0.0, 1.0, WAVING, None)]
    assert [note.partition(": ")[2] for note in events.notes] == [
        "the newest counts",
        "1 results are no labels of a stretch of time and are left out",
    ]
    task["data"] = {"video": "http://x/data/local-files/?d=videos/v%201.mp4"}
    assert read_events(write(tmp_path, "export.json", json.dumps([task])))[0].video_id == "v 1"


# What Label Studio 1.2x leaves in a project with TimelineLabels, Labels on the sound track, VideoRectangle, Choices.
TIMELINE = {"ranges": [{"start": 1, "end": 50}], "timelinelabels": ["nodding"]}
SOUND = {"start": 3.25, "end": 4.5, "channel": 0, "labels": ["waving"]}
BOX = {"framesCount": 100, "duration": 4.0, "sequence": [{"frame": 1, "enabled": True, "x": 1}], "labels": ["nodding"]}
WORDS = {"start": 0, "end": 7, "text": "nodding", "labels": ["nodding"]}


def studio_export(folder: Path, minimal: bool) -> Path:
    """Two tasks: one that two people annotated, the newest annotation first in the file, and one that nobody did."""
    said = {"name": {"created_at": "2026-03-02T10:00:00Z", "result": [TIMELINE, SOUND, BOX, WORDS]}}
    said["before"] = {"created_at": "2026-03-01T10:00:00Z", "result": [{**TIMELINE, "timelinelabels": ["waving"]}]}
    data = [{"video_url": "/data/upload/1/0a1b2c3d-v1.mp4", "fps": 25}, {"video_url": "s3://videos/v2.MP4?x=1"}]
    about = {"updated_at": "2026-03-02T10:00:00Z", "lead_time": 3.5}
    if minimal:
        rows = [
            {
                **{**data[0], "id": 7, "timeline": [value for value in item["result"] if "ranges" in value]},
                **{"sound": [value for value in item["result"] if "ranges" not in value], "quality": "good"},
                **{"annotator": 1, "annotation_id": 12, "created_at": item["created_at"], **about},
            }
            for item in said.values()
        ]
        rows.append({**data[1], "id": 8, "annotator": None, "annotation_id": None, "created_at": None, **about})
        return write(folder, "min.json", json.dumps(rows))
    kinds = ("timelinelabels", "labels", "videorectangle", "labels")
    annotations = [
        {**item, "result": [{"type": kind, "value": value} for kind, value in zip(kinds, item["result"])]}
        for item in said.values()
    ]
    tasks = [{"id": 7, "data": data[0], "annotations": annotations, "predictions": [3]}]
    tasks.append({"id": 8, "data": data[1], "annotations": [], "predictions": [4]})  # a snapshot's: ids only
    return write(folder, "all.json", json.dumps(tasks))


@pytest.mark.parametrize("minimal", [False, True], ids=["JSON", "JSON-MIN"])
def test_label_studio_as_it_exports_itself(tmp_path, minimal):
    path = studio_export(tmp_path, minimal)
    first, second = read_events(path)
    assert (first.video_id, first.fps) == ("v1", 25)
    assert first.rows() == [(0.0, 2.0, NODDING, None), (3.25, 4.5, WAVING, None)]
    assert first.notes == [
        f"{path}, task 0 has 2 annotations: the newest counts",
        f"{path}, task 0: 2 results are no labels of a stretch of time and are left out",
    ]
    assert (second.video_id, len(second.labels)) == ("v2", 0)
    assert second.notes == (
        [] if minimal else [f"{path}, task 1 names its predictions by their ids only: they are left out"]
    )


def test_rows_of_json_min_without_a_time_count_as_label_studio_sorts_them(tmp_path):
    about = {"video": "v1.mp4", "id": 7, "annotator": 1, "annotation_id": 12}
    rows = [{**about, "said": [TIMELINE]}, {**about, "said": []}]  # the newest first
    [events] = read_events(write(tmp_path, "min.json", json.dumps(rows)), fps=50)
    assert events.rows() == [(0.0, 1.0, NODDING, None)]
    del rows[0]["id"], rows[1]["id"]
    [events] = read_events(write(tmp_path, "min.json", json.dumps(rows)), fps=50)
    assert events.rows() == [(0.0, 1.0, NODDING, None)]
    assert "v1 is there 2 times" in events.notes[-1]


@pytest.mark.parametrize(
    "data, name",
    [
        ({"title": "see talk.mp4", "url": "http://h/v.mp4#t=3"}, "v"),
        ({"url": "/data/upload/2/day1.MTS?x=1"}, "day1"),
        ({"note": "talk.mp4"}, "talk"),
    ],
)
def test_the_video_of_a_label_studio_task_under_any_key(tmp_path, data, name):
    path = write(tmp_path, "all.json", json.dumps([{"data": data, "annotations": []}]))
    assert [events.video_id for events in read_events(path)] == [name]


def test_the_annotation_of_label_studio_that_was_changed_last_counts(tmp_path):
    def said(label, created, updated):
        result = [{"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 30}], "timelinelabels": [label]}}]
        return {"created_at": f"2026-01-0{created}", "updated_at": f"2026-01-0{updated}", "result": result}

    words = {"type": "hypertextlabels", "value": {"start": "/p[1]/text()[1]", "end": "/p[2]", "labels": ["nodding"]}}
    first, second = said("nodding", 1, 9), said("waving", 5, 5)
    first["result"].append(words)
    task = {"data": {"video": "v.mp4", "fps": 30}, "annotations": [first, second]}
    [events] = read_events(write(tmp_path, "all.json", json.dumps([task])))
    assert [row[2] for row in events.rows()] == [NODDING]
    assert "1 results are no labels of a stretch of time" in events.notes[-1]


# --- as people have them ----------------------------------------------------------------------------------------


def task(link: str, *annotations: tuple, **more) -> dict:
    """annotations: (first frame, last frame, label, who)."""
    said = [
        {
            "created_at": f"2026-01-0{i}",
            "result": [{"value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [label]}}],
            "completed_by": who,
        }
        for i, (first, last, label, who) in enumerate(annotations, start=1)
    ]
    return {"data": {"video": link, "fps": 25}, "annotations": said, **more}


INTERVIEW = "/data/upload/1/0a1b2c3d-interview.mp4"


def test_one_video_in_two_tasks(tmp_path):
    tasks = [task(INTERVIEW, (26, 50, "nodding", 1)), task(INTERVIEW), task(INTERVIEW, (51, 75, "waving", 1))]
    path = write(tmp_path, "all.json", json.dumps(tasks))
    [item] = read_events(path)
    assert (item.video_id, item.rows()) == ("interview", [(1.0, 2.0, NODDING, None), (2.0, 3.0, WAVING, None)])
    assert item.notes == [f"{path}: interview is there 3 times; what is said of it is taken together"]
    tasks[2]["annotations"][0]["completed_by"] = 2
    path = write(tmp_path, "all.json", json.dumps(tasks))
    with pytest.raises(
        InputError, match=r"interview is annotated by 1 and by 2 in tasks of their own; .*--annotator 1"
    ):
        read_events(path)
    [item] = read_events(path, coders=Coders("2"))
    assert item.labels.tolist() == [WAVING]


def test_videos_of_one_name_in_two_folders_stay_apart(tmp_path):
    tasks = [task("s3://b/day1/cam.mp4", (1, 25, "nodding", 1)), task("s3://b/day2/cam.mp4", (1, 25, "waving", 1))]
    first, second = read_events(write(tmp_path, "all.json", json.dumps(tasks)))
    assert [first.video_id, second.video_id] == ["day1/cam", "day2/cam"]
    assert [first.labels.tolist(), second.labels.tolist()] == [[NODDING], [WAVING]]


def test_two_people_in_one_task(tmp_path):
    anna = {"id": 7, "email": "anna@lab.org"}
    path = write(tmp_path, "all.json", json.dumps([task(INTERVIEW, (1, 25, "nodding", anna), (1, 25, "waving", 2))]))
    [item] = read_events(path)
    assert item.labels.tolist() == [WAVING]
    people = "2, anna@lab.org"
    assert item.notes == [f"{path}, task 0 was annotated by {people}: the newest counts; choose by --annotator 2"]
    for name in ("anna@lab.org", "7"):
        assert read_events(path, coders=Coders(name))[0].labels.tolist() == [NODDING]


def test_exports_of_before_1_0_and_a_single_task(tmp_path):
    old = task(INTERVIEW, (26, 50, "nodding", 1))
    old["completions"] = old.pop("annotations")
    for content in ([old], old, task(INTERVIEW, (26, 50, "nodding", 1))):
        [item] = read_events(write(tmp_path, "all.json", json.dumps(content)))
        assert item.rows() == [(1.0, 2.0, NODDING, None)]


def test_ratings_of_people_are_no_confidences(tmp_path):
    content = task(INTERVIEW, (1, 25, "nodding", 1))
    content["annotations"][0]["result"][0]["score"] = 4
    [item] = read_events(write(tmp_path, "all.json", json.dumps([content])))
    assert (item.scores, len(item.labels)) == (None, 1)
    assert "1 scores of people are ratings, not confidences, and are left out, such as '4'" in item.notes[0]


def test_frames_that_count_from_0_are_named(tmp_path):
    with pytest.raises(
        InputError, match=r"frames 0 \.\. 25; frames count from 1, and the last comes last: add 1 to each"
    ):
        read_events(write(tmp_path, "all.json", json.dumps([task(INTERVIEW, (0, 25, "nodding", 1))])))


def test_drafts_are_said(tmp_path):
    said = {"drafts": [{"result": [{"value": TIMELINE}]}]}
    path = write(tmp_path, "all.json", json.dumps([task(INTERVIEW, (1, 25, "nodding", 1), **said)]))
    assert read_events(path)[0].notes == [f"{path}, task 0 has drafts that nobody submitted: they are left out"]
