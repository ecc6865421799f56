"""`mmad recognition` and `mmad recognize` where body parts are ranked separately; figures counted by hand."""

import json
from types import SimpleNamespace

import pytest

from mmad.cli.commands import recognition, recognize
from mmad.config import BackboneConfig
from mmad.engine import predict_clips
from mmad.errors import InputError
from mmad.labels import LabelSet

HEADER = "vid," + ",".join(f"{kind}_pred_{rank}" for kind in ("action", "body") for rank in range(1, 6))
# Of four clips the second and the third disagree; body-hand is 4, upper limb 2, head 1.
ROWS = ("a.mp4,9,7,8,10,6,1,2,3,5,4", "b.mp4,17,33,9,22,19,4,2,5,1,3", "c.mp4,33,17,9,22,19,2,4,5,1,3")
ROWS += ("d.mp4,8,9,7,5,6,1,2,0,3,5",)
TRUTH = "a.mp4 9\nb.mp4 33\nc.mp4 33\nd.mp4 9\n"


def judge(tmp_path, capsys, content: str) -> tuple[dict, str]:
    """The figures as JSON, and what is said."""
    (tmp_path / "list.txt").write_text(TRUTH)
    (tmp_path / "prediction.csv").write_text(content)
    paths = [str(tmp_path / name) for name in ("prediction.csv", "list.txt", "out.json")]
    recognition.main([paths[0], "--ground-truth", paths[1], "--json", paths[2]])
    return json.loads((tmp_path / "out.json").read_text()), capsys.readouterr().out


def test_body_parts_that_disagree_with_the_actions_count_as_they_stand(tmp_path, capsys):
    scores, said = judge(tmp_path, capsys, "\n".join((HEADER, *ROWS)))
    assert "in 2 of 4 clips the first body part is not that of the first action: scored as they stand" in said
    assert (scores["action_top1"], scores["action_top5"]) == (0.5, 1.0)  # a and c; b is second, d is second
    assert scores["body_top1"] == 0.75  # all but c: by the parts of the actions it would be all but b
    # body: head 2 right, body-hand 1 right and 1 missed, upper limb 1 false: (1 + 2/3 + 0) / 3
    assert scores["body_f1_macro"] == pytest.approx((1 + 2 / 3) / 3)
    # action: 9 is 1 right, 1 missed; 33 the same; 17 and 8 are false: (2/3 + 2/3 + 0 + 0) / 4
    assert scores["f1_mean"] == pytest.approx(((1 + 2 / 3) / 3 + 0.75 + 1 / 3 + 0.5) / 4)


def test_only_the_first_body_part_counts(tmp_path, capsys):
    shuffled = [",".join([*row.split(",")[:7], *reversed(row.split(",")[7:])]) for row in ROWS]
    before, _ = judge(tmp_path, capsys, "\n".join((HEADER, *ROWS)))
    assert judge(tmp_path, capsys, "\n".join((HEADER, *shuffled)))[0] == before


def test_the_form_of_2024_may_disagree_too(tmp_path, capsys):
    rows = [",".join((row.split(",")[0], row.split(",")[6], row.split(",")[1])) for row in ROWS]
    scores, said = judge(tmp_path, capsys, "\n".join(("Id,pred_label_1,pred_label_2", *rows)))
    assert (scores["body_top1"], scores["action_top1"], scores["action_top5"]) == (0.75, 0.5, None)
    assert "in 2 of 4 clips" in said


def test_nothing_is_said_where_they_agree(tmp_path, capsys):
    agreeing = [row for row in ROWS if row[0] in "ad"] + ["b.mp4,33,9,7,8,5,4,1,1,1,1", "c.mp4,33,9,7,8,5,4,1,1,1,1"]
    _, said = judge(tmp_path, capsys, "\n".join((HEADER, *agreeing)))
    assert "disagree" not in said and "not that of" not in said


def test_five_body_parts_that_are_not_there_are_noticed_before_the_work(tmp_path, monkeypatch):
    labels = LabelSet("five", ("a", "b", "c", "d", "e"), ("one", "two"), (0, 0, 1, 1, 1))
    model = SimpleNamespace(labels=labels, head=SimpleNamespace(separate_body=True), backbone_config=BackboneConfig())
    monkeypatch.setattr(predict_clips, "load_recognizers", lambda checkpoints: [model])
    with pytest.raises(InputError, match="mac2025-rec wants five body parts, there are 2; use mac2024-rec"):
        recognize.main(["best.pt", "--list", "l.txt", "--videos", ".", "--out", str(tmp_path / "out.csv")])
    model.head.separate_body = False
    with pytest.raises(FileNotFoundError, match=r"l\.txt"):  # the list comes next
        recognize.main(["best.pt", "--list", "l.txt", "--videos", ".", "--out", str(tmp_path / "out.csv")])
