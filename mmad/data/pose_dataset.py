"""Performances as training data of the pose network: each time another camera, other proportions, other pose errors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmad.config import NoiseConfig, PoseTrainConfig, VariationConfig
from mmad.data.performance_files import Performance
from mmad.labels import LabelSet
from mmad.pose.cameras import make_camera, vary_proportions
from mmad.pose.joint_inputs import FPS, POSITION, build_inputs
from mmad.pose.noise import ARMS, BODY, FACE, HANDS, LEGS, disturb, shoulder_width
from mmad.pose.skeletons import LAYOUT_JOINTS, mirror
from mmad.pose.visibility import needed_joints_seen
from mmad.records import Annotation

CROPS = {30: 0.2, 60: 0.3, 120: 0.3, 200: 0.2}  # {steps of a training batch: probability}
HEAD_OFFSET, FACE_OFFSET = 0.25, 0.06  # offsets of the head, and of parts of the face, relative to those of limbs


@dataclass
class PoseBatch:
    """inputs: (B, T, I, 7) of `build_inputs`, T even. mask: (B, T) True where a step is real. targets: (B, T/2, K)."""

    inputs: Tensor
    mask: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "PoseBatch":
        return PoseBatch(*(tensor.to(device, non_blocking=True) for tensor in (self.inputs, self.mask, self.targets)))


class PoseBatches(Dataset):
    """The batches of one epoch: item i is determined by (seed, epoch, i). Set `epoch` before each epoch."""

    def __init__(self, performances: Sequence[Performance], labels: LabelSet, config: PoseTrainConfig):
        self.performances, self.labels, self.config = performances, labels, config
        self.epoch = 0

    def __len__(self) -> int:
        return self.config.batches

    def __getitem__(self, index: int) -> PoseBatch:
        if not 0 <= index < len(self):
            raise IndexError(index)
        config, batch = self.config, self.config.train.batch
        generator = np.random.default_rng([config.seed, self.epoch, index])
        steps = int(generator.choice(list(CROPS), p=list(CROPS.values())))
        points = np.full((steps, batch, len(LAYOUT_JOINTS), 3), np.nan, dtype=np.float32)
        points[..., 2] = 0
        mask = np.zeros((batch, steps), dtype=bool)
        targets = np.zeros((batch, steps // 2, len(self.labels)), dtype=np.float32)
        for row, chosen in enumerate(generator.integers(len(self.performances), size=batch)):
            item = self.performances[chosen]
            first = int(generator.integers(max(len(item.joints) - steps, 0) + 1))
            joints = vary_proportions(item.joints[first : first + steps].astype(np.float32), generator)
            found, _ = estimated_joints(joints, generator, config.noise, config.variation)
            wanted = targets_of(item, first, found, self.labels)[: steps // 2]
            points[: len(found), row], mask[row, : len(found)], targets[row, : len(wanted)] = found, True, wanted
        values = build_inputs(points)
        values[:, generator.random(batch) < config.variation.motion_only, :, POSITION] = 0
        return PoseBatch(torch.from_numpy(values).transpose(0, 1), torch.from_numpy(mask), torch.from_numpy(targets))


def estimated_joints(
    joints: np.ndarray,
    generator: np.random.Generator,
    noise: NoiseConfig,
    variation: VariationConfig | None = None,
) -> tuple[np.ndarray, float]:
    """Joints as a pose estimator finds them in the picture of a random camera, and the aspect ratio of that picture.

    joints: (T, 75, 3) in space, metres. Returns (T, 75, 3): x, y in picture heights, and confidence. variation: further
    augmentation for training; None: none.
    """
    camera = make_camera(joints, generator)
    points = camera.project(joints).astype(np.float32)
    if variation is None:
        return disturb(points, camera.aspect, generator, noise, FPS), camera.aspect
    if generator.random() < 0.5:
        points = mirror(points, camera.aspect)
    if generator.random() < variation.offsets:
        points = offset_limbs(points, variation.offset * generator.random() * shoulder_width(points), generator)
    if generator.random() < variation.small_heads:
        points = shrink_head_motion(points, generator.uniform(variation.smallest, 1.2))
    found = disturb(points, camera.aspect, generator, noise, FPS)
    for hand in HANDS:
        if generator.random() < variation.no_hand:
            found[:, hand] = (np.nan, np.nan, 0)
    if generator.random() < variation.no_legs:
        found[:, BODY][:, 23:] = (np.nan, np.nan, 0)
    return found, camera.aspect


def offset_limbs(points: np.ndarray, size: float, generator: np.random.Generator) -> np.ndarray:
    """Joints (T, 75, 2) with constant random offsets of about `size` of arms, legs and head: other resting postures."""
    points = points.copy()

    def move(joints, base: np.ndarray, share: float) -> np.ndarray:
        offset = base + share * size * generator.standard_normal(2)
        points[:, joints] += offset
        return offset

    none = np.zeros(2)
    for (elbow, *hand_points), hand in zip(ARMS.values(), HANDS):
        at_elbow = move([elbow], none, 0.5)
        move([*hand_points, *range(hand.start, hand.stop)], at_elbow, 0.5)
    for hip, (knee, *foot) in zip((23, 24), LEGS.values()):
        at_knee = move([knee], move([hip], none, 0.15), 0.6)
        move(foot, at_knee, 0.5)
    move(np.arange(FACE.start, FACE.stop), none, HEAD_OFFSET)
    for part in ([0], [7, 8], [9, 10]):  # nose, ears, mouth
        move(part, none, FACE_OFFSET)
    return points


def shrink_head_motion(points: np.ndarray, factor: float) -> np.ndarray:
    """Joints (T, 75, 2) with the motion of the head relative to the shoulders scaled by `factor`."""
    points = points.copy()
    shoulders = points[:, 11:13].mean(axis=1, keepdims=True)
    head = points[:, FACE] - shoulders
    middle = np.median(head, axis=0, keepdims=True)
    points[:, FACE] = shoulders + middle + factor * (head - middle)
    return points


def targets_of(item: Performance, first: int, points: np.ndarray, labels: LabelSet) -> np.ndarray:
    """Targets (ceil(T / 2), K) float32: 1 where an action is in progress and can be seen, at the first of two steps.

    points: (T, 75, 3) estimated joints of the performance from step `first` on.
    """
    times = (first + np.arange(0, len(points), 2)) / FPS
    targets = np.zeros((len(times), len(labels)), dtype=np.float32)
    for (start, end), label in zip(item.truth.segments, item.truth.labels):
        targets[(times >= start) & (times <= end), label] = 1
    return targets * needed_joints_seen(points[::2], labels)


def visible_truth(item: Performance, points: np.ndarray, labels: LabelSet) -> Annotation:
    """The actions that can be seen for at least half of their time. points: (T, 75, 3) of the whole performance."""
    seen, times = needed_joints_seen(points, labels), np.arange(len(points)) / FPS
    during = [(times >= start) & (times <= end) for start, end in item.truth.segments]
    shown = [seen[when, label].mean() >= 0.5 if when.any() else False for when, label in zip(during, item.truth.labels)]
    shown = np.array(shown, dtype=bool)
    return replace(item.truth, segments=item.truth.segments[shown], labels=item.truth.labels[shown])
