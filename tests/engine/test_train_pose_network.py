"""The losses of the pose network, and a small training with those that can be switched on."""

import json

import pytest
import torch
from made_joints import sitting
from torch import nn
from torch.testing import assert_close

from mmad.config import PoseNetworkConfig, PoseTrainConfig, TrainConfig
from mmad.data.performance_files import Performance
from mmad.data.pose_dataset import PoseBatch
from mmad.engine import train_pose_network as training
from mmad.engine.pose_features import build_pose_network
from mmad.engine.train_pose_network import load_network, pose_losses, train_pose_network
from mmad.labels import MMA52
from mmad.models.pose_network import CHANNELS
from mmad.ops.clip_probabilities import part_membership
from mmad.ops.losses import tree_loss_of_steps
from mmad.pose.joint_inputs import JOINT_INPUTS
from mmad.records import Annotation
from mmad.weight_files import read_checkpoint

MEMBERSHIP = part_membership(MMA52.part_of, 7)


def batch_of(*actions: list[list[int]], real: int = 99) -> PoseBatch:
    """actions: of each row, those in progress at each output step. real: real output steps of every row."""
    rows, steps = len(actions), len(actions[0])
    targets = torch.zeros(rows, steps, 52)
    for row, of_steps in enumerate(actions):
        for step, some in enumerate(of_steps):
            targets[row, step, some] = 1
    mask = (torch.arange(2 * steps) < 2 * real).expand(rows, -1)
    generator = torch.Generator().manual_seed(0)
    return PoseBatch(torch.randn(rows, 2 * steps, len(JOINT_INPUTS), CHANNELS, generator=generator), mask, targets)


def network_of(calibration: bool) -> nn.Module:
    torch.manual_seed(0)
    return build_pose_network(PoseNetworkConfig(8, [1], dropout=0.0), MMA52, calibration).train()


def test_switches_that_are_off_add_nothing():
    batch = batch_of([[9], [], [9, 24]])
    plain = pose_losses(network_of(False), batch, MEMBERSHIP)
    assert plain.keys() == {"classes", "parts"}
    more = pose_losses(network_of(True), batch, MEMBERSHIP, tree=1.0, calibration=0.2)
    assert more.keys() == {"classes", "parts", "tree", "calibration"}
    assert all(torch.equal(plain[name], more[name]) for name in plain)


def test_the_tree_is_the_mean_over_real_steps():
    batch, network = batch_of([[9], [9, 24], [], [3]], [[], [], [1], [2]], real=3), network_of(False)
    found = pose_losses(network, batch, MEMBERSHIP, tree=2.0)["tree"]
    output = network(batch.inputs, batch.mask)
    of_steps = tree_loss_of_steps(output.logits, output.parts, batch.targets, MEMBERSHIP)
    assert_close(found, 2 * of_steps[:, :3].mean())


def test_calibration_sees_real_steps_with_exactly_one_action(monkeypatch):
    batch, network = batch_of([[9], [9, 24], [], [3]], [[], [], [1], [2]], real=3), network_of(True)
    seen = []

    def loss(found, logits, part_logits, true, part_of):
        seen.append((len(found.actions), sorted(true.tolist())))
        return logits.sum()

    monkeypatch.setattr(network.calibration, "loss", loss)
    pose_losses(network, batch, MEMBERSHIP, calibration=1.0)
    monkeypatch.setattr(training, "CALIBRATED_STEPS", 1)
    pose_losses(network, batch, MEMBERSHIP, calibration=1.0)
    assert seen[0] == (2, [1, 9])  # of row 0 step 0, of row 1 step 2
    assert seen[1] in ((1, [1]), (1, [9]))
    nobody = pose_losses(network, batch_of([[], [1, 2]]), MEMBERSHIP, calibration=1.0)
    assert nobody["calibration"] == 0 and len(seen) == 2


def test_what_belongs_to_one_step_stays_together(monkeypatch):
    """Features, logits and labels of the sample are of the same steps."""
    batch, network = batch_of([[k] for k in range(10)]), network_of(True)

    def loss(found, logits, part_logits, true, part_of):
        output = network(batch.inputs, batch.mask)
        assert_close(logits, output.logits[0, true])  # step k has action k
        assert_close(part_logits, output.parts[0, true])
        assert_close(found.actions, network.calibration.actions.project(output.features[0, true]))
        assert part_of.tolist() == list(MMA52.part_of)
        return logits.sum()

    monkeypatch.setattr(network.calibration, "loss", loss)
    pose_losses(network, batch, MEMBERSHIP, calibration=1.0)


@pytest.fixture(scope="module")
def performances() -> list[Performance]:
    """Heads that go up and down for two of four seconds."""
    found = []
    for i in range(4):
        joints = sitting(60)
        joints[15:45, :11, 2] += 0.05 * torch.sin(torch.arange(30)[:, None] * 1.5).numpy()
        truth = Annotation(f"person{i}", 4.0, [(1.0, 3.0)], [MMA52.index["nodding"]])
        found.append(Performance(joints.astype("float16"), truth))
    return found


def test_a_training_with_both_switches_leaves_a_network_without_prototypes(performances, tmp_path):
    train = TrainConfig(epochs=2, batch=4, lr=1e-3)
    config = PoseTrainConfig(str(tmp_path), device="cpu", batches=2, network=PoseNetworkConfig(8, [1]), train=train)
    config.tree, config.calibration = 1.0, 0.2
    network = train_pose_network(config, performances, performances, MMA52)
    rows = [json.loads(line) for line in (tmp_path / "network" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2 and all(row["tree"] > 0 and row["calibration"] > 0 for row in rows)
    state = read_checkpoint(tmp_path / "network" / "best.pt", "pose network")["model"]
    assert "calibration.actions.prototypes" in state
    assert network.calibration is None and not network.training
    assert {name for name in state if not name.startswith("calibration.")} == network.state_dict().keys()
    again, labels = load_network(tmp_path / "network" / "best.pt")
    assert labels == MMA52
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())
