"""What each of PCAN's ideas gives, one switch at a time: a table with every seed. Goes on where it was.

python benchmarks/pcan_switches.py rec OUT --config CONFIG --data ROOT [--set key=value ...]
python benchmarks/pcan_switches.py pose OUT [--config pose] [--set key=value ...]

rec: `python tools/train_rec.py CONFIG data.root=ROOT ...` once per row and seed, with any recognizer. pose: the pose
network alone, on performances that are rendered into OUT; its figures are average precision over steps. Either is
evaluated once, after the last epoch, so that the validation data choose nothing. --set: settings of every row. --row:
another row, or another meaning of one: --row NAME key=value ...
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

from measuring import spread

from mmad.config import PoseTrainConfig, RenderConfig, load_config
from mmad.data.performance_files import Performance
from mmad.engine.devices import choose_device
from mmad.engine.pose_features import PoseFeatures
from mmad.engine.train_pose_network import scores_of_steps, train_pose_network
from mmad.errors import InputError, run_command
from mmad.files import read_json, write_json
from mmad.labels import MMA52
from mmad.metrics.recognition import mean_average_precision
from mmad.ops.clip_probabilities import part_membership
from mmad.render.performances import render_performances

ROOT = Path(__file__).parents[1]
ONCE = ["train.evaluate_every=1000000"]  # the last epoch is always evaluated
SEPARATE = ["loss.part=1", "loss.body=separate"]
ROWS = {
    "rec": {
        "plain": [],
        "body head, product": ["loss.part=1"],
        "body head, separate": SEPARATE,
        "separate, tree": [*SEPARATE, "loss.tree=1"],
        "separate, calibration": [*SEPARATE, "loss.calibration=0.2"],
        "separate, calibration, scale 1": [*SEPARATE, "loss.calibration=0.2", "loss.calibration_scale=1"],
        "separate, calibration, scale 0": [*SEPARATE, "loss.calibration=0.2", "loss.calibration_scale=0"],
        "all of PCAN": [*SEPARATE, "loss.tree=1", "loss.calibration=0.2"],
    },
    "pose": {
        "plain": [],
        "tree": ["tree=1"],
        "calibration": ["calibration=0.2"],
        "tree, calibration": ["tree=1", "calibration=0.2"],
    },
}
FIGURES = {
    "rec": {"f1_mean": "F1_mean", "action_top1": "action top-1", "body_top1": "body top-1"},
    "pose": {"actions": "mAP of actions", "parts": "mAP of body parts"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=ROWS)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--config", default="pose", help="a YAML file or the name of one that comes with mmad")
    parser.add_argument("--data", metavar="ROOT", help="rec: folder of the clips and their lists")
    parser.add_argument("--set", nargs="+", default=[], metavar="key=value", help="settings of every row")
    parser.add_argument("--row", nargs="+", action="append", default=[], metavar="NAME key=value")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these rows; default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    if args.what == "rec" and (args.config == "pose" or not args.data):
        parser.error("rec needs --config and --data")
    rows = ROWS[args.what] | {name: switches for name, *switches in args.row}
    if unknown := [name for name in args.only or [] if name not in rows]:
        raise InputError("--only", f"{unknown[0]!r}", f"choose some of {', '.join(rows)}")
    figures = FIGURES[args.what]
    titles = "".join(f" {title}, mean (each seed) |" for title in figures.values())
    print(f"| switches |{titles} minutes |\n|---|{'---|' * len(figures)}---|", flush=True)
    for name in args.only or rows:
        found = [_figures_of(args, name, rows[name], seed) for seed in args.seeds]
        columns = "".join(f" {spread([row[key] for row in found])} |" for key in figures)
        print(f"| {name} |{columns} {statistics.mean(row['minutes'] for row in found):.1f} |", flush=True)


def _figures_of(args: argparse.Namespace, name: str, switches: list[str], seed: int) -> dict[str, float]:
    """The figures and the minutes of one run, trained if it is not there yet.

    The settings are kept beside them: a folder of other ones is refused. Minutes of a run that was cut are its last
    part's.
    """
    run = Path(args.out) / f"{args.what}_{name.replace(' ', '_').replace(',', '')}_{seed}"
    settings = [*ONCE, *args.set, *switches, f"seed={seed}"]
    done = run / "figures.json"
    if done.exists():
        content = read_json(done)
        if content["settings"] != [args.config, args.data, *settings]:
            raise InputError(done, "was made with other settings", "name another OUT")
        return content["figures"]
    began = time.perf_counter()
    figures = _recognizer(args, settings, run) if args.what == "rec" else _pose_network(args, settings, run)
    figures = {**figures, "minutes": (time.perf_counter() - began) / 60}
    write_json(done, {"settings": [args.config, args.data, *settings], "figures": figures})
    return figures


def _recognizer(args: argparse.Namespace, settings: list[str], run: Path) -> dict[str, float]:
    command = [sys.executable, ROOT / "tools" / "train_rec.py", args.config]
    command += [f"data.root={args.data}", *settings, f"output={run}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    report = read_json(run / "report.json")
    return {key: report[key] for key in FIGURES["rec"]}


def _pose_network(args: argparse.Namespace, settings: list[str], run: Path) -> dict[str, float]:
    """The people are those of seed 0 in every run; the seed of the run draws weights, cameras and errors."""
    config = load_config(PoseTrainConfig, args.config, [*settings, f"output={run}"])
    people = RenderConfig(videos=config.videos, clips=config.clips, seed=0, tail=0.0, workers=config.workers)
    train, val = (render_performances(Path(args.out) / "performances", people, split) for split in ("train", "val"))
    with contextlib.redirect_stdout(sys.stderr):  # the table is alone on the other
        network = train_pose_network(config, train, val, MMA52)
    return _precision_of_steps(PoseFeatures(network, choose_device(config.device)), val, config)


def _precision_of_steps(
    features: PoseFeatures, performances: list[Performance], config: PoseTrainConfig
) -> dict[str, float]:
    """As the training evaluates, and the same of body parts by the scores of the part logits."""
    membership = part_membership(MMA52.part_of, len(MMA52.parts)).numpy()
    scores, truth = scores_of_steps(features, performances, MMA52, config.noise)
    of_parts = (truth @ membership).clip(max=1)
    return {
        "actions": mean_average_precision(truth, scores[:, : len(MMA52)]),
        "parts": mean_average_precision(of_parts, scores[:, len(MMA52) :]),
    }


if __name__ == "__main__":
    run_command(main)
