"""Detection mAP: time and memory, beside a plain version of the official loop, and how both grow.

python benchmarks/metric.py PREDICTIONS --ground-truth FILE [--runs 5] [--skip-plain]
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import run_process, turn_by_turn

from mmad.errors import run_command
from mmad.formats import read_annotations, read_predictions
from mmad.formats.predictions import write_predictions
from mmad.labels import MMA52
from mmad.metrics.average_precision import EPSILON, THRESHOLDS, average_precision, evaluate
from mmad.records import Annotation, Detections

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions")
    parser.add_argument("--ground-truth", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--skip-plain", action="store_true", help="the plain version takes most of a minute")
    args = parser.parse_args()
    truth, found = read_annotations(args.ground_truth), read_predictions(args.predictions).detections
    print(f"{sum(map(len, found))} predictions, {len(truth)} videos, {sum(len(t.labels) for t in truth)} actions")

    ours = time_of(truth, found, args.runs)
    print(f"evaluate: {ours:.3f} CPU s, median of {args.runs}")
    if not args.skip_plain:
        plain = turn_by_turn({"plain": lambda: plain_evaluate(truth, found)}, 1)["plain"]
        off = np.nanmax(np.abs(plain_evaluate(truth, found) - evaluate(truth, found, MMA52).ap))
        print(f"the official loop, plainly: {plain:.1f} CPU s, {plain / ours:.0f} times; largest difference {off:.0e}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.json"
        write_predictions(path, found, MMA52)
        command = [sys.executable, ROOT / "eval" / "map.py", path, "--ground-truth", args.ground_truth]
        runs = [run_process(command) for _ in range(args.runs)]
        print(
            f"eval/map.py from {path.stat().st_size / 1e6:.0f} MB of JSON, action and body part: "
            f"{statistics.median(seconds for seconds, _ in runs):.2f} s, {max(peak for _, peak in runs):.0f} MB"
        )
    runs = [run_process([sys.executable, ROOT / "eval" / "map.py", "--help"]) for _ in range(args.runs)]
    print(f"eval/map.py --help: {statistics.median(seconds for seconds, _ in runs):.2f} s")

    print("predictions, CPU s, microseconds a prediction")
    for times in (1, 3, 10):
        more = [_more(item, times) for item in found]
        count = sum(map(len, more))
        seconds = time_of(truth, more, args.runs)
        print(f"{count:>9} {seconds:>8.2f} {1e6 * seconds / count:>8.2f}")


def time_of(truth: list[Annotation], found: list[Detections], runs: int) -> float:
    """CPU s of the metric, median."""
    return turn_by_turn({"": lambda: evaluate(truth, found, MMA52)}, runs)[""]


def _more(item: Detections, times: int) -> Detections:
    """So many times the detections, each copy moved and scored a little otherwise."""
    rng = np.random.default_rng(len(item))
    segments, scores = np.repeat(item.segments, times, axis=0), np.repeat(item.scores, times)
    segments = np.maximum(segments + rng.normal(0, 0.2, (len(segments), 1)), 0)
    scores = np.clip(scores * rng.uniform(0.9, 1, len(scores)), 0, 1)
    return Detections(item.video_id, segments, np.repeat(item.labels, times), scores)


def plain_evaluate(truth, found) -> np.ndarray:
    """(J, K) AP the way the official evaluators go: prediction by prediction, threshold by threshold."""
    ap = np.full((len(THRESHOLDS), len(MMA52)), np.nan)
    for k in range(len(MMA52)):
        truths = {item.video_id: item.segments[item.labels == k] for item in truth}
        count = sum(map(len, truths.values()))
        if count == 0:
            continue
        rows = [
            (score, item.video_id, segment)
            for item in found
            for score, segment in zip(item.scores[item.labels == k], item.segments[item.labels == k])
        ]
        rows.sort(key=lambda row: -row[0])
        free = {video: np.ones((len(THRESHOLDS), len(segments)), dtype=bool) for video, segments in truths.items()}
        correct = np.zeros((len(THRESHOLDS), len(rows)), dtype=bool)
        for m, (_, video, (start, end)) in enumerate(rows):
            segments = truths.get(video, ())
            if len(segments) == 0:
                continue
            shared = np.clip(np.minimum(end, segments[:, 1]) - np.maximum(start, segments[:, 0]), 0, None)
            iou = shared / (segments[:, 1] - segments[:, 0] + end - start - shared + EPSILON)
            for j, threshold in enumerate(THRESHOLDS):
                for n in np.argsort(iou)[::-1]:
                    if iou[n] < threshold:
                        break
                    if free[video][j, n]:
                        free[video][j, n], correct[j, m] = False, True
                        break
        ap[:, k] = average_precision(correct, count)
    return ap


if __name__ == "__main__":
    run_command(main)
