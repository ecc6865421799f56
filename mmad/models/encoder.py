"""The temporal encoder: a whole clip at full resolution, then a pyramid of ever coarser levels; masks throughout."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TemporalBlock(nn.Module):
    """Depth-wise convolution over time, then optionally self-attention, then a feed-forward layer; each residual.

    (B, T, D), (B, T) -> (B, T, D); what stands outside the mask is zero and stays zero.
    """

    def __init__(self, width: int, heads: int, dropout: float, attention: bool, kernel: int = 5):
        super().__init__()
        self.norm_local = nn.LayerNorm(width)
        self.local = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm_global = nn.LayerNorm(width) if attention else None
        self.attend = SelfAttention(width, heads) if attention else None
        self.norm_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        real = mask.unsqueeze(-1)
        x = x + convolve(self.local, self.norm_local(x) * real)
        if self.attend is not None:
            x = x + self.attend(self.norm_global(x), mask)
        return (x + self.feed(self.norm_feed(x))) * real


class SelfAttention(nn.Module):
    """Every real step looks at every real step; a learned penalty on distance tells near from far (as in ALiBi)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.penalty = nn.Parameter(torch.linspace(-5, -1, heads))  # log of the loss of attention a step

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, steps, width = x.shape
        query, key, value = self.project(x).view(batch, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        at = torch.arange(steps, device=x.device)
        distance = (at[:, None] - at[None, :]).abs().to(x.dtype)
        bias = -self.penalty.exp().view(-1, 1, 1) * distance  # (heads, T, T)
        bias = bias.masked_fill(~mask[:, None, None, :], torch.finfo(x.dtype).min)  # (B, heads, T, T)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return self.out(mixed.transpose(1, 2).reshape(batch, steps, width))


def convolve(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution over time on (B, T, D)."""
    return convolution(x.transpose(1, 2)).transpose(1, 2)


class PyramidEncoder(nn.Module):
    """(B, T, C), (B, T) -> for each level l, (B, T / 2^l, D) and its mask; point i of level l stands on step i * 2^l.

    T must be a multiple of 2^(levels - 1): the collating function pads to it.
    """

    def __init__(self, channels: int, width: int, layers: int, levels: int, heads: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.embed = nn.Conv1d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(TemporalBlock(width, heads, dropout, attention=True) for _ in range(layers))
        self.shrink = nn.ModuleList(nn.Conv1d(width, width, 3, stride=2, padding=1) for _ in range(levels - 1))
        self.coarse = nn.ModuleList(TemporalBlock(width, heads, dropout, attention=False) for _ in range(levels - 1))

    def forward(self, features: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        real = mask.unsqueeze(-1)
        x = convolve(self.embed, self.norm(features) * real) * real
        for block in self.blocks:
            x = block(x, mask)
        pyramid = [(x, mask)]
        for shrink, block in zip(self.shrink, self.coarse):
            mask = mask[:, ::2]
            x = block(convolve(shrink, x) * mask.unsqueeze(-1), mask)
            pyramid.append((x, mask))
        return pyramid
