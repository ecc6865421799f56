"""The detector: features of a whole video in, independent class logits and per-class boundaries at every step out.

Detectors of one action at a time (ActionFormer, Zhang et al., ECCV 2022; TriDet, Shi et al., CVPR 2023) learn all
classes in one wide network. Micro-actions overlap, and half of their classes have a few dozen examples or fewer. So
this one has two halves:

1. A linear probe (`mmad/models/probe.py`) scores every class and body part at every step: in progress, starting,
   ending. It is found in closed form on several views of the features, and the second half never trains on scores of a
   video that was used to find them (`mmad/engine/fit_probe.py`).
2. One small decoder reads the scores of one class, with the strongest competing classes beside them, and says where an
   action of that class is: the same decoder for every class. So what a start looks like is learned from all
   actions together, a class with two examples is decoded as well as one with two thousand, and classes neither share
   boundaries nor compete for steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import EDGE_REACH, DetectorConfig
from mmad.labels import LabelSet
from mmad.models.encoder import TemporalEncoder
from mmad.models.probe import LinearProbe
from mmad.ops.curves import Curves
from mmad.ops.probe import ROLES

EDGE_DECAY = 3.0  # steps: decay length of the distance-to-edge inputs
NO_RIVAL = -3.0  # score of the hardest competing class where a class is alone in its body part


@dataclass
class DetectorOutput:
    """What is found in B videos of T steps, for N (video, class) pairs; one candidate action per step and pair.

    curves: dense predictions, one row per pair. video, label: (N,) which pair a row is. mask: (B, T) True = real step.
    """

    curves: Curves
    video: Tensor
    label: Tensor
    mask: Tensor

    @property
    def logits(self) -> Tensor:
        """(B, T, K) before the sigmoid; only of an output of all pairs."""
        return self.curves.logits.unflatten(0, (len(self.mask), -1)).transpose(1, 2)

    @property
    def boundaries(self) -> Tensor:
        """(B, T, K, 2) start and end in steps of each candidate; only of an output of all pairs."""
        row = torch.arange(len(self.label), device=self.label.device)
        steps = range(self.mask.shape[1])
        pairs = [step + self.curves.boundaries(row, torch.full_like(row, step)) for step in steps]
        return torch.stack(pairs, dim=1).sort(dim=2).values.unflatten(0, (len(self.mask), -1)).transpose(1, 2)


def input_names(views: list[str]) -> list[str]:
    """What the decoder reads of one class at one step, in the order of its input channels."""
    scores = [f"{view} {role}" for view in views for role in ROLES]
    names = [f"class: {score}" for score in scores] + [f"body part: {score}" for score in scores]
    for which in ("competing class of the body part", "strongest class"):
        names += [f"{which}: {view} actionness" for view in views]
    return [*names, "distance to the video's start", "distance to the video's end"]


class Detector(nn.Module):
    """channels: of the features. labels: the classes and their body parts."""

    def __init__(self, channels: int, labels: LabelSet, config: DetectorConfig):
        super().__init__()
        self.num_classes, self.num_parts = len(labels), len(labels.parts)
        self.probe = LinearProbe(channels, self.num_classes + self.num_parts, config)
        self.register_buffer("part_of", torch.tensor(labels.part_of), persistent=False)  # the labels say it
        self.members = [[k for k, p in enumerate(labels.part_of) if p == part] for part in range(self.num_parts)]
        self.register_buffer("length", torch.ones(self.num_classes))  # median of a class in training, steps
        self.register_buffer("count", torch.zeros(self.num_classes))  # actions of a class in training
        self.encoder = TemporalEncoder(len(input_names(config.views)), config.width, config.dilations)
        self.predict = nn.Linear(config.width, 7)
        self.predict.weight.data *= 0.5
        # Training starts expecting little, and of an action that it has the length usual for its class.
        self.predict.bias.data = torch.tensor([-4.0, 0.0, 0.0, -3.0, -3.0, 0.0, 0.0])
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.spread = nn.Parameter(torch.tensor([0.5, -1.9]))  # before the softplus: steps, and a share of the length

    def forward(
        self,
        features: Tensor | None,
        mask: Tensor,
        probe_scores: Tensor | None = None,
        pairs: tuple[Tensor, Tensor] | None = None,
    ) -> DetectorOutput:
        """features: (B, T, C). mask: (B, T) True where a step is real.

        probe_scores: (B, T, E, R) to be used in place of the probe's own for these features, which may then be None: in
        training those found without the video. pairs: video (N,) and label (N,), what to say something of; by default
        every class of every video, in that order.
        """
        if probe_scores is None:
            probe_scores = self.probe(features, mask)
        video, label = self.all_pairs(len(mask)) if pairs is None else pairs
        inputs = self.build_inputs(probe_scores, mask)[video, label]  # (N, T, I)
        curves = self.decode(inputs, mask[video], label)
        unseen = self.count[label, None] == 0  # nothing can be said of a class without one example
        curves.logits = curves.logits.masked_fill(unseen, -torch.inf)
        return DetectorOutput(curves, video, label, mask)

    def all_pairs(self, batch: int) -> tuple[Tensor, Tensor]:
        """Every class of every video: video (B * K,) and label (B * K,)."""
        video, label = torch.arange(batch), torch.arange(self.num_classes)
        video, label = video.repeat_interleave(self.num_classes), label.repeat(batch)
        return video.to(self.count.device), label.to(self.count.device)

    def build_inputs(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The channels of `input_names` for every class: (B, T, E, R), (B, T) -> (B, K, T, I)."""
        own, parts = scores.split([self.num_classes, self.num_parts], dim=2)
        actionness = own[..., :: len(ROLES)]  # (B, T, K, views)
        strongest = actionness.amax(dim=2, keepdim=True).expand_as(actionness)
        edges = edge_inputs(mask)[:, :, None].expand(-1, -1, self.num_classes, -1)
        inputs = [own, parts[:, :, self.part_of], hardest_competing(actionness, self.members), strongest, edges]
        return torch.cat(inputs, dim=3).transpose(1, 2)

    def decode(self, inputs: Tensor, mask: Tensor, label: Tensor) -> Curves:
        """Rows of one class each: inputs (N, T, I), mask (N, T), label (N,)."""
        return self.read(self.predict(self.encoder(inputs, mask)), mask, self.length[label])

    def read(self, predicted: Tensor, mask: Tensor, length: Tensor) -> Curves:
        """The decoder's seven numbers per step (N, T, 7) as curves, for classes that last length (N,) steps."""
        logits, offsets, edges, shifts = predicted.split([1, 2, 2, 2], dim=2)
        offsets = torch.exp(offsets.clamp(-6, 4)) * length[:, None, None] / 2  # from a step to its start and end
        coarse = offsets * offsets.new_tensor([-1.0, 1.0])
        base, share = F.softplus(self.spread)
        spread = base + share * offsets.detach().sum(dim=2, keepdim=True)
        return Curves(logits[..., 0], coarse, spread, edges, self.sharpness, shifts, mask)


def edge_inputs(mask: Tensor) -> Tensor:
    """(B, T) -> (B, T, 2) in [0, 1]: 1 at the first, the last step of a video, fading; 0 from EDGE_REACH steps on."""
    step = torch.arange(mask.shape[1], device=mask.device)
    from_end = mask.sum(dim=1, keepdim=True) - 1 - step  # (B, T)
    away = torch.stack([step.expand_as(from_end), from_end.clamp(min=0)], dim=2)
    return torch.exp(-away / EDGE_DECAY) * (away < EDGE_REACH)


def hardest_competing(actionness: Tensor, members: list[list[int]]) -> Tensor:
    """The largest score among the other classes of the same body part; NO_RIVAL for a class that is alone in it.

    (B, T, K, V) and the classes of each part -> (B, T, K, V)
    """
    hardest = torch.full_like(actionness, NO_RIVAL)
    for mine in members:
        if len(mine) > 1:
            best = actionness[:, :, mine].topk(2, dim=2)
            is_best = best.indices[:, :, :1] == torch.arange(len(mine), device=actionness.device)[:, None]
            hardest[:, :, mine] = torch.where(is_best, best.values[:, :, 1:], best.values[:, :, :1])
    return hardest
