"""Recognizers trained through the real entry point, on clips whose colour says the class."""

import json
import math
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmad.config import BackboneConfig, ClipConfig, RecognitionConfig, ViewConfig, load_config
from mmad.data.clip_dataset import ClipBatch, Loading
from mmad.engine import train_recognizer as recognition
from mmad.engine.checkpoint import load_recognizer
from mmad.engine.predict_clips import ClipInference, best_five, load_recognizers, predict, recognize_clips
from mmad.engine.train_recognizer import clip_losses, train_recognizer
from mmad.errors import InputError
from mmad.formats.submissions import read_recognition
from mmad.labels import MMA52, LabelSet
from mmad.metrics.recognition import recognition_scores
from mmad.models.manet import RecognizerOutput
from mmad.ops.clip_probabilities import clip_probabilities, part_membership
from mmad.video.preprocess import Preprocess
from mmad.weight_files import read_checkpoint

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


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    """The folder of a training as `config_of` has it; read only."""
    folder = tmp_path_factory.mktemp("trained")
    train_recognizer(config_of(data, folder))
    return folder


EVERYTHING = ("embedding=builtin", "loss.mixup=0.5", "loss.part=1", "loss.prototypes=0.5", "loss.smoothing=0.1")
EVERYTHING += ("train.ema=0.9", "clips.balance=0.5")


def test_colours_are_learned_with_every_addition(data, tmp_path, capsys):
    train_recognizer(config_of(data, tmp_path, *EVERYTHING, "train.ema=0", "train.epochs=12"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["action_top1"] == 1.0
    chosen = "best of 12 evaluations on these same 6 clips"
    assert report["checkpoint"]["evaluations"] == 12 and report["checkpoint"]["chosen"] == chosen
    assert f"epoch {report['checkpoint']['epoch']}, {chosen}, in percent:" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {"classify", "part", "prototype", "embed", "loss"} <= rows[0].keys()
    assert rows[-1]["loss"] < rows[0]["loss"]
    model = load_recognizer(tmp_path / "best.pt")
    found = model(torch.zeros(2, 3, 3, 32, 32))
    assert (found.logits.shape, found.part_logits.shape, found.similarity.shape) == ((2, 3), (2, 2), (2, 3))


PCAN = ("loss.part=1", "loss.body=separate", "loss.tree=1", "loss.calibration=0.2", "loss.calibration_scale=3")


def test_all_of_pcan_through_the_real_entry_point(data, tmp_path):
    train_recognizer(config_of(data, tmp_path, *PCAN, "train.epochs=12"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["action_top1"] == report["body_top1"] == 1.0
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["tree"] < rows[0]["tree"] and rows[-1]["calibration"] < rows[0]["calibration"]
    model = load_recognizer(tmp_path / "best.pt")
    output = model(torch.zeros(1, 3, 3, 32, 32))
    assert model.head.separate_body and output.separate_body and output.calibration is not None
    prototypes = read_checkpoint(tmp_path / "best.pt")["model"]["head.calibration.actions.prototypes"]
    assert torch.equal(model.head.calibration.actions.prototypes, prototypes)
    cosine = torch.cosine_similarity(output.calibration.actions, prototypes)
    torch.testing.assert_close(output.added_logits[0], 3 * cosine)
    assert (tmp_path / "prediction.csv").read_text().startswith("Id,pred_label_1,pred_label_2")  # of two parts


@pytest.mark.parametrize(
    "settings",
    [("train.workers=1",), EVERYTHING, ("loss.kind=focal",), (*PCAN, "train.ema=0.9", "loss.mixup=0.5")],
    ids=["workers that stay", "everything", "focal", "PCAN"],
)
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


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize("windows", [False, True], ids=["clips", "windows"])
def test_other_data_is_refused_on_resume(data, tmp_path, part, windows):
    """A row of another class, in a list of clips or in annotations of long videos."""
    name = "long.csv" if windows else "list.txt"
    for which in ("train", "val"):
        source = data / ("long.csv" if windows else f"{which}_list_videos.txt")
        (tmp_path / f"{which}_{name}").write_text(source.read_text())
    settings = [f"data.{which}={tmp_path}/{which}_{name}" for which in ("train", "val")] + ["train.epochs=1"]
    settings += ["clips.window=1", "clips.videos=long", "loss.kind=sigmoid"] if windows else []
    train_recognizer(config_of(data, tmp_path / "run", *settings))
    path = tmp_path / f"{part}_{name}"
    old, new = ("v0,0,20,0,", "v0,0,20,2,") if windows else (f"{part}0.mp4 0", f"{part}0.mp4 2")
    path.write_text(path.read_text().replace(old, new))
    what = f"{'annotations' if windows else 'clips'} of data.{part}"
    with pytest.raises(InputError, match=rf"last\.pt: was trained with other {what}; choose another output=DIR"):
        train_recognizer(config_of(data, tmp_path / "run", *settings))


def test_windows_of_long_videos_with_several_actions(data, tmp_path):
    windows = ("clips.window=1", "clips.videos=long", "loss.kind=sigmoid", "data.train=long.csv", "data.val=long.csv")
    train_recognizer(config_of(data, tmp_path, *windows, "embedding=builtin", "train.epochs=8"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["mean_ap"] > 0.9
    assert report["checkpoint"]["chosen"] == "best of 8 evaluations on these same 16 windows of 1 s"
    assert not (tmp_path / "prediction.csv").exists()


def test_a_list_is_recognized_as_in_training(data, trained):
    """With three frames per clip, as in its training, without setting that again."""
    models = load_recognizers([trained / "best.pt"])
    assert models[0].clip_config.frames == 3
    clips = [(f"val{i}.mp4", 0) for i in range(6)]
    found = recognize_clips(models, clips, data, ViewConfig(), torch.device("cpu"), Loading(batch=3))
    trained = read_recognition(trained / "prediction.csv", models[0].labels)
    assert found.clips == trained.clips and (found.actions[:, 0] == trained.actions[:, 0]).all()


LABEL_SET = LabelSet("colours", ("red", "green", "blue"), ("one", "two"), (0, 0, 1))


class Steady(nn.Module):
    """A recognizer whose logits are the mean colour of what it sees, times `scale`."""

    labels, backbone_config = LABEL_SET, BackboneConfig("manet_r18", resize=32, crop=32)
    clip_config = ClipConfig(frames=3)

    def __init__(self, scale: list[float], separate_body: bool = False, **more: Tensor):
        super().__init__()
        self.scale, self.separate_body, self.more, self.frames = torch.tensor(scale), separate_body, more, []

    def forward(self, clips: Tensor) -> RecognizerOutput:
        self.frames.append(clips.shape[1])
        logits = clips.mean(dim=(1, 3, 4)) * self.scale
        more = {name: value.expand(len(clips), -1) for name, value in self.more.items()}
        return RecognizerOutput(logits, None, clips, **more, separate_body=self.separate_body)


def test_the_mean_probability_of_recognizers_decides(data):
    """Probabilities .72 .27 .01 and .09 .24 .67, whose mean is .41 .25 .34: an order that neither has alone."""
    sure, unsure = Steady([0, 0, 0]), Steady([0, 0, 0])
    sure.forward = lambda clips: RecognizerOutput(torch.tensor([[4.0, 3, 0]]).expand(len(clips), 3), None, clips)
    unsure.forward = lambda clips: RecognizerOutput(torch.tensor([[0.0, 1, 2]]).expand(len(clips), 3), None, clips)
    orders = [
        recognize_clips(models, [("val0.mp4", 0)], data, ViewConfig(), torch.device("cpu")).actions[0].tolist()
        for models in ([sure], [unsure], [sure, unsure])
    ]
    assert orders == [[0, 1, 2], [2, 1, 0], [0, 2, 1]]


def test_every_view_and_every_branch_counts():
    """Two views of one clip, red and blue; part logits and prototypes pull towards the second part and class 1."""
    pixels = torch.zeros(1, 2, 3, 3, 4, 4, dtype=torch.uint8)
    pixels[0, 0, :, 0] = pixels[0, 1, :, 2] = 255
    loader = [ClipBatch(pixels, torch.tensor([0]))]
    how = Preprocess(mean=(0, 0, 0), std=(255, 255, 255))
    membership = part_membership(LABEL_SET.part_of, 2)
    extra = {"part_logits": torch.tensor([[0.0, 1.0]]), "similarity": torch.tensor([[0.0, 0.1, 0.0]])}
    added = {"added_logits": torch.tensor([[1.0, 2.0, -1.0]])}
    for more in ({}, extra, added):
        if more is added:
            views = [torch.tensor([row]).softmax(dim=1) for row in ([5.0, 2, -1], [1.0, 2, 3])]
        else:
            views = [clip_probabilities(torch.tensor([row]), membership, **more) for row in ([4.0, 0, 0], [0, 0, 4.0])]
        inference = ClipInference(how, LABEL_SET, torch.device("cpu"))
        probabilities, of_parts, truth = predict(Steady([4, 4, 4], **more), loader, inference)
        assert of_parts is None
        np.testing.assert_allclose(probabilities, torch.stack(views).mean(dim=0), atol=1e-6)
        assert truth.tolist() == [0]


def test_a_separate_body_head_ranks_the_parts_and_leaves_the_actions_alone():
    """Red: the actions say part one, the body head part two by 3 to 1."""
    pixels = torch.zeros(1, 1, 3, 3, 4, 4, dtype=torch.uint8)
    pixels[:, :, :, 0] = 255
    loader, how = [ClipBatch(pixels, torch.tensor([0]))], Preprocess(mean=(0, 0, 0), std=(255, 255, 255))
    model = Steady([4, 4, 4], separate_body=True, part_logits=torch.tensor([[0.0, math.log(3)]]))
    inference = ClipInference(how, LABEL_SET, torch.device("cpu"))
    probabilities, of_parts, truth = predict(model, loader, inference)
    np.testing.assert_allclose(probabilities, torch.tensor([[4.0, 0, 0]]).softmax(dim=1), atol=1e-6)
    np.testing.assert_allclose(of_parts, [[0.25, 0.75]], atol=1e-6)
    found = best_five(["a.mp4"], probabilities, LABEL_SET, of_parts)
    assert found.actions[0].tolist() == [0, 1, 2] and found.parts[0].tolist() == [1, 0]
    assert recognition_scores(truth, found.actions, found.parts, LABEL_SET)["body_top1"] == 0.0
    assert recognition_scores(truth, found.actions, found.parts, LABEL_SET)["action_top1"] == 1.0


def test_five_body_parts_are_distinct_only_where_they_are_ranked_separately():
    probabilities = np.zeros((1, 52))
    probabilities[0, 5:10] = [0.3, 0.2, 0.1, 0.05, 0.04]  # five actions of the head
    of_parts = np.array([[0.1, 0.2, 0.3, 0.05, 0.15, 0.12, 0.08]])
    assert best_five(["a.mp4"], probabilities, MMA52).parts[0].tolist() == [1] * 5
    assert best_five(["a.mp4"], probabilities, MMA52, of_parts).parts[0].tolist() == [2, 1, 4, 5, 0]


def test_the_mean_of_a_separate_body_head_and_a_recognizer_without_one(data):
    """Parts .9, .1 by the head of one; by the actions of the other .2, .8: the mean is .55, .45."""
    heads = torch.tensor([[math.log(9), 0.0]])
    separate = Steady([0, 0, 0], separate_body=True, part_logits=heads)
    plain = Steady([0, 0, 0])
    share = torch.tensor([[0.15, 0.05, 0.8]]).log()
    plain.forward = lambda clips: RecognizerOutput(share.expand(len(clips), 3), None, clips)

    def parts(*models: Steady) -> list[int]:
        return recognize_clips(models, [("val0.mp4", 0)], data, ViewConfig(), torch.device("cpu")).parts[0].tolist()

    assert parts(separate) == parts(separate, plain) == [0, 1]
    assert parts(plain) == [1, 0, 0]  # of the three actions
    assert parts(separate, plain, plain) == [1, 0]  # .43, .57


def test_number_of_frames_is_that_of_training_by_default(data):
    model, clips = Steady([1, 1, 1]), [("val0.mp4", 0)]
    recognize_clips([model], clips, data, ViewConfig(), torch.device("cpu"))
    recognize_clips([model], clips, data, ViewConfig(frames=2, samplings=2), torch.device("cpu"))
    assert model.frames == [3, 2]


def test_recognizers_that_cannot_be_averaged_are_refused(data, trained, tmp_path):
    (tmp_path / "two.txt").write_text(LABELS.replace("green", "yellow"))
    train_recognizer(config_of(data, tmp_path / "two", "train.epochs=1", f"data.labels={tmp_path / 'two.txt'}"))
    with pytest.raises(InputError, match="knows other classes"):
        load_recognizers([trained / "best.pt", tmp_path / "two" / "best.pt"])
    windows = ("clips.window=1", "clips.videos=long", "loss.kind=sigmoid", "data.train=long.csv", "data.val=long.csv")
    train_recognizer(config_of(data, tmp_path / "windows", *windows, "train.epochs=1"))
    with pytest.raises(InputError, match="several actions hold"):
        load_recognizers([tmp_path / "windows" / "best.pt"])


def test_losses_are_weighted_and_mixed_as_configured():
    pixels = torch.randint(0, 255, (2, 1, 3, 3, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    batch, how = ClipBatch(pixels, torch.tensor([0, 1])), Preprocess()
    vectors = torch.ones(3, 5)

    class Embedding(Steady):
        def forward(self, clips: Tensor) -> RecognizerOutput:
            self.seen = clips
            return RecognizerOutput(clips.mean(dim=(1, 3, 4)), torch.full((len(clips), 5), 3.0), clips)

    def value(*settings: str) -> tuple[dict[str, Tensor], Tensor]:
        model = Embedding([1, 1, 1])
        config = load_config(RecognitionConfig, None, ["embedding=builtin", *settings])
        torch.manual_seed(0)
        return clip_losses(config, LABEL_SET, how, vectors, torch.device("cpu"))(model, batch), model.seen

    plain, seen = value()
    assert plain["embed"].item() == pytest.approx(50 * 4)  # the authors' weight, MSE of 3 against 1
    assert value("embedding_weight=2")[0]["embed"].item() == pytest.approx(2 * 4)
    mixed, blended = value("loss.mixup=1")
    torch.testing.assert_close(blended.sum(dim=0), seen.sum(dim=0))  # both clips are of one part: a convex mixture
    assert not torch.equal(blended, seen) and mixed["classify"] != plain["classify"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("loss.kind=sigmoid",), "sigmoid goes with clips.window"),
        (("clips.window=2",), "sigmoid goes with clips.window"),
        (("loss.kind=sigmoid", "loss.part=1", "clips.window=2"), "lets several actions hold"),
        (("loss.kind=sigmoid", "loss.mixup=1", "clips.window=2"), "lets several actions hold"),
        (("loss.kind=sigmoid", "loss.tree=1", "clips.window=2"), "lets several actions hold"),
        (("loss.tree=0.5",), "loss.tree 0.5 needs the body-part head; set loss.part"),
        (("loss.body=separate",), "loss.body 'separate' needs the body-part head; set loss.part"),
        (("loss.calibration=0.2",), "loss.calibration 0.2 needs the body-part head; set loss.part"),
        (("loss.kind=sigmoid", "loss.calibration=1", "clips.window=2"), "lets several actions hold"),
        (("loss.body=apart",), "choose one of product, separate"),
        (("loss.kind=focal", "loss.smoothing=0.1"), "no meaning for the focal loss"),
        (("clips.crops=2",), "choose 1 or 3"),
        (("embedding=nowhere.npy",), "nowhere.npy"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(data, tmp_path, settings, said):
    with pytest.raises((InputError, FileNotFoundError), match=said):
        train_recognizer(config_of(data, tmp_path, *settings))
