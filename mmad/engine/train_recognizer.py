"""Training a recognizer on trimmed clips or windows of long videos, judging it, and applying it to lists of clips."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from mmad.config import RecognitionConfig, ViewConfig
from mmad.data.clip_dataset import ClipBatch, ClipDataset, ClipLoader, WindowDataset, training_order
from mmad.data.label_vectors import label_vectors
from mmad.engine.checkpoint import load_backbone, load_into, load_recognizer, read_checkpoint
from mmad.engine.devices import choose_device, in_precision
from mmad.engine.trainer import Task, data_digests, fit, how_chosen
from mmad.errors import InputError
from mmad.files import write_json
from mmad.formats import read_annotations, select_subset
from mmad.formats.mma52 import read_clip_list
from mmad.formats.submissions import ClipPredictions, write_recognition
from mmad.labels import LabelSet, read_label_set
from mmad.metrics.recognition import as_table, mean_average_precision, recognition_figures
from mmad.models import preprocess_of
from mmad.models.manet import Recognizer
from mmad.ops.losses import embedding_loss, recognition_losses
from mmad.ops.recognition import blend_within_parts, clip_probabilities, part_membership
from mmad.video.preprocess import Preprocess, normalise

PROTOTYPE_SIZE = 128


def train_recognizer(config: RecognitionConfig) -> dict[str, float]:
    """Train into `config.output`; leaves report.json of the best checkpoint on the val list, and prediction.csv.

    With windows of long videos (`clips.window`) there is no prediction.csv: several actions may hold in one.
    """
    output, device = Path(config.output), choose_device(config.device)
    labels = read_label_set(config.data.labels)
    preprocess = Preprocess(**preprocess_of(config.backbone))
    train_set, val_set = (_data_set(config, labels, preprocess, part) for part in ("train", "val"))
    vectors = torch.from_numpy(label_vectors(config.embedding, labels)) if config.embedding else None
    model = _new_recognizer(config, labels, 0 if vectors is None else vectors.shape[1])
    kind = f"windows of {config.clips.window:g} s" if config.clips.window else "clips"
    print(f"{len(train_set)} {kind} to train on, {len(val_set)} to judge by, {config.backbone.name} on {device}")

    def order(epoch: int) -> list[int]:
        return training_order(train_set.classes, config.clips.balance, config.seed, epoch)

    batch, workers = config.train.batch, config.train.workers
    train_loader, val_loader = ClipLoader(train_set, batch, workers, order), ClipLoader(val_set, batch, workers)

    def judge(model: nn.Module) -> dict[str, float]:
        figures, _ = _judge(model, val_loader, config, preprocess, labels, device)
        score = "mean_ap" if config.clips.window else "f1_mean"
        return {"score": figures[score]} | ({"action_top1": figures["action_top1"]} if score == "f1_mean" else {})

    losses = clip_losses(config, labels, preprocess, vectors, device)
    data = data_digests(train_set, val_set, labels)
    task = Task("recognizer", model, labels, config, {}, data, train_loader.of_epoch, losses, judge)
    best = fit(task, config.train, output, config.seed, device)

    load_into(model, read_checkpoint(output / "best.pt", "recognizer")["model"], output / "best.pt")
    figures, found = _judge(model.eval(), val_loader, config, preprocess, labels, device)
    if found is not None:
        form = "mac2025-rec" if found.actions.shape[1] >= 5 else "mac2024-rec"  # the five best, where there are five
        write_recognition(output / "prediction.csv", found, form)
    checkpoint = how_chosen(config.train, best["epoch"], f"{len(val_set)} {kind}")
    write_json(output / "report.json", {"checkpoint": checkpoint, **figures}, indent=1)
    print(f"epoch {best['epoch']}, {checkpoint['chosen']}, in percent:\n{as_table(figures)}")
    print(f"all of it in {output}")
    return best


def _data_set(config: RecognitionConfig, labels: LabelSet, preprocess: Preprocess, part: str):
    root, training = Path(config.data.root), part == "train"
    path, folder = root / getattr(config.data, part), root / config.clips.videos
    if not config.clips.window:
        clips = read_clip_list(path, labels)
        return ClipDataset(clips, folder, config.clips, preprocess, training, config.seed)
    subset = getattr(config.data, f"{part}_subset")
    annotations = select_subset(read_annotations(path, labels, config.data.fps or None), subset, path)
    return WindowDataset(annotations, folder, subset, config.clips, preprocess, len(labels), training, config.seed)


def _new_recognizer(config: RecognitionConfig, labels: LabelSet, embedding: int) -> Recognizer:
    torch.manual_seed(config.seed)
    return Recognizer(
        load_backbone(config.backbone),
        len(labels),
        embedding=embedding,
        dropout=config.dropout,
        num_parts=len(labels.parts) if config.loss.part else 0,
        prototypes=PROTOTYPE_SIZE if config.loss.prototypes else 0,
    )


def clip_losses(
    config: RecognitionConfig, labels: LabelSet, preprocess: Preprocess, vectors: Tensor | None, device: torch.device
) -> Callable[[nn.Module, ClipBatch], dict[str, Tensor]]:
    """(model, batch) -> {name: scalar}. vectors: (K, E) that the embedding is to meet."""
    membership = part_membership(labels.part_of, len(labels.parts)).to(device)
    vectors = None if vectors is None else vectors.to(device)

    def losses(model: nn.Module, batch: ClipBatch) -> dict[str, Tensor]:
        clips, targets = normalise(batch.pixels.flatten(0, 1), preprocess), batch.labels
        if targets.ndim == 1:
            targets = F.one_hot(targets, len(labels)).float()
            if config.loss.mixup:
                parts = membership.argmax(dim=1)[batch.labels]
                clips, targets = blend_within_parts(clips, targets, parts, config.loss.mixup)
        with in_precision(config.precision, device):
            found = model(clips)
        part_logits = None if found.part_logits is None else found.part_logits.float()
        values = recognition_losses(found.logits.float(), targets, config.loss, membership, part_logits, found.near)
        if vectors is not None:
            values["embed"] = config.embedding_weight * embedding_loss(found.embedding.float(), targets, vectors)
        return values

    return losses


def _judge(
    model: nn.Module,
    loader: ClipLoader,
    config: RecognitionConfig,
    preprocess: Preprocess,
    labels: LabelSet,
    device: torch.device,
) -> tuple[dict, ClipPredictions | None]:
    """Figures on a data set, and the predictions where each clip has one action; the model is in eval mode."""
    several = bool(config.clips.window)
    chances, truth = predict(model, loader, preprocess, labels, device, config.precision, several)
    if several:
        return {"mean_ap": mean_average_precision(truth, chances)}, None
    found = best_five([name for name, _ in loader.dataset.clips], chances, labels)
    return recognition_figures(truth, found.actions, found.parts, labels), found


@torch.inference_mode()
def predict(
    model: nn.Module,
    loader: ClipLoader,
    preprocess: Preprocess,
    labels: LabelSet,
    device: torch.device,
    precision: str = "float32",
    several: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) probabilities, the mean over a clip's views, and the loader's labels. The model is in eval mode.

    several: each action has a probability of its own.
    """
    membership = part_membership(labels.part_of, len(labels.parts)).to(device)
    chances, truth = [], []
    for batch in tqdm(loader, desc="judging", leave=False, disable=None):
        pixels = batch.pixels.to(device, non_blocking=True)
        with in_precision(precision, device):
            found = model(normalise(pixels.flatten(0, 1), preprocess))
        logits = found.logits.float()
        if several:
            chance = logits.sigmoid()
        else:
            part_logits = None if found.part_logits is None else found.part_logits.float()
            chance = clip_probabilities(logits, membership, part_logits, found.near)
        chances.append(chance.unflatten(0, pixels.shape[:2]).mean(dim=1).cpu().numpy())
        truth.append(batch.labels.numpy())
    return np.concatenate(chances), np.concatenate(truth)


def best_five(names: list[str], chances: np.ndarray, labels: LabelSet) -> ClipPredictions:
    """The five most probable actions of each clip, best first, and their body parts. chances: (N, K)"""
    actions = np.argsort(-chances, axis=1, kind="stable")[:, :5]
    return ClipPredictions(names, actions, np.asarray(labels.part_of)[actions])


def load_recognizers(checkpoints: Sequence[str | Path]) -> list[Recognizer]:
    """Recognizers whose probabilities can be averaged: of one set of classes, of which one holds in a clip."""
    models = []
    for checkpoint in checkpoints:
        model = load_recognizer(checkpoint)
        if model.clip_config.window:
            problem = "was trained on windows in which several actions hold"
            raise InputError(checkpoint, problem, "give a recognizer of trimmed clips")
        if models and model.labels != models[0].labels:
            raise InputError(checkpoint, "knows other classes than the first checkpoint", "average those of one set")
        models.append(model)
    return models


def recognise_list(
    models: Sequence[Recognizer],
    clips: list[tuple[str, int]],
    folder: str | Path,
    views: ViewConfig,
    device: torch.device,
    batch: int = 8,
    workers: int = 0,
) -> ClipPredictions:
    """What is done in listed clips, by one recognizer or by the mean probability of several."""
    total = 0
    for model in models:
        preprocess = Preprocess(**preprocess_of(model.backbone_config))
        config = replace(model.clip_config, **{k: v for k, v in asdict(views).items() if k != "frames" or v})
        loader = ClipLoader(ClipDataset(clips, folder, config, preprocess), batch, workers)
        total = total + predict(model.to(device), loader, preprocess, model.labels, device)[0]
        model.cpu()
    return best_five([name for name, _ in clips], total, models[0].labels)
