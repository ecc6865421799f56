"""Training a detector on features, and judging it."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from mmad.config import DataConfig, DetectionConfig
from mmad.data.feature_dataset import Batch, EpochBatches, FeatureDataset, collate
from mmad.engine.checkpoint import load_into, read_checkpoint
from mmad.engine.decode import detect_track
from mmad.engine.devices import choose_device
from mmad.engine.fit_probe import ProbeScores, fit_probe
from mmad.engine.trainer import Task, data_digests, epochs_done, fit, how_chosen
from mmad.errors import InputError
from mmad.files import atomic_path, write_json
from mmad.formats import read_annotations, read_predictions, select_subset
from mmad.formats.predictions import Origin, write_predictions
from mmad.labels import LabelSet, read_label_set
from mmad.metrics.average_precision import as_json, as_table, evaluate, evaluate_parts
from mmad.models import build_detector
from mmad.models.detector import Detector
from mmad.ops.losses import detection_losses
from mmad.ops.probe import ROLES
from mmad.records import Annotation, Detections, content_digest

PROBE_FILE, SCORES_FILE = "probe.pt", "probe_scores.f16"  # what a stopped training need not solve again


def train_detector(config: DetectionConfig) -> dict[str, float]:
    """Train into `config.output`; leaves predictions.json and report.json of the best checkpoint on the val subset."""
    output, device = Path(config.output), choose_device(config.device)
    labels = read_label_set(config.data.labels)
    window = config.infer.window
    train_set, val_set = (
        FeatureDataset.from_folder(
            _annotations(config.data, part, labels), _folder(config), config.features, window, config.seed
        )
        for part in ("train", "val")
    )
    require_same_features(train_set, val_set)
    if not any(len(item.labels) for item in val_set.annotations):
        place = Path(config.data.root) / config.data.val
        raise InputError(place, "there is no action in it to find", "check data.val and data.val_subset")
    print(f"{len(train_set)} videos to train on, {len(val_set)} to judge by, features by {train_set.source}")
    task = detector_task(config, labels, train_set, val_set)
    model = task.model
    if epochs_done(task, output) < config.train.epochs:
        val_set.read_through()  # the train set is when its probe is fitted
        train_set.probe_scores = probe_scores(model, train_set, config, task.data, output)
    solved = sum(len(weight.flatten()) for weight, _ in map(model.probe.map_of, model.probe.views)) / 1e6
    learned = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"a detector of {solved:.2f} M parameters found in closed form and {learned:.2f} M to train, on {device}")
    best = fit(task, config.train, output, config.seed, device)
    for name in (PROBE_FILE, SCORES_FILE):  # only training needs them, and they are large
        (output / name).unlink(missing_ok=True)

    content = read_checkpoint(output / "best.pt", "detector")
    load_into(model, content["model"], output / "best.pt")
    detections = detect_all(model.eval(), val_set, config)
    truth = Path(config.data.root) / config.data.val
    origin = Origin(truth, config.data.val_subset, config.data.fps or None)
    write_predictions(output / "predictions.json", detections, labels, origin)
    detections = read_predictions(output / "predictions.json", labels).detections  # as `mmad map` sees them: rounded
    actions = evaluate(val_set.annotations, detections, labels)
    parts = evaluate_parts(val_set.annotations, detections, labels)
    checkpoint = how_chosen(config.train, best["epoch"], f"{len(val_set)} videos")
    write_json(output / "report.json", {"checkpoint": checkpoint, **as_json(actions, parts)}, indent=1)
    print(f"epoch {best['epoch']}, {checkpoint['chosen']}:\n{as_table(actions, parts)}\nall of it in {output}")
    return best


def require_same_features(train_set: FeatureDataset, val_set: FeatureDataset) -> None:
    """Refuse two data sets whose features were made by different weights or settings."""
    if (train_set.channels, train_set.source) != (val_set.channels, val_set.source):
        first, other = train_set.annotations[0].video_id, val_set.annotations[0].video_id
        theirs = f"{first} has {train_set.channels} by {train_set.source}"
        problem = f"{val_set.channels} channels by {val_set.source}, {theirs}"
        raise InputError(f"features of {other}", problem, "extract all with the same settings")


def detector_task(
    config: DetectionConfig, labels: LabelSet, train_set: FeatureDataset, val_set: FeatureDataset
) -> Task:
    """A detector of random weights, and how it is trained on one data set and evaluated on the other."""
    torch.manual_seed(config.seed)
    model = build_detector(config.detector, train_set.channels, labels)
    order = EpochBatches([len(track.values) for track in train_set.tracks], config.train.batch, config.seed)
    loader = DataLoader(
        train_set,
        batch_sampler=order,
        num_workers=config.train.workers,
        multiprocessing_context="spawn" if config.train.workers else None,
        persistent_workers=config.train.workers > 0,
        collate_fn=collate,
        generator=torch.Generator(),  # it draws when workers start: from torch's own, training would be another
    )

    def batches(epoch: int) -> DataLoader:
        order.epoch = epoch
        return loader

    def judge(model: nn.Module) -> dict[str, float]:
        report = evaluate(val_set.annotations, detect_all(model, val_set, config), labels)
        return {"score": report.average(), "mAP@0.5": float(report.mean_ap()[4])}

    features = {
        "source": train_set.source,
        "channels": train_set.channels,
        "settings": train_set.tracks[0].details.get("settings", {}),
        "step": float(np.median([track.grid.step for track in train_set.tracks])),  # s
    }
    losses, data = partial(detector_losses, config=config), data_digests(train_set, val_set, labels)
    return Task("detector", model, labels, config, {"features": features}, data, batches, losses, judge)


def detect_all(model: nn.Module, dataset: FeatureDataset, config: DetectionConfig) -> list[Detections]:
    """The detections in every video of a data set; the model is in eval mode."""
    return [detect_track(model, track, config.infer) for track in dataset.tracks]


def probe_scores(
    model: Detector, train_set: FeatureDataset, config: DetectionConfig, data: dict[str, str], output: Path
) -> ProbeScores:
    """The training videos' scores, and the probe filled; as an earlier run left them in `output` if that is of the same
    settings and data."""
    made_of = content_digest([*data.values(), repr(config.detector), config.seed])
    kept, shape = output / PROBE_FILE, (model.probe.entities, len(ROLES) * len(model.probe.views))
    found = ProbeScores(output / SCORES_FILE, [len(track.values) for track in train_set.tracks], shape)
    if kept.exists() and found.is_whole():
        content = read_checkpoint(kept)
        if content.get("made_of") == made_of:
            load_into(model, {**model.state_dict(), **content["model"]}, kept)
            return found
    kept.unlink(missing_ok=True)
    found = fit_probe(model, train_set, config.detector, found.path, config.seed)
    trained = dict(model.named_parameters())
    solved = {name: value for name, value in model.state_dict().items() if name not in trained}
    with atomic_path(kept) as temporary:
        torch.save({"made_of": made_of, "model": solved}, temporary)
    return found


def detector_losses(model: Detector, batch: Batch, config: DetectionConfig) -> dict[str, torch.Tensor]:
    """{name: scalar} of a batch with features, or with probe scores in their place."""
    chosen, weights = choose_pairs(batch.labels, model.count > 0, config.loss.others)
    video, label = chosen.nonzero(as_tuple=True)
    output = model(batch.features, batch.mask, batch.probe_scores, (video, label))
    row_of = torch.full(chosen.shape, -1, device=video.device)
    row_of[video, label] = torch.arange(len(video), device=video.device)
    rows = torch.cat([row_of[index, labels] for index, labels in enumerate(batch.labels)])
    return detection_losses(output.curves, torch.cat(batch.segments), rows, weights[video, label], config.loss)


def choose_pairs(labels: list[torch.Tensor], seen: torch.Tensor, others: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which classes of which videos a training step looks at, and for how many each stands: two (B, K).

    seen: (K,) True for classes with training actions. All classes that a video holds are chosen, each for itself, and
    `others` of the seen ones that it does not hold, drawn at random, for all of those.
    """
    held = torch.zeros(len(labels), len(seen), dtype=torch.bool, device=seen.device)
    for index, mine in enumerate(labels):
        held[index, mine] = True
    absent = seen & ~held
    place = torch.rand(held.shape, device=seen.device).masked_fill(~absent, 2).argsort(dim=1).argsort(dim=1)
    count = absent.sum(dim=1, keepdim=True)
    drawn = count.clamp(max=others)
    chosen = held | (place < drawn)
    return chosen, torch.where(held, 1.0, count / drawn.clamp(min=1)) * chosen


def _annotations(data: DataConfig, part: str, labels: LabelSet) -> list[Annotation]:
    path = Path(data.root) / getattr(data, part)
    return select_subset(read_annotations(path, labels, data.fps or None), getattr(data, f"{part}_subset"), path)


def _folder(config: DetectionConfig) -> list[Path]:
    return config.features.paths(config.data.root)
