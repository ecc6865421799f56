"""Training a recognizer on trimmed clips, and judging it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmad.config import RecognitionConfig
from mmad.data.annotations import read_clip_list, read_label_set
from mmad.data.clip_dataset import ClipBatch, ClipDataset, collate_clips
from mmad.data.clips import Preprocess, normalise
from mmad.data.exchange import ClipPredictions, write_recognition
from mmad.data.features import open_array
from mmad.engine.checkpoint import load_backbone, load_into, read_checkpoint
from mmad.engine.extract import choose_device, in_precision
from mmad.engine.train import Task, fit
from mmad.errors import InputError
from mmad.files import write_json
from mmad.labels import LabelSet
from mmad.metrics.recognition import as_table, recognition_figures
from mmad.models import preprocess_of
from mmad.models.manet import Recognizer
from mmad.ops.losses import recognition_losses


def train_recognizer(config: RecognitionConfig) -> dict[str, float]:
    """Train into `config.output`; leaves prediction.csv and report.json of the best checkpoint on the val list."""
    output, device, root = Path(config.output), choose_device(config.device), Path(config.data.root)
    labels = read_label_set(config.data.labels)
    preprocess = Preprocess(**preprocess_of(config.backbone))
    train_set, val_set = (
        ClipDataset(
            read_clip_list(root / getattr(config.data, part), labels),
            root / config.clips.videos,
            config.clips,
            preprocess,
            training=part == "train",
            seed=config.seed,
        )
        for part in ("train", "val")
    )
    vectors = _label_vectors(config.embedding, len(labels))
    torch.manual_seed(config.seed)
    size = 0 if vectors is None else vectors.shape[1]
    model = Recognizer(load_backbone(config.backbone), len(labels), size, config.dropout)
    print(f"{len(train_set)} clips to train on, {len(val_set)} to judge by, {config.backbone.name} on {device}")
    truth = np.array([label for _, label in val_set.clips])

    def batches(epoch: int) -> DataLoader:
        train_set.epoch = epoch
        order = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
        return _loader(train_set, config, shuffle=True, generator=order)

    def losses(model: nn.Module, batch: ClipBatch) -> dict[str, Tensor]:
        with in_precision(config.precision, device):
            found = model(normalise(batch.pixels, preprocess))
        embedding = None if found.embedding is None else found.embedding.float()
        goal = None if vectors is None else vectors.to(device)
        return recognition_losses(found.logits.float(), embedding, batch.labels, goal, config.embedding_weight)

    def judge(model: nn.Module) -> dict[str, float]:
        found = predict_clips(model, val_set, config, preprocess, labels, device)
        figures = recognition_figures(truth, found.actions, found.parts, labels)
        return {"score": figures["f1_mean"], "action_top1": figures["action_top1"]}

    task = Task("recognizer", model, labels, config, {}, batches, losses, judge)
    best = fit(task, config.train, output, config.seed, device)

    load_into(model, read_checkpoint(output / "best.pt", "recognizer")["model"], output / "best.pt")
    found = predict_clips(model.eval(), val_set, config, preprocess, labels, device)
    figures = recognition_figures(truth, found.actions, found.parts, labels)
    form = "mac2025-rec" if found.actions.shape[1] >= 5 else "mac2024-rec"  # the five best, where there are five
    write_recognition(output / "prediction.csv", found, form)
    write_json(output / "report.json", figures, indent=1)
    print(f"best epoch {best['epoch']}, on {len(val_set)} clips, in percent:\n{as_table(figures)}")
    print(f"all of it in {output}")
    return best


@torch.inference_mode()
def predict_clips(
    model: nn.Module,
    dataset: ClipDataset,
    config: RecognitionConfig,
    preprocess: Preprocess,
    labels: LabelSet,
    device: torch.device,
) -> ClipPredictions:
    """The five best actions of each clip and their body parts; the model is in eval mode."""
    ranked = []
    for batch in tqdm(_loader(dataset, config), desc="judging", leave=False, disable=None):
        with in_precision(config.precision, device):
            logits = model(normalise(batch.pixels.to(device), preprocess)).logits
        ranked.append(logits.float().topk(min(5, len(labels)), dim=1).indices.cpu().numpy())
    actions = np.concatenate(ranked)
    return ClipPredictions([name for name, _ in dataset.clips], actions, np.asarray(labels.part_of)[actions])


def _loader(dataset: ClipDataset, config: RecognitionConfig, **how) -> DataLoader:
    """Workers are started afresh, not forked: decord's readers hang in forked processes."""
    workers = config.train.workers
    context = "spawn" if workers else None
    how |= {"num_workers": workers, "multiprocessing_context": context, "collate_fn": collate_clips}
    return DataLoader(dataset, config.train.batch, **how)


def _label_vectors(path: str, num_classes: int) -> Tensor | None:
    """(K, E) from a .npy file; None without one."""
    if not path:
        return None
    vectors = open_array(Path(path))
    if vectors.ndim != 2 or len(vectors) != num_classes or vectors.shape[1] == 0 or not np.isfinite(vectors).all():
        raise InputError(path, f"label vectors of shape {vectors.shape}", f"expected ({num_classes}, size), all finite")
    return torch.from_numpy(vectors.astype(np.float32))
