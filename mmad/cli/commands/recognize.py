"""Applies a recognizer, or the mean of several, to listed clips: the action of each, for a submission.

mmad recognize best.pt --list test_list_videos.txt --videos DIR --out submission.zip [key=value ...]

How it looks at a clip is set by key=value: samplings=3 crops=3 mirrored=true are 18 views.
"""

import argparse
from pathlib import Path

from mmad.cli.arguments import add_device, add_keys, command_parser, split_settings, take_device
from mmad.config import STREAMS, ViewConfig, load_config
from mmad.errors import InputError
from mmad.files import refuse_same_file
from mmad.formats.mma52 import read_clip_list
from mmad.formats.submissions import RECOGNITION_FORMATS, ClipPredictions, write_recognition

PKL = "or a .pkl of joints, for an MMN"


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("recognize", __doc__)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="recognizers; or a key=value setting")
    parser.add_argument("--list", required=True, help="`name.mp4 label` per line, label 0 where unknown; " + PKL)
    parser.add_argument("--videos", metavar="DIR", help="the folder of the clips; for an MMN of their landmark tracks")
    parser.add_argument("--streams", metavar="joint,bone", help="of published MMN weights, which do not say it")
    parser.add_argument("--out", required=True, metavar="FILE", help="a .csv, or a .zip as the challenge wants it")
    parser.add_argument("--format", default="mac2025-rec", help=", ".join(RECOGNITION_FORMATS))
    parser.add_argument("--batch", type=int, default=8, help="clips per forward pass")
    parser.add_argument("--workers", type=int, default=0, help="processes that read clips beside this one")
    add_device(parser)
    add_keys(parser, ViewConfig)
    args = parser.parse_intermixed_args(argv)

    checkpoints, settings = split_settings(args.checkpoints)
    device, settings = take_device(args, settings)
    if not checkpoints:
        parser.error("name a checkpoint")
    if args.format not in RECOGNITION_FORMATS:
        raise InputError("--format", f"{args.format!r}", f"choose one of {', '.join(RECOGNITION_FORMATS)}")
    if args.batch < 1 or args.workers < 0:
        raise InputError("--batch, --workers", f"{args.batch}, {args.workers}", "give whole numbers, --batch above 0")
    refuse_same_file(args.out, args.list, *checkpoints)
    if Path(args.out).is_dir():
        raise InputError(args.out, "is a folder", "name a .csv or a .zip")
    views = load_config(ViewConfig, None, settings)

    from mmad.data.clip_dataset import Loading
    from mmad.engine.devices import choose_device
    from mmad.engine.predict_clips import load_recognizers, reads_joints

    device = choose_device(device or "auto")
    models = load_recognizers(checkpoints)
    labels = models[0].labels
    separate = any(model.head.separate_body for model in models)
    for what, names in (("actions", labels.actions), ("body parts", labels.parts if separate else labels.actions)):
        if len(names) < 5 and args.format != "mac2024-rec":
            raise InputError("--format", f"{args.format} wants five {what}, there are {len(names)}", "use mac2024-rec")
    loading = Loading(args.batch, args.workers)
    found = (of_joints if reads_joints(models[0]) else of_pictures)(models, args, views, device, loading)
    write_recognition(args.out, found, args.format)
    print(f"{len(found.clips)} clips as {args.format} in {args.out}")


def of_pictures(models, args: argparse.Namespace, views: ViewConfig, device, loading) -> ClipPredictions:
    from mmad.engine.predict_clips import recognize_clips

    if args.videos is None:
        raise InputError("--videos", "is missing", "name the folder of the clips")
    if args.streams:
        raise InputError("--streams", "is for MMN, these checkpoints read pictures", "leave it out")
    return recognize_clips(models, read_clip_list(args.list, models[0].labels), args.videos, views, device, loading)


def of_joints(models, args: argparse.Namespace, views: ViewConfig, device, loading) -> ClipPredictions:
    from mmad.data.skeleton_dataset import PICKLED, read_skeleton_clips
    from mmad.engine.predict_clips import recognize_skeletons
    from mmad.pose.skeleton_clips import SKELETONS

    if args.videos is None and Path(args.list).suffix.lower() != PICKLED:
        raise InputError("--videos", "is missing", "name the folder of the landmark tracks, or a .pkl of joints")
    if views != ViewConfig():
        raise InputError("key=value", "how pictures are looked at", "leave it out: an MMN reads joints")
    streams = args.streams.split(",") if args.streams else []
    require_streams(streams)
    skeleton = SKELETONS[models[0].backbone_config.skeleton]
    clips = read_skeleton_clips(args.list, args.videos or "", models[0].labels, skeleton)
    return recognize_skeletons(models, clips, streams, device, loading)


def require_streams(streams: list[str]) -> None:
    for stream in streams:
        if stream not in STREAMS:
            raise InputError("--streams", f"{stream!r}", f"give one of {', '.join(STREAMS)} for each checkpoint")
