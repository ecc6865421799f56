import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmad.config import DetectionConfig, DetectorConfig, InferConfig, LossConfig
from mmad.data.feature_dataset import Batch
from mmad.engine.postprocess import detect_track
from mmad.engine.train_detector import choose_pairs, detector_losses, part_losses, sample_positives
from mmad.labels import LabelSet
from mmad.metrics.average_precision import evaluate
from mmad.models import build_detector
from mmad.models.detector import Detector, DetectorOutput, hardest_competing, input_names, logits_of_product
from mmad.models.encoder import TemporalEncoder, with_neighbours
from mmad.models.linear_probe import score_names
from mmad.ops.assign import assign
from mmad.ops.dense_predictions import DensePredictions
from mmad.ops.losses import detection_losses, focal_loss
from mmad.records import Annotation, FeatureTrack, TimeGrid

LABELS = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))


def tiny(**settings) -> Detector:
    torch.manual_seed(0)
    config = DetectorConfig(**{"width": 16, "dilations": [1, 2], "centring": 6, "random": 16, **settings})
    return build_detector(config, channels=8, labels=LABELS).eval()


def stirred(**settings) -> Detector:
    """As after training: no weight is zero, behind which a missing mask could hide."""
    detector = tiny(**settings)
    maps = [tensor for name in detector.probe.views for tensor in detector.probe.weight_and_bias(name)]
    for tensor in (*detector.parameters(), *maps, detector.probe.mean):
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
    assert output.segments.shape == (batch, steps, 3, 2)
    assert output.mask.shape == (batch, steps)
    assert output.logits.isfinite().all() and output.segments.isfinite().all()
    assert (output.segments[..., 0] <= output.segments[..., 1]).all()


@torch.inference_mode()
def test_a_fresh_detector_expects_little_and_usual_lengths():
    detector = tiny()
    detector.length[:] = torch.tensor([4.0, 8.0, 16.0])
    detector.count[:] = 1
    output = detector(torch.zeros(1, 30, 8), torch.ones(1, 30, dtype=torch.bool))
    assert 0.001 < output.logits.sigmoid().mean() < 0.1
    lengths = (output.predictions.offsets[..., 1] - output.predictions.offsets[..., 0]).mean(dim=1)
    assert (lengths / detector.length).tolist() == pytest.approx([1, 1, 1], rel=0.6)


@torch.inference_mode()
def test_chosen_pairs_are_predicted_as_all_pairs_are():
    """`forward` for chosen pairs gives what `forward` for all pairs gives for them."""
    detector, features, mask = stirred(), torch.cat([clip_of(20), clip_of(20, seed=1)]), torch.ones(2, 20).bool()
    output = detector(features, mask)
    video, label = torch.tensor([1, 0, 1]), torch.tensor([2, 1, 0])
    predictions = detector(features, mask, pairs=(video, label)).predictions
    assert_close(predictions.logits, output.logits[video, :, label])
    steps = torch.arange(20)
    for row in range(3):
        pairs = (steps[:, None] + predictions.boundaries(torch.full((20,), row), steps)).sort(dim=1).values
        assert_close(pairs, output.segments[video[row], :, label[row]])


@pytest.mark.parametrize("steps", [1, 5, 16, 17])
@torch.inference_mode()
def test_padding_changes_nothing(steps):
    """A clip has the same output alone and beside a longer one; in doubles, where rounding hides nothing."""
    detector, longest = stirred().double(), 32
    features = 1e3 * torch.ones(2, longest, 8, dtype=torch.double)  # rubbish where nothing is real
    features[0, :steps], features[1] = clip_of(steps)[0], clip_of(longest, seed=1)[0]
    mask = torch.ones(2, longest, dtype=torch.bool)
    mask[0, steps:] = False
    together, alone = detector(features, mask), detector(features[:1, :steps], mask[:1, :steps])
    for name in ("logits", "segments"):
        assert_close(getattr(together, name)[0, :steps], getattr(alone, name)[0], atol=1e-9, rtol=0)


@torch.inference_mode()
def test_steps_beyond_the_receptive_field_have_no_influence():
    """So that windows of a long video agree."""
    detector, features = stirred(views=["plain"]).double(), clip_of(64).double()
    changed = features.clone()
    changed[0, 40:] += 10
    mask = torch.ones(1, 64, dtype=torch.bool)
    before, after = detector(features, mask).logits, detector(changed, mask).logits
    reach = 1 + 1 + 2
    assert_close(before[:, : 40 - reach], after[:, : 40 - reach], atol=1e-12, rtol=0)
    assert (before[:, 40 - reach : 40] != after[:, 40 - reach : 40]).any()


@torch.inference_mode()
def test_the_centred_view_does_not_see_a_constant():
    detector = stirred(views=["centred"]).double()
    features, mask = 0.3 * clip_of(30).double(), torch.ones(1, 30, dtype=torch.bool)
    assert_close(detector(features, mask).logits, detector(features + 2, mask).logits)  # both within the bound


@torch.inference_mode()
def test_classes_do_not_share_boundaries():
    features, mask = clip_of(20), torch.ones(1, 20, dtype=torch.bool)
    boundaries = stirred()(features, mask).segments
    assert (boundaries[:, :, 0] != boundaries[:, :, 1]).any(dim=-1).all()


@torch.inference_mode()
def test_a_class_without_one_example_is_never_found():
    detector, features, mask = stirred(), clip_of(20), torch.ones(1, 20, dtype=torch.bool)
    before = detector(features, mask).logits
    detector.count[1] = 0
    after = detector(features, mask).logits
    assert (after[:, :, 1] == -torch.inf).all() and after[:, :, [0, 2]].isfinite().all() and before.isfinite().all()


def test_the_inputs_of_the_decoder_by_hand():
    """Two views and three scores each are six numbers per class and part: tens say whose they are, ones say which."""
    detector = tiny(views=["plain", "random"])
    scores = 10.0 * torch.arange(5)[:, None] + torch.arange(6)  # entity, score
    inputs = detector.build_inputs(scores.expand(1, 4, 5, 6), torch.tensor([[True, True, True, False]]))
    names = input_names(["plain", "random"])
    assert inputs.shape == (1, 3, 4, len(names))
    kinds = ("actionness", "startness", "endness")
    of_views = [f"{view} {kind}" for view in ("plain", "random") for kind in kinds]
    for k, part in enumerate((0, 0, 1)):
        for step in range(3):
            found = dict(zip(names, inputs[0, k, step].tolist(), strict=True))
            assert [found.pop(f"class: {name}") for name in of_views] == scores[k].tolist()
            assert [found.pop(f"body part: {name}") for name in of_views] == scores[3 + part].tolist()
            competing = [
                found.pop(f"hardest competing class of the body part: {view} actionness")
                for view in ("plain", "random")
            ]
            assert competing == {0: [10, 13], 1: [0, 3], 2: [-3, -3]}[k]
            strongest = [found.pop(f"strongest class: {view} actionness") for view in ("plain", "random")]
            assert strongest == [20, 23]
            assert found.pop("distance to the video's start") == pytest.approx(math.exp(-step / 3))
            assert found.pop("distance to the video's end") == pytest.approx(math.exp(-(2 - step) / 3))
            assert not found


@pytest.mark.parametrize("views", [["plain"], ["random", "centred"], ["plain", "centred", "random"]])
def test_the_decoder_has_an_input_for_each_name(views):
    names = input_names(views)
    assert len(set(names)) == len(names)
    assert tiny(views=views).encoder.embed.in_features == 3 * len(names)  # a step and its two neighbours


def test_the_hardest_competing_class_by_hand():
    actionness = torch.tensor([[[[1.0], [5.0], [3.0], [9.0]]]])  # one step of four classes
    assert hardest_competing(actionness, [[0, 1, 2], [3]]).flatten().tolist() == [5, 3, 5, -3]


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


def test_pairs_contain_every_action_and_represent_all_classes():
    torch.manual_seed(0)
    seen = torch.ones(10, dtype=torch.bool)
    labels = [torch.tensor([1, 1, 4]), torch.tensor([], dtype=torch.long), torch.arange(10)]
    chosen, weights = choose_pairs(labels, seen, negatives=3)
    assert chosen.sum(dim=1).tolist() == [5, 3, 10]
    assert chosen[0, [1, 4]].all() and weights[0, [1, 4]].tolist() == [1, 1]
    assert weights.sum(dim=1).tolist() == pytest.approx([10, 10, 10])
    assert (weights[~chosen] == 0).all()
    everything, ones = choose_pairs(labels, seen, negatives=99)
    assert everything.all() and (ones == 1).all()
    drawn = torch.stack([choose_pairs(labels, seen, 3)[0][1] for _ in range(200)]).float().mean(dim=0)
    assert drawn.min() > 0.15 and drawn.max() < 0.45  # 0.3 each


def test_of_classes_without_training_actions_no_pair_is_drawn():
    torch.manual_seed(0)
    seen = torch.tensor([True] * 4 + [False] * 6)
    labels = [torch.tensor([1]), torch.tensor([], dtype=torch.long)]
    for negatives in (2, 99):
        chosen, weights = choose_pairs(labels, seen, negatives)
        assert not chosen[:, 4:].any() and chosen.sum(dim=1).tolist() == [1 + min(negatives, 3), min(negatives, 4)]
        assert weights.sum(dim=1).tolist() == pytest.approx([4, 4])


def test_a_sample_of_positives_is_right_on_average():
    torch.manual_seed(0)
    offsets, mask = torch.tensor([-1.0, 1.0]).expand(1, 40, -1), torch.ones(1, 40, dtype=torch.bool)
    spread, zeros, table = torch.ones(1, 40, 1), torch.zeros(1, 40, 2), torch.tensor([[2.0, 38.0]])
    predictions = DensePredictions(torch.zeros(1, 40), offsets, spread, zeros, zeros, torch.tensor(1.0), mask)
    positives = assign(table, torch.tensor([0]), mask, LossConfig().centre)

    def loss(count: int) -> torch.Tensor:
        sample = sample_positives(positives, count)
        return detection_losses(predictions, table, torch.ones(1), positives, sample, LossConfig())["regress"]

    every, few = loss(1000), [loss(6) for _ in range(200)]
    assert torch.stack(few).mean().item() == pytest.approx(every.item(), rel=0.05)
    assert len({value.item() for value in few}) > 50


ACTIONS = [  # (start, end, class) in steps of four clips of 32: overlapping, nested, touching, two of one class
    [(4, 20, 0), (10, 13, 1)],
    [(8, 26, 1), (8, 26, 2), (2, 5, 0)],
    [(0, 31, 2), (14, 18, 0)],
    [(3, 9, 1), (9, 15, 0), (20, 28, 1)],
]


def made_up_scores(detector: Detector) -> Batch:
    """Probe scores that follow the truth, with some noise."""
    torch.manual_seed(0)
    names = score_names(list(detector.probe.views))
    scores = 0.3 * torch.randn(4, 32, detector.probe.entities, len(names))
    actionness, startness, endness = (
        [i for i, name in enumerate(names) if name.endswith(score)] for score in ("actionness", "startness", "endness")
    )
    for i, actions in enumerate(ACTIONS):
        for start, end, k in actions:
            for entity in (k, 3 + LABELS.part_of[k]):
                for score in actionness:
                    scores[i, start : end + 1, entity, score] += 2
                scores[i, start, entity, startness] += 2
                scores[i, end, entity, endness] += 2
    segments = [torch.tensor([a[:2] for a in actions], dtype=torch.float32) for actions in ACTIONS]
    labels = [torch.tensor([k for _, _, k in actions]) for actions in ACTIONS]
    mask = torch.ones(4, 32, dtype=torch.bool)
    return Batch(None, mask, segments, labels, list("abcd"), [TimeGrid(2.0, 0.5)] * 4, scores)


def memorised(**settings) -> float:
    """mAP at tIoU 0.9 in the clips that it was trained on."""
    detector = tiny(dilations=[1, 2, 4], **settings).train()
    detector.length[:] = torch.tensor([6.0, 8.0, 20.0])
    detector.count[:] = torch.tensor([4.0, 4.0, 2.0])
    batch, losses = made_up_scores(detector), partial(detector_losses, config=DetectionConfig())
    optimizer = torch.optim.AdamW(detector.parameters(), lr=5e-3)
    for _ in range(500):
        optimizer.zero_grad()
        sum(losses(detector, batch).values()).backward()
        optimizer.step()
    detector.eval()
    detector.probe.forward = lambda features, mask: features.unflatten(2, batch.probe_scores.shape[2:])
    truth, found = [], []
    for scores, actions, name in zip(batch.probe_scores, ACTIONS, batch.video_ids):
        track = FeatureTrack(name, scores.flatten(1).numpy(), TimeGrid(start=2.0, step=0.5), duration=40.0)
        found.append(detect_track(detector, track, InferConfig()))
        seconds = [(2 + 0.5 * start, 2 + 0.5 * end) for start, end, _ in actions]
        truth.append(Annotation(name, 40.0, np.array(seconds), np.array([k for _, _, k in actions])))
    return float(evaluate(truth, found, LABELS).mean_ap()[8])


@pytest.mark.parametrize("parts", [False, True])
def test_memorises_overlapping_actions(parts):
    assert memorised(parts=parts) > 0.99


# --- P(part) x P(action | part) ---------------------------------------------------------------------------------


def test_the_logits_of_a_product():
    """0.5 x 0.5 = 0.25, whose odds are 1 to 3; far from 0 nothing overflows."""
    found = logits_of_product(torch.tensor([0.0, 40.0, -200.0, 100.0]), torch.tensor([0.0, 2.0, 3.0, 100.0]))
    assert found[:3].tolist() == pytest.approx([math.log(1 / 3), 2.0, -200.05], abs=0.01)
    assert found[3] > 10 and found.isfinite().all()
    one, other = torch.tensor([3.0], requires_grad=True), torch.tensor([60.0], requires_grad=True)
    logits_of_product(one, other).backward()
    assert one.grad.item() == pytest.approx(1.0, abs=1e-3) and other.grad.isfinite().all()


@torch.inference_mode()
def test_the_score_of_an_action_is_that_of_its_part_times_its_own():
    detector = stirred(parts=True)
    mask = torch.ones(1, 13, dtype=torch.bool)
    output = detector(clip_of(13), mask)
    assert output.part_logits.shape == (1, 2, 13) and output.given_part.shape == (3, 13)
    own = torch.sigmoid(output.given_part)  # of nod, tilt (head) and wave (hand)
    of_part = torch.sigmoid(output.part_logits)[0, [0, 0, 1]]
    assert_close(torch.sigmoid(output.logits)[0].T, own * of_part)
    assert output.part_logits.std() > 0.1 and output.given_part.std() > 0.1
    without = stirred()(clip_of(13), mask)
    assert without.part_logits is None and without.given_part is None
    # Padding and other videos of a batch change nothing.
    longer = torch.cat([torch.cat([clip_of(13), clip_of(5, seed=3)], dim=1), clip_of(18, seed=4)])
    mask = torch.tensor([[True] * 13 + [False] * 5, [True] * 18])
    assert_close(detector(longer, mask).part_logits[:1, :, :13], output.part_logits, atol=1e-5, rtol=1e-5)


def test_the_losses_of_both_factors_by_hand():
    """A nod over steps 0 to 4 of seven, whose positives are 1, 2 and 3; the pairs are nod, tilt and wave.

    The head's positives are the nod's, 0 and 4 are ignored. Given the head, steps 1 to 3 alone say that it is a nod and
    no tilt; wave, of the hand, has no step to learn from.
    """
    mask, config = torch.ones(1, 7, dtype=torch.bool), DetectionConfig()
    segments, labels = torch.tensor([[0.0, 4.0]]), torch.tensor([0])
    batch = Batch(None, mask, [segments], [labels], ["a"], [TimeGrid(0, 1)])
    part_logits, given_part = torch.randn(1, 2, 7), torch.randn(3, 7)
    pairs = torch.zeros(3, dtype=torch.long), torch.arange(3)
    output = DetectorOutput(None, *pairs, mask, part_logits, given_part)
    positives = assign(segments, labels, mask.expand(3, -1), config.loss.centre)
    assert positives.step.tolist() == [1, 2, 3]
    weights = torch.tensor([1.0, 5.0, 7.0])
    losses = part_losses(output, torch.tensor(LABELS.part_of), batch, weights, positives, config)

    def sum_of(logits: torch.Tensor, target: float) -> torch.Tensor:
        return focal_loss(logits, torch.full_like(logits, target), config.loss.alpha, config.loss.gamma).sum()

    share = 2 / 3  # three positives weigh 2 together
    head, hand = part_logits[0]
    assert_close(losses["part"], share * sum_of(head[1:4], 1.0) + sum_of(head[5:], 0.0) + sum_of(hand, 0.0))
    nod, tilt, _ = given_part
    assert_close(losses["classify"], share * sum_of(nod[1:4], 1.0) + 5 * sum_of(tilt[1:4], 0.0))


# --- one path ---------------------------------------------------------------------------------------------------


def test_the_loss_with_the_probes_own_scores_given_is_that_without_them():
    """Training and inference go through the same `forward`; padded steps included."""
    detector = stirred().train()
    features = torch.cat([clip_of(32), clip_of(32, seed=1)])
    mask = torch.ones(2, 32, dtype=torch.bool)
    mask[1, 20:] = False
    segments = [torch.tensor([[4.0, 20.0], [10, 13]]), torch.tensor([[2.0, 9.0]])]
    read = Batch(features, mask, segments, [torch.tensor([0, 1]), torch.tensor([2])], ["a", "b"], [TimeGrid(0, 1)] * 2)
    given = replace(read, features=None, probe_scores=detector.probe(features, mask))
    other = replace(given, probe_scores=given.probe_scores + 1)
    losses = []
    for batch in (read, given, other):
        torch.manual_seed(0)  # pairs and positives are sampled
        losses.append(
            {name: value.item() for name, value in detector_losses(detector, batch, DetectionConfig()).items()}
        )
    assert losses[1] == losses[0] and losses[2] != losses[0]
