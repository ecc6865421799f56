"""Applying recognizers to clips: probabilities, the five best actions of listed clips."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from mmad.config import ViewConfig
from mmad.data.clip_dataset import ClipBatch, ClipDataset, ClipLoader, Loading
from mmad.data.skeleton_dataset import SkeletonBatch, SkeletonClip, SkeletonDataset
from mmad.engine import distributed
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
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Probabilities (N, K) of the actions and (N, P) of the body parts, averaged over the views of each clip, and the
    labels of the batches. Those of the parts are None unless the model ranks the parts separately.

    The model is in eval mode. Several processes have a share of the batches each, and all of the results.
    """
    membership = part_membership(how.labels.part_of, len(how.labels.parts)).to(how.device)

    def of_batch(batch: ClipBatch | SkeletonBatch) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        return *_probabilities(model, batch, how, membership), batch.labels.numpy()

    shown = tqdm(batches, desc="evaluating", leave=False, disable=None)
    found = distributed.in_order(lambda: [of_batch(batch) for batch in shown])
    probabilities, of_parts, truth = zip(*found)
    of_parts = None if of_parts[0] is None else np.concatenate(of_parts)
    return np.concatenate(probabilities), of_parts, np.concatenate(truth)


def _probabilities(
    model: nn.Module, batch: ClipBatch | SkeletonBatch, how: ClipInference, membership: torch.Tensor
) -> tuple[np.ndarray, np.ndarray | None]:
    """Of the clips of a batch, as `predict` has them. membership: (K, P)."""
    inputs = batch.to(how.device).inputs(how.preprocess)
    with in_precision(how.precision, how.device):
        output = model(*inputs)
    logits, count = output.logits.float(), len(batch.labels)
    if how.multi_label:
        return _mean_of_views(logits.sigmoid(), count), None
    part_logits = None if output.part_logits is None else output.part_logits.float()
    fused = None if output.separate_body else part_logits
    added = 0 if output.added_logits is None else output.added_logits
    of_views = clip_probabilities(logits + added, membership, fused, output.similarity)
    of_parts = _mean_of_views(part_logits.softmax(dim=1), count) if output.separate_body else None
    return _mean_of_views(of_views, count), of_parts


def _mean_of_views(values: torch.Tensor, clips: int) -> np.ndarray:
    """(clips * views, ...) -> (clips, ...)"""
    return values.unflatten(0, (clips, -1)).mean(dim=1).cpu().numpy()


def best_five(
    names: list[str], scores: np.ndarray, labels: LabelSet, part_scores: np.ndarray | None = None
) -> ClipPredictions:
    """The five most probable actions of each clip, best first, and body parts. scores: (N, K).

    part_scores: (N, P), which rank the body parts; None: the parts are those of the actions.
    """
    actions = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    if part_scores is None:
        return ClipPredictions(names, actions, np.asarray(labels.part_of)[actions])
    return ClipPredictions(names, actions, np.argsort(-part_scores, axis=1, kind="stable")[:, :5])


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

    That is the rule of the authors for their two streams, the sum of the logits. It goes for body parts that one of
    them ranks separately, too. streams: "joint" or "bone" for each model, for published weights, which do
    not say it; empty: what each was trained on.
    """
    if streams and len(streams) != len(models):
        raise InputError(
            "streams", f"{len(streams)} for {len(models)} checkpoints", "give one for each, in their order"
        )
    loading, ready = loading or Loading(), []
    for model, stream in itertools.zip_longest(models, streams):
        config = replace(model.skeleton_config, stream=stream) if stream else model.skeleton_config
        data = SkeletonDataset(clips, SKELETONS[model.backbone_config.skeleton], config)
        ready.append((model, ClipLoader(data, loading), ClipInference(None, model.labels, device)))
    return _recognize(ready, [clip.name for clip in clips], _sum_of_logs)


def _sum_of_logs(probabilities: Sequence[np.ndarray]) -> np.ndarray:
    return sum(np.log(np.maximum(of_model, 1e-30)) for of_model in probabilities)


def _of_parts(
    found: Sequence[tuple[np.ndarray, np.ndarray | None]],
    labels: LabelSet,
    combine: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> np.ndarray | None:
    """Scores (N, P) of the body parts by several recognizers; None where none of them ranks the parts separately.

    found: of each recognizer the probabilities of actions and parts. Where it has none of the parts, they are the sums
    over the actions of each part.
    """
    if all(of_parts is None for _, of_parts in found):
        return None
    membership = part_membership(labels.part_of, len(labels.parts)).numpy()
    return combine([actions @ membership if of_parts is None else of_parts for actions, of_parts in found])


def recognize_clips(
    models: Sequence[Recognizer],
    clips: list[tuple[str, int]],
    folder: str | Path,
    views: ViewConfig,
    device: torch.device,
    loading: Loading | None = None,
) -> ClipPredictions:
    """The five best actions of listed clips (file name, label), by the mean probability of the recognizers.

    Body parts that one of them ranks separately are ranked by their mean probability, too.

    views: how each clip is sampled; `views.frames` of 0 means as many as in training.
    """
    loading, ready = loading or Loading(), []
    for model in models:
        preprocess = Preprocess(**preprocess_of(model.backbone_config))
        config = replace(model.clip_config, **{k: v for k, v in asdict(views).items() if k != "frames" or v})
        loader = ClipLoader(ClipDataset(clips, folder, config, preprocess), loading)
        ready.append((model, loader, ClipInference(preprocess, model.labels, device)))
    return _recognize(ready, [name for name, _ in clips], sum)


def _recognize(
    models: Sequence[tuple[Recognizer, ClipLoader, ClipInference]],
    names: list[str],
    combine: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> ClipPredictions:
    """The five best actions of the named clips by several recognizers, each with its own way of reading them.

    combine: the probabilities of each recognizer -> scores.
    """
    found = []
    for model, loader, how in models:
        found.append(predict(model.to(how.device), loader, how)[:2])
        model.cpu()
    labels = models[0][0].labels
    scores = combine([of_actions for of_actions, _ in found])
    return best_five(names, scores, labels, _of_parts(found, labels, combine))
