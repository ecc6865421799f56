"""`mmad index` and `mmad query` as they are typed."""

import csv
import json
import sys
from pathlib import Path

import pytest

from mmad.cli.commands import index, query
from mmad.errors import InputError
from mmad.formats import read_events

pytest.importorskip("pyarrow", reason='the index needs pyarrow: pip install "mmad[archive]"')

NODS = [{"segment": [3723.4, 3725.0], "label": "nodding", "score": 0.9}]
NODS += [
    {"segment": [0.5, 1.0], "label": "nodding", "score": 0.4},
    {"segment": [0, 60], "label": "waving", "score": 0.2},
]


@pytest.fixture
def here(tmp_path, monkeypatch, capsys) -> Path:
    monkeypatch.chdir(tmp_path)
    for day, found in (("day1", {"day1/cam": NODS}), ("day2", {"b": NODS[1:], "a": NODS[1:2]})):
        Path("results", day).mkdir(parents=True)
        Path("results", day, "predictions.json").write_text(json.dumps({"results": found}))
    assert index.main(["results", "--out", "index.parquet"]) == 0
    said = "6 detections in 3 videos in index.parquet; 2 files read, 0 unchanged, 0 gone\n"
    assert capsys.readouterr().out == said
    return tmp_path


def test_every_nod_longer_than_a_second(here, capsys):
    query.main(["index.parquet", "--action", "nodding", "--longer", "1", "--out", "nods.csv"])
    assert capsys.readouterr().out.splitlines() == [
        "video     start         end              s  action   score",
        "day1/cam  01:02:03.400  01:02:05.000  1.60  nodding  0.900",
        "",
        "action   count  videos  seconds  mean s  median score",
        "nodding      1       1      1.6    1.60         0.900",
        "",
        "1 of 6 detections; nods.csv",
    ]
    with open("nods.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        **{"video_id": "day1/cam", "t_start": "3723.4", "t_end": "3725.0", "class": "nodding", "score": "0.9"},
        **{"body_part": "head", "start_timecode": "01:02:03.400", "end_timecode": "01:02:05.000"},
        "source": "results/day1/predictions.json",
    }
    (back,) = read_events("nods.csv")
    assert (back.video_id, back.segments.tolist(), back.scores.tolist()) == ("day1/cam", [[3723.4, 3725.0]], [0.9])


def test_by_video_and_time_or_the_best_first(here, capsys):
    def first_words(*typed: str) -> list[list[str]]:
        query.main(["index.parquet", *typed])
        lines = capsys.readouterr().out.split("\n\n")[0].splitlines()[1:]
        return [line.split()[:2] for line in lines]

    times = [["a", "00:00:00.500"], ["b", "00:00:00.000"], ["b", "00:00:00.500"], ["day1/cam", "00:00:00.000"]]
    times += [["day1/cam", "00:00:00.500"], ["day1/cam", "01:02:03.400"]]
    assert first_words() == times
    assert first_words("--best") == [times[i] for i in (5, 0, 2, 4, 1, 3)]
    assert first_words("--best", "--most", "2") == [times[5], times[0]]
    assert first_words("--show", "2") == [*times[:2], ["...", "and"]]
    assert first_words("--video", "day1/*", "--score", "0.3") == times[4:]
    assert first_words("--part", "upper limb", "--shorter", "61") == [times[1], times[3]]


def test_nothing_found_is_an_answer(here, capsys):
    query.main(["index.parquet", "--longer", "1000", "--out", "none.csv"])
    assert capsys.readouterr().out == "0 of 6 detections; none.csv\n"
    assert len(Path("none.csv").read_text().splitlines()) == 1


def test_names_are_printed_without_control_characters(here, capsys):
    """An index may be anybody's: a name could otherwise write over the screen."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table("index.parquet")
    names = pyarrow.array(["x\x1b[2J"] * 5 + ["y" * 60])
    parquet.write_table(table.set_column(0, "video", names), "changed.parquet")
    query.main(["changed.parquet"])
    said = capsys.readouterr().out
    assert "\x1b" not in said and "x?[2J" in said and f"...{'y' * 37} " in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--longer", "-1"], "--longer: -1 seconds"),
        (["--longer", "nan"], "--longer: nan seconds"),
        (["--score", "50"], "--score: 50 is not a score"),
        (["--most", "0"], "--most above 0"),
        (["--out", "nods.xlsx"], "'nods.xlsx' is not a table; name a .csv file"),
        (["--action", "nod"], "no action 'nod' in index.parquet; did you mean 'nodding'?"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(here, typed, said):
    with pytest.raises(InputError) as refused:
        query.main(["index.parquet", *typed])
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["results", "--min-score", "2"], "2 is not a score"),
        (["nowhere"], "nowhere: is not there"),
        (["results", "--labels", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_what_cannot_be_indexed_is_refused_in_one_line(here, typed, said):
    with pytest.raises((InputError, FileNotFoundError), match=said):
        index.main([*typed, "--out", "new.parquet"])
    assert not Path("new.parquet").exists()


def test_without_pyarrow_one_line_says_what_to_type(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for main, typed in ((index.main, ["results", "--out", "new.parquet"]), (query.main, ["index.parquet"])):
        with pytest.raises(InputError, match=r'pyarrow: is not installed; type: pip install "mmad\[archive\]"'):
            main(typed)
