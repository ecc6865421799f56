"""Every command with a label file of 82 actions in nine body parts of their own, as MMA-82 is in size.

MMA-82's names are not known here: these are made up.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from made_videos import write_video

from mmad.cli import load_command
from mmad.errors import InputError
from mmad.formats import read_annotations, read_predictions
from mmad.labels import read_label_set
from mmad.metrics.average_precision import evaluate

PARTS = ("brow", "eye", "mouth", "head", "shoulder", "arm", "hand", "leg", "foot")
PART_OF = [k * len(PARTS) // 82 for k in range(82)]
ACTIONS = [f"{PARTS[part]} movement {k}" for k, part in enumerate(PART_OF)]
USED = (0, 40, 52, 81)
COUNT = {"train": 6, "val": 3}
SMALL = ("data.root=data", "data.labels=labels.txt", "device=cpu", "train.epochs=1", "train.batch=4")


def run(name: str, *arguments) -> None:
    assert not load_command(name).main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """labels.txt, clips, long videos and their annotations; a recognizer and a detector that were trained on them, and
    what they find in the videos."""
    place = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        lines = [f"{k}\t{name}\t{PARTS[part]}\n" for k, (name, part) in enumerate(zip(ACTIONS, PART_OF))]
        Path("labels.txt").write_text("".join(lines))
        Path("data", "videos").mkdir(parents=True)
        for split, count in COUNT.items():
            clips, rows = [], ["video_id,start_frame,end_frame,class,total_frames,fps"]
            for i in range(count):
                first, second = USED[i % 4], USED[(i + 1) % 4]
                write_video(Path("data", "videos", f"{split}{i}.mp4"), 50)
                rows += [f"{split}{i},0,25,{first},50,25", f"{split}{i},20,45,{second},50,25"]
                clips.append(f"{split}{i}.mp4 {first}\n")
            Path("data", f"{split}.csv").write_text("\n".join(rows) + "\n")
            Path("data", f"{split}_list_videos.txt").write_text("".join(clips))
        backbone = ("backbone.name=manet_r18", "backbone.weights=random", "backbone.resize=36", "backbone.crop=32")
        small = (*SMALL, "precision=float32", "train.workers=0", "output=rec")
        run("train-rec", "manet_ma52_plus", *small, *backbone)
        features = ("--out", "data/features", "--checkpoint", "rec/best.pt", "device=cpu")
        run("extract-features", "--videos", "data/videos", *features)
        run("train-det", "mma52", *SMALL, "detector.width=32", "output=det")
        own = ("--detector", "det/best.pt", "--recognizer", "rec/best.pt", "--out", "found", "--device", "cpu")
        run("detect", *(f"data/videos/val{i}.mp4" for i in range(COUNT["val"])), *own, "--overlay")
    return place


@pytest.fixture
def here(folder, monkeypatch, capsys) -> Path:
    monkeypatch.chdir(folder)
    return folder


def rows_of(path: str) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_predictions_carry_the_labels_with_their_parts(here):
    for path in ("det/predictions.json", "found/predictions.json"):
        labels = read_predictions(path).labels
        assert (labels.actions, labels.parts, labels.part_of) == (tuple(ACTIONS), PARTS, tuple(PART_OF))
    for row in rows_of("found/predictions.csv"):
        assert row["body_part"] == PARTS[PART_OF[ACTIONS.index(row["class"])]]


def test_map_by_body_part_follows_the_parts_of_the_file(here, capsys):
    """That of parts is the mAP of nine classes, each action renamed to its part."""
    run("map", "det/predictions.json", "--json", "map.json", "--diagnose")
    written = json.loads(Path("map.json").read_text())
    file, truth = (
        read_predictions("det/predictions.json"),
        read_annotations("data/val.csv", read_label_set("labels.txt")),
    )
    parts = read_label_set(str(write_parts()))
    for item in [*file.detections, *truth]:
        item.labels = np.array(PART_OF)[item.labels]
    expected = evaluate(truth, file.detections, parts)
    assert written["body"]["average"] == pytest.approx(expected.average())
    assert expected.num_truth.sum() == 2 * COUNT["val"] and len(expected.num_truth) == 9
    report = json.loads(Path("det/report.json").read_text())
    assert written["body"]["average"] == pytest.approx(report["body"]["average"], abs=1e-3)  # predictions are rounded
    assert "of 82" in capsys.readouterr().out


def write_parts() -> Path:
    path = Path("parts.txt")
    path.write_text("\n".join(PARTS) + "\n")
    return path


@pytest.mark.parametrize("labels", [(), ("--labels", "labels.txt")])
def test_perfect_predictions_score_one_at_both_levels(here, labels):
    run("export", "data/val.csv", "--labels", "labels.txt", "--format", "mac2026", "--out", "perfect.csv")
    rows = rows_of("perfect.csv")
    assert {int(row["label"]) for row in rows} == set(USED) and len(rows) == 2 * COUNT["val"]
    if not labels:  # a submission carries none: number 52 is none of MMA-52's
        with pytest.raises(InputError, match="unknown label"):
            run("map", "perfect.csv", "--ground-truth", "data/val.csv")
        return
    run("map", "perfect.csv", "--ground-truth", "data/val.csv", *labels, "--json", "perfect.json")
    found = json.loads(Path("perfect.json").read_text())
    assert (found["average"], found["body"]["average"]) == (1.0, 1.0)


@pytest.mark.parametrize("form", ["elan", "praat", "boris", "csv", "mac2026", "activitynet", "predictions", "bids"])
def test_exports_come_back(here, tmp_path, form):
    suffix = {"elan": "", "praat": "", "bids": "", "boris": ".csv", "csv": ".csv", "mac2026": ".csv"}.get(form, ".json")
    out = tmp_path / f"out{suffix}"
    tiers = ("--tiers", "part") if form in ("elan", "praat") else ()
    run("export", "found/predictions.json", "--format", form, "--out", out, "--best", 3, *tiers)
    labels = () if form == "predictions" else ("--labels", "labels.txt")
    run("export", out, *labels, "--format", "csv", "--out", tmp_path / "back.csv")
    count = 3 * COUNT["val"]
    rows = rows_of(tmp_path / "back.csv")
    assert len(rows) == count and all(PARTS[PART_OF[ACTIONS.index(row["class"])]] == row["body_part"] for row in rows)
    if form == "elan":
        text = "".join(path.read_text() for path in out.glob("*.eaf"))
        assert all(f'TIER_ID="{part}' in text for part in {row["body_part"] for row in rows})


def test_fused_predictions_keep_the_labels(here, tmp_path):
    out = tmp_path / "fused.json"
    run("export", "--fuse", "found/predictions.json", "det/predictions.json", "--format", "predictions", "--out", out)
    assert read_predictions(out).labels.parts == PARTS


def test_counts_and_comparisons_are_by_the_parts_of_the_file(here, tmp_path, capsys):
    run("ethogram", "data/val.csv", "--labels", "labels.txt", "--out", tmp_path / "of_truth")
    rows = rows_of(tmp_path / "of_truth" / "ethogram.csv")
    parts = [row for row in rows if row["level"] != "action"]
    assert [row["name"] for row in parts] == list(PARTS) and len(rows) == 82 + 9
    assert sum(int(row["count"]) for row in parts) == 2 * COUNT["val"]
    run("ethogram", "found/predictions.json", "--out", tmp_path / "of_found", "--min-score", 0)
    run("thresholds", "det/predictions.json", "--ground-truth", "data/val.csv", "--out", tmp_path / "least.json")
    assert set(json.loads((tmp_path / "least.json").read_text())["thresholds"]) == set(ACTIONS)
    run("agreement", "data/val.csv", "det/predictions.json", "--thresholds", tmp_path / "least.json")
    run("agreement", "data/val.csv", "data/val.csv", "--labels", "labels.txt")
    run("check-data", "data/val.csv", "--labels", "labels.txt", "--videos", "data/videos")
    run("check-data", "data/val_list_videos.txt", "--labels", "labels.txt", "--videos", "data/videos")
    assert ACTIONS[81] in capsys.readouterr().out


def test_figures_are_of_the_parts_of_the_file(here, tmp_path):
    run("figures", "timeline", "det/predictions.json", "--video", "val0", "--out", tmp_path / "t.svg",
        "--ground-truth", "data/val.csv")  # fmt: skip
    assert any(ACTIONS[k] in (tmp_path / "t.svg").read_text() for k in USED)
    out = ("--out", tmp_path, "--format", "svg")
    run("figures", "statistics", "data/val.csv", "--labels", "labels.txt", *out)
    run("figures", "precision", "det/predictions.json", "--ground-truth", "data/val.csv", *out)
    run("figures", "training", "det", "--out", tmp_path / "training.png")
    assert len(list(tmp_path.glob("*.svg"))) > 4


def test_recognition_by_the_parts_of_the_file(here, tmp_path, capsys):
    again = ("--list", "data/val_list_videos.txt", "--videos", "data/videos", "--device", "cpu")
    run("recognize", "rec/best.pt", *again, "--out", tmp_path / "again.csv")
    judge = (
        "recognition",
        tmp_path / "again.csv",
        "--ground-truth",
        "data/val_list_videos.txt",
        "--labels",
        "labels.txt",
    )
    run(*judge, "--json", tmp_path / "rec.json", "--confusion", tmp_path / "confusion.png")
    written = json.loads((tmp_path / "rec.json").read_text())
    truth = [int(line.split()[1]) for line in Path("data/val_list_videos.txt").read_text().splitlines()]
    found = [int(row["action_pred_1"]) for row in rows_of(tmp_path / "again.csv")]
    right = [PART_OF[one] == PART_OF[other] for one, other in zip(truth, found)]
    assert written["body_top1"] == pytest.approx(np.mean(right))
    with pytest.raises(InputError, match=r"unknown label 52; .* --labels FILE"):
        run(*judge[:4])


def test_pages_show_the_names_and_parts_of_the_file(here):
    page = Path("found/report/val0.html").read_text()
    assert all(part in page for part in PARTS) and ACTIONS[81] in page and "tilting head" not in page
    assert Path("found/timelines/val0.png").stat().st_size > 1000
    assert len(list(Path("found/overlays").iterdir())) == COUNT["val"]


def test_colours_tell_more_than_seven_parts_apart():
    from mmad.report.pictures import part_colour

    assert len({part_colour(part) for part in range(12)}) == 12


@pytest.mark.parametrize("command", [("train-pose", "pose"), ("demo", "x")])
def test_rendered_people_do_the_52_actions_only(here, command):
    said = "'labels.txt' is another label set; rendered people do MMA-52's 52 actions only"
    with pytest.raises(InputError, match=f"detection.data.labels {said}"):
        run(*command, "detection.data.labels=labels.txt")
    assert not Path("x").exists()
