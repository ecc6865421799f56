"""What each part of the modern recipe gives: F1_mean on rendered clips of all 52 actions, by people not trained on.

python benchmarks/recognition.py OUT [--start CHECKPOINT] [--epochs 8] [--only NAME ...]      goes on where it was

Renders 2,496 clips of seed 1 (72 x 72 pixels), then trains a ResNet-18 MANet at 64 x 64 on them once a row. --start: a
recognizer of other rendered people that all begin with, in place of ImageNet's weights, which cannot be had everywhere.
"""

import argparse
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from mmad.errors import run_command
from mmad.files import read_json, write_json, write_text
from mmad.formats.mma52 import read_clip_list
from mmad.labels import MMA52
from mmad.render.timelines import STATISTICS

ROOT = Path(__file__).parents[1]
SMALL = [
    "backbone.name=manet_r18",
    "backbone.resize=72",
    "backbone.crop=64",
    "precision=bfloat16",
    "clips.videos=clips",
]
SMALL += ["clips.scales=[1.0, 0.9]", "train.workers=1", "train.batch=16"]
ADAMW = ["train.optimizer=adamw", "train.lr=5e-4", "train.weight_decay=0.05", "train.clip_grad=1"]
ADAMW += ["train.schedule=cosine"]
PLAIN = {"plain": []}
ADDITIONS = {
    "no joint embedding": ["embedding="],
    "float32": ["precision=float32"],
    "AdamW, cosine": ADAMW,
    "EMA": ["train.ema=0.99"],
    "long tail": ["data.train=tail_list_videos.txt"],
    "long tail, balanced sampling": ["data.train=tail_list_videos.txt", "clips.balance=0.5"],
    "label smoothing 0.1": ["loss.smoothing=0.1"],
    "focal loss": ["loss.kind=focal"],
    "mixup within parts": ["loss.mixup=0.2"],
    "part head, soft fusion": ["loss.part=1"],
    "prototype calibration": ["loss.prototypes=0.5"],
}
ALL = {"all": [*ADAMW, "train.ema=0.99", "loss.smoothing=0.1", "loss.mixup=0.2", "loss.part=1", "loss.prototypes=0.5"]}
SEEDS = {"plain": (0, 1, 2), "all": (0, 1, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--start", metavar="CHECKPOINT", default="random")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows: plain, all, and the additions by name")
    args = parser.parse_args()
    out = Path(args.out)
    rendering = ["--videos", "0", "--clips", "2496", "--seed", "1", "--size", "72x72"]
    command("tools/make_synthetic.py", out / "data", *rendering)
    write_long_tail(out / "data")
    steps = [round(args.epochs * share) for share in (30 / 80, 60 / 80)]
    common = [f"data.root={out / 'data'}", f"backbone.weights={args.start}", f"train.epochs={args.epochs}"]
    common += [
        f"train.step_epochs={steps}",
        f"train.evaluate_every={args.epochs}",
    ]  # evaluated once: nothing is chosen by val
    print("| recipe | seed | F1_mean | top-1 | top-5 | body top-1 | minutes |\n|---|---|---|---|---|---|---|")
    for name, settings in {**PLAIN, **ALL, **ADDITIONS}.items():
        for seed in SEEDS.get(name, (0,)) if not args.only or name in args.only else ():
            run = out / f"{name.replace(' ', '_').replace(',', '')}_{seed}"
            if not (run / "minutes.json").exists():
                began = time.perf_counter()
                options = [*SMALL, *common, *settings, f"seed={seed}", f"output={run}"]
                command("tools/train_rec.py", ROOT / "configs" / "manet_ma52.yaml", *options)
                write_json(run / "minutes.json", (time.perf_counter() - began) / 60)
            figures, minutes = read_json(run / "report.json"), read_json(run / "minutes.json")
            shown = [figures[key] for key in ("f1_mean", "action_top1", "action_top5", "body_top1")]
            columns = " | ".join(f"{100 * value:.1f}" for value in shown)
            print(f"| {name} | {seed} | {columns} | {minutes:.1f} |", flush=True)


def write_long_tail(data: Path) -> None:
    """A train list of fewer clips: of each class the root of its share in MMA-52, at least two."""
    clips = read_clip_list(data / "train_list_videos.txt")
    most = max(row.instances for row in STATISTICS.values())
    totals = Counter(label for _, label in clips)
    kept, seen = [], Counter()
    for name, label in clips:
        share = (STATISTICS[MMA52.actions[label]].instances / most) ** 0.5
        if seen[label] < max(2, round(share * totals[label])):
            kept.append(f"{name} {label}\n")
        seen[label] += 1
    write_text(data / "tail_list_videos.txt", "".join(kept))


def command(script: str, *arguments) -> None:
    subprocess.run([sys.executable, ROOT / script, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    run_command(main)
