"""MMN: micro-actions from skeletons, by motion at four scales of time that modulates where joints are.

Source: "Motion Matters: Motion-guided Modulation Network for Skeleton-based Micro-Action Recognition" (ACM MM 2025,
arXiv 2507.21977), written anew from a description of the released network, whose weights load by name. What looks odd
here is theirs, and their weights depend on it: the scales run side by side and not one after the other, joints exchange
no motion (`SpatialModulation`), and what motion modulates decides how much of each stream passes, but it is the
unmodulated streams that pass.

The axes of a skeleton clip are (B, C, T, V): clips, channels, frames, joints. V is 44 for MA-52, 22 for iMiGUE
(`mmad.pose.skeleton_clips` makes them).
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.errors import InputError
from mmad.weight_files import load_into, read_checkpoint, weights_of

JOINTS = {"ma52": 44, "imigue": 22}  # of the published networks; `mmad.pose.skeleton_clips.SKELETONS` says which
WIDTH = 96  # channels everywhere
GROUPS = 4  # of channels that share a map between joints, or a filter over time
SCALES = 4  # frames at 1, 1/2, 1/4 and 1/8 of the rate, side by side
DEPTH = 3  # blocks per scale
LONGEST_PERIOD = 10000.0  # of the sinusoids that say when a frame was


class Channels(nn.Linear):
    """A linear map over the channels of (B, C, T, V)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.movedim(1, -1), self.weight, self.bias).movedim(-1, 1)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, T, V)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.fc2 = Channels(width, 2 * width), Channels(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class SpatialModulation(nn.Module):
    """Motion (B, M, T, V) -> scale and shift of the joints' stream, (B, M / 2, T, V) each.

    `adj` (V, V) is meant to exchange motion between joints. What published weights were trained with does not: each
    joint is multiplied by the sum of its column. Found from the reference outputs, which it gives to 1e-6.
    """

    def __init__(self, channels: int, joints: int):
        super().__init__()
        self.adj = nn.Parameter(torch.eye(joints))
        self.fc = Channels(channels, channels)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        weighted = motion * self.adj.sum(dim=0)
        scale, shift = self.bn(torch.tanh(self.fc(weighted))).chunk(2, dim=1)
        return scale, shift


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Adaptive instance norm per clip and channel, over frames and joints. All (B, C, T, V)."""
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True)
    return (x - mean) / (variance.sqrt() + 1e-6) * (1 + scale) + shift


class Block(nn.Module):
    """Joints, time and motion side by side, gated, then an MLP; both residual. (B, WIDTH, T, V) -> the same."""

    def __init__(self, joints: int, drop_path: float):
        super().__init__()
        half, quarter, group = WIDTH // 2, WIDTH // 4, WIDTH // 4 // GROUPS
        self.gconv = nn.Parameter(torch.empty(GROUPS, joints, joints))
        self.mapping = Channels(WIDTH, WIDTH)
        self.norm_1 = ChannelNorm(WIDTH)
        self.tconv = nn.Conv2d(quarter, quarter, (3, 1), padding=(1, 0), groups=GROUPS)
        self.Motion = nn.Sequential(
            nn.Conv2d(half, half, (3, 1), padding=(1, 0), groups=half, bias=False), nn.BatchNorm2d(half), nn.GELU()
        )
        self.proj = Channels(WIDTH, WIDTH)
        self.norm_2 = ChannelNorm(WIDTH)
        self.mlp = Mlp(WIDTH)
        self.MTM = nn.Sequential(nn.Conv2d(half, half, (3, 1), padding=(1, 0)), nn.Tanh(), nn.BatchNorm2d(half))
        self.MSM = SpatialModulation(half, joints)
        self.aggregation_gate = nn.Sequential(
            nn.Conv2d(WIDTH, quarter, 1, bias=False), nn.BatchNorm2d(quarter), nn.ReLU(),
            nn.Conv2d(quarter, 3, 1, bias=False),
        )  # fmt: skip
        self.aggregation = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.GELU())
        self.drop_path, self.group = drop_path, group
        nn.init.trunc_normal_(self.gconv, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._drop(self.proj(self.streams(self.mapping(self.norm_1(x)))))
        return x + self._drop(self.mlp(self.norm_2(x)))

    def streams(self, h: Tensor) -> Tensor:
        """(B, WIDTH, T, V) -> the same: a quarter looks over joints, a quarter over time, half at motion."""
        over_joints, over_time, motion = h.split((WIDTH // 4, WIDTH // 4, WIDTH // 2), dim=1)
        grouped = over_joints.unflatten(1, (GROUPS, self.group))  # (B, G, C, T, V)
        over_joints = torch.einsum("gvu,bgctu->bgctv", self.gconv, grouped).flatten(1, 2)
        over_time = self.tconv(over_time)
        motion = self.Motion(differences(motion))
        modulated_joints = modulate(over_joints, *self.MSM(motion))
        modulated_time = modulate(over_time, *self.MTM(motion).chunk(2, dim=1))
        gate = torch.sigmoid(self.aggregation_gate(torch.cat([modulated_time, modulated_joints, motion], dim=1)))
        passed = [over_time * gate[:, 0:1], over_joints * gate[:, 1:2], motion * gate[:, 2:3]]
        return self.aggregation(torch.cat(passed, dim=1))

    def _drop(self, x: Tensor) -> Tensor:
        """Stochastic depth (Huang et al., ECCV 2016): whole clips of a batch go without this branch."""
        if not self.training or self.drop_path == 0:
            return x
        kept = (torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_path).to(x.dtype)
        return x * kept / (1 - self.drop_path)


def differences(x: Tensor) -> Tensor:
    """From each frame to the next, (B, C, T, V) -> the same; the last one is repeated. One frame has none: zero."""
    if x.shape[2] == 1:
        return torch.zeros_like(x)
    steps = x.diff(dim=2)
    return torch.cat([steps, steps[:, :, -1:]], dim=2)


class Scale(nn.Module):
    """The blocks of one scale."""

    def __init__(self, joints: int, drop_paths: list[float]):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(joints, drop_path) for drop_path in drop_paths))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


class Halving(nn.Module):
    """(B, C, T, V) -> (B, C, ceil(T / 2), V)"""

    def __init__(self):
        super().__init__()
        self.reduction = nn.Conv2d(WIDTH, WIDTH, (3, 1), (2, 1))
        self.bn = nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.reduction(F.pad(x, (0, 0, 1, 1), mode="replicate")))


class Fusion(nn.Module):
    """The four scales, brought to the coarsest rate, weighed against each other at every step and joint, and added."""

    def __init__(self):
        super().__init__()

        def down(by: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(WIDTH, WIDTH, (by, 1), (by, 1)), nn.BatchNorm2d(WIDTH), nn.ReLU())

        self.down1, self.down2, self.down3 = down(8), down(4), down(2)
        self.f4_proc = nn.Sequential(nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.gate_conv = nn.Sequential(
            nn.Conv2d(SCALES * WIDTH, WIDTH, 1), nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.Conv2d(WIDTH, SCALES, 1)
        )
        self.res_conv = nn.Conv2d(WIDTH, WIDTH, 1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, scales: list[Tensor]) -> Tensor:
        """(B, C, T / 2^i, V) for i = 0..3 -> (B, C, T / 8, V)"""
        fine, half, quarter, coarsest = scales
        alike = [self.down1(fine), self.down2(half), self.down3(quarter), self.f4_proc(coarsest)]
        weights = self.gate_conv(torch.cat(alike, dim=1)).softmax(dim=1)  # (B, SCALES, T / 8, V)
        added = sum(x * weights[:, i : i + 1] for i, x in enumerate(alike))
        return self.dropout(added) + self.res_conv(alike[3])


class MMNBackbone(nn.Module):
    """MMN without its classifier. joints: V."""

    channels = WIDTH

    def __init__(self, joints: int, drop_path: float = 0.3):
        super().__init__()
        self.STPE = nn.Parameter(torch.empty(WIDTH, joints))
        self.projection = nn.Sequential(
            nn.Conv2d(2, 4, 1), nn.GELU(), nn.Conv2d(4, 6, 1), nn.GELU(), nn.Conv2d(6, WIDTH, 1)
        )
        rates = torch.linspace(0, drop_path, SCALES * DEPTH).tolist()
        self.MFM = nn.ModuleList(Scale(joints, rates[DEPTH * i : DEPTH * (i + 1)]) for i in range(SCALES))
        self.DSs = nn.ModuleList(Halving() for _ in range(SCALES - 1))
        self.fusion = Fusion()
        nn.init.trunc_normal_(self.STPE, std=0.02)
        self.to(memory_format=torch.channels_last)  # a quarter faster: most layers map channels

    def forward(self, x: Tensor, index_t: Tensor) -> Tensor:
        """Clips as for `MMN` -> (B, 1, WIDTH): features of one step, the whole clip."""
        return self.over_time(x, index_t).mean(dim=1, keepdim=True)

    def over_time(self, x: Tensor, index_t: Tensor) -> Tensor:
        """(B, T / 8, WIDTH): features of every eighth frame; T is a multiple of 8."""
        x = self.projection(x.squeeze(-1).contiguous(memory_format=torch.channels_last))
        x = x + torch.einsum("btc,cv->btvc", encode_times(index_t), self.STPE).movedim(-1, 1)
        scales = []
        for i, blocks in enumerate(self.MFM):
            scales.append(blocks(x))
            if i < len(self.DSs):
                x = self.DSs[i](x)
        return self.fusion(scales).mean(dim=3).transpose(1, 2)


class MMN(MMNBackbone):
    """The network as it was published. joints: V. num_classes: K."""

    def __init__(self, joints: int, num_classes: int):
        super().__init__(joints)
        self.head = nn.Linear(WIDTH, num_classes)

    def forward(self, x: Tensor, index_t: Tensor) -> Tensor:
        """x: (B, 2, 64, V, 1) joints or bones in -1..1, in the order of `mmad.pose.skeleton_clips.Skeleton`.

        index_t: (B, 64) where in its clip each frame was, -1 the start, 1 the end. Returns (B, K) logits.
        """
        return self.head(self.features(x, index_t))

    def features(self, x: Tensor, index_t: Tensor) -> Tensor:
        """The same input -> (B, WIDTH), what the classifier reads."""
        return self.over_time(x, index_t).mean(dim=1)


def encode_times(index_t: Tensor) -> Tensor:
    """(B, T) places in time -> (B, T, WIDTH) interleaved sines and cosines."""
    even = torch.arange(0, WIDTH, 2, device=index_t.device, dtype=index_t.dtype)
    angles = index_t[..., None] * LONGEST_PERIOD ** (-even / WIDTH)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


# --- published weights ------------------------------------------------------------------------------------------

CLASSIFIER = "head.fc_cls."  # in a `Recognizer`, whose other weights are called "backbone."
CLASSIFIERS = ("head.weight", "head.bias")  # in the published network
MOST = 4096  # joints or classes; the number in a damaged file could exceed memory


def load_mmn(path: str | Path) -> MMN:
    """MMN in eval mode, from published weights (a dict of tensors, with or without "module.") or a checkpoint of ours.

    `InputError` where the file is neither, or does not fit. Of a checkpoint of ours other branches are left out.
    """
    state = weights_of(read_checkpoint(path))
    if f"{CLASSIFIER}weight" in state:
        renamed = {name.removeprefix("backbone."): value for name, value in state.items()}
        renamed = {name.replace(CLASSIFIER, "head."): value for name, value in renamed.items()}
        state = {name: value for name, value in renamed.items() if not name.startswith("head.") or name in CLASSIFIERS}
    if not is_mmn(state):
        raise InputError(path, "is not an MMN", "is it another model's?")
    module = MMN(*sizes_of(state, path))
    load_into(module, state, path)
    return module.eval()


def is_mmn(state: dict) -> bool:
    """Whether a state dict has the names of the published network."""
    return {"STPE", "MFM.0.blocks.0.gconv", *CLASSIFIERS} <= set(state)


def sizes_of(state: dict[str, Tensor], path: str | Path) -> tuple[int, int]:
    """(joints, classes) of published weights."""
    place, classifier = state["STPE"], state["head.weight"]
    if not all(isinstance(value, Tensor) and value.ndim == 2 for value in (place, classifier)):
        raise InputError(path, "its STPE or head.weight is not a matrix", "is the file damaged?")
    if max(place.shape[1], classifier.shape[0]) > MOST:
        raise InputError(path, f"has {place.shape[1]} joints, {classifier.shape[0]} classes", "is the file damaged?")
    return place.shape[1], classifier.shape[0]


def skeleton_with(joints: int, path: str | Path) -> str:
    """The name of the skeleton of so many joints, which a file at `path` has."""
    for name, count in JOINTS.items():
        if count == joints:
            return name
    known = ", ".join(f"{count} ({name})" for name, count in JOINTS.items())
    raise InputError(path, f"is an MMN of {joints} joints", f"known are {known}")


def as_recognizer(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Published weights under the names of a `Recognizer` with an `MMNBackbone`."""
    return {
        name.replace("head.", CLASSIFIER) if name in CLASSIFIERS else f"backbone.{name}": value
        for name, value in state.items()
    }
