"""eval/map.py as people type it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "eval" / "map.py"
THRESHOLDS = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]

# Nodding (9) and tilting head (7) in v1, nodding in v2; half of the second nodding is found (IoU 2 / 4.0001).
TRUTH = """id,video_id,start_frame,end_frame,class,total_frames,fps
0,v1,0,120,9,300,30
1,v1,60,180,7,300,30
2,v2,29,145,9,290,29
"""
RESULTS = {
    "v1": [{"segment": [0, 4], "label": "nodding", "score": 0.9}],
    "v2": [{"segment": [1, 3], "label": "nodding", "score": 0.5}, {"segment": [1, 5], "label": "waving", "score": 0.8}],
}


@pytest.fixture
def folder(tmp_path):
    """A ground truth, and predictions that name it."""
    (tmp_path / "val.csv").write_text(TRUTH)
    write_results(tmp_path / "predictions.json", RESULTS, "val.csv")
    return tmp_path


def write_results(path: Path, results, ground_truth=None) -> None:
    path.write_text(json.dumps({"version": "1", "ground_truth": ground_truth, "results": results}))


def run(*arguments, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=cwd)


def test_table_and_json(folder):
    """Action: nodding is 1 up to 0.4 and 1/2 above, tilting head 0. Body part: all three truths are of the head, and
    two detections find two of them up to 0.4, one above."""
    done = run(folder / "predictions.json", "--ground-truth", folder / "val.csv", "--json", folder / "report.json")
    assert (done.returncode, done.stderr) == (0, "")

    lines = {line[:9]: line.split() for line in done.stdout.splitlines()}
    assert lines["tIoU     "][1:10] == THRESHOLDS
    assert lines["action   "][1:] == ["50.00"] * 4 + ["25.00"] * 5 + ["36.11", "33.33"]
    assert lines["body part"][2:] == ["66.67"] * 4 + ["33.33"] * 5 + ["48.15", "44.44"]
    assert "waving" in done.stdout.splitlines()[-1]

    report = json.loads((folder / "report.json").read_text())
    assert report["map"] == pytest.approx(dict(zip(THRESHOLDS, [0.5] * 4 + [0.25] * 5)))
    assert report["average"] == pytest.approx((4 * 0.5 + 5 * 0.25) / 9)
    assert report["average3"] == pytest.approx((0.5 + 0.25 + 0.25) / 3)
    assert report["body"]["map"] == pytest.approx(dict(zip(THRESHOLDS, [2 / 3] * 4 + [1 / 3] * 5)))
    assert report["body"]["average"] == pytest.approx((4 * 2 / 3 + 5 * 1 / 3) / 9)
    assert report["body"]["average3"] == pytest.approx((2 / 3 + 1 / 3 + 1 / 3) / 3)
    assert list(report["per_class"]) == ["tilting head", "nodding"]
    assert report["per_class"]["nodding"] == pytest.approx(dict(zip(THRESHOLDS, [1] * 4 + [0.5] * 5)))
    assert report["per_class"]["tilting head"] == dict.fromkeys(THRESHOLDS, 0)


def test_why_map_is_lost(folder):
    """At 0.5 one nodding is true, the other has too little overlap; waving is taken for nodding, of another part."""
    done = run(folder / "predictions.json", "--diagnose")
    assert (done.returncode, done.stderr) == (0, "")
    counts = {
        line[2:28].strip(): line[28:].split()[0]
        for line in done.stdout.splitlines()
        if " %" in line and "of" not in line
    }
    assert {name: counts[name] for name in ("true", "boundary", "wrong class")} == dict(
        zip(("true", "boundary", "wrong class"), "111")
    )
    assert "mAP at tIoU 0.3: " in run("--diagnose", folder / "predictions.json", "--tiou", "0.3").stdout
    check_refused(run(folder / "predictions.json", "--tiou", "50"), ["--tiou: 50 is not a tIoU"])


def test_ground_truth_named_in_the_predictions(folder):
    """Beside the predictions, from wherever the command is typed."""
    given = run(folder / "predictions.json", "--ground-truth", folder / "val.csv")
    assert run("predictions.json", cwd=folder).stdout == given.stdout
    assert run(folder / "predictions.json", cwd=folder.parent).stdout == given.stdout


def test_ground_truth_is_never_looked_for_where_the_command_is_typed(folder, tmp_path_factory):
    """A file of the same name there is of other videos."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "val.csv").write_text(TRUTH.replace("v1", "v8").replace("v2", "v9"))
    given = run(folder / "predictions.json", "--ground-truth", folder / "val.csv")
    assert run(folder / "predictions.json", cwd=elsewhere).stdout == given.stdout
    (folder / "val.csv").unlink()
    check_refused(
        run(folder / "predictions.json", cwd=elsewhere), ["val.csv is not there; give it with --ground-truth"]
    )


WITHOUT_RATES = "video_id,start_frame,end_frame,class,total_frames\nv1,0,50,9,250\nv1,100,150,7,250\n"
PERFECT = {
    "v1": [
        {"segment": [0, 2], "label": "nodding", "score": 0.9},
        {"segment": [4, 6], "label": "tilting head", "score": 0.8},
    ]
}


def average_of(*arguments) -> tuple[str, str]:
    """(Avg 0.1:0.9 of actions, stderr)"""
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[1].split()[-2], done.stderr


def test_frames_a_second_of_a_file_that_does_not_say(folder):
    """Perfect at 25: what is typed counts, then what the predictions say, and 30 is only assumed aloud."""
    (folder / "val.csv").write_text(WITHOUT_RATES)
    write_results(folder / "p.json", PERFECT, "val.csv")
    assert average_of(folder / "p.json", "--fps", 25) == ("100.00", "")
    wrong, said = average_of(folder / "p.json")
    assert float(wrong) < 100
    assert said.count("\n") == 1 and "val.csv has no fps column: 30 frames a second are assumed" in said
    assert average_of(folder / "p.json", "--fps", 30) == (wrong, "")
    content = json.loads((folder / "p.json").read_text())
    (folder / "p.json").write_text(json.dumps({**content, "fps": 25}))
    assert average_of(folder / "p.json") == ("100.00", "")
    assert average_of(folder / "p.json", "--fps", 30) == (wrong, "")
    check_refused(run(folder / "p.json", "--fps", 0), ["--fps: 0 frames a second; expected a positive number"])


def test_subset_chooses_the_videos_that_are_judged(folder):
    actions = {"train": [["nodding", 0, 4]], "val": [["nodding", 5, 9]]}
    truth = {f"{s}0": {"subset": s, "duration": 10, "actions": items} for s, items in actions.items()}
    (folder / "mmad.json").write_text(json.dumps(truth))
    write_results(folder / "p.json", {"train0": [{"segment": [0, 4], "label": "nodding", "score": 0.9}]})
    arguments = [folder / "p.json", "--ground-truth", folder / "mmad.json", "--json", folder / "report.json"]
    for subset, expected in [([], 0), (["--subset", "train"], 1), (["--subset", "val"], 0)]:
        assert run(*arguments, *subset).returncode == 0
        assert json.loads((folder / "report.json").read_text())["average"] == expected


def test_own_labels(folder):
    (folder / "labels.txt").write_text("0\twave\thand\n1\tnod\thead\n")
    (folder / "truth.json").write_text(json.dumps({"v1": {"duration": 10, "actions": [["nod", 0, 4]]}}))
    write_results(folder / "p.json", {"v1": [{"segment": [0, 4], "label": "nod", "score": 0.9}]}, "truth.json")
    done = run(folder / "p.json", "--labels", folder / "labels.txt", "--json", folder / "report.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads((folder / "report.json").read_text())["per_class"]) == ["nod"]


def test_placeholder_rows_are_pointed_out(folder):
    rows = "0,test0000,0,20,1,166,30\n1,test0001,0,20,2,232,30\n"
    (folder / "test.csv").write_text(TRUTH.splitlines(keepends=True)[0] + rows)
    done = run(folder / "predictions.json", "--ground-truth", folder / "test.csv")
    assert done.returncode == 0
    assert "placeholder" in done.stdout + done.stderr


def test_command_needs_no_torch(folder):
    """Else its start takes seconds."""
    command = [sys.executable, "-X", "importtime", str(SCRIPT), str(folder / "predictions.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    modules = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    assert "numpy" in modules
    assert "torch" not in modules


ITEM = {"segment": [0, 4], "label": "nodding", "score": 0.9}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("val.csv", None, ["val.csv"]),
        ("val.csv", TRUTH.replace("class", "klass"), ["val.csv, line 1", "no column class"]),
        ("val.csv", TRUTH.replace(",7,", ",77,"), ["val.csv, line 3", "unknown label 77"]),
        ("val.csv", TRUTH.splitlines()[0] + "\n", ["val.csv"]),
        ("predictions.json", None, ["predictions.json"]),
        ("predictions.json", '{"results": {"v1": [', ["predictions.json, line 1", "not JSON"]),
        ("predictions.json", {"results": {"v1": [ITEM]}}, ["predictions.json", "names no ground truth"]),
        ("predictions.json", {"results": {}, "ground_truth": 5}, ["predictions.json", "5"]),
        (
            "predictions.json",
            {"results": {"v1": [ITEM, {**ITEM, "label": "noding"}]}, "ground_truth": "val.csv"},
            ["predictions.json, video 'v1', results[1]", "unknown label 'noding'; did you mean 'nodding'?"],
        ),
        (
            "predictions.json",
            {"results": {"v1": [ITEM, {**ITEM, "score": float("nan")}]}, "ground_truth": "val.csv"},
            ["predictions.json, video 'v1', results[1]", "score nan is not a number"],
        ),
    ],
    ids=[
        "no ground truth file",
        "no column",
        "unknown label in truth",
        "truth without rows",
        "no predictions file",
        "truncated",
        "names no ground truth",
        "ground truth is no name",
        "unknown label",
        "NaN score",
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, name, content, said):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    check_refused(run(folder / "predictions.json", "--json", folder / "report.json"), said)
    assert not (folder / "report.json").exists()


def test_ground_truth_without_any_action_is_refused(folder):
    """Every mean would be a mean of nothing: NaN, which is no JSON either."""
    (folder / "truth.json").write_text(json.dumps({"v1": {"duration": 10, "actions": []}}))
    check_refused(run(folder / "predictions.json", "--ground-truth", folder / "truth.json"), ["truth.json"])


def test_missing_ground_truth_is_named_as_it_was_typed(folder):
    done = run(folder / "predictions.json", "--ground-truth", "nowhere.csv", cwd=folder.parent)
    check_refused(done, ["error: nowhere.csv: "])


def check_refused(done: subprocess.CompletedProcess, said: list[str]) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for words in said:
        assert words in done.stderr
