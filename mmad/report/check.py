"""Problems of a data set, row by row, and its statistics in words; nothing is changed."""

from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.formats import FORMATS, Source, is_clip_list, read_annotations
from mmad.formats.fields import ASSUMED_FPS
from mmad.formats.linking import VideoFiles
from mmad.formats.mma52 import is_placeholder, read_clip_list
from mmad.formats.source import EVERYONE, Coders
from mmad.labels import LabelSet
from mmad.metrics.statistics import annotation_statistics
from mmad.metrics.statistics import as_text as statistics_text
from mmad.records import Annotation
from mmad.video.finding import VideoFolder


def check_data(
    path: str | Path,
    labels: LabelSet,
    videos: str | None = None,
    fps: float | None = None,
    coders: Coders = EVERYONE,
) -> tuple[list[str], list[str]]:
    """(problems, report) of an annotation file or MA-52 list, each a list of lines.

    videos: folder of the video files, directly or in subfolders train, val, test. fps: frames per second where the file
    has no rates; None: not known, those of the videos count, else 30. coders: whose annotations they are.
    """
    path, source = Path(path), Source(path)
    if is_clip_list(source):
        return _check_list(path, labels, videos)
    found: list[InputError] = []
    files = None if videos is None else VideoFiles(videos)
    annotations = read_annotations(source, labels, fps, found.append, files, coders)
    problems = [str(error) for error in found]
    if not annotations and not problems:
        problems.append(f"{path}: no annotated video in the file")
    if is_placeholder(annotations):
        problems.append(f"{path}: placeholder rows (frames 0-20 of every video), as in the official test.csv: no truth")
    if FORMATS["activitynet"].recognise(source):  # of data sets, not of what people annotate in a player
        unknown = [item.video_id for item in annotations if not item.duration_known]
        problems += [f"{path}, video {name!r}: no duration; add its length in seconds" for name in unknown]
    for item in annotations:
        problems += _instance_problems(item, labels)
    if files is not None:
        for item in annotations:
            problems += _video_problems(item, files)
    return problems, _statistics(annotations, labels, fps)


def _statistics(annotations: list[Annotation], labels: LabelSet, fps: float | None) -> list[str]:
    """The statistics of each subset, and the frame rates, a line each."""
    rates = [item.fps or fps or ASSUMED_FPS for item in annotations]
    report = []
    for subset in sorted({item.subset for item in annotations}):
        chosen = [item for item in annotations if item.subset == subset]
        report += [f"subset {subset}"] if subset else []
        report += statistics_text(annotation_statistics(chosen, labels), labels, float(np.median(rates))).splitlines()
    if rates and len(set(rates)) > 1:
        shares = ", ".join(f"{rate:g}: {100 * rates.count(rate) / len(rates):.1f} %" for rate in sorted(set(rates)))
        report.append(f"frames per second   {shares}")
    if fps is None and any(item.fps is None for item in annotations):
        assumed = f"{ASSUMED_FPS:g} are assumed for the stride"
        report.append(f"frames per second   not in the file: {assumed}; else give --fps N")
    return report


def _instance_problems(item: Annotation, labels: LabelSet) -> list[str]:
    problems = []
    tolerance = 0.5 / (item.fps or ASSUMED_FPS)
    seen = set()
    for (start, end), label in zip(item.segments.tolist(), item.labels.tolist()):
        what = f"{item.video_id}: {labels.actions[label]} at {start:.3f} - {end:.3f} s"
        if (start, end, label) in seen:
            problems.append(f"{what} is there twice; delete one")
        seen.add((start, end, label))
        if end > item.duration + tolerance:
            problems.append(f"{what} ends {end - item.duration:.3f} s past the video ({item.duration:.3f} s)")
        if end == start:
            problems.append(f"{what} has no length: no detection can ever match it")
    return problems


def _video_problems(item: Annotation, files: VideoFiles) -> list[str]:
    try:
        file = files.folder.find(item.video_id, item.subset)
        info = files.info(file)
    except InputError as error:
        return [str(error)]
    problems = []
    if item.fps and abs(info.fps - item.fps) > 0.02 * item.fps:
        problems.append(f"{file}: {info.fps:.3f} frames per second, annotated as {item.fps:g}")
    if item.fps and abs(info.num_frames - item.duration * item.fps) > 1.5:
        problems.append(f"{file}: {info.num_frames} frames, annotated as {item.duration * item.fps:.0f}")
    elif not item.fps and abs(info.duration - item.duration) > 0.1:
        problems.append(f"{file}: {info.duration:.3f} s long, annotated as {item.duration:.3f} s")
    problems += [f"{file}: {remark}" for remark in info.remarks]
    if not info.is_complete:
        problems.append(f"{file}: cut off, {info.num_frames} of {info.expected_frames} frames are there")
    return problems


def _check_list(path: Path, labels: LabelSet, videos: str | None) -> tuple[list[str], list[str]]:
    found: list[InputError] = []
    clips = read_clip_list(path, labels, on_problem=found.append)
    problems = [str(error) for error in found]
    counts = np.bincount([label for _, label in clips] or [0], minlength=len(labels)) * bool(clips)
    absent = [labels.actions[k] for k in np.flatnonzero(counts == 0)]
    report = [f"{len(clips)} clips of {int((counts > 0).sum())} classes, {counts.min()} - {counts.max()} per class"]
    report += [f"classes without a clip: {', '.join(absent)}"] if absent else []
    if videos is not None:
        problems += _clip_problems([name for name, _ in clips], VideoFolder(videos))
    return problems, report


def _clip_problems(names: list[str], folder: VideoFolder) -> list[str]:
    from mmad.video.reader import probe  # on demand: lists alone are checked without any video library

    problems = []
    for name in names:
        try:
            probe(folder.find(name))
        except InputError as error:
            problems.append(str(error))
    return problems
