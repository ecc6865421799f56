"""A backbone, a linear head and the detector as one network that is trained through the frames of whole videos."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from mmad.config import EndToEndConfig
from mmad.models.adapters import adapter_parameters, choose_trained
from mmad.models.detector import Detector
from mmad.models.linear_probe import LinearProbe
from mmad.ops.probe_targets import SCORES

PRIOR = 0.02  # what the head says of every score at first: few are high
FoldMaps = dict[str, list[tuple[Tensor, Tensor]]]  # {view: for each fold the linear map fitted to the others}


class EndToEnd(nn.Module):
    """backbone: maps steps of a video to rows of features. detector: with the linear probe. folds: of cross-fitting.

    The head maps a row to logits of actionness, startness and endness per class and body part. The backbone stays in
    eval mode throughout: its norms keep their statistics, so that training sees the features that extraction makes.

    The linear maps that cross-fitting finds for each fold are buffers, so that checkpoints hold them: a training video
    is scored by a map that was fitted without it, and the gradient of the detector's losses goes through that map into
    the features.
    """

    def __init__(self, backbone: nn.Module, detector: Detector, config: EndToEndConfig, folds: int):
        super().__init__()
        self.backbone, self.detector = backbone, detector
        entities = detector.probe.entities
        self.head = nn.Linear(backbone.channels, entities * len(SCORES))
        nn.init.normal_(self.head.weight, std=0.001)
        nn.init.constant_(self.head.bias, torch.logit(torch.tensor(PRIOR)).item())
        self.register_buffer("fitted", torch.tensor(False))  # whether the probe is
        self.trains_probe = config.probe == "trained"
        if self.trains_probe:
            _unfreeze(detector.probe)
        for view in detector.probe.views:
            weight, bias = detector.probe.weight_and_bias(view)
            self.register_buffer(f"fold_weight_{view}", weight.detach().new_zeros(folds, *weight.shape))
            self.register_buffer(f"fold_bias_{view}", bias.detach().new_zeros(folds, *bias.shape))
        self.backbone_lr = config.backbone_lr
        self.by_video = config.checkpointing in ("videos", "both")
        backbone.checkpointing = config.checkpointing in ("blocks", "both")
        choose_trained(backbone, config.tuned)

    def train(self, mode: bool = True) -> "EndToEnd":
        super().train(mode)
        self.backbone.eval()
        return self

    def slow_parameters(self) -> tuple[list[nn.Parameter], float]:
        """The backbone's own weights and the trained probe, and their learning rate relative to the others'."""
        adapters = {id(parameter) for parameter in adapter_parameters(self.backbone)}
        own = [parameter for parameter in self.backbone.parameters() if id(parameter) not in adapters]
        return own + list(self.detector.probe.parameters()), self.backbone_lr

    def features(self, videos: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Features of whole videos: (B, T, C), zero-padded, and the mask (B, T) of real steps.

        videos: clips (N, T, 3, H, W) of each, normalised, which follow one another, and how many rows of them count.
        """
        rows = []
        for clips, count in videos:
            if self.by_video and torch.is_grad_enabled():
                found = checkpoint(self.backbone.rows, clips, use_reentrant=False)
            else:
                found = self.backbone.rows(clips)
            rows.append(found.flatten(0, 1)[:count].float())
        lengths = torch.tensor([len(values) for values in rows], device=rows[0].device)
        padded = pad_sequence(rows, batch_first=True)
        return padded, torch.arange(padded.shape[1], device=lengths.device) < lengths[:, None]

    def step_logits(self, features: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, E, SCORES) logits of the linear head."""
        return self.head(features).unflatten(-1, (-1, len(SCORES)))

    def probe_scores(self, features: Tensor, mask: Tensor, folds: list[int]) -> Tensor:
        """Scores (B, T, E, S) of training videos, each by the maps that were fitted without its fold. folds: (B,)."""
        probe = self.detector.probe
        if self.trains_probe:
            return probe(features, mask)
        x, there, scores = probe.standardise(features), probe.there(features, mask), []
        for index, fold in enumerate(folds):
            maps = {name: self._map_without(name, fold) for name in probe.views}
            scores.append(probe.scores(x[index : index + 1], there[index : index + 1], maps))
        return torch.cat(scores)

    def _map_without(self, view: str, fold: int) -> tuple[Tensor, Tensor]:
        return getattr(self, f"fold_weight_{view}")[fold], getattr(self, f"fold_bias_{view}")[fold]

    @torch.no_grad()
    def take_fit(self, fitted: Detector, maps: FoldMaps) -> None:
        """Take the probe, the class statistics and the maps of each fold from a detector that was fitted."""
        trained = {name for name, _ in fitted.named_parameters()}
        own = self.detector.state_dict()
        for name, value in fitted.state_dict().items():
            if name not in trained:
                own[name].copy_(value)
        for view, of_folds in maps.items():
            for fold, (weight, bias) in enumerate(of_folds):
                getattr(self, f"fold_weight_{view}")[fold].copy_(weight)
                getattr(self, f"fold_bias_{view}")[fold].copy_(bias)
        self.fitted.fill_(True)


def _unfreeze(probe: LinearProbe) -> None:
    """Make the linear maps of the views parameters, under the same names."""
    for view in probe.views:
        for name in (f"weight_{view}", f"bias_{view}"):
            value = getattr(probe, name)
            delattr(probe, name)
            probe.register_parameter(name, nn.Parameter(value))
