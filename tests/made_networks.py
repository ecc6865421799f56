"""Networks with made-up weights whose every branch has its say."""

from torch import nn


def outspoken(network: nn.Module) -> nn.Module:
    """A fresh network's residual branches are silent (their last norm scales by zero): here they are not."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return network
