"""Annotations and predictions in and out, one file per format. No torch.

A reader is handed a `Source` and `ReadOptions` and gives one `Annotation` per video, in the order of the file; a writer
is handed a path, annotations and `WriteOptions`. To add a format, write both beside the others and name them in
`FORMATS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmad.errors import InputError, refuse, warn
from mmad.files import path_for_id
from mmad.formats.activitynet import (
    is_activitynet,
    is_baseline,
    read_activitynet,
    read_baseline,
    write_activitynet,
)
from mmad.formats.audacity import is_audacity, read_audacity, write_audacity
from mmad.formats.bids import is_bids, read_bids, write_bids
from mmad.formats.boris import is_boris, read_boris, write_boris
from mmad.formats.elan import is_elan, read_elan, write_elan
from mmad.formats.fiftyone import is_fiftyone, read_fiftyone, write_fiftyone
from mmad.formats.folders import files_of_one_kind
from mmad.formats.labelstudio import is_label_studio, read_label_studio, write_label_studio
from mmad.formats.mma52 import COLUMNS as MMA52_COLUMNS
from mmad.formats.mma52 import is_mma52, read_mma52
from mmad.formats.predictions import PredictionFile, is_predictions, read_predictions_json
from mmad.formats.score_thresholds import keep
from mmad.formats.source import OnProblem, ReadOptions, Source, WriteOptions
from mmad.formats.submissions import is_plain, is_submission, read_submission
from mmad.formats.via import is_via, read_via, write_via
from mmad.formats.webvtt import is_webvtt, read_webvtt, write_webvtt
from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation

Reader = Callable[[Source, ReadOptions], list[Annotation]]
Writer = Callable[[str | Path, Sequence[Annotation], WriteOptions], None]
ANNOTATIONS, PREDICTIONS = "annotations", "predictions"


@dataclass(frozen=True)
class Format:
    """One format. recognise: whether a file is of it, asked in the order of `FORMATS`. write: None if it is only read.

    suffix: what follows a video's id in the name of its file, where there is one file per video; "" where there is one
    file for all. holds: `ANNOTATIONS`, also of other programs' predictions, or `PREDICTIONS`: what a detector found, of
    any score. foreign: whether it is another program's, so that a folder of such files is read.
    """

    recognise: Callable[[Source], bool]
    read: Reader
    write: Writer | None = None
    suffix: str = ""
    holds: str = ANNOTATIONS
    foreign: bool = True


def _read_found(source: Source, options: ReadOptions) -> list[Annotation]:
    """Predictions as annotations with scores."""
    labels = options.labels
    found = read_submission(source, labels) if source.is_table else read_predictions_json(source, labels).detections
    return [Annotation(item.video_id, None, item.segments, item.labels, scores=item.scores) for item in found]


FORMATS = {
    "elan": Format(is_elan, read_elan, write_elan, ".eaf"),
    "webvtt": Format(is_webvtt, read_webvtt, write_webvtt, ".vtt"),
    "audacity": Format(is_audacity, read_audacity, write_audacity, ".txt"),
    "boris": Format(is_boris, read_boris, write_boris),
    "bids": Format(is_bids, read_bids, write_bids, "_events.tsv"),
    "mma52": Format(is_mma52, read_mma52, foreign=False),
    "csv": Format(is_plain, _read_found, holds=PREDICTIONS, foreign=False),
    "submission": Format(is_submission, _read_found, holds=PREDICTIONS, foreign=False),
    "predictions": Format(is_predictions, _read_found, holds=PREDICTIONS, foreign=False),
    "activitynet": Format(is_activitynet, read_activitynet, write_activitynet, foreign=False),
    "via": Format(is_via, read_via, write_via, ".json"),
    "labelstudio": Format(is_label_studio, read_label_studio, write_label_studio),
    "fiftyone": Format(is_fiftyone, read_fiftyone, write_fiftyone),
    "baseline": Format(is_baseline, read_baseline, foreign=False),
}
EVENT_FORMATS = tuple(name for name, form in FORMATS.items() if form.write)  # what `write_events` writes
PER_VIDEO_FORMATS = tuple(name for name in EVENT_FORMATS if FORMATS[name].suffix)


# --- reading ----------------------------------------------------------------------------------------------------


def format_of(source: Source) -> Format | None:
    """By suffix, header or keys; None where nothing fits."""
    return next((form for form in FORMATS.values() if form.recognise(source)), None)


def read_events(
    path: str | Path, labels: LabelSet = MMA52, fps: float | None = None, on_problem: OnProblem = refuse
) -> list[Annotation]:
    """Annotations or predictions of any format, or of a folder of files of one format; their notes are the caller's to
    show.

    fps: frames a second of files that count frames and do not say how fast (the early-2024 MMA-52 CSV, Label Studio,
    FiftyOne). None: nobody said; 30 are then assumed, with a note.
    """
    return _read(Source(path), ReadOptions(labels, fps, on_problem))[0]


def read_annotations(
    path: str | Path, labels: LabelSet = MMA52, fps: float | None = None, on_problem: OnProblem = refuse
) -> list[Annotation]:
    """The same of what people said, with every note as a warning; predictions are refused, but for our plain table,
    which people correct in a spreadsheet.

    on_problem: by default the first thing wrong is raised as an `InputError` that names the row or key; a caller that
    wants them all passes a function that keeps them, and the rows concerned are left out.
    """
    source = Source(path)
    videos, holds = _read(source, ReadOptions(labels, fps, on_problem))
    if holds == PREDICTIONS and not is_plain(source):
        raise _not_recognised(source)
    for note in (note for item in videos for note in item.notes):
        warn(note)
    unknown = sum(not item.duration_known for item in videos)
    if unknown:
        warn(f"{path}: the length of {unknown} of {len(videos)} videos is not known; taken to end with the last action")
    return videos


def read_actions(
    path: str | Path, labels: LabelSet, minimum: np.ndarray | None, fps: float | None = None
) -> list[Annotation]:
    """What a file says is happening: of predictions those that reach the least score of their class, minimum (K,).

    Predictions without `minimum` are refused: what a detector leaves in is mostly false. Anything else is taken whole,
    also with scores: somebody has looked at it.
    """
    videos, holds = _read(Source(path), ReadOptions(labels, fps))
    if holds != PREDICTIONS:
        return videos
    if minimum is None:
        raise InputError(path, "holds predictions of any score", "give --min-score X or --thresholds FILE")
    return [keep(item, minimum) for item in videos]


def read_predictions(path: str | Path, labels: LabelSet | None = None) -> PredictionFile:
    """Predictions from JSON, from a submission CSV of any year, or from a zip that holds one.

    labels: None for the set that the file carries, mma52 where it carries none.
    """
    source = Source(path)
    if source.is_table:
        return PredictionFile(read_submission(source, labels or MMA52), labels or MMA52)
    return read_predictions_json(source, labels)


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


def select_subset(annotations: list[Annotation], subset: str, path: str | Path) -> list[Annotation]:
    """Those of one subset. A file that names no subsets (the MMA-52 CSV: one file is one subset) is taken whole."""
    kept = [item for item in annotations if item.subset in ("", subset)]
    if not kept:
        known = ", ".join(sorted({item.subset for item in annotations})) or "none"
        raise InputError(path, f"no video of subset {subset!r}", f"subsets in the file: {known}")
    return kept


def _read(source: Source, options: ReadOptions) -> tuple[list[Annotation], str]:
    """(videos, what the file holds: `ANNOTATIONS` or `PREDICTIONS`)"""
    form = format_of(source)
    if form is not None:
        return form.read(source, options), form.holds
    if source.path.is_dir():
        return _read_folder(source.path, options), ANNOTATIONS
    raise _not_recognised(source)


def _not_recognised(source: Source) -> InputError:
    if source.is_table:
        missing = [name for name in MMA52_COLUMNS if name not in source.table[0]]
        problem, found = f"no column {', '.join(missing)}", f"found {', '.join(source.table[0])}"
        return InputError(f"{source.path}, line 1", problem, found)
    expected = 'expected ActivityNet\'s {"database": ...} or {video_id: {"actions": ...}}'
    return InputError(source.path, "no annotations in this JSON", expected)


def _read_folder(folder: Path, options: ReadOptions) -> list[Annotation]:
    """A file of a format of one file per video gives it the name that it has in the folder, without its suffix."""
    suffix, paths = files_of_one_kind(folder)
    videos: dict[str, Annotation] = {}
    for path in paths:
        try:
            form = format_of(Source(path))
            if form is None or not form.foreign:
                raise InputError(path, "is of no format that is read from folders", "name this file alone")
            found = form.read(Source(path), options)
            if len(found) == 1 and form.suffix:
                found[0].video_id = path.relative_to(folder).as_posix()[: -len(suffix)]
            for item in found:
                if item.video_id in videos:
                    raise InputError(path, f"video {item.video_id!r} is in another file too", "delete one of them")
                videos[item.video_id] = item
        except InputError as error:
            options.on_problem(error)
    return list(videos.values())


# --- writing ----------------------------------------------------------------------------------------------------


def write_events(
    out: str | Path, videos: Sequence[Annotation], form: str, labels: LabelSet = MMA52, tiers: str = "action"
) -> None:
    """One file, or for a format of `PER_VIDEO_FORMATS` one file per video in the folder `out`.

    form: one of `EVENT_FORMATS`. tiers: of formats that have tiers, one per action or one per body part ("part"). A
    file of a video that is there already is never written over: somebody may have corrected it.
    """
    chosen, options = FORMATS[form], WriteOptions(labels, tiers)
    if not chosen.suffix:
        chosen.write(out, videos, options)
        return
    paths = [path_for_id(out, item.video_id, chosen.suffix) for item in videos]
    for path in paths:
        if path.exists():
            raise InputError(path, "is there already, perhaps with corrections", "name another folder in --out")
    for path, item in zip(paths, videos):
        chosen.write(path, [item], options)
