"""The figure of a training, read as the text of an SVG."""

import json

import pytest
from read_pictures import text_of

from mmad.errors import InputError
from mmad.report.training_figure import draw_training, read_history


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
