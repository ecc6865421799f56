"""predictions.json: what a detector found, its labels, and the ground truth it is scored against. Numpy only."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import check_id, write_json
from mmad.formats.activitynet import read_action
from mmad.formats.fields import as_number, label_id, score_in_range, segment
from mmad.formats.source import Source
from mmad.labels import MMA52, LabelSet, label_set_from, read_label_set
from mmad.records import Detections


@dataclass(frozen=True)
class Origin:
    """What a predictions file names beside its detections; None, or "", where it does not.

    ground_truth: the annotations that it is scored against. subset: which part of these. fps: frames a second of these,
    if they count frames and give no rate. labels: the set that its labels are of.
    """

    ground_truth: Path | None = None
    subset: str = ""
    fps: float | None = None
    labels: LabelSet | None = None


@dataclass
class PredictionFile:
    """Detections by video in the order of the file, the label set they were read by, and what else the file names."""

    detections: list[Detections]
    labels: LabelSet
    origin: Origin = Origin()


def is_predictions(source: Source) -> bool:
    return isinstance(source.json, dict) and "results" in source.json


def read_predictions_json(source: Source, labels: LabelSet | None = None) -> PredictionFile:
    """{"results": {video_id: [{"segment": [start, end], "label": name, "score": x}]}}

    labels: None for the set that the file carries, mma52 where it carries none.
    """
    path, content = source.path, source.json
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise InputError(path, "no predictions in this JSON", 'expected {"results": {video_id: [...]}}')
    origin = _read_origin(path, content)
    labels = labels or origin.labels or MMA52
    detections = [_read_results(path, video_id, items, labels) for video_id, items in results.items()]
    return PredictionFile(detections, labels, origin)


def origin_of(path: str | Path) -> Origin:
    """What a predictions file names beside its detections; an empty `Origin` of a folder, and of any file that is not
    predictions in JSON."""
    source = Source(path)
    return _read_origin(source.path, source.json) if is_predictions(source) else Origin()


def choose_labels(name: str | None, *origins: Origin) -> LabelSet:
    """The label set that --labels names; where it was not typed, the one that predictions carry, else mma52."""
    if name is not None:
        return read_label_set(name)
    carried = [origin.labels for origin in origins if origin.labels]
    if any(other.actions != carried[0].actions for other in carried[1:]):
        raise InputError("--labels", "the files carry different label sets", "name the one to read them by")
    return carried[0] if carried else MMA52


def common_origin(origins: Sequence[Origin]) -> Origin:
    """What several predictions files of the same videos all name; of what they disagree on, nothing."""
    first, *others = origins
    truths = {origin.ground_truth and origin.ground_truth.resolve() for origin in origins}
    fields = {
        "ground_truth": first.ground_truth if len(truths) == 1 else None,
        "subset": first.subset if all(other.subset == first.subset for other in others) else "",
        "fps": first.fps if all(other.fps == first.fps for other in others) else None,
    }
    return Origin(**fields)


def _read_origin(path: Path, content: dict) -> Origin:
    """A relative ground truth is relative to the predictions file, so that both can be moved together."""
    truth, subset, fps = (content.get(key) for key in ("ground_truth", "subset", "fps"))
    if not isinstance(truth, str | None) or not (truth or "").isprintable():
        raise InputError(f"{path}, ground_truth", f"{truth!r} is not a file name", "expected a path or null")
    if not isinstance(subset, str | None):
        raise InputError(f"{path}, subset", f"{subset!r} is not the name of a subset", "expected a text or null")
    rate = as_number(fps)
    if fps is not None and not (rate is not None and 0 < rate < 1e6):
        raise InputError(f"{path}, fps", f"{fps!r} frames a second", "expected a positive number or null")
    labels = _carried_labels(path, content.get("labels"))
    return Origin(path.parent / truth if truth else None, subset or "", rate, labels)


def _carried_labels(path: Path, fields) -> LabelSet | None:
    if fields is None:
        return None
    if fields == MMA52.name:
        return MMA52
    try:
        return label_set_from(fields)
    except (KeyError, TypeError, ValueError) as error:
        expected = 'expected "mma52" or {"name", "actions", "parts", "part_of"}'
        raise InputError(f"{path}, labels", f"is not a label set ({error!r})", expected) from None


def _read_results(path: Path, video_id: str, items, labels: LabelSet) -> Detections:
    video_id = check_id(video_id, f"{path}, video {video_id!r}")
    if not isinstance(items, list):
        raise InputError(f"{path}, video {video_id!r}", "its results are not a list")
    try:  # the plain case in bulk: it is several times faster than item by item
        segments = np.array([item["segment"] for item in items], dtype=np.float64)
        scores = np.array([item["score"] for item in items], dtype=np.float64)
        if items and (segments.shape != (len(items), 2) or scores.shape != (len(items),)):
            raise ValueError("not two times and one score each")
        ids = [labels.index[item["label"]] for item in items]
        return Detections(video_id, segments, ids, scores)
    except (KeyError, TypeError, ValueError, OverflowError):
        return _read_results_one_by_one(path, video_id, items, labels)


def _read_results_one_by_one(path: Path, video_id: str, items: list, labels: LabelSet) -> Detections:
    """The same for labels given by number, and with a word on the item that is wrong."""
    segments, ids, scores = [], [], []
    for number, item in enumerate(items):
        where = f"{path}, video {video_id!r}, results[{number}]"
        if not isinstance(item, dict) or "score" not in item:
            raise InputError(where, "has no score", 'expected {"segment": [s, e], "label": name, "score": x}')
        if "label_id" in item and "label" not in item:
            item = {**item, "label": item["label_id"]}
        label, pair = read_action(item, where)
        segments.append(segment(pair, where))
        ids.append(label_id(label, labels, where))
        scores.append(score_in_range(item["score"], where))
    return Detections(video_id, segments, ids, scores)


def write_predictions(
    path: str | Path, detections: Iterable[Detections], labels: LabelSet = MMA52, origin: Origin = Origin()
) -> None:
    """Seconds to a tenth of a millisecond, scores to seven significant digits.

    A label set other than mma52 is written out, so that the file is read without its label file. origin: its ground
    truth is written relative to the predictions, its labels are not looked at: `labels` are those of the detections.
    """
    results: dict[str, list] = {}
    for item in detections:
        rows = zip(item.segments.tolist(), item.labels.tolist(), item.scores.tolist())
        results.setdefault(item.video_id, []).extend(
            {"segment": [round(start, 4), round(end, 4)], "label": labels.actions[k], "score": float(f"{score:.7g}")}
            for (start, end), k, score in rows
        )
    about = {
        "version": "mmad-1",
        "ground_truth": origin.ground_truth and _relative(origin.ground_truth, Path(path).parent),
        "subset": origin.subset or None,
        "fps": origin.fps,
        "labels": MMA52.name if labels == MMA52 else labels.as_dict(),
    }
    write_json(path, {**about, "results": results})


def _relative(path: Path, folder: Path) -> str:
    """A path from a folder, with links resolved: ".." of a folder that is a link leads out of where it points."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return str(path.resolve())
