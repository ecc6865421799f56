"""What a recognizer is worth to the detector: detection mAP on rendered videos of all 52 actions, by its features.

python benchmarks/chain.py OUT --recognizers NAME=CHECKPOINT ... [--modes dense clip] [--seeds 0 1 2]

Renders 240 videos of seed 2 (72 x 72 pixels, classes equally frequent; a quarter, of other people, to evaluate on),
extracts features with every recognizer in every mode, and trains the same small detector on each. Goes on where it was.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from measuring import named, spread

from mmad.errors import run_command
from mmad.files import read_json, write_json

ROOT = Path(__file__).parents[1]
DETECTOR = ["train.epochs=30", "train.evaluate_every=30"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--recognizers", nargs="+", required=True, metavar="NAME=CHECKPOINT")
    parser.add_argument("--modes", nargs="+", default=["dense", "clip"], choices=["dense", "clip"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    out, data = Path(args.out), Path(args.out) / "data"
    rendering = ["--videos", "240", "--clips", "0", "--seed", "2", "--size", "72x72", "--balanced"]
    command("tools/make_synthetic.py", data, *rendering)
    print("| recognizer | mode | Avg mAP 0.1:0.9, mean (each seed) | at 0.5 | by body part | extraction, minutes |")
    print("|---|---|---|---|---|---|")
    for name, checkpoint in named(args.recognizers, "--recognizers", "NAME=CHECKPOINT"):
        for mode in args.modes:
            features = out / f"features_{name}_{mode}"
            if not (features / "minutes.json").exists():
                began = time.perf_counter()
                options = ["--videos", data / "train", data / "val", "--out", features, "--checkpoint", checkpoint]
                command("tools/extract_features.py", *options, f"mode={mode}", "stride=4", "device=cpu")
                write_json(features / "minutes.json", (time.perf_counter() - began) / 60)
            reports = [report(out / f"{name}_{mode}_{seed}", data, [features], seed) for seed in args.seeds]
            minutes = read_json(features / "minutes.json")
            print(f"| {name} | {mode} | {columns(reports)} | {minutes:.1f} |", flush=True)


def columns(reports: Sequence[dict]) -> str:
    """Avg mAP, mean and of each seed, mAP at 0.5, and Avg mAP by body part, in percent."""
    half, body = (statistics.mean(100 * found[a][b] for found in reports) for a, b in KEYS)
    return f"{spread([found['average'] for found in reports])} | {half:.1f} | {body:.1f}"


KEYS = (("map", "0.5"), ("body", "average"))


def report(run: Path, data: Path, features: Sequence[Path], seed: int, device: str = "cpu") -> dict:
    """What the detector of one seed reaches on the features of one folder or more."""
    if not (run / "report.json").exists():
        folders = ",".join(str(folder.resolve()) for folder in features)
        options = [f"data.root={data}", f"features.folders=[{folders}]", f"output={run}", f"seed={seed}"]
        options.append(f"device={device}")
        command("tools/train_det.py", ROOT / "configs" / "mma52.yaml", *DETECTOR, *options)
    return read_json(run / "report.json")


def command(script: str, *arguments) -> None:
    subprocess.run([sys.executable, ROOT / script, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    run_command(main)
