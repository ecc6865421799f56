import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmad.config import DetectionConfig, DetectorConfig, InferConfig
from mmad.data.dataset import Batch
from mmad.engine.detection import detector_losses
from mmad.engine.infer import detect_track
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.ops.segments import iou_matrix
from mmad.records import FeatureTrack, TimeGrid

CLASSES = 3


def tiny(levels: int = 3, reach: float = 4.0, **settings) -> Detector:
    torch.manual_seed(0)
    config = DetectorConfig(width=16, layers=1, heads=2, levels=levels, reach=reach, **settings)
    return build_detector(config, channels=8, num_classes=CLASSES).eval()


def stirred() -> Detector:
    """As after training: no bias is zero and no norm is plain, behind which a missing mask could hide."""
    detector = tiny()
    for parameter in detector.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return detector


def clip_of(steps: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, steps, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("batch", [1, 3])
@torch.inference_mode()
def test_shapes(batch):
    output = tiny()(torch.zeros(batch, 16, 8), torch.ones(batch, 16, dtype=torch.bool))
    assert output.logits.shape == (batch, 16 + 8 + 4, CLASSES)
    assert output.boundaries.shape == (batch, 28, CLASSES, 2)
    assert output.mask.shape == (batch, 28)
    assert output.points.position.tolist() == [*range(16), *range(0, 16, 2), *range(0, 16, 4)]
    assert output.points.stride.tolist() == [1] * 16 + [2] * 8 + [4] * 4


@torch.inference_mode()
def test_boundaries_stand_around_their_point():
    output = tiny()(100 * clip_of(16), torch.ones(1, 16, dtype=torch.bool))
    start, end = output.boundaries.unbind(-1)
    position = output.points.position[None, :, None]
    assert (start <= position).all() and (position <= end).all()
    assert (start < end).any()


@torch.inference_mode()
def test_a_fresh_detector_expects_little():
    """Its classification bias says one positive in a hundred, so that training starts calm."""
    chance = tiny()(torch.zeros(1, 16, 8), torch.ones(1, 16, dtype=torch.bool)).logits.sigmoid()
    assert 0.001 < chance.mean() < 0.05


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_levels_answer_for_every_offset_once(levels):
    points = tiny(levels, reach=3.0).points(32, torch.device("cpu"))
    ranges = sorted({(low, high) for low, high in zip(points.low.tolist(), points.high.tolist())})
    assert len(ranges) == levels
    assert ranges[0][0] == 0 and ranges[-1][1] == math.inf
    assert [high for _, high in ranges[:-1]] == [low for low, _ in ranges[1:]]
    assert [high for _, high in ranges[:-1]] == [3.0 * 2**level for level in range(levels - 1)]


@pytest.mark.parametrize("steps", [1, 5, 9, 16, 17])
@torch.inference_mode()
def test_padding_changes_nothing(steps):
    """A clip says the same at its points alone and beside a longer one; in doubles, where rounding hides nothing."""
    detector, longest = stirred().double(), 32
    features = torch.zeros(2, longest, 8, dtype=torch.double)
    features[0, :steps], features[1] = clip_of(steps)[0], clip_of(longest, seed=1)[0]
    mask = torch.ones(2, longest, dtype=torch.bool)
    mask[0, steps:] = False
    together = detector(features, mask)
    rounded = -(-steps // 4) * 4
    alone = detector(features[:1, :rounded], mask[:1, :rounded])
    assert together.mask[0].sum() == alone.mask[0].sum() == steps + math.ceil(steps / 2) + math.ceil(steps / 4)
    for name in ("logits", "boundaries"):
        ours, theirs = getattr(together, name)[0][together.mask[0]], getattr(alone, name)[0][alone.mask[0]]
        assert_close(ours, theirs, atol=1e-9, rtol=0)
    assert_close(together.points.position[together.mask[0]], alone.points.position[alone.mask[0]])


@torch.inference_mode()
def test_what_stands_in_the_padding_is_not_seen():
    detector, features = stirred().double(), clip_of(16).double()
    mask = torch.arange(16)[None] < 10
    rubbish = torch.where(mask[..., None], features, 1e3)
    clean, dirty = detector(features, mask), detector(rubbish, mask)
    assert_close(clean.logits[clean.mask], dirty.logits[dirty.mask], atol=1e-9, rtol=0)
    assert_close(clean.boundaries[clean.mask], dirty.boundaries[dirty.mask], atol=1e-9, rtol=0)


@pytest.mark.parametrize("steps", [1, 2, 7, 13])
@torch.inference_mode()
def test_odd_lengths(steps):
    """Without padding, a level has a point for every started stride, as `points` says."""
    output = tiny()(clip_of(steps), torch.ones(1, steps, dtype=torch.bool))
    wanted = [p for stride in (1, 2, 4) for p in range(0, steps, stride)]
    assert output.points.position.tolist() == wanted
    assert output.logits.shape[1] == output.boundaries.shape[1] == output.mask.shape[1] == len(wanted)
    assert output.mask.all()


@torch.inference_mode()
def test_every_part_matters():
    """A change of one step reaches every other point: attention spans the clip."""
    detector, features, mask = tiny().double(), clip_of(16).double(), torch.ones(1, 16, dtype=torch.bool)
    changed = features.clone()
    changed[0, 15, 0] += 10
    assert (detector(features, mask).logits != detector(changed, mask).logits).any(dim=-1).all()


# --- learning ---------------------------------------------------------------------------------------------------

ACTIONS = [  # (start, end, class) in steps of four clips of 32: overlapping, nested, touching, two of one class
    [(4, 20, 0), (10, 13, 1)],
    [(8, 26, 1), (8, 26, 2), (2, 5, 0)],
    [(0, 31, 2), (14, 18, 0)],
    [(3, 9, 1), (9, 15, 0), (20, 28, 1)],
]


def made_up_clips() -> Batch:
    """Channel k is 1 while class k acts; two more channels tell the clips apart."""
    features = torch.zeros(4, 32, 8)
    at = torch.arange(32)
    for i, actions in enumerate(ACTIONS):
        features[i, :, 6], features[i, :, 7] = i % 2, i // 2
        for start, end, k in actions:
            features[i, (start <= at) & (at <= end), k] = 1
    segments = [torch.tensor([a[:2] for a in actions], dtype=torch.float32) for actions in ACTIONS]
    labels = [torch.tensor([k for _, _, k in actions]) for actions in ACTIONS]
    return Batch(features, torch.ones(4, 32, dtype=torch.bool), segments, labels, list("abcd"), [TimeGrid(0, 1)] * 4)


def test_learns_overlapping_actions_by_heart():
    detector, batch, losses = tiny(dropout=0.0).train(), made_up_clips(), detector_losses(DetectionConfig(), CLASSES)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        sum(losses(detector, batch).values()).backward()
        optimizer.step()
    detector.eval()
    for features, actions, name in zip(batch.features, ACTIONS, batch.video_ids):
        track = FeatureTrack(name, features.numpy(), TimeGrid(start=2.0, step=0.5), duration=40.0)
        found = detect_track(detector, track, InferConfig(nms="soft"))
        for k in range(CLASSES):
            truth = 2 + 0.5 * np.array([a[:2] for a in actions if a[2] == k]).reshape(-1, 2)  # seconds
            sure = (found.labels == k) & (found.scores > 0.5)
            assert sure.sum() == len(truth), (name, k)
            overlap = iou_matrix(torch.from_numpy(truth), torch.from_numpy(found.segments[sure]))
            assert ((overlap > 0.8).sum(dim=1) == 1).all(), (name, k, overlap)
