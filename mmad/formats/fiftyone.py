"""FiftyOne's temporal detections, https://docs.voxel51.com. One file for all videos. Standard library only.

It counts frames from 1, the last one inside.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmad.errors import InputError
from mmad.files import check_id, write_json
from mmad.formats.fields import (
    ASSUMED_FPS,
    LeftOut,
    UnknownLabel,
    are_objects,
    assumption,
    frames,
    from_rows,
    if_positive,
    label_id,
    list_of,
    rate_of,
    score_in_range,
    seconds,
    to_frames,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.labels import LabelSet
from mmad.records import Annotation, Row

FIFTYONE_SAMPLES = "samples.json"


def write_fiftyone(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """labels.json of a FiftyOneTemporalDetectionDataset. Its key "videos" is ours, to know rates and lengths again."""
    detections, about_videos = {}, {}
    for item in videos:
        rate = rate_of(item, "FiftyOne")
        about_videos[item.video_id] = {"fps": rate} | ({"duration": item.duration} if item.duration_known else {})
        detections[item.video_id] = [
            {"label": label, "support": list(to_frames(start, end, rate))}
            | ({} if score is None else {"confidence": score})
            for start, end, label, score in item.rows()
        ]
    write_json(path, {"classes": list(options.labels.actions), "labels": detections, "videos": about_videos}, indent=1)


def is_fiftyone(source: Source) -> bool:
    """Whether this is the labels.json of temporal detections, the samples.json of a whole data set, or its folder: a
    FiftyOneDataset has samples.json beside metadata.json, frames.json and the videos in data/."""
    content = _in_folder(source).json
    return isinstance(content, dict) and (isinstance(content.get("labels"), dict) or _are_samples(content))


def _in_folder(source: Source) -> Source:
    """samples.json of a folder; of anything else the source itself."""
    path = source.path / FIFTYONE_SAMPLES
    return Source(path) if source.path.is_dir() and path.is_file() else source


def _are_samples(content) -> bool:
    samples = content.get("samples") if isinstance(content, dict) else None
    return isinstance(samples, list) and bool(samples) and are_objects(samples, "filepath")


def read_fiftyone(source: Source, options: ReadOptions) -> list[Annotation]:
    """labels.json with supports in frames or timestamps in s, or a FiftyOneDataset: its folder or its samples.json.

    options.fps: used where neither "videos" of the former nor the metadata of the latter give it; None: unknown.
    """
    source = _in_folder(source)
    path, content = source.path, source.json
    if _are_samples(content):
        return _read_samples(path, content["samples"], options)
    classes = content.get("classes")
    classes = classes if isinstance(classes, list) else []
    about_videos = content.get("videos")
    videos, without_rate, left_out = [], 0, LeftOut(path, options, "detections")
    for video_id in content["labels"]:
        where = f"{path}, video {video_id!r}"
        try:
            name = check_id(video_id, where)
            video_info = about_videos.get(video_id) if isinstance(about_videos, dict) else None
            video_info = video_info if isinstance(video_info, dict) else {}
            metadata = {key: if_positive(video_info.get(key)) for key in ("duration", "fps")}
            metadata["fps"] = metadata["fps"] or options.rate(name)
            items = list_of(content["labels"], video_id, where)
        except InputError as error:
            options.on_problem(error)
            continue
        rows = _read_rows(items, classes, metadata["fps"], where, left_out)
        without_rate += metadata["fps"] is None and any("support" in item for item in items)
        videos.append(from_rows(name, rows, **metadata))
    notes = left_out.notes(sum(len(video.labels) for video in videos))
    if without_rate:
        notes.append(assumption(f"{path}: {without_rate} of {len(videos)} videos name no fps"))
    if videos:
        videos[0].notes.extend(notes)
    return videos


def _read_samples(path: Path, samples: list[dict], options: ReadOptions) -> list[Annotation]:
    """One field of temporal detections. FiftyOne knows the rate of a video once `compute_metadata()` was called."""
    found: dict[str, tuple[str, dict, dict[str, list]]] = {}  # video: its place in the file, its metadata, its fields
    for number, sample in enumerate(samples):
        where = f"{path}, sample {number}"
        try:
            video_id = _video_of_sample(sample["filepath"], where)
            if video_id in found:
                remedy = "export it with export_media=True, which gives each a name of its own"
                raise InputError(where, f"video {video_id!r} is in another sample too", remedy)
            metadata = sample.get("metadata") if isinstance(sample.get("metadata"), dict) else {}
            found[video_id] = (where, metadata, _temporal_fields(sample, where))
        except InputError as error:
            options.on_problem(error)
    names = _ground_truth_fields_first([fields for _, _, fields in found.values()])
    if found and not names:
        raise InputError(path, "no sample has a field of temporal detections", "is it the data set that holds them?")
    videos, without_rate, left_out = [], 0, LeftOut(path, options, "detections")
    for video_id, (where, metadata, fields) in found.items():
        fps = if_positive(metadata.get("frame_rate")) or options.rate(video_id)
        items = fields.get(names[0], [])
        rows = _read_rows(items, [], fps, where, left_out)
        without_rate += fps is None and bool(items)
        videos.append(from_rows(video_id, rows, duration=if_positive(metadata.get("duration")), fps=fps))
    if videos:
        videos[0].notes.extend(left_out.notes(sum(len(video.labels) for video in videos)))
    if len(names) > 1:
        videos[0].notes.append(f"{path}: its field {names[0]!r} is read, left out: {', '.join(names[1:])}")
    if without_rate:
        problem = f"{without_rate} of {len(videos)} videos have no frame_rate in their metadata"
        videos[0].notes.append(assumption(f"{path}: {problem}"))
    return videos


def _temporal_fields(sample: dict, where: str) -> dict[str, list[dict]]:
    """{field: its detections} of the fields that hold temporal detections, or a single one."""
    fields = {}
    for name, value in sample.items():
        kind = value.get("_cls") if isinstance(value, dict) else None
        if kind == "TemporalDetection":
            fields[name] = [value]
        elif kind == "TemporalDetections":
            fields[name] = list_of(value, "detections", f"{where}, {name}")
    return fields


def _ground_truth_fields_first(samples: list[dict[str, list[dict]]]) -> list[str]:
    """The fields of all samples: first those of annotators, which have no confidences, and of these "ground_truth"."""
    scored: dict[str, bool] = {}
    for name, items in (field for fields in samples for field in fields.items()):
        scored[name] = scored.get(name, False) or any(item.get("confidence") is not None for item in items)
    return sorted(scored, key=lambda name: (scored[name], name != "ground_truth"))


def _video_of_sample(filepath, where: str) -> str:
    """The path of a video below data/, without suffix; of one that was not exported along, its name alone."""
    place = PurePosixPath(str(filepath).replace("\\", "/"))
    if not isinstance(filepath, str) or not place.name:
        raise InputError(where, f"filepath {filepath!r} names no file")
    elsewhere = place.is_absolute() or ":" in filepath
    name = place.name if elsewhere else place.as_posix().removeprefix("data/")
    return check_id(name[: len(name) - len(place.suffix)], where)


def _read_rows(items: list[dict], classes: list, fps: float | None, where: str, left_out: LeftOut) -> list[Row]:
    """fps: of the video, None where unknown."""
    options, rows = left_out.options, []
    for i, item in enumerate(items):
        try:
            rows.append(_read_row(item, classes, options.labels, fps or ASSUMED_FPS, f"{where}, detection {i}"))
        except UnknownLabel as error:
            left_out.unknown(error)
        except InputError as error:
            options.on_problem(error)
    return rows


def _read_row(item: dict, classes: list, labels: LabelSet, fps: float, where: str) -> Row:
    name = item.get("label")  # or the index of one of the classes
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name < len(classes):
        name = classes[name]
    score = None if item.get("confidence") is None else score_in_range(item["confidence"], where)
    span = item.get("support", item.get("timestamps"))
    if not isinstance(span, list) or len(span) != 2:
        raise InputError(where, "has neither support nor timestamps", 'expected "support": [first, last]')
    if "support" in item:
        return (*frames(*span, fps, where), label_id(name, labels, where), score)
    return (*seconds(*span, where, "timestamps"), label_id(name, labels, where), score)
