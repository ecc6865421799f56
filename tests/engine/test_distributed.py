"""Two processes on the CPU give the weights of one, with the same batches; a training changes its number of processes.

Networks compute in float64 here, and losses in float32. Sums over two halves of a batch are rounded otherwise than sums
over all of it; in float32 normalization over few values makes much of that. Dropout is off: each process draws its own.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from in_processes import together
from test_mmn_training import config_of as joints_config
from test_mmn_training import data as joints  # noqa: F401
from test_train_detector import config_of as detection_config
from test_train_detector import data as videos  # noqa: F401
from test_train_pose_network import performances  # noqa: F401
from test_train_recognizer import EVERYTHING, PCAN
from test_train_recognizer import config_of as clips_config
from test_train_recognizer import data as clips  # noqa: F401
from torch import nn
from torch.testing import assert_close

from mmad.config import DetectionConfig, PoseNetworkConfig, PoseTrainConfig, TrainConfig
from mmad.engine import trainer
from mmad.engine.train_detector import train_detector
from mmad.engine.train_pose_network import train_pose_network
from mmad.engine.train_recognizer import train_recognizer
from mmad.labels import MMA52
from mmad.models.prototypes import Prototypes
from mmad.weight_files import read_checkpoint

TOLERANCE = {"rtol": 1e-3, "atol": 2e-5}
# Adam makes steps of one size of gradients that are only rounding errors, as of biases before a normalization.
PLAIN = ("train.optimizer=sgd", "train.lr=0.01")
WINDOWS = ("clips.window=1", "clips.videos=long", "loss.kind=sigmoid", "data.train=long.csv", "data.val=long.csv")


def exact(model: nn.Module) -> None:
    """The network in float64, without dropout and stochastic depth. Prototypes stay in float32, for the loss."""
    model.double()
    model.register_forward_pre_hook(lambda _, arguments: tuple(map(as_double, arguments)))
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        if isinstance(layer, Prototypes):
            layer.prototypes = layer.prototypes.float()
        if hasattr(layer, "drop_path"):
            layer.drop_path = 0.0


def as_double(value):
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def train(kind: str, config, material, stop_after: int = 0) -> None:
    """Train as the commands do; with `stop_after` until so many epochs are finished, as by Ctrl-C."""
    fresh, one_epoch = trainer._fresh_state, trainer.train_one_epoch

    def exact_state(task, config, device):
        exact(task.model)
        return fresh(task, config, device)

    def stopping(task, state, config, epoch, device):
        if stop_after and epoch == stop_after:
            raise KeyboardInterrupt
        return one_epoch(task, state, config, epoch, device)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_fresh_state", exact_state)
        patch.setattr(trainer, "train_one_epoch", stopping)
        try:
            if kind == "pose network":
                train_pose_network(config, material, material, MMA52)
            elif kind == "detector":
                train_detector(config)
            else:
                train_recognizer(config)
        except KeyboardInterrupt:
            assert stop_after


def train_several(jobs: list[tuple]) -> None:
    for job in jobs:
        train(*job)


def test_two_processes_give_the_detector_of_one(videos, tmp_path):  # noqa: F811
    def config_of(name: str) -> DetectionConfig:
        config = detection_config(videos, tmp_path / name, ema=0.9, batch=4)
        config.detector.parts = True  # further outputs, further losses
        return config

    check("detector", config_of, tmp_path)


def test_two_processes_give_the_pose_network_of_one(performances, tmp_path):  # noqa: F811
    config = PoseTrainConfig(device="cpu", batches=3, network=PoseNetworkConfig(8, [1]), tree=1.0, calibration=0.2)
    config.train = TrainConfig(epochs=2, batch=5, lr=1e-3)
    check("pose network", lambda name: replace(config, output=str(tmp_path / name)), tmp_path, performances)


@pytest.mark.parametrize(
    "settings",
    [
        (*EVERYTHING, "train.batch=5"),
        pytest.param((*PCAN, "loss.mixup=0.5"), marks=pytest.mark.slow),
        pytest.param((*WINDOWS, "embedding=builtin", "clips.flip=0"), marks=pytest.mark.slow),
    ],
    ids=["everything", "PCAN", "windows"],
)
def test_two_processes_give_the_recognizer_of_one(clips, tmp_path, settings):  # noqa: F811
    """Batches of 5, 5 and 2 clips, or of 4: unequal shares, and with batch normalization over all of them."""
    check("recognizer", lambda name: clips_config(clips, tmp_path / name, *settings, *PLAIN), tmp_path)


def test_two_processes_give_the_mmn_of_one(joints, tmp_path):  # noqa: F811
    """A part of the clips: in float64 on a CPU each costs half a second."""
    for subset, count in (("train", 4), ("val", 2)):
        lines = (joints / f"{subset}_list_videos.txt").read_text().splitlines(keepends=True)
        (joints / f"few_{subset}.txt").write_text("".join(lines[:count]))
    settings = ("data.train=few_train.txt", "data.val=few_val.txt", "train.batch=3", *PLAIN)
    check("recognizer", lambda name: joints_config(joints, tmp_path / name, *settings), tmp_path)


def check(kind: str, config_of, tmp_path: Path, material=None) -> None:
    """One process; two; two, then one; one, then two: the same weights and scores, and files written once."""
    train(kind, config_of("one"), material)
    train(kind, config_of("1-2"), material, 1)
    jobs = [
        (kind, config_of("two"), material),
        (kind, config_of("2-1"), material, 1),
        (kind, config_of("1-2"), material),
    ]
    assert together(2, train_several, jobs) == [0, 0]
    train(kind, config_of("2-1"), material)
    inner = "network" if kind == "pose network" else "."
    expected, rows = found_in(tmp_path / "one" / inner)
    for name in ("two", "2-1", "1-2"):
        weights, other_rows = found_in(tmp_path / name / inner)
        assert_close(weights, expected, **TOLERANCE)
        for row, other in zip(rows, other_rows, strict=True):
            assert other == pytest.approx(row, rel=2e-3, abs=2e-4)
        names = {path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*") if path.is_file()}
        assert len(names) == len({path for path in (tmp_path / "one").rglob("*") if path.is_file()}) + (name != "two")


def found_in(folder: Path) -> tuple[dict[str, torch.Tensor], list[dict]]:
    """The weights of last.pt and of its average, and the rows of the epochs without the seconds."""
    content = read_checkpoint(folder / "last.pt")
    weights = content["model"] | {f"average.{name}": value for name, value in content.get("average", {}).items()}
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return weights, [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
