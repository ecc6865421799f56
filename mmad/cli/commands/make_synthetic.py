"""Renders people doing micro-actions: videos as in MMA-52 and clips as in MA-52, or joints alone.

mmad make-synthetic DIR [--videos 60] [--clips 200] [--seed 0] [--classes nodding,waving] [--size 270x324]

Annotations and lists have the official forms. Same seed, same data. The same command again continues where it stopped.
Needs the extra render: pip install ".[render]" in a copy of the repository.
"""

import argparse
from dataclasses import replace

from mmad.cli.arguments import add_keys, add_output, command_parser, output_and_settings
from mmad.config import RenderConfig, load_config
from mmad.errors import InputError


def main(argv: list[str] | None = None) -> None:
    parser = command_parser("make-synthetic", __doc__)
    add_output(parser, "settings; the options below are those that are needed most")
    parser.add_argument("--videos", type=int, help="how many, of several actions; a quarter held out (default: 60)")
    parser.add_argument("--clips", type=int, help="how many, of one action; a quarter held out (default: 200)")
    parser.add_argument("--seed", type=int, help="fixes all that is drawn at random (default: 0)")
    parser.add_argument("--classes", help="names with commas between (default: all 52)")
    parser.add_argument("--balanced", action="store_true", help="classes equally often, without MMA-52's long tail")
    parser.add_argument("--size", metavar="WxH", help="width x height of a frame, pixels (default: 270x324)")
    parser.add_argument("--samples", type=int, help="rays across and down a pixel: 1 (default) is quick, 2 smooth")
    parser.add_argument("--longest", type=float, help="no video is longer, s (default: 15.03)")
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")
    parser.add_argument("--landmarks", action="store_true", help="landmark tracks in place of videos: no picture drawn")
    parser.add_argument("--annotations-only", action="store_true", help="no frames: CSVs, lists and card")
    add_keys(parser, RenderConfig)
    args = parser.parse_intermixed_args(argv)
    out, settings = output_and_settings(parser, args)
    if args.landmarks and args.annotations_only:
        raise InputError("--landmarks", "does not go with --annotations-only", "give one of them")
    config = replace(load_config(RenderConfig, None, settings), **_typed_options(args))

    from mmad.render.dataset import write_data_set

    content = "landmarks" if args.landmarks else "nothing" if args.annotations_only else "videos"
    write_data_set(out, config, content)
    what = "the CSVs, lists and" if args.annotations_only else "train/, val/, clips/ with their CSVs and lists, and"
    print(f"{what} card.md are in {out}")


def _typed_options(args: argparse.Namespace) -> dict:
    """The fields of `RenderConfig` that were given as options."""
    names = ("videos", "clips", "seed", "samples", "longest", "workers")
    typed = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.balanced:
        typed["tail"] = 0.0
    if args.classes is not None:
        typed["classes"] = [name.strip() for name in args.classes.split(",") if name.strip()]
    if args.size is not None:
        width, _, height = args.size.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise InputError("--size", f"{args.size!r}", "expected WIDTHxHEIGHT, as in 270x324")
        typed |= {"width": int(width), "height": int(height)}
    return typed
