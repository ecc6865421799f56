"""Training a backbone's adapters and the detector through the frames of whole videos, and evaluating the detector.

First the training through the frames (folder `frames` of the run): per-step losses of a linear head, and the detector's
own losses, whose gradient goes through the linear probe into the backbone. The probe is fitted in closed form to the
features as they are before each evaluation. Then the features of the best epoch are extracted as `mmad
extract-features` does (`features`), and a detector is trained on them as `mmad train-det` does (`detector`).
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from mmad.config import (
    ClipConfig,
    DetectionConfig,
    EndToEndConfig,
    ExtractConfig,
    FeaturesConfig,
    RecognitionConfig,
    RecognitionLossConfig,
    save_config,
    to_dict,
)
from mmad.data.clip_dataset import ClipLoader, Loading
from mmad.data.feature_dataset import Batch, FeatureDataset
from mmad.data.video_dataset import VideoBatch, VideoDataset, clips_as_videos, epoch_order
from mmad.engine import distributed
from mmad.engine.checkpoint import load_backbone
from mmad.engine.devices import choose_device, in_precision
from mmad.engine.feature_batches import fill_up
from mmad.engine.feature_extractor import FeatureExtractor, extract_features, frame_sampling
from mmad.engine.fit_probe import fit_probe_maps
from mmad.engine.folds import choose_folds
from mmad.engine.postprocess import detect_track
from mmad.engine.train_detector import annotations_of, detector_losses, features_read, report_best, train_on
from mmad.engine.trainer import Task, data_digests, fit, how_chosen
from mmad.errors import InputError
from mmad.files import read_json, write_json, write_text
from mmad.formats.mma52 import read_clip_list
from mmad.labels import LabelSet, read_label_set
from mmad.metrics.average_precision import evaluate
from mmad.models import backbone_named, build_backbone, build_detector, check_detection, preprocess_of
from mmad.models.adapters import adapter_parameters
from mmad.models.end_to_end import EndToEnd
from mmad.models.manet import Recognizer
from mmad.models.vit_backbones import with_sizes_of_folder
from mmad.ops.losses import focal_loss
from mmad.ops.probe_targets import SCORES, add_body_parts, probe_targets
from mmad.records import Annotation, FeatureTrack
from mmad.video.finding import VideoFolder
from mmad.video.preprocess import Preprocess, normalise
from mmad.weight_files import load_into, read_checkpoint, save_checkpoint

KIND = "end-to-end network"  # of the checkpoints in `frames`
try:
    import resource
except ImportError:  # Windows
    resource = None

LEFT = ("best.pt", "predictions.json", "report.json")  # of the detector, copied into the run's folder


def train_end_to_end(config: EndToEndConfig) -> dict[str, float]:
    """Train into `config.output`. Leaves backbone.pt, a recognizer; best.pt, a detector that reads its features; and of
    that detector predictions.json and report.json. Returns `mmad train-det`'s best row."""
    if distributed.count_started() > 1:
        raise InputError("torchrun", "an end-to-end training runs in one process", "start it without torchrun")
    run = Run(config)
    output = run.output
    report = run.train_through_frames() if config.tuned != "none" else run.describe()
    run.write_backbone()
    train_set, val_set = (run.extracted(split) for split in ("train", "val"))
    detection = run.detection_config()
    if config.final == "same":
        best = run.report_same(detection, train_set, val_set)
    else:
        best = train_on(detection, run.labels, train_set, val_set)
    for name in LEFT:
        shutil.copyfile(Path(detection.output) / name, output / name)
    write_json(output / "report.json", {**read_json(output / "report.json"), "end_to_end": report}, indent=1)
    save_config(run.config, output / "config.yaml")
    print(f"backbone.pt and best.pt, for `mmad detect --recognizer` and `--detector`, in {output}")
    return best


@dataclass
class Videos:
    """Annotated videos of one split and their files. truth: how many of them are videos, the rest are clips."""

    annotations: list[Annotation]
    paths: dict[str, Path]
    truth: int


class Run:
    """One end-to-end training: its data, its network, and what is done with them in turn."""

    def __init__(self, config: EndToEndConfig):
        config = replace(config, backbone=with_sizes_of_folder(config.backbone))
        self.config, self.output, self.device = config, Path(config.output), choose_device(config.device)
        check_detection(self.detection_config())
        self.labels = read_label_set(config.data.labels)
        self.preprocess = Preprocess(**preprocess_of(config.backbone))
        self.sampling = frame_sampling(self.extract_config())
        self.steps_per_clip = self._steps_per_clip()
        self.train, self.val = find_videos(config, self.labels, "train"), find_videos(config, self.labels, "val")
        self._add_clips()
        if not any(len(item.labels) for item in self.val.annotations):
            place = Path(config.data.root) / config.data.val
            raise InputError(place, "there is no action in it to find", "check data.val and data.val_subset")
        self.output.mkdir(parents=True, exist_ok=True)
        self.model = self._build()

    # --- settings -----------------------------------------------------------------------------------------------

    def extract_config(self) -> ExtractConfig:
        """How features are extracted, in training and after it."""
        config = self.config
        mode = "dense" if backbone_named(config.backbone).streams else "consecutive"
        return ExtractConfig(
            backbone=config.backbone,
            mode=mode,
            stride=config.stride,
            frames=config.frames,
            fps=config.fps,
            precision=config.precision,
            workers=config.train.workers,
            device=config.device,
        )

    def detection_config(self) -> DetectionConfig:
        """That of the detector which is trained on the final features."""
        config = self.config
        return DetectionConfig(
            output=str(self.output / "detector"),
            seed=config.seed,
            device=config.device,
            data=config.data,
            features=FeaturesConfig(folder=str((self.output / "features").absolute())),
            detector=config.detector,
            loss=config.loss,
            train=config.detector_train,
            infer=config.infer,
        )

    def _steps_per_clip(self) -> int:
        """Steps of one clip of a network of clips; 1 for networks of single frames, which see the whole video."""
        kind = backbone_named(self.config.backbone)
        return 1 if kind.streams else (self.config.frames or kind.frames) // kind.tubelet

    # --- data and network ---------------------------------------------------------------------------------------

    def _add_clips(self) -> None:
        """Add trimmed clips to the training videos, but those of people who are in the validation videos."""
        config = self.config
        if not config.videos.clips:
            return
        root = Path(config.data.root)
        listed = read_clip_list(root / config.videos.clips, self.labels)
        held_out = {person_in(item.video_id) for item in self.val.annotations}
        usable = [(name, label) for name, label in listed if person_in(name) not in held_out]
        if len(usable) < len(listed):
            print(f"{len(listed) - len(usable)} of {len(listed)} clips show people of the validation videos: left out")
        annotations, paths = clips_as_videos(usable, root / config.videos.clip_folder)
        self.train.annotations += annotations
        self.train.paths |= paths

    def _build(self) -> EndToEnd:
        config = self.config
        torch.manual_seed(config.seed)
        backbone = load_backbone(config.backbone)
        if not config.backbone.adapter and any(True for _ in adapter_parameters(backbone)):
            raise InputError("backbone.adapter", f"is empty, but {config.backbone.weights} has some", "set their kind")
        if backbone_named(config.backbone).streams and self.device.type in ("cpu", "cuda"):
            backbone.to(memory_format=torch.channels_last)  # as extraction has it
        detector = build_detector(config.detector, backbone.channels, self.labels)
        self.fold_of = choose_folds(self.train, len(self.labels), config.detector, config.seed)
        return EndToEnd(backbone, detector, config, int(self.fold_of.max()) + 1)

    # --- the training through the frames ------------------------------------------------------------------------

    def train_through_frames(self) -> dict:
        """Train in the folder `frames`, load the best epoch into the model, and describe the training."""
        config, model = self.config, self.model
        data = VideoDataset(
            self.train.annotations,
            self.train.paths,
            config.videos,
            self.preprocess,
            self.sampling,
            config.seed,
            self.steps_per_clip,
        )
        clips = len(self.train.annotations) - self.train.truth
        order = epoch_order(self.train.truth, clips, config.videos.clip_share, config.seed)
        loader = ClipLoader(data, Loading(config.train.batch, config.train.workers), order)
        loader.batch_sampler.batches.count = len(order(0))
        print(f"{self.train.truth} videos and {clips} clips to train on, {len(self.val.annotations)} to evaluate on")
        print(f"{trained_part(model)}, {config.backbone.name} on {self.device}")

        def at_epoch(epoch: int) -> ClipLoader:
            if not model.fitted:
                self.fit_probe(model, model)
            return loader.at_epoch(epoch)

        def evaluate_model(evaluated: EndToEnd) -> dict[str, float]:
            began = time.perf_counter()
            if config.probe == "refit":
                self.fit_probe(evaluated, model)
            found = [detect_track(evaluated.detector, track, config.infer) for track in self.tracks(evaluated, "val")]
            report = evaluate(self.val.annotations, found, self.labels)
            seconds = round(time.perf_counter() - began, 2)
            return {"score": report.average(), "mAP@0.5": float(report.mean_ap()[4]), "seconds_evaluated": seconds}

        digests = data_digests(data, self._val_data(), self.labels)
        losses = self.losses
        task = Task(KIND, model, self.labels, config, {}, digests, at_epoch, losses, evaluate_model)
        frames = self.output / "frames"
        best = fit(task, config.train, frames, config.seed, self.device)
        write_text(self.output / "metrics.jsonl", (frames / "metrics.jsonl").read_text())
        load_into(model, read_checkpoint(frames / "best.pt", KIND)["model"], frames / "best.pt")
        return self.describe(best)

    def _val_data(self) -> VideoDataset:
        val = self.val
        return VideoDataset(val.annotations, val.paths, self.config.videos, self.preprocess, self.sampling)

    def losses(self, model: EndToEnd, batch: VideoBatch) -> dict[str, Tensor]:
        """{name: scalar}: "steps" of the linear head, and the detector's own."""
        config = self.config
        with in_precision(config.precision, self.device):
            features, mask = model.features([self.as_clips(item.pixels) for item in batch.samples])
        segments, labels = [item.segments for item in batch.samples], [item.labels for item in batch.samples]
        values = {}
        if config.step_weight:
            targets = self.targets(segments, labels, mask)
            values["steps"] = config.step_weight * step_loss(
                model.step_logits(features), targets, mask, config.step_loss
            )
        if config.detector_weight:
            folds = [int(self.fold_of[item.index]) for item in batch.samples]
            names = [item.video_id for item in batch.samples]
            scores = model.probe_scores(features, mask, folds)
            scored = Batch(None, mask, segments, labels, names, [], scores)
            found = detector_losses(model.detector, scored, config)
            values |= {name: config.detector_weight * value for name, value in found.items()}
        return values

    def as_clips(self, pixels: Tensor) -> tuple[Tensor, int]:
        """Steps of a video, uint8, as the clips that the backbone takes, normalised, and how many steps there are."""
        whole = self.steps_per_clip == 1 and pixels.ndim == 4
        clips = pixels[None] if whole else fill_up(pixels, self.steps_per_clip)
        return normalise(clips, self.preprocess), len(pixels)

    def targets(self, segments: Sequence[Tensor], labels: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Targets (B, T, E, SCORES) of the linear head, those of the linear probe."""
        part_of = torch.tensor(self.labels.part_of)
        found = [
            add_body_parts(
                probe_targets(mask.shape[1], of_video.cpu(), its_labels.cpu(), len(self.labels)),
                part_of,
                len(self.labels.parts),
            )
            for of_video, its_labels in zip(segments, labels)
        ]
        return torch.stack(found).to(mask.device)

    # --- features as they are now -------------------------------------------------------------------------------

    def tracks(self, model: EndToEnd, split: str) -> list[FeatureTrack]:
        """Features of all videos of a split by the backbone as it is, in memory and in half precision."""
        videos = self.train if split == "train" else self.val
        extractor = FeatureExtractor(self.extract_config(), network=model.backbone)
        items = [(item.video_id, videos.paths[item.video_id]) for item in videos.annotations]
        tracks = []
        for item in tqdm(extractor.extract(items), f"features of {split}", len(items), leave=False, disable=None):
            if item.track is None:
                raise item.problem
            tracks.append(replace(item.track, values=item.track.values.astype(np.float16), source="", details={}))
        return tracks

    def fit_probe(self, by: EndToEnd, into: EndToEnd) -> None:
        """Fit the probe to the features of the training videos by one model, for this one and another."""
        dataset = FeatureDataset(self.train.annotations, self.tracks(by, "train"))
        fresh = build_detector(self.config.detector, dataset.channels, self.labels)
        _, maps = fit_probe_maps(fresh, dataset, self.config.detector, self.config.seed)
        for model in {id(model): model for model in (by, into)}.values():
            model.take_fit(fresh, maps)

    # --- what is left -------------------------------------------------------------------------------------------

    def write_backbone(self) -> None:
        """backbone.pt: a recognizer of several actions at once, whose classifier is the linear head's actionness."""
        config, path, kind = self.config, self.output / "backbone.pt", backbone_named(self.config.backbone)
        backbone = build_backbone(config.backbone)
        load_into(backbone, self.model.backbone.state_dict(), path)
        recognizer = Recognizer(backbone, len(self.labels), embedding=0)
        weight, bias = self.model.head.weight.detach().cpu(), self.model.head.bias.detach().cpu()
        chosen = torch.arange(len(self.labels)) * len(SCORES) + SCORES.index("actionness")
        recognizer.head.fc_cls.weight.data.copy_(weight[chosen])
        recognizer.head.fc_cls.bias.data.copy_(bias[chosen])
        described = RecognitionConfig(
            seed=config.seed,
            precision=config.precision,
            data=config.data,
            clips=ClipConfig(window=2.0, videos=config.videos.folder, frames=config.frames or kind.frames),
            backbone=config.backbone,
            loss=RecognitionLossConfig(kind="sigmoid"),
        )
        save_checkpoint(path, "recognizer", to_dict(described), self.labels, recognizer)

    def extracted(self, split: str) -> FeatureDataset:
        """The final features of a split, in the folder `features`."""
        videos = self.train if split == "train" else self.val
        extractor = FeatureExtractor(self.extract_config(), str(self.output / "backbone.pt"))
        items = [(item.video_id, videos.paths[item.video_id]) for item in videos.annotations]
        ready, problems = extract_features(extractor, items, self.output / "features")
        if len(ready) < len(items):
            raise InputError(self.output / "features", f"{len(items) - len(ready)} videos have none: {problems[0]}")
        detection = self.detection_config()
        folder, window = self.output / "features", self.config.infer.window
        return FeatureDataset.from_folder(videos.annotations, folder, detection.features, window, self.config.seed)

    def report_same(
        self, detection: DetectionConfig, train_set: FeatureDataset, val_set: FeatureDataset
    ) -> dict[str, float]:
        """best.pt is the detector that was trained through the frames; evaluate it on the final features."""
        content = read_checkpoint(self.output / "frames" / "best.pt", KIND)
        folder = Path(detection.output)
        folder.mkdir(parents=True, exist_ok=True)
        extra = {"epoch": content["epoch"], "features": features_read(train_set)}
        detector = self.model.detector.cpu()
        save_checkpoint(folder / "best.pt", "detector", to_dict(detection), self.labels, detector, **extra)
        chosen = replace(detection, train=self.config.train)
        report_best(detector, val_set, self.labels, chosen, content["epoch"])
        return {"epoch": content["epoch"]}

    def describe(self, best: dict | None = None) -> dict:
        """What was trained, for report.json: parameters, s, memory."""
        parts = {"adapters": 0, "backbone": 0, "head and detector": 0}
        adapters = {id(parameter) for parameter in adapter_parameters(self.model.backbone)}
        inside = {id(parameter) for parameter in self.model.backbone.parameters()}
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                own = "backbone" if id(parameter) in inside else "head and detector"
                parts["adapters" if id(parameter) in adapters else own] += parameter.numel()
        report = {
            **{"tuned": self.config.tuned, "adapter": self.config.backbone.adapter, "trainable_parameters": parts},
            "peak_memory_gb": round(peak_memory(self.device), 3),
        }
        if best is None:
            return report
        rows = [json.loads(row) for row in (self.output / "metrics.jsonl").read_text().splitlines()]
        seconds = [row.get(name, 0.0) for row in rows for name in ("seconds", "seconds_evaluated")]
        return {
            **report,
            **how_chosen(self.config.train, best["epoch"], f"{len(self.val.annotations)} videos"),
            "score_through_frames": best["score"],
            "seconds": round(sum(seconds), 1),
        }


def find_videos(config: EndToEndConfig, labels: LabelSet, split: str) -> Videos:
    """The annotated videos of a split, and their files."""
    annotations = annotations_of(config.data, split, labels)
    folder, subset = VideoFolder(Path(config.data.root) / config.videos.folder), getattr(config.data, f"{split}_subset")
    paths = {item.video_id: folder.find(item.video_id, subset) for item in annotations}
    return Videos(annotations, paths, len(annotations))


def person_in(name: str) -> str:
    """The person in a video by its id or file name, what precedes the first underscore, as in MMA-52 and MA-52."""
    return Path(name).name.split("_")[0]


def trained_part(model: nn.Module) -> str:
    """Such as "0.42 of 11.60 M parameters are trained"."""
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad) / 1e6
    return f"{trained:.2f} of {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters are trained"


def step_loss(logits: Tensor, targets: Tensor, mask: Tensor, kind: str) -> Tensor:
    """Per-step multi-label loss, summed over classes, body parts and scores, mean over real steps.

    logits, targets: (B, T, E, SCORES), targets in [0, 1]. mask: (B, T). kind: "bce" or "focal".
    """
    if kind == "focal":
        losses = focal_loss(logits, targets)
    else:
        losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (losses.sum(dim=(2, 3)) * mask).sum() / mask.sum()


def peak_memory(device: torch.device) -> float:
    """The largest memory of this process so far: of the GPU where it has one, else its resident memory; GB. NaN where
    the system does not say."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    if resource is None:
        return math.nan
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
