import pytest
import torch
from torch.testing import assert_close

from mmad.config import PoseNetworkConfig
from mmad.engine.pose_features import build_pose_network
from mmad.labels import MMA52
from mmad.models.manet import ClipHead
from mmad.models.pose_network import CHANNELS
from mmad.models.prototypes import PrototypeCalibration
from mmad.ops.prototype_calibration import calibration_loss
from mmad.pose.joint_inputs import JOINT_INPUTS

PART_OF = torch.tensor([0, 0, 1])


def sample() -> tuple[PrototypeCalibration, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Samples whose (body, action) is (right, right), (right, wrong), (wrong, right), (wrong, wrong)."""
    torch.manual_seed(0)
    part_logits = torch.tensor([[1.0, 0], [1.0, 0], [0.0, 1], [1.0, 0]])
    logits = torch.tensor([[2.0, 0, 1], [2.0, 1, 0], [2.0, 0, 1], [2.0, 0, 1]])
    return PrototypeCalibration(8, 2, 3, scale=5.0), logits, part_logits, torch.tensor([0, 1, 0, 2])


def test_the_three_sets_of_false_negatives():
    calibration, logits, part_logits, true = sample()
    found = calibration.eval()(torch.randn(4, 8))
    wrong = [torch.tensor([i in some for i in range(4)]) for some in ((2, 3), (1,), (2,), (3,))]
    prototypes, of_parts = calibration.actions.prototypes, calibration.parts.prototypes
    body = calibration_loss(found.parts, of_parts, part_logits, PART_OF[true], [(wrong[0], 1.0)])
    sets = [(wrong[1], 1.0), (wrong[2], 0.1), (wrong[3], 0.5)]
    action = calibration_loss(found.actions, prototypes, logits, true, sets)
    assert_close(calibration.loss(found, logits, part_logits, true, PART_OF), body + action)


def test_prototypes_move_in_training_only_and_by_what_is_right_at_both_levels():
    calibration, logits, part_logits, true = sample()
    features = torch.randn(4, 8)
    found = calibration(features)
    before = {name: value.clone() for name, value in calibration.named_buffers()}
    calibration.eval().loss(found, logits, part_logits, true, PART_OF)
    assert all(torch.equal(value, before[name]) for name, value in calibration.named_buffers())
    calibration.train().loss(found, logits, part_logits, true, PART_OF)
    actions, parts = before["actions.prototypes"], before["parts.prototypes"]
    actions[0] = 0.9 * actions[0] + 0.1 * found.actions[0]  # the first sample alone
    parts[0] = 0.9 * parts[0] + 0.1 * found.parts[:2].mean(dim=0)  # the first two
    assert_close(calibration.actions.prototypes, actions)
    assert_close(calibration.parts.prototypes, parts)
    assert not calibration.actions.prototypes.requires_grad
    assert {"parts.prototypes", "actions.prototypes"} <= calibration.state_dict().keys()


def test_a_loss_can_be_followed_back_after_the_prototypes_moved():
    calibration, logits, part_logits, true = sample()
    calibration.loss(calibration(torch.randn(4, 8)), logits, part_logits, true, PART_OF).backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in calibration.parameters())


def test_what_prototypes_add_to_the_logits():
    """5 times the cosine of the mean projected feature; dropout has no say in it."""
    torch.manual_seed(0)
    head, features = ClipHead(8, 3, 0, dropout=0.5, num_parts=2, calibration=True), torch.randn(2, 4, 8)
    output = head.train()(features)
    projected = torch.stack([head.calibration.actions.project(row) for row in features.unbind(1)]).mean(dim=0)
    prototypes = head.calibration.actions.prototypes
    for i in range(2):
        wanted = [5 * torch.cosine_similarity(projected[i], prototype, dim=0) for prototype in prototypes]
        assert_close(output.added_logits[i], torch.stack(wanted))
    with torch.autocast("cpu", torch.bfloat16):
        assert head(features).added_logits.dtype == torch.float32


@pytest.mark.parametrize("network", ["recognizer", "pose network"])
def test_without_prototypes_a_network_is_what_it_was(network):
    """From one seed, with them and without: the same weights, and bit for bit the same outputs."""

    def made(calibration: bool) -> torch.nn.Module:
        torch.manual_seed(0)
        if network == "recognizer":
            return ClipHead(8, 52, num_parts=7, calibration=calibration).train()
        return build_pose_network(PoseNetworkConfig(8, [1, 2]), MMA52, calibration).train()

    plain, more = made(False), made(True)
    surplus = more.state_dict().keys() - plain.state_dict().keys()
    assert surplus and all(name.startswith("calibration.") for name in surplus)
    assert all(torch.equal(value, more.state_dict()[name]) for name, value in plain.state_dict().items())
    inputs = (torch.randn(2, 4, 8),)
    if network == "pose network":
        inputs = torch.randn(2, 6, len(JOINT_INPUTS), CHANNELS), torch.ones(2, 6, dtype=torch.bool)
    outputs = []
    for model in (plain, more):
        torch.manual_seed(1)  # of dropout
        outputs.append(model(*inputs))
    parts = ("logits", "part_logits" if network == "recognizer" else "parts", "features")
    assert all(torch.equal(getattr(outputs[0], name), getattr(outputs[1], name)) for name in parts)
    assert outputs[0].calibration is None and outputs[1].calibration is not None
