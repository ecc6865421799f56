import builtins
import errno
import os
import pickle
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from mmad.config import BackboneConfig, DetectionConfig, DetectorConfig, RecognitionConfig, to_dict
from mmad.engine.checkpoint import load_detector, load_recognizer, weight_digest
from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet
from mmad.models import build_detector
from mmad.models.manet import Recognizer, ResNet
from mmad.weight_files import labels_of, load_into, read_checkpoint, save_checkpoint, weights_of

LABELS = LabelSet("three", ("nod", "wave", "tap"), ("head", "hand"), (0, 1, 1))


def save_linear(path: Path, **more) -> nn.Linear:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    save_checkpoint(path, "detector", {"seed": 7}, LABELS, model, **more)
    return model


def test_round_trip(tmp_path):
    model = save_linear(tmp_path / "a" / "model.pt", epoch=5, numbers=[1.5, "x", {"y": torch.arange(3)}])
    content = read_checkpoint(tmp_path / "a" / "model.pt", "detector")
    assert (content["config"], content["epoch"], content["numbers"][:2]) == ({"seed": 7}, 5, [1.5, "x"])
    assert labels_of(content, "m.pt") == LABELS
    again = nn.Linear(4, 3)
    load_into(again, content["model"], "model.pt")
    assert weight_digest(again) == weight_digest(model)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["model.pt"]


@pytest.mark.parametrize("embedding", [0, 20])
@torch.inference_mode()
def test_a_recognizer_rebuilds_itself(tmp_path, embedding):
    torch.manual_seed(0)
    model = Recognizer(ResNet(18), len(LABELS), embedding=embedding).eval()
    config = RecognitionConfig(backbone=BackboneConfig("manet_r18"))
    save_checkpoint(tmp_path / "best.pt", "recognizer", to_dict(config), LABELS, model)
    again = load_recognizer(tmp_path / "best.pt")
    assert again.labels == LABELS and again.backbone_config == config.backbone and not again.training
    clips = torch.rand(1, 2, 3, 32, 32)
    assert torch.equal(again(clips).logits, model(clips).logits)
    assert (again(clips).embedding is None) == (embedding == 0)


@torch.inference_mode()
def test_a_detector_rebuilds_itself(tmp_path):
    torch.manual_seed(0)
    config = DetectionConfig(detector=DetectorConfig(width=8, centring=7))
    model = build_detector(config.detector, 5, LABELS).eval()
    for view in model.probe.views:
        model.probe.weight_and_bias(view)[0].normal_()
    for buffer in model.probe.views["random"].buffers():  # drawn otherwise than a fresh detector draws them
        buffer.normal_()
    model.probe.bound[0] = 0.1
    model.length.uniform_(2, 9)
    model.count[:] = 1
    features = {"source": "made up", "channels": 5, "settings": {}, "step": 0.1}
    save_checkpoint(tmp_path / "best.pt", "detector", to_dict(config), LABELS, model, features=features)
    again, labels, settings, known = load_detector(tmp_path / "best.pt")
    assert labels == LABELS and known == features and settings.detector.width == 8 and not again.training
    x, mask = torch.rand(1, 4, 5), torch.ones(1, 4, dtype=torch.bool)
    assert torch.equal(again(x, mask).segments, model(x, mask).segments)
    assert torch.equal(again(x, mask).logits, model(x, mask).logits)


# --- what is refused --------------------------------------------------------------------------------------------


class Intruder:
    """Runs code of its choice when it is unpickled in good faith."""

    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self):
        return Path.touch, (self.victim,)


@pytest.mark.parametrize(
    "save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2))]
)
def test_code_in_a_file_is_not_run(tmp_path, save):
    save({"format": "mmad-1", "model": Intruder(tmp_path / "was here")}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match=r"evil\.pt: not a checkpoint that can be read safely"):
        read_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize(
    ("package", "module"), [("mmengine", "mmengine.logging.history_buffer"), ("omegaconf", "omegaconf.dictconfig")]
)
def test_objects_of_other_packages_are_named_and_how_to_leave_them_out(tmp_path, monkeypatch, package, module):
    """As mmengine saves what it logged beside the weights."""
    kind = type("HistoryBuffer", (), {"__module__": module})
    for name in (package, module):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules[module].HistoryBuffer = kind
    torch.save({"state_dict": {"a": torch.zeros(2)}, "message_hub": {"loss": kind()}}, tmp_path / "old.pth")
    with pytest.raises(InputError) as error:
        read_checkpoint(tmp_path / "old.pth")
    assert f"it holds objects of {package}: {module}.HistoryBuffer); keep only its state_dict" in str(error.value)
    assert "torch.save({'state_dict': c['state_dict']}" in str(error.value)
    assert str(error.value).isprintable()  # no escapes of terminals


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_truncated_files_are_refused(tmp_path, zipped, part):
    content = {"state_dict": {f"layer{i}.weight": torch.zeros(20) for i in range(5)}}
    torch.save(content, tmp_path / "cut.pt", _use_new_zipfile_serialization=zipped)
    data = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: int(part * len(data))])
    with pytest.raises(InputError, match=r"cut\.pt: .*is the file complete"):
        read_checkpoint(tmp_path / "cut.pt")


@pytest.mark.parametrize("text", ["hello", "error 404", "version https://git-lfs.github.com/spec/v1", "<html>", "\0\0"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "other.pt").write_text(text)
    with pytest.raises(InputError, match=r"other\.pt: not a checkpoint"):
        read_checkpoint(tmp_path / "other.pt")


def test_places_that_hold_no_checkpoint(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "tensors.pt")
    save_linear(tmp_path / "detector.pt")
    for name, kind, problem in (
        ("absent.pt", None, "no such file"),
        ("", None, "is a folder"),
        ("list.pt", None, "holds a list"),
        ("tensors.pt", "detector", "not a checkpoint of ours; expected a detector"),
        ("detector.pt", "recognizer", "this is a detector; expected a recognizer"),
    ):
        with pytest.raises(InputError, match=problem):
            read_checkpoint(tmp_path / name, kind)


def test_what_is_no_recognizer_is_refused(tmp_path):
    save_linear(tmp_path / "detector.pt")
    with pytest.raises(InputError, match="this is a detector; expected a recognizer"):
        load_recognizer(tmp_path / "detector.pt")
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "tensors.pt")
    with pytest.raises(InputError, match="neither a recognizer of ours nor the released MANet"):
        load_recognizer(tmp_path / "tensors.pt")


WEIGHTS = {"head.weight": torch.zeros(2), "model.bias": torch.ones(3)}


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model_state_dict": WEIGHTS, "optimizer_state_dict": {"state": {}}},
        {"epoch": 1, "model": WEIGHTS, "optimizer": {}},
        {f"module.{name}": value for name, value in WEIGHTS.items()},
        {"model_state_dict": {f"module._orig_mod.{name}": value for name, value in WEIGHTS.items()}},
        {"state_dict": {f"model.{name}": value for name, value in WEIGHTS.items()}},
    ],
)
def test_weights_are_found_where_other_programs_put_them(content):
    assert weights_of(content) == WEIGHTS


MISFITS = {  # what a Linear(4, 3) is given, what is said
    "misshapen": ({"weight": torch.zeros(3, 5), "bias": torch.zeros(3)}, r"weight \(3, 5\) instead of \(3, 4\)"),
    "missing": ({"weight": torch.zeros(3, 4)}, r"lacks 1 tensors \(bias\)"),
    "surplus": ({"weight": torch.zeros(3, 4), "bias": torch.zeros(3), "gain": torch.zeros(3)}, r"unknown 1 .*\(gain\)"),
    "all of it": ({"weight": torch.zeros(2), "gain": torch.zeros(3)}, r"lacks .*bias.*unknown .*gain.*\(2,\) instead"),
}


@pytest.mark.parametrize("state, said", MISFITS.values(), ids=MISFITS)
def test_misfits_are_named(state, said):
    model = nn.Linear(4, 3)
    before = weight_digest(model)
    with pytest.raises(InputError, match=rf"file\.pt: does not fit Linear: .*{said}"):
        load_into(model, state, "file.pt")
    assert weight_digest(model) == before  # nothing was half loaded


def test_tensors_that_may_be_missing():
    model = nn.ModuleDict({"conv": nn.Linear(2, 2), "excite": nn.Linear(2, 2)})
    state = {"conv.weight": torch.ones(2, 2), "conv.bias": torch.ones(2)}
    load_into(model, state, "file.pt", may_miss="excite")
    assert (model["conv"].weight == 1).all()
    with pytest.raises(InputError, match=r"lacks 1 tensors \(conv\.bias\)"):
        load_into(model, {"conv.weight": torch.ones(2, 2)}, "file.pt", may_miss="excite")


# --- digest -----------------------------------------------------------------------------------------------------


def test_the_digest_changes_with_any_weight_and_nothing_else():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    digest = weight_digest(model)
    assert len(digest) == 12 and digest == weight_digest(model.eval())
    seen = {digest}
    for value in model.state_dict().values():  # weights, running statistics, the count of batches
        value.view(-1)[-1:] += 1
        seen.add(weight_digest(model))
    assert len(seen) == 1 + 7
    assert weight_digest(nn.Sequential(nn.Linear(4, 3))) not in seen


def test_labels_of_the_real_set_survive(tmp_path):
    save_checkpoint(tmp_path / "m.pt", "detector", {}, MMA52, nn.Linear(1, 1))
    assert labels_of(read_checkpoint(tmp_path / "m.pt"), "m.pt") == MMA52


def test_what_the_system_says_of_a_checkpoint(tmp_path, monkeypatch):
    """No word of an incomplete file: it is whole."""
    path = tmp_path / "last.pt"
    torch.save({}, path)

    def refused(*args, **kwargs):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    monkeypatch.setattr(builtins, "open", refused)
    with pytest.raises(InputError, match=r"last\.pt: Too many open files; .*ulimit -n") as caught:
        read_checkpoint(path)
    assert "complete" not in str(caught.value)
