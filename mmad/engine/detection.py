"""Training a detector on features, and judging it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from mmad.config import DataConfig, DetectionConfig
from mmad.data.annotations import read_annotations, read_label_set, select_subset, write_predictions
from mmad.data.dataset import Batch, FeatureDataset, collate, reach_of
from mmad.engine.checkpoint import load_into, read_checkpoint
from mmad.engine.extract import choose_device
from mmad.engine.infer import detect_track
from mmad.engine.train import Task, fit
from mmad.errors import InputError
from mmad.files import write_json
from mmad.labels import LabelSet
from mmad.metrics.average_precision import as_json, as_table, evaluate, evaluate_parts
from mmad.models import build_detector
from mmad.ops.assign import assign
from mmad.ops.losses import detection_losses
from mmad.records import Annotation, Detections


def train_detector(config: DetectionConfig) -> dict[str, float]:
    """Train into `config.output`; leaves predictions.json and report.json of the best checkpoint on the val subset."""
    output, device = Path(config.output), choose_device(config.device)
    labels = read_label_set(config.data.labels)
    window = config.infer.window
    train_set, val_set = (
        FeatureDataset(_annotations(config.data, part, labels), _folder(config), config.features, window, config.seed)
        for part in ("train", "val")
    )
    if (train_set.channels, train_set.source) != (val_set.channels, val_set.source):
        first, other = train_set.annotations[0].video_id, val_set.annotations[0].video_id
        theirs = f"{first} has {train_set.channels} by {train_set.source}"
        problem = f"{val_set.channels} channels by {val_set.source}, {theirs}"
        raise InputError(f"features of {other}", problem, "extract all with the same settings")
    if not any(len(item.labels) for item in val_set.annotations):
        place = Path(config.data.root) / config.data.val
        raise InputError(place, "there is no action in it to find", "check data.val and data.val_subset")
    reach = config.detector.reach or reach_of(train_set, config.detector.levels)
    torch.manual_seed(config.seed)
    model = build_detector(replace(config.detector, reach=reach), train_set.channels, len(labels))
    size = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"{len(train_set)} videos to train on, {len(val_set)} to judge by, features by {train_set.source}")
    print(f"a detector of {size:.2f} M parameters, on {device}")
    coarsest = 2 ** (config.detector.levels - 1)

    def batches(epoch: int) -> DataLoader:
        train_set.epoch = epoch
        return DataLoader(
            train_set,
            config.train.batch,
            shuffle=True,
            generator=torch.Generator().manual_seed(config.seed * 1_000_003 + epoch),
            num_workers=config.train.workers,
            multiprocessing_context="spawn" if config.train.workers else None,
            collate_fn=partial(collate, multiple=coarsest),
        )

    def judge(model: nn.Module) -> dict[str, float]:
        report = evaluate(val_set.annotations, detect_all(model, val_set, config), labels)
        return {"score": report.average(), "mAP@0.5": float(report.mean_ap()[4])}

    features = {
        "source": train_set.source,
        "channels": train_set.channels,
        "reach": reach,
        "settings": train_set.tracks[0].details.get("settings", {}),
    }
    losses = detector_losses(config, len(labels))
    task = Task("detector", model, labels, config, {"features": features}, batches, losses, judge)
    best = fit(task, config.train, output, config.seed, device)

    content = read_checkpoint(output / "best.pt", "detector")
    load_into(model, content["model"], output / "best.pt")
    detections = detect_all(model.eval(), val_set, config)
    truth = Path(config.data.root) / config.data.val
    write_predictions(output / "predictions.json", detections, labels, str(truth.resolve()))
    actions = evaluate(val_set.annotations, detections, labels)
    parts = evaluate_parts(val_set.annotations, detections, labels)
    write_json(output / "report.json", as_json(actions, parts), indent=1)
    print(f"best epoch {best['epoch']}, on {len(val_set)} videos:\n{as_table(actions, parts)}\nall of it in {output}")
    return best


def detect_all(model: nn.Module, dataset: FeatureDataset, config: DetectionConfig) -> list[Detections]:
    """The detections in every video of a data set; the model is in eval mode."""
    return [detect_track(model, track, config.infer) for track in dataset.tracks]


def detector_losses(config: DetectionConfig, num_classes: int):
    """(model, batch) -> {name: scalar}: forward, assignment, losses."""

    def losses(model: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        output = model(batch.features, batch.mask)
        assigned = [
            assign(output.points, mask, segments, labels, num_classes, config.loss.centre)
            for mask, segments, labels in zip(output.mask, batch.segments, batch.labels)
        ]
        positive, target = (torch.stack(items) for items in zip(*assigned))
        return detection_losses(output.logits, output.boundaries, output.mask, positive, target, config.loss)

    return losses


def _annotations(data: DataConfig, part: str, labels: LabelSet) -> list[Annotation]:
    path = Path(data.root) / getattr(data, part)
    return select_subset(read_annotations(path, labels, data.fps), getattr(data, f"{part}_subset"), path)


def _folder(config: DetectionConfig) -> Path:
    return Path(config.data.root) / config.features.folder
