"""Training a recognizer on trimmed clips or on windows of long videos, and evaluating it."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmad.config import RecognitionConfig
from mmad.data.clip_dataset import (
    ClipBatch,
    ClipDataset,
    ClipLoader,
    Loading,
    SubsetFolder,
    WindowDataset,
    training_order,
)
from mmad.data.label_vectors import label_vectors
from mmad.data.mixup import mixup_within_parts
from mmad.data.skeleton_dataset import SkeletonBatch, SkeletonDataset, read_skeleton_clips
from mmad.engine import distributed
from mmad.engine.checkpoint import load_backbone, pcan_branches
from mmad.engine.devices import choose_device, in_precision
from mmad.engine.predict_clips import ClipInference, best_five, predict
from mmad.engine.trainer import Task, data_digests, fit, how_chosen
from mmad.files import write_json
from mmad.formats import read_annotations, select_subset
from mmad.formats.mma52 import read_clip_list
from mmad.formats.submissions import ClipPredictions, write_recognition
from mmad.labels import LabelSet, read_label_set
from mmad.metrics.recognition import as_table, mean_average_precision, recognition_scores
from mmad.models import MMN, preprocess_of
from mmad.models.manet import Recognizer
from mmad.ops.clip_probabilities import part_membership
from mmad.ops.losses import embedding_loss, recognition_losses
from mmad.pose.skeleton_clips import skeleton_named
from mmad.video.preprocess import Preprocess
from mmad.weight_files import load_into, read_checkpoint

PROTOTYPE_SIZE = 128  # channels of the space of class prototypes


def train_recognizer(config: RecognitionConfig) -> dict[str, float]:
    """Train into `config.output`; leaves report.json of the best checkpoint on the val list, and prediction.csv.

    With windows of long videos (`clips.window`) there is no prediction.csv: a window may contain several actions.
    """
    output, device = Path(config.output), choose_device(config.device)
    labels = read_label_set(config.data.labels)
    preprocess = None if config.backbone.name == MMN else Preprocess(**preprocess_of(config.backbone))
    train_set, val_set = (_data_set(config, labels, preprocess, split) for split in ("train", "val"))
    vectors = torch.from_numpy(label_vectors(config.embedding, labels)) if config.embedding else None
    model = _new_recognizer(config, labels, 0 if vectors is None else vectors.shape[1])
    kind = f"windows of {config.clips.window:g} s" if config.clips.window else "clips"
    print(f"{len(train_set)} {kind} to train on, {len(val_set)} to evaluate on, {config.backbone.name} on {device}")

    def order(epoch: int) -> list[int]:
        return training_order(train_set.classes, config.clips.balance, config.seed, epoch)

    loading = Loading(config.train.batch, config.train.workers, distributed.share())
    train_loader, val_loader = ClipLoader(train_set, loading, order), ClipLoader(val_set, loading)
    how = ClipInference(preprocess, labels, device, config.precision, multi_label=bool(config.clips.window))

    def evaluate(model: nn.Module) -> dict[str, float]:
        scores, _ = _evaluate(model, val_loader, how)
        if how.multi_label:
            return {"score": scores["mean_ap"]}
        return {"score": scores["f1_mean"], "action_top1": scores["action_top1"]}

    losses = clip_losses(config, labels, preprocess, vectors, device)
    data = data_digests(train_set, val_set, labels)
    batches, precision = train_loader.at_epoch, config.precision
    task = Task("recognizer", model, labels, config, {}, data, batches, losses, evaluate, precision=precision)
    best = fit(task, config.train, output, config.seed, device)

    load_into(model, read_checkpoint(output / "best.pt", "recognizer")["model"], output / "best.pt")
    scores, predictions = _evaluate(model.eval(), val_loader, how)
    if not distributed.is_first():
        return best
    if predictions is not None:
        form = "mac2025-rec" if predictions.ranks >= 5 else "mac2024-rec"  # one with five best, if there are
        write_recognition(output / "prediction.csv", predictions, form)
    checkpoint = how_chosen(config.train, best["epoch"], f"{len(val_set)} {kind}")
    write_json(output / "report.json", {"checkpoint": checkpoint, **scores}, indent=1)
    print(f"epoch {best['epoch']}, {checkpoint['chosen']}, in percent:\n{as_table(scores)}")
    print(f"all of it in {output}")
    return best


def _data_set(
    config: RecognitionConfig, labels: LabelSet, preprocess: Preprocess | None, split: str
) -> ClipDataset | WindowDataset | SkeletonDataset:
    """split: "train" or "val"."""
    root, seed = Path(config.data.root), config.seed if split == "train" else None
    path, folder = root / getattr(config.data, split), root / config.clips.videos
    if config.backbone.name == MMN:
        skeleton = skeleton_named(config.backbone.skeleton)
        subset = getattr(config.data, f"{split}_subset")
        clips = read_skeleton_clips(path, folder, labels, skeleton, subset)
        return SkeletonDataset(clips, skeleton, config.skeletons, seed)
    if not config.clips.window:
        return ClipDataset(read_clip_list(path, labels), folder, config.clips, preprocess, seed)
    subset = getattr(config.data, f"{split}_subset")
    annotations = select_subset(read_annotations(path, labels, config.data.fps or None), subset, path)
    return WindowDataset(annotations, SubsetFolder(folder, subset), config.clips, preprocess, len(labels), seed)


def _new_recognizer(config: RecognitionConfig, labels: LabelSet, embedding: int) -> Recognizer:
    torch.manual_seed(config.seed)
    return Recognizer(
        load_backbone(config.backbone),
        len(labels),
        embedding=embedding,
        dropout=config.dropout,
        num_parts=len(labels.parts) if config.loss.part else 0,
        prototypes=PROTOTYPE_SIZE if config.loss.prototypes else 0,
        **pcan_branches(config.loss),
    )


def clip_losses(
    config: RecognitionConfig,
    labels: LabelSet,
    preprocess: Preprocess | None,
    vectors: Tensor | None,
    device: torch.device,
) -> Callable[[nn.Module, ClipBatch | SkeletonBatch], dict[str, Tensor]]:
    """The function (model, batch) -> {name: scalar}. vectors: (K, D) label vectors for the embedding loss.

    Prototype calibration counts a clip that mixup blended as one of the action with the larger share.
    """
    membership = part_membership(labels.part_of, len(labels.parts)).to(device)
    vectors = None if vectors is None else vectors.to(device)

    def losses(model: nn.Module, batch: ClipBatch | SkeletonBatch) -> dict[str, Tensor]:
        inputs, targets = batch.inputs(preprocess), batch.labels
        if targets.ndim == 1:
            targets = F.one_hot(targets, len(labels)).float()
            if config.loss.mixup:
                parts = membership.argmax(dim=1)[batch.labels]
                clips, targets = mixup_within_parts(*inputs, targets, parts, config.loss.mixup)
                inputs = (clips,)
        with in_precision(config.precision, device):
            output = model(*inputs)
        part_logits = None if output.part_logits is None else output.part_logits.float()
        logits, similarity = output.logits.float(), output.similarity
        values = recognition_losses(logits, targets, config.loss, membership, part_logits, similarity)
        if output.calibration is not None:
            true, part_of = targets.argmax(dim=1), membership.argmax(dim=1)
            loss = model.head.calibration.loss(output.calibration, logits, part_logits, true, part_of)
            values["calibration"] = config.loss.calibration * loss
        if vectors is not None:
            values["embed"] = config.embedding_weight * embedding_loss(output.embedding.float(), targets, vectors)
        return values

    return losses


def _evaluate(model: nn.Module, loader: ClipLoader, how: ClipInference) -> tuple[dict, ClipPredictions | None]:
    """Scores on a data set, and the predictions where each clip has one action; the model is in eval mode."""
    probabilities, of_parts, truth = predict(model, loader, how)
    if how.multi_label:
        return {"mean_ap": mean_average_precision(truth, probabilities)}, None
    predictions = best_five([name for name, _ in loader.dataset.clips], probabilities, how.labels, of_parts)
    return recognition_scores(truth, predictions.actions, predictions.parts, how.labels), predictions
