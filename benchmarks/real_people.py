"""How well the pose model does on real people: detections in landmark tracks, scored against events by hand.

python benchmarks/real_people.py LANDMARKS --labels labels.tsv [--negatives negatives.txt] [--weights FILE] [--out DIR]
    [--grade report.json --save FILE]

LANDMARKS: a folder of tracks (.npz). labels.tsv: video, start_s, end_s, label. negatives.txt: clips in which nothing
happens, and their seconds. Per event, an action's strength is its best score times the share of the event that the
detection covers (the share of the detection inside it, if that is longer than 3 s and than the event); its rank is one
more than the number of stronger other actions.

--grade: also grade how far each action can be told, by these events and by the report of the detector's training (on
rendered people), and write the model with its grades to --save.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from mmad.config import PACKAGED
from mmad.engine.infer import PosePipeline
from mmad.engine.pose_model import load_pose_model, save_pose_model
from mmad.errors import InputError, run_command
from mmad.files import read_json
from mmad.formats.predictions import write_predictions
from mmad.labels import LabelSet
from mmad.metrics.reliability import CANNOT_TELL, FAIR, GOOD
from mmad.pose.landmark_files import load_landmarks
from mmad.records import Detections

ENOUGH = 3  # real events from which on they decide
REAL = {GOOD: 0.7, FAIR: 0.4, CANNOT_TELL: 0.0}  # grade -> least share of them that is first in its body part
RENDERED = 0.4  # AP at tIoU 0.5 below which an action cannot be told of rendered people
LONG = 3.0  # s: a detection longer than this and than the event counts by the share of it that lies in the event


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("landmarks", metavar="LANDMARKS")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--negatives")
    parser.add_argument("--weights", default=PACKAGED)
    parser.add_argument("--out", help="folder for predictions.json")
    parser.add_argument("--grade", metavar="REPORT", help="report.json of the detector's training")
    parser.add_argument("--save", metavar="FILE", help="where the graded model goes")
    args = parser.parse_args()
    model = load_pose_model(args.weights)
    pipeline = PosePipeline(model, "cpu")
    paths = sorted(Path(args.landmarks).glob("*.npz"))
    found = {path.stem: pipeline.detect_landmarks(load_landmarks(path)) for path in paths}
    if args.out:
        write_predictions(Path(args.out) / "predictions.json", list(found.values()), pipeline.labels)
    events = read_events(args.labels, pipeline.labels)
    ranks = ranks_of(found, events, pipeline.labels)
    print(table(ranks, pipeline.labels))
    if args.negatives:
        print(alarms(found, events, args.negatives))
    if args.grade:
        rendered = read_json(args.grade)["per_class"]
        model.reliability = {name: grade(name, ranks, rendered, pipeline.labels) for name in pipeline.labels.actions}
        for name, (word, why) in model.reliability.items():
            print(f"{name}: {word}; {why}")
        save_pose_model(args.save, model)


def grade(name: str, ranks: dict[int, list[tuple[int, int]]], rendered: dict, labels: LabelSet) -> tuple[str, str]:
    """(grade, reason). Good is only what real people showed; what they did not show is fair where rendered ones do."""
    some = ranks.get(labels.index[name], [])
    if len(some) >= ENOUGH:
        first = sum(part <= 1 for _, part in some)
        word = next(word for word, least in REAL.items() if first >= least * len(some))
        return word, f"of real people's {len(some)} events, {first} were ranked first in the body part"
    precision = rendered.get(name, {}).get("0.5")
    if precision is None:
        return CANNOT_TELL, "too rare among the rendered people that it was evaluated on"
    reason = f"AP {precision:.2f} at tIoU 0.5 on rendered people"
    if precision < RENDERED:
        return CANNOT_TELL, reason
    tried = {0: "not tried on real ones", 1: "1 real event only"}.get(len(some), f"{len(some)} real events only")
    return FAIR, f"{reason}; {tried}"


def read_events(path: str, labels: LabelSet) -> dict[int, list[tuple[str, tuple[float, float]]]]:
    """{label: [(video, (start, end) s)]}"""
    events = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t"), start=2):
            if row["label"] not in labels.index:
                raise InputError(f"{path}, line {number}", f"{row['label']!r} is not an action of {labels.name}")
            events[labels.index[row["label"]]].append((row["video"], (float(row["start_s"]), float(row["end_s"]))))
    return events


def ranks_of(
    found: dict[str, Detections], events: dict[int, list[tuple[str, tuple[float, float]]]], labels: LabelSet
) -> dict[int, list[tuple[int, int]]]:
    """{class: of each of its events `rank_of`}"""
    return {
        label: [rank_of(found[video], label, span, labels) for video, span in some] for label, some in events.items()
    }


def rank_of(found: Detections, label: int, span: tuple[float, float], labels: LabelSet) -> tuple[int, int]:
    """Rank among all actions, and among those of its body part; beyond all of them where it is not found at all."""
    strength = strengths(found, span, len(labels))
    part = np.asarray(labels.part_of) == labels.part_of[label]
    if strength[label] <= 0:
        return len(labels), int(part.sum())
    stronger = strength > strength[label]
    return 1 + int(stronger.sum()), 1 + int((stronger & part).sum())


def strengths(found: Detections, span: tuple[float, float], classes: int) -> np.ndarray:
    """(K,) how strongly each action is said of a span of time."""
    start, end = found.segments.T
    shared = np.clip(np.minimum(end, span[1]) - np.maximum(start, span[0]), 0, None)
    share = np.minimum(shared / max(span[1] - span[0], 1e-6), 1)
    long = (end - start > LONG) & (span[1] - span[0] < end - start)
    share = np.where(long, np.minimum(share, shared / np.maximum(end - start, 1e-6)), share)
    best = np.zeros(classes)
    np.maximum.at(best, found.labels, found.scores * share)
    return best


def table(ranks: dict[int, list[tuple[int, int]]], labels: LabelSet) -> str:
    rows = [
        "| | events | first | in the best 3 | in the best 5 | first in its body part |",
        "|---|---|---|---|---|---|",
    ]
    each = [np.array(some) for some in ranks.values()]
    everyone = np.concatenate(each)
    per_class = np.mean([shares(some) for some in each], axis=0)
    rows.append(as_row("all events", len(everyone), shares(everyone)))
    rows.append(as_row(f"mean of {len(each)} classes", len(everyone), per_class))
    for label, some in sorted(ranks.items(), key=lambda item: -len(item[1])):
        rows.append(as_row(labels.actions[label], len(some), shares(np.array(some))))
    return "\n".join(rows)


def shares(ranks: np.ndarray) -> np.ndarray:
    """Of (N, 2) ranks: first, in the best 3, in the best 5, first in its part."""
    return np.array(
        [(ranks[:, 0] <= 1).mean(), (ranks[:, 0] <= 3).mean(), (ranks[:, 0] <= 5).mean(), (ranks[:, 1] <= 1).mean()]
    )


def as_row(name: str, count: int, values: np.ndarray) -> str:
    return f"| {name} | {count} | " + " | ".join(f"{100 * value:.0f} %" for value in values) + " |"


def alarms(found: dict[str, Detections], events: dict, path: str) -> str:
    """False alarms a minute at the scores at which a third and half of the events are found, at tIoU 0.3."""
    lines = [line.rsplit(None, 1) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    minutes = sum(float(seconds) for _, seconds in lines) / 60
    quiet = np.concatenate([found[name].scores for name, _ in lines])
    best = sorted(
        (best_score(found[video], label, span) for label, some in events.items() for video, span in some), reverse=True
    )
    rows = []
    for name, share in (("a third", 1 / 3), ("half", 1 / 2)):
        least = best[int(share * len(best))]
        count = (quiet >= least).sum() / minutes if least > 0 else float("nan")
        rows.append(f"false alarms a minute where {name} of the events are found (score {least:.3f}): {count:.1f}")
    return "\n".join(rows)


def best_score(found: Detections, label: int, span: tuple[float, float]) -> float:
    start, end = found.segments.T
    shared = np.clip(np.minimum(end, span[1]) - np.maximum(start, span[0]), 0, None)
    union = end - start + span[1] - span[0] - shared
    right = (found.labels == label) & (shared / np.maximum(union, 1e-9) >= 0.3)
    return float(found.scores[right].max(initial=0.0))


if __name__ == "__main__":
    run_command(main)
