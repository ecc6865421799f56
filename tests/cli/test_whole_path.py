"""Every command as typed, one after the other, on a tiny made-up data set: from pixels to a submission."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from mmad.engine.checkpoint import load_recognizer
from mmad.engine.infer import load_pipeline
from mmad.formats import read_predictions

REPOSITORY = Path(__file__).parents[2]


def run(monkeypatch, script: str, *arguments) -> None:
    monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(REPOSITORY / script), run_name="__main__")
    assert end.value.code == 0, f"{script} ended with {end.value.code}"


def test_from_pixels_to_a_submission(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = ["--size", "48x56", "--samples", 1, "--longest", 4, "--classes", "nodding,waving,crossing legs"]
    run(monkeypatch, "tools/make_synthetic.py", "data", "--videos", 8, "--clips", 16, *frames)
    run(monkeypatch, "tools/check_data.py", "data/train.csv", "--videos", "data/train")
    small = ["data.root=data", "device=cpu", "train.workers=0", "train.batch=4"]
    backbone = ["backbone.name=manet_r18", "backbone.weights=random", "backbone.resize=36", "backbone.crop=32"]
    config = REPOSITORY / "configs" / "manet_ma52.yaml"
    recognition = [*small, *backbone, "clips.videos=clips", "train.epochs=1", "output=rec"]
    run(monkeypatch, "tools/train_rec.py", config, *recognition)
    judge = ["eval/recognition.py", "rec/prediction.csv", "--ground-truth", "data/val_list_videos.txt"]
    run(monkeypatch, *judge, "--confusion", "confusion.png")
    assert Path("confusion.png").stat().st_size > 10_000
    again = ["--list", "data/val_list_videos.txt", "--videos", "data/clips", "--device", "cpu"]
    run(monkeypatch, "tools/recognize.py", "rec/best.pt", *again, "--out", "again.csv")
    assert Path("again.csv").read_text() == Path("rec/prediction.csv").read_text()
    run(monkeypatch, "tools/recognize.py", "rec/best.pt", *again, "--out", "views.zip", "samplings=2", "mirrored=true")
    run(monkeypatch, "eval/recognition.py", "views.zip", "--ground-truth", "data/val_list_videos.txt")
    videos = ["--videos", "data/train", "data/val"]
    features = ["--out", "data/features", "--checkpoint", "rec/best.pt", "device=cpu"]
    run(monkeypatch, "tools/extract_features.py", *videos, *features)
    detection = [*small, "detector.width=32", "train.epochs=2", "output=det"]
    run(monkeypatch, "tools/train_det.py", REPOSITORY / "configs" / "mma52.yaml", *detection)
    run(monkeypatch, "tools/train_det.py", REPOSITORY / "configs" / "mma52.yaml", *detection)  # it is done already
    assert "going on from det/last.pt after epoch 2" in capsys.readouterr().out
    run(monkeypatch, "eval/map.py", "det/predictions.json", "--json", "map.json")
    figures, report = (json.loads(Path(name).read_text()) for name in ("map.json", "det/report.json"))
    assert figures["map"] == pytest.approx(report["map"], abs=1e-3)  # predictions.json is rounded

    own = ["--detector", "det/best.pt", "--recognizer", "rec/best.pt", "--out", "mine", "--device", "cpu"]
    run(monkeypatch, "tools/detect.py", "data/val", *own)
    assert {path.name for path in Path("mine").iterdir()} == {
        "features",
        "report",
        "report.html",
        "predictions.csv",
        "predictions.json",
        "timelines",
    }
    found = read_predictions("mine/predictions.json").detections
    trained = {item.video_id: item for item in read_predictions("det/predictions.json").detections}
    for item in found:  # the same videos by way of files and by way of pixels
        assert item.segments == pytest.approx(trained[item.video_id].segments, abs=1e-3)
    run(monkeypatch, "tools/export.py", "mine/predictions.json", "--format", "mac2026", "--out", "submission.zip")
    back = read_predictions("submission.zip").detections
    assert [(item.scores == other.scores).all() for item, other in zip(back, found)] == [True] * len(found)

    pipeline = load_pipeline("det/best.pt", "rec/best.pt", device="cpu")
    detections = pipeline.detect("data/val/val_000_0000.mp4")
    assert len(detections) == len(trained["val_000_0000"])
    assert load_recognizer("rec/best.pt").backbone_config.crop == 32
