"""Applying recognizers to clips: probabilities, the five best actions of listed clips."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from mmad.config import ViewConfig
from mmad.data.clip_dataset import ClipBatch, ClipDataset, ClipLoader, Loading
from mmad.engine.checkpoint import load_recognizer
from mmad.engine.devices import in_precision
from mmad.errors import InputError
from mmad.formats.submissions import ClipPredictions
from mmad.labels import LabelSet
from mmad.models import preprocess_of
from mmad.models.manet import Recognizer
from mmad.ops.clip_probabilities import clip_probabilities, part_membership
from mmad.video.preprocess import Preprocess, normalise


@dataclass
class ClipInference:
    """How a recognizer is run. multi_label: every action has a probability of its own; else they sum to 1."""

    preprocess: Preprocess
    labels: LabelSet
    device: torch.device
    precision: str = "float32"
    multi_label: bool = False


@torch.inference_mode()
def predict(model: nn.Module, batches: Iterable[ClipBatch], how: ClipInference) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, K), averaged over the views of each clip, and the labels of the batches.

    The model is in eval mode.
    """
    membership = part_membership(how.labels.part_of, len(how.labels.parts)).to(how.device)
    probabilities, truth = [], []
    for batch in tqdm(batches, desc="evaluating", leave=False, disable=None):
        pixels = batch.pixels.to(how.device, non_blocking=True)
        with in_precision(how.precision, how.device):
            output = model(normalise(pixels.flatten(0, 1), how.preprocess))
        logits = output.logits.float()
        if how.multi_label:
            of_views = logits.sigmoid()
        else:
            part_logits = None if output.part_logits is None else output.part_logits.float()
            of_views = clip_probabilities(logits, membership, part_logits, output.similarity)
        probabilities.append(of_views.unflatten(0, pixels.shape[:2]).mean(dim=1).cpu().numpy())
        truth.append(batch.labels.numpy())
    return np.concatenate(probabilities), np.concatenate(truth)


def best_five(names: list[str], probabilities: np.ndarray, labels: LabelSet) -> ClipPredictions:
    """The five most probable actions of each clip, best first, and their body parts. probabilities: (N, K)."""
    actions = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    return ClipPredictions(names, actions, np.asarray(labels.part_of)[actions])


def load_recognizers(checkpoints: Sequence[str | Path]) -> list[Recognizer]:
    """Recognizers whose probabilities can be averaged: trained on clips of one action each, with the same classes."""
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


def recognize_clips(
    models: Sequence[Recognizer],
    clips: list[tuple[str, int]],
    folder: str | Path,
    views: ViewConfig,
    device: torch.device,
    loading: Loading | None = None,
) -> ClipPredictions:
    """The five best actions of listed clips (file name, label), by the mean probability of the recognizers.

    views: how each clip is sampled; `views.frames` of 0 means as many as in training.
    """
    total, loading = 0, loading or Loading()
    for model in models:
        preprocess = Preprocess(**preprocess_of(model.backbone_config))
        config = replace(model.clip_config, **{k: v for k, v in asdict(views).items() if k != "frames" or v})
        loader = ClipLoader(ClipDataset(clips, folder, config, preprocess), loading)
        total = total + predict(model.to(device), loader, ClipInference(preprocess, model.labels, device))[0]
        model.cpu()
    return best_five([name for name, _ in clips], total, models[0].labels)
