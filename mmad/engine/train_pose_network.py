"""Training the pose network on performances of rendered people, and evaluating it on those of other people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmad.config import NoiseConfig, PoseTrainConfig, from_dict
from mmad.data.batch_share import BatchShare
from mmad.data.feature_files import finished_track, save_track
from mmad.data.performance_files import Performance
from mmad.data.pose_dataset import PoseBatch, PoseBatches, estimated_joints, targets_of, visible_truth
from mmad.engine import distributed
from mmad.engine.devices import choose_device
from mmad.engine.pose_features import PoseFeatures, build_pose_network
from mmad.engine.trainer import Task, fit
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.metrics.recognition import mean_average_precision
from mmad.models.pose_network import PoseNetwork, PoseOutput
from mmad.models.prototypes import CalibrationOutput
from mmad.ops.losses import tree_loss_of_steps
from mmad.pose.joint_inputs import FPS, PART_LETTERS
from mmad.records import Annotation, TimeGrid, content_digest
from mmad.weight_files import labels_of, load_into, read_checkpoint

PART_WEIGHT = 0.5  # weight of the body-part loss; that of the class loss is 1
POSITIVE_WEIGHT = 2.0  # weight of a step at which a class is in progress
CALIBRATED_STEPS = 256  # of a batch, drawn among those with exactly one action: enough for prototypes, and cheap


def train_pose_network(
    config: PoseTrainConfig, train: Sequence[Performance], val: Sequence[Performance], labels: LabelSet
) -> PoseNetwork:
    """Train into `config.output`/network and return the network of the best epoch, in eval mode."""
    output, device = Path(config.output) / "network", choose_device(config.device)
    torch.manual_seed(config.seed)
    network = build_pose_network(config.network, labels, calibration=config.calibration > 0)
    size = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    print(f"{len(train)} performances to train on, {len(val)} to evaluate on, {size:.2f} M parameters on {device}")
    batches = PoseBatches(train, labels, config)
    membership = F.one_hot(torch.tensor(labels.part_of), len(labels.parts)).float().to(device)

    share = BatchShare(range(len(batches)), distributed.share())

    def at_epoch(epoch: int) -> DataLoader:
        batches.epoch = epoch
        workers = config.train.workers
        return DataLoader(batches, sampler=share, batch_size=None, num_workers=workers, generator=torch.Generator())

    def losses(model: nn.Module, batch: PoseBatch) -> dict[str, Tensor]:
        return pose_losses(model, batch, membership, config.tree, config.calibration)

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"score": step_precision(PoseFeatures(model, device), val, labels, config.noise)}

    data = {"performances": content_digest([f"{item.truth.video_id} {len(item.joints)}" for item in [*train, *val]])}
    task = Task("pose network", network, labels, config, {}, data, at_epoch, losses, evaluate)
    fit(task, config.train, output, config.seed, device)
    return load_network(output / "best.pt")[0]


def pose_losses(
    network: nn.Module, batch: PoseBatch, membership: Tensor, tree: float = 0.0, calibration: float = 0.0
) -> dict[str, Tensor]:
    """{"classes", "parts"}, and "tree" and "calibration" where these have a weight: scalars.

    membership: (K, P) one-hot body part of each class. Prototype calibration asks which class is right of all, so it is
    computed at steps with exactly one action, on a sample of these; there the logits count as those of a softmax.
    """
    output = network(batch.inputs, batch.mask)
    parts = (batch.targets @ membership).clamp(max=1)
    weight = 1 + (POSITIVE_WEIGHT - 1) * batch.targets
    class_losses = F.binary_cross_entropy_with_logits(output.logits, batch.targets, weight, reduction="none")
    part_losses = F.binary_cross_entropy_with_logits(output.parts, parts, reduction="none")
    real, steps = output.mask[..., None], output.mask.sum()
    losses = {
        "classes": (class_losses * real).sum() / steps,
        "parts": PART_WEIGHT * (part_losses * real).sum() / steps,
    }
    if tree:
        of_steps = tree_loss_of_steps(output.logits, output.parts, batch.targets, membership)
        losses["tree"] = tree * (of_steps * output.mask).sum() / steps
    if calibration:
        losses["calibration"] = calibration * _calibration_of_steps(network, output, batch.targets, membership)
    return losses


def _calibration_of_steps(network: nn.Module, output: PoseOutput, targets: Tensor, membership: Tensor) -> Tensor:
    """The calibration loss of a sample of the steps with exactly one action; 0 where there are none."""
    row, step = torch.nonzero((targets.sum(dim=2) == 1) & output.mask, as_tuple=True)
    if len(row) == 0:
        return output.logits.new_zeros(())
    chosen = torch.randperm(len(row), device=row.device)[:CALIBRATED_STEPS]
    at = row[chosen], step[chosen]
    found = CalibrationOutput(output.calibration.parts[at], output.calibration.actions[at])
    true, part_of = targets[at].argmax(dim=1), membership.argmax(dim=1)
    return network.calibration.loss(found, output.logits[at], output.parts[at], true, part_of)


def step_precision(
    features: PoseFeatures, performances: Sequence[Performance], labels: LabelSet, noise: NoiseConfig
) -> float:
    """Average precision over steps, mean over the classes, as `scores_of_steps`."""
    scores, truth = scores_of_steps(features, performances, labels, noise)
    return mean_average_precision(truth, scores[:, : len(labels)])


def scores_of_steps(
    features: PoseFeatures, performances: Sequence[Performance], labels: LabelSet, noise: NoiseConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (S, K + P) of classes and body parts at all steps, and what is in progress there, (S, K) of 0 and 1.

    Each performance is seen from one camera, the same in every call.
    """

    def scores_and_truth(index: int) -> tuple[np.ndarray, np.ndarray]:
        item = performances[index]
        points, _ = estimated_joints(item.joints.astype(np.float32), np.random.default_rng([index]), noise)
        count = len(labels) + len(labels.parts)
        return features.of_points(points)[:, :count], targets_of(item, 0, points, labels)

    scores, truth = zip(*distributed.for_each(scores_and_truth, range(len(performances))))
    return np.concatenate(scores), np.concatenate(truth)


def load_network(path: str | Path) -> tuple[PoseNetwork, LabelSet]:
    """The pose network of a checkpoint of its training, in eval mode, without prototypes; and its labels."""
    content = read_checkpoint(path, "pose network")
    config = from_dict(PoseTrainConfig, content["config"], str(path))
    labels = labels_of(content, path)
    if len(labels.parts) != len(PART_LETTERS):
        raise InputError(path, f"knows {len(labels.parts)} body parts", f"expected {len(PART_LETTERS)}")
    network = build_pose_network(config.network, labels)
    state = {name: value for name, value in content["model"].items() if not str(name).startswith("calibration.")}
    load_into(network, state, path)
    return network.eval(), labels


def write_features(
    features: PoseFeatures,
    performances: Sequence[Performance],
    folder: str | Path,
    labels: LabelSet,
    noise: NoiseConfig,
) -> list[Annotation]:
    """Write one feature file per performance, each seen by one camera; existing files are kept.

    Returns the annotations of the performances, without actions that cannot be seen.
    """
    truths = []
    for index, item in enumerate(tqdm(performances, desc="features of joints", leave=False, disable=None)):
        points, _ = estimated_joints(item.joints.astype(np.float32), np.random.default_rng([1, index]), noise)
        truths.append(visible_truth(item, points, labels))
        if finished_track(folder, item.truth.video_id, features.source):
            continue
        grid = TimeGrid(0.0, 1 / FPS)
        save_track(folder, features.of_person(item.truth.video_id, points, grid, item.truth.duration))
    return truths
