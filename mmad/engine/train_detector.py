"""Training a detector on features, and evaluating it."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmad.config import DataConfig, DetectionConfig
from mmad.data.batch_share import BatchShare
from mmad.data.feature_dataset import Batch, FeatureBatchSampler, FeatureDataset, collate
from mmad.engine import distributed
from mmad.engine.batch_parts import Division
from mmad.engine.devices import choose_device
from mmad.engine.fit_probe import ProbeScores, fit_probe
from mmad.engine.postprocess import detect_track
from mmad.engine.trainer import Task, data_digests, epochs_done, fit, how_chosen
from mmad.errors import InputError
from mmad.files import atomic_path, write_json
from mmad.formats import read_annotations, read_predictions, select_subset
from mmad.formats.predictions import Origin, write_predictions
from mmad.labels import LabelSet, read_label_set
from mmad.metrics.average_precision import as_json, as_table, evaluate, evaluate_parts
from mmad.models import build_detector, check_detection
from mmad.models.detector import Detector, DetectorOutput
from mmad.ops.assign import Positives, assign
from mmad.ops.losses import classification_loss, detection_losses
from mmad.ops.probe_targets import SCORES
from mmad.records import Annotation, Detections, content_digest
from mmad.weight_files import load_into, read_checkpoint

PROBE_FILE, SCORES_FILE = "probe.pt", "probe_scores.f16"  # kept during training, so that a rerun need not fit again
# A batch is divided by its (video, class) pairs, the last argument; each part needs the scores of all videos.
PAIRS = Division(whole=3, alike=("mask", "part_logits"))


def train_detector(config: DetectionConfig) -> dict[str, float]:
    """Train into `config.output`; leaves predictions.json and report.json of the best checkpoint on the val subset."""
    check_detection(config)
    labels = read_label_set(config.data.labels)
    return train_on(config, labels, *read_data_sets(config, labels))


def train_on(
    config: DetectionConfig, labels: LabelSet, train_set: FeatureDataset, val_set: FeatureDataset
) -> dict[str, float]:
    """`train_detector` on these data sets; of `config.data` only what names the truth of `val_set` counts."""
    output, device = Path(config.output), choose_device(config.device)
    print(f"{len(train_set)} videos to train on, {len(val_set)} to evaluate on, features by {train_set.source}")
    task = detector_task(config, labels, train_set, val_set)
    model = task.model
    if epochs_done(task, output) < config.train.epochs:
        with distributed.first_goes_first("probe"):  # it fits the probe, the others load what it leaves
            if distributed.is_first():
                val_set.read_through()  # the train set is read when the probe is fitted
            train_set.probe_scores = fitted_probe_scores(model, train_set, config, task.data, output)
    if len(train_set.blocks) > 1:
        shares = zip(config.features.folders, model.probe.present.tolist())
        there = ", ".join(f"{name} at {100 * share:.3g} %" for name, share in shares)
        print(f"training steps with features of each folder: {there}")
    closed_form = sum(len(weight.flatten()) for weight, _ in map(model.probe.weight_and_bias, model.probe.views)) / 1e6
    trained = sum(p.numel() for p in model.parameters()) / 1e6
    print(
        f"a detector of {closed_form:.2f} M parameters found in closed form and {trained:.2f} M to train, on {device}"
    )
    best = fit(task, config.train, output, config.seed, device)
    if distributed.is_first():
        for name in (PROBE_FILE, SCORES_FILE):  # large, and not needed after training
            (output / name).unlink(missing_ok=True)
    report_best(model, val_set, labels, config, best["epoch"])
    return best


def read_data_sets(config: DetectionConfig, labels: LabelSet) -> tuple[FeatureDataset, FeatureDataset]:
    """Training and validation set. `InputError` where their features differ in source, or nothing can be evaluated."""
    folders, window = config.features.paths(config.data.root), config.infer.window
    train_set, val_set = (
        FeatureDataset.from_folder(
            annotations_of(config.data, split, labels), folders, config.features, window, config.seed
        )
        for split in ("train", "val")
    )
    require_same_features(train_set, val_set)
    if not any(len(item.labels) for item in val_set.annotations):
        place = Path(config.data.root) / config.data.val
        raise InputError(place, "there is no action in it to find", "check data.val and data.val_subset")
    return train_set, val_set


def require_same_features(train_set: FeatureDataset, val_set: FeatureDataset) -> None:
    """`InputError` where the features of two data sets were made by different weights or settings."""
    if (train_set.blocks, train_set.source) != (val_set.blocks, val_set.source):
        first, other = train_set.annotations[0].video_id, val_set.annotations[0].video_id
        in_training = f"{first} has {train_set.channels} by {train_set.source}"
        problem = f"{val_set.channels} channels by {val_set.source}, {in_training}"
        raise InputError(f"features of {other}", problem, "extract all with the same settings")


def annotations_of(data: DataConfig, split: str, labels: LabelSet) -> list[Annotation]:
    """The annotated videos of a data set. split: "train" or "val"."""
    path = Path(data.root) / getattr(data, split)
    return select_subset(read_annotations(path, labels, data.fps or None), getattr(data, f"{split}_subset"), path)


def detector_task(
    config: DetectionConfig, labels: LabelSet, train_set: FeatureDataset, val_set: FeatureDataset
) -> Task:
    """A detector with random weights, and how it is trained and evaluated; "score" is the mAP over tIoU 0.1 to 0.9."""
    torch.manual_seed(config.seed)
    model = build_detector(config.detector, train_set.channels, labels, train_set.blocks)
    order = FeatureBatchSampler([len(track.values) for track in train_set.tracks], config.train.batch, config.seed)
    loader = DataLoader(
        train_set,
        batch_sampler=BatchShare(order, distributed.share()),
        num_workers=config.train.workers,
        multiprocessing_context="spawn" if config.train.workers else None,
        persistent_workers=config.train.workers > 0,
        collate_fn=collate,
        generator=torch.Generator(),  # used when workers start: with torch's global one, training would differ
    )

    def batches(epoch: int) -> DataLoader:
        order.epoch = epoch
        return loader

    def evaluate_model(model: nn.Module) -> dict[str, float]:
        report = evaluate(val_set.annotations, detect_all(model, val_set, config), labels)
        return {"score": report.average(), "mAP@0.5": float(report.mean_ap()[4])}

    return Task(
        kind="detector",
        model=model,
        labels=labels,
        config=config,
        extra={"features": features_read(train_set)},
        data=data_digests(train_set, val_set, labels),
        batches=batches,
        losses=partial(detector_losses, config=config),
        evaluate=evaluate_model,
        division=PAIRS,
    )


def features_read(train_set: FeatureDataset) -> dict:
    """What a detector's checkpoint says of the features that it reads."""
    return {
        "source": train_set.source,
        "channels": train_set.channels,
        **({"blocks": list(train_set.blocks)} if len(train_set.blocks) > 1 else {}),
        "settings": train_set.tracks[0].details.get("settings", {}),
        "step": float(np.median([track.grid.step for track in train_set.tracks])),  # s
    }


def detect_all(model: nn.Module, dataset: FeatureDataset, config: DetectionConfig) -> list[Detections]:
    """The detections in every video of a data set; the model is in eval mode."""
    return distributed.for_each(lambda track: detect_track(model, track, config.infer), dataset.tracks)


def fitted_probe_scores(
    model: Detector, train_set: FeatureDataset, config: DetectionConfig, data: dict[str, str], output: Path
) -> ProbeScores:
    """Fit the probe and return the scores of the training videos, or load both where an earlier run left them in
    `output` for the same settings and data. data: digests of the training data."""
    digest = content_digest([*data.values(), repr(config.detector), config.seed])
    kept, shape = output / PROBE_FILE, (model.probe.entities, len(SCORES) * len(model.probe.views))
    scores = ProbeScores(output / SCORES_FILE, [len(track.values) for track in train_set.tracks], shape)
    if kept.exists() and scores.is_complete():
        content = read_checkpoint(kept)
        if content.get("made_of") == digest:
            load_into(model, {**model.state_dict(), **content["model"]}, kept)
            return scores
    kept.unlink(missing_ok=True)
    scores = fit_probe(model, train_set, config.detector, scores.path, config.seed)
    trained = dict(model.named_parameters())
    fitted = {name: value for name, value in model.state_dict().items() if name not in trained}
    with atomic_path(kept) as temporary:
        torch.save({"made_of": digest, "model": fitted}, temporary)
    return scores


def report_best(
    model: Detector, val_set: FeatureDataset, labels: LabelSet, config: DetectionConfig, epoch: int
) -> None:
    """Write predictions.json and report.json of best.pt, and print the table. epoch: that of best.pt."""
    output = Path(config.output)
    load_into(model, read_checkpoint(output / "best.pt", "detector")["model"], output / "best.pt")
    detections = detect_all(model.eval(), val_set, config)
    if not distributed.is_first():
        return
    truth = Path(config.data.root) / config.data.val
    origin = Origin(truth, config.data.val_subset, config.data.fps or None)
    write_predictions(output / "predictions.json", detections, labels, origin)
    detections = read_predictions(output / "predictions.json", labels).detections  # rounded, as `mmad map` reads them
    actions = evaluate(val_set.annotations, detections, labels)
    parts = evaluate_parts(val_set.annotations, detections, labels)
    checkpoint = how_chosen(config.train, epoch, f"{len(val_set)} videos")
    write_json(output / "report.json", {"checkpoint": checkpoint, **as_json(actions, parts)}, indent=1)
    print(f"epoch {epoch}, {checkpoint['chosen']}:\n{as_table(actions, parts)}\nall of it in {output}")


# --- losses -----------------------------------------------------------------------------------------------------


def detector_losses(model: Detector, batch: Batch, config: DetectionConfig) -> dict[str, torch.Tensor]:
    """{name: scalar} for a batch with features, or with probe scores instead of them."""
    chosen, weights = choose_pairs(batch.labels, model.count > 0, config.loss.negative_classes)
    video, label = chosen.nonzero(as_tuple=True)
    output = model(batch.features, batch.mask, batch.probe_scores, (video, label))
    predictions = output.predictions
    index_of = torch.full(chosen.shape, -1, device=video.device)  # (B, K) index of each chosen pair
    index_of[video, label] = torch.arange(len(video), device=video.device)
    pair = torch.cat([index_of[index, labels] for index, labels in enumerate(batch.labels)])
    segments = torch.cat(batch.segments)
    positives = assign(segments, pair, predictions.mask, config.loss.centre)
    sampled = sample_positives(positives, config.loss.boundary_samples)
    losses = detection_losses(predictions, segments, weights[video, label], positives, sampled, config.loss)
    if output.part_logits is not None:
        losses |= part_losses(output, model.part_of, batch, weights[video, label], positives, config)
    return losses


def part_losses(
    output: DetectorOutput,
    part_of: Tensor,
    batch: Batch,
    weights: Tensor,
    positives: Positives,
    config: DetectionConfig,
) -> dict[str, Tensor]:
    """{"part", "classify"}: the losses of the two factors of `detector.parts`, divided by the number of actions.

    A part's positives are those of all its actions. The action given its part is learned at these steps alone.
    """
    num_parts = output.part_logits.shape[1]
    pair = torch.cat([index * num_parts + part_of[labels] for index, labels in enumerate(batch.labels)])
    mask = batch.mask.repeat_interleave(num_parts, dim=0)  # (B * P, T)
    segments = torch.cat(batch.segments)
    of_parts = assign(segments, pair, mask, config.loss.centre)
    once = torch.ones(len(mask), device=mask.device)
    there = torch.zeros_like(mask)
    there[of_parts.pair, of_parts.step] = True
    there = there[output.video * num_parts + part_of[output.label]]  # (N, T)
    losses = {
        "part": classification_loss(output.part_logits.flatten(0, 1), mask, of_parts, once, config.loss),
        "classify": classification_loss(output.given_part, there, positives, weights, config.loss),
    }
    return {name: loss / max(len(segments), 1) for name, loss in losses.items()}


def choose_pairs(labels: list[torch.Tensor], seen: torch.Tensor, negatives: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The (video, class) pairs of a training step and their weights: two (B, K).

    labels: of the actions of each video. seen: (K,) True for classes with training actions. Chosen are all classes that
    a video contains, with weight 1, and `negatives` randomly drawn ones that it does not contain, weighted to represent
    all absent classes.
    """
    present = torch.zeros(len(labels), len(seen), dtype=torch.bool, device=seen.device)
    for index, of_video in enumerate(labels):
        present[index, of_video] = True
    absent = seen & ~present
    rank = torch.rand(present.shape, device=seen.device).masked_fill(~absent, 2).argsort(dim=1).argsort(dim=1)
    count = absent.sum(dim=1, keepdim=True)
    drawn = count.clamp(max=negatives)
    chosen = present | (rank < drawn)
    return chosen, torch.where(present, 1.0, count / drawn.clamp(min=1)) * chosen


def sample_positives(positives: Positives, count: int) -> Positives:
    """A random sample of about `count` positives of each action that has more, for the boundary losses."""
    kept = torch.rand(len(positives.action), device=positives.action.device) < count / positives.per_action()
    return Positives(positives.action[kept], positives.pair[kept], positives.step[kept], positives.ignore)
