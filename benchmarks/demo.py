"""What the demo learns: its Avg mAP on held-out people, by seed, beside the same pipeline with untrained networks.

python benchmarks/demo.py OUT [--seeds 0 1 2]      goes on where it was

Untrained: weights as they were drawn, for one epoch at a learning rate that changes nothing (batch statistics settle);
but the detector's first half is found in closed form all the same.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from mmad.errors import run_command
from mmad.files import read_json

DEMO = Path(__file__).parents[1] / "tools" / "demo.py"
UNTRAINED = [f"{part}.train.{setting}" for part in ("recognition", "detection") for setting in ("epochs=1", "lr=1e-12")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    print("| seed | Avg (at 0.1 / 0.5 / 0.9), by body part | recognizer's top-1 | untrained: Avg | times | minutes |")
    print("|---|---|---|---|---|---|")
    for seed in args.seeds:
        seeds = [f"{part}.seed={seed}" for part in ("render", "recognition", "detection")]
        trained, untrained = (Path(args.out) / f"{name}{seed}" for name in ("trained", "untrained"))
        began = time.perf_counter()
        run(trained, seeds)
        minutes = (time.perf_counter() - began) / 60
        if not (untrained / "data").exists():
            shutil.copytree(trained / "data", untrained / "data", copy_function=os.link)
            shutil.rmtree(untrained / "data" / "features")  # of the trained recognizer
        run(untrained, [*seeds, *UNTRAINED])
        ours, theirs = (read_json(out / "detector" / "report.json") for out in (trained, untrained))
        top1 = read_json(trained / "recognizer" / "report.json")["action_top1"]
        at = " / ".join(f"{100 * ours['map'][key]:.1f}" for key in ("0.1", "0.5", "0.9"))
        print(
            f"| {seed} | {100 * ours['average']:.1f} ({at}), {100 * ours['body']['average']:.1f} | {100 * top1:.0f} "
            f"| {100 * theirs['average']:.2f} | {ours['average'] / theirs['average']:.0f} | {minutes:.1f} |",
            flush=True,
        )


def run(out: Path, settings: list[str]) -> None:
    subprocess.run([sys.executable, DEMO, out, *settings], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    run_command(main)
