"""End to end on rendered people, on an equal budget: frozen, temporal-only, dual-path, low-rank and full fine-tuning.

python benchmarks/end_to_end.py OUT [--epochs 6] [--seeds 0 1 2] [--ways frozen temporal dual full] [--videos 240]
                                [--data DIR] [--recognizer FILE]

Renders the videos and clips of joints_and_pixels.py (72 x 72 pixels, a quarter of other people to evaluate on), and
trains a ResNet-18 MANet on the clips. Then it is the backbone of every way: as it is, or trained through the frames of
the whole videos for `--epochs` passes, each way with the same batches. Its features are extracted, and the same
detector is trained on them. Memory: on a GPU the most that was allocated, else the largest of the process. --data,
--recognizer: what an earlier run of this or another script left, instead. Goes on where it was.
"""

import argparse
import statistics
import sys
from pathlib import Path

from chain import ROOT, columns, command
from joints_and_pixels import RECOGNIZER
from measuring import run_process

from mmad.errors import run_command
from mmad.files import read_json, write_json

WAYS = {
    "frozen": ["tuned=none", "backbone.adapter="],
    "temporal": ["backbone.adapter=temporal"],
    "dual": ["backbone.adapter=dual"],
    "low_rank": ["backbone.adapter=low_rank"],
    "full": ["tuned=all", "backbone.adapter="],
}
NAMES = {
    "frozen": "frozen",
    "temporal": "temporal-only adapters",
    "dual": "dual-path adapters",
    "low_rank": "low-rank adapters",
    "full": "full fine-tuning",
}
COMMON = ["device=cpu", "backbone.name=manet_r18", "backbone.resize=64", "backbone.crop=64", "train.batch=4"]
COMMON += ["precision=float32", "train.workers=1", "detector_train.epochs=30", "detector_train.evaluate_every=30"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--epochs", type=int, default=6, help="passes through the frames")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", default=["frozen", "temporal", "dual", "full"], choices=WAYS)
    parser.add_argument("--videos", type=int, default=240, help="rendered, a quarter to evaluate on")
    parser.add_argument("--data", metavar="DIR", help="rendered data that is there already")
    parser.add_argument("--recognizer", metavar="FILE", help="a MANet-R18 of 64 pixels that is there already")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="settings that differ, for every way")
    args = parser.parse_args()
    out = Path(args.out)
    data = Path(args.data) if args.data else rendered(out / "data", args.videos)
    recognizer = Path(args.recognizer) if args.recognizer else recognizer_of(out / "recognizer", data)
    print("| backbone | Avg mAP 0.1:0.9, mean (each seed) | at 0.5 | by body part | trained, M | minutes | GB |")
    print("|---|---|---|---|---|---|---|")
    for way in args.ways:
        settings = [f"data.root={data}", f"backbone.weights={recognizer}", *COMMON, *WAYS[way], *args.set]
        runs = [trained(out / f"{way}_{seed}", seed, args.epochs, settings) for seed in args.seeds]
        print(f"| {NAMES[way]} | {row(runs)} |", flush=True)


def rendered(folder: Path, videos: int) -> Path:
    settings = ["--videos", str(videos), "--clips", "2496", "--seed", "2", "--size", "72x72", "--balanced"]
    command("tools/make_synthetic.py", folder, *settings)
    return folder


def recognizer_of(folder: Path, data: Path) -> Path:
    options = [f"data.root={data}", f"output={folder}", "device=cpu", *RECOGNIZER, "train.epochs=20"]
    command("tools/train_rec.py", ROOT / "configs" / "manet_ma52.yaml", *options, "train.evaluate_every=20")
    return folder / "best.pt"


def trained(folder: Path, seed: int, epochs: int, settings: list[str]) -> dict:
    """The report of one run, and what the process took; trained if it is not there."""
    kept = folder / "taken.json"
    if not kept.exists():
        options = [f"output={folder}", f"seed={seed}", f"train.epochs={epochs}", f"train.evaluate_every={epochs}"]
        python = ROOT / "tools" / "train_e2e.py"
        seconds, _ = run_process([sys.executable, python, ROOT / "configs" / "e2e_manet.yaml", *options, *settings])
        write_json(kept, {"minutes": seconds / 60})
    return {**read_json(folder / "report.json"), **read_json(kept)}


def row(runs: list[dict]) -> str:
    parts = runs[0]["end_to_end"]["trainable_parameters"]
    size = (parts["adapters"] + parts["backbone"]) / 1e6
    minutes, gigabytes = (
        statistics.mean(values)
        for values in ([run["minutes"] for run in runs], [run["end_to_end"]["peak_memory_gb"] for run in runs])
    )
    return f"{columns(runs)} | {size:.2f} | {minutes:.1f} | {gigabytes:.2f}"


if __name__ == "__main__":
    run_command(main)
