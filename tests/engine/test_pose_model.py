"""From joints to detections: tracks of any length, a model in one small file, nothing for joints that are not seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmad.config import DetectionConfig, DetectorConfig, InferConfig, PoseNetworkConfig, PoseTrainConfig
from mmad.data.feature_files import load_track
from mmad.engine import pose_features
from mmad.engine.infer import PosePipeline, only_visible
from mmad.engine.pose_features import (
    PoseFeatures,
    build_pose_network,
    extract_pose_features,
    seen_runs,
    windows_with_margin,
)
from mmad.engine.pose_model import PoseModel, load_pose_model, save_pose_model
from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.metrics.calibration import Calibration
from mmad.models import build_detector
from mmad.pose.joint_inputs import JOINT_INPUTS, PART_LETTERS, on_grid
from mmad.pose.landmark_files import save_landmarks
from mmad.pose.skeletons import LAYOUTS
from mmad.records import Detections, LandmarkTrack, TimeGrid

AT = {name: i for i, name in enumerate(LAYOUTS["mediapipe75"])}


def untrained() -> PoseModel:
    """Networks of random weights that find something everywhere."""
    torch.manual_seed(0)
    config = PoseTrainConfig(network=PoseNetworkConfig(width=8, dilations=[1, 2]))
    detection = DetectionConfig(detector=DetectorConfig(random=16), infer=InferConfig(max_detections=40))
    network = build_pose_network(config.network, MMA52)
    detector = build_detector(detection.detector, network.channels, MMA52)
    for name, value in detector.probe.named_buffers():
        if name.startswith("weight"):
            value.normal_()
    detector.count.fill_(1)
    detector.length.fill_(10)
    calibration = Calibration(np.full(52, 0.8), np.linspace(-1, 1, 52))
    reliability = {"nodding": ("cannot tell", "the head is too small")}
    return PoseModel(network.eval(), detector.eval(), MMA52, config, detection, calibration, 0.2, reliability)


def track(steps: int = 90, seed: int = 0) -> LandmarkTrack:
    generator = np.random.default_rng(seed)
    places = generator.uniform(0.3, 0.7, (1, 75, 2)) + 0.01 * generator.standard_normal((steps, 75, 2)).cumsum(axis=0)
    points = np.concatenate([places.clip(0.01, 0.99), np.ones((steps, 75, 1))], axis=2)
    return LandmarkTrack("v", points, np.arange(steps) / 15, "mediapipe75", (640, 640))


@pytest.fixture(scope="module")
def model() -> PoseModel:
    return untrained()


def test_a_file_gives_back_what_was_saved(model, tmp_path):
    save_pose_model(tmp_path / "pose.safetensors", model)
    loaded = load_pose_model(tmp_path / "pose.safetensors")
    for before, after in ((model.network, loaded.network), (model.detector, loaded.detector)):
        for name, value in before.state_dict().items():
            there = after.state_dict()[name]
            assert there.dtype == value.dtype
            torch.testing.assert_close(there, value, atol=1e-3, rtol=1e-3)  # 16 bits
    np.testing.assert_allclose(loaded.calibration.offset, model.calibration.offset)
    assert loaded.reliability == model.reliability and loaded.labels == MMA52
    one, other = (PosePipeline(some, "cpu").detect_landmarks(track()) for some in (model, loaded))
    assert len(one) > 10
    assert set(one.labels) & set(other.labels)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_what_holds_no_weights_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"other\.safetensors"):
        load_pose_model(path)
    with pytest.raises(InputError, match="no such file"):
        load_pose_model(tmp_path / "absent.safetensors")


def test_a_long_track_is_what_a_whole_one_is(model, monkeypatch):
    features = PoseFeatures(model.network, torch.device("cpu"))
    points = track(601).points
    whole = features.of_points(points)
    monkeypatch.setattr(pose_features, "WINDOW", 100)
    np.testing.assert_allclose(features.of_points(points), whole, atol=2e-3)
    assert len(whole) == 301


def test_windows_own_every_step_once():
    owned = list(windows_with_margin(250, 100, 30))
    assert [(a, b) for _, a, b in owned] == [(0, 100), (100, 200), (200, 250)]
    assert [first for first, _, _ in owned] == [0, 70, 170]


def test_rows_lie_between_their_two_steps(model):
    points, grid = on_grid(track(90))
    found = PoseFeatures(model.network, torch.device("cpu")).of_person("v", points, grid, 6.0)
    assert len(found.values) == 45 and found.grid.start == pytest.approx(1 / 30)
    assert found.grid.step == pytest.approx(2 / 15) and found.values.shape[1] == model.network.channels


def test_runs_of_rows_in_which_anybody_is_seen():
    """Ten times, 15 a second, make five rows of two; any joint at either of its times is enough."""
    away = track(10)
    away.points[:] = (np.nan, np.nan, 0)
    rows, dense = TimeGrid(1 / 30, 2 / 15), TimeGrid(0, 1 / 45)
    assert seen_runs(away, rows, 5) == []
    away.points[3, 7] = away.points[8, 40] = (0.5, 0.5, 0.9)
    assert seen_runs(away, rows, 5) == [[1, 2], [4, 5]]
    away.points[4, 1] = (0.1, 0.2, 0.3)
    assert seen_runs(away, rows, 5) == [[1, 3], [4, 5]]
    assert seen_runs(away, dense, 30) == [[8, 14], [23, 26]]  # rows 9, 12 and 24 and those that lie nearer to them
    away.points[:, 2] = (0.1, 0.2, 0.3)
    assert seen_runs(away, rows, 5) == [[0, 5]] and seen_runs(away, dense, 30) == [[0, 30]]


def test_stretches_in_which_nobody_is_seen_are_in_the_sidecar(model, tmp_path):
    features = PoseFeatures(model.network, torch.device("cpu"))
    away = track(90)
    away.points[20:60] = (np.nan, np.nan, 0)
    save_landmarks(tmp_path, replace(away, video_id="a"))
    save_landmarks(tmp_path, replace(track(90), video_id="b"))
    assert extract_pose_features(features, sorted(tmp_path.glob("*.npz")), tmp_path / "out") == []
    gone, there = (load_track(tmp_path / "out", name) for name in "ab")
    assert gone.details["seen"] == [[0, 10], [30, 45]] and "seen" not in there.details
    assert np.isfinite(gone.values[:]).all() and gone.values.shape == there.values.shape


def test_actions_whose_joints_are_not_seen_are_left_out():
    seen = track(90)
    seen.points[:60, [AT["left knee"], AT["right knee"]]] = (np.nan, np.nan, 0)
    legs, head = MMA52.index["shaking legs"], MMA52.index["nodding"]
    found = Detections("v", [(0, 4), (0, 4), (4.2, 5.5)], [legs, head, legs], [0.9, 0.8, 0.7])
    kept = only_visible(found, *on_grid(seen), MMA52)
    assert kept.labels.tolist() == [head, legs] and kept.scores.tolist() == [0.8, 0.7]


def test_where_nobody_is_nothing_is_found(model):
    nobody = track(60)
    nobody.points[:] = (np.nan, np.nan, 0)
    assert len(PosePipeline(model, "cpu").detect_landmarks(nobody)) == 0


def test_unreliable_actions_are_not_shown_by_default(model):
    found = Detections("v", [(0, 1), (0, 1), (1, 2)], [9, 8, 8], [0.9, 0.5, 0.1])  # nodding is unreliable
    shown = PosePipeline(model, "cpu").shown(found)
    assert shown.labels.tolist() == [8] and shown.scores.tolist() == [0.5]


def test_features_of_a_folder_of_tracks_are_written_once(model, tmp_path, capsys):
    features, out = PoseFeatures(model.network, torch.device("cpu")), tmp_path / "features"
    for name, seed in (("a", 1), ("b", 2)):
        save_landmarks(tmp_path, replace(track(seed=seed), video_id=name))
    (tmp_path / "c.npz").write_bytes(b"nothing")
    files = sorted(tmp_path.glob("*.npz"))
    (problem,) = extract_pose_features(features, files, out)
    assert "c.npz: is not a file of landmarks" in problem and "2 of 3 tracks have features" in capsys.readouterr().out
    written = load_track(out, "b")
    np.testing.assert_array_equal(written.values[:], features.of_track(track(seed=2)).values)
    assert written.source == features.source and written.grid.step == pytest.approx(2 / 15)
    before = (out / "b.json").stat().st_mtime_ns
    extract_pose_features(features, files[:2], out)
    assert (out / "b.json").stat().st_mtime_ns == before and "2 of 2 tracks are done already" in capsys.readouterr().out
    save_landmarks(tmp_path, replace(track(seed=3), video_id="b"))
    extract_pose_features(features, files[:2], out)
    np.testing.assert_array_equal(load_track(out, "b").values[:], features.of_track(track(seed=3)).values)
    assert "b.npz: is another file than its features were made from" in capsys.readouterr().err


def test_a_body_part_sees_its_own_joints_or_all():
    """The first body part's network: the joint inputs of bodies only, or every one."""
    grouped, joined = (build_pose_network(PoseNetworkConfig(8, [1], groups=groups), MMA52) for groups in (True, False))
    body = [i for i, item in enumerate(JOINT_INPUTS) if PART_LETTERS[0] in item.parts]
    assert grouped.inputs_0.tolist() == body and len(body) < len(JOINT_INPUTS)
    assert joined.inputs_0.tolist() == list(range(len(JOINT_INPUTS)))
    assert joined.parts[0].enter.in_features == 7 * len(JOINT_INPUTS)
