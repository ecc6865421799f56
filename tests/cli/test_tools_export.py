"""tools/export.py through the command line: to the files of others, and back as ground truth."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from made_videos import write_video

from mmad.cli.commands.export import main
from mmad.errors import InputError
from mmad.formats import EVENT_FORMATS, PER_VIDEO_FORMATS, read_annotations, read_events

ROOT = Path(__file__).parents[2]
ITEMS = [
    {"segment": [0.0, 2.0], "label": "nodding", "score": 0.9},
    {"segment": [1.0, 3.0], "label": "nodding", "score": 0.2},
    {"segment": [1.0, 3.0], "label": "waving", "score": 0.4},
]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("predictions.json").write_text(json.dumps({"results": {"v1": ITEMS, "v2": ITEMS[:1]}}))
    Path("truth.csv").write_text("id,video_id,start_frame,end_frame,class,total_frames,fps\n0,v1,0,50,9,250,25\n")
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    def typed(script: str, *arguments) -> str:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        done = capsys.readouterr()
        assert left.value.code == 0, done.err
        return done.out

    return typed


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_predictions_go_out_and_come_back_as_truth(run, here, form):
    out = "out" if form in PER_VIDEO_FORMATS else "out.csv" if form == "boris" else "out.json"
    said = run("tools/export.py", "predictions.json", "--format", form, "--out", out, "--fps", 25)
    assert said == f"4 detections in 2 videos as {form} in {out}\n"
    table = run("eval/map.py", "predictions.json", "--ground-truth", out)
    assert "mean over 2 classes with truth of 52, 4 instances" in table
    assert table.splitlines()[1].split()[1] == "100.00"


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_annotations_go_out_too(run, here, form):
    out = "out" if form in PER_VIDEO_FORMATS else "out.csv" if form == "boris" else "out.json"
    assert "1 actions in 1 videos" in run("tools/export.py", "truth.csv", "--format", form, "--out", out)
    [back] = read_annotations(out)
    assert (back.video_id, back.segments.tolist(), back.labels.tolist()) == ("v1", [[0.0, 2.0]], [9])


def test_only_the_best_that_score_enough(run, here):
    export = ("tools/export.py", "predictions.json", "--format", "csv", "--out", "out.csv")
    assert run(*export, "--min-score", 0.3).startswith("3 detections")
    assert run(*export, "--best", 1).startswith("2 detections")
    Path("thresholds.json").write_text(json.dumps({"pooled": 0.1, "thresholds": {"waving": 0.5}}))
    assert run(*export, "--thresholds", "thresholds.json").startswith("3 detections")
    assert run(*export, "--thresholds", "thresholds.json", "--min-score", 0.3).startswith("2 detections")


def test_videos_give_rate_length_and_link(run, here, capsys):
    Path("videos").mkdir()
    write_video(Path("videos") / "v1.mp4", 50)
    run("tools/export.py", "predictions.json", "--format", "elan", "--out", "videos", "--videos", "videos")
    first, second = read_events("videos")
    assert first.media.resolve() == here / "videos" / "v1.mp4"
    assert (first.fps, first.duration, second.fps) == (25.0, 2.0, None)
    assert 'RELATIVE_MEDIA_URL="./v1.mp4"' in Path("videos/v1.eaf").read_text()


def test_a_detector_is_trained_on_a_folder_of_corrected_files(run, here):
    for name in ("train", "val"):
        run("tools/export.py", "truth.csv", "--format", "elan", "--out", f"data/{name}")
    Path("data/features").mkdir()
    np.save("data/features/v1.npy", np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
    settings = ("data.root=data", "data.train=train", "data.val=val", "output=out")
    small = ("detector.width=32", "train.epochs=1", "device=cpu")
    run("tools/train_det.py", ROOT / "configs" / "mma52.yaml", *settings, *small)
    assert "mean over 1 classes with truth" in run("eval/map.py", "out/predictions.json", "--ground-truth", "data/val")


def test_elan_tiers_by_body_part(run, here):
    run("tools/export.py", "predictions.json", "--format", "elan", "--out", "eaf", "--tiers", "part")
    text = Path("eaf/v1.eaf").read_text()
    assert 'TIER_ID="head 2"' in text
    assert 'TIER_ID="upper limb"' in text


# --- several detectors' predictions made into one ---------------------------------------------------------------


@pytest.fixture
def two(here) -> tuple[str, str]:
    """Two detectors' files: one in JSON, one as a zipped submission that lacks a video."""
    about = {"ground_truth": "truth.csv", "subset": "val"}
    for name, score in (("a.json", 0.9), ("c.json", 0.01)):
        found = {"v1": [{**ITEMS[0], "score": score}], "v2": ITEMS[:1]}
        Path(name).write_text(json.dumps({**about, "results": found if name == "a.json" else {"v1": found["v1"]}}))
    return "a.json", "c.json"


def test_fused_files_are_predictions_of_the_same_truth(run, two, capsys):
    fuse = ("tools/export.py", "--format", "predictions", "--nms", "none", "--out")
    assert run(*fuse, "ac.json", "--fuse", *two) == "2 detections in 2 videos as predictions in ac.json\n"
    run(*fuse, "ca.json", "--fuse", *reversed(two))
    assert Path("ac.json").read_bytes() == Path("ca.json").read_bytes()
    content = json.loads(Path("ac.json").read_text())
    assert (content["ground_truth"], content["subset"], list(content["results"])) == ("truth.csv", "val", ["v1", "v2"])
    assert "mean over 1 classes with truth of 52, 1 instances" in run("eval/map.py", "ac.json")


def test_videos_that_one_file_lacks_are_said(monkeypatch, two, capsys):
    main(["--fuse", *two, "--format", "csv", "--out", "out.csv"])
    said = "c.json: 1 of 2 videos are not in it, such as v2; these are taken from the other files"
    assert said in capsys.readouterr().err
    assert [line.split(",")[0] for line in Path("out.csv").read_text().splitlines()] == ["video_id", "v1", "v2"]


def test_submissions_and_zips_are_fused_and_cut_to_the_best(run, here):
    run("tools/export.py", "predictions.json", "--format", "mac2026", "--out", "b.zip")
    run("tools/export.py", "predictions.json", "--format", "mac2024", "--out", "c.csv")
    fuse = ("tools/export.py", "--fuse", "predictions.json", "b.zip", "c.csv", "--format", "csv", "--out", "out.csv")
    assert run(*fuse, "--nms", "none", "--weights", 2, 1, 1).startswith("4 detections in 2 videos")
    assert run(*fuse, "--best", 1).startswith("2 detections in 2 videos")
    # The nods of v1 have an IoU of 1/3: .2 exp(-(1/3)^2 / .1) = .066
    assert run(*fuse, "--sigma", 0.1, "--min-score", 0.07).startswith("3 detections")
    assert run(*fuse, "--sigma", 0.1, "--min-score", 0.065).startswith("4 detections")


def test_files_of_different_labels_are_not_fused(two):
    labels = {"name": "mine", "actions": ["nodding", "waving"], "parts": ["all"], "part_of": [0, 0]}
    content = json.loads(Path("a.json").read_text())
    Path("mine.json").write_text(json.dumps({**content, "labels": labels}))
    Path("a.json").write_text(json.dumps({**content, "labels": "mma52"}))
    with pytest.raises(InputError, match="different label sets"):
        main(["--fuse", "a.json", "mine.json", "--format", "csv", "--out", "out.csv"])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--fuse", "a.json"], "name two files or more"),
        (["--fuse", "a.json", "c.json", "--weights", "1"], "1 for 2 files"),
        (["--fuse", "a.json", "c.json", "--weights", "1", "0"], "1 0; expected positive numbers"),
        (["--fuse", "a.json", "c.json", "--normalize", "ranks"], "choose one of rank, best, none"),
        (["--fuse", "a.json", "clips.csv"], "holds clips, not detections"),
        (["--fuse", "a.json", "truth.csv"], "truth.csv, line 1"),
        (["--fuse", "a.json", "c.json", "--nms", "gentle"], "gentle"),
    ],
)
def test_what_cannot_be_fused_is_refused_in_one_line(two, typed, said):
    Path("clips.csv").write_text("Id,pred_label_1,pred_label_2\na.mp4,1,9\n")
    with pytest.raises(InputError) as refused:
        main([*typed, "--format", "csv", "--out", "out.csv"])
    assert said in str(refused.value)
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    "typed", [[], ["a.json", "--fuse", "a.json", "c.json"], ["a.json", "--weights", "1"], ["a.json", "--agree"]]
)
def test_one_file_or_several_after_fuse(two, typed, capsys):
    with pytest.raises(SystemExit) as left:
        main([*typed, "--format", "csv", "--out", "out.csv"])
    assert left.value.code == 2
    assert "fuse" in capsys.readouterr().err


def test_fused_into_a_file_that_is_read_is_refused(two):
    with pytest.raises(InputError, match="is read by this very command"):
        main(["--fuse", *two, "--format", "predictions", "--out", "c.json"])
