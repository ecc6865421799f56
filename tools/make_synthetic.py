"""Made-up MMA-52-like videos and MA-52-like clips with their official files; same seed, same data.

python tools/make_synthetic.py OUT [--videos 60] [--clips 200] [--seed 0]
"""

import argparse

from mmad.errors import run_command
from mmad.render.sketch import write_data_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--videos", type=int, default=60, help="with several actions each; a quarter is held out")
    parser.add_argument("--clips", type=int, default=200, help="of one action each; a quarter is held out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write_data_set(args.out, args.videos, args.clips, args.seed)
    print(f"train.csv, val.csv, train/, val/ and clips/ with their lists are in {args.out}")


if __name__ == "__main__":
    run_command(main)
