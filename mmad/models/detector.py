"""The detector: features of a whole video in, class logits and boundaries for every class at every step out.

Detectors that give one action per step (ActionFormer, Zhang et al., ECCV 2022; TriDet, Shi et al., CVPR 2023) learn all
classes in one wide network. Micro-actions overlap, and half of their classes have a few dozen examples or fewer.
Therefore this detector has two parts:

1. A linear probe (`mmad/models/linear_probe.py`) scores every class and body part at every step: action in progress,
   starting, ending. It is fitted in closed form on several views of the features. The decoder is trained on scores of
   videos that the probe was not fitted to (`mmad/engine/fit_probe.py`).
2. One small decoder, shared by all classes, reads the scores of one class together with the strongest competing classes
   and predicts where an action of that class is. What a start looks like is thus learned from all actions together, a
   class with two examples is decoded as well as one with two thousand, and classes neither share boundaries nor compete
   for steps.

With `detector.parts` the score of an action is P(part) x P(action | part), see `PartDecoder`.

No feature pyramid, no neck, no Hungarian matching: every step is one candidate, positives are found by centre sampling
(`mmad/ops/assign.py`), duplicates are removed by soft-NMS (`mmad/ops/nms.py`). The letters of the axes
(B, T, E, S and so on) are explained in `docs/words.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import DetectorConfig
from mmad.labels import LabelSet
from mmad.models.encoder import TemporalEncoder
from mmad.models.linear_probe import LinearProbe, score_names, select_score
from mmad.ops.dense_predictions import DensePredictions

EDGE_DECAY = 3.0  # decay length of the distance-to-edge inputs, steps
EDGE_REACH = 24  # the distance-to-edge inputs are 0 at this distance and beyond, steps
NO_COMPETITOR = -3.0  # score of the hardest competing class for a class that is alone in its body part
OUTPUTS = {"logits": 1, "offsets": 2, "boundary_logits": 2, "boundary_offsets": 2}  # of the decoder, channels per step
INITIAL_BIAS = {"logits": -4.0, "offsets": 0.0, "boundary_logits": -3.0, "boundary_offsets": 0.0}  # positives are rare


@dataclass
class DetectorOutput:
    """Predictions for B videos of T steps, for N (video, class) pairs; one candidate action per step and pair.

    predictions: dense predictions of the N pairs. video, label: (N,) which pairs they are. mask: (B, T) True where a
    step is real. With `detector.parts`, part_logits: (B, P, T) of the body parts, and given_part: (N, T) logits of the
    pairs' actions given their part; the logits in `predictions` are those of the products.
    """

    predictions: DensePredictions
    video: Tensor
    label: Tensor
    mask: Tensor
    part_logits: Tensor | None = None
    given_part: Tensor | None = None

    @property
    def logits(self) -> Tensor:
        """(B, T, K) before the sigmoid. Only where the output is of all pairs."""
        return self.predictions.logits.unflatten(0, (len(self.mask), -1)).transpose(1, 2)

    @property
    def segments(self) -> Tensor:
        """(B, T, K, 2) start and end of each candidate, absolute steps. Only where the output is of all pairs."""
        pair = torch.arange(len(self.label), device=self.label.device)
        steps = range(self.mask.shape[1])
        segments = [step + self.predictions.boundaries(pair, torch.full_like(pair, step)) for step in steps]
        return torch.stack(segments, dim=1).sort(dim=2).values.unflatten(0, (len(self.mask), -1)).transpose(1, 2)


def input_groups(views: list[str]) -> dict[str, list[str]]:
    """The names of the decoder's inputs for one class at one step, by group, in the order of its input channels."""
    scores, actionness = score_names(views), [f"{view} actionness" for view in views]
    scored = {
        "class": scores,
        "body part": scores,
        "hardest competing class of the body part": actionness,
        "strongest class": actionness,
    }
    groups = {group: [f"{group}: {name}" for name in names] for group, names in scored.items()}
    return {**groups, "distance": ["distance to the video's start", "distance to the video's end"]}


def input_names(views: list[str]) -> list[str]:
    """The names of all I input channels of the decoder, such as "class: plain actionness"."""
    return [name for names in input_groups(views).values() for name in names]


class PartDecoder(nn.Module):
    """Is the middle of an action of a body part here? One small network shared by all parts, as the decoder is by all
    classes.

    The body part is easier to tell than the action. So hierarchical recognition first says how likely each part is and
    then which of its actions it is, and scores an action with P(part) x P(action | part), as systems for micro-actions
    do (PCAN, Li et al., AAAI 2025; entries of the Micro-Action challenges). Several actions may be in progress at once,
    also of one part, so both factors are sigmoids and not softmaxes. P(action | part) is learned only at steps at which
    an action of the part is.
    """

    def __init__(self, views: list[str], config: DetectorConfig):
        super().__init__()
        inputs = len(score_names(views)) + 2 * len(views) + 2
        self.encoder = TemporalEncoder(inputs, config.width, config.dilations)
        self.predict = nn.Linear(config.width, 1)
        nn.init.constant_(self.predict.bias, INITIAL_BIAS["logits"])

    def forward(self, scores: Tensor, mask: Tensor, num_classes: int, classes_of_part: list[list[int]]) -> Tensor:
        """The probe's scores (B, T, E, S), (B, T) -> logits (B, P, T).

        It reads the part's own scores, the actionness of its strongest class and of the strongest other part, and the
        distance to the ends of the video.
        """
        of_class, of_part = scores[:, :, :num_classes], scores[:, :, num_classes:]
        actionness = select_score(of_class, "actionness")
        strongest = torch.stack([actionness[:, :, classes].amax(dim=2) for classes in classes_of_part], dim=2)
        others = hardest_competing(select_score(of_part, "actionness"), [list(range(of_part.shape[2]))])
        distance = edge_inputs(mask)[:, :, None].expand(-1, -1, of_part.shape[2], -1)
        inputs = torch.cat([of_part, strongest, others, distance], dim=3).transpose(1, 2)  # (B, P, T, I)
        hidden = self.encoder(inputs.flatten(0, 1), mask.repeat_interleave(inputs.shape[1], dim=0))
        return self.predict(hidden)[..., 0].unflatten(0, inputs.shape[:2])


class Detector(nn.Module):
    """A linear probe and one decoder shared by all classes.

    channels: of the features; blocks: of each folder that they come from, none for one folder. labels: the K classes
    and P body parts. `mmad.engine.fit_probe` fills the probe, and two
    buffers of what is known of each class from training: `length` (K,), the median length of its actions, steps, and
    `count` (K,), the number of its actions. (Checkpoints and the packaged weights store them under these names.)
    """

    def __init__(self, channels: int, labels: LabelSet, config: DetectorConfig, blocks: Sequence[int] = ()):
        super().__init__()
        self.num_classes, self.num_parts = len(labels), len(labels.parts)
        self.probe = LinearProbe(channels, self.num_classes + self.num_parts, config, blocks)
        self.register_buffer("part_of", torch.tensor(labels.part_of), persistent=False)  # labels are saved on their own
        self.classes_of_part = [
            [k for k, p in enumerate(labels.part_of) if p == part] for part in range(self.num_parts)
        ]
        self.register_buffer("length", torch.ones(self.num_classes))
        self.register_buffer("count", torch.zeros(self.num_classes))
        self.encoder = TemporalEncoder(len(input_names(config.views)), config.width, config.dilations)
        self.predict = nn.Linear(config.width, sum(OUTPUTS.values()))
        self.predict.weight.data *= 0.5  # offsets near 0: an action starts out as long as is usual for its class
        self.predict.bias.data = torch.tensor(
            [INITIAL_BIAS[name] for name, size in OUTPUTS.items() for _ in range(size)]
        )
        self.part_decoder = PartDecoder(config.views, config) if config.parts else None
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        # The two parameters of `DensePredictions.spread`, before softplus: in steps, and as a share of the length.
        self.spread = nn.Parameter(torch.tensor([0.5, -1.9]))

    def forward(
        self,
        features: Tensor | None,
        mask: Tensor,
        probe_scores: Tensor | None = None,
        pairs: tuple[Tensor, Tensor] | None = None,
    ) -> DetectorOutput:
        """features: (B, T, C), NaN where one of several folders is missing. mask: (B, T) True where a step is real.

        probe_scores: (B, T, E, S) to use instead of the probe's scores of these features, which may then be None; used
        in training, with scores of a probe that was fitted without the video. E = K + P (classes and body parts),
        S = scores per entity, as `score_names`. pairs: video (N,) and label (N,) to predict for; default: every class
        of every video, in this order.
        """
        if probe_scores is None:
            probe_scores = self.probe(features, mask)
        video, label = self.all_pairs(len(mask)) if pairs is None else pairs
        inputs = self.build_inputs(probe_scores, mask)[video, label]  # (N, T, I)
        predictions = self.decode(inputs, mask[video], label)
        part_logits = given_part = None
        if self.part_decoder is not None:
            part_logits = self.part_decoder(probe_scores, mask, self.num_classes, self.classes_of_part)
            given_part = predictions.logits
            predictions.logits = logits_of_product(part_logits[video, self.part_of[label]], given_part)
        untrained = self.count[label, None] == 0  # a class without any training example is never detected
        predictions.logits = predictions.logits.masked_fill(untrained, -torch.inf)
        return DetectorOutput(predictions, video, label, mask, part_logits, given_part)

    def all_pairs(self, batch: int) -> tuple[Tensor, Tensor]:
        """Every class of every video: video (B * K,) and label (B * K,)."""
        video, label = torch.arange(batch), torch.arange(self.num_classes)
        video, label = video.repeat_interleave(self.num_classes), label.repeat(batch)
        return video.to(self.count.device), label.to(self.count.device)

    def build_inputs(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The decoder's inputs for every class, channels as `input_names`: (B, T, E, S), (B, T) -> (B, K, T, I)."""
        of_class, of_part = scores.split([self.num_classes, self.num_parts], dim=2)
        actionness = select_score(of_class, "actionness")  # (B, T, K, V)
        inputs = {
            "class": of_class,
            "body part": of_part[:, :, self.part_of],
            "hardest competing class of the body part": hardest_competing(actionness, self.classes_of_part),
            "strongest class": actionness.amax(dim=2, keepdim=True).expand_as(actionness),
            "distance": edge_inputs(mask)[:, :, None].expand(-1, -1, self.num_classes, -1),
        }
        return torch.cat([inputs[group] for group in input_groups(list(self.probe.views))], dim=3).transpose(1, 2)

    def decode(self, inputs: Tensor, mask: Tensor, label: Tensor) -> DensePredictions:
        """Predictions for N pairs: inputs (N, T, I), mask (N, T), label (N,)."""
        return self.to_predictions(self.predict(self.encoder(inputs, mask)), mask, self.length[label])

    def to_predictions(self, outputs: Tensor, mask: Tensor, median_length: Tensor) -> DensePredictions:
        """The decoder's outputs (N, T, OUTPUTS) in steps; median_length: (N,) of the pair's class, steps."""
        logits, offsets, boundary_logits, boundary_offsets = outputs.split(list(OUTPUTS.values()), dim=2)
        # From a step to the start and the end of its action.
        distances = torch.exp(offsets.clamp(-6, 4)) * median_length[:, None, None] / 2
        spread_steps, spread_share = F.softplus(self.spread)
        return DensePredictions(
            logits=logits[..., 0],
            offsets=distances * distances.new_tensor([-1.0, 1.0]),
            spread=spread_steps + spread_share * distances.detach().sum(dim=2, keepdim=True),
            boundary_logits=boundary_logits,
            boundary_offsets=boundary_offsets,
            sharpness=self.sharpness,
            mask=mask,
        )


def logits_of_product(one: Tensor, other: Tensor) -> Tensor:
    """The logits of the product of two probabilities, which are given by their logits."""
    log = F.logsigmoid(one) + F.logsigmoid(other)
    return log - torch.log(-torch.expm1(log.clamp(max=-1e-6)))


def receptive_radius(config: DetectorConfig) -> int:
    """How many steps on either side influence the predictions at a step."""
    return max(config.centring, EDGE_REACH) + 1 + sum(config.dilations)


def edge_inputs(mask: Tensor) -> Tensor:
    """Distance to the first and the last real step as exp(-distance / EDGE_DECAY): (B, T) -> (B, T, 2) in [0, 1].

    0 from EDGE_REACH steps on, so that windows of a long video agree.
    """
    step = torch.arange(mask.shape[1], device=mask.device)
    from_end = mask.sum(dim=1, keepdim=True) - 1 - step  # (B, T)
    distance = torch.stack([step.expand_as(from_end), from_end.clamp(min=0)], dim=2)
    return torch.exp(-distance / EDGE_DECAY) * (distance < EDGE_REACH)


def hardest_competing(actionness: Tensor, classes_of_part: list[list[int]]) -> Tensor:
    """The largest score among the other classes of the same body part: (B, T, K, V) -> (B, T, K, V).

    classes_of_part: the class ids of each body part. NO_COMPETITOR for a class that is alone in its body part.
    """
    hardest = torch.full_like(actionness, NO_COMPETITOR)
    for classes in classes_of_part:
        if len(classes) > 1:
            best = actionness[:, :, classes].topk(2, dim=2)
            is_best = best.indices[:, :, :1] == torch.arange(len(classes), device=actionness.device)[:, None]
            hardest[:, :, classes] = torch.where(is_best, best.values[:, :, 1:], best.values[:, :, :1])
    return hardest
