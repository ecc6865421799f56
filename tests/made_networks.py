"""Networks with made-up weights whose every branch has its say."""

from torch import nn


def outspoken(network: nn.Module) -> nn.Module:
    """A fresh network's residual branches are silent (their last norm scales by zero): here they are not."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return network


def stirred(network: nn.Module) -> nn.Module:
    """A fresh adapter changes nothing (its last layers are zero): here each has its say."""
    for name, value in network.named_parameters():
        if name.endswith(("_up.weight", "_up.bias", ".expand")) and not value.any():
            nn.init.normal_(value, std=0.05)
    return network
