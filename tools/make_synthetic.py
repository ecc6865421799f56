"""Rendered people doing micro-actions: MMA-52-like videos and MA-52-like clips with their official files.

python tools/make_synthetic.py OUT [--videos 60] [--clips 200] [--seed 0] [--classes nodding,waving] [--size 270x324]

Same seed, same data. The same command again goes on where it was. Needs `pip install -e ".[render]"`.
"""

import argparse

from mmad.errors import InputError, run_command
from mmad.render.dataset import RenderSettings, write_data_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--videos", type=int, default=60, help="with several actions each; a quarter is held out")
    parser.add_argument("--clips", type=int, default=200, help="of one action each; a quarter is held out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", help="names with commas between; all 52 without")
    parser.add_argument("--size", default="270x324", help="width x height of a frame, pixels")
    parser.add_argument("--samples", type=int, default=2, help="rays across and down a pixel: 1 is quick, 2 smooth")
    parser.add_argument("--longest", type=float, default=15.03, help="no video is longer, s")
    parser.add_argument("--workers", type=int, default=0, help="processes; one a core without")
    args = parser.parse_args()
    width, times, height = args.size.partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise InputError("--size", f"{args.size!r}", "expected WIDTHxHEIGHT, as in 270x324")
    more = {"names": tuple(name.strip() for name in args.classes.split(","))} if args.classes else {}
    settings = RenderSettings(
        args.videos,
        args.clips,
        args.seed,
        width=int(width),
        height=int(height),
        samples=args.samples,
        longest=args.longest,
        workers=args.workers,
        **more,
    )
    write_data_set(args.out, settings)
    print(f"train.csv, val.csv, train/, val/, clips/ with their lists, and card.md are in {args.out}")


if __name__ == "__main__":
    run_command(main)
