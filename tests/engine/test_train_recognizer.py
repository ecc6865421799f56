"""Recognizers trained through the real entry point, on clips whose colour says the class."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from mmad.config import RecognitionConfig, load_config
from mmad.data.exchange import read_recognition
from mmad.engine import recognition
from mmad.engine.checkpoint import load_recognizer, read_checkpoint
from mmad.engine.recognition import recognise_list, train_recognizer
from mmad.errors import InputError

LABELS = "0\tred\tone\n1\tgreen\tone\n2\tblue\ttwo\n"
COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200))


def write_colours(path: Path, colours: list[tuple[int, int, int]], frames: int) -> None:
    """`frames` frames of each colour, 10 a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width = stream.height = 32
        for colour in colours:
            picture = np.broadcast_to(np.array(colour, dtype=np.uint8), (32, 32, 3)).copy()
            for _ in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    (folder / "labels.txt").write_text(LABELS)
    generator = np.random.default_rng(0)
    for subset, count in (("train", 12), ("val", 6)):
        lines = []
        for i in range(count):
            shade = tuple(int(value) for value in np.array(COLOURS[i % 3]) + generator.integers(-30, 30, 3))
            write_colours(folder / f"{subset}{i}.mp4", [shade], 6)
            lines.append(f"{subset}{i}.mp4 {i % 3}\n")
        (folder / f"{subset}_list_videos.txt").write_text("".join(lines))
    (folder / "long").mkdir()
    rows = ["video_id,start_frame,end_frame,class,total_frames,fps"]
    for i in range(4):
        write_colours(folder / "long" / f"v{i}.mp4", [COLOURS[i % 3], COLOURS[(i + 1) % 3]], 20)
        rows += [f"v{i},0,20,{i % 3},40,10", f"v{i},20,40,{(i + 1) % 3},40,10"]
    (folder / "long.csv").write_text("\n".join(rows) + "\n")
    return folder


def config_of(data: Path, output: Path, *settings: str) -> RecognitionConfig:
    return load_config(
        RecognitionConfig,
        None,
        [
            *(f"output={output}", f"data.root={data}", f"data.labels={data / 'labels.txt'}", "device=cpu"),
            *("backbone.name=manet_r18", "backbone.weights=random", "backbone.resize=32", "backbone.crop=32"),
            *("clips.frames=3", "train.epochs=2", "train.batch=4", "train.lr=1e-3", "dropout=0.1"),
            *settings,
        ],
    )


EVERYTHING = ("embedding=builtin", "loss.mixup=0.5", "loss.part=1", "loss.prototypes=0.5", "loss.smoothing=0.1")
EVERYTHING += ("train.ema=0.9", "clips.balance=0.5")


def test_colours_are_learned_with_every_addition(data, tmp_path):
    train_recognizer(config_of(data, tmp_path, *EVERYTHING, "train.ema=0", "train.epochs=12"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["action_top1"] == 1.0
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {"classify", "part", "near", "embed", "loss"} <= rows[0].keys()
    assert rows[-1]["loss"] < rows[0]["loss"]
    model = load_recognizer(tmp_path / "best.pt")
    found = model(torch.zeros(2, 3, 3, 32, 32))
    assert (found.logits.shape, found.part_logits.shape, found.near.shape) == ((2, 3), (2, 2), (2, 3))


@pytest.mark.parametrize("settings", [(), EVERYTHING, ("loss.kind=focal",)], ids=["plain", "everything", "focal"])
def test_stopped_and_resumed_equals_in_one_go(data, tmp_path, monkeypatch, settings):
    train_recognizer(config_of(data, tmp_path / "whole", *settings))
    original, calls = recognition.clip_losses, []

    def stopping(*args):
        losses = original(*args)

        def stopped(model, batch):
            calls.append(1)
            if len(calls) == 5:  # three batches an epoch
                raise KeyboardInterrupt
            return losses(model, batch)

        return stopped

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recognition, "clip_losses", stopping)
        train_recognizer(config_of(data, tmp_path / "cut", *settings))
    train_recognizer(config_of(data, tmp_path / "cut", *settings))
    whole, cut = (read_checkpoint(tmp_path / name / "last.pt")["model"] for name in ("whole", "cut"))
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    files = [(tmp_path / name / "prediction.csv").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]


def test_windows_of_long_videos_with_several_actions(data, tmp_path):
    windows = ("clips.window=1", "clips.videos=long", "loss.kind=sigmoid", "data.train=long.csv", "data.val=long.csv")
    train_recognizer(config_of(data, tmp_path, *windows, "embedding=builtin", "train.epochs=8"))
    assert json.loads((tmp_path / "report.json").read_text())["mean_ap"] > 0.9
    assert not (tmp_path / "prediction.csv").exists()


def test_a_list_is_recognised_as_in_training_and_by_two_recognizers(data, tmp_path):
    train_recognizer(config_of(data, tmp_path / "one"))
    train_recognizer(config_of(data, tmp_path / "two", "seed=1", "loss.part=1"))
    clips = [(f"val{i}.mp4", 0) for i in range(6)]
    config = config_of(data, tmp_path).clips
    found = recognise_list([tmp_path / "one" / "best.pt"], clips, data, config, torch.device("cpu"), batch=3)
    trained = read_recognition(
        tmp_path / "one" / "prediction.csv", load_recognizer(tmp_path / "one" / "best.pt").labels
    )
    assert found.clips == trained.clips and (found.actions[:, 0] == trained.actions[:, 0]).all()
    both = [tmp_path / name / "best.pt" for name in ("one", "two")]
    assert len(recognise_list(both, clips, data, config, torch.device("cpu")).actions) == 6


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("loss.kind=sigmoid",), "sigmoid goes with clips.window"),
        (("clips.window=2",), "sigmoid goes with clips.window"),
        (("loss.kind=sigmoid", "loss.part=1", "clips.window=2"), "lets several actions hold"),
        (("clips.crops=2",), "choose 1 or 3"),
        (("embedding=nowhere.npy",), "nowhere.npy"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(data, tmp_path, settings, said):
    with pytest.raises((InputError, FileNotFoundError), match=said):
        train_recognizer(config_of(data, tmp_path, *settings))
