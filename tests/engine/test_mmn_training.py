"""MMN trained through the real entry point on made joints; two streams recognise together; features along a track."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmad.cli import load_command
from mmad.config import ExtractConfig, RecognitionConfig, SkeletonConfig, load_config
from mmad.data.clip_dataset import ClipLoader, Loading
from mmad.data.skeleton_dataset import SkeletonClip, SkeletonDataset, read_skeleton_clips
from mmad.engine.checkpoint import load_recognizer
from mmad.engine.predict_clips import ClipInference, load_recognizers, predict, recognize_skeletons
from mmad.engine.skeleton_features import SkeletonFeatures
from mmad.engine.train_recognizer import train_recognizer
from mmad.errors import InputError
from mmad.formats.submissions import read_recognition
from mmad.labels import MMA52
from mmad.models.mmn import MMN, load_mmn
from mmad.pose.landmark_files import save_landmarks
from mmad.pose.skeleton_clips import SKELETONS, clip_points
from mmad.pose.skeletons import joints_of
from mmad.records import LandmarkTrack

CPU = torch.device("cpu")
CLASSES = (2, 13)  # a head that turns, an arm that moves


def made_track(name: str, label: int, generator: np.random.Generator, seconds: float = 2.0) -> LandmarkTrack:
    count = round(15 * seconds)
    points = np.ones((count, 75, 3), dtype=np.float32)
    points[..., :2] = generator.uniform(0.2, 0.8, (75, 2)) + 0.003 * generator.standard_normal((count, 75, 2))
    moving = slice(11) if label == CLASSES[0] else [13, 15]
    points[:, moving, 0] += 0.15 * np.sin(np.arange(count) / 2)[:, None]
    return LandmarkTrack(name, points, np.arange(count) / 15, "mediapipe75", (640, 480), duration=seconds)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder, generator = tmp_path_factory.mktemp("joints"), np.random.default_rng(0)
    for subset, count in (("train", 8), ("val", 4)):
        labels = [CLASSES[i % 2] for i in range(count)]
        for i, label in enumerate(labels):
            save_landmarks(folder / "tracks", made_track(f"{subset}{i}", label, generator))
        lines = [f"{subset}{i}.mp4 {label}\n" for i, label in enumerate(labels)]
        (folder / f"{subset}_list_videos.txt").write_text("".join(lines))
    return folder


def config_of(data: Path, output: Path, *more: str) -> RecognitionConfig:
    settings = [f"data.root={data}", "data.train=train_list_videos.txt", "data.val=val_list_videos.txt"]
    settings += ["clips.videos=tracks", f"output={output}", "device=cpu", "backbone.skeleton=imigue"]
    settings += ["train.epochs=2", "train.batch=4", "train.warmup_epochs=0", *more]
    return load_config(RecognitionConfig, "mmn_ma52", settings)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for stream in ("joint", "bone"):
        train_recognizer(config_of(data, folder / stream, f"skeletons.stream={stream}"))
    return {stream: folder / stream / "best.pt" for stream in ("joint", "bone")}


def test_training_leaves_what_manet_does(trained):
    run = trained["joint"].parent
    for name in ("config.yaml", "metrics.jsonl", "last.pt", "best.pt", "report.json", "prediction.csv"):
        assert (run / name).exists(), name
    assert len(read_recognition(run / "prediction.csv").clips) == 4
    recognizer = load_recognizer(trained["bone"])
    assert recognizer.skeleton_config.stream == "bone" and recognizer.backbone_config.skeleton == "imigue"
    assert isinstance(load_mmn(trained["bone"]), MMN)


def test_training_goes_on(data, trained, capsys):
    run = trained["joint"].parent
    train_recognizer(config_of(data, run))
    assert "going on from" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"last\.pt: was trained with another skeletons\.stream"):
        train_recognizer(config_of(data, run, "skeletons.stream=bone"))


def published(path: Path, seed: int) -> Path:
    """Made-up weights in the authors' form, whose classes depend on the clip."""
    torch.manual_seed(seed)
    module = MMN(22, 52)
    for value in module.parameters():
        if value.ndim > 1:
            value.data *= 2
    torch.save({f"module.{name}": value for name, value in module.state_dict().items()}, path)
    return path


def logits_of(path: Path, clips: list[SkeletonClip], stream: str) -> np.ndarray:
    dataset = SkeletonDataset(clips, SKELETONS["imigue"], SkeletonConfig(stream=stream))
    x, index_t, _ = (torch.tensor(np.stack(part)) for part in zip(*(dataset[0, i] for i in range(len(clips)))))
    with torch.inference_mode():
        return load_mmn(path)(x, index_t).numpy()


def test_two_streams_are_summed_as_logits(data, tmp_path):
    """Half the logits of either: `2s` of the authors. Their weights do not say which stream they are for."""
    clips = read_skeleton_clips(data / "val_list_videos.txt", data / "tracks", MMA52, SKELETONS["imigue"])
    paths = [published(tmp_path / f"{seed}.pt", seed) for seed in (1, 2)]
    models = load_recognizers(paths)
    found = recognize_skeletons(models, clips, ["joint", "bone"], CPU)
    joint, bone = logits_of(paths[0], clips, "joint"), logits_of(paths[1], clips, "bone")
    np.testing.assert_array_equal(found.actions, np.argsort(-joint - bone, axis=1)[:, :5])
    assert found.clips == [f"val{i}.mp4" for i in range(4)]
    np.testing.assert_array_equal(found.parts, np.asarray(MMA52.part_of)[found.actions])
    for streams in ([], ["joint"]):
        alone = recognize_skeletons(models[:1], clips, streams, CPU)
        np.testing.assert_array_equal(alone.actions, np.argsort(-joint, axis=1)[:, :5])
    assert not np.array_equal(alone.actions, recognize_skeletons(models[:1], clips, ["bone"], CPU).actions)
    with pytest.raises(InputError, match="streams: 1 for 2 checkpoints"):
        recognize_skeletons(models, clips, ["joint"], CPU)


def test_recognizers_of_joints_do_not_go_with_others(trained, tmp_path):
    torch.save(MMN(44, 52).state_dict(), tmp_path / "44.pt")
    with pytest.raises(InputError, match=r"44\.pt: reads joints of ma52, the first checkpoint joints of imigue"):
        load_recognizers([trained["joint"], tmp_path / "44.pt"])


@pytest.mark.parametrize(
    "setting, problem",
    [
        ("clips.window=2", "clips.window is for pictures"),
        ("loss.mixup=0.2", "loss.mixup is for pictures"),
        ("backbone.skeleton=ntu", "backbone.skeleton: 'ntu'"),
        ("backbone.weights=pretrained", "mmn has no pretrained ones"),
        ("skeletons.stream=motion", "'motion'"),
    ],
)
def test_settings_that_make_no_sense(data, tmp_path, setting, problem):
    with pytest.raises(InputError, match=problem):
        train_recognizer(config_of(data, tmp_path / "run", setting))


# --- features along a track ---------------------------------------------------------------------------------------


def features_of(path: Path, **settings) -> SkeletonFeatures:
    return SkeletonFeatures(load_recognizer(path), ExtractConfig(**settings), CPU)


def test_clip_features_are_those_of_each_window(trained):
    """Rows every 4 frames at 15 a second, from windows of 16 frames, shorter at the ends."""
    track = made_track("v", 2, np.random.default_rng(3), 4.0)
    features = features_of(trained["joint"], mode="clip", fps=15, window=16, stride=4, batch=4)
    found = features.of_track(track)
    assert found.values.shape == (15, 96) and found.source.startswith("mmn/")
    assert found.grid.start == pytest.approx(2 / 15) and found.grid.step == pytest.approx(4 / 15)
    network = load_mmn(trained["joint"])
    for row, frames in ((0, slice(0, 10)), (5, slice(14, 30)), (14, slice(50, 60))):
        part = LandmarkTrack("part", track.points[frames], track.times[frames], "mediapipe75", track.size)
        clip = SkeletonDataset([_as_clip(part)], SKELETONS["imigue"], SkeletonConfig())[0, 0]
        with torch.inference_mode():
            wanted = network.features(torch.tensor(clip[0])[None], torch.tensor(clip[1])[None])[0].numpy()
        np.testing.assert_allclose(found.values[row], wanted, atol=1e-4)


def _as_clip(track: LandmarkTrack):
    return SkeletonClip("v.mp4", 0, clip_points(track.points, joints_of(track.layout), SKELETONS["imigue"]))


def test_dense_features_have_a_row_for_every_eighth_frame(trained):
    """64 frames and half of them again: rows do not depend on frames further than 48 away, nor on the batch."""
    track = made_track("v", 2, np.random.default_rng(3), 10.0)
    features = features_of(trained["joint"], fps=15)
    found = features.of_track(track)
    assert found.values.shape == (19, 96) and found.grid.step == pytest.approx(8 / 15)
    assert found.grid.start == pytest.approx(4 / 15)
    np.testing.assert_allclose(
        features_of(trained["joint"], fps=15, batch=1).of_track(track).values, found.values, atol=1e-4
    )
    track.points[120:] = track.points[:30]
    changed = features.of_track(track).values
    np.testing.assert_allclose(changed[:8], found.values[:8], atol=1e-6)
    assert not np.allclose(changed[15:], found.values[15:], atol=1e-3)


def test_a_track_in_which_nobody_is_seen_has_finite_features(trained):
    track = made_track("v", 2, np.random.default_rng(3), 1.0)
    track.points[:] = (np.nan, np.nan, 0)
    assert np.isfinite(features_of(trained["joint"], fps=15).of_track(track).values).all()


def test_predictions_are_probabilities(data, trained):
    clips = read_skeleton_clips(data / "val_list_videos.txt", data / "tracks", MMA52, SKELETONS["imigue"])
    recognizer = load_recognizer(trained["joint"])
    dataset = SkeletonDataset(clips, SKELETONS["imigue"], recognizer.skeleton_config)
    probabilities, _, truth = predict(recognizer, ClipLoader(dataset, Loading()), ClipInference(None, MMA52, CPU))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert truth.tolist() == [2, 13, 2, 13]


def test_all_of_pcan_on_joints(data, trained, tmp_path):
    """Parts of a separate body head are ranked by the sum of the streams' logs, as actions are; five are distinct."""
    switches = ("loss.part=1", "loss.body=separate", "loss.tree=1", "loss.calibration=0.2", "loss.calibration_scale=1")
    train_recognizer(config_of(data, tmp_path, *switches, "train.epochs=1"))
    assert isinstance(load_mmn(tmp_path / "best.pt"), MMN)
    written = read_recognition(tmp_path / "prediction.csv")
    assert all(len(set(parts)) == 5 for parts in written.parts.tolist())
    clips = read_skeleton_clips(data / "val_list_videos.txt", data / "tracks", MMA52, SKELETONS["imigue"])
    models, of_parts, of_actions = load_recognizers([tmp_path / "best.pt", trained["joint"]]), [], []
    for model in models:
        dataset = SkeletonDataset(clips, SKELETONS["imigue"], model.skeleton_config)
        actions, parts, _ = predict(model, ClipLoader(dataset, Loading()), ClipInference(None, MMA52, CPU))
        if parts is None:
            parts = np.stack([actions[:, np.array(MMA52.part_of) == part].sum(axis=1) for part in range(7)], axis=1)
        of_parts.append(np.log(parts))
        of_actions.append(np.log(actions))
    found = recognize_skeletons(models, clips, [], CPU)
    np.testing.assert_array_equal(found.parts, np.argsort(-sum(of_parts), axis=1)[:, :5])
    np.testing.assert_array_equal(found.actions, np.argsort(-sum(of_actions), axis=1)[:, :5])


# --- commands -----------------------------------------------------------------------------------------------------


def test_commands_on_joints(data, trained, tmp_path, capsys):
    recognize, extract = (load_command(name).main for name in ("recognize", "extract-features"))
    streams = [str(published(tmp_path / f"{seed}.pt", seed)) for seed in (1, 2)]
    arguments = ["--list", str(data / "val_list_videos.txt"), "--out", str(tmp_path / "prediction.csv")]
    tracks = ["--videos", str(data / "tracks")]
    recognize([*streams, *arguments, *tracks, "--streams", "joint,bone", "--device", "cpu"])
    assert "4 clips as mac2025-rec" in capsys.readouterr().out
    assert read_recognition(tmp_path / "prediction.csv").clips == [f"val{i}.mp4" for i in range(4)]
    for more, problem in (
        ([], "--videos: is missing; name the folder of the landmark tracks"),
        ([*tracks, "--streams", "joint,motion"], "--streams: 'motion'; give one of joint, bone"),
        ([*tracks, "crops=3"], "key=value: how pictures are looked at"),
    ):
        with pytest.raises(InputError, match=problem):
            recognize([*streams, *arguments, *more])

    out = tmp_path / "features"
    command = [*tracks, "--out", str(out), "--checkpoint", streams[0], "--device", "cpu"]
    assert not extract([*command, "--stream", "bone", "mode=clip", "stride=8"])
    assert "12 of 12 tracks have features" in capsys.readouterr().out
    values = np.load(out / "val0.npy")
    assert values.shape == (8, 96) and np.isfinite(values).all()
    extract([*command, "--stream", "bone", "mode=clip", "stride=8"])
    assert "12 of 12 tracks are done already" in capsys.readouterr().out
    assert extract(command)  # another stream, another mode: other features, which do not go into one folder
    assert "was made with other weights or settings" in capsys.readouterr().err
