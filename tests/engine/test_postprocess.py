import copy

import numpy as np
import pytest
import torch
from torch import nn

from mmad.config import DetectorConfig, InferConfig
from mmad.engine.postprocess import detect_track, pick_candidates, windows
from mmad.labels import LabelSet
from mmad.models import build_detector
from mmad.models.detector import DetectorOutput
from mmad.ops.dense_predictions import DensePredictions
from mmad.records import FeatureTrack, TimeGrid

# --- windows ----------------------------------------------------------------------------------------------------


def test_windows_by_hand():
    assert list(windows(64, 64)) == [(0, 0, 64)]
    assert list(windows(65, 64)) == [(0, 0, 48), (32, 48, 65)]
    assert list(windows(100, 64)) == [(0, 0, 48), (32, 48, 80), (64, 80, 100)]


@pytest.mark.parametrize("steps", [1, 15, 16, 17, 100, 512, 1000])
@pytest.mark.parametrize("window", [1, 2, 16, 33, 64, 512])
def test_each_step_belongs_to_one_window_that_sees_it(steps, window):
    owners = np.zeros(steps, dtype=int)
    for first, own_from, own_to in windows(steps, window):
        assert first <= own_from < own_to <= min(first + window, steps)
        owners[own_from:own_to] += 1
    assert (owners == 1).all()


@pytest.mark.parametrize("steps", [200, 1000])
def test_what_a_window_owns_lies_well_within_it(steps):
    """A quarter of the window on either side is context, except where the video begins and ends."""
    for first, own_from, own_to in windows(steps, 64):
        assert own_from - first >= 16 or first == 0
        assert first + 64 - own_to >= 16 or own_to == steps


# --- detections -------------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """A detector that copies its predictions from the features: channel k is the logit of class k, the last the half
    length."""

    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> DetectorOutput:
        logits, half = features[0, :, :-1].T, features[:, :, -1:]  # (K, T), (1, T, 1)
        predictions = predictions_of(logits, torch.cat([-half, half], dim=2).expand(len(logits), -1, -1))
        label = torch.arange(len(logits))
        return DetectorOutput(predictions, torch.zeros_like(label), label, mask)


class Unrefined(DensePredictions):
    """Predictions whose regressed boundaries are not refined."""

    def boundaries(self, pair, step):
        return self.offsets[pair, step]


def predictions_of(logits: torch.Tensor, offsets: torch.Tensor) -> DensePredictions:
    """(K, T) logits and (K, T, 2) start and end relative to the step, of one video."""
    zeros = torch.zeros_like(offsets)
    return Unrefined(logits, offsets, zeros[..., :1], zeros, zeros, torch.tensor(1.0), logits > -torch.inf)


def made_up_track(steps: int, classes: int = 3) -> FeatureTrack:
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.normal(-1, 1, (steps, classes)), rng.integers(4, 320, steps) / 8])  # exact in float32
    return FeatureTrack("v", values.astype(np.float32), TimeGrid(start=0.25, step=0.5), duration=steps / 2)


@pytest.mark.parametrize("nms", ["soft", "hard", "none"])
@pytest.mark.parametrize("window", [24, 64, 500])
def test_a_long_video_in_windows_has_no_seam(window, nms):
    track, settings = made_up_track(1000), {"nms": nms, "candidates": 100_000, "max_detections": 300}
    whole = detect_track(Reader(), track, InferConfig(window=4096, **settings))
    cut = detect_track(Reader(), track, InferConfig(window=window, **settings))
    assert len(whole) == 300 and len(cut) >= 300  # a long video may have as many per window
    np.testing.assert_array_equal(cut.labels[:300], whole.labels)
    np.testing.assert_array_equal(cut.segments[:300], whole.segments)
    np.testing.assert_allclose(cut.scores[:300], whole.scores, atol=1e-6)


@pytest.fixture(scope="module")
def stirred():
    """A detector as after training, and features of a long video."""
    torch.manual_seed(0)
    labels = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))
    model = build_detector(DetectorConfig(width=8, dilations=[1, 2], centring=20), 4, labels)
    for weight, _ in map(model.probe.weight_and_bias, model.probe.views):
        weight.normal_()
    model.length[:] = torch.tensor([3.0, 20.0, 150.0])
    model.count[:] = torch.tensor([9.0, 5.0, 2.0])
    model.predict.weight.data *= 4
    return model.eval(), np.random.default_rng(0).normal(size=(3001, 4)).astype(np.float32)


@pytest.mark.parametrize("window", [112, 113, 256, 1000])
def test_where_a_long_video_is_cut_moves_nothing(stirred, window):
    """Hours, so to speak: boundaries within a thousandth of a step, also of actions longer than a window."""
    model, values = stirred
    track = FeatureTrack("v", values, TimeGrid(0, 1), float(len(values)))
    settings = {"nms": "none", "candidates": 100_000, "max_detections": 100_000}
    whole = detect_track(model, track, InferConfig(window=4096, **settings))
    cut = detect_track(model, track, InferConfig(window=window, **settings))
    assert len(cut) == len(whole) == 3001 * 3
    assert (np.diff(whole.segments, axis=1) > 96).any()
    in_order = [np.lexsort([*d.segments.round(2).T, d.labels]) for d in (whole, cut)]
    whole_rows, cut_rows = (np.column_stack([d.segments, d.scores])[i] for d, i in zip((whole, cut), in_order))
    np.testing.assert_allclose(cut_rows, whole_rows, atol=1e-3)


def test_a_class_without_one_example_is_never_found(stirred):
    model, values = copy.deepcopy(stirred[0]), stirred[1]
    model.count[1] = 0
    track = FeatureTrack("v", values[:50], TimeGrid(0, 1), 50.0)
    assert set(detect_track(model, track, InferConfig()).labels.tolist()) == {0, 2}


def test_candidates_are_the_best_pairs():
    logits = torch.tensor([[0.0, -1.0], [2.0, -2.0]])
    offsets = torch.tensor([[-1.0, 1], [-1, 2]])[:, None].expand(-1, 2, -1)

    def pick(most=10, min_score=0.0):
        return [found.tolist() for found in pick_candidates(predictions_of(logits, offsets), most, min_score)]

    segments, labels, scores = pick()
    assert labels == [1, 0, 0, 1]
    assert segments == [[-1, 2], [-1, 1], [0, 2], [0, 3]]
    assert scores == pytest.approx([1 / (1 + np.exp(-x)) for x in (2, 0, -1, -2)])
    assert pick(most=1)[1] == [1]
    assert pick(min_score=0.6)[1] == [1]
    assert pick(min_score=0.9) == [[], [], []]


def test_a_start_beyond_its_end_is_turned_around():
    segments, _, _ = pick_candidates(predictions_of(torch.zeros(1, 1), torch.tensor([[[2.0, -1.0]]])), 1, 0.0)
    assert segments.tolist() == [[-1, 2]]


def track_of(rows: list[tuple[float, ...]]) -> FeatureTrack:
    """The features for `Reader` at each step: the logits of two classes, and the half length."""
    return FeatureTrack("v", np.array(rows, np.float32), TimeGrid(start=0.5, step=2.0), duration=10.0)


def test_detections_are_in_seconds_inside_the_video():
    nothing = (-200.0, -200.0, 1.0)
    detections = detect_track(
        Reader(), track_of([(3, -200, 2), nothing, (-200, 2, 1), nothing, (1, -200, 1.5)]), InferConfig()
    )
    # step i is centred on 0.5 + 2 i seconds; outside 0..10 there is no video
    assert detections.segments.tolist() == [[0, 4.5], [2.5, 6.5], [5.5, 10]]
    assert detections.labels.tolist() == [0, 1, 0]
    assert detections.video_id == "v"


def test_votes_and_suppression_are_within_a_class_by_default():
    """Two classes at the same place, and a neighbour of the first: IoU 3.5 / 4.5 s."""
    track = FeatureTrack("v", np.array([(3, 2, 4), (1, -200, 4)], np.float32), TimeGrid(20.0, 0.5), duration=60.0)
    apart = detect_track(Reader(), track, InferConfig(nms="hard"))
    assert apart.labels.tolist() == [0, 1] and apart.segments.tolist() == [[18, 22], [18, 22]]
    together = detect_track(Reader(), track, InferConfig(nms="hard", per_class=False))
    assert together.labels.tolist() == [0]
    voted = detect_track(Reader(), track, InferConfig(nms="hard", vote=0.6))
    best, neighbour = 1 / (1 + np.exp(-3)), 3.5 / 4.5 / (1 + np.exp(-1))
    shift = 0.5 * neighbour / (best + neighbour)
    assert voted.segments.tolist() == [pytest.approx([18 + shift, 22 + shift]), [18, 22]]


@pytest.mark.parametrize("nms", ["soft", "hard", "none"])
def test_nothing_found(nms):
    assert len(detect_track(Reader(), track_of([(-200, -200, 1)] * 5), InferConfig(nms=nms))) == 0


def test_a_long_video_may_have_as_many_per_window():
    track, config = track_of([(3, -200, 0)] * 40), {"nms": "none", "max_detections": 3}
    assert len(detect_track(Reader(), track, InferConfig(window=40, **config))) == 3
    assert len(detect_track(Reader(), track, InferConfig(window=20, **config))) == 6
