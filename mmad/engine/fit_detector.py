"""Training a detector from Python: `fit_detector` writes and prints nothing; `save` and `load` do checkpoints.

The command's own way is `train_detector.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.config import DetectionConfig, to_dict
from mmad.data.feature_dataset import FeatureDataset, blocks_of
from mmad.engine.checkpoint import load_detector
from mmad.engine.devices import choose_device
from mmad.engine.fit_probe import fit_probe
from mmad.engine.postprocess import detect_track
from mmad.engine.train_detector import detector_task, require_same_features
from mmad.engine.trainer import fit_in_memory
from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet
from mmad.metrics.average_precision import evaluate
from mmad.models import check_detection
from mmad.models.detector import Detector
from mmad.records import Annotation, ApReport, Detections, FeatureTrack
from mmad.weight_files import save_checkpoint


@dataclass
class FittedDetector:
    """A detector that `fit_detector` trained, in eval mode.

    history: a row per epoch: the losses, and on the validation videos "score" (mAP 0.1:0.9) and "mAP@0.5", fractions of
    1. The model is that of the epoch with the best score.
    """

    model: Detector
    labels: LabelSet
    config: DetectionConfig
    features: dict
    history: list[dict[str, float]]

    def detect(self, track: FeatureTrack) -> Detections:
        """The detections in one video, best first. track: its features, made as those of training were."""
        if track.source != self.features["source"]:
            problem = f"made by {track.source}, the detector was trained on {self.features['source']}"
            raise InputError(f"features of {track.video_id}", problem, "make them as those of training")
        if len(self.model.probe.blocks) < len(blocks_of(track)) and np.isnan(track.values[:]).any():
            problem = "a folder is missing at some steps, and the detector does not know several folders"
            raise InputError(f"features of {track.video_id}", problem, "train it on these folders again")
        return detect_track(self.model, track, self.config.infer)

    def evaluate(self, dataset: FeatureDataset) -> ApReport:
        """Average precision on annotated videos. Of the videos that chose the epoch it is a little too high."""
        found = [self.detect(track) for track in dataset.tracks]
        return evaluate(dataset.annotations, found, self.labels)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint as `mmad train-det` does."""
        save_checkpoint(path, "detector", to_dict(self.config), self.labels, self.model, features=self.features)

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> "FittedDetector":
        """The detector of a checkpoint of `save` or of `mmad train-det`; its history is not in it."""
        model, labels, config, features = load_detector(path)
        return cls(model.to(choose_device(device)), labels, config, features, [])


def fit_detector(
    train: FeatureDataset, val: FeatureDataset, config: DetectionConfig | None = None, labels: LabelSet = MMA52
) -> FittedDetector:
    """Train a detector on features in memory or in files, as `mmad train-det` does, and choose its best epoch on `val`.

    config: only `seed`, `device`, `detector`, `loss`, `train` and `infer` count; windows of long videos have
    `infer.window` steps, whatever the data sets say. labels: those of the annotations. Nothing is written or printed.

    `InputError` where the features of the two sets do not fit each other, where `val` has no action, or where an
    annotation has a label that is not in `labels`. `mmad.errors.Diverged` where the loss becomes NaN or infinite.
    """
    config = config or DetectionConfig()
    check_detection(config)
    train, val = (
        FeatureDataset(each.annotations, each.tracks, config.infer.window, config.seed) for each in (train, val)
    )
    require_labels([*train.annotations, *val.annotations], labels)
    require_same_features(train, val)
    if not any(len(item.labels) for item in val.annotations):
        raise InputError("validation annotations", "hold no action at all", "choose the epoch on videos with actions")
    task = detector_task(config, labels, train, val)
    train.probe_scores = fit_probe(task.model, train, config.detector, None, config.seed)
    model, history = fit_in_memory(task, config.train, config.seed, choose_device(config.device))
    return FittedDetector(model, labels, config, task.extra["features"], history)


def require_labels(annotations: Sequence[Annotation], labels: LabelSet) -> None:
    """Refuse annotations of another label set."""
    for item in annotations:
        if len(item.labels) and item.labels.max() >= len(labels):
            where, problem = f"annotation of {item.video_id}", f"label {item.labels.max()} is not in {labels.name}"
            raise InputError(where, problem, "give the label set of the annotations: fit_detector(..., labels=...)")
