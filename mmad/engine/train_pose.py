"""Training the pose network on performances of rendered people, and judging it on other people's."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmad.config import NoiseConfig, PoseTrainConfig, from_dict
from mmad.data.features import is_done, save_track
from mmad.data.performances import Performance
from mmad.data.pose_dataset import PoseBatch, PoseBatches, look_at, targets_of, visible_truth
from mmad.engine.checkpoint import labels_of, load_into, read_checkpoint
from mmad.engine.devices import choose_device
from mmad.engine.pose_features import PoseFeatures, build_pose_network
from mmad.engine.trainer import Task, fit
from mmad.errors import InputError
from mmad.labels import LabelSet
from mmad.metrics.recognition import mean_average_precision
from mmad.models.pose_network import PoseNetwork
from mmad.pose.features import FPS, GROUPS
from mmad.records import Annotation, TimeGrid, content_digest

PART_WEIGHT = 0.5  # of the loss of body parts, beside that of the classes
POSITIVES = 2.0  # weight of a step in which a class is in progress


def train_pose_network(
    config: PoseTrainConfig, train: Sequence[Performance], val: Sequence[Performance], labels: LabelSet
) -> PoseNetwork:
    """Train into `config.output`/network and return the network of the best epoch, in eval mode."""
    output, device = Path(config.output) / "network", choose_device(config.device)
    torch.manual_seed(config.seed)
    network = build_pose_network(config.network, labels)
    size = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    print(f"{len(train)} performances to train on, {len(val)} to judge by, {size:.2f} M parameters on {device}")
    batches = PoseBatches(
        train, labels, config.batches, config.train.batch, config.variation, config.noise, config.seed
    )
    membership = F.one_hot(torch.tensor(labels.part_of), len(labels.parts)).float().to(device)

    def of_epoch(epoch: int) -> DataLoader:
        batches.epoch = epoch
        return DataLoader(batches, batch_size=None, num_workers=config.train.workers, generator=torch.Generator())

    def losses(model: nn.Module, batch: PoseBatch) -> dict[str, Tensor]:
        return pose_losses(model, batch, membership)

    def judge(model: nn.Module) -> dict[str, float]:
        return {"score": step_precision(PoseFeatures(model, device), val, labels, config.noise)}

    data = {"performances": content_digest([f"{item.truth.video_id} {len(item.joints)}" for item in [*train, *val]])}
    task = Task("pose network", network, labels, config, {}, data, of_epoch, losses, judge)
    fit(task, config.train, output, config.seed, device)
    return load_network(output / "best.pt")[0]


def pose_losses(network: nn.Module, batch: PoseBatch, membership: Tensor) -> dict[str, Tensor]:
    """{name: scalar}. membership: (K, P) one-hot body part of each class."""
    output = network(batch.joints, batch.mask)
    parts = (batch.targets @ membership).clamp(max=1)
    weight = 1 + (POSITIVES - 1) * batch.targets
    classes = F.binary_cross_entropy_with_logits(output.logits, batch.targets, weight, reduction="none")
    of_parts = F.binary_cross_entropy_with_logits(output.parts, parts, reduction="none")
    real, steps = output.mask[..., None], output.mask.sum()
    return {
        "classes": (classes * real).sum() / steps,
        "parts": PART_WEIGHT * (of_parts * real).sum() / steps,
    }


def step_precision(
    features: PoseFeatures, performances: Sequence[Performance], labels: LabelSet, noise: NoiseConfig
) -> float:
    """Average precision over steps, mean over the classes; each performance by one camera, always the same."""
    scores, truth = [], []
    for index, item in enumerate(performances):
        points, _ = look_at(item.joints.astype(np.float32), np.random.default_rng([index]), noise)
        scores.append(features.of_points(points)[:, : len(labels)])
        truth.append(targets_of(item, 0, points, labels))
    return mean_average_precision(np.concatenate(truth), np.concatenate(scores))


def load_network(path: str | Path) -> tuple[PoseNetwork, LabelSet]:
    """A pose network in eval mode from a checkpoint of its training."""
    content = read_checkpoint(path, "pose network")
    config = from_dict(PoseTrainConfig, content["config"], str(path))
    labels = labels_of(content, path)
    if len(labels.parts) != len(GROUPS):
        raise InputError(path, f"knows {len(labels.parts)} body parts", f"expected {len(GROUPS)}")
    network = build_pose_network(config.network, labels)
    load_into(network, content["model"], path)
    return network.eval(), labels


def write_features(
    features: PoseFeatures,
    performances: Sequence[Performance],
    folder: str | Path,
    labels: LabelSet,
    noise: NoiseConfig,
) -> list[Annotation]:
    """One feature file per performance, each seen by one camera; those that are there are kept. Returns what can be
    seen of them."""
    truths = []
    for index, item in enumerate(tqdm(performances, desc="features of joints", leave=False, disable=None)):
        points, _ = look_at(item.joints.astype(np.float32), np.random.default_rng([1, index]), noise)
        truths.append(visible_truth(item, points, labels))
        if is_done(folder, item.truth.video_id, features.source):
            continue
        grid = TimeGrid(0.0, 1 / FPS)
        save_track(folder, features.of_person(item.truth.video_id, points, grid, item.truth.duration))
    return truths
