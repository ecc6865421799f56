"""Annotations and predictions in and out, one file per format. No torch.

A reader is handed a `Source` and `ReadOptions` and gives one `Annotation` per video, in the order of the file; a writer
is handed a path, annotations and `WriteOptions`. To add a format, write both beside the others and name them in
`FORMATS`.

Times are s since the first shown frame. Programs with a player count from when it starts, which is earlier where the
sound begins before the picture (`Format.players_clock`); what is known of that is taken off and added.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from mmad.errors import InputError, refuse, warn
from mmad.files import check_id, path_for_id
from mmad.formats.activitynet import (
    is_activitynet,
    is_baseline,
    read_activitynet,
    read_baseline,
    write_activitynet,
)
from mmad.formats.audacity import is_audacity, looks_like_audacity, read_audacity, write_audacity
from mmad.formats.bids import is_bids, read_bids, write_bids
from mmad.formats.boris import is_boris, read_boris, write_boris
from mmad.formats.boris_project import is_boris_project, read_boris_project
from mmad.formats.elan import is_elan, read_elan, write_elan
from mmad.formats.elan_table import is_elan_table, read_elan_table
from mmad.formats.fiftyone import is_fiftyone, read_fiftyone, write_fiftyone
from mmad.formats.folders import files_of_one_kind
from mmad.formats.labelstudio import is_label_studio, read_label_studio, write_label_studio
from mmad.formats.linking import VideoFiles, join_same_videos, on_pictures_clock, on_players_clock
from mmad.formats.mma52 import COLUMNS as MMA52_COLUMNS
from mmad.formats.mma52 import is_mma52, read_mma52
from mmad.formats.praat import is_praat, read_praat, write_praat
from mmad.formats.predictions import PredictionFile, is_predictions, read_predictions_json
from mmad.formats.score_thresholds import keep
from mmad.formats.source import EVERYONE, Coders, OnProblem, ReadOptions, Source, WriteOptions
from mmad.formats.submissions import is_plain, is_submission, read_submission
from mmad.formats.unread import is_unread, refuse_unread
from mmad.formats.via import is_via, is_via_csv, read_via, read_via_csv, write_via
from mmad.formats.webvtt import is_subrip, is_webvtt, read_subrip, read_webvtt, write_webvtt
from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation

Reader = Callable[[Source, ReadOptions], list[Annotation]]
Writer = Callable[[str | Path, Sequence[Annotation], WriteOptions], None]
ANNOTATIONS, PREDICTIONS = "annotations", "predictions"


@dataclass(frozen=True)
class Format:
    """One format. recognise: whether a file is of it, asked in the order of `FORMATS`. write: None if it is only read.

    suffix: what follows a video's id in the name of its file, where there is one file per video; "" where there is one
    file for all. precision: to how many s the times are exact that are written; 0: to the frame.
    players_clock: whether times are those that a player shows. holds: `ANNOTATIONS`, also of other programs'
    predictions, or `PREDICTIONS`: what a detector found, of any score. foreign: whether it is another program's, so
    that a folder of such files is read.
    """

    recognise: Callable[[Source], bool]
    read: Reader
    write: Writer | None = None
    suffix: str = ""
    precision: float = 1e-6
    players_clock: bool = True
    holds: str = ANNOTATIONS
    foreign: bool = True


def _read_found(source: Source, options: ReadOptions) -> list[Annotation]:
    """Predictions as annotations with scores."""
    labels = options.labels
    found = read_submission(source, labels) if source.is_table else read_predictions_json(source, labels).detections
    return [Annotation(item.video_id, None, item.segments, item.labels, scores=item.scores) for item in found]


SELF_DESCRIBING = {"players_clock": False, "foreign": False}  # formats of mmad and of the challenges
DETECTOR_OUTPUT = {**SELF_DESCRIBING, "holds": PREDICTIONS}
FORMATS = {
    "elan": Format(is_elan, read_elan, write_elan, ".eaf", precision=1e-3),
    "praat": Format(is_praat, read_praat, write_praat, ".TextGrid"),
    "webvtt": Format(is_webvtt, read_webvtt, write_webvtt, ".vtt", precision=1e-3),
    "subrip": Format(is_subrip, read_subrip, suffix=".srt"),
    "boris": Format(is_boris, read_boris, write_boris, precision=1e-3),
    "mma52": Format(is_mma52, read_mma52, **SELF_DESCRIBING),
    "csv": Format(is_plain, _read_found, **DETECTOR_OUTPUT),
    "submission": Format(is_submission, _read_found, **DETECTOR_OUTPUT),
    "elan_table": Format(is_elan_table, read_elan_table, suffix=".txt"),
    "audacity": Format(is_audacity, read_audacity, write_audacity, ".txt"),
    "bids": Format(is_bids, read_bids, write_bids, "_events.tsv"),
    "via_csv": Format(is_via_csv, read_via_csv),
    "predictions": Format(is_predictions, _read_found, **DETECTOR_OUTPUT),
    "activitynet": Format(is_activitynet, read_activitynet, write_activitynet, **SELF_DESCRIBING),
    "boris_project": Format(is_boris_project, read_boris_project),
    "via": Format(is_via, read_via, write_via, ".json"),
    "labelstudio": Format(is_label_studio, read_label_studio, write_label_studio, precision=0),
    "fiftyone": Format(is_fiftyone, read_fiftyone, write_fiftyone, precision=0, players_clock=False),
    "baseline": Format(is_baseline, read_baseline, **SELF_DESCRIBING),
}
EVENT_FORMATS = tuple(name for name, form in FORMATS.items() if form.write)  # what `write_events` writes
PER_VIDEO_FORMATS = tuple(name for name in EVENT_FORMATS if FORMATS[name].suffix)


# --- reading ----------------------------------------------------------------------------------------------------


def format_of(source: Source) -> Format | None:
    """By suffix, header or keys; None where nothing fits. A file of a program that is not read is refused by name."""
    if is_unread(source):
        raise refuse_unread(source)
    return next((form for form in FORMATS.values() if form.recognise(source)), None)


def is_clip_list(path: str | Path | Source) -> bool:
    """Whether a text file is an MA-52 list of clips, as far as its first lines tell, rather than annotations."""
    source = Source.of(path)
    if source.suffix != ".txt":
        return False
    return not (is_boris(source) or is_mma52(source) or is_elan_table(source) or looks_like_audacity(source))


def read_events(
    path: str | Path,
    labels: LabelSet = MMA52,
    fps: float | None = None,
    on_problem: OnProblem = refuse,
    videos: str | Path | VideoFiles | None = None,
    coders: Coders = EVERYONE,
) -> list[Annotation]:
    """Annotations or predictions of any format, or of a folder of files of one format; their notes are the caller's to
    show.

    fps: frames a second of files that count frames and give no rate (the early-2024 MMA-52 CSV, Label Studio,
    FiftyOne). None: as the videos have, else 30 are assumed, with a note. videos: the folder of the videos, or the file
    of the only one, or `VideoFiles` that are shared; they give rates and lengths that are not known, and the start of a
    player's clock. coders: whose annotations are meant, in files that hold those of several people.
    """
    return _read(Source(path), _options(labels, fps, on_problem, videos, coders))[0]


def read_annotations(
    path: str | Path | Source,
    labels: LabelSet = MMA52,
    fps: float | None = None,
    on_problem: OnProblem = refuse,
    videos: str | Path | VideoFiles | None = None,
    coders: Coders = EVERYONE,
) -> list[Annotation]:
    """The same of annotations, with every note as a warning; predictions are refused, but for our plain table, which
    people correct in a spreadsheet.

    on_problem: by default the first thing wrong is raised as an `InputError` that names the row or key; a caller that
    wants them all passes a function that keeps them, and the rows concerned are left out.
    """
    source = Source.of(path)
    found, holds = _read(source, _options(labels, fps, on_problem, videos, coders))
    if holds == PREDICTIONS and not is_plain(source):
        raise _not_recognised(source)
    for note in (note for item in found for note in item.notes):
        warn(note)
    unknown = sum(not item.duration_known for item in found)
    if unknown:
        which = f"the length of {unknown} of {len(found)} videos"
        warn(f"{source.path}: {which} is not known; taken to end with the last action")
    return found


def read_actions(
    path: str | Path,
    labels: LabelSet,
    minimum: np.ndarray | None,
    fps: float | None = None,
    videos: str | Path | VideoFiles | None = None,
    coders: Coders = EVERYONE,
) -> list[Annotation]:
    """The actions in a file: of predictions those that reach the least score of their class, minimum (K,).

    Predictions without `minimum` are refused: what a detector leaves in is mostly false. Anything else is taken whole,
    also with scores: somebody has looked at it.
    """
    found, holds = _read(Source(path), _options(labels, fps, refuse, videos, coders))
    if holds != PREDICTIONS:
        return found
    if minimum is None:
        raise InputError(path, "holds predictions of any score", "give --min-score X or --thresholds FILE")
    return [keep(item, minimum) for item in found]


def read_predictions(path: str | Path, labels: LabelSet | None = None) -> PredictionFile:
    """Predictions from JSON, from a submission CSV of any year, or from a zip that holds one.

    labels: None for the set that the file carries, mma52 where it carries none.
    """
    source = Source(path)
    if source.is_table:
        return PredictionFile(read_submission(source, labels or MMA52), labels or MMA52)
    return read_predictions_json(source, labels)


def read_truth(
    path: str | Path,
    predictions: PredictionFile,
    subset: str | None = None,
    fps: float | None = None,
    videos: str | Path | VideoFiles | None = None,
) -> list[Annotation]:
    """The annotations that predictions are scored against; refused where no action is in them.

    subset, fps: what the user gives, else None: then what the predictions name, and the subset "val" where they
    name none. videos: as in `read_events`.
    """
    origin = predictions.origin
    annotations = read_annotations(path, predictions.labels, fps or origin.fps, videos=videos)
    annotations = select_subset(annotations, subset or origin.subset or "val", path)
    if not any(len(item.labels) for item in annotations):
        raise InputError(path, "there is no action in it to find", "check --ground-truth and --subset")
    return annotations


def select_subset(annotations: list[Annotation], subset: str, path: str | Path) -> list[Annotation]:
    """Those of one subset. A file that names no subsets (the MMA-52 CSV: one file is one subset) is taken whole."""
    kept = [item for item in annotations if not item.subset or _plain_subset(item.subset) == _plain_subset(subset)]
    if not kept:
        known = ", ".join(sorted({item.subset for item in annotations})) or "none"
        raise InputError(path, f"no video of subset {subset!r}", f"subsets in the file: {known}")
    return kept


def _plain_subset(name: str) -> str:
    """Data sets write "Test", and "training", "validation", "testing"."""
    name = name.strip().lower()
    return {"training": "train", "validation": "val", "testing": "test"}.get(name, name)


def _options(
    labels: LabelSet,
    fps: float | None,
    on_problem: OnProblem,
    videos: str | Path | VideoFiles | None,
    coders: Coders,
) -> ReadOptions:
    return ReadOptions(labels, fps, on_problem, coders, None if videos is None else VideoFiles.of(videos))


def _read(source: Source, options: ReadOptions) -> tuple[list[Annotation], str]:
    """(videos, what the file holds: `ANNOTATIONS` or `PREDICTIONS`)"""
    form = format_of(source)
    if form is not None:
        found = [(item, form) for item in join_same_videos(source.path, form.read(source, options), options.on_problem)]
    elif source.path.is_dir():
        found = _read_folder(source.path, options)
    else:
        raise _not_recognised(source)
    videos = [item for item, _ in found]
    if options.videos and videos:
        videos = options.videos.link(videos)
    shown = [
        on_pictures_clock(item, before.duration_known) if own.players_clock else item
        for item, (before, own) in zip(videos, found)
    ]
    return shown, ANNOTATIONS if form is None else form.holds


def _not_recognised(source: Source) -> InputError:
    if source.is_table:
        missing = [name for name in MMA52_COLUMNS if source.table.column(name) is None]
        problem, found = f"no column {', '.join(missing)}", f"found {', '.join(source.table.header)}"
        return InputError(f"{source.path}, line 1", problem, found)
    expected = 'expected ActivityNet\'s {"database": ...} or {video_id: {"actions": ...}}'
    return InputError(source.path, "no annotations in this JSON", expected)


def _read_folder(folder: Path, options: ReadOptions) -> list[tuple[Annotation, Format]]:
    """A file of a format of one file per video gives it the name that it has in the folder, without its suffix, unless
    it names a video itself."""
    suffix, paths = files_of_one_kind(folder)
    videos: dict[str, tuple[Annotation, Format]] = {}
    for path in paths:
        try:
            source = Source(path)
            form = format_of(source)
            if form is None or not form.foreign:
                raise InputError(path, "is of no format that is read from folders", "name this file alone")
            found = join_same_videos(path, form.read(source, replace(options, alone=False)), options.on_problem)
            name = path.relative_to(folder).as_posix()[: -len(suffix)]
            if len(found) == 1 and form.suffix and PurePosixPath(found[0].video_id).name == PurePosixPath(name).name:
                found[0].video_id = check_id(name, str(path))
            for item in found:
                if item.video_id in videos:
                    raise InputError(path, f"video {item.video_id!r} is in another file too", "delete one of them")
                videos[item.video_id] = item, form
        except InputError as error:
            options.on_problem(error)
    notes = [note for item, _ in videos.values() for note in item.notes]
    if notes and not any(len(item.labels) for item, _ in videos.values()):
        options.on_problem(InputError(folder, f"no action in its files: {notes[0]}", "are they the right files?"))
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
    if chosen.players_clock:
        videos = [on_players_clock(item) for item in videos]
    if not chosen.suffix:
        chosen.write(out, videos, options)
        return
    paths = [path_for_id(out, item.video_id, chosen.suffix) for item in videos]
    for path, count in Counter(paths).items():
        if path.exists():
            raise InputError(path, "is there already, perhaps with corrections", "name another folder in --out")
        if count > 1:
            raise InputError(path, "would be the file of several videos", "rename one of the videos")
    for path, item in zip(paths, videos):
        chosen.write(path, [item], options)
