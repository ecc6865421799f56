"""What may be switched on in training: batches in parts, half precision with a scaled loss, compilation."""

import math
import shutil
from dataclasses import dataclass, replace

import pytest
import torch
from in_processes import together
from test_distributed import TOLERANCE, found_in, train, train_several
from test_train_detector import config_of as detection_config
from test_train_detector import data as videos  # noqa: F401
from test_train_detector import same
from test_train_pose_network import performances  # noqa: F401
from test_train_recognizer import PCAN
from test_train_recognizer import config_of as clips_config
from test_train_recognizer import data as clips  # noqa: F401
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from mmad.config import PoseNetworkConfig, PoseTrainConfig, RecognitionConfig, TrainConfig, load_config
from mmad.engine import optim, trainer
from mmad.engine.batch_parts import Division, InParts, bounds_of, rows_of
from mmad.engine.optim import make_scaler
from mmad.engine.train_recognizer import train_recognizer
from mmad.engine.trainer import Task, fit
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.weight_files import read_checkpoint

# --- parts of a batch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows, parts, bounds", [(6, 3, [0, 2, 4, 6]), (5, 2, [0, 2, 5]), (2, 4, [0, 1, 2]), (1, 1, [0, 1]), (0, 3, [0, 0])]
)
def test_parts_are_of_almost_equal_size_and_none_is_empty(rows, parts, bounds):
    assert bounds_of(rows, parts) == bounds


def test_rows_of_tensors_of_tuples_and_of_nothing():
    a, b = torch.arange(4), torch.arange(8).view(4, 2)
    whole, first, none, pair = rows_of((b, a, None, (a, b)), 1, 3, whole=1)
    assert whole is b and none is None
    assert first.tolist() == [1, 2] and pair[1].tolist() == [[2, 3], [4, 5]]


@dataclass
class Output:
    rows: Tensor
    scale: Tensor
    table: Tensor
    nothing: None = None


class Watched(nn.Module):
    """Counts the rows that it is given at once."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm, self.scale = nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Parameter(torch.tensor(2.0))
        self.seen = []

    def forward(self, table: Tensor, x: Tensor) -> Output:
        self.seen.append(len(x))
        return Output(self.norm(self.layer(x)) + table.mean(), self.scale, table)


def test_a_network_in_parts():
    """Outputs of all rows, what is the same in all parts once, attributes of the network; each part twice."""
    network, x, table = Watched(), torch.randn(5, 3), torch.randn(2)
    parts = InParts(network, 2, Division(1, ("table",)))
    assert parts.layer is network.layer
    output = parts(table, x)
    assert output.rows.shape == (5, 2) and output.scale is network.scale and output.table is table
    assert network.seen == [2, 3]
    after = {name: value.clone() for name, value in network.norm.state_dict().items()}
    assert after["num_batches_tracked"] == 2
    (output.rows.square().sum() * output.scale).backward()
    assert sorted(network.seen) == [2, 2, 3, 3]
    assert same(dict(network.norm.state_dict()), after)  # the second time does not count
    assert network.norm.momentum == 0.1 and network.layer.weight.grad is not None


def frozen_norms(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval().train = lambda mode=True: None


def pose_config(folder, **train) -> PoseTrainConfig:
    config = PoseTrainConfig(str(folder), device="cpu", batches=3, network=PoseNetworkConfig(8, [1]), calibration=0.2)
    config.train = TrainConfig(**{"epochs": 2, "batch": 5, "lr": 1e-3, **train})
    return config


@pytest.mark.parametrize("body", [False, True], ids=["actions", "P(part) x P(action | part)"])
def test_parts_give_the_detector_of_whole_batches(videos, tmp_path, body):  # noqa: F811
    """Losses divided by the actions of a batch, classes drawn at random, the (video, class) pairs in parts."""
    for parts in (1, 3):
        config = detection_config(videos, tmp_path / str(parts), accumulate=parts, batch=4)
        config.detector.parts = body
        train("detector", config, None)
    assert_close(found_in(tmp_path / "1")[0], found_in(tmp_path / "3")[0], **TOLERANCE)


def test_parts_give_the_pose_network_of_whole_batches(performances, tmp_path):  # noqa: F811
    for parts in (1, 2):
        train("pose network", pose_config(tmp_path / str(parts), accumulate=parts), performances)
    assert_close(*(found_in(tmp_path / parts / "network")[0] for parts in ("1", "2")), **TOLERANCE)


def test_parts_give_the_recognizer_of_whole_batches(clips, tmp_path, monkeypatch):  # noqa: F811
    """With losses that compare clips with each other. Batch normalization is fixed: it would see parts."""
    fresh = trainer._fresh_state

    def with_frozen_norms(task, config, device):
        frozen_norms(task.model)
        return fresh(task, config, device)

    monkeypatch.setattr(trainer, "_fresh_state", with_frozen_norms)
    for parts in (1, 2):
        settings = (*PCAN, "loss.mixup=0.5", f"train.accumulate={parts}", "train.optimizer=sgd", "train.epochs=1")
        train("recognizer", clips_config(clips, tmp_path / str(parts), *settings), None)
    assert_close(found_in(tmp_path / "1")[0], found_in(tmp_path / "2")[0], **TOLERANCE)


@pytest.mark.slow
def test_parts_in_two_processes(performances, tmp_path):  # noqa: F811
    """Two of one and two, or all of a batch in each process where there are fewer clips than parts of processes."""
    configs = {}
    for batch in (5, 3):
        for parts in (1, 2):
            folder = tmp_path / f"{batch}{parts}"
            configs[batch, parts] = pose_config(folder, batch=batch, accumulate=parts)
    for batch in (5, 3):
        train("pose network", configs[batch, 1], performances)
    assert together(2, train_several, [("pose network", configs[batch, 2], performances) for batch in (5, 3)]) == [0, 0]
    for batch in (5, 3):
        assert_close(*(found_in(tmp_path / f"{batch}{parts}" / "network")[0] for parts in (1, 2)), **TOLERANCE)


def test_parts_and_compilation_may_change_when_a_training_goes_on(videos, tmp_path):  # noqa: F811
    train("detector", detection_config(videos, tmp_path / "run"), None, 1)
    train("detector", detection_config(videos, tmp_path / "run", accumulate=2), None)
    assert len(found_in(tmp_path / "run")[1]) == 3


# --- half precision ---------------------------------------------------------------------------------------------


@pytest.fixture
def large_first_scale(monkeypatch):
    """Too large for float16: it is halved until gradients are finite."""
    original = torch.amp.GradScaler

    def scaler(device: str, enabled: bool) -> torch.amp.GradScaler:
        return original(device, init_scale=2.0**30, enabled=enabled)

    monkeypatch.setattr(torch.amp, "GradScaler", scaler)


def line_task() -> Task:
    """y = 2 x, learned in float16."""
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 8)[:, None]

    def losses(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.float16):
            found = model(x)
        return {"square": F.mse_loss(found.float(), 2 * x)}

    def score(model: nn.Module) -> dict[str, float]:
        return {"score": -float(losses(model, x)["square"].detach())}

    def batches(epoch: int) -> list[Tensor]:
        return [x] * 30

    return Task("line", nn.Linear(1, 1), MMA52, TrainConfig(), {}, {}, batches, losses, score, precision="float16")


def test_the_loss_is_scaled_and_a_training_goes_on_with_its_scale(large_first_scale, tmp_path):
    """Steps whose gradients overflow change nothing; later ones learn."""
    config = TrainConfig(epochs=2, lr=0.1, schedule="step")
    for name, epochs in (("whole", [2]), ("cut", [1, 2])):
        for last in epochs:
            fit(line_task(), replace(config, epochs=last), tmp_path / name, 0, torch.device("cpu"))
    whole, cut = (read_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "cut"))
    for part in ("model", "optimizer", "scaler"):
        assert same(whole[part], cut[part]), part
    left_out = 30 - math.log2(whole["scaler"]["scale"])  # each step that was left out halved the scale
    assert 5 < left_out < 30 and whole["optimizer"]["state"][0]["step"] == 60 - left_out
    assert abs(whole["model"]["weight"].item() - 2) < 0.3


@pytest.mark.slow
def test_a_recognizer_in_half_precision(clips, tmp_path, large_first_scale):  # noqa: F811
    train_recognizer(clips_config(clips, tmp_path, "precision=float16", "train.lr=1e-4"))
    last = read_checkpoint(tmp_path / "last.pt")
    assert 1 <= last["scaler"]["scale"] < 2.0**30
    assert all(value.isfinite().all() for value in last["model"].values())


def test_other_precisions_keep_no_scale(clips, tmp_path):  # noqa: F811
    train_recognizer(clips_config(clips, tmp_path, "train.epochs=1", "precision=bfloat16"))
    assert "scaler" not in read_checkpoint(tmp_path / "last.pt")
    assert not make_scaler("float32", torch.device("cpu")).is_enabled()


def test_float16_is_refused_where_torch_has_none(monkeypatch):
    monkeypatch.setattr(optim.torch, "is_autocast_enabled", lambda device: False)
    with pytest.raises(InputError, match=r"precision: 'float16' does not work on cpu with torch .*; set bfloat16 or"):
        make_scaler("float16", torch.device("cpu"))


def test_only_known_precisions():
    with pytest.raises(InputError, match="choose one of float32, bfloat16, float16"):
        load_config(RecognitionConfig, None, ["precision=float8"])


# --- compilation ------------------------------------------------------------------------------------------------


def test_what_is_compiled_is_trained(performances, videos, tmp_path, monkeypatch):  # noqa: F811
    """Captured as for a compiler, then run as it is: the same weights."""
    compiled, original = [], torch.compile

    def capture(model):
        compiled.append(type(model).__name__)
        return original(model, backend="eager")

    monkeypatch.setattr(torch, "compile", capture)
    for switch in (False, True):
        train("pose network", pose_config(tmp_path / f"pose{switch}", compile=switch), performances)
        parts = 1 + switch
        train("detector", detection_config(videos, tmp_path / f"det{switch}", compile=switch, accumulate=parts), None)
    assert compiled == ["PoseNetwork", "Detector"]
    for kind in ("pose{}/network", "det{}"):
        assert_close(*(found_in(tmp_path / kind.format(switch))[0] for switch in (False, True)), **TOLERANCE)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_with_the_compiler(performances, tmp_path):  # noqa: F811
    for switch in (False, True):
        train("pose network", replace(pose_config(tmp_path / str(switch), compile=switch), batches=2), performances)
    assert_close(*(found_in(tmp_path / str(switch) / "network")[0] for switch in (False, True)), **TOLERANCE)
