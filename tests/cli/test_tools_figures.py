"""The command that draws figures."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from mmad.labels import MMA52

ROOT = Path(__file__).parents[2]
NODDING = MMA52.index["nodding"]


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


def test_labels_are_offered_where_they_have_an_effect(run, files):
    """`training` takes --labels as it always did, without a word about it."""
    offered = {name: run(name, "--help")[1] for name in ("timeline", "statistics", "training", "precision")}
    assert "--labels" not in offered["training"]
    assert "default: mma52" in " ".join(offered["statistics"].split())
    assert all("what the predictions carry" in " ".join(offered[name].split()) for name in ("timeline", "precision"))
    assert run("training", files, "--labels", "mma52", "--out", files / "training.png")[0] == 0


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
