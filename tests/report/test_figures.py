"""Figures, read as the text of an SVG or by their pixels, and the command that draws them."""

import csv
import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet
from mmad.metrics.diagnosis import diagnose
from mmad.records import Annotation, Detections
from mmad.report.figures import (
    draw_co_occurrence,
    draw_diagnosis,
    draw_ethogram,
    draw_training,
    read_history,
    write_precision,
    write_statistics,
)
from mmad.report.pictures import COLOURS

ROOT = Path(__file__).parents[2]
NODDING, SHAKING_LEGS, WAVING = (MMA52.index[name] for name in ("nodding", "shaking legs", "waving"))
TRUTH = [
    Annotation("a", 10.0, [[0, 2], [1, 3], [5, 6]], [NODDING, SHAKING_LEGS, NODDING]),
    Annotation("b", 10.0, [[4, 5]], [NODDING]),
]
FOUND = [  # right, right and wrong of nodding; wrong and right of shaking legs
    Detections(
        "a", [[0, 2], [5, 6], [8, 9], [7, 9], [1, 3]], [NODDING] * 3 + [SHAKING_LEGS] * 2, [0.9, 0.8, 0.2, 0.7, 0.6]
    )
]


def text_of(path) -> list[str]:
    """What a person reads in an SVG, in the order in which it is drawn."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def share_of(path, colour: str) -> float:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return float((pixels == [int(colour[at : at + 2], 16) for at in (1, 3, 5)]).all(axis=2).mean())


# --- a data set -----------------------------------------------------------------------------------------------------


def test_statistics_of_a_data_set(tmp_path):
    paths = write_statistics(tmp_path, TRUTH, MMA52, ".svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert "median 1.5 s" in text_of(tmp_path / "lengths.svg")  # 2, 2, 1, 1
    assert "instances in a video (mean 2.00)" in text_of(tmp_path / "instances.svg")
    classes = text_of(tmp_path / "classes.svg")
    names = [text for text in classes if text in MMA52.index]
    assert names[:2] == ["nodding", "shaking legs"] and len(names) == 52
    assert "3" in classes and classes.count("0") >= 50  # instances over the bars
    assert len([text for text in text_of(tmp_path / "co_occurrence.svg") if text in MMA52.index]) == 104


def test_co_occurrence_as_a_table(tmp_path):
    write_statistics(tmp_path, TRUTH, MMA52)
    rows = list(csv.reader((tmp_path / "co_occurrence.csv").open(newline="")))
    assert rows[0] == ["", *MMA52.actions]
    values = np.array([row[1:] for row in rows[1:]], dtype=int)
    assert values.sum() == 2 and values[NODDING, SHAKING_LEGS] == values[SHAKING_LEGS, NODDING] == 1


def test_pairs_that_never_overlap_are_white(tmp_path):
    few = LabelSet("three", ("a", "b$", "<c>"), ("one",), (0, 0, 0))
    whites = []
    for pairs in (np.zeros((3, 3), int), np.eye(3, dtype=int) * 5):
        draw_co_occurrence(tmp_path / "c.png", pairs, few)
        whites.append(share_of(tmp_path / "c.png", "#FFFFFF"))
    assert whites[0] > whites[1] + 0.03
    draw_co_occurrence(tmp_path / "c.svg", pairs, few)
    assert {"b$", "&lt;c&gt;"} <= {*text_of(tmp_path / "c.svg")}


def test_no_action_is_no_data_set(tmp_path):
    for empty in ([], [Annotation("a", 1.0, [], [])]):
        with pytest.raises(InputError, match="no action"):
            write_statistics(tmp_path, empty, MMA52)


def test_actions_that_last_no_time_do_no_harm(tmp_path):
    write_statistics(tmp_path, [Annotation("a", 1.0, [[0.5, 0.5]], [NODDING])], MMA52)
    assert (tmp_path / "lengths.png").stat().st_size > 1000


# --- a training -----------------------------------------------------------------------------------------------------


def history_in(folder, rows: list[dict]) -> list[dict]:
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_history(folder)


def test_the_best_epoch_of_a_training_is_marked(tmp_path):
    scores = {2: 0.31, 4: 0.405, 6: 0.4}
    rows = [
        {"epoch": i, "classify": 1 / i, "offset": 2 / i, "loss": 3 / i, "lr": 0.1, "seconds": 1.0}
        | ({"score": scores[i], "mAP@0.5": 0.5} if i in scores else {})
        for i in range(1, 7)
    ]
    draw_training(tmp_path / "t.svg", history_in(tmp_path, rows))
    text = text_of(tmp_path / "t.svg")
    assert {"classify", "offset", "sum", "score", "mAP@0.5", "best: epoch 4, 40.5 %"} <= {*text}
    assert not {"lr", "seconds"} & {*text}


def test_a_training_that_was_not_judged_yet(tmp_path):
    draw_training(tmp_path / "t.svg", history_in(tmp_path, [{"epoch": 1, "classify": 2.0, "loss": 2.0, "lr": 0.1}]))
    text = text_of(tmp_path / "t.svg")
    assert "not evaluated yet" in text and "classify" in text
    assert "sum" not in text  # of one loss


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("{", "line 1"),
        ("[1]\n", "line 1"),
        ('{"epoch": 1}\n', "no loss"),
        ('{"epoch": "x"}\n', "numbers"),
    ],
)
def test_histories_that_are_none(tmp_path, content, said):
    (tmp_path / "metrics.jsonl").write_text(content)
    with pytest.raises(InputError, match=said):
        read_history(tmp_path)


# --- detections -----------------------------------------------------------------------------------------------------


def test_precision_by_part_and_class(tmp_path):
    """nodding: right, right, wrong of 3: AP 2/3. shaking legs: wrong, right of 1: AP 1/2. mAP 7/12."""
    write_precision(tmp_path, TRUTH, FOUND, MMA52, 0.5, ".svg")
    curves = text_of(tmp_path / "precision_recall.svg")
    assert {"head 66.7", "lower limb 50.0", "mean of classes 58.3"} <= {*curves}
    assert not any(text.startswith("upper limb") for text in curves)  # without truth
    bars = text_of(tmp_path / "average_precision.svg")
    assert [text for text in bars if text in MMA52.index] == ["nodding", "shaking legs"]
    assert "mAP 58.3" in bars and {"3", "1"} <= {*bars}


def test_diagnosis_names_every_kind(tmp_path):
    draw_diagnosis(tmp_path / "d.svg", diagnose(TRUTH, FOUND, MMA52))
    text = text_of(tmp_path / "d.svg")
    assert {"true", "duplicate", "boundary", "wrong class, right part", "background", "missed"} <= {*text}
    assert {"60.0", "40.0", "mAP at tIoU 0.5: 58.3"} <= {*text}  # 3 of 5 are true, 2 background


def test_nothing_found_is_a_figure_too(tmp_path):
    for path in write_precision(tmp_path, TRUTH, [], MMA52):
        assert path.stat().st_size > 1000


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_a_tiou_is_between_0_and_1(tmp_path, threshold):
    with pytest.raises(InputError, match="tIoU"):
        write_precision(tmp_path, TRUTH, FOUND, MMA52, threshold)


# --- a person -------------------------------------------------------------------------------------------------------


def test_ethogram(tmp_path):
    rows = [
        ("waving", 2, 1, 3.0, 3.0, 0.5),
        ("nodding", 1, 4, 2.0, 0.5, 2.0),
        ("turning <head> $", 1, 8, 4.0, 0.5, 4.0),
    ]
    draw_ethogram(tmp_path / "e.svg", rows)
    text = text_of(tmp_path / "e.svg")
    names = [word for word in text if word in ("waving", "nodding", "turning &lt;head&gt; $")]
    assert names == ["turning &lt;head&gt; $", "nodding", "waving"]  # by part, then by rate
    assert {"4 (8)", "2 (mean 0.5)", "head", "upper limb"} <= {*text}
    draw_ethogram(tmp_path / "e.png", rows)
    assert share_of(tmp_path / "e.png", COLOURS[1]) > 2 * share_of(tmp_path / "e.png", COLOURS[2]) > 0
    draw_ethogram(tmp_path / "none.png", [])


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys):
    """run(argument, ...) -> (exit code, stdout, stderr), in this process."""

    def typed(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["figures.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / "tools" / "figures.py"), run_name="__main__")
        return left.value.code, *capsys.readouterr()

    return typed


@pytest.fixture
def files(tmp_path):
    """predictions.json of two videos and truth.csv of one."""
    item = {"segment": [0, 4], "label": "nodding", "score": 0.9}
    (tmp_path / "predictions.json").write_text(json.dumps({"results": {"v1": [item], "v2": []}}))
    columns = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"
    (tmp_path / "truth.csv").write_text(f"{columns}0,v1,0,120,{NODDING},300,30\n")
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1, "classify": 2.0, "loss": 2.0}\n')
    return tmp_path


def test_every_figure_by_command(run, files):
    out, predictions, truth = files / "out", files / "predictions.json", files / "truth.csv"
    for arguments in (
        ("timeline", predictions, "--video", "v1", "--ground-truth", truth, "--out", out / "t.pdf"),
        ("statistics", truth, "--out", out, "--format", "svg"),
        ("training", files, "--out", out / "training.png"),
        ("precision", predictions, "--ground-truth", truth, "--out", out, "--tiou", "0.3"),
    ):
        code, written, said = run(*arguments)
        assert code == 0, said
        assert written and all(Path(line).stat().st_size for line in written.splitlines())
    assert (out / "t.pdf").exists() and (out / "co_occurrence.svg").exists() and (out / "diagnosis.png").exists()


def test_a_wrong_request_is_one_line(run, files):
    predictions, truth = files / "predictions.json", files / "truth.csv"
    for arguments, said in (
        (("timeline", predictions, "--video", "v9", "--out", files / "t.pdf"), "v9"),
        (("timeline", predictions, "--video", "v2", "--ground-truth", truth, "--out", files / "t.pdf"), "truth.csv"),
        (("timeline", predictions, "--video", "v1", "--out", files / "t.tiff"), ".tiff"),
        (("training", files / "no run", "--out", files / "t.pdf"), "no run"),
    ):
        code, _, line = run(*arguments)
        assert code == 2 and said in line and line.count("\n") == 1, line
    assert not list(files.glob("t.*"))
