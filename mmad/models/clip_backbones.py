"""torchvision's video networks as backbones: one feature vector per clip, so for `clip` extraction only."""

from torch import Tensor, nn
from torchvision.models import video


class ClipBackbone(nn.Module):
    """(N, T, 3, H, W) -> (N, 1, C) from a torchvision video model without its classifier."""

    def __init__(self, name: str, classifier: str, channels: int):
        super().__init__()
        self.network = getattr(video, name)(weights=None)
        setattr(self.network, classifier, nn.Identity())
        self.classifier, self.channels = classifier, channels

    def forward(self, clips: Tensor) -> Tensor:
        return self.network(clips.transpose(1, 2)).unsqueeze(1)

    def without_classifier(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """torchvision's tensors under our names."""
        return {f"network.{name}": value for name, value in state.items() if not name.startswith(f"{self.classifier}.")}
