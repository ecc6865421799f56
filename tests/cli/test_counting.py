"""tools/ethogram.py, eval/agreement.py and eval/thresholds.py through the command line."""

import csv
import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Truth: 2 s of nodding in a minute. Predictions: the same, and a false one of a lower score."""
    monkeypatch.chdir(tmp_path)
    Path("truth.csv").write_text(HEADER + "0,v1,0,50,9,1500,25\n")
    items = [
        {"segment": [0.0, 2.0], "label": "nodding", "score": 0.9},
        {"segment": [10.0, 12.0], "label": "nodding", "score": 0.4},
    ]
    Path("predictions.json").write_text(json.dumps({"results": {"v1": items, "v2": items[1:]}}))
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def typed(script: str, *arguments):
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        done = capsys.readouterr()
        assert left.value.code == 0, done.err
        return done

    return typed


def rows_of(path: str) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_an_ethogram_of_annotations(run, here):
    done = run("tools/ethogram.py", "truth.csv", "--out", "out")
    assert "nodding" in done.out
    assert done.err == ""
    rows = [row for row in rows_of("out/ethogram_videos.csv") if row["count"] != "0"]
    figures = {
        "count": "1",
        "total_s": "2.000",
        "mean_s": "2.000",
        "share_of_time": "0.033333",
        "rate_per_minute": "1.0000",
    }
    assert rows == [
        {"video_id": "v1", "level": "action", "name": "nodding", **figures},
        {"video_id": "v1", "level": "body part", "name": "head", **figures},
    ]
    assert next(row for row in rows_of("out/ethogram.csv") if row["count"] != "0") == {
        "level": "action",
        "name": "nodding",
        **figures,
    }


def test_thresholds_then_ethogram_and_agreement_of_predictions(run, here):
    out = run("eval/thresholds.py", "predictions.json", "--ground-truth", "truth.csv", "--out", "thresholds.json").out
    assert out.splitlines()[1].split() == ["nodding", "1", "0.9000", "1.000"]
    chosen = ("--thresholds", "thresholds.json")
    done = run("tools/ethogram.py", "predictions.json", "--out", "out", *chosen)
    assert "2 of 2 videos have no known length" in done.err
    assert sum(int(row["count"]) for row in rows_of("out/ethogram.csv")) == 2  # an action and its body part
    done = run("eval/agreement.py", "truth.csv", "predictions.json", *chosen, "--json", "agreement.json")
    assert "warning: 1 videos of predictions.json are not in the other" in done.err
    figures = json.loads(Path("agreement.json").read_text())
    assert figures["pooled"] == {"kappa": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    done = run("eval/agreement.py", "truth.csv", "predictions.json", "--min-score", 0)
    assert done.out.splitlines()[1].split()[:4] == ["nodding", "1", "2", "1"]


WITHOUT_RATES = "id,video_id,start_frame,end_frame,class,total_frames\n0,v1,0,50,9,1500\n"


def test_frames_a_second_of_annotations_that_do_not_say(run, here):
    """2 s of 60 at 25 a second; at the 30 that are else assumed 1.667 s of 50."""
    Path("truth.csv").write_text(WITHOUT_RATES)
    truth, strict = ("--ground-truth", "truth.csv"), ("--tiou", 0.95)
    commands = {
        "ethogram": ("tools/ethogram.py", "truth.csv", "--out", "out"),
        "agreement": ("eval/agreement.py", "truth.csv", "predictions.json", "--min-score", 0.5),
        "thresholds": ("eval/thresholds.py", "predictions.json", *truth, *strict, "--out", "t.json"),
        "precision": ("tools/figures.py", "precision", "predictions.json", *truth, *strict, "--out", "out"),
        "timeline": ("tools/figures.py", "timeline", "predictions.json", "--video", "v1", *truth, "--out", "t.png"),
        "statistics": ("tools/figures.py", "statistics", "truth.csv", "--out", "out"),
        "export": ("tools/export.py", "truth.csv", "--format", "csv", "--out", "out.csv"),
        "check": ("tools/check_data.py", "truth.csv"),
    }
    for name, command in commands.items():
        assert "frames a second are assumed" not in run(*command, "--fps", 25).err, name
        if name == "ethogram":
            assert {row["total_s"] for row in rows_of("out/ethogram.csv")} == {"0.000", "2.000"}
        if name != "thresholds":  # which then finds nothing
            assert run(*command).err.count("has no fps column: 30 frames a second are assumed") == 1, name
    assert {row["total_s"] for row in rows_of("out/ethogram.csv")} == {"0.000", "1.667"}
    content = json.loads(Path("predictions.json").read_text())
    Path("predictions.json").write_text(json.dumps({**content, "fps": 25}))
    for name in ("agreement", "thresholds", "precision", "timeline"):
        assert "assumed" not in run(*commands[name]).err, name


def test_predictions_of_other_actions_are_counted_without_their_label_file(run, here):
    hands = {"name": "hands", "actions": ["wave", "nod"], "parts": ["hand", "head"], "part_of": [0, 1]}
    items = [{"segment": [0.0, 2.0], "label": "nod", "score": 0.9}]
    Path("predictions.json").write_text(json.dumps({"labels": hands, "results": {"v1": items}}))
    Path("truth.csv").write_text(HEADER + "0,v1,0,50,nod,1500,25\n")
    assert "nod" in run("tools/ethogram.py", "predictions.json", "--out", "out", "--min-score", 0).out
    assert "nod" in run("eval/agreement.py", "truth.csv", "predictions.json", "--min-score", 0).out
    run("eval/thresholds.py", "predictions.json", "--ground-truth", "truth.csv", "--out", "thresholds.json")
    run("tools/export.py", "predictions.json", "--format", "elan", "--out", "eaf")
    assert 'TIER_ID="nod"' in Path("eaf/v1.eaf").read_text()
    run("tools/figures.py", "timeline", "predictions.json", "--video", "v1", "--out", "t.png")


def test_two_raters_in_elan(run, here):
    for rater in ("anna", "ben"):
        run("tools/export.py", "truth.csv", "--format", "elan", "--out", rater)
    assert run("eval/agreement.py", "anna", "ben").out.splitlines()[-2].split()[-4:] == ["1.000"] * 4


EAF = """<ANNOTATION_DOCUMENT><HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="2000"/></TIME_ORDER>
{}</ANNOTATION_DOCUMENT>"""
TIER = """<TIER TIER_ID="{0}" LINGUISTIC_TYPE_REF="t" ANNOTATOR="{0}"><ANNOTATION><ALIGNABLE_ANNOTATION
ANNOTATION_ID="{0}1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>nodding</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION></TIER>"""


def test_two_files_of_one_video_are_compared_whatever_their_names(run, here):
    for name in ("anna", "ben"):
        Path(f"{name}.eaf").write_text(EAF.format(TIER.format("c")))
    done = run("eval/agreement.py", "anna.eaf", "ben.eaf")
    assert done.out.splitlines()[-2].split()[-4:] == ["1.000"] * 4
    assert "warning: anna and ben are compared as one video" in done.err


@pytest.mark.parametrize("option", ["--annotator", "--tier"])
def test_two_people_in_one_file(run, here, option):
    other = TIER.format("ben").replace("nodding", "waving")
    Path("v.eaf").write_text(EAF.format(TIER.format("anna") + other))
    done = run("eval/agreement.py", "v.eaf", option, "anna", option, "ben", "--json", "a.json")
    assert json.loads(Path("a.json").read_text())["pooled"]["f1"] == 0.0
    done = run("eval/agreement.py", "v.eaf", "v.eaf", option, "anna")
    assert done.out.splitlines()[1].split()[0] == "nodding"
    for command in ("tools/ethogram.py", "tools/export.py"):
        more = ("--out", "out") if "etho" in command else ("--out", "o.csv", "--format", "csv")
        assert "nodding" in run(command, "v.eaf", option, "anna", *more).out + Path("v.eaf").read_text()
    assert len(Path("o.csv").read_text().splitlines()) == 2


def test_two_videos_that_are_named_in_their_files_are_not_compared(run, here, monkeypatch, capsys):
    Path("other.csv").write_text(HEADER + "0,v9,0,50,9,1500,25\n")
    monkeypatch.setattr(sys, "argv", ["eval/agreement.py", "truth.csv", "other.csv"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(ROOT / "eval/agreement.py"), run_name="__main__")
    assert left.value.code == 2
    assert "other.csv: no video of truth.csv is in it; do the names of the videos differ?" in capsys.readouterr().err


def test_one_file_and_nobody_to_compare_is_one_line(run, here, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["eval/agreement.py", "truth.csv"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(ROOT / "eval/agreement.py"), run_name="__main__")
    assert left.value.code == 2
    assert (
        "truth.csv: one file, and nobody to compare; give a second file, or name two people" in capsys.readouterr().err
    )


def test_map_needs_no_lengths_and_knows_subsets_by_other_names(run, here):
    items = {"subset": "Validation", "annotations": [{"segment": ["0", 2.0], "label": "nodding"}]}
    Path("truth.json").write_text(json.dumps({"database": {"v1": items}}))
    done = run("eval/map.py", "predictions.json", "--ground-truth", "truth.json")
    assert "mean over 1 classes with truth" in done.out
    assert "the length of 1 of 1 videos is not known" in done.err
