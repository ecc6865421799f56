"""The detector on the feature bench: accuracy, spread, size, time and memory, and what each of its parts is worth.

python benchmarks/detection.py OUT --data NAME=DIR ... [--rows detector ...] [--seeds 0 1 2]      goes on where it was

DIR: made-up features, as configs/bench.yaml reads them. A row is one training by `tools/train_det.py
configs/bench.yaml` on one thread; all but the first have one part of the detector removed or replaced.
"""

import argparse
import contextlib
import io
import os
import re
import resource
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
GROUPS = {"no other": (0, 0), "one": (1, 1), "two or more": (2, 99)}  # actions that an action overlaps
TAIL = {"under 10": (1, 9), "10-29": (10, 29), "30-79": (30, 79), "80 and more": (80, 10**9)}  # of training actions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--data", nargs="+", required=True, metavar="NAME=DIR")
    parser.add_argument("--rows", nargs="+", default=["detector"], choices=list(rows()), metavar="ROW")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    for name, folder in named(args.data, "--data", "NAME=DIR"):
        print(f"\n{name}\n{HEAD}", flush=True)
        for row in args.rows:
            runs = [Path(args.out) / name / f"{row.replace(' ', '_')}_{seed}" for seed in args.seeds]
            for run, seed in zip(runs, args.seeds):
                if not (run / "measured.json").exists():
                    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
                    command = [sys.executable, __file__, "--one", row, folder, run, str(seed)]
                    subprocess.run(command, check=True, env=alone)
            print(as_row(row, [read_json(run / "measured.json") for run in runs]), flush=True)


HEAD = """| | Avg 0.1:0.9 (each seed) | 0.1 / 0.5 / 0.7 / 0.9 | by training actions (under 10 / 10 / 30 / 80) | \
overlapping none / one / two | trained + closed form, M | training, CPU s | inference, CPU s | memory, GB |
|---|---|---|---|---|---|---|---|---|"""


def as_row(name: str, runs: list[dict]) -> str:
    def mean(key: str) -> list[float]:
        return np.mean([run[key] for run in runs], axis=0).tolist()

    def percent(values) -> str:
        return " / ".join(f"{100 * value:.1f}" for value in values)

    averages = [100 * run["average"] for run in runs]
    cells = [f"{statistics.mean(averages):.1f} ({', '.join(f'{value:.1f}' for value in averages)})"]
    cells += [percent(np.asarray(mean("map"))[[0, 4, 6, 8]]), percent(mean("tail")), percent(mean("overlap"))]
    cells += [f"{runs[0]['learned'] / 1e6:.2f} + {runs[0]['solved'] / 1e6:.2f}"]
    cells += [f"{mean('training'):.0f}", f"{mean('inference'):.1f}", f"{mean('memory'):.2f}"]
    return f"| {name} | {' | '.join(cells)} |"


# --- the rows ---------------------------------------------------------------------------------------------------


def rows() -> dict[str, tuple[list[str], list]]:
    """{name: (settings, patches)}; a patch is (object, name of its attribute, what stands there instead)."""
    import torch
    from set_prediction import nothing_suppressed

    from mmad.engine import train_detector as detection
    from mmad.models import detector
    from mmad.models.linear_probe import VIEWS
    from mmad.ops import dense_predictions

    whole = detector.Detector.build_inputs

    def without(pattern: str):
        """Replaces with zeros the decoder inputs whose `input_names` match this regular expression."""

        def build_inputs(self, scores, mask):
            inputs, names = whole(self, scores, mask), detector.input_names(list(self.probe.views))
            taken = [index for index, name in enumerate(names) if re.match(pattern, name)]
            assert taken, f"no input is called {pattern}"
            inputs[..., taken] = 0
            return inputs

        return [(detector.Detector, "build_inputs", build_inputs)]

    class AllTogether(detector.Detector):
        """Decodes all classes of a video at once, also where only some of them are asked for."""

        def forward(self, features, mask, probe_scores=None, pairs=None):
            output = super().forward(features, mask, probe_scores)
            if pairs is None:
                return output
            video, label = pairs
            pair = video * self.num_classes + label
            names = dense_predictions.TIME_FIELDS
            chosen = {name: getattr(output.predictions, name)[pair] for name in names}
            return detector.DetectorOutput(replace(output.predictions, **chosen), video, label, mask)

    class SharedBoundaries(AllTogether):
        """One start and end per step for all classes, as in detectors of one action at a time, in the same network: the
        encodings of all classes are pooled before boundaries are predicted from them."""

        def decode(self, inputs, mask, label):
            hidden = self.encoder(inputs, mask)
            pooled = hidden.unflatten(0, (-1, self.num_classes)).amax(dim=1)
            own, shared = self.predict(hidden), self.predict(pooled.repeat_interleave(self.num_classes, dim=0))
            length = self.length.median().expand(len(label))
            return self.to_predictions(torch.cat([own[..., :1], shared[..., 1:]], dim=2), mask, length)

    class OneNetwork(AllTogether):
        """One network for all classes at once, 256 channels wide, in place of one small one that they share."""

        def __init__(self, *made_of):
            super().__init__(*made_of)
            config = made_of[2]
            inputs = self.num_classes * self.encoder.embed.in_features // 3
            self.encoder = detector.TemporalEncoder(inputs, 256, config.dilations)
            bias = self.predict.bias.data
            self.predict = torch.nn.Linear(256, len(bias) * self.num_classes)
            self.predict.bias.data = bias.repeat(self.num_classes)

        def decode(self, inputs, mask, label):
            together = inputs.unflatten(0, (-1, self.num_classes)).transpose(1, 2).flatten(2)  # (B, T, K * I)
            outputs = self.predict(self.encoder(together, mask[:: self.num_classes]))
            outputs = outputs.unflatten(2, (self.num_classes, -1)).transpose(1, 2).flatten(0, 1)
            return self.to_predictions(outputs, mask, self.length[label])

    def instead(kind):
        def build(config, channels, labels, blocks=()):
            return kind(channels, labels, config, blocks)

        return [(detection, "build_detector", build)]

    every_class = ["loss.negative_classes=1000"]
    alone = {f"{view} view alone": ([f"detector.views=[{view}]"], []) for view in VIEWS}
    rest = {view: ",".join(other for other in VIEWS if other != view) for view in VIEWS}
    return {
        "detector": ([], []),
        **{f"no {view} view": ([f"detector.views=[{views}]"], []) for view, views in rest.items()},
        **alone,
        "scores not out of fold": (["detector.folds=1"], []),
        "no startness and endness": ([], without(".*(startness|endness)")),
        "no body parts": ([], without("body part: ")),
        "no competing classes": ([], without("(hardest competing|strongest) class")),
        "no distance to the ends": ([], without("distance")),
        "no refinement": ([], [(dense_predictions, "refine_boundaries", lambda regressed, *rest: regressed)]),
        "P(part) x P(action | part)": (["detector.parts=true"], []),
        "boundaries shared by all classes": (every_class, instead(SharedBoundaries)),
        "one network for all classes": ([*every_class, "train.lr=1e-3"], instead(OneNetwork)),
        "queries, matched one to one": (
            ["train.epochs=40", "train.evaluate_every=40", "train.lr=1e-3"],
            nothing_suppressed(),
        ),
    }


# --- one run ----------------------------------------------------------------------------------------------------


def measure(row: str, folder: str, run: Path, seed: str) -> None:
    """Train, and write measured.json: fractions of 1, CPU seconds, bytes."""
    from mmad.config import DetectionConfig, load_config
    from mmad.engine import train_detector as detection
    from mmad.formats import read_annotations, select_subset
    from mmad.labels import MMA52
    from mmad.metrics.average_precision import evaluate
    from mmad.metrics.statistics import overlaps

    settings, patches = rows()[row]
    settings = [f"data.root={folder}", f"output={run}", f"seed={seed}", "device=cpu", *settings]
    config = load_config(DetectionConfig, ROOT / "configs" / "bench.yaml", settings)
    with contextlib.ExitStack() as stack:
        for place, name, value in patches:
            stack.enter_context(mock.patch.object(place, name, value))
        model, seen, evaluated = [], [], detection.detect_all

        def timed(detector, dataset, config):
            model[:] = [detector]
            began = time.process_time()
            found = evaluated(detector, dataset, config)
            seen.append((time.process_time() - began, found))
            return found

        stack.enter_context(mock.patch.object(detection, "detect_all", timed))
        began = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            detection.train_detector(config)
        training = time.process_time() - began - sum(seconds for seconds, _ in seen)

    found = seen[-1][1]
    annotations = read_annotations(Path(folder) / config.data.val, MMA52)
    counts = np.bincount(
        np.concatenate([item.labels for item in select_subset(annotations, "train", folder)]), minlength=len(MMA52)
    )
    truth = select_subset(annotations, "val", folder)
    report = evaluate(truth, found, MMA52)
    crossings = [overlaps(item.segments).sum(axis=1) for item in truth]
    overlap = [
        evaluate(truth, found, MMA52, among=[(low <= n) & (n <= high) for n in crossings]).average()
        for low, high in GROUPS.values()
    ]
    tail = [np.nanmean(report.ap[:, (low <= counts) & (counts <= high)]) for low, high in TAIL.values()]
    figures = {
        "average": report.average(),
        "map": report.mean_ap().tolist(),
        "tail": tail,
        "overlap": overlap,
        "learned": sum(p.numel() for p in model[0].parameters()),
        "solved": sum(weight.numel() for weight, _ in map(model[0].probe.weight_and_bias, model[0].probe.views)),
        "training": training,
        "inference": seen[-1][0],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }
    write_json(run / "measured.json", figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5])
    else:
        run_command(main)
