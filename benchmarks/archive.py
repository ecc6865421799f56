"""The index over an archive: time and memory to make it, to bring it up to date, and to ask it.

python benchmarks/archive.py OUT [--files 500] [--videos 10] [--detections 1000]

Makes --files predictions files of --videos videos with --detections detections each: 500 x 10 x 1,000 are 5 million.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from measuring import watch_process

from mmad.errors import run_command
from mmad.formats.archive import Query, ask
from mmad.formats.predictions import write_predictions
from mmad.records import Detections

MMAD = [sys.executable, "-c", "from mmad.cli import main; main()"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--detections", type=int, default=1000)
    args = parser.parse_args()
    folder = Path(args.out)
    made = np.random.default_rng(0)
    for i in range(args.files):
        path = folder / "archive" / f"day{i:04d}" / "predictions.json"
        if not path.exists():
            write_predictions(path, [detections(made, f"day{i:04d}_{j}", args) for j in range(args.videos)])
    index = folder / "index.parquet"
    index.unlink(missing_ok=True)
    make = [*MMAD, "index", folder / "archive", "--out", index]
    say("import and --help alone", [*MMAD, "index", "--help"])
    say("make the index", make)
    print(f"index: {index.stat().st_size / 1e6:.0f} MB, {ask(index, Query(score=1)).total:,} rows")
    say("the same again, nothing new", make)
    changed = folder / "archive" / "day0000" / "predictions.json"
    write_predictions(changed, [detections(made, f"day0000_{j}", args) for j in range(args.videos)])
    say("one file changed", make)
    asked = [*MMAD, "query", index]
    say("nods longer than 1 s, score 0.9", [*asked, "--action", "nodding", "--longer", 1, "--score", 0.9])
    say("one video", [*asked, "--video", "day0123_4"])
    say("all nods to a table", [*asked, "--action", "nodding", "--out", folder / "nods.csv"])
    say("everything, the best first", [*asked, "--best"])
    say("everything to a table", [*asked, "--out", folder / "everything.csv"])


def detections(made: np.random.Generator, name: str, args: argparse.Namespace) -> Detections:
    starts = made.uniform(0, 7200, args.detections)
    segments = np.column_stack([starts, starts + made.gamma(2, 1.5, args.detections)])
    return Detections(name, segments, made.integers(0, 52, args.detections), made.beta(0.5, 4, args.detections))


def say(what: str, command: list) -> None:
    seconds, memory = watch_process([str(word) for word in command])
    print(f"{what}: {seconds:.1f} s, {memory:.0f} MB", flush=True)


if __name__ == "__main__":
    run_command(main)
