"""The pose network: inputs computed from the joints of one person in, scores of every micro-action and features out.

One small temporal network per body part, all built alike. Each sees only the inputs that its part needs
(`mmad.pose.joint_inputs.JOINT_INPUTS`), so that the posture of the legs cannot influence the scores of head movements.
Outputs are at half the input rate: one step for two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import PoseNetworkConfig
from mmad.labels import LabelSet
from mmad.models.prototypes import CalibrationOutput, PrototypeCalibration

CHANNELS = 7  # numbers per joint input; see `mmad.pose.joint_inputs.build_inputs`


@dataclass
class PoseOutput:
    """Outputs at T' = ceil(T / 2) steps.

    logits: (B, T', K) per class, before the sigmoid. parts: (B, T', P) per body part, likewise. features: (B, T', P *
    W) of the last layers. mask: (B, T') True where a step is real. calibration: the steps among PCAN's prototypes, in
    training of a network that has them, else None.
    """

    logits: Tensor
    parts: Tensor
    features: Tensor
    mask: Tensor
    calibration: CalibrationOutput | None = None


class Block(nn.Module):
    """Residual block with a gated dilated convolution along time: (B, T, W) -> (B, T, W)."""

    def __init__(self, width: int, dilation: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.spread = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """real: (B, T, 1), 1 where a step is real, 0 where it is padding."""
        y = self.spread((self.norm(x) * real).transpose(1, 2)).transpose(1, 2)
        return x + self.dropout(self.mix(F.glu(y, dim=2))) * real


class PartNetwork(nn.Module):
    """The network of one body part: (B, T, inputs) -> logits (B, T', classes + 1) and features (B, T', W).

    The last logit is for the part: any of its classes. The first convolution reads quick movements at full rate, the
    rest runs at half of it.
    """

    def __init__(self, inputs: int, classes: int, config: PoseNetworkConfig):
        super().__init__()
        self.enter = nn.Linear(inputs, config.width)
        self.halve = nn.Conv1d(config.width, config.width, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(config.width, dilation, config.dropout) for dilation in config.dilations)
        self.norm = nn.LayerNorm(config.width)
        self.predict = nn.Linear(config.width, classes + 1)
        self.predict.bias.data.fill_(-3.0)  # most classes are absent at most steps

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """mask: (B, T) True where a step is real; T is even."""
        real = mask[:, :, None].to(x.dtype)
        x = self.halve((F.gelu(self.enter(x)) * real).transpose(1, 2)).transpose(1, 2)
        real = real[:, ::2]
        for block in self.blocks:
            x = block(x, real)
        features = self.norm(x)
        return self.predict(features), features


class PoseNetwork(nn.Module):
    """inputs_of_part: for each body part, the indices of the joint inputs that its network sees. labels: K classes.

    calibration: with prototypes of parts and actions over the features of all parts, for a loss in training. They have
    no say in the other outputs.
    """

    def __init__(
        self,
        inputs_of_part: Sequence[Sequence[int]],
        labels: LabelSet,
        config: PoseNetworkConfig,
        calibration: bool = False,
    ):
        super().__init__()
        assert len(inputs_of_part) == len(labels.parts)
        classes_of_part = [[k for k, part in enumerate(labels.part_of) if part == p] for p in range(len(labels.parts))]
        for part, inputs in enumerate(inputs_of_part):
            self.register_buffer(f"inputs_{part}", torch.tensor(inputs), persistent=False)
        self.parts = nn.ModuleList(
            PartNetwork(CHANNELS * len(inputs), len(classes), config)
            for inputs, classes in zip(inputs_of_part, classes_of_part)
        )
        self.channels = len(labels) + len(labels.parts) * (
            1 + config.width
        )  # logits, part logits and features together
        self.radius = 2 * sum(config.dilations) + 4  # input steps on either side that influence an output step
        order = torch.tensor([k for classes in classes_of_part for k in classes])
        self.register_buffer("order", order.argsort(), persistent=False)
        # Last, so that the weights before it are those of a network without it.
        self.calibration = None
        if calibration:
            channels = config.width * len(labels.parts)
            self.calibration = PrototypeCalibration(channels, len(labels.parts), len(labels))

    def forward(self, inputs: Tensor, mask: Tensor) -> PoseOutput:
        """inputs: (B, T, I, CHANNELS) as `mmad.pose.joint_inputs.build_inputs` computes them from joints.

        mask: (B, T) True where a step is real.
        """
        if mask.shape[1] % 2:
            inputs, mask = F.pad(inputs, (0, 0, 0, 0, 0, 1)), F.pad(mask, (0, 1))
        outputs = [
            network(inputs[:, :, getattr(self, f"inputs_{part}")].flatten(2), mask)
            for part, network in enumerate(self.parts)
        ]
        logits = torch.cat([logits[..., :-1] for logits, _ in outputs], dim=2)[..., self.order]
        parts = torch.stack([logits[..., -1] for logits, _ in outputs], dim=2)
        output = PoseOutput(logits, parts, torch.cat([features for _, features in outputs], dim=2), mask[:, ::2])
        if self.calibration is not None and self.training:
            output.calibration = self.calibration(output.features)
        return output
