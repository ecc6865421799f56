"""What the linear probe does with several folders of features, and with what is missing in one of them.

python benchmarks/folders.py OUT --data NAME=DIR[:FOLDER,FOLDER] ... [--rows ROW ...] [--seeds 0 1 2]

DIR holds train and val annotations, as configs/bench.yaml or configs/mma52.yaml read them, and the two folders; without
FOLDER,FOLDER the channels of its folder `features` are cut into two halves. In the rows with gaps the second folder is
missing in a third of the stretches of GAP steps of every video, in training and in validation. A row is one training on
one thread. Goes on where it was.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from measuring import named

from mmad.errors import run_command
from mmad.files import read_json, write_json

ROOT = Path(__file__).parents[1]
GAP = 25  # steps, 3.3 s
# name: (which of the two folders, whether the second has gaps, what stands for what is missing)
ROWS = {
    "first": ((0,), False, "nothing"),
    "second": ((1,), False, "nothing"),
    "both as one": ((0, 1), False, "zeros"),
    "both": ((0, 1), False, "nothing"),
    "gaps, zeros": ((0, 1), True, "zeros"),
    "gaps, means": ((0, 1), True, "means"),
    "gaps": ((0, 1), True, "nothing"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--data", nargs="+", required=True, metavar="NAME=DIR")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    for name, place in named(args.data, "--data", "NAME=DIR"):
        print(
            f"\n{name}\n| | Avg mAP 0.1:0.9, mean (each seed) | at 0.5 | training, CPU s |\n|---|---|---|---|",
            flush=True,
        )
        for row in args.rows:
            found = []
            for seed in args.seeds:
                file = Path(args.out) / name / f"{row.replace(' ', '_')}_{seed}.json"
                if not file.exists():
                    command = [sys.executable, __file__, "--one", row, place, file, str(seed)]
                    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
                found.append(read_json(file))
            averages = [100 * figures["average"] for figures in found]
            each = ", ".join(f"{value:.1f}" for value in averages)
            half, seconds = (statistics.mean(figures[key] for figures in found) for key in ("half", "seconds"))
            print(
                f"| {row} | {statistics.mean(averages):.1f} ({each}) | {100 * half:.1f} | {seconds:.0f} |", flush=True
            )


def measure(row: str, place: str, file: Path, seed: int) -> None:
    """Train, and write fractions of 1 and CPU seconds."""
    from mmad.config import DetectionConfig, load_config
    from mmad.engine import fit_probe
    from mmad.engine.fit_detector import fit_detector
    from mmad.formats import read_annotations, select_subset
    from mmad.labels import MMA52

    which, gaps, instead = ROWS[row]
    folder, _, names = place.partition(":")
    name = "mma52" if names else "bench"
    config = load_config(DetectionConfig, ROOT / "configs" / f"{name}.yaml", [f"seed={seed}", "device=cpu"])
    if names:
        config.train.epochs, config.features.folders = 30, names.split(",")
    config.train.evaluate_every = config.train.epochs  # once: nothing is chosen by the videos it is evaluated on
    sets = []
    for split in ("train", "val"):
        path = Path(folder) / getattr(config.data, split)
        annotations = select_subset(read_annotations(path, MMA52), split, path)
        sets.append(joined(annotations, folder, config.features, which, gaps, instead))
    began = time.process_time()
    with mock.patch.object(fit_probe, "solve_sets", means_instead if instead == "means" else fit_probe.solve_sets):
        detector = fit_detector(*sets, config)
    seconds = time.process_time() - began
    report = detector.evaluate(sets[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, {"average": report.average(), "half": float(report.mean_ap()[4]), "seconds": seconds})


def joined(annotations, folder: str, features, which: tuple[int, ...], gaps: bool, instead: str):
    """The annotated videos with the features of one folder or of two."""
    from mmad.data.feature_dataset import FeatureDataset, blocks_of
    from mmad.data.feature_files import FolderRows, JoinedRows, find_tracks

    tracks = []
    for track in find_tracks(features.paths(folder), annotations, features):
        blocks, values = blocks_of(track), track.values[:]
        blocks = blocks if len(blocks) == 2 else (values.shape[1] // 2, values.shape[1] - values.shape[1] // 2)
        if gaps:
            generator = np.random.default_rng(list(track.video_id.encode()))
            stretch = (np.arange(len(values)) + generator.integers(GAP)) // GAP
            values[(generator.random(stretch[-1] + 1) < 1 / 3)[stretch], blocks[0] :] = np.nan
        parts = [np.split(values, [blocks[0]], axis=1)[i] for i in which]
        if len(parts) == 1 or instead == "zeros":
            rows = np.nan_to_num(np.concatenate(parts, axis=1))
        else:
            rows = tuple(FolderRows(part, track.grid, part.shape[1]) for part in parts)
            rows = JoinedRows(rows, track.grid, values.shape)
        tracks.append(replace(track, values=rows))
    return FeatureDataset(annotations, tracks)


def means_instead(sums: dict, folder, ridge: float):
    """In place of `fit_probe.solve_sets`: one map fitted with each feature's mean in the place of what is missing, and
    used so."""
    import torch

    from mmad.engine.fit_probe import Sums, choose_strength, features_in, fit_maps

    count, width = 2 ** (int(folder.max()) + 1) - 1, len(folder)
    folds, outputs = next(iter(sums.values())).goal.shape
    steps, total, shift = torch.zeros(width).double(), torch.zeros(width).double(), torch.zeros(width)
    for some, part in sums.items():
        chosen = features_in(some, folder)
        steps[chosen] += part.steps.sum()
        total[chosen] += part.total.sum(dim=0)
        shift[chosen] = part.shift
    mean, whole = total / steps, Sums.zeros(folds, width, outputs)
    for some, part in sums.items():
        chosen = features_in(some, folder)
        own, total, rows = mean[chosen], part.total, part.steps[:, None]
        gram = (
            part.gram - total[:, :, None] * own - own[:, None] * total[:, None] + rows[..., None] * own[:, None] * own
        )
        for fold in range(folds):
            whole.gram[fold][chosen[:, None], chosen] += gram[fold]
        whole.moment[:, chosen] += part.moment - own[:, None] * part.goal[:, None]
        whole.total[:, chosen] += total - rows * own
        whole.goal += part.goal
        whole.square += part.square
        whole.steps += part.steps
    whole.shift = shift + mean
    maps = fit_maps(whole, lambda *sums: choose_strength(*sums, folder=folder, ridge=ridge, alone={}))
    spread = []
    for weight, _ in maps:
        known = torch.zeros(count, width)
        for some in range(count):
            known[some, features_in(some, folder)] = 1
        weights = known[..., None] * weight
        spread.append((weights, -torch.einsum("d,sdo->so", whole.shift.float(), weights)))
    return *spread[0], spread[1:]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
    else:
        run_command(main)
