"""The detector: features of a whole video in, independent class logits and per-class boundaries at every step out.

Detectors of one action at a time (ActionFormer, Zhang et al., ECCV 2022; TriDet, Shi et al., CVPR 2023) learn all
classes in one wide network. Micro-actions overlap, and half of their classes have a few dozen examples or fewer. So
this one has two halves:

1. Evidence (`mmad/models/evidence.py`): a linear map says for every class and body part, at every step, how much speaks
   for it being under way, starting, ending. It is found in closed form, and the second half never sees evidence for a
   video that was used to find it (`mmad/engine/evidence.py`).
2. One small network reads the evidence for one class, with the strongest of its rivals beside it, and says where an
   action of that class is: the same network for every class. So what a start looks like is learned from all
   actions together, a class with two examples is decoded as well as one with two thousand, and classes neither share
   boundaries nor compete for steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import ENDS_FELT, DetectorConfig
from mmad.labels import LabelSet
from mmad.models.encoder import TemporalEncoder
from mmad.models.evidence import Evidence
from mmad.ops.curves import Curves
from mmad.ops.evidence import ROLES

ENDS_FADE = 3.0  # steps: over which the ends of a video are felt less and less


@dataclass
class DetectorOutput:
    """What is found in B videos of T steps: one point a step, K classes at each.

    logits: (B, T, K) before the sigmoid. mask: (B, T) True where the step is real. curves: the same and all else, a row
    for each class of each video, row b * K + k.
    """

    logits: Tensor
    mask: Tensor
    curves: Curves

    @property
    def boundaries(self) -> Tensor:
        """(B, T, K, 2) start and end in steps of the action that each point and class stands for."""
        batch, steps, num_classes = self.logits.shape
        row = torch.arange(batch * num_classes, device=self.logits.device)
        pairs = [step + self.curves.boundaries(row, torch.full_like(row, step)) for step in range(steps)]
        return torch.stack(pairs, dim=1).sort(dim=2).values.view(batch, num_classes, steps, 2).transpose(1, 2)


class Detector(nn.Module):
    """channels: of the features. labels: the classes and their body parts."""

    def __init__(self, channels: int, labels: LabelSet, config: DetectorConfig):
        super().__init__()
        self.num_classes, self.num_parts = len(labels), len(labels.parts)
        self.evidence = Evidence(channels, self.num_classes + self.num_parts, config)
        self.register_buffer("part_of", torch.tensor(labels.part_of), persistent=False)  # the labels say it
        self.members = [[k for k, p in enumerate(labels.part_of) if p == part] for part in range(self.num_parts)]
        self.register_buffer("length", torch.ones(self.num_classes))  # median of a class in training, steps
        self.register_buffer("count", torch.zeros(self.num_classes))  # actions of a class in training
        roles = ROLES * self.evidence.views
        told = 2 * roles + 2 * self.evidence.views + 4  # see `describe`
        self.encoder = TemporalEncoder(told, config.width, config.dilations)
        self.predict = nn.Linear(config.width, 7)
        self.predict.weight.data *= 0.5
        # Training starts expecting little, and of an action that it has the length usual for its class.
        self.predict.bias.data = torch.tensor([-4.0, 0.0, 0.0, -3.0, -3.0, 0.0, 0.0])
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.spread = nn.Parameter(torch.tensor([0.5, -1.9]))  # before the softplus: steps, and a share of the length

    def forward(self, features: Tensor, mask: Tensor) -> DetectorOutput:
        """features: (B, T, C). mask: (B, T) True where a step is real."""
        batch, steps = mask.shape
        inputs = self.describe(self.evidence(features, mask), mask)  # (B, K, T, I)
        label = torch.arange(self.num_classes, device=mask.device).repeat(batch)
        curves = self.decode(inputs.flatten(0, 1), mask.repeat_interleave(self.num_classes, dim=0), label)
        unknown = self.count[label, None] == 0  # nothing can be said of a class without one example
        curves.logits = curves.logits.masked_fill(unknown, -torch.inf)
        logits = curves.logits.view(batch, self.num_classes, steps).transpose(1, 2)
        return DetectorOutput(logits, mask, curves)

    def describe(self, evidence: Tensor, mask: Tensor) -> Tensor:
        """What the network is told of each class: (B, T, E, R), (B, T) -> (B, K, T, I).

        The evidence for the class and for its body part; the strongest evidence that another class of the part, or any
        class, is under way; how near the ends of the video are; how long and how frequent the class is.
        """
        own, parts = evidence.split([self.num_classes, self.num_parts], dim=2)
        during = own[..., ::ROLES]  # (B, T, K, views)
        strongest = during.amax(dim=2, keepdim=True).expand_as(during)
        step = torch.arange(mask.shape[1], device=mask.device)
        from_end = mask.sum(dim=1, keepdim=True) - 1 - step  # (B, T)
        away = torch.stack([step.expand_as(from_end), from_end.clamp(min=0)], dim=2)
        near_ends = torch.exp(-away / ENDS_FADE) * (away < ENDS_FELT)
        near_ends = near_ends[:, :, None].expand(-1, -1, self.num_classes, -1)
        kind = torch.stack([torch.log1p(self.count) / 4 - 0.5, self.length.log() / 2 - 1], dim=1).expand_as(near_ends)
        told = [own, parts[:, :, self.part_of], rivals(during, self.members), strongest, near_ends, kind]
        return torch.cat(told, dim=3).transpose(1, 2)

    def decode(self, inputs: Tensor, mask: Tensor, label: Tensor) -> Curves:
        """Rows of one class each: inputs (N, T, I), mask (N, T), label (N,)."""
        return self.read(self.predict(self.encoder(inputs, mask)), mask, self.length[label])

    def read(self, predicted: Tensor, mask: Tensor, length: Tensor) -> Curves:
        """The network's seven numbers a step (N, T, 7) as curves, for classes that last length (N,) steps."""
        logits, offsets, edges, shifts = predicted.split([1, 2, 2, 2], dim=2)
        offsets = torch.exp(offsets.clamp(-6, 4)) * length[:, None, None] / 2  # from a step to its start and end
        coarse = offsets * offsets.new_tensor([-1.0, 1.0])
        base, share = F.softplus(self.spread)
        spread = base + share * offsets.detach().sum(dim=2, keepdim=True)
        return Curves(logits[..., 0], coarse, spread, edges, self.sharpness, shifts, mask)


def rivals(during: Tensor, members: list[list[int]]) -> Tensor:
    """The largest value among the other classes of the same body part; -3 for a class that is alone in it.

    (B, T, K, V) and the classes of each part -> (B, T, K, V)
    """
    others = torch.full_like(during, -3.0)
    for mine in members:
        if len(mine) > 1:
            best = during[:, :, mine].topk(2, dim=2)
            is_best = best.indices[:, :, :1] == torch.arange(len(mine), device=during.device)[:, None]
            others[:, :, mine] = torch.where(is_best, best.values[:, :, 1:], best.values[:, :, :1])
    return others
