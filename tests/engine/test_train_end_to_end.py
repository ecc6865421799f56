import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupted import ctrl_c
from made_networks import outspoken, stirred
from made_videos import write_video
from torch import nn
from torch.testing import assert_close

from mmad.config import (
    BackboneConfig,
    DataConfig,
    DetectorConfig,
    EndToEndConfig,
    ExtractConfig,
    InferConfig,
    TrainConfig,
    VideosConfig,
    VitConfig,
    load_config,
    to_dict,
)
from mmad.data.video_dataset import epoch_order
from mmad.engine import train_end_to_end as training
from mmad.engine.checkpoint import load_backbone, load_detector, load_recognizer
from mmad.engine.feature_extractor import FeatureExtractor
from mmad.engine.infer import load_pipeline
from mmad.engine.optim import make_optimizer
from mmad.errors import InputError
from mmad.files import read_json
from mmad.formats import read_predictions
from mmad.labels import MMA52
from mmad.models.adapters import adapter_parameters
from mmad.weight_files import read_checkpoint

REPOSITORY = Path(__file__).parents[2]
LENGTHS = {"p1_a": 70, "p2_a": 90, "p3_a": 60, "p4_a": 80, "p5_a": 75}  # frames; the last is for validation


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Five videos of 48 x 48 pixels and about 3 s, with two actions each; and four trimmed clips."""
    root = tmp_path_factory.mktemp("data")
    rows = {"train": [], "val": []}
    for i, (name, frames) in enumerate(LENGTHS.items()):
        split = "val" if name == "p5_a" else "train"
        (root / split).mkdir(exist_ok=True)
        write_video(root / split / f"{name}.mp4", frames, first=10 * i, size=(48, 48))
        for first, last, label in ((5, 30, i % 3), (25, frames - 5, 10)):
            rows[split].append([len(rows[split]), name, first, last, label, frames, 25])
    for split, lines in rows.items():
        with open(root / f"{split}.csv", "w", newline="") as handle:
            header = ["id", "video_id", "start_frame", "end_frame", "class", "total_frames", "fps"]
            csv.writer(handle).writerows([header, *lines])
    (root / "clips").mkdir()
    for name in ("p1_x", "p2_x", "p5_x", "p6_x"):
        write_video(root / "clips" / f"{name}.mp4", 20)
    (root / "clips.txt").write_text("p1_x.mp4 0\np2_x.mp4 1\np5_x.mp4 2\np6_x.mp4 2\n")
    return root


def config_of(data: Path, output: Path, adapter: str = "dual", **changes) -> EndToEndConfig:
    return EndToEndConfig(
        output=str(output),
        device="cpu",
        data=DataConfig(root=str(data)),
        **{
            "backbone": BackboneConfig("manet_r18", "random", resize=32, crop=32, adapter=adapter),
            "videos": VideosConfig(flip=0),
            "detector": DetectorConfig(width=8, dilations=[1, 2], folds=2, centring=4, random=16),
            "train": TrainConfig(epochs=2, batch=2, warmup_epochs=0.5),
            "detector_train": TrainConfig(epochs=1, batch=2),
            "infer": InferConfig(window=120, max_detections=20),
            **changes,
        },
    )


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --- the command ------------------------------------------------------------------------------------------------


def test_from_videos_to_a_pipeline(data, tmp_path, capsys):
    """What the command leaves detects in videos by itself, and just what predictions.json says."""
    from mmad.cli.commands.train_e2e import main

    settings = [f"data.root={data}", "device=cpu", "backbone.name=manet_r18", "backbone.weights=random"]
    settings += ["backbone.resize=32", "backbone.crop=32", "detector.random=16", "train.epochs=1", "train.batch=2"]
    settings += ["train.workers=0"]
    main(["e2e_manet", *settings, "detector_train.epochs=1", "--out", str(tmp_path / "run")])
    run = tmp_path / "run"
    left = {"backbone.pt", "best.pt", "predictions.json", "report.json", "config.yaml", "metrics.jsonl"}
    assert {path.name for path in run.iterdir()} == left | {"frames", "features", "detector"}
    report = read_json(run / "report.json")
    assert 0 <= report["average"] <= 1 and report["end_to_end"]["adapter"] == "dual"
    parts = report["end_to_end"]["trainable_parameters"]
    assert parts["backbone"] == 0 and parts["adapters"] == sum(
        p.numel() for p in adapter_parameters(load_recognizer(run / "backbone.pt").backbone)
    )
    assert report["end_to_end"]["peak_memory_gb"] > 0.1
    assert report["end_to_end"]["chosen"] == "the last, evaluated once on 1 videos (nothing was chosen)"

    pipeline = load_pipeline(run / "best.pt", run / "backbone.pt", device="cpu")
    found = pipeline.detect(data / "val" / "p5_a.mp4")
    (written,) = read_predictions(run / "predictions.json", MMA52).detections
    assert_close(found.segments[:10], written.segments[:10], atol=1e-3, rtol=0)
    assert found.labels[:10].tolist() == written.labels[:10].tolist()

    capsys.readouterr()
    main(["e2e_manet", *settings, "detector_train.epochs=1", "--out", str(run)])  # it is done already
    assert "going on from" in capsys.readouterr().out


def test_the_recognizer_it_leaves_is_the_linear_head(data, tmp_path):
    run = training.Run(config_of(data, tmp_path / "run"))
    nn.init.normal_(run.model.head.weight)
    run.write_backbone()
    recognizer = load_recognizer(tmp_path / "run" / "backbone.pt")
    clips = torch.randn(1, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        actionness = run.model.step_logits(run.model.backbone.rows(clips))[:, :, : len(MMA52), 0]
        assert_close(recognizer(clips).logits, actionness.mean(dim=1), atol=1e-4, rtol=1e-4)


# --- features ---------------------------------------------------------------------------------------------------

NETWORKS = {
    "frames": BackboneConfig("manet_r18", "random", resize=32, crop=32, adapter="dual"),
    "clips": BackboneConfig("r2plus1d_18", "random", resize=32, crop=32, adapter="dual"),
    "tokens": BackboneConfig(
        "videomae_b",
        "random",
        resize=32,
        crop=32,
        adapter="dual",
        vit=VitConfig(width=24, layers=2, heads=2, mlp=48, frames=8),
    ),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_training_sees_the_features_that_extraction_makes(data, tmp_path, kind):
    """Videos of 60 to 90 frames, 4 to a step: 15 to 23 steps; clips of 8 frames are 1 or 4 steps, the last is filled
    up."""
    if kind == "tokens":
        pytest.importorskip("transformers", reason="needs the extra mmad[vit]")
    run = training.Run(config_of(data, tmp_path / "run", backbone=NETWORKS[kind], frames=0 if kind == "frames" else 8))
    stirred(outspoken(run.model.backbone))
    run.model.train()
    tracks = run.tracks(run.model, "train")
    dataset = training.VideoDataset(
        run.train.annotations,
        run.train.paths,
        run.config.videos,
        run.preprocess,
        run.sampling,
        None,
        run.steps_per_clip,
    )
    samples = [dataset.read(index) for index in range(4)]
    with torch.no_grad():
        features, mask = run.model.features([run.as_clips(sample.pixels) for sample in samples])
    assert mask.sum(dim=1).tolist() == [len(track.values) for track in tracks] == [18, 23, 15, 20]
    scale = features.abs().mean()
    for rows, track in zip(features, tracks):
        wanted = torch.from_numpy(track.values.astype(np.float32))
        assert_close(rows[: len(wanted)] / scale, wanted / scale, atol=5e-3, rtol=1e-2)  # kept in half precision
    assert not torch.allclose(features[0, 0], features[0, 9], atol=1e-3 * float(scale))


@torch.inference_mode()
def test_consecutive_clips_by_hand(data):
    """r2plus1d gives a row per 8 frames: with a stride of 4, each step shows its 4 frames twice."""
    config = ExtractConfig(NETWORKS["clips"], mode="consecutive", stride=4, frames=16, batch=40, device="cpu")
    torch.manual_seed(0)
    extractor = FeatureExtractor(config)
    path = data / "train" / "p1_a.mp4"
    plan = extractor.plan(path, "p1_a")
    assert plan.frames.shape == (18, 8)
    assert plan.frames[:2].tolist() == [[0, 0, 1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6, 7, 7]]
    steps = torch.stack(list(extractor.inputs(plan)))
    clips = extractor.forward().compute.normalised(torch.cat([steps]).unflatten(0, (9, 2)).flatten(1, 2))
    wanted = extractor.network.rows(clips).flatten(0, 1)
    others = [("p2_a", data / "train" / "p2_a.mp4"), ("p3_a", data / "train" / "p3_a.mp4")]
    found = {item.video_id: item.track for item in extractor.extract([*others, ("p1_a", path)])}
    assert_close(torch.from_numpy(found["p1_a"].values), wanted, atol=1e-4, rtol=1e-3)
    assert {name: len(track.values) for name, track in found.items()} == {"p1_a": 18, "p2_a": 23, "p3_a": 15}
    for name, video in others:  # alone as among others
        (alone,) = extractor.extract([(name, video)])
        assert_close(found[name].values, alone.track.values, atol=1e-4, rtol=1e-3)


def test_modes_that_a_backbone_has_not():
    with pytest.raises(InputError, match="mode: manet_r18 sees single frames; use mode=dense"):
        FeatureExtractor(ExtractConfig(NETWORKS["frames"], mode="consecutive", device="cpu"))
    with pytest.raises(InputError, match="frames: 12 is not a multiple of the 8 frames per row of r2plus1d_18"):
        FeatureExtractor(ExtractConfig(NETWORKS["clips"], mode="consecutive", frames=12, device="cpu"))


def test_a_part_of_a_long_video(data, tmp_path):
    """Of 23 steps of 0.16 s parts of 1.6 s have 10, another part in each epoch, with the actions in them."""
    config = config_of(data, tmp_path / "run", videos=VideosConfig(flip=0, longest=1.6))
    run = training.Run(config)
    dataset = training.VideoDataset(
        run.train.annotations, run.train.paths, config.videos, run.preprocess, run.sampling, 0, steps_per_clip=4
    )
    whole = training.VideoDataset(
        run.train.annotations, run.train.paths, replace(config.videos, longest=60), run.preprocess, run.sampling, 0
    ).read(1)
    firsts = set()
    for epoch in range(6):
        part = dataset.read(1, epoch)
        assert len(part.pixels) == 10
        places = [i for i in range(14) if torch.equal(whole.pixels[i : i + 10], part.pixels)]
        assert len(places) == 1 and places[0] % 4 == 0
        firsts |= set(places)
        for segment, label in zip(part.segments, part.labels):
            (original,) = whole.segments[whole.labels == label]
            assert_close(segment, (original - places[0]).clamp(-0.5, 9.5))
    assert len(firsts) > 1


# --- what is trained --------------------------------------------------------------------------------------------


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "frames" / "last.pt")["model"]


@pytest.mark.parametrize("adapter, tuned", [("dual", "adapters"), ("low_rank", "adapters"), ("", "all")])
def test_what_moves(data, tmp_path, adapter, tuned):
    config = config_of(data, tmp_path / "run", adapter, tuned=tuned, train=TrainConfig(epochs=1, batch=2))
    before = {name: value.clone() for name, value in training.Run(config).model.backbone.state_dict().items()}
    training.train_end_to_end(config)
    after = {n.removeprefix("backbone."): v for n, v in state_of(tmp_path / "run").items() if n.startswith("backbone.")}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any("running_" in name for name in moved)  # norms keep their statistics
    if tuned == "all":
        assert "conv1.weight" in moved and "layer4.1.bn2.bias" in moved
    else:
        mark = "adapters." if adapter == "dual" else "parametrizations.weight.0."
        assert moved and all(mark in name for name in moved)
        assert any(name.endswith(("temporal_up.weight", ".expand")) for name in moved)
    report = read_json(tmp_path / "run" / "report.json")["end_to_end"]
    assert (report["trainable_parameters"]["backbone"] > 0) == (tuned == "all")


def test_none_is_extraction_and_a_detector(data, tmp_path):
    """Frozen: no training through the frames; the features are those of the weights."""
    config = config_of(data, tmp_path / "run", "", tuned="none")
    training.train_end_to_end(config)
    assert not (tmp_path / "run" / "frames").exists()
    detection = load_detector(tmp_path / "run" / "best.pt")[2]
    assert detection.detector == config.detector
    backbone, saved = load_backbone(config.backbone), load_recognizer(tmp_path / "run" / "backbone.pt").backbone
    clips = torch.randn(1, 3, 3, 32, 32)
    assert backbone(clips).shape == saved(clips).shape


def gradients(run: training.Run, **changes) -> dict[str, torch.Tensor]:
    """Gradients of a fitted run's losses on two videos, under other settings of the losses."""
    run.config = replace(run.config, **changes)
    dataset = training.VideoDataset(
        run.train.annotations, run.train.paths, run.config.videos, run.preprocess, run.sampling, 0
    )
    run.model.zero_grad()
    torch.manual_seed(0)
    losses = run.losses(run.model.train(), training.VideoBatch([dataset.read(0), dataset.read(1)]))
    sum(losses.values()).backward()
    return {name: value.grad.clone() for name, value in run.model.named_parameters() if value.grad is not None}


def test_gradients_of_both_losses_reach_the_adapters(data, tmp_path):
    """The detector's go through the linear probe, which is not trained itself."""
    run = training.Run(config_of(data, tmp_path / "run"))
    outspoken(run.model.backbone)
    run.fit_probe(run.model, run.model)
    of_steps, of_detector = gradients(run, detector_weight=0.0), gradients(run, step_weight=0.0, detector_weight=1.0)
    up = "backbone.adapters.7.spatial_up.weight"
    assert of_steps[up].any() and of_detector[up].any()
    assert "head.weight" in of_steps and "head.weight" not in of_detector
    assert "detector.predict.weight" in of_detector and not any("probe" in name for name in of_detector)
    both = gradients(run, step_weight=1.0)
    assert_close(both[up], of_steps[up] / 0.25 + of_detector[up], atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("checkpointing", ["none", "videos", "both"])
def test_computing_twice_changes_no_gradient(data, tmp_path, checkpointing):
    found = []
    for how in ("blocks", checkpointing):
        run = training.Run(config_of(data, tmp_path / "run", checkpointing=how))
        stirred(outspoken(run.model.backbone))
        run.fit_probe(run.model, run.model)
        found.append(gradients(run))
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        assert_close(value, found[1][name], atol=1e-5, rtol=1e-3)


def test_a_training_video_is_scored_by_a_probe_that_was_fitted_without_it(data, tmp_path):
    run = training.Run(config_of(data, tmp_path / "run"))
    outspoken(run.model.backbone)
    run.fit_probe(run.model, run.model)
    folds = run.fold_of.tolist()
    assert set(folds) == {0, 1}
    dataset = training.FeatureDataset(run.train.annotations, run.tracks(run.model, "train"))
    wanted = training.fit_probe_maps(run.model.detector, dataset, run.config.detector, 0)[1]
    features, mask = torch.from_numpy(dataset.tracks[2].values[None].astype(np.float32)), torch.ones(1, 15).bool()
    probe = run.model.detector.probe
    maps = {view: wanted[view][folds[2]] for view in wanted}
    assert_close(
        run.model.probe_scores(features, mask, [folds[2]]),
        probe.scores(probe.standardise(features), mask[..., None], maps),
    )
    other = run.model.probe_scores(features, mask, [1 - folds[2]])
    assert not torch.allclose(other, run.model.probe_scores(features, mask, [folds[2]]), atol=0.1)


def test_a_probe_that_is_trained(data, tmp_path):
    """Fitted once, then it learns with the rest; the detector that is left is an ordinary one."""
    config = config_of(data, tmp_path / "run", probe="trained", final="same")
    training.train_end_to_end(config)
    last = state_of(tmp_path / "run")
    detector = load_detector(tmp_path / "run" / "best.pt")[0]
    assert not detector.probe.weight_plain.requires_grad
    run = training.Run(config)
    run.fit_probe(run.model, run.model)
    assert not torch.equal(last["detector.probe.weight_plain"], run.model.detector.probe.weight_plain)
    assert len(read_predictions(tmp_path / "run" / "predictions.json", MMA52).detections[0]) == 20


# --- going on ---------------------------------------------------------------------------------------------------


def test_a_run_that_was_interrupted_ends_with_the_same_weights(data, tmp_path, monkeypatch):
    """Two batches an epoch: it stops in the second epoch, after the first was evaluated."""
    training.train_end_to_end(config_of(data, tmp_path / "whole", train=TrainConfig(epochs=2, batch=2, ema=0.5)))
    config = config_of(data, tmp_path / "broken", train=TrainConfig(epochs=2, batch=2, ema=0.5))
    with ctrl_c(monkeypatch, training, 4):
        training.train_end_to_end(config)
    assert not (tmp_path / "broken" / "backbone.pt").exists()
    training.train_end_to_end(config)
    assert same(state_of(tmp_path / "whole"), state_of(tmp_path / "broken"))
    one, other = (read_json(tmp_path / name / "predictions.json")["results"] for name in ("whole", "broken"))
    assert one == other
    with pytest.raises(InputError, match=r"last\.pt: was trained with another step_weight; choose another output"):
        training.train_end_to_end(replace(config, step_weight=0.5))


# --- clips ------------------------------------------------------------------------------------------------------


def test_trimmed_clips_are_videos_of_one_action(data, tmp_path, capsys):
    """Of four clips one shows the person of the validation video and is left out."""
    videos = VideosConfig(flip=0, clips="clips.txt", clip_folder="clips", clip_share=0.5)
    config = config_of(data, tmp_path / "run", videos=videos, train=TrainConfig(epochs=1, batch=2))
    training.train_end_to_end(config)
    said = capsys.readouterr().out
    assert "1 of 4 clips show people of the validation videos: left out" in said
    assert "4 videos and 3 clips to train on, 1 to evaluate on" in said
    run = training.Run(config)
    clip = run.train.annotations[-1]
    assert (clip.video_id, clip.labels.tolist(), clip.segments.tolist()) == ("clips/p6_x", [2], [[0.0, 0.8]])
    assert {path.stem for path in (tmp_path / "run" / "features").rglob("*.npy")} >= {"p6_x", "p1_x", "p1_a", "p5_a"}
    assert load_detector(tmp_path / "run" / "best.pt")[0].count[:3].tolist() == [3, 2, 2]  # videos and clips


def test_the_order_of_an_epoch():
    order = epoch_order(videos=6, clips=10, share=0.5, seed=0)
    first, second = order(0), order(1)
    assert sorted(index for index in first if index < 6) == list(range(6))
    assert len(first) == 9 and all(index < 16 for index in first)
    assert first == order(0) and first != second
    assert sorted(epoch_order(3, 2, 5.0, 0)(0)) == [0, 1, 2, 3, 4]


# --- small parts ------------------------------------------------------------------------------------------------


def test_the_loss_of_steps_by_hand():
    """Two steps, one of them padding; logits 0: log 2 for each of 2 x 3 outputs, whatever the target."""
    logits, targets = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 3)
    targets[0, 0, 0, 0] = 1.0
    mask = torch.tensor([[True, False]])
    assert_close(training.step_loss(logits, targets, mask, "bce"), torch.tensor(6 * np.log(2.0)).float())
    # Focal: 0.25 * log 2 * (0.25 for the positive, 0.75 for each of five negatives)
    wanted = 0.25 * np.log(2.0) * (0.25 + 5 * 0.75)
    assert_close(training.step_loss(logits, targets, mask, "focal"), torch.tensor(wanted).float())


def test_slow_parameters_have_a_smaller_learning_rate(data, tmp_path):
    run = training.Run(config_of(data, tmp_path / "run", "dual", tuned="all"))
    groups = make_optimizer(run.model, run.config.train).param_groups
    assert [group.get("lr_scale", 1.0) for group in groups] == [1.0, 1.0, 0.1, 0.1]
    own = {id(p) for group in groups[2:] for p in group["params"]}
    assert id(run.model.backbone.conv1.weight) in own and id(run.model.backbone.adapters[0].down.weight) not in own
    assert id(run.model.head.weight) not in own


WRONG = {
    "tuned=none": "tuned 'none' with backbone.adapter 'dual'",
    "backbone.adapter=": "tuned 'adapters' with backbone.adapter ''",
    "checkpointing=all": "checkpointing 'all'; choose one of none, blocks, videos, both",
    "videos.longest=0": "videos.longest 0.0; must lie in",
    "infer.window=8": "infer.window: 8; its middle half",
    "train.accumulate=2": "train.accumulate is not an option of end-to-end training",
    "train.compile=true": "train.compile is not an option of end-to-end training",
    "videos.scales=[]": "videos.scales []; give one",
}


@pytest.mark.parametrize("setting", WRONG)
def test_settings_that_make_no_sense(data, tmp_path, setting):
    with pytest.raises(InputError) as refused:
        config = load_config(EndToEndConfig, "e2e_manet", [setting, f"data.root={data}", f"output={tmp_path / 'run'}"])
        training.train_end_to_end(config)
    assert WRONG[setting] in str(refused.value)


def test_several_processes_are_refused(data, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="torchrun: an end-to-end training runs in one process; start it without"):
        training.train_end_to_end(config_of(data, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_what_weights_and_settings_say_of_adapters_must_agree(data, tmp_path):
    training.Run(config_of(data, tmp_path / "run")).write_backbone()
    weights = str(tmp_path / "run" / "backbone.pt")
    backbone = BackboneConfig("manet_r18", weights, resize=32, crop=32)
    with pytest.raises(InputError, match=r"backbone\.adapter: is empty, but .*backbone\.pt has some"):
        training.Run(config_of(data, tmp_path / "other", backbone=backbone, tuned="all"))
    going_on = config_of(data, tmp_path / "other", backbone=replace(backbone, adapter="dual"))
    assert training.Run(going_on).model.backbone.adapters


def test_configs_of_the_package():
    for path in sorted((REPOSITORY / "configs").glob("e2e_*.yaml")):
        config = load_config(EndToEndConfig, path)
        assert config.tuned == "adapters" and json.dumps(to_dict(config))
