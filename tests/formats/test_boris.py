import json
from pathlib import Path

import pytest
from made_annotations import BORIS_7, BORIS_9, NODDING, WAVING, write
from made_videos import write_video

from mmad.errors import InputError
from mmad.formats import read_annotations, read_events


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


HEADER = "Observation id,Source,Time offset (s),Media duration (s),FPS (frame/s),Subject,Behavior,Behavior type,"
HEADER += "Start (s),Stop (s),Media file name,Comment start\n"


def events(path: Path, *rows: str) -> Path:
    return write(path.parent, path.name, HEADER + "".join(f"{row}\n" for row in rows))


def test_times_are_of_the_video_and_not_of_the_observations_clock(tmp_path):
    [item] = read_events(events(tmp_path / "b.csv", "o,player #1:i.mp4,3600.0,60,25,,nodding,STATE,3601,3602,i.mp4,"))
    assert (item.segments.tolist(), item.duration, item.link) == ([[1.0, 2.0]], 60.0, "i.mp4")
    [item] = read_events(events(tmp_path / "b.csv", "o,,01:00:00.000,60,25,,nodding,STATE,01:00:01.000,3602,i.mp4,"))
    assert item.segments.tolist() == [[1.0, 2.0]]
    with pytest.raises(InputError, match="start 1 s, stop 2 s, 3600 s of which are the time offset"):
        read_events(events(tmp_path / "b.csv", "o,,3600,60,25,,nodding,STATE,1,2,i.mp4,"))


TWO = [
    "o,player #1:a.mp4;b.mp4|player #2:c.mp4,5,60.0;30.0|90.0,25.0;25.0|50.0,,nodding,STATE,15,17,a.mp4,",
    "o,player #1:a.mp4;b.mp4|player #2:c.mp4,5,60.0;30.0|90.0,25.0;25.0|50.0,,waving,STATE,75,77,b.mp4,",
    "o,player #1:a.mp4;b.mp4|player #2:c.mp4,5,60.0;30.0|90.0,25.0;25.0|50.0,,waving,STATE,63,67,a.mp4,",
]


def test_each_media_file_is_a_video(tmp_path):
    """With 5 s of offset a.mp4 plays from 5 s to 65 s of the observation, b.mp4 from there; the last goes over both."""
    first, second = read_events(events(tmp_path / "b.csv", *TWO))
    assert (first.video_id, first.duration, first.rows()) == (
        "a",
        60.0,
        [(10.0, 12.0, NODDING, None), (58.0, 60.0, WAVING, None)],
    )
    assert (second.video_id, second.duration, second.rows()) == (
        "b",
        30.0,
        [(0.0, 2.0, WAVING, None), (10.0, 12.0, WAVING, None)],
    )


def test_two_observations_of_the_same_media_files_stay_apart(tmp_path):
    rows = [row.replace("o,", f"{who},", 1) for who in ("anna", "ben") for row in TWO[:2]]
    videos = read_events(events(tmp_path / "b.csv", *rows))
    assert [item.video_id for item in videos] == ["anna/a", "anna/b", "ben/a", "ben/b"]
    assert [len(item.labels) for item in videos] == [1, 1, 1, 1]


def test_media_files_of_unknown_length(tmp_path):
    row = "o,player #1:{0}.mp4,0,120,25,,nodding,STATE,{1},{2},{0}.mp4,"
    rows = [row.format("a", 1, 3), row.format("b", 5, 7)]
    path, found = events(tmp_path / "b.csv", *rows), []
    with pytest.raises(
        InputError, match=r"line 3: b\.mp4 begins where a\.mp4 ends, which is not known; .* --videos DIR"
    ):
        read_events(path)
    assert [len(item.labels) for item in read_events(path, on_problem=found.append)] == [1, 0]
    write_video(tmp_path / "a.mp4", 20)  # 0.8 s
    with pytest.raises(
        InputError, match=r"line 2: starts at 1 s, and a\.mp4, where it is said to start, lasts to 0\.8 s"
    ):
        read_events(path, videos=tmp_path)
    write_video(tmp_path / "a.mp4", 100)  # 4 s
    first, second = read_events(path, videos=tmp_path)
    assert (first.segments.tolist(), second.segments.tolist()) == ([[1.0, 3.0]], [[1.0, 3.0]])


def test_observations_and_rows_as_people_have_them(tmp_path):
    path = events(
        tmp_path / "b.csv",
        "A:baseline,,0,60,25,kid,Nodding (left),STATE,00:00:01.000,00:01:02.5,i.mp4,",
        "A:baseline,,0,60,25,mother,shaking  head,STATE,1,nan,i.mp4,",
        "A:baseline,,0,60,25,mother,waving,STATE,1,2,i.mp4,score 4",
        "2026/01/01 p3,,0,60,25,,looking away,STATE,1,2,i.mp4,",
    )
    first, second = read_events(path)
    assert (first.video_id, second.video_id) == ("A_baseline", "2026/01/01 p3")
    assert first.rows() == [(1.0, 2.0, WAVING, None), (1.0, 62.5, NODDING, None)]  # a rating is not a score
    assert first.notes == [
        f"{path}: 1 events are no action, such as 'looking away'",
        f"{path}: 1 events have no start or no stop and are left out, such as 'shaking  head'",
        f"{path}: actions of several subjects are taken together, such as kid, mother in A_baseline",
    ]


def test_a_name_that_is_nearly_an_action_is_a_slip_and_no_action_at_all_the_wrong_file(tmp_path):
    row = "o,,0,60,25,,{},STATE,1,2,i.mp4,"
    with pytest.raises(InputError, match=r"line 3: unknown label 'noding'; did you mean 'nodding'\?"):
        read_events(events(tmp_path / "b.csv", row.format("nodding"), row.format("noding")))
    with pytest.raises(InputError, match="none of its 2 events is an action of mma52, such as 'eating'"):
        read_events(events(tmp_path / "b.csv", row.format("sleeping"), row.format("eating")))


TABULAR = "Observation id,Media duration (s),Time offset (s),Subject,Behavior,Behavior type,Time,Media file name\n"


@pytest.mark.parametrize("old", [False, True], ids=["8", "7"])
def test_tabular_events(tmp_path, old):
    """A row for each start and each stop; older versions write what they know of the observation above the header."""
    rows = ["kid,nodding,START,11", "mum,nodding,START,11.5", "kid,nodding,STOP,12", "mum,nodding,STOP,13"]
    rows += ["kid,waving,POINT,14", "kid,waving,START,15"]
    if old:
        text = "Observation id,o\n\nMedia file(s)\nPlayer #1,a.mp4\n\n"
        text += "Time,Media file path,Total length,Subject,Behavior,Status\n"
        cells = [row.split(",") for row in rows]
        text += "".join(f"{t},a.mp4,60,{who},{what},{kind}\n" for who, what, kind, t in cells)
    else:
        text = TABULAR + "".join(f"o,60,10,{row},a.mp4\n" for row in rows)
    path = write(tmp_path, "b.csv", text)
    [item] = read_events(path)
    shift = 10 if old else 0
    assert (item.video_id, item.duration) == ("o", 60.0)
    assert (item.segments - shift).tolist() == [[1.0, 2.0], [1.5, 3.0]]
    said = "1 events begin and do not end, or end and did not begin; they are left out, such as 'waving'"
    assert item.notes[0] == f"{path}: {said}"
    assert item.notes[1] == f"{path}: 1 point events have no duration and are left out"


def test_a_project(tmp_path):
    media = {"length": {"/x/a.mp4": 60.0, "/x/b.mp4": 30.0}, "fps": {"/x/a.mp4": 25.0, "/x/b.mp4": 25.0}}
    happened = [[11, "", "nodding", "left", "", 1], [66, "", "waving", "", "", 1], [12, "", "nodding", "left", "", 1]]
    happened += [[72, "", "waving", "", "", 1], [20, "", "blink", "", "", 1], [30, "", "nodding", "", "", 1]]
    observation = {
        "file": {"1": ["/x/a.mp4", "/x/b.mp4"]},
        "media_info": media,
        "time offset": 10.0,
        "events": happened,
    }
    kinds = {"0": ("nodding", "State event"), "1": ("waving", "State event"), "2": ("blink", "Point event")}
    known = {key: {"code": code, "type": kind} for key, (code, kind) in kinds.items()}
    project = {"behaviors_conf": known, "observations": {"o": observation, "live": {"type": "LIVE", "events": []}}}
    path = write(tmp_path, "p.boris", json.dumps(project))
    first, second, live = read_events(path)
    assert (first.rows(), second.rows(), live.rows()) == (
        [(1.0, 2.0, NODDING, None), (56.0, 60.0, WAVING, None)],
        [(0.0, 2.0, WAVING, None)],
        [],
    )
    assert [item.video_id for item in (first, second, live)] == ["a", "b", "live"]
    assert sorted(note.partition(": ")[2].split()[1] for note in first.notes) == ["events", "point"]
