"""What `mmad export --fuse` takes and does: several detectors' predictions of the same videos, made into one."""

import argparse

from mmad.errors import InputError, warn
from mmad.formats import read_predictions
from mmad.formats.linking import VideoFiles
from mmad.formats.submissions import is_recognition
from mmad.labels import LabelSet
from mmad.records import Annotation

DEFAULTS = {"weights": None, "normalize": "rank", "nms": "soft", "sigma": 0.5, "agree": False}


def add_fusing(parser: argparse.ArgumentParser) -> None:
    """--fuse and its options, whose defaults are `DEFAULTS`."""
    group = parser.add_argument_group("several detectors made into one")
    files = "predictions of the same videos: JSON, submission CSVs, zips"
    group.add_argument("--fuse", nargs="+", metavar="FILE", help=files)
    weights = "one per file, in their order (default: all equal)"
    group.add_argument("--weights", nargs="+", type=float, metavar="X", help=weights)
    scales = "scores on one scale: rank (default), best (divided by the highest of the file) or none"
    group.add_argument("--normalize", metavar="HOW", default=DEFAULTS["normalize"], help=scales)
    kinds = "suppression within an action: soft (default), hard or none"
    group.add_argument("--nms", metavar="KIND", default=DEFAULTS["nms"], help=kinds)
    group.add_argument("--sigma", type=float, default=DEFAULTS["sigma"], help="of soft-NMS (default: 0.5)")
    agreement = "a score is the mean of what all files say of the action at that place"
    group.add_argument("--agree", action="store_true", help=agreement)


def refuse_without_fuse(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Ends with the usage unless one file is named, or several after --fuse, and --fuse with its options only."""
    if bool(args.fuse) == bool(args.predictions):
        parser.error("name one file, or several after --fuse")
    typed = [name for name, default in DEFAULTS.items() if getattr(args, name) != default]
    if typed and not args.fuse:
        parser.error(f"--{typed[0]} is an option of --fuse")


def read_fused(args: argparse.Namespace, labels: LabelSet) -> list[Annotation]:
    """The detections of the files after --fuse as one ranking per video, linked to the videos in --videos."""
    from mmad.engine.fusion import fuse  # on demand: torch takes seconds

    if len(args.fuse) < 2:
        raise InputError("--fuse", f"{args.fuse[0]} alone", "name two files or more")
    for path in args.fuse:
        if is_recognition(path):
            raise InputError(path, "holds clips, not detections", "mmad recognize sums several recognizers")
    files = [read_predictions(path, labels).detections for path in args.fuse]
    everywhere = {item.video_id for found in files for item in found}
    for path, found in zip(args.fuse, files):
        missing = sorted(everywhere - {item.video_id for item in found})
        if missing:
            which = f"{len(missing)} of {len(everywhere)} videos are not in it, such as {missing[0]}"
            warn(f"{path}: {which}; these are taken from the other files")
    fused = fuse(files, args.weights, args.normalize, args.agree, args.nms, args.sigma)
    videos = [Annotation(item.video_id, None, item.segments, item.labels, scores=item.scores) for item in fused]
    return VideoFiles(args.videos).link(videos) if args.videos and videos else videos
