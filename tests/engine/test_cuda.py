"""On a GPU as on the CPU: features, all trainings, detection in a video, and what may be switched on.

Weights are compared after trainings in float64, as in test_distributed.py, so that only mistakes remain. Features are
compared in the precisions that people use; cuDNN computes "float32" convolutions in TF32, with 10 bits of fraction.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_networks import outspoken
from made_videos import write_video
from test_distributed import PLAIN, found_in, train
from test_mmn_training import config_of as joints_config
from test_mmn_training import data as joints  # noqa: F401
from test_train_detector import config_of as detection_config
from test_train_detector import data as videos  # noqa: F401
from test_train_end_to_end import config_of as end_to_end_config
from test_train_end_to_end import data as filmed  # noqa: F401
from test_train_pose_network import performances  # noqa: F401
from test_train_recognizer import EVERYTHING
from test_train_recognizer import config_of as clips_config
from test_train_recognizer import data as clips  # noqa: F401
from torch.testing import assert_close

from mmad.config import BackboneConfig, DetectionConfig, ExtractConfig, PoseNetworkConfig, PoseTrainConfig, TrainConfig
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.engine.infer import load_pipeline
from mmad.engine.train_detector import train_detector
from mmad.engine.train_end_to_end import train_end_to_end
from mmad.engine.train_pose_network import train_pose_network
from mmad.engine.train_recognizer import train_recognizer
from mmad.labels import MMA52

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")

# Relative error of all features together.
ERRORS = {"float32": 3e-3, "bfloat16": 3e-2, "float16": 5e-3}


@pytest.mark.parametrize("precision", ERRORS)
@pytest.mark.parametrize("name, mode", [("manet_r18", "dense"), ("r2plus1d_18", "clip"), ("manet_r18", "clip")])
def test_features(tmp_path, name, mode, precision):
    paths = [(f"v{frames}", write_video(tmp_path / f"v{frames}.mp4", frames)) for frames in (25, 70, 9)]
    found = {}
    for device in ("cpu", "cuda"):
        config = ExtractConfig(
            BackboneConfig(name, "random", resize=36, crop=32),
            device=device,
            mode=mode,
            stride=2,
            precision="float32" if device == "cpu" else precision,
        )
        extractor = FeatureExtractor(config)
        outspoken(extractor.network)
        found[device] = [item.track.values for item in extractor.extract(paths)]
    assert [len(values) for values in found["cuda"]] == [13, 35, 5]
    assert relative_error(found["cuda"], found["cpu"]) < ERRORS[precision]


def relative_error(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    found, expected = np.concatenate(found), np.concatenate(expected)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_the_detector_of_the_cpu(videos, tmp_path):  # noqa: F811
    def config_of(name: str) -> DetectionConfig:
        config = detection_config(videos, tmp_path / name)
        config.loss.boundary_samples = 10**6  # all: otherwise each device draws for itself
        return config

    same_on_both("detector", config_of, tmp_path)


def test_the_recognizer_of_the_cpu(clips, tmp_path):  # noqa: F811
    settings = [value for value in EVERYTHING if "mixup" not in value]  # which each device draws for itself
    same_on_both("recognizer", lambda name: clips_config(clips, tmp_path / name, *settings, *PLAIN), tmp_path)


def test_the_mmn_of_the_cpu(joints, tmp_path):  # noqa: F811
    same_on_both("recognizer", lambda name: joints_config(joints, tmp_path / name, *PLAIN), tmp_path)


def test_the_pose_network_of_the_cpu(performances, tmp_path):  # noqa: F811
    same_on_both("pose network", lambda name: pose_config(tmp_path / name), tmp_path, performances)


def pose_config(output: Path, **more) -> PoseTrainConfig:
    config = PoseTrainConfig(str(output), batches=3, network=PoseNetworkConfig(8, [1]), tree=1.0, calibration=0.2)
    config.train = TrainConfig(epochs=2, batch=4, lr=1e-3, **more)
    return config


def same_on_both(kind: str, config_of, tmp_path: Path, material=None) -> None:
    found = []
    for device in ("cpu", "cuda"):
        config = config_of(device)
        config.device = device
        train(kind, config, material)
        found.append(found_in(tmp_path / device / ("network" if kind == "pose network" else ".")))
    (expected, rows), (weights, other_rows) = found
    assert_close(weights, expected, rtol=1e-3, atol=1e-4)
    for row, other in zip(rows, other_rows, strict=True):
        assert other == pytest.approx(row, rel=5e-3, abs=5e-4)


SWITCHES = {
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16"},
    "compiled, in parts": {"precision": "bfloat16", "compile": True, "accumulate": 2},
}


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
def test_what_may_be_switched_on(videos, clips, performances, tmp_path, switches):  # noqa: F811
    """Losses stay finite and become smaller; with float16, whose loss is scaled, too."""
    precision = switches["precision"]
    options = [f"train.{name}={value}".lower() for name, value in switches.items() if name != "precision"]
    more = {name: value for name, value in switches.items() if name != "precision"}

    # 64 pixels: maps of 1 x 1 have no memory format, and torch 2.11's compiler fails on them in channels last.
    options += [f"precision={precision}", "train.epochs=4", "backbone.resize=64", "backbone.crop=64"]
    config = clips_config(clips, tmp_path / "clips", *options)
    config.device = "cuda"
    train_recognizer(config)
    check_losses(tmp_path / "clips")

    config = detection_config(videos, tmp_path / "detector", **more)
    config.device = "cuda"
    train_detector(config)
    check_losses(tmp_path / "detector")

    config = pose_config(tmp_path / "pose", **more)
    config.device, config.train.epochs = "cuda", 4
    train_pose_network(config, performances, performances, MMA52)
    check_losses(tmp_path / "pose" / "network")


def check_losses(folder: Path) -> None:
    losses = [row["loss"] for row in found_in(folder)[1]]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


@pytest.mark.parametrize("checkpointing", ["none", "blocks"])
def test_end_to_end_and_detection_in_a_video(filmed, tmp_path, checkpointing):  # noqa: F811
    """What is trained on the GPU detects alike on both."""
    config = end_to_end_config(filmed, tmp_path / "run", checkpointing=checkpointing, precision="bfloat16")
    config.device = "cuda"
    train_end_to_end(config)
    found = [
        load_pipeline(tmp_path / "run" / "best.pt", tmp_path / "run" / "backbone.pt", device=device).detect(
            filmed / "val" / "p5_a.mp4"
        )
        for device in ("cpu", "cuda")
    ]
    on_cpu, on_gpu = (detections.scores for detections in found)
    assert len(on_cpu) == len(on_gpu) == 20
    assert_close(on_gpu, on_cpu, rtol=5e-2, atol=5e-3)
