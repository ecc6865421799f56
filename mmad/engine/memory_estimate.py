"""How much memory an end-to-end training will take, from a run of the backbone on PyTorch's meta device: shapes only.

An estimate: what is kept for the backward pass is counted tensor by tensor, and three times the largest output of a
layer for what comes and goes; neither the workspace of convolutions nor what an allocator cannot use. The linear head
and the detector add some 0.1 GB.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import EndToEndConfig
from mmad.models import backbone_named, build_backbone, preprocess_of
from mmad.models.adapters import choose_trained

GB = 1e9
PASSING = 3  # layers' outputs that exist at once without being kept
OPTIMIZER = 8  # bytes of AdamW per trained parameter, beside 4 of its gradient


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes. weights: of the backbone, with gradients and optimizer. activations: of a training step."""

    weights: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.activations

    def __str__(self) -> str:
        return f"{self.weights / GB:.1f} GB of weights and optimizer + {self.activations / GB:.1f} GB of activations"


@dataclass(frozen=True)
class Kept:
    """Bytes that the backward pass needs. blocks: kept inside each block. inputs: of each block. outside: the rest.

    largest: of the output of a layer.
    """

    blocks: list[int]
    inputs: list[int]
    outside: int
    pixels: int
    largest: int


def estimate_memory(config: EndToEndConfig, seconds: float = 15.03, fps: float = 30.0) -> MemoryEstimate:
    """Of a training step on videos of this length and rate."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        backbone = build_backbone(config.backbone).eval()
    choose_trained(backbone, config.tuned)
    trained = sum(p.numel() for p in backbone.parameters() if p.requires_grad)
    weights = 4 * sum(v.numel() for v in backbone.state_dict().values()) + (4 + OPTIMIZER) * trained
    kept = kept_by(backbone, clip_shape(config, seconds, fps), config.precision)
    batch = config.train.batch
    one_block = max(kept.blocks)
    activations = {
        "none": batch * (sum(kept.blocks) + kept.outside + kept.pixels),
        "blocks": batch * (sum(kept.inputs) + kept.outside + kept.pixels) + one_block,
        "videos": batch * kept.pixels + sum(kept.blocks) + kept.outside,
        "both": batch * kept.pixels + sum(kept.inputs) + kept.outside + one_block,
    }
    return MemoryEstimate(weights, activations[config.checkpointing] + PASSING * kept.largest)


def clip_shape(config: EndToEndConfig, seconds: float, fps: float) -> tuple[int, ...]:
    """(N, T, 3, H, W) of what the backbone is given of one video, or of the part of it that is seen."""
    kind, side = backbone_named(config.backbone), preprocess_of(config.backbone)["crop"]
    steps = -(-round(min(seconds, config.videos.longest) * (config.fps or fps)) // config.stride)
    if kind.streams:
        return 1, steps, 3, side, side
    frames = config.frames or kind.frames
    return -(-steps // (frames // kind.tubelet)), frames, 3, side, side


def kept_by(backbone: nn.Module, shape: tuple[int, ...], precision: str) -> Kept:
    """Count what one pass of a backbone on the meta device keeps for its backward pass, each storage once."""
    low = precision != "float32"
    backbone = backbone.to(getattr(torch, precision))
    clips = torch.empty(shape, device="meta", dtype=getattr(torch, precision))
    blocks = backbone.blocks()
    inside, inputs = [0] * len(blocks), [0] * len(blocks)
    state = {"block": -1, "outside": 0, "largest": 0}
    seen = {value.untyped_storage()._cdata for value in backbone.state_dict().values()}
    alive: list[Tensor] = []  # so that no storage takes the place of another

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage._cdata not in seen:
            seen.add(storage._cdata)
            alive.append(value)
            if state["block"] < 0:
                state["outside"] += storage.nbytes()
            else:
                inside[state["block"]] += storage.nbytes()
        return value

    def entering(index: int):
        def hook(module: nn.Module, args: tuple) -> None:
            if state["block"] != index:
                inputs[index] = prod(args[0].shape) * args[0].element_size()
            state["block"] = index

        return hook

    backbone.checkpointing = False

    def left(module: nn.Module, args: tuple, output) -> None:
        if isinstance(output, Tensor):
            state["largest"] = max(state["largest"], output.numel() * output.element_size())

    leaves = [module for module in backbone.modules() if not list(module.children())]
    handles = [module.register_forward_hook(left) for module in leaves]
    for index, block in enumerate(blocks):
        for module in filter(None, (block, getattr(block, "excite", None))):
            handles.append(module.register_forward_pre_hook(entering(index)))
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value)
    with hooks, torch.enable_grad(), _attention_of_gpus():
        backbone.rows(clips)
    for handle in handles:
        handle.remove()
    pixels = prod(shape) * (6 if low else 4)  # in low precision there are two copies of them
    return Kept(inside, inputs, state["outside"], pixels, state["largest"])


class _FusedAttention(torch.autograd.Function):
    """Only what attention that is computed in one piece keeps: its inputs and its output."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, output)
        return output


@contextmanager
def _attention_of_gpus() -> Iterator[None]:
    """Within it, attention keeps what it keeps on a GPU. On the meta device it would keep all weights of attention."""
    original = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = lambda query, key, value, *_, **options: _FusedAttention.apply(query, key, value)
    try:
        yield
    finally:
        F.scaled_dot_product_attention = original
