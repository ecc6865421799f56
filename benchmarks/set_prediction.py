"""The other family, tried on the same probe scores: a few queries for each class of each video, matched one to one.

Each query holds a segment, looks at the encoder's steps by attention and at its own start, middle and end (as PointTAD
and DualDETR do), and moves; queries of a pair see each other, so that no suppression is needed. The losses are DETR's,
at each layer. A row of `benchmarks/detection.py`.
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from mmad.config import DetectionConfig
from mmad.data.feature_dataset import Batch, FeatureDataset
from mmad.engine.train_detector import choose_pairs
from mmad.models.detector import Detector
from mmad.ops.losses import diou_loss, focal_loss
from mmad.records import Detections

QUERIES, WIDTH, LAYERS = 5, 64, 3


class SetDetector(Detector):
    """channels, labels, config: as of a `Detector`, whose probe and encoder it has."""

    def __init__(self, channels, labels, config):
        super().__init__(channels, labels, config)
        self.memory = nn.Linear(config.width, WIDTH)
        self.query = nn.Parameter(0.1 * torch.randn(QUERIES, WIDTH))
        middle = torch.linspace(0.1, 0.9, QUERIES)
        self.reference = nn.Parameter(torch.stack([torch.logit(middle), torch.zeros(QUERIES)], dim=1))
        self.place = nn.Linear(32, WIDTH)
        self.look = nn.ModuleList(nn.Linear(3 * config.width, WIDTH) for _ in range(LAYERS))
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(WIDTH, 4, 2 * WIDTH, 0.0, batch_first=True, norm_first=True)
            for _ in range(LAYERS)
        )
        self.score = nn.ModuleList(nn.Linear(WIDTH, 1) for _ in range(LAYERS))
        self.move = nn.ModuleList(nn.Linear(WIDTH, 2) for _ in range(LAYERS))
        for score, move in zip(self.score, self.move):
            nn.init.constant_(score.bias, -4.0)
            nn.init.zeros_(move.weight), nn.init.zeros_(move.bias)

    def sets(self, inputs: Tensor, mask: Tensor, label: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(video, class) pairs -> for every layer, logits (N, Q) and segments (N, Q, 2) in steps."""
        hidden = self.encoder(inputs, mask)  # (N, T, D)
        steps = mask.sum(dim=1, keepdim=True).float()  # (N, 1)
        at = torch.arange(mask.shape[1], device=mask.device).float().expand(len(mask), -1)
        memory = self.memory(hidden) + self.place(waves(at))
        query = self.query.expand(len(mask), -1, -1)
        middle = torch.sigmoid(self.reference[:, 0]) * (steps - 1)  # (N, Q) steps
        length = self.length[label, None] * torch.exp(self.reference[:, 1])
        found = []
        for look, layer, score, move in zip(self.look, self.layers, self.score, self.move):
            middle, length = middle.detach(), length.detach()
            points = torch.stack([middle - length / 2, middle, middle + length / 2], dim=2)  # (N, Q, 3)
            seen = look(sample(hidden, points).flatten(2)) + self.place(waves(middle)) + self.place(waves(length))
            query = layer(query + seen, memory, memory_key_padding_mask=~mask)
            change = move(query)
            middle = middle + change[..., 0] * length.clamp(min=1)
            length = length * torch.exp(change[..., 1].clamp(-3, 3))
            pairs = torch.stack([middle - length / 2, middle + length / 2], dim=2)
            found.append((score(query)[..., 0], pairs))
        return found


def waves(value: Tensor) -> Tensor:
    """(...) steps -> (..., 32) sines and cosines of it."""
    rate = torch.exp(torch.linspace(0, -6, 16, device=value.device))
    return torch.cat([torch.sin(value[..., None] * rate), torch.cos(value[..., None] * rate)], dim=-1)


def sample(hidden: Tensor, points: Tensor) -> Tensor:
    """(N, T, D) at fractional steps (N, Q, 3) -> (N, Q, 3, D), linear between steps."""
    points = points.clamp(0, hidden.shape[1] - 1)
    low = points.floor().long()
    high = (low + 1).clamp(max=hidden.shape[1] - 1)
    row = torch.arange(len(hidden), device=hidden.device)[:, None, None]
    part = (points - low)[..., None]
    return hidden[row, low] * (1 - part) + hidden[row, high] * part


def set_losses(model: SetDetector, batch: Batch, config: DetectionConfig) -> dict[str, Tensor]:
    """Focal loss on every query, DIoU and L1 (in lengths) on those matched to an action, at each layer."""
    chosen, weights = choose_pairs(batch.labels, model.count > 0, config.loss.negative_classes)
    video, label = chosen.nonzero(as_tuple=True)
    weights = weights[video, label]
    inputs = model.build_inputs(batch.probe_scores, batch.mask)[video, label]
    layers = model.sets(inputs, batch.mask[video], label)
    truths = [batch.segments[v][batch.labels[v] == k] for v, k in zip(video.tolist(), label.tolist())]
    count, losses = max(sum(map(len, truths)), 1), {}
    for number, (logits, pairs) in enumerate(layers):
        row, query, target = match(logits, pairs, truths)
        positive = torch.zeros_like(logits)
        positive[row, query] = 1.0
        focal = focal_loss(logits, positive, config.loss.alpha, config.loss.gamma) * weights[:, None]
        length = (target[:, 1:] - target[:, :1]).clamp(min=1)
        off = (pairs[row, query] - target).abs() / length
        losses[f"classify{number}"] = focal.sum() / count
        losses[f"boundary{number}"] = (diou_loss(pairs[row, query], target).sum() + off.sum()) / count
    return losses


@torch.no_grad()
def match(logits: Tensor, pairs: Tensor, truths: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Pair (M,), query (M,), segment (M, 2) of the best one-to-one matching of each pair (Carion et al., ECCV 2020)."""
    rows, queries, targets = [], [], [torch.zeros(0, 2)]
    for row, truth in enumerate(truths):
        if len(truth):
            length = (truth[:, 1] - truth[:, 0]).clamp(min=1)
            off = (pairs[row, :, None] - truth[None]).abs().sum(dim=2) / length
            cost = diou_loss(pairs[row, :, None], truth[None]) + off - 2 * torch.sigmoid(logits[row])[:, None]
            query, action = linear_sum_assignment(cost.numpy())
            rows += [row] * len(query)
            queries += query.tolist()
            targets.append(truth[action])
    return torch.tensor(rows, dtype=torch.long), torch.tensor(queries, dtype=torch.long), torch.cat(targets)


@torch.inference_mode()
def detect_sets(model: SetDetector, dataset: FeatureDataset, config: DetectionConfig) -> list[Detections]:
    """Every query of every class with training examples, without suppression."""
    found, label = [], (model.count > 0).nonzero()[:, 0]
    for track in dataset.tracks:
        features = torch.from_numpy(np.asarray(track.values, dtype=np.float32))[None]
        mask = torch.ones(features.shape[:2], dtype=torch.bool)
        inputs = model.build_inputs(model.probe(features, mask), mask)[0, label]
        logits, pairs = model.sets(inputs, mask.expand(len(label), -1), label)[-1]
        seconds = track.grid.to_seconds(pairs.flatten(0, 1).double()).clamp(0, track.duration)
        scores = torch.sigmoid(logits).flatten()
        found.append(
            Detections(track.video_id, seconds.numpy(), label.repeat_interleave(QUERIES).numpy(), scores.numpy())
        )
    return found


def nothing_suppressed() -> list:
    """The patches that put it in the detector's place; see `benchmarks/detection.py`."""
    from mmad.engine import train_detector as detection

    return [
        (detection, "build_detector", lambda config, channels, labels, blocks: SetDetector(channels, labels, config)),
        (detection, "detector_losses", set_losses),
        (detection, "detect_all", detect_sets),
    ]
