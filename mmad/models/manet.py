"""MANet: a ResNet whose residual branches begin with squeeze-and-excitation (SE) and a temporal shift.

Source: Guo et al., "Benchmarking Micro-Action Recognition", TCSVT 2024 (arXiv 2403.05234) and the authors' code.
The temporal shift is TSM's (Lin et al., ICCV 2019); SE is Hu et al., CVPR 2018, per frame and without biases.

A clip goes through `Recognizer.forward`. A video of any length, or many of them one after the other, goes through
`FrameStream` chunk by chunk, each frame once, with the same result as in one pass.
"""

import re
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from mmad.models.adapters import Adapter, StreamAdapter
from mmad.models.prototypes import CalibrationOutput, PrototypeCalibration

SHIFT_DIVISOR = 8  # an eighth of the channels comes from the next frame, an eighth from the one before


class SqueezeExcite(nn.Module):
    """Scale each channel of each frame by a gate computed from the frame's mean. (T, C, H, W) -> same shape."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        self.reduce = nn.Linear(channels, channels // reduction, bias=False)
        self.expand = nn.Linear(channels // reduction, channels, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """(T, C, H, W) -> (T, C, 1, 1) in (0, 1)"""
        return torch.sigmoid(self.expand(torch.relu(self.reduce(x.mean(dim=(2, 3))))))[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def shift_clips(x: Tensor, num_frames: int) -> Tensor:
    """The temporal shift within clips. x: (N * num_frames, C, H, W) -> same shape; zero beyond a clip's ends."""
    fold = x.shape[1] // SHIFT_DIVISOR
    clips = rearrange(x, "(n t) c h w -> n t c h w", t=num_frames)
    shifted = clips.clone()
    shifted[:, :-1, :fold] = clips[:, 1:, :fold]
    shifted[:, -1:, :fold] = 0
    shifted[:, 1:, fold : 2 * fold] = clips[:, :-1, fold : 2 * fold]
    shifted[:, :1, fold : 2 * fold] = 0
    return shifted.flatten(0, 1)


class FrameBackbone(nn.Module):
    """A network of stem, blocks and pool whose blocks may begin with SE and the temporal shift.

    A block has `excite` (None: it does not shift) and maps (x, shifted) to its output: the residual branch reads the
    shifted frames, the identity path x. adapters: one after each block, or none. checkpointing: whether a training step
    keeps only the inputs of the blocks and computes each block twice.
    """

    channels: int

    def __init__(self):
        super().__init__()
        self.adapters = nn.ModuleList()
        self.checkpointing = False

    def stem(self, x: Tensor) -> Tensor:
        """(T, 3, H, W) -> (T, C, h, w), the input of the first block."""
        raise NotImplementedError

    def blocks(self) -> list[nn.Module]:
        raise NotImplementedError

    def pool(self, x: Tensor) -> Tensor:
        """(T, C, h, w) -> (T, channels)"""
        raise NotImplementedError

    def forward(self, clips: Tensor) -> Tensor:
        """(N, T, 3, H, W) normalised frames -> (N, T, C) features, each mixed with its neighbours in the clip."""
        num_frames = clips.shape[1]
        x = self.stem(clips.flatten(0, 1))
        for block, adapter in zip(self.blocks(), self.each_adapter()):
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(run_block, block, adapter, x, num_frames, use_reentrant=False)
            else:
                x = run_block(block, adapter, x, num_frames)
        return rearrange(self.pool(x), "(n t) c -> n t c", t=num_frames)

    def rows(self, clips: Tensor) -> Tensor:
        """One row of features per frame, as `forward`."""
        return self(clips)

    def block_channels(self) -> list[int]:
        """Channels of the output of each block."""
        return [block.channels for block in self.blocks()]

    def follow_blocks(self, adapters: list[Adapter]) -> None:
        """Run adapter i after block i from now on."""
        self.adapters = nn.ModuleList(adapters)

    def each_adapter(self) -> list[Adapter | None]:
        """The adapter after each block; None where there is none."""
        return list(self.adapters) or [None] * len(self.blocks())


def run_block(block: nn.Module, adapter: Adapter | None, x: Tensor, num_frames: int) -> Tensor:
    """A block and its adapter on clips: (N * num_frames, C, H, W) -> (N * num_frames, C', H', W')."""
    x = block(x, x if block.excite is None else shift_clips(block.excite(x), num_frames))
    if adapter is None:
        return x
    clips = rearrange(x, "(n t) c h w -> n t h w c", t=num_frames)
    return rearrange(adapter(clips), "n t h w c -> (n t) c h w")


class Bottleneck(nn.Module):
    """1x1, 3x3 (strided), 1x1; the residual branch begins with SE and the shift, the identity path has neither."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int):
        super().__init__()
        self.channels = out_channels = width * self.expansion
        self.excite = SqueezeExcite(in_channels)
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _downsample(in_channels, out_channels, stride)

    def forward(self, x: Tensor, shifted: Tensor) -> Tensor:
        residual = torch.relu(self.bn1(self.conv1(shifted)))
        residual = torch.relu(self.bn2(self.conv2(residual)))
        return torch.relu(self.bn3(self.conv3(residual)) + self.downsample(x))


class BasicBlock(nn.Module):
    """3x3 (strided), 3x3: the block of ResNet-18 and -34, with SE and the shift in the same place as in
    `Bottleneck`."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int):
        super().__init__()
        self.channels = width
        self.excite = SqueezeExcite(in_channels)
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _downsample(in_channels, width, stride)

    def forward(self, x: Tensor, shifted: Tensor) -> Tensor:
        residual = torch.relu(self.bn1(self.conv1(shifted)))
        return torch.relu(self.bn2(self.conv2(residual)) + self.downsample(x))


def _downsample(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


def _initialise(network: nn.Module) -> None:
    """Weights for training from scratch: He initialisation, and residual branches that start at zero.

    With PyTorch's default initialisation MANet stayed at random accuracy for the first thousand steps on 52 classes
    (benchmarks/README.md).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)


LAYOUTS = {18: (BasicBlock, (2, 2, 2, 2)), 34: (BasicBlock, (3, 4, 6, 3)), 50: (Bottleneck, (3, 4, 6, 3))}


class ResNet(FrameBackbone):
    """The backbone of MANet: stem, four stages of blocks, global average pooling per frame.

    depth: 18, 34 or 50. Parameter names are torchvision's, so that its ImageNet weights fit as they are.
    """

    def __init__(self, depth: int = 50):
        super().__init__()
        block, counts = LAYOUTS[depth]
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for number, (count, width) in enumerate(zip(counts, (64, 128, 256, 512)), start=1):
            blocks = []
            for i in range(count):
                blocks.append(block(channels, width, stride=2 if i == 0 and number > 1 else 1))
                channels = width * block.expansion
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.channels = channels
        _initialise(self)

    def stem(self, x: Tensor) -> Tensor:
        """(T, 3, H, W) -> (T, 64, H / 4, W / 4)"""
        return self.maxpool(torch.relu(self.bn1(self.conv1(x))))

    def blocks(self) -> list[nn.Module]:
        return [*self.layer1, *self.layer2, *self.layer3, *self.layer4]

    def pool(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class FrameStream:
    """A `FrameBackbone` over a stream of frames, chunk by chunk, each frame once.

    The shift and the adapters need the next frame, so each holds back its last frame until the next one arrives: the
    features of a frame are returned as many frames later as there are shifting blocks and adapters, and `finish`
    returns the rest. Videos follow one another in the stream; `starts` marks their first frames, across which nothing
    is mixed. The features equal those of whole videos. For eval mode only: batch statistics would depend on the chunks.
    """

    def __init__(self, network: FrameBackbone):
        self.network = network
        self.shifts = [StreamShift() if block.excite is not None else None for block in network.blocks()]
        self.adapters = [None if adapter is None else StreamAdapter(adapter) for adapter in network.each_adapter()]
        # Frames on either side that a feature depends on.
        self.radius = sum(stage is not None for stage in [*self.shifts, *self.adapters])
        self.nothing: Tensor | None = None  # an input of the first block without frames; None: the stream is empty

    def push(self, frames: Tensor, starts: Tensor) -> Tensor:
        """frames: (T, 3, H, W). starts: (T,) bool, first frames of videos. Returns the (T', C) features now
        complete."""
        x = self.network.stem(frames)
        self.nothing = x[:0]
        return self._run(x, starts, last=False)

    def finish(self) -> Tensor:
        """The (T', C) features still held back. The stream is empty afterwards."""
        if self.nothing is None or not self.radius:
            return next(self.network.parameters()).new_empty(0, self.network.channels)
        nothing, self.nothing = self.nothing, None
        return self._run(nothing, torch.empty(0, dtype=torch.bool, device=nothing.device), last=True)

    def _run(self, x: Tensor, starts: Tensor, last: bool) -> Tensor:
        for block, shift, adapter in zip(self.network.blocks(), self.shifts, self.adapters):
            shifted = x
            if shift is not None:
                x, shifted, starts = shift(x, block.excite, starts, last)
            if len(x) or last:
                x = block(x, shifted)
                if adapter is not None:
                    x, starts = adapter(x, starts, last)
            if len(x) == 0 and not last:
                return x.new_empty(0, self.network.channels)
        return self.network.pool(x)


class StreamShift:
    """The temporal shift of one block; between chunks it keeps the last frame, whose successor is not known yet.

    held: (1, C, H, W) its input. held_gate: (1, C, 1, 1) its SE gate. held_starts: (1,) whether it is the first of a
    video. before: (1, C / 8, H, W) gated channels of the frame before it.
    """

    def __init__(self):
        self.held: Tensor | None = None  # None before the stream begins and after its end
        self.held_gate: Tensor | None = None
        self.held_starts: Tensor | None = None
        self.before: Tensor | None = None

    def __call__(self, x: Tensor, excite: SqueezeExcite, starts: Tensor, last: bool) -> tuple[Tensor, Tensor, Tensor]:
        """x: (T, C, H, W). starts: (T,). Returns the frames whose successor is known, those shifted, and their
        starts."""
        gate, fold = excite.gate(x), x.shape[1] // SHIFT_DIVISOR
        ahead, back = slice(fold), slice(fold, 2 * fold)
        if self.held is None:
            self.held, self.held_gate, self.held_starts = x[:0], gate[:0], starts[:0]
            self.before = torch.zeros_like(x[:1, back])
        x = torch.cat([self.held, x])
        gate, starts = torch.cat([self.held_gate, gate]), torch.cat([self.held_starts, starts])
        continues = ~starts.view(-1, 1, 1, 1)  # the video of the frame before
        count = len(x) if last else len(x) - 1

        shifted = x[:count] * gate[:count]
        previous = torch.cat([self.before, shifted[:, back]])  # of the frame before each, and of the last frame
        following = x[1:, ahead] * gate[1:, ahead] * continues[1:]  # of the frame after each that has one
        shifted[:, ahead] = 0
        shifted[: len(following), ahead] = following
        shifted[:, back] = previous[:count] * continues[:count]
        if last:
            self.held = self.held_gate = self.held_starts = self.before = None
        else:
            self.held, self.held_gate, self.held_starts = x[count:], gate[count:], starts[count:]
            self.before = previous[count:]
        return x[:count], shifted, starts[:count]


@dataclass
class RecognizerOutput:
    """Outputs of a recognizer for N clips.

    logits: (N, K) before softmax. embedding: (N, 300) in the space of the label vectors, or None. features: (N, T, C).
    part_logits: (N, P) per body part, before softmax, or None. separate_body: they rank the body parts, and have no say
    in the ranking of the actions. similarity: (N, K) cosine similarity of the clip to the prototype of each class, in
    -1..1, or None. calibration: the clip among PCAN's prototypes, or None. added_logits: (N, K), what these prototypes
    add to the logits, or None.
    """

    logits: Tensor
    embedding: Tensor | None
    features: Tensor
    part_logits: Tensor | None = None
    similarity: Tensor | None = None
    separate_body: bool = False
    calibration: CalibrationOutput | None = None
    added_logits: Tensor | None = None


class ClipHead(nn.Module):
    """Classification head: linear layers on the features of each frame, averaged over the frames.

    embedding: size of the label vectors. num_parts: outputs of the body-part branch. prototypes: size of the space of
    class prototypes. 0 leaves a branch out. separate_body: as `RecognizerOutput` has it. calibration: with PCAN's
    prototypes of parts and actions, whose cosines times `calibration_scale` are `added_logits`. PCAN compares
    spatially averaged features in evaluation and maximal ones in training; these features are averaged in both.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        embedding: int = 300,
        dropout: float = 0.5,
        num_parts: int = 0,
        prototypes: int = 0,
        separate_body: bool = False,
        calibration: bool = False,
        calibration_scale: float = 5.0,
    ):
        super().__init__()
        self.separate_body = separate_body and num_parts > 0
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(channels, num_classes)
        self.fc_emb = nn.Linear(channels, embedding) if embedding else None
        self.fc_emb_t = nn.Linear(embedding, embedding) if embedding else None
        self.fc_part = nn.Linear(channels, num_parts) if num_parts else None
        self.fc_near = nn.Linear(channels, prototypes) if prototypes else None
        self.prototypes = nn.Parameter(torch.randn(num_classes, prototypes)) if prototypes else None
        for layer in filter(None, (self.fc_cls, self.fc_part)):
            nn.init.normal_(layer.weight, std=0.001)
            nn.init.zeros_(layer.bias)
        # Last, so that the weights before it are those of a head without it.
        self.calibration = None
        if calibration:
            self.calibration = PrototypeCalibration(channels, num_parts, num_classes, calibration_scale)

    def forward(self, features: Tensor) -> RecognizerOutput:
        """features: (N, T, C)."""
        dropped = self.dropout(features)
        output = RecognizerOutput(self.fc_cls(dropped).mean(dim=1), None, features)
        if self.fc_emb is not None:
            output.embedding = self.fc_emb_t(torch.tanh(self.fc_emb(dropped))).mean(dim=1)
        if self.fc_part is not None:
            output.part_logits, output.separate_body = self.fc_part(dropped).mean(dim=1), self.separate_body
        if self.fc_near is not None:
            projected = self.fc_near(dropped).mean(dim=1, dtype=torch.float32)  # cosines not in half precision
            output.similarity = F.cosine_similarity(projected[:, None], self.prototypes, dim=2)  # (N, K)
        if self.calibration is not None:
            output.calibration = self.calibration(features.mean(dim=1))
            output.added_logits = self.calibration.added_logits(output.calibration)
        return output


class Recognizer(nn.Module):
    """A backbone and a clip head. MANet is `Recognizer(ResNet(50), 52)`.

    backbone: maps (N, T, 3, H, W), or the inputs of an MMN, to (N, T', C) and has `channels`. branches: arguments of
    `ClipHead`: `embedding` (default 300), `dropout`, `num_parts`, `prototypes`, `separate_body`, `calibration`,
    `calibration_scale`.
    """

    def __init__(self, backbone: nn.Module, num_classes: int = 52, **branches):
        super().__init__()
        self.backbone = backbone
        self.head = ClipHead(backbone.channels, num_classes, **branches)

    def forward(self, *clips: Tensor) -> RecognizerOutput:
        """clips: (N, T, 3, H, W) float, normalised, T is free, MANet was trained with 8; for an MMN x and index_t."""
        return self.head(self.backbone(*clips))


# --- published weights ------------------------------------------------------------------------------------------

_RELEASED_NAMES = (  # the authors' mmcv names -> ours, applied in order
    (r"\.conv1\.conv\.net\.", ".conv1."),
    (r"\.conv1\.conv\.fcce\.0\.", ".excite.reduce."),
    (r"\.conv1\.conv\.fcce\.2\.", ".excite.expand."),
    (r"\.downsample\.conv\.", ".downsample.0."),
    (r"\.downsample\.bn\.", ".downsample.1."),
    (r"\.conv(\d)\.conv\.", r".conv\1."),
    (r"\.conv(\d)\.bn\.", r".bn\1."),
    (r"^cls_head\.", "head."),
)
_UNUSED = re.compile(r"\.action_p2_")  # present in the released file, never used by the authors' forward


def is_released(state: dict[str, Tensor]) -> bool:
    """Whether a state dict has the names of the authors' released checkpoint."""
    return any(name.startswith("cls_head.") or ".conv1.conv." in name for name in state)


def from_released(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' released checkpoint under our names, without the tensors that their network never uses."""
    renamed = {}
    for name, value in state.items():
        if _UNUSED.search(name):
            continue
        for pattern, replacement in _RELEASED_NAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed
