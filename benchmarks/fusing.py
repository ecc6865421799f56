"""What fusing several detectors' predictions is worth, by each way of putting scores on one scale.

python benchmarks/fusing.py PREDICTIONS PREDICTIONS ...      of the same videos, with a ground truth that they name

Each way also with the scores of the second file on another scale: s becomes 0.02 s^0.3, all of them small and close to
each other. That changes no ranking within the file.
"""

import argparse
from dataclasses import replace

from mmad.engine.fusion import NORMALIZERS, fuse
from mmad.errors import run_command
from mmad.formats import read_predictions, read_truth
from mmad.metrics.average_precision import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", nargs="+")
    args = parser.parse_args()
    files = [read_predictions(path) for path in args.predictions]
    truth = read_truth(files[0].origin.ground_truth, files[0])

    def scores(detections) -> str:
        report = evaluate(truth, detections, files[0].labels)
        return f"{100 * report.average():.2f} / {100 * report.average_at():.2f}"

    print(f"{len(truth)} videos, {sum(len(item.labels) for item in truth)} actions; Avg 0.1:0.9 / mean of .2 .5 .7")
    for path, file in zip(args.predictions, files):
        print(f"{path}: {scores(file.detections)}", flush=True)
    plain = [file.detections for file in files]
    print(f"the first alone, suppressed once more: {scores(fuse(plain[:1], normalize='none'))}")
    small = [replace(item, scores=0.02 * item.scores**0.3) for item in plain[1]]
    for name in NORMALIZERS:
        for agree in (False, True):
            ways = (fuse(given, normalize=name, agree=agree) for given in (plain, [plain[0], small, *plain[2:]]))
            fused, rescaled = map(scores, ways)
            print(f"{name}{', agree' if agree else ''}: {fused}; second on another scale: {rescaled}", flush=True)


if __name__ == "__main__":
    run_command(main)
