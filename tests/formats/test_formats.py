import json
from pathlib import Path

import numpy as np
import pytest

from mmad.errors import InputError
from mmad.formats.annotations import read_annotations, write_predictions
from mmad.formats.elan import write_eaf
from mmad.formats.events import Events, from_frames, timecode, to_frames
from mmad.formats.exchange import write_detections
from mmad.formats.formats import EVENT_FORMATS, PER_VIDEO_FORMATS, read_events, write_events
from mmad.labels import MMA52, LabelSet

NODDING, BOWING, WAVING = (MMA52.index[name] for name in ("nodding", "bowing head", "waving"))
FOUND = [
    Events(
        "day1/v1", [[0.2, 1.0], [0.4, 2.08], [3.0, 4.04]], [NODDING, NODDING, WAVING], [0.9, 0.25, 1.0], 10.04, 25.0
    ),
    Events("v2", [[0.0, 5.0]], [BOWING], [0.5], 5.0, 25.0),
]
SAID = [Events(item.video_id, item.segments, item.labels, None, item.duration, item.fps) for item in FOUND]


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def out_for(folder: Path, form: str) -> Path:
    return folder / ("out" if form in PER_VIDEO_FORMATS else "out.csv" if form == "boris" else "out.json")


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_what_was_found_comes_back(tmp_path, form):
    out = out_for(tmp_path, form)
    write_events(out, FOUND, form)
    back = read_events(out)
    assert [item.video_id for item in back] == ["day1/v1", "v2"]
    for item, original in zip(back, FOUND):
        assert [row[2] for row in item.rows()] == [row[2] for row in original.rows()]
        times = np.array([row[:2] for row in item.rows()])
        assert np.allclose(times, [row[:2] for row in original.rows()], atol=1e-9)
        if form != "activitynet":  # its scores are written and not read: it is for annotations
            assert [row[3] for row in item.rows()] == [row[3] for row in original.rows()]
        assert item.notes == []


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_what_people_said_comes_back_as_annotations(tmp_path, form):
    out = out_for(tmp_path, form)
    write_events(out, SAID, form)
    knows_duration = form in ("elan", "webvtt", "boris", "labelstudio", "activitynet", "fiftyone")
    back = read_annotations(out)
    assert [item.duration for item in back] == ([10.04, 5.0] if knows_duration else [4.04, 5.0])
    assert [item.labels.tolist() for item in back] == [[NODDING, NODDING, WAVING], [BOWING]]
    if form != "activitynet":
        assert all(item.scores is None for item in read_events(out))


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_odd_actions_and_none(tmp_path, form):
    labels = LabelSet("own", ('<a> & "b"', "c (2)", "d, e"), ("all",), (0, 0, 0))
    videos = [
        Events("v", [[1, 2], [1, 2], [3, 3]], [0, 1, 2], [0.5, 0.5, 0.25], 9.0, 10.0),
        Events("w", [], [], [], 4, 10),
    ]
    write_events(out_for(tmp_path, form), videos, form, labels)
    back = {item.video_id: item for item in read_events(out_for(tmp_path, form), labels)}
    assert back["v"].labels.tolist() == [0, 1, 2]
    assert abs(back["v"].segments[2] - 3).max() <= (0.11 if form in ("labelstudio", "fiftyone") else 0.001)
    assert "w" in back or form == "boris"  # a table of events cannot say that there are none
    assert len(back.get("w", [])) == 0


def test_frames_by_hand():
    """At 10 frames a second, 0.2 s .. 0.5 s is shown by the frames 3, 4 and 5."""
    assert to_frames(0.2, 0.5, 10) == (3, 5)
    assert from_frames(3, 5, 10) == (0.2, 0.5)
    assert to_frames(0.2, 0.2, 10) == (3, 3)
    assert timecode(3_723_004) == "01:02:03.004"


@pytest.mark.parametrize("form", ["labelstudio", "fiftyone"])
def test_frames_need_a_rate(tmp_path, form):
    with pytest.raises(InputError, match=r"v: .* counts frames, and its frame rate is not known; give --fps N"):
        write_events(tmp_path / "out.json", [Events("v", [[0, 1]], [0])], form)
    assert list(tmp_path.iterdir()) == []


# --- as others write them ------------------------------------------------------------------------------------------

BORIS_7 = """\
Observation id,Observation date,Media file,Total length,FPS,Subject,Behavior,Behavioral category,Modifiers,\
Behavior type,Start (s),Stop (s),Duration (s),Comment start,Comment stop
v1,2020-01-02,v1.mp4,60.5,25.0,No focal subject,nodding,head,,STATE,1.000,2.500,1.500,,
v1,2020-01-02,v1.mp4,60.5,25.0,No focal subject,waving,,,POINT,3.000,3.000,NA,,
v2,2020-01-02,v2.mp4,NA,25.0,No focal subject,waving,,,STATE,0.000,4.000,4.000,sure,
"""
ASSUMED = "30 frames a second are assumed; else give --fps N (in training data.fps=N)"
BORIS_9 = (
    BORIS_7.replace("Total length", "Media duration (s)")
    .replace("FPS,", "FPS (frame/s),")
    .replace("Modifiers", "Modifier #1")
)


@pytest.mark.parametrize("text", [BORIS_7, BORIS_9], ids=["7", "9"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_boris_of_several_versions(tmp_path, text, suffix, capsys):
    path = write(tmp_path, f"events{suffix}", text if suffix == ".csv" else text.replace(",", "\t"))
    first, second = read_annotations(path)
    assert (first.video_id, first.duration, first.fps) == ("v1", 60.5, 25.0)
    assert (first.segments.tolist(), first.labels.tolist()) == ([[1.0, 2.5]], [NODDING])
    assert (second.duration, second.labels.tolist()) == (4.0, [WAVING])
    assert capsys.readouterr().err.splitlines() == [
        f"warning: {path}: 1 point events have no duration and are left out",
        f"warning: {path}: the length of 1 of 2 videos is not known; taken to end with the last action",
    ]


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
    assert (second.video_id, len(second)) == ("v2", 0)
    assert second.notes == (
        [] if minimal else [f"{path}, task 1 names its predictions by their ids only: they are left out"]
    )


def test_rows_of_json_min_without_a_time_count_as_label_studio_sorts_them(tmp_path):
    about = {"video": "v1.mp4", "id": 7, "annotator": 1, "annotation_id": 12}
    rows = [{**about, "said": [TIMELINE]}, {**about, "said": []}]  # the newest first
    [events] = read_events(write(tmp_path, "min.json", json.dumps(rows)), fps=50)
    assert events.rows() == [(0.0, 1.0, NODDING, None)]
    del rows[0]["id"], rows[1]["id"]
    assert len(read_events(write(tmp_path, "min.json", json.dumps(rows)))) == 2


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


def test_fiftyone_with_names_and_timestamps(tmp_path):
    items = [{"label": "nodding", "timestamps": [0.5, 1.5]}, {"label": "waving", "support": [1, 30], "confidence": 0.5}]
    path = write(tmp_path, "labels.json", json.dumps({"classes": None, "labels": {"v1": items, "v2": None}}))
    first, second = read_events(path)
    assert first.rows() == [(0.0, 1.0, WAVING, 0.5), (0.5, 1.5, NODDING, 1.0)]
    assert first.notes == [f"{path}: 1 of 2 videos name no fps: {ASSUMED}"]
    assert (len(second), second.notes) == (0, [])


@pytest.mark.parametrize("form", ["labelstudio", "fiftyone"])
def test_a_rate_that_nobody_said_is_noted_once_a_file(tmp_path, form):
    """Not once a video, and not where it was given."""
    items = [{"label": "nodding", "support": [1, 50]}]
    tasks = [{"data": {"video": f"{v}.mp4"}, "annotations": [{"result": [{"value": TIMELINE}]}]} for v in "abc"]
    content = {"classes": None, "labels": dict.fromkeys("abc", items)} if form == "fiftyone" else tasks
    path = write(tmp_path, "all.json", json.dumps(content))
    notes = [note for events in read_events(path) for note in events.notes]
    assert len(notes) == 1
    assert ASSUMED in notes[0] and f"{path}: 3 of 3" in notes[0]
    for fps in (25.0, 30.0):
        videos = read_events(path, fps=fps)
        assert [events.notes for events in videos] == [[], [], []]
        assert [events.rows()[0][:2] for events in videos] == [(0.0, 50 / fps)] * 3


def temporal(*items: tuple) -> dict:
    """A field as FiftyOne stores it. items: (label, first frame, last frame, confidence or None)."""
    found = [
        {"_id": {"$oid": "0"}, "_cls": "TemporalDetection", "tags": [], "label": label, "support": [first, last]}
        | ({} if confidence is None else {"confidence": confidence})
        for label, first, last, confidence in items
    ]
    return {"_cls": "TemporalDetections", "detections": found}


def sample(filepath: str, fps: float | None = 25.0, **fields) -> dict:
    metadata = {"_cls": "VideoMetadata", "frame_rate": fps, "total_frame_count": 250, "duration": 10.04}
    known = {"filepath": filepath, "tags": [], "_media_type": "video", "metadata": metadata if fps else None}
    return {"_id": {"$oid": "1"}, **known, **fields}


def fiftyone_export(folder: Path, *samples: dict) -> Path:
    """The folder of a FiftyOneDataset."""
    write(folder, "metadata.json", json.dumps({"name": "d", "media_type": "video", "sample_fields": []}))
    write(folder, "frames.json", json.dumps({"frames": [{"frame_number": 1, "_sample_id": {"$oid": "1"}}]}))
    write(folder, "data/v1.mp4", "")
    return write(folder, "samples.json", json.dumps({"samples": samples})).parent


def test_a_fiftyone_data_set(tmp_path):
    said = {"ground_truth": temporal(("waving", 26, 50, None), ("nodding", 1, 25, None))}
    folder = fiftyone_export(tmp_path, sample("data/v1.mp4", **said), sample("data/day2/v.2.mp4", ground_truth=None))
    for path in (folder, folder / "samples.json"):
        first, second = read_events(path)
        assert (first.video_id, first.fps, first.duration, first.notes) == ("v1", 25.0, 10.04, [])
        assert first.rows() == [(0.0, 1.0, NODDING, None), (1.0, 2.0, WAVING, None)]
        assert (second.video_id, len(second), second.duration) == ("day2/v.2", 0, 10.04)
        assert [item.duration for item in read_annotations(path)] == [10.04, 10.04]


def test_a_fiftyone_data_set_with_predictions_and_without_rates(tmp_path):
    """What people said is read, also where it comes last; the two things to know are one note each."""
    fields = {
        "predictions": temporal(("waving", 1, 10, 0.75)),
        "event": {"_cls": "TemporalDetection", "label": "bowing head", "support": [1, 5]},
        "boxes": {"_cls": "Detections", "detections": [{"label": "waving", "confidence": 0.5}]},
    }
    samples = [
        sample("data/v1.mp4", None, **fields),
        sample("data/v2.mp4", None, ground_truth=temporal(("nodding", 11, 20, None))),
    ]
    path = fiftyone_export(tmp_path, *samples) / "samples.json"
    first, second = read_events(path, fps=10)
    assert (len(first), second.rows()) == (0, [(1.0, 2.0, NODDING, None)])
    assert first.notes + second.notes == [
        f"{path}: its field 'ground_truth' is read, left out: event, predictions",
    ]
    notes = [note for events in read_events(path) for note in events.notes]
    assert notes[1:] == [f"{path}: 1 of 2 videos have no frame_rate in their metadata: {ASSUMED}"]
    del samples[1]["ground_truth"]
    assert read_events(fiftyone_export(tmp_path, *samples), fps=10)[0].rows() == [(0.0, 0.5, BOWING, None)]
    del samples[0]["event"]
    assert read_events(fiftyone_export(tmp_path, *samples), fps=10)[0].rows() == [(0.0, 1.0, WAVING, 0.75)]


@pytest.mark.parametrize(
    ("filepath", "video_id"),
    [
        ("data/v1.mp4", "v1"),
        ("data\\day 1\\v1.mp4", "day 1/v1"),
        ("day1/v1.avi", "day1/v1"),
        ("/home/anna/data/v1.mp4", "v1"),
        ("C:\\videos\\v1.mp4", "v1"),
        ("s3://bucket/day1/v1.mp4", "v1"),
        ("data/no suffix", "no suffix"),
    ],
)
def test_how_videos_of_fiftyone_are_called(tmp_path, filepath, video_id):
    said = temporal(("nodding", 1, 25, None))
    assert read_events(fiftyone_export(tmp_path, sample(filepath, said=said)))[0].video_id == video_id


def test_a_folder_of_others_may_have_a_video_called_samples(tmp_path):
    for name in ("samples", "metadata"):
        write_events(tmp_path, [Events(name, [[0, 1]], [NODDING])], "via")
    assert [item.video_id for item in read_events(tmp_path)] == ["metadata", "samples"]


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
    assert first.notes == [f"{tmp_path / 'project.json'}: 2 entries are no action in time and are left out"]


def test_webvtt_as_an_editor_leaves_it(tmp_path):
    text = (
        "\ufeffWEBVTT - corrected\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\nfirst\n"
        "00:01.000 --> 00:02.500 line:0\n"
        "nodding (0.5)\nwaving\n\n01:00:00.000 --> 01:00:01.000\nbowing head\n"
    )
    [events] = read_events(write(tmp_path, "v.1.vtt", text))
    assert events.video_id == "v.1"
    assert events.rows() == [
        (1.0, 2.5, NODDING, 0.5),
        (1.0, 2.5, WAVING, 1.0),
        (3600.0, 3601.0, BOWING, 1.0),
    ]


def test_audacity_passes_over_frequencies(tmp_path):
    [events] = read_events(write(tmp_path, "v.txt", "0.5\t1.25\tnodding\n\\\t100.0\t200.0\n"))
    assert events.rows() == [(0.5, 1.25, NODDING, None)]


def test_bids_with_other_columns(tmp_path):
    text = "onset\tduration\tresponse\ttrial_type\n1.5\t0.5\tx\tnodding\n2\tn/a\ty\tcue\n"
    [events] = read_events(write(tmp_path, "sub-01_events.tsv", text))
    assert (events.video_id, events.rows()) == ("sub-01", [(1.5, 2.0, NODDING, None)])
    assert "1 events without a duration" in events.notes[0]


def test_our_plain_table_comes_back_from_a_spreadsheet(tmp_path):
    write_detections(tmp_path / "out.csv", [item.detections() for item in FOUND], "csv")
    back = read_annotations(tmp_path / "out.csv")
    assert [(item.video_id, item.duration, len(item.labels)) for item in back] == [("day1/v1", 4.04, 3), ("v2", 5.0, 1)]
    write_detections(tmp_path / "submission.csv", [item.detections() for item in FOUND], "mac2026")
    with pytest.raises(InputError, match="no column video_id"):  # a submission is no truth
        read_annotations(tmp_path / "submission.csv")
    assert len(read_events(tmp_path / "submission.csv")) == 2


def test_predictions_and_annotations_are_events_too(tmp_path):
    write_predictions(tmp_path / "p.json", [item.detections() for item in FOUND])
    assert read_events(tmp_path / "p.json")[0].scores.tolist() == [1.0, 0.9, 0.25]
    header = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"
    [events] = read_events(write(tmp_path, "a.csv", f"{header}0,v,0,30,9,300,30\n"))
    assert (events.duration, events.fps, events.scores) == (10.0, 30.0, None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("v.vtt", "nodding", "is no WebVTT file"),
        ("v.vtt", "WEBVTT\n\n1 --> 2\nnodding", "line 3: '1 --> 2' is no timing"),
        ("v.vtt", "WEBVTT\n\n00:02.000 --> 00:01.000\nnodding", "line 4: ends before it starts"),
        ("v.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nnoding (0.5)", "line 4: unknown label 'noding'; did you mean"),
        ("v.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nnodding (1.5)", "line 4: score 1.5 is outside"),
        ("v.txt", "1 2 nodding", "line 1: 1 fields; expected start<TAB>end<TAB>label"),
        ("v.txt", "1\tnan\tnodding", "line 1: end 'nan' is not a number"),
        ("v.txt", "-1\t2\tnodding", "before the video"),
        ("v.tsv", "onset\ttrial_type\n", "no column duration"),
        ("v.tsv", "onset\tduration\ttrial_type\n1\t-1\tnodding", "ends before it starts"),
        (
            "b.csv",
            "Observation id,Behavior,Time\nv,nodding,1\n",
            "no column start \\(s\\), stop \\(s\\); export aggregated",
        ),
        ("b.csv", "Observation id,Behavior,Start (s),Stop (s)\n../v,nodding,1,2\n", "no name for a file"),
        ("b.csv", "Observation id,Behavior,Start (s),Stop (s)\nv,nodding,3,2\n", "expected 0 <= start <= stop"),
        ("l.json", '[{"data": 3, "annotations": [{"result": []}]}]', 'names no "video"'),
        ("l.json", '[{"data": {"video": "v.mp4"}, "annotations": 3}]', "'annotations' is not a list"),
        (
            "l.json",
            '[{"data": {"video": "v.mp4"}, "annotations": [{"result": [{"type": "timelinelabels", "value": {"ranges": '
            '[{"start": 0, "end": 3}], "timelinelabels": ["nodding"]}}]}]}]',
            "frames 0 .. 3; frames count from 1",
        ),
        (
            "l.json",
            '[{"annotator": 1, "annotation_id": 2, "video": "../v"}, {"data": {}}]',
            "no annotations in this JSON",
        ),
        ("l.json", '[{"annotator": 1, "annotation_id": 2, "video": ".."}]', "no name for a file"),
        ("l.json", '[{"annotator": 1, "annotation_id": 2, "video": [], "text": "no.mp4 here"}]', 'names no "video"'),
        (
            "l.json",
            '[{"annotator": 1, "annotation_id": 2, "video": "v.mp4", "t": [{"ranges": 3, "timelinelabels": []}]}]',
            "task 0, result 0: 'ranges' is not a list",
        ),
        (
            "l.json",
            '[{"annotator": 1, "annotation_id": 2, "video": "v.mp4", "t": [{"start": 2, "end": 1, "labels": [1]}]}]',
            "task 0, result 0: time 2 s .. 1 s; expected 0 <= start <= end",
        ),
        (
            "l.json",
            '[{"annotator": 1, "annotation_id": 2, "video": "v.mp4", "t": [{"start": 0, "end": 1, "labels": ["x"]}]}]',
            "unknown label 'x'",
        ),
        ("f.json", '{"labels": {"v": [{"label": 3}]}}', "neither support nor timestamps"),
        ("f.json", '{"labels": {"v": 3}}', "'v' is not a list"),
        ("f.json", '{"labels": {"v": [{"label": [], "support": [1, 2]}]}}', "unknown label"),
        ("f.json", '{"labels": {"v": [{"label": "nodding", "timestamps": [2, 1]}]}}', "expected 0 <= start <= end"),
        ("s.json", '{"samples": [{"filepath": "data/v.mp4"}]}', "no sample has a field of temporal detections"),
        ("s.json", '{"samples": [{"filepath": "data/../../v.mp4"}]}', "sample 0: .* no name for a file"),
        ("s.json", '{"samples": [{"filepath": null}]}', "filepath None names no file"),
        ("s.json", '{"samples": [{"filepath": "/a/v.mp4"}, {"filepath": "/b/v.mp4"}]}', "'v' is in another sample too"),
        ("s.json", '{"samples": [{"filepath": "v.mp4"}, 3]}', "no annotations in this JSON"),
        (
            "s.json",
            '{"samples": [{"filepath": "v.mp4", "x": {"_cls": "TemporalDetections", "detections": [3]}}]}',
            "sample 0, x: 'detections' is not a list of objects",
        ),
        (
            "s.json",
            '{"samples": [{"filepath": "v.mp4", "x": {"_cls": "TemporalDetection", "label": 9, "support": [0, 1]}}]}',
            "sample 0, detection 0: frames 0 .. 1; frames count from 1",
        ),
        ("p.json", '{"metadata": {"x": 3}, "view": {}, "file": {}}', "belongs to no view"),
        ("p.json", '{"metadata": {}, "view": {"1": {}, "2": {}}, "file": {}}', "names no file"),
        (
            "p.json",
            '{"metadata": {"x": {"vid": "1", "z": ["a", 1], "av": {}}}, "view": {"1": 0}, "file": {}}',
            "z 'a' is not a number",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, text, said):
    with pytest.raises(InputError, match=said):
        read_events(write(tmp_path, name, text))


# --- folders -------------------------------------------------------------------------------------------------------


def test_a_folder_as_elan_leaves_it(tmp_path):
    write_events(tmp_path, FOUND, "elan")
    for name in ("v2.pfsx", "._v2.eaf", ".hidden/v3.eaf", "notes.txt", "v2.mp4"):
        write(tmp_path, name, "")
    (tmp_path / "v2.eaf").rename(tmp_path / "v2.EAF")
    assert [item.video_id for item in read_annotations(tmp_path)] == ["day1/v1", "v2"]


def test_files_that_are_there_are_not_written_over(tmp_path):
    for form in PER_VIDEO_FORMATS:
        write_events(tmp_path / form, FOUND[1:], form)
        with pytest.raises(InputError, match="is there already, perhaps with corrections"):
            write_events(tmp_path / form, FOUND, form)
        assert len(read_events(tmp_path / form)) == 1


@pytest.mark.parametrize("form", ["labelstudio", "fiftyone"])
def test_a_file_for_all_videos_names_them_in_a_folder_too(tmp_path, form):
    write_events(tmp_path / "export.json", FOUND[1:], form)
    assert [events.video_id for events in read_events(tmp_path)] == ["v2"]


def test_folders_that_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no annotations in this folder; expected one file a video: \.eaf"):
        read_events(tmp_path)
    write(tmp_path, "predictions.json", '{"results": {}}')
    with pytest.raises(InputError, match="is of no format that is read from folders"):
        read_annotations(tmp_path)
    write_events(tmp_path, FOUND, "elan")
    write(tmp_path, "v3.vtt", "WEBVTT")
    with pytest.raises(InputError, match=r"holds files of several kinds: \.eaf, \.vtt"):
        read_events(tmp_path)


def test_a_video_that_is_there_twice(tmp_path):
    write(tmp_path, "a.csv", BORIS_7)
    write(tmp_path, "b.csv", BORIS_7)
    with pytest.raises(InputError, match="video 'v1' is in another file too"):
        read_events(tmp_path)


def test_what_is_wrong_in_a_folder_can_be_collected(tmp_path):
    write_events(tmp_path, FOUND, "elan")
    write(tmp_path, "broken.eaf", "<ANNOTATION")
    found = []
    assert len(read_annotations(tmp_path, on_problem=found.append)) == 2
    assert "broken.eaf: not XML" in str(found[0])


def test_an_id_that_leaves_the_folder_writes_nothing(tmp_path):
    with pytest.raises(InputError, match="no name for a file"):
        write_events(tmp_path / "out", [*FOUND, Events("../x", [[0, 1]], [0])], "elan")
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_an_action_and_without_a_length(tmp_path):
    write_eaf(tmp_path / "v.eaf", Events("v", [], []))
    assert read_annotations(tmp_path)[0].duration == 0.001
