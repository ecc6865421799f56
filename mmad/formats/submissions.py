"""What others expect: challenge submissions and plain tables, written and read back. Numpy only."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mmad.errors import InputError
from mmad.files import atomic_path, check_id, write_text
from mmad.formats.fields import label_id, number_column, require_columns, score_in_range, timecode
from mmad.formats.predictions import write_predictions
from mmad.formats.source import Source
from mmad.labels import MMA52, LabelSet
from mmad.records import Detections

NO_CLOCKS: Mapping[str, float] = MappingProxyType({})
SUBMITTED_NAME = "prediction.csv"  # what the challenge servers look for inside the zip


@dataclass
class ClipPredictions:
    """What was recognised in N trimmed clips. clips: file names. actions: (N, R) ids, best first.

    parts: (N, R') ids of body parts: either that of each action, so that they may repeat, or a ranking of their own,
    best first, which may disagree with the actions. All metrics read the first of them only.
    """

    clips: list[str]
    actions: np.ndarray
    parts: np.ndarray

    @property
    def ranks(self) -> int:
        """How many actions and how many body parts each clip has, the smaller number."""
        return min(self.actions.shape[1], self.parts.shape[1])

    def disagreeing(self, labels: LabelSet) -> int:
        """Number of clips whose first body part is not the part of their first action."""
        return int((np.asarray(labels.part_of)[self.actions[:, 0]] != self.parts[:, 0]).sum())


# --- detection --------------------------------------------------------------------------------------------------


def _mac2024(detections: Iterable[Detections], *_) -> list[list]:
    return [["", "video_id", "t_start", "t_end", "class", "score"], *_numbered(detections)]


def _mac2026(detections: Iterable[Detections], *_) -> list[list]:
    return [["ID", "video-id", "t-start", "t-end", "label", "score"], *_numbered(detections)]


def _numbered(detections: Iterable[Detections]) -> list[list]:
    rows = []
    for item in detections:
        for (start, end), label, score in zip(item.segments.tolist(), item.labels.tolist(), item.scores.tolist()):
            rows.append([len(rows), item.video_id, start, end, label, score])
    return rows


def _plain(detections: Iterable[Detections], labels: LabelSet, clocks: Mapping[str, float]) -> list[list]:
    """Times in s since the first shown frame, and as a player shows them."""
    rows = [["video_id", "t_start", "t_end", "class", "score", "body_part", "start_timecode", "end_timecode"]]
    for _, video_id, start, end, label, score in _numbered(detections):
        part = labels.parts[labels.part_of[label]]
        begins = clocks.get(video_id, 0.0)
        times = [timecode(round(1000 * max(0.0, time + begins))) for time in (start, end)]
        rows.append([video_id, start, end, labels.actions[label], score, part, *times])
    return rows


DETECTION_FORMATS = {"mac2024": _mac2024, "mac2025": _mac2024, "mac2026": _mac2026, "csv": _plain}


def write_detections(
    path: str | Path,
    detections: Iterable[Detections],
    form: str,
    labels: LabelSet = MMA52,
    clocks: Mapping[str, float] = NO_CLOCKS,
) -> None:
    """A table of detections in one of `DETECTION_FORMATS`; zipped without a folder where `path` ends in .zip.

    clocks: of videos whose picture begins after the sound, s that a player shows at the first shown frame.
    """
    if form not in DETECTION_FORMATS:
        raise InputError("--format", f"{form!r}", f"for detections choose one of {', '.join(DETECTION_FORMATS)}")
    _write_rows(Path(path), DETECTION_FORMATS[form](detections, labels, clocks))


def write_results(
    folder: str | Path, found: Sequence[Detections], shown: Sequence[Detections], labels: LabelSet
) -> None:
    """What a pipeline leaves in its folder: predictions.json with all detections, predictions.csv with those that are
    shown."""
    write_predictions(Path(folder) / "predictions.json", found, labels)
    write_detections(Path(folder) / "predictions.csv", shown, "csv", labels)


# --- recognition ------------------------------------------------------------------------------------------------


def _rec2024(predictions: ClipPredictions) -> list[list]:
    rows = zip(predictions.clips, predictions.parts[:, 0].tolist(), predictions.actions[:, 0].tolist())
    return [["Id", "pred_label_1", "pred_label_2"], *(list(row) for row in rows)]


def _rec2025(predictions: ClipPredictions) -> list[list]:
    if predictions.ranks < 5:
        problem = f"hold {predictions.actions.shape[1]} actions and {predictions.parts.shape[1]} body parts per clip"
        raise InputError("predictions", problem, "this form needs the five best; mac2024-rec wants one")
    ranks = range(1, 6)
    header = ["vid", *(f"action_pred_{rank}" for rank in ranks), *(f"body_pred_{rank}" for rank in ranks)]
    rows = zip(predictions.clips, predictions.actions[:, :5].tolist(), predictions.parts[:, :5].tolist())
    return [header, *([clip, *actions, *parts] for clip, actions, parts in rows)]


RECOGNITION_FORMATS = {"mac2024-rec": _rec2024, "mac2025-rec": _rec2025, "mac2026-rec": _rec2025}


def write_recognition(path: str | Path, predictions: ClipPredictions, form: str = "mac2025-rec") -> None:
    """A table of recognised clips in one of `RECOGNITION_FORMATS`; zipped without a folder if `path` ends in .zip."""
    if form not in RECOGNITION_FORMATS:
        raise InputError("--format", f"{form!r}", f"for recognition choose one of {', '.join(RECOGNITION_FORMATS)}")
    _write_rows(Path(path), RECOGNITION_FORMATS[form](predictions))


def is_recognition(path: str | Path) -> bool:
    """Whether a prediction file holds recognised clips (one of the CSV forms above) rather than detections."""
    source = Source(path)
    return source.suffix in (".csv", ".zip") and bool({"action_pred_1", "pred_label_2"} & source.columns)


def read_recognition(path: str | Path, labels: LabelSet = MMA52) -> ClipPredictions:
    """Recognised clips from either CSV form, or from a zip with one. Each clip once; five actions are distinct.

    Body parts may be those of the actions or a ranking of their own, as PCAN's are; what disagrees stays as it is.
    """
    table = Source(path).table
    names = [name.strip().lower() for name in table.header]
    if "action_pred_1" in names:
        ranks = range(1, 1 + sum(f"action_pred_{rank}" in names for rank in range(1, 6)))
        wanted = ["vid", *(f"action_pred_{rank}" for rank in ranks), *(f"body_pred_{rank}" for rank in ranks)]
    else:
        ranks, wanted = [1], ["id", "pred_label_2", "pred_label_1"]
    require_columns(Path(path), table, tuple(wanted))
    at = [names.index(name) for name in wanted]
    clips: dict[str, tuple[list[int], list[int]]] = {}
    for line, row in table.numbered():
        where = f"{path}, line {line}"
        clip, *values = (row[i].strip() for i in at)
        if clip in clips:
            raise InputError(where, f"clip {clip} is there twice", "delete one of the rows")
        actions = [label_id(value, labels, where) for value in values[: len(ranks)]]
        if len(set(actions)) < len(actions):
            raise InputError(where, f"actions {actions} are not distinct")
        clips[clip] = (actions, [_part(value, labels, where) for value in values[len(ranks) :]])
    if not clips:
        raise InputError(path, "no clips in the file")
    actions, parts = zip(*clips.values())
    return ClipPredictions(list(clips), np.array(actions), np.array(parts))


def align(predictions: ClipPredictions, clips: list[str], path: str | Path) -> ClipPredictions:
    """The predictions in the order of a list of clips, of which each must be there, and no other."""
    at = {clip: i for i, clip in enumerate(predictions.clips)}
    missing = [clip for clip in clips if clip not in at]
    surplus = sorted(set(at) - set(clips))
    for names, problem in ((missing, "missing"), (surplus, "not in the list")):
        if names:
            raise InputError(path, f"clips {problem}: {len(names)}, such as {names[0]}", "predict each clip once")
    order = [at[clip] for clip in clips]
    return ClipPredictions(clips, predictions.actions[order], predictions.parts[order])


def _part(value: str, labels: LabelSet, where: str) -> int:
    if value.isdecimal() and int(value) < len(labels.parts):
        return int(value)
    raise InputError(where, f"unknown body part {value!r}", f"ids are 0..{len(labels.parts) - 1}")


def _write_rows(path: Path, rows: list[list]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    if path.suffix.lower() != ".zip":
        write_text(path, text.getvalue())
        return
    entry = zipfile.ZipInfo(SUBMITTED_NAME, date_time=(2026, 1, 1, 0, 0, 0))  # same content, same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(entry, text.getvalue())


PREDICTION_COLUMNS = ("video_id", "t_start", "t_end", "class", "score")


def is_submission(source: Source) -> bool:
    """Whether its columns are those of a submission of any year, or of our plain table of detections."""
    return source.is_table and set(PREDICTION_COLUMNS) <= set(_prediction_names(list(source.columns)))


def is_plain(source: Source) -> bool:
    """Whether it is our plain table, which people correct in a spreadsheet."""
    return is_submission(source) and "body_part" in source.columns


def _prediction_names(header: list[str]) -> list[str]:
    names = [name.strip().lower().replace("-", "_") for name in header]
    return ["class" if name == "label" else name for name in names]


def read_submission(source: Source, labels: LabelSet = MMA52) -> list[Detections]:
    """2024/25: `,video_id,t_start,t_end,class,score`; 2026: `ID,video-id,t-start,t-end,label,score`."""
    path, table = source.path, source.table
    named = replace(table, header=_prediction_names(table.header))
    require_columns(path, named, PREDICTION_COLUMNS)
    video, start, end, label, score = (named.column(name) for name in PREDICTION_COLUMNS)
    starts, ends = number_column(path, table, start, "t_start"), number_column(path, table, end, "t_end")
    scores = number_column(path, table, score, "score")
    for i in np.flatnonzero(ends < starts)[:1]:
        raise InputError(f"{path}, line {table.lines[i]}", f"t_end {ends[i]:g} is before t_start {starts[i]:g}")
    for i in np.flatnonzero(~((scores >= 0) & (scores <= 1)))[:1]:
        score_in_range(scores[i], f"{path}, line {table.lines[i]}")
    known: dict[str, int] = {}
    names: dict[str, str] = {}
    ids = np.empty(len(table.rows), dtype=np.int64)
    rows_of: dict[str, list[int]] = {}
    for i, (line, row) in enumerate(table.numbered()):
        text, name = row[label].strip(), row[video].strip()
        if text not in known:
            known[text] = label_id(text, labels, f"{path}, line {line}")
        if name not in names:
            names[name] = check_id(name, f"{path}, line {line}")
        ids[i] = known[text]
        rows_of.setdefault(names[name], []).append(i)
    segments = np.stack([starts, ends], axis=1)
    return [Detections(video_id, segments[at], ids[at], scores[at]) for video_id, at in rows_of.items()]
