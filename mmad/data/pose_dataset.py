"""Performances as a pose network is shown them: by another camera, as another person, through another estimator's eyes
each time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmad.config import NoiseConfig, VariationConfig
from mmad.data.performances import Performance
from mmad.labels import LabelSet
from mmad.pose.cameras import make_camera, vary_proportions
from mmad.pose.features import FPS, PLACE, describe
from mmad.pose.noise import ARMS, BODY, FACE, HANDS, LEGS, disturb, shoulder_width
from mmad.pose.skeletons import NAMES, mirror
from mmad.pose.visibility import can_be_told
from mmad.records import Annotation

CROPS = {30: 0.2, 60: 0.3, 120: 0.3, 200: 0.2}  # steps of a training batch, and how often
HEAD_OFFSET, PARTS_OF_FACE = 0.25, 0.06  # of a limb's largest offset


@dataclass
class PoseBatch:
    """joints: (B, T, places, 7), T even. mask: (B, T) True where a step is real. targets: (B, T / 2, K) 0 or 1."""

    joints: Tensor
    mask: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "PoseBatch":
        return PoseBatch(*(tensor.to(device, non_blocking=True) for tensor in (self.joints, self.mask, self.targets)))


class PoseBatches(Dataset):
    """The batches of one epoch: item i is determined by (seed, epoch, i). `epoch` is set from outside."""

    def __init__(
        self,
        performances: Sequence[Performance],
        labels: LabelSet,
        count: int,
        batch: int,
        variation: VariationConfig,
        noise: NoiseConfig,
        seed: int,
    ):
        self.performances, self.labels, self.count, self.batch = performances, labels, count, batch
        self.variation, self.noise, self.seed, self.epoch = variation, noise, seed, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> PoseBatch:
        if not 0 <= index < self.count:
            raise IndexError(index)
        generator = np.random.default_rng([self.seed, self.epoch, index])
        steps = int(generator.choice(list(CROPS), p=list(CROPS.values())))
        points = np.full((steps, self.batch, len(NAMES), 3), np.nan, dtype=np.float32)
        points[..., 2] = 0
        mask = np.zeros((self.batch, steps), dtype=bool)
        targets = np.zeros((self.batch, steps // 2, len(self.labels)), dtype=np.float32)
        for row, chosen in enumerate(generator.integers(len(self.performances), size=self.batch)):
            item = self.performances[chosen]
            first = int(generator.integers(max(len(item.joints) - steps, 0) + 1))
            joints = vary_proportions(item.joints[first : first + steps].astype(np.float32), generator)
            found, _ = look_at(joints, generator, self.noise, self.variation)
            wanted = targets_of(item, first, found, self.labels)[: steps // 2]
            points[: len(found), row], mask[row, : len(found)], targets[row, : len(wanted)] = found, True, wanted
        values = describe(points)
        values[:, generator.random(self.batch) < self.variation.motion_only, :, PLACE] = 0
        return PoseBatch(torch.from_numpy(values).transpose(0, 1), torch.from_numpy(mask), torch.from_numpy(targets))


def look_at(
    joints: np.ndarray,
    generator: np.random.Generator,
    noise: NoiseConfig,
    variation: VariationConfig | None = None,
) -> tuple[np.ndarray, float]:
    """(T, 75, 3) joints in space -> (T, 75, 3) as an estimator finds them in the picture of a random camera, and the
    width of that picture over its height.

    variation: how much more they are varied for training than people and cameras vary; None: not at all.
    """
    camera = make_camera(joints, generator)
    points = camera.project(joints).astype(np.float32)
    if variation is None:
        return disturb(points, camera.aspect, generator, noise, FPS), camera.aspect
    if generator.random() < 0.5:
        points = mirror(points, camera.aspect)
    if generator.random() < variation.offsets:
        points = throw_limbs(points, variation.offset * generator.random() * shoulder_width(points), generator)
    if generator.random() < variation.small_heads:
        points = shrink_head_motion(points, generator.uniform(variation.smallest, 1.2))
    found = disturb(points, camera.aspect, generator, noise, FPS)
    for hand in HANDS:
        if generator.random() < variation.no_hand:
            found[:, hand] = (np.nan, np.nan, 0)
    if generator.random() < variation.no_legs:
        found[:, BODY][:, 23:] = (np.nan, np.nan, 0)
    return found, camera.aspect


def throw_limbs(points: np.ndarray, size: float, generator: np.random.Generator) -> np.ndarray:
    """(T, 75, 2) with arms, legs and head elsewhere all the time, about `size` off: other people rest otherwise."""
    points = points.copy()

    def throw(joints, base: np.ndarray, share: float) -> np.ndarray:
        offset = base + share * size * generator.standard_normal(2)
        points[:, joints] += offset
        return offset

    none = np.zeros(2)
    for (elbow, *hand_points), hand in zip(ARMS.values(), HANDS):
        at_elbow = throw([elbow], none, 0.5)
        throw([*hand_points, *range(hand.start, hand.stop)], at_elbow, 0.5)
    for hip, (knee, *foot) in zip((23, 24), LEGS.values()):
        at_knee = throw([knee], throw([hip], none, 0.15), 0.6)
        throw(foot, at_knee, 0.5)
    throw(np.arange(FACE.start, FACE.stop), none, HEAD_OFFSET)
    for part in ([0], [7, 8], [9, 10]):  # nose, ears, mouth
        throw(part, none, PARTS_OF_FACE)
    return points


def shrink_head_motion(points: np.ndarray, factor: float) -> np.ndarray:
    """(T, 75, 2) with all motion of the head, seen from the shoulders, made smaller or larger."""
    points = points.copy()
    shoulders = points[:, 11:13].mean(axis=1, keepdims=True)
    head = points[:, FACE] - shoulders
    middle = np.median(head, axis=0, keepdims=True)
    points[:, FACE] = shoulders + middle + factor * (head - middle)
    return points


def targets_of(item: Performance, first: int, points: np.ndarray, labels: LabelSet) -> np.ndarray:
    """(ceil(T / 2), K) float32: 1 where an action is in progress, and can be seen, in the first of two steps.

    points: (T, 75, 3) what is seen of the performance from step `first` on.
    """
    times = (first + np.arange(0, len(points), 2)) / FPS
    targets = np.zeros((len(times), len(labels)), dtype=np.float32)
    for (start, end), label in zip(item.truth.segments, item.truth.labels):
        targets[(times >= start) & (times <= end), label] = 1
    return targets * can_be_told(points[::2], labels)


def visible_truth(item: Performance, points: np.ndarray, labels: LabelSet) -> Annotation:
    """The actions that can be seen for at least half of their time. points: (T, 75, 3) of the whole performance."""
    seen, times = can_be_told(points, labels), np.arange(len(points)) / FPS
    during = [(times >= start) & (times <= end) for start, end in item.truth.segments]
    shown = [seen[when, label].mean() >= 0.5 if when.any() else False for when, label in zip(during, item.truth.labels)]
    shown = np.array(shown, dtype=bool)
    return replace(item.truth, segments=item.truth.segments[shown], labels=item.truth.labels[shown])
