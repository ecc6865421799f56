import pytest
from made_videos import write_video

from mmad.formats import source
from mmad.labels import MMA52
from mmad.report.check import check_data
from mmad.video import probing

HEADER = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"


def problems_of(tmp_path, rows: str, videos=None) -> list[str]:
    (tmp_path / "a.csv").write_text(HEADER + rows)
    return check_data(tmp_path / "a.csv", MMA52, videos)[0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("0,v,0,30,9,300,30\n", []),
        ("0,v,0,30,9,300,30\n1,v,0,30,9,300,30\n", ["v: nodding at 0.000 - 1.000 s is there twice"]),
        ("0,v,0,310,9,300,30\n", ["ends 0.333 s past the video (10.000 s)"]),
        ("0,v,30,30,9,300,30\n", ["has no length"]),
        (
            "0,v,0,30,noding,300,30\n1,v,0,30,9,300,30\n2,w,9,3,9,300,30\n",
            ["line 2: unknown label", "line 4: end_frame 3"],
        ),
        ("0,v,0,20,9,300,30\n1,w,0,20,8,300,30\n", ["placeholder rows"]),
    ],
)
def test_every_problem_is_named(tmp_path, rows, said):
    problems = problems_of(tmp_path, rows)
    assert len(problems) == len(said)
    for problem, part in zip(problems, said):
        assert part in problem


def test_a_rate_that_the_file_does_not_say_is_in_the_report(tmp_path, capsys):
    (tmp_path / "a.json").write_text('{"v": {"duration": 9, "actions": [["nodding", 0, 1]]}}')
    (tmp_path / "a.csv").write_text("video_id,start_frame,end_frame,class,total_frames\nv,0,50,9,250\n")
    _, report = check_data(tmp_path / "a.json", MMA52)
    assert report[-1].split(maxsplit=3)[-1].startswith("not in the file: 30 are assumed")
    _, report = check_data(tmp_path / "a.json", MMA52, fps=25)
    assert "assumed" not in "".join(report) and "(0.160 s per step)" in "".join(report)
    assert capsys.readouterr().err == ""
    check_data(tmp_path / "a.csv", MMA52, fps=25)
    assert capsys.readouterr().err == ""
    check_data(tmp_path / "a.csv", MMA52)
    assert "has no fps column: 30 frames a second are assumed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("0,v,0,20,9,40,25\n", None),
        ("0,v,0,20,9,40,30\n", "25.000 frames per second, annotated as 30"),
        ("0,v,0,20,9,50,25\n", "40 frames, annotated as 50"),
        ("0,w,0,20,9,40,25\n", "w.mp4: the video is missing"),
    ],
)
def test_videos_are_held_against_the_annotations(tmp_path, row, said):
    (tmp_path / "train").mkdir()
    write_video(tmp_path / "train" / "v.mp4", 40, fps=25)
    problems = problems_of(tmp_path, row, tmp_path)
    assert (problems == []) if said is None else (len(problems) == 1 and said in problems[0])


@pytest.mark.parametrize(
    ("name", "text", "problems"),
    [
        ("labels.txt", "1.0\t2.0\tnodding\n", []),
        ("v.srt", "1\n00:00:01,000 --> 00:00:02,000\nnodding\n", []),
        ("elan.txt", "head\t\t1.0\t2.0\t1.0\tnodding\n", []),
        ("table.txt", HEADER.replace(",", "\t") + "0\tv\t0\t30\t9\t300\t30\n", []),
        ("list.txt", "a.mp4 9\n", []),
        ("list.txt", "a.mp4 nodings\n", ["unknown label 'nodings'"]),
        ("v.srt", "1\n00:00:01,000 --> 00:00:02,000\n[music]\n", ["unknown label '[music]'"]),
        (
            "a.json",
            '{"database": {"v": {"annotations": [{"segment": [0, 1], "label": 9}]}}}',
            ["video 'v': no duration; add its length in seconds"],
        ),
    ],
)
def test_files_of_every_kind_are_checked(tmp_path, name, text, problems):
    (tmp_path / name).write_text(text)
    found, _ = check_data(tmp_path / name, MMA52)
    assert len(found) == len(problems)
    assert all(said in problem for said, problem in zip(problems, found))


def test_a_file_and_its_videos_are_read_once(tmp_path, monkeypatch):
    """Both questions to a video, its rate and whether it fits, are answered by one pass over its packets."""
    for name in ("v", "w"):
        write_video(tmp_path / f"{name}.mp4", 40)
    (tmp_path / "a.json").write_text('{"database": {"v": {"duration": 1.6}, "w": {"duration": 1.6}}}')
    opened, probe, read_json = [], probing.probe, source.read_json
    monkeypatch.setattr(probing, "probe", lambda path: (opened.append(path.name), probe(path))[1])
    monkeypatch.setattr(source, "read_json", lambda path, **how: (opened.append(path.name), read_json(path, **how))[1])
    problems, _ = check_data(tmp_path / "a.json", MMA52, str(tmp_path))
    assert problems == [] and sorted(opened) == ["a.json", "v.mp4", "w.mp4"]
