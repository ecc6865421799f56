"""Training a detector on features, and judging it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from mmad.config import DataConfig, DetectionConfig
from mmad.data.annotations import (
    Origin,
    read_annotations,
    read_label_set,
    read_predictions,
    select_subset,
    write_predictions,
)
from mmad.data.dataset import Batch, FeatureDataset, batches_of_like_length, collate
from mmad.engine.checkpoint import load_into, read_checkpoint
from mmad.engine.evidence import fit_evidence
from mmad.engine.extract import choose_device
from mmad.engine.infer import detect_track
from mmad.engine.train import Task, data_digests, fit, how_chosen
from mmad.errors import InputError
from mmad.files import write_json
from mmad.labels import LabelSet
from mmad.metrics.average_precision import as_json, as_table, evaluate, evaluate_parts
from mmad.models import build_detector
from mmad.models.detector import Detector
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
    torch.manual_seed(config.seed)
    model = build_detector(config.detector, train_set.channels, labels)
    print(f"{len(train_set)} videos to train on, {len(val_set)} to judge by, features by {train_set.source}")
    data = data_digests(train_set, val_set, labels)  # of the features, before evidence takes their place
    evidence = fit_evidence(model, train_set, config.detector)
    train_set.tracks = [replace(track, values=values) for track, values in zip(train_set.tracks, evidence)]
    lengths = [len(values) for values in evidence]
    solved, learned = model.evidence.weight.numel() / 1e6, sum(p.numel() for p in model.parameters()) / 1e6
    print(f"a detector of {solved:.2f} M parameters found in closed form and {learned:.2f} M to train, on {device}")

    def batches(epoch: int) -> DataLoader:
        train_set.epoch = epoch
        return DataLoader(
            train_set,
            batch_sampler=batches_of_like_length(lengths, config.train.batch, [config.seed, epoch]),
            num_workers=config.train.workers,
            multiprocessing_context="spawn" if config.train.workers else None,
            collate_fn=collate,
        )

    def judge(model: nn.Module) -> dict[str, float]:
        report = evaluate(val_set.annotations, detect_all(model, val_set, config), labels)
        return {"score": report.average(), "mAP@0.5": float(report.mean_ap()[4])}

    features = {
        "source": train_set.source,
        "channels": train_set.channels,
        "settings": train_set.tracks[0].details.get("settings", {}),
        "step": float(np.median([track.grid.step for track in train_set.tracks])),  # s
    }
    losses = partial(detector_losses, config=config)
    task = Task("detector", model, labels, config, {"features": features}, data, batches, losses, judge)
    best = fit(task, config.train, output, config.seed, device)

    content = read_checkpoint(output / "best.pt", "detector")
    load_into(model, content["model"], output / "best.pt")
    detections = detect_all(model.eval(), val_set, config)
    truth = Path(config.data.root) / config.data.val
    origin = Origin(truth, config.data.val_subset, config.data.fps or None)
    write_predictions(output / "predictions.json", detections, labels, origin)
    detections = read_predictions(output / "predictions.json", labels).detections  # as eval/map.py sees them: rounded
    actions = evaluate(val_set.annotations, detections, labels)
    parts = evaluate_parts(val_set.annotations, detections, labels)
    checkpoint = how_chosen(config.train, best["epoch"], f"{len(val_set)} videos")
    write_json(output / "report.json", {"checkpoint": checkpoint, **as_json(actions, parts)}, indent=1)
    print(f"epoch {best['epoch']}, {checkpoint['chosen']}:\n{as_table(actions, parts)}\nall of it in {output}")
    return best


def detect_all(model: nn.Module, dataset: FeatureDataset, config: DetectionConfig) -> list[Detections]:
    """The detections in every video of a data set; the model is in eval mode."""
    return [detect_track(model, track, config.infer) for track in dataset.tracks]


def detector_losses(model: Detector, batch: Batch, config: DetectionConfig) -> dict[str, torch.Tensor]:
    """{name: scalar} of a batch whose features are evidence (B, T, E * R)."""
    inputs, video, label, weights = training_rows(model, batch, config.loss.others)
    curves = model.decode(inputs, batch.mask[video], label)
    row_of = torch.full((len(batch.labels), model.num_classes), -1, device=video.device)
    row_of[video, label] = torch.arange(len(video), device=video.device)
    rows = torch.cat([row_of[index, labels] for index, labels in enumerate(batch.labels)])
    return detection_losses(curves, torch.cat(batch.segments), rows, weights, config.loss)


def training_rows(model: Detector, batch: Batch, others: int) -> tuple[torch.Tensor, ...]:
    """What a training step looks at: inputs (N, T, I), video (N,), label (N,) and for how many each row stands (N,)."""
    evidence = batch.features.unflatten(2, (model.evidence.entities, -1))
    chosen, weights = choose_rows(batch.labels, model.num_classes, others)
    video, label = chosen.nonzero(as_tuple=True)
    return model.describe(evidence, batch.mask)[video, label], video, label, weights[video, label]


def choose_rows(labels: list[torch.Tensor], num_classes: int, others: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which classes of which videos a training step looks at, and for how many each stands: two (B, K).

    All classes that a video holds, each for itself, and `others` more, drawn at random, for all those it does not hold.
    """
    device = labels[0].device
    held = torch.zeros(len(labels), num_classes, dtype=torch.bool, device=device)
    for index, mine in enumerate(labels):
        held[index, mine] = True
    place = torch.rand(held.shape, device=device).masked_fill(held, -1).argsort(dim=1).argsort(dim=1)
    absent = num_classes - held.sum(dim=1, keepdim=True)
    drawn = absent.clamp(max=others)
    chosen = place < num_classes - absent + drawn
    return chosen, torch.where(held, 1.0, absent / drawn.clamp(min=1)) * chosen


def _annotations(data: DataConfig, part: str, labels: LabelSet) -> list[Annotation]:
    path = Path(data.root) / getattr(data, part)
    return select_subset(read_annotations(path, labels, data.fps or None), getattr(data, f"{part}_subset"), path)


def _folder(config: DetectionConfig) -> list[Path]:
    return config.features.paths(config.data.root)
