"""The temporal encoder of the detector's shared decoder: dilated convolutions along time, with masks throughout.

No positional encoding: order comes from the convolutions, the video's ends from `edge_inputs` in `detector.py`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DilatedBlock(nn.Module):
    """Residual block: a step and its two neighbours `dilation` steps away through two layers.

    (N, T, D), (N, T, 1) -> (N, T, D); masked steps are zero and stay zero.
    """

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.look = nn.Linear(3 * width, 2 * width)
        self.add = nn.Linear(2 * width, width)
        nn.init.zeros_(self.add.bias)
        self.add.weight.data *= 0.5  # a stack of residual blocks should start near the identity

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        hidden = F.relu(self.look(with_neighbours(x, self.dilation)))
        return (x + self.add(hidden)) * real


def with_neighbours(x: Tensor, distance: int) -> Tensor:
    """Each step beside the steps `distance` before and after it, zeros beyond the ends: (N, T, D) -> (N, T, 3 D).

    Followed by a linear layer this is a convolution, three times as fast on a CPU as `nn.Conv1d` at these widths.
    """
    count = min(distance, x.shape[1])
    padding = x.new_zeros(len(x), count, x.shape[2])
    before = torch.cat([padding, x[:, : x.shape[1] - count]], dim=1)
    after = torch.cat([x[:, count:], padding], dim=1)
    return torch.cat([before, x, after], dim=2)


class TemporalEncoder(nn.Module):
    """(N, T, inputs), (N, T) -> (N, T, width). A step sees 1 + sum(dilations) steps on either side."""

    def __init__(self, inputs: int, width: int, dilations: list[int]):
        super().__init__()
        self.embed = nn.Linear(3 * inputs, width)
        self.blocks = nn.ModuleList(DilatedBlock(width, dilation) for dilation in dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        real = mask.unsqueeze(-1).to(x.dtype)
        x = F.relu(self.embed(with_neighbours(x * real, 1))) * real
        for block in self.blocks:
            x = block(x, real)
        return x
