"""Rendered people doing micro-actions: MMA-52-like videos and MA-52-like clips with their official files, or joints.

mmad make-synthetic OUT [--videos 60] [--clips 200] [--seed 0] [--classes nodding,waving] [--size 270x324]

Same seed, same data. The same command again goes on where it was. Needs `pip install -e ".[render]"`.
"""

from mmad.cli.arguments import command_parser
from mmad.config import RenderConfig
from mmad.errors import InputError
from mmad.render.dataset import write_data_set


def main(words: list[str] | None = None) -> None:
    parser = command_parser("make-synthetic", __doc__)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--videos", type=int, default=60, help="with several actions each; a quarter is held out")
    parser.add_argument("--clips", type=int, default=200, help="of one action each; a quarter is held out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", default="", help="names with commas between; all 52 without")
    parser.add_argument("--balanced", action="store_true", help="classes equally often, without MMA-52's long tail")
    parser.add_argument("--size", default="270x324", help="width x height of a frame, pixels")
    parser.add_argument("--samples", type=int, default=1, help="rays across and down a pixel: 1 is quick, 2 smooth")
    parser.add_argument("--longest", type=float, default=15.03, help="no video is longer, s")
    parser.add_argument("--workers", type=int, default=0, help="processes; one a core without")
    parser.add_argument("--landmarks", action="store_true", help="landmark tracks in place of videos: no picture drawn")
    parser.add_argument("--annotations-only", action="store_true", help="no frames: CSVs, lists and card")
    args = parser.parse_args(words)
    settings = {name: value for name, value in vars(args).items() if name in RenderConfig.__dataclass_fields__}
    settings["tail"] = 0.0 if args.balanced else 1.0
    settings["classes"] = [name.strip() for name in args.classes.split(",") if name.strip()]
    width, _, height = args.size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise InputError("--size", f"{args.size!r}", "expected WIDTHxHEIGHT, as in 270x324")
    config = RenderConfig(**settings, width=int(width), height=int(height))
    if args.landmarks and args.annotations_only:
        raise InputError("--landmarks", "does not go with --annotations-only", "give one of them")
    content = "landmarks" if args.landmarks else "nothing" if args.annotations_only else "videos"
    write_data_set(args.out, config, content)
    what = "the CSVs, lists and" if args.annotations_only else "train/, val/, clips/ with their CSVs and lists, and"
    print(f"{what} card.md are in {args.out}")
