"""Applying recognizers to clips: probabilities, the five best actions of listed clips."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from mmad.config import ViewConfig
from mmad.data.clip_dataset import ClipBatch, ClipDataset, ClipLoader, Loading
from mmad.data.skeleton_dataset import SkeletonBatch, SkeletonClip, SkeletonDataset
from mmad.engine.checkpoint import load_recognizer
from mmad.engine.devices import in_precision
from mmad.errors import InputError
from mmad.formats.submissions import ClipPredictions
from mmad.labels import LabelSet
from mmad.models import MMN, preprocess_of
from mmad.models.manet import Recognizer
from mmad.ops.clip_probabilities import clip_probabilities, part_membership
from mmad.pose.skeleton_clips import SKELETONS
from mmad.video.preprocess import Preprocess


@dataclass
class ClipInference:
    """How a recognizer is run.

    preprocess: of its pictures; None for joints. multi_label: every action has a probability of its own; else they sum
    to 1.
    """

    preprocess: Preprocess | None
    labels: LabelSet
    device: torch.device
    precision: str = "float32"
    multi_label: bool = False


@torch.inference_mode()
def predict(
    model: nn.Module, batches: Iterable[ClipBatch | SkeletonBatch], how: ClipInference
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, K), averaged over the views of each clip, and the labels of the batches.

    The model is in eval mode.
    """
    membership = part_membership(how.labels.part_of, len(how.labels.parts)).to(how.device)
    probabilities, truth = [], []
    for batch in tqdm(batches, desc="evaluating", leave=False, disable=None):
        inputs = batch.to(how.device).inputs(how.preprocess)
        with in_precision(how.precision, how.device):
            output = model(*inputs)
        logits = output.logits.float()
        if how.multi_label:
            of_views = logits.sigmoid()
        else:
            part_logits = None if output.part_logits is None else output.part_logits.float()
            of_views = clip_probabilities(logits, membership, part_logits, output.similarity)
        probabilities.append(of_views.unflatten(0, (len(batch.labels), -1)).mean(dim=1).cpu().numpy())
        truth.append(batch.labels.numpy())
    return np.concatenate(probabilities), np.concatenate(truth)


def best_five(names: list[str], probabilities: np.ndarray, labels: LabelSet) -> ClipPredictions:
    """The five most probable actions of each clip, best first, and their body parts. probabilities: (N, K)."""
    actions = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    return ClipPredictions(names, actions, np.asarray(labels.part_of)[actions])


def load_recognizers(checkpoints: Sequence[str | Path]) -> list[Recognizer]:
    """Recognizers whose probabilities can be averaged: trained on clips of one action each, with the same classes.

    All read pictures, or all read the joints of the same skeleton.
    """
    models = []
    for checkpoint in checkpoints:
        model = load_recognizer(checkpoint)
        if model.clip_config.window:
            problem = "was trained on windows in which several actions hold"
            raise InputError(checkpoint, problem, "give a recognizer of trimmed clips")
        if models and model.labels != models[0].labels:
            raise InputError(checkpoint, "knows other classes than the first checkpoint", "average those of one set")
        if models and _kind(model) != _kind(models[0]):
            remedy = "recognise with those of pictures and those of each skeleton apart"
            raise InputError(checkpoint, f"reads {_kind(model)}, the first checkpoint {_kind(models[0])}", remedy)
        models.append(model)
    return models


def reads_joints(model: Recognizer) -> bool:
    """Whether it is an MMN."""
    return model.backbone_config.name == MMN


def _kind(model: Recognizer) -> str:
    return f"joints of {model.backbone_config.skeleton}" if reads_joints(model) else "pictures"


def recognize_skeletons(
    models: Sequence[Recognizer],
    clips: Sequence[SkeletonClip],
    streams: Sequence[str],
    device: torch.device,
    loading: Loading | None = None,
) -> ClipPredictions:
    """The five best actions of clips of joints, by the mean of the log probabilities of several MMN.

    That is the rule of the authors for their two streams, the sum of the logits. streams: "joint" or "bone" for each
    model, for published weights, which do not say it; empty: what each was trained on.
    """
    if streams and len(streams) != len(models):
        raise InputError(
            "streams", f"{len(streams)} for {len(models)} checkpoints", "give one for each, in their order"
        )
    total = 0
    for model, stream in itertools.zip_longest(models, streams):
        config = replace(model.skeleton_config, stream=stream) if stream else model.skeleton_config
        data = SkeletonDataset(clips, SKELETONS[model.backbone_config.skeleton], config)
        how = ClipInference(None, model.labels, device)
        probabilities, _ = predict(model.to(device), ClipLoader(data, loading or Loading()), how)
        total = total + np.log(np.maximum(probabilities, 1e-30))
        model.cpu()
    return best_five([clip.name for clip in clips], total, models[0].labels)


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
