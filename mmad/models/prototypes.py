"""Prototypes of body parts and of actions, as PCAN has them, for the head of any network.

The formulas and their source are in `mmad.ops.prototype_calibration`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.ops.prototype_calibration import calibration_loss, update_prototypes

PART_SIZE, ACTION_SIZE = 128, 256  # channels of the spaces of the prototypes, PCAN's
PART_RIGHT_FACTOR, ACTION_RIGHT_FACTOR, BOTH_WRONG_FACTOR = 1.0, 0.1, 0.5  # of the three sets of false negatives


@dataclass
class CalibrationOutput:
    """Features in the spaces of the prototypes, float32. parts: (..., PART_SIZE). actions: (..., ACTION_SIZE)."""

    parts: Tensor
    actions: Tensor


class Prototypes(nn.Module):
    """A projection, and one prototype per class in its space; random until samples of the class were right."""

    def __init__(self, channels: int, num_classes: int, size: int):
        super().__init__()
        self.project = nn.Linear(channels, size)
        self.register_buffer("prototypes", torch.randn(num_classes, size))


class PrototypeCalibration(nn.Module):
    """Prototypes of P body parts and K actions over features of `channels` channels.

    scale: what the cosine to an action's prototype is multiplied by before it is added to its logit.
    """

    def __init__(self, channels: int, num_parts: int, num_classes: int, scale: float = 0.0):
        super().__init__()
        self.parts = Prototypes(channels, num_parts, PART_SIZE)
        self.actions = Prototypes(channels, num_classes, ACTION_SIZE)
        self.scale = scale

    def forward(self, features: Tensor) -> CalibrationOutput:
        """features: (..., channels)."""
        return CalibrationOutput(self.parts.project(features).float(), self.actions.project(features).float())

    def added_logits(self, found: CalibrationOutput) -> Tensor:
        """(N, K) float32: what is added to the logits of the actions."""
        # Not a matrix product, which mixed precision would round.
        return self.scale * F.cosine_similarity(found.actions[:, None], self.actions.prototypes, dim=2)

    def loss(
        self, found: CalibrationOutput, logits: Tensor, part_logits: Tensor, true: Tensor, part_of: Tensor
    ) -> Tensor:
        """The calibration losses of body parts and actions, added; in training it first moves the prototypes.

        found: of N samples. logits: (N, K). part_logits: (N, P). true: (N,) action ids, one per sample. part_of: (K,)
        body part of each action.
        """
        parts = part_of[true]
        part_right, right = part_logits.argmax(dim=1) == parts, logits.argmax(dim=1) == true
        if self.training:
            update_prototypes(self.parts.prototypes, found.parts.detach(), parts, part_right)
            update_prototypes(self.actions.prototypes, found.actions.detach(), true, part_right & right)
        of_actions = (
            (part_right & ~right, PART_RIGHT_FACTOR),
            (~part_right & right, ACTION_RIGHT_FACTOR),
            (~part_right & ~right, BOTH_WRONG_FACTOR),
        )
        body = calibration_loss(found.parts, self.parts.prototypes, part_logits, parts, [(~part_right, 1.0)])
        return body + calibration_loss(found.actions, self.actions.prototypes, logits, true, of_actions)
