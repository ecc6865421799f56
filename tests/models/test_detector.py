import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmad.config import DetectionConfig, DetectorConfig, InferConfig
from mmad.data.dataset import Batch
from mmad.engine.detection import choose_rows, detector_losses
from mmad.engine.infer import detect_track
from mmad.labels import LabelSet
from mmad.metrics.average_precision import evaluate
from mmad.models import build_detector
from mmad.models.detector import Detector, rivals
from mmad.models.encoder import TemporalEncoder, with_neighbours
from mmad.records import Annotation, FeatureTrack, TimeGrid

LABELS = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))


def tiny(**settings) -> Detector:
    torch.manual_seed(0)
    config = DetectorConfig(**{"width": 16, "dilations": [1, 2], "centring": 6, **settings})
    return build_detector(config, channels=8, labels=LABELS).eval()


def stirred(**settings) -> Detector:
    """As after training: no weight is zero, behind which a missing mask could hide."""
    detector = tiny(**settings)
    for tensor in (*detector.parameters(), detector.evidence.weight, detector.evidence.mean):
        tensor.data += 0.3 * torch.randn_like(tensor)
    detector.length.uniform_(3, 9)
    detector.count[:] = torch.tensor([1.0, 9.0, 3.0])
    return detector


def clip_of(steps: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, steps, 8, generator=torch.Generator().manual_seed(seed))


# --- what comes out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 13])
@pytest.mark.parametrize("batch", [1, 3])
@torch.inference_mode()
def test_shapes(batch, steps):
    output = stirred()(clip_of(steps).expand(batch, -1, -1), torch.ones(batch, steps, dtype=torch.bool))
    assert output.logits.shape == (batch, steps, 3)
    assert output.boundaries.shape == (batch, steps, 3, 2)
    assert output.mask.shape == (batch, steps)
    assert output.logits.isfinite().all() and output.boundaries.isfinite().all()
    assert (output.boundaries[..., 0] <= output.boundaries[..., 1]).all()


@torch.inference_mode()
def test_a_fresh_detector_expects_little_and_usual_lengths():
    detector = tiny()
    detector.length[:] = torch.tensor([4.0, 8.0, 16.0])
    detector.count[:] = 1
    output = detector(torch.zeros(1, 30, 8), torch.ones(1, 30, dtype=torch.bool))
    assert 0.001 < output.logits.sigmoid().mean() < 0.1
    lengths = (output.curves.coarse[..., 1] - output.curves.coarse[..., 0]).mean(dim=1)
    assert (lengths / detector.length).tolist() == pytest.approx([1, 1, 1], rel=0.6)


@torch.inference_mode()
def test_the_same_class_in_another_row_is_the_same():
    """`describe` and `decode` of chosen rows say what `forward` says of them."""
    detector, features, mask = stirred(), torch.cat([clip_of(20), clip_of(20, seed=1)]), torch.ones(2, 20).bool()
    output = detector(features, mask)
    inputs = detector.describe(detector.evidence(features, mask), mask)
    video, label = torch.tensor([1, 0, 1]), torch.tensor([2, 1, 0])
    curves = detector.decode(inputs[video, label], mask[video], label)
    assert_close(curves.logits, output.logits[video, :, label])
    steps = torch.arange(20)
    for row in range(3):
        pairs = (steps[:, None] + curves.boundaries(torch.full((20,), row), steps)).sort(dim=1).values
        assert_close(pairs, output.boundaries[video[row], :, label[row]])


@pytest.mark.parametrize("steps", [1, 5, 16, 17])
@torch.inference_mode()
def test_padding_changes_nothing(steps):
    """A clip says the same at its steps alone and beside a longer one; in doubles, where rounding hides nothing."""
    detector, longest = stirred().double(), 32
    features = 1e3 * torch.ones(2, longest, 8, dtype=torch.double)  # rubbish where nothing is real
    features[0, :steps], features[1] = clip_of(steps)[0], clip_of(longest, seed=1)[0]
    mask = torch.ones(2, longest, dtype=torch.bool)
    mask[0, steps:] = False
    together, alone = detector(features, mask), detector(features[:1, :steps], mask[:1, :steps])
    for name in ("logits", "boundaries"):
        assert_close(getattr(together, name)[0, :steps], getattr(alone, name)[0], atol=1e-9, rtol=0)


@torch.inference_mode()
def test_far_away_nothing_is_seen():
    """A step knows of what the convolutions and the centring reach, and no further: windows of a long video agree."""
    detector, features = stirred().double(), clip_of(64).double()
    detector.evidence.weight[1] = 0  # the centred view
    changed = features.clone()
    changed[0, 40:] += 10
    mask = torch.ones(1, 64, dtype=torch.bool)
    before, after = detector(features, mask).logits, detector(changed, mask).logits
    reach = 1 + 1 + 2
    assert_close(before[:, : 40 - reach], after[:, : 40 - reach], atol=1e-12, rtol=0)
    assert (before[:, 40 - reach : 40] != after[:, 40 - reach : 40]).any()


@torch.inference_mode()
def test_the_centred_view_does_not_see_a_constant():
    detector = stirred().double()
    detector.evidence.weight[0] = 0
    features, mask = clip_of(30).double(), torch.ones(1, 30, dtype=torch.bool)
    assert_close(detector(features, mask).logits, detector(features + 7, mask).logits)


@torch.inference_mode()
def test_classes_do_not_share_boundaries():
    features, mask = clip_of(20), torch.ones(1, 20, dtype=torch.bool)
    boundaries = stirred()(features, mask).boundaries
    assert (boundaries[:, :, 0] != boundaries[:, :, 1]).any(dim=-1).all()


@torch.inference_mode()
def test_a_class_without_one_example_is_never_found():
    detector, features, mask = stirred(), clip_of(20), torch.ones(1, 20, dtype=torch.bool)
    before = detector(features, mask).logits
    detector.count[1] = 0
    after = detector(features, mask).logits
    assert (after[:, :, 1] == -torch.inf).all() and after[:, :, [0, 2]].isfinite().all() and before.isfinite().all()


def test_what_the_network_is_told_by_hand():
    """Six kinds of evidence of each of three classes and two parts; numbers say whose and which."""
    detector = tiny()
    detector.count[:], detector.length[:] = torch.tensor([0.0, 1, 3]), torch.tensor([1.0, 2, 4])
    evidence = 10.0 * torch.arange(5)[:, None] + torch.arange(6)  # entity, kind
    told = detector.describe(evidence.expand(1, 4, 5, 6), torch.tensor([[True, True, True, False]]))
    assert told.shape == (1, 3, 4, 20)
    for k, part in enumerate((0, 0, 1)):
        for step in range(3):
            told_of = told[0, k, step].tolist()
            assert told_of[:6] == evidence[k].tolist()
            assert told_of[6:12] == evidence[3 + part].tolist()
            assert told_of[12:14] == {0: [10, 13], 1: [0, 3], 2: [-3, -3]}[k]  # during, in both views
            assert told_of[14:16] == [20, 23]
            assert told_of[16:18] == pytest.approx([math.exp(-step / 3), math.exp(-(2 - step) / 3)])
            assert told_of[18:] == pytest.approx([math.log1p((0, 1, 3)[k]) / 4 - 0.5, math.log(2**k) / 2 - 1])


def test_rivals_by_hand():
    during = torch.tensor([[[[1.0], [5.0], [3.0], [9.0]]]])  # one step of four classes
    assert rivals(during, [[0, 1, 2], [3]]).flatten().tolist() == [5, 3, 5, -3]


def test_neighbours_by_hand():
    x = torch.tensor([[[1.0], [2], [3], [4]]])
    assert with_neighbours(x, 1)[0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0]]
    assert with_neighbours(x, 3)[0].tolist() == [[0, 1, 4], [0, 2, 0], [0, 3, 0], [1, 4, 0]]
    assert with_neighbours(x, 9)[0].tolist() == [[0, 1, 0], [0, 2, 0], [0, 3, 0], [0, 4, 0]]


@torch.inference_mode()
def test_the_encoder_is_a_convolution():
    torch.manual_seed(0)
    encoder = TemporalEncoder(2, 4, [1, 3]).eval()
    x, mask = torch.randn(1, 12, 2), torch.ones(1, 12, dtype=torch.bool)
    embed = encoder.embed
    kernel = embed.weight.view(4, 3, 2).transpose(1, 2)  # (width, inputs, taps)
    by_convolution = torch.relu(torch.conv1d(x.transpose(1, 2), kernel, embed.bias, padding=1)).transpose(1, 2)
    encoder.blocks = torch.nn.ModuleList()
    assert_close(encoder(x, mask), by_convolution)


# --- learning ---------------------------------------------------------------------------------------------------


def test_rows_hold_every_action_and_stand_for_all_classes():
    torch.manual_seed(0)
    labels = [torch.tensor([1, 1, 4]), torch.tensor([], dtype=torch.long), torch.arange(10)]
    chosen, weights = choose_rows(labels, num_classes=10, others=3)
    assert chosen.sum(dim=1).tolist() == [5, 3, 10]
    assert chosen[0, [1, 4]].all() and weights[0, [1, 4]].tolist() == [1, 1]
    assert weights.sum(dim=1).tolist() == pytest.approx([10, 10, 10])
    assert (weights[~chosen] == 0).all()
    everything, ones = choose_rows(labels, num_classes=10, others=99)
    assert everything.all() and (ones == 1).all()
    drawn = torch.stack([choose_rows(labels, 10, 3)[0][1] for _ in range(200)]).float().mean(dim=0)
    assert drawn.min() > 0.15 and drawn.max() < 0.45  # 0.3 each


ACTIONS = [  # (start, end, class) in steps of four clips of 32: overlapping, nested, touching, two of one class
    [(4, 20, 0), (10, 13, 1)],
    [(8, 26, 1), (8, 26, 2), (2, 5, 0)],
    [(0, 31, 2), (14, 18, 0)],
    [(3, 9, 1), (9, 15, 0), (20, 28, 1)],
]


def made_up_evidence(detector: Detector) -> Batch:
    """Evidence that says what is true, with some noise."""
    torch.manual_seed(0)
    evidence = 0.3 * torch.randn(4, 32, detector.evidence.entities, 6)
    at = torch.arange(32)
    for i, actions in enumerate(ACTIONS):
        for start, end, k in actions:
            for entity in (k, 3 + LABELS.part_of[k]):
                evidence[i, (start <= at) & (at <= end), entity, ::3] += 2
                evidence[i, start, entity, 1::3] += 2
                evidence[i, end, entity, 2::3] += 2
    segments = [torch.tensor([a[:2] for a in actions], dtype=torch.float32) for actions in ACTIONS]
    labels = [torch.tensor([k for _, _, k in actions]) for actions in ACTIONS]
    mask = torch.ones(4, 32, dtype=torch.bool)
    return Batch(evidence.flatten(2), mask, segments, labels, list("abcd"), [TimeGrid(2.0, 0.5)] * 4)


def learned_by_heart(**settings) -> float:
    """mAP at tIoU 0.9 in the clips that it was trained on."""
    detector = tiny(dilations=[1, 2, 4], **settings).train()
    detector.length[:] = torch.tensor([6.0, 8.0, 20.0])
    detector.count[:] = torch.tensor([4.0, 4.0, 2.0])
    batch, losses = made_up_evidence(detector), partial(detector_losses, config=DetectionConfig())
    optimizer = torch.optim.AdamW(detector.parameters(), lr=5e-3)
    for _ in range(500):
        optimizer.zero_grad()
        sum(losses(detector, batch).values()).backward()
        optimizer.step()
    detector.eval()
    detector.evidence.forward = lambda features, mask: features.unflatten(2, (5, 6))
    truth, found = [], []
    for evidence, actions, name in zip(batch.features, ACTIONS, batch.video_ids):
        track = FeatureTrack(name, evidence.numpy(), TimeGrid(start=2.0, step=0.5), duration=40.0)
        found.append(detect_track(detector, track, InferConfig()))
        seconds = [(2 + 0.5 * start, 2 + 0.5 * end) for start, end, _ in actions]
        truth.append(Annotation(name, 40.0, np.array(seconds), np.array([k for _, _, k in actions])))
    return float(evaluate(truth, found, LABELS).mean_ap()[8])


def test_learns_overlapping_actions_by_heart():
    assert learned_by_heart() > 0.99
