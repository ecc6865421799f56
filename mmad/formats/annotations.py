"""What is true and what was predicted: annotation files and predictions, read and checked at the border.

Annotations: the MMA-52 CSV (with or without its fps column), ActivityNet JSON, the official baseline's `mmad.json`;
MA-52 lists of clips; and through mmad/formats/formats.py what other programs write. Predictions: JSON, the submission
CSVs, or a zip that holds one. Numpy only.

Every reader takes `on_problem`: by default the first thing wrong is raised as an `InputError` that names the row or
key; a caller that wants them all passes a function that keeps them, and the rows concerned are left out.
"""

import difflib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.errors import InputError, refuse, warn
from mmad.files import check_id, read_json, read_lines, read_table, write_json
from mmad.labels import MMA52, LabelSet, label_set_from
from mmad.records import Annotation, Detections

FOREIGN_SUFFIXES = (".eaf", ".vtt", ".txt", ".tsv")  # of files that hold no annotations of a form read here
ASSUMED_FPS = 30.0  # of files that count frames, where neither they nor the person say how many a second
OnProblem = Callable[[InputError], None]


# --- label sets -------------------------------------------------------------------------------------------------


def read_label_set(name: str) -> LabelSet:
    """ "mma52", or a text file with one action a line: `name`, `index<TAB>name` or `index<TAB>name<TAB>body part`.

    Without body parts every action belongs to one part called "all".
    """
    if name == MMA52.name:
        return MMA52
    actions, parts = [], []
    for line, text in enumerate(read_lines(name), start=1):
        fields = text.strip().split("\t")
        if not text.strip():
            continue
        if len(fields) > 1 and fields[0] != str(len(actions)):
            expected = f"expected {len(actions)}: ids count from 0"
            raise InputError(f"{name}, line {line}", f"index {fields[0]!r}", expected)
        actions.append(fields[min(1, len(fields) - 1)].strip())
        parts.append(fields[2].strip() if len(fields) > 2 else "all")
    if not actions:
        raise InputError(name, "no labels in the file", "one action a line")
    if len(set(actions)) < len(actions):
        twice = next(action for action in actions if actions.count(action) > 1)
        raise InputError(name, f"the action {twice!r} is there twice")
    part_names = tuple(dict.fromkeys(parts))
    return LabelSet(Path(name).stem, tuple(actions), part_names, tuple(part_names.index(part) for part in parts))


def named_labels(name: str | None) -> LabelSet | None:
    """The label set that --labels names; None where it was not typed, so that what predictions carry counts."""
    return None if name is None else read_label_set(name)


def label_id(label, labels: LabelSet, where: str) -> int:
    """The id of a label given by name, by number, or by number in a string."""
    if isinstance(label, str) and label in labels.index:
        return labels.index[label]
    number = _as_whole_number(label)
    if number is not None:
        if 0 <= number < len(labels):
            return number
        raise InputError(where, f"unknown label {label}", f"ids of {labels.name} are 0..{len(labels) - 1}")
    near = difflib.get_close_matches(str(label), labels.actions, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it is no action of {labels.name}"
    raise InputError(where, f"unknown label {label!r}", hint)


def _as_whole_number(value) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None


# --- annotations ------------------------------------------------------------------------------------------------


def read_annotations(
    path: str | Path, labels: LabelSet = MMA52, fps: float | None = None, on_problem: OnProblem = refuse
) -> list[Annotation]:
    """One `Annotation` a video, in the order of the file, by the kind that the file is; also of a folder of files.

    fps: frames a second for files that count frames and do not say how fast: the early-2024 MMA-52 CSV, which has no
    fps column, Label Studio, FiftyOne. None: nobody said; 30 are then assumed, with a warning. Where a file does not
    say how long a video is, it ends with its last action.
    """
    path = Path(path)
    if path.suffix.lower() in (".csv", ".zip") and path.is_file():
        table = read_table(path)
        if "start_frame" in table[0]:
            return _read_mma52_csv(path, table, labels, fps, on_problem)
    elif path.suffix.lower() not in FOREIGN_SUFFIXES and not path.is_dir():
        content = read_json(path)
        if isinstance(content, dict) and isinstance(content.get("database"), dict):
            return _read_videos(path, content["database"], "annotations", _activitynet_action, labels, on_problem)
        if _is_baseline(content):
            return _read_videos(path, content, "actions", _baseline_action, labels, on_problem)
    return _read_foreign(path, labels, fps, on_problem)


def check_fps(fps: float | None) -> float | None:
    """The frames a second that were typed as --fps, None where nothing was; refused where they are no rate."""
    if fps is not None and not 0 < fps < 1e6:
        raise InputError("--fps", f"{fps:g} frames a second", "expected a positive number")
    return fps


def assumption(who: str) -> str:
    """What a person is told where `ASSUMED_FPS` is taken. who: the file, and what in it does not say its rate."""
    return f"{who}: {ASSUMED_FPS:g} frames a second are assumed; else give --fps N (in training data.fps=N)"


def _is_baseline(content) -> bool:
    return (
        isinstance(content, dict) and content and all(isinstance(v, dict) and "actions" in v for v in content.values())
    )


def _read_foreign(path: Path, labels: LabelSet, fps: float | None, on_problem: OnProblem) -> list[Annotation]:
    """Of other programs, and our own plain table, which people correct in a spreadsheet."""
    from mmad.formats import formats  # built on this module

    videos = formats.read_foreign(path, labels, fps, on_problem)
    if videos is None and path.suffix.lower() in (".csv", ".zip"):
        table = read_table(path)
        if "body_part" not in table[0]:
            return _read_mma52_csv(path, table, labels, fps, on_problem)  # which says what is missing
        videos = [formats.from_detections(item) for item in _read_prediction_csv(path, labels)]
    if videos is None:
        expected = 'expected ActivityNet\'s {"database": ...} or {video_id: {"actions": ...}}'
        raise InputError(path, "no annotations in this JSON", expected)
    for note in (note for events in videos for note in events.notes):
        warn(note)
    unknown = sum(events.duration is None for events in videos)
    if unknown:
        warn(f"{path}: the length of {unknown} of {len(videos)} videos is not known; taken to end with the last action")
    return [events.annotation() for events in videos]


def select_subset(annotations: list[Annotation], subset: str, path: str | Path) -> list[Annotation]:
    """Those of one subset. A file that names no subsets (the MMA-52 CSV: one file is one subset) is taken whole."""
    kept = [item for item in annotations if item.subset in ("", subset)]
    if not kept:
        known = ", ".join(sorted({item.subset for item in annotations})) or "none"
        raise InputError(path, f"no video of subset {subset!r}", f"subsets in the file: {known}")
    return kept


def is_placeholder(annotations: list[Annotation]) -> bool:
    """Whether this is the official test.csv: hidden labels, one dummy row (frames 0-20) a video."""
    return len(annotations) > 1 and all(
        item.fps and item.segments.shape == (1, 2) and np.allclose(item.segments * item.fps, (0, 20))
        for item in annotations
    )


MMA52_COLUMNS = ("video_id", "start_frame", "end_frame", "class", "total_frames")


def _read_mma52_csv(
    path: Path, table: tuple[list[str], list[list[str]]], labels: LabelSet, fps: float | None, on_problem: OnProblem
) -> list[Annotation]:
    """table: header and rows of the file."""
    header, rows = table
    _require_columns(path, header, MMA52_COLUMNS)
    column = {name: header.index(name) for name in header}
    videos: dict[str, dict] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{path}, line {line}"
        try:
            video_id = row[column["video_id"]].strip()
            check_id(video_id, where)
            frames = ("start_frame", "end_frame", "total_frames")
            start, end, total = (finite_number(row[column[name]], where, name) for name in frames)
            rate = finite_number(row[column["fps"]], where, "fps") if "fps" in column else fps or ASSUMED_FPS
            label = label_id(row[column["class"]].strip(), labels, where)
            if rate <= 0 or total <= 0:
                raise InputError(where, f"fps {rate:g}, total_frames {total:g}", "both must be positive")
            if start < 0:
                raise InputError(where, f"start_frame {start:g} is negative")
            if end < start:
                raise InputError(where, f"end_frame {end:g} is before start_frame {start:g}", "swap or delete the row")
            video = videos.setdefault(video_id, {"total": total, "fps": rate, "segments": [], "labels": []})
            if (video["total"], video["fps"]) != (total, rate):
                raise InputError(
                    where,
                    f"{video_id}: {total:g} frames at {rate:g} fps here, {video['total']:g} at {video['fps']:g} above",
                    "one video has one length and one rate",
                )
        except InputError as error:
            on_problem(error)
            continue
        video["segments"].append((start / rate, end / rate))
        video["labels"].append(label)
    if videos and "fps" not in column and fps is None:
        warn(assumption(f"{path} has no fps column"))
    return [
        Annotation(video_id, v["total"] / v["fps"], v["segments"], v["labels"], fps=v["fps"])
        for video_id, v in videos.items()
    ]


def _read_videos(
    path, videos: dict, key: str, read_action, labels: LabelSet, on_problem: OnProblem
) -> list[Annotation]:
    """The videos of a JSON file; `read_action(item, where)` takes one entry of `key` apart."""
    annotations = []
    for video_id, video in videos.items():
        where = f"{path}, video {video_id!r}"
        try:
            check_id(video_id, where)
            if not isinstance(video, dict) or "duration" not in video:
                raise InputError(where, "no duration", "add its length in seconds")
            duration = finite_number(video["duration"], where, "duration")
            if duration <= 0:
                raise InputError(where, f"duration {duration:g} s is not positive")
            actions = video.get(key, [])
            if not isinstance(actions, list):
                raise InputError(where, f"{key!r} is not a list")
            fps = _as_number(video.get("fps"))
            if video.get("fps") is not None and not (fps is not None and 0 < fps < np.inf):
                raise InputError(where, f"fps {video['fps']!r} is not a positive number")
        except InputError as error:
            on_problem(error)
            continue
        segments, ids = [], []
        for number, item in enumerate(actions):
            try:
                label, segment = read_action(item, f"{where}, {key}[{number}]")
                segments.append(_segment(segment, f"{where}, {key}[{number}]"))
                if segments[-1][0] < 0:
                    raise InputError(f"{where}, {key}[{number}]", f"starts at {segments[-1][0]:g} s, before the video")
                ids.append(label_id(label, labels, f"{where}, {key}[{number}]"))
            except InputError as error:
                on_problem(error)
                del segments[len(ids) :]
        annotations.append(Annotation(str(video_id), duration, segments, ids, str(video.get("subset") or ""), fps))
    return annotations


def _activitynet_action(item, where: str):
    if not isinstance(item, dict) or "segment" not in item or not ("label" in item or "label_id" in item):
        raise InputError(where, "has no segment or no label", 'expected {"segment": [start, end], "label": name}')
    return item.get("label", item.get("label_id")), item["segment"]


def _baseline_action(item, where: str):
    if not isinstance(item, list) or len(item) != 3:
        raise InputError(where, f"{item!r}", "expected [label, start, end]")
    return item[0], item[1:]


def _segment(segment, where: str) -> tuple[float, float]:
    if not isinstance(segment, list) or len(segment) != 2:
        raise InputError(where, f"segment {segment!r}", "expected [start, end] in seconds")
    start, end = (finite_number(value, where, "segment") for value in segment)
    if end < start:
        raise InputError(where, f"ends before it starts ({start:g} s .. {end:g} s)", "swap or delete it")
    return start, end


def read_clip_list(path: str | Path, labels: LabelSet = MMA52, on_problem: OnProblem = refuse) -> list[tuple[str, int]]:
    """[(file name, label id)] of an MA-52 list: `name.mp4 label` a line. Each clip once."""
    clips: dict[str, int] = {}
    refused = 0
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            name, _, label = line.strip().rpartition(" ")
            if not name:
                raise InputError(where, f"{line.strip()!r}", "expected `name.mp4 label`")
            check_id(name, where)
            if name in clips:
                raise InputError(where, f"clip {name} is listed twice", "delete one of the lines")
            clips[name] = label_id(label, labels, where)
        except InputError as error:
            refused += 1
            on_problem(error)
    if not clips and not refused:
        on_problem(InputError(path, "no clips in the list", "expected `name.mp4 label` lines"))
    return list(clips.items())


# --- predictions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Origin:
    """What a predictions file says of itself beside its detections; None, or "", where it does not say.

    ground_truth: the annotations to judge it by. subset: which part of these. fps: frames a second of these, if they
    count frames and do not say how fast. labels: the set that its labels are of.
    """

    ground_truth: Path | None = None
    subset: str = ""
    fps: float | None = None
    labels: LabelSet | None = None


@dataclass
class PredictionFile:
    """Detections by video in the order of the file, the label set they were read by, and what else the file says."""

    detections: list[Detections]
    labels: LabelSet
    origin: Origin = Origin()


def read_predictions(path: str | Path, labels: LabelSet | None = None) -> PredictionFile:
    """Predictions from JSON, from a submission CSV of any year, or from a zip that holds one.

    labels: None for the set that the file carries, mma52 where it carries none.
    """
    path = Path(path)
    if path.suffix.lower() in (".csv", ".zip"):
        labels = labels or MMA52
        return PredictionFile(_read_prediction_csv(path, labels), labels)
    content = read_json(path)
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise InputError(path, "no predictions in this JSON", 'expected {"results": {video_id: [...]}}')
    origin = _read_origin(path, content)
    labels = labels or origin.labels or MMA52
    detections = [_read_results(path, video_id, items, labels) for video_id, items in results.items()]
    return PredictionFile(detections, labels, origin)


def origin_of(path: str | Path) -> Origin:
    """The same `Origin` alone; an empty one of a folder, and of a file that holds no predictions in JSON."""
    path = Path(path)
    if path.is_dir() or path.suffix.lower() in (".csv", ".zip", *FOREIGN_SUFFIXES):
        return Origin()
    content = read_json(path)
    return _read_origin(path, content) if isinstance(content, dict) and "results" in content else Origin()


def choose_labels(name: str | None, *origins: Origin) -> LabelSet:
    """The label set that --labels names; where it was not typed, the one that predictions carry, else mma52."""
    if name is not None:
        return read_label_set(name)
    carried = [origin.labels for origin in origins if origin.labels]
    if any(other.actions != carried[0].actions for other in carried[1:]):
        raise InputError("--labels", "the files carry different label sets", "name the one to read them by")
    return carried[0] if carried else MMA52


def read_truth(
    path: str | Path, predictions: PredictionFile, subset: str | None = None, fps: float | None = None
) -> list[Annotation]:
    """The annotations to judge predictions by; refused where no action is in them.

    subset, fps: what the person says, None where nothing; it is then as the predictions say, and the subset "val" where
    they do not say either.
    """
    origin = predictions.origin
    annotations = read_annotations(path, predictions.labels, fps or origin.fps)
    annotations = select_subset(annotations, subset or origin.subset or "val", path)
    if not any(len(item.labels) for item in annotations):
        raise InputError(path, "there is no action in it to find", "check --ground-truth and --subset")
    return annotations


def _read_origin(path: Path, content: dict) -> Origin:
    """A relative ground truth is relative to the predictions file, so that both can be moved together."""
    truth, subset, fps = (content.get(key) for key in ("ground_truth", "subset", "fps"))
    if not isinstance(truth, str | None) or not (truth or "").isprintable():
        raise InputError(f"{path}, ground_truth", f"{truth!r} is no file name", "expected a path or null")
    if not isinstance(subset, str | None):
        raise InputError(f"{path}, subset", f"{subset!r} is no name of a subset", "expected a text or null")
    rate = _as_number(fps)
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
        raise InputError(f"{path}, labels", f"is no label set ({error!r})", expected) from None


def _read_results(path: Path, video_id: str, items, labels: LabelSet) -> Detections:
    check_id(video_id, f"{path}, video {video_id!r}")
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
        label, segment = _activitynet_action(item, where)
        segments.append(_segment(segment, where))
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


PREDICTION_COLUMNS = ("video_id", "t_start", "t_end", "class", "score")


def is_detection_table(header: list[str]) -> bool:
    """Whether these are the columns of a submission of any year, or of a plain table of detections."""
    return set(PREDICTION_COLUMNS) <= set(_prediction_names(header))


def _prediction_names(header: list[str]) -> list[str]:
    names = [name.strip().lower().replace("-", "_") for name in header]
    return ["class" if name == "label" else name for name in names]


def _read_prediction_csv(path: Path, labels: LabelSet) -> list[Detections]:
    """2024/25: `,video_id,t_start,t_end,class,score`; 2026: `ID,video-id,t-start,t-end,label,score`."""
    header, rows = read_table(path)
    names = _prediction_names(header)
    _require_columns(path, names, PREDICTION_COLUMNS)
    video, start, end, label, score = (names.index(name) for name in PREDICTION_COLUMNS)
    starts, ends = _column(path, rows, start, "t_start"), _column(path, rows, end, "t_end")
    scores = _column(path, rows, score, "score")
    for line in np.flatnonzero(ends < starts)[:1]:
        raise InputError(f"{path}, line {line + 2}", f"t_end {ends[line]:g} is before t_start {starts[line]:g}")
    for line in np.flatnonzero(~((scores >= 0) & (scores <= 1)))[:1]:
        score_in_range(scores[line], f"{path}, line {line + 2}")
    known: dict[str, int] = {}
    ids = np.empty(len(rows), dtype=np.int64)
    rows_of: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        text = row[label].strip()
        if text not in known:
            known[text] = label_id(text, labels, f"{path}, line {i + 2}")
        ids[i] = known[text]
        rows_of.setdefault(row[video].strip(), []).append(i)
    for video_id, at in rows_of.items():
        check_id(video_id, f"{path}, line {at[0] + 2}")
    segments = np.stack([starts, ends], axis=1)
    return [Detections(video_id, segments[at], ids[at], scores[at]) for video_id, at in rows_of.items()]


# --- fields -----------------------------------------------------------------------------------------------------


def _require_columns(path: Path, header: list[str], wanted: tuple[str, ...]) -> None:
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(f"{path}, line 1", f"no column {', '.join(missing)}", f"found {', '.join(header)}")


def _column(path: Path, rows: list[list[str]], index: int, name: str) -> np.ndarray:
    try:
        values = np.array([row[index] for row in rows], dtype=np.float64)
        if np.isfinite(values).all():
            return values
    except ValueError:
        pass
    return np.array([finite_number(row[index], f"{path}, line {line}", name) for line, row in enumerate(rows, start=2)])


def _as_number(value) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def finite_number(value, where: str, name: str) -> float:
    number = _as_number(value)
    if number is None or not np.isfinite(number):
        raise InputError(where, f"{name} {value!r} is not a number")
    return number


def score_in_range(value, where: str) -> float:
    score = finite_number(value, where, "score")
    if not 0 <= score <= 1:
        raise InputError(where, f"score {score:g} is outside 0..1", "apply a sigmoid, or divide by the largest")
    return score
