import json

import numpy as np
import pytest
from made_annotations import ASSUMED, BORIS_7, BOWING, FOUND, NODDING, SAID, WAVING, out_for, write

from mmad.errors import InputError
from mmad.formats import EVENT_FORMATS, FORMATS, PER_VIDEO_FORMATS, read_annotations, read_events, write_events
from mmad.formats.predictions import write_predictions
from mmad.formats.submissions import write_detections
from mmad.labels import LabelSet
from mmad.records import Annotation

TIMELINE = {"ranges": [{"start": 1, "end": 50}], "timelinelabels": ["nodding"]}


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
    knows_duration = form in ("elan", "praat", "webvtt", "boris", "labelstudio", "activitynet", "fiftyone")
    back = read_annotations(out)
    assert [item.duration for item in back] == ([10.04, 5.0] if knows_duration else [4.04, 5.0])
    assert [item.labels.tolist() for item in back] == [[NODDING, NODDING, WAVING], [BOWING]]
    if form != "activitynet":
        assert all(item.scores is None for item in read_events(out))


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_odd_actions_and_none(tmp_path, form):
    labels = LabelSet("own", ('<a> & "b"', "c (2)", "d, e"), ("all",), (0, 0, 0))
    videos = [
        Annotation("v", 9.0, [[1, 2], [1, 2], [3, 3]], [0, 1, 2], fps=10.0, scores=[0.5, 0.5, 0.25]),
        Annotation("w", 4, [], [], fps=10, scores=[]),
    ]
    write_events(out_for(tmp_path, form), videos, form, labels)
    back = {item.video_id: item for item in read_events(out_for(tmp_path, form), labels)}
    assert back["v"].labels.tolist() == [0, 1, 2]
    assert abs(back["v"].segments[2] - 3).max() <= (0.11 if form in ("labelstudio", "fiftyone") else 0.001)
    assert "w" in back or form == "boris"  # a table of events cannot say that there are none
    assert "w" not in back or len(back["w"].labels) == 0


@pytest.mark.parametrize("form", ["labelstudio", "fiftyone"])
def test_frames_need_a_rate(tmp_path, form):
    with pytest.raises(InputError, match=r"v: .* counts frames, and its frame rate is not known; give --fps N"):
        write_events(tmp_path / "out.json", [Annotation("v", None, [[0, 1]], [0])], form)
    assert list(tmp_path.iterdir()) == []


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
        ("v.vtt", "nodding", "is not a WebVTT file"),
        ("v.vtt", "WEBVTT\n\n1 --> 2\nnodding", "line 3: '1 --> 2' is not a timing"),
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
        ("b.csv", "Observation id,Behavior,Start (s),Stop (s)\n../v,nodding,1,2\n", "not a name for a file"),
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
        ("l.json", '[{"annotator": 1, "annotation_id": 2, "video": ".."}]', "not a name for a file"),
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
        ("s.json", '{"samples": [{"filepath": "data/../../v.mp4"}]}', "sample 0: .* not a name for a file"),
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


def test_a_folder_of_others_may_have_a_video_called_samples(tmp_path):
    for name in ("samples", "metadata"):
        write_events(tmp_path, [Annotation(name, None, [[0, 1]], [NODDING])], "via")
    assert [item.video_id for item in read_events(tmp_path)] == ["metadata", "samples"]


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
    with pytest.raises(InputError, match="not a name for a file"):
        write_events(tmp_path / "out", [*FOUND, Annotation("../x", None, [[0, 1]], [0])], "elan")
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_an_action_and_without_a_length(tmp_path):
    write_events(tmp_path, [Annotation("v", None, [], [])], "elan")
    assert read_annotations(tmp_path)[0].duration == 0.001


# --- the real annotations ---------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_all_instances_of_val_go_out_and_come_in_twice(tmp_path, shared, form):
    """The first time they are rounded to what the format can say, the second time nothing changes."""
    truth = read_annotations(shared / "data/mma52/val.csv")
    assert (len(truth), sum(len(item.labels) for item in truth)) == (1475, 4735)
    seen = [truth]
    for time in ("first", "second"):
        write_events(out_for(tmp_path / time, form), seen[-1], form)
        order = {item.video_id: i for i, item in enumerate(truth)}
        back = read_events(out_for(tmp_path / time, form))
        assert not [note for item in back for note in item.notes]
        seen.append(sorted(back, key=lambda item: order[item.video_id]))
        rates = {item.video_id: item.fps for item in truth}
        for item in seen[-1]:  # of formats that cannot say it, for those that need it
            item.fps = item.fps or rates[item.video_id]
    _, first, second = seen
    for item, once, twice in zip(truth, first, second, strict=True):
        assert item.video_id == once.video_id == twice.video_id
        assert [row[2] for row in once.rows()] == [row[2] for row in twice.rows()]
        times, again = (np.array([row[:2] for row in each.rows()]) for each in (once, twice))
        assert np.abs(times - again).max() < 1e-9
        wanted = np.array(sorted((k, start, end) for start, end, k, _ in item.rows()))
        found = np.array(sorted((k, start, end) for start, end, k, _ in once.rows()))
        assert np.abs(found - wanted).max() <= 1.001 * (FORMATS[form].precision or 0.5 / item.fps)
