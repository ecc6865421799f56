"""Which file is of which format: events written by the name of a format, read by what a file holds. Numpy only."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmad.errors import InputError, refuse
from mmad.files import path_for_id, read_json, read_table
from mmad.formats.annotations import OnProblem, is_detection_table, read_annotations, read_predictions
from mmad.formats.behaviour import (
    is_boris,
    is_fiftyone,
    is_fiftyone_folder,
    is_label_studio,
    read_boris,
    read_fiftyone,
    read_label_studio,
    write_activitynet,
    write_boris,
    write_fiftyone,
    write_label_studio,
)
from mmad.formats.elan import read_eaf, write_eaf
from mmad.formats.events import Events, from_annotation, from_detections, keep
from mmad.formats.per_video import (
    BIDS_SUFFIX,
    is_via,
    read_audacity,
    read_bids,
    read_via,
    read_webvtt,
    write_audacity,
    write_bids,
    write_via,
    write_webvtt,
)
from mmad.labels import MMA52, LabelSet
from mmad.video.finding import find_video

# One file a video: {name: (what follows the video's id, writer)}.
PER_VIDEO_FORMATS = {
    "elan": (".eaf", write_eaf),
    "via": (".json", write_via),
    "webvtt": (".vtt", write_webvtt),
    "audacity": (".txt", write_audacity),
    "bids": (BIDS_SUFFIX, write_bids),
}
WHOLE_FORMATS = {
    "boris": write_boris,
    "labelstudio": write_label_studio,
    "activitynet": write_activitynet,
    "fiftyone": write_fiftyone,
}
EVENT_FORMATS = (*PER_VIDEO_FORMATS, *WHOLE_FORMATS)
# What a folder of corrected files is made of; the last two only where there is none of the others.
FOLDER_SUFFIXES = (".eaf", ".vtt", BIDS_SUFFIX, ".csv")
LESS_TELLING_SUFFIXES = (".json", ".txt")


def write_events(
    out: str | Path, videos: Sequence[Events], form: str, labels: LabelSet = MMA52, tiers: str = "action"
) -> None:
    """One file, or for a format of `PER_VIDEO_FORMATS` one file a video in the folder `out`.

    tiers: of ELAN, one an action or one a body part. A file of a video that is there already is never written over:
    somebody may have corrected it.
    """
    if form in WHOLE_FORMATS:
        WHOLE_FORMATS[form](out, videos, labels)
        return
    suffix, write = PER_VIDEO_FORMATS[form]
    paths = [path_for_id(out, events.video_id, suffix) for events in videos]
    for path in paths:
        if path.exists():
            raise InputError(path, "is there already, perhaps with corrections", "name another folder in --out")
    for path, events in zip(paths, videos):
        if form == "elan":
            write_eaf(path, events, labels, tiers)
        else:
            write(path, events, labels)


OURS = ("annotations", "predictions")


def kind_of(path: Path) -> str:
    """Which of `READERS` a file or folder is for, by suffix, header or keys; "annotations" where nothing else fits."""
    if path.is_dir():
        return "fiftyone" if is_fiftyone_folder(path) else "folder"
    suffix = path.suffix.lower()
    if suffix in (".eaf", ".vtt", ".txt"):
        return {".eaf": "elan", ".vtt": "webvtt", ".txt": "audacity"}[suffix]
    if suffix == ".tsv":
        return "boris" if is_boris(read_table(path, "\t")[0]) else "bids"
    if suffix in (".csv", ".zip"):
        header, _ = read_table(path)
        return "boris" if is_boris(header) else "predictions" if is_detection_table(header) else "annotations"
    content = read_json(path)
    if isinstance(content, dict) and "results" in content:
        return "predictions"
    if is_via(content):
        return "via"
    if is_label_studio(content):
        return "labelstudio"
    return "fiftyone" if is_fiftyone(content) else "annotations"


def read_events(
    path: str | Path, labels: LabelSet = MMA52, fps: float | None = None, on_problem: OnProblem = refuse
) -> list[Events]:
    """Annotations or predictions of any format, or of a folder of files of one format.

    fps: frames a second of files that count frames and do not say how fast (the early-2024 MMA-52 CSV, Label Studio,
    FiftyOne). None: nobody said; 30 are then assumed, with a warning or a note.
    """
    return READERS[kind_of(Path(path))](Path(path), labels, fps, on_problem)


def read_foreign(path: Path, labels: LabelSet, fps: float | None, on_problem: OnProblem) -> list[Events] | None:
    """The same for the formats of other programs alone; None where the file is in none of them."""
    kind = kind_of(path)
    return None if kind in OURS else READERS[kind](path, labels, fps, on_problem)


def read_actions(
    path: str | Path, labels: LabelSet, minimum: np.ndarray | None, fps: float | None = None
) -> list[Events]:
    """What a file says is happening: of predictions those that reach the least score of their class, minimum (K,).

    Predictions without `minimum` are refused: what a detector leaves in is mostly false. Anything else is taken whole,
    also with scores: somebody has looked at it.
    """
    videos = read_events(path, labels, fps)
    if kind_of(Path(path)) != "predictions":
        return videos
    if minimum is None:
        raise InputError(path, "holds predictions of any score", "give --min-score X or --thresholds FILE")
    return [keep(events, minimum) for events in videos]


def link_videos(videos: list[Events], place: str | Path) -> tuple[list[Events], list[str]]:
    """(videos with their file, and with its rate and length where these were not known, ids without a file).

    place: a folder of videos, or the file of the only one.
    """
    from mmad.video.reader import probe

    place = Path(place)
    if not place.is_dir() and len(videos) != 1:
        raise InputError(place, f"is one file for {len(videos)} videos", "give the folder of the videos")
    linked, missing = [], []
    for events in videos:
        try:
            media = find_video(place, events.video_id, events.subset) if place.is_dir() else place
        except InputError:
            linked.append(events)
            missing.append(events.video_id)
            continue
        info = probe(media)
        known = {"duration": events.duration or info.duration, "fps": events.fps or info.fps}
        linked.append(replace(events, media=media, **known))
    return linked, missing


def _read_folder(folder: Path, labels: LabelSet, fps: float | None, on_problem: OnProblem) -> list[Events]:
    """A file of a format of one file a video gives it the name that it has in the folder, without its suffix."""
    suffix, paths = _files_of_one_kind(folder)
    videos: dict[str, Events] = {}
    for path in paths:
        try:
            kind = kind_of(path)
            if kind in OURS:
                raise InputError(path, "is of no format that is read from folders", "name this file alone")
            found = READERS[kind](path, labels, fps, on_problem)
            if len(found) == 1 and kind in PER_VIDEO_FORMATS:
                found[0].video_id = path.relative_to(folder).as_posix()[: -len(suffix)]
            for events in found:
                if events.video_id in videos:
                    raise InputError(path, f"video {events.video_id!r} is in another file too", "delete one of them")
                videos[events.video_id] = events
        except InputError as error:
            on_problem(error)
    return list(videos.values())


def _files_of_one_kind(folder: Path) -> tuple[str, list[Path]]:
    """(suffix, files in the folder and below), hidden ones left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    for suffixes in (FOLDER_SUFFIXES, *((suffix,) for suffix in LESS_TELLING_SUFFIXES)):
        kinds = {suffix: [path for path in files if path.name.lower().endswith(suffix)] for suffix in suffixes}
        kinds = {suffix: paths for suffix, paths in kinds.items() if paths}
        if len(kinds) > 1:
            raise InputError(folder, f"holds files of several kinds: {', '.join(kinds)}", "keep those of one kind")
        if kinds:
            return kinds.popitem()
    known = ", ".join((*FOLDER_SUFFIXES, *LESS_TELLING_SUFFIXES))
    raise InputError(folder, "no annotations in this folder", f"expected one file a video: {known}")


# {kind of file: reader(path, labels, fps, on_problem)}; the first two are ours, the others those of other programs.
READERS = {
    "annotations": lambda path, *settings: [from_annotation(item) for item in read_annotations(path, *settings)],
    "predictions": lambda path, labels, *_: [
        from_detections(item) for item in read_predictions(path, labels).detections
    ],
    "folder": _read_folder,
    "elan": lambda path, labels, fps, on_problem: [read_eaf(path, labels, on_problem)],
    "webvtt": lambda path, labels, fps, on_problem: read_webvtt(path, labels, on_problem),
    "audacity": lambda path, labels, fps, on_problem: read_audacity(path, labels, on_problem),
    "bids": lambda path, labels, fps, on_problem: read_bids(path, labels, on_problem),
    "via": lambda path, labels, fps, on_problem: read_via(path, labels, on_problem),
    "boris": lambda path, labels, fps, on_problem: read_boris(path, labels, on_problem),
    "labelstudio": read_label_studio,
    "fiftyone": read_fiftyone,
}
