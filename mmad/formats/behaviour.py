"""Formats of one file for many videos: BORIS, Label Studio, FiftyOne, ActivityNet. Standard library only.

BORIS speaks seconds, whole milliseconds here. Label Studio and FiftyOne count frames from 1, the last one inside.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlparse

from mmad.errors import InputError, refuse
from mmad.files import check_id, read_json, read_table, write_json, write_text
from mmad.formats.annotations import ASSUMED_FPS, OnProblem, assumption, finite_number, label_id, score_in_range
from mmad.formats.events import Events, Row, from_frames, from_rows, rate_of, to_frames
from mmad.labels import MMA52, LabelSet
from mmad.video.finding import VIDEO_SUFFIXES

# --- BORIS: aggregated events, https://boris.unito.it ------------------------------------------------------------

BORIS_COLUMNS = (
    "Observation id",
    "Observation date",
    "Description",
    "Observation type",
    "Source",
    "Time offset (s)",
    "Coding duration",
    "Media duration (s)",
    "FPS (frame/s)",
    "Subject",
    "Observation duration by subject by observation",
    "Behavior",
    "Behavioral category",
    "Behavior type",
    "Start (s)",
    "Stop (s)",
    "Duration (s)",
    "Media file name",
    "Image index start",
    "Image index stop",
    "Image file path start",
    "Image file path stop",
    "Comment start",
    "Comment stop",
)
# What older versions call the same; the first that is there counts.
BORIS_NAMES = {
    "id": ("observation id",),
    "behavior": ("behavior",),
    "start": ("start (s)", "start"),
    "stop": ("stop (s)", "stop"),
    "type": ("behavior type", "status"),
    "duration": ("media duration (s)", "total length", "total duration"),
    "fps": ("fps (frame/s)", "fps"),
    "comment": ("comment start", "comment"),
}


def write_boris(path: str | Path, videos: Sequence[Events], labels: LabelSet = MMA52) -> None:
    """The table that BORIS 8 exports; an observation is a video, a category a body part, the score a comment."""
    text = io.StringIO()
    table = csv.DictWriter(text, BORIS_COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for events in videos:
        media = str(events.media) if events.media else events.video_id
        for start, end, label, score in events.rows():
            frames = ("NA", "NA") if events.fps is None else (round(start * events.fps), round(end * events.fps))
            table.writerow(
                {
                    "Observation id": events.video_id,
                    "Observation type": "Media file",
                    "Source": f"player #1:{media}",
                    "Time offset (s)": 0,
                    "Coding duration": f"{events.length():.3f}",
                    "Media duration (s)": "NA" if events.duration is None else f"{events.duration:.3f}",
                    "FPS (frame/s)": "NA" if events.fps is None else f"{events.fps:g}",
                    "Subject": "No focal subject",
                    "Observation duration by subject by observation": f"{events.length():.3f}",
                    "Behavior": labels.actions[label],
                    "Behavioral category": labels.parts[labels.part_of[label]],
                    "Behavior type": "STATE",
                    "Start (s)": f"{start:.3f}",
                    "Stop (s)": f"{end:.3f}",
                    "Duration (s)": f"{end - start:.3f}",
                    "Media file name": media,
                    "Image index start": frames[0],
                    "Image index stop": frames[1],
                    "Comment start": "" if score is None else f"score {score:.4g}",
                }
            )
    write_text(path, text.getvalue())


def is_boris(header: list[str]) -> bool:
    names = {name.strip().lower() for name in header}
    return {"observation id", "behavior"} <= names


def read_boris(path: str | Path, labels: LabelSet = MMA52, on_problem: OnProblem = refuse) -> list[Events]:
    """The STATE rows of aggregated events of any version, by the names of the columns. POINT rows are counted only."""
    path = Path(path)
    header, table = read_table(path, "\t" if path.suffix.lower() == ".tsv" else ",")
    names = [name.strip().lower() for name in header]
    at = {key: next((names.index(name) for name in known if name in names), None) for key, known in BORIS_NAMES.items()}
    missing = [BORIS_NAMES[key][0] for key in ("id", "behavior", "start", "stop") if at[key] is None]
    if missing:
        raise InputError(f"{path}, line 1", f"no column {', '.join(missing)}", "export aggregated events from BORIS")
    rows_of: dict[str, list] = {}
    known: dict[str, dict] = {}
    points = 0
    for number, fields in enumerate(table, start=2):
        where = f"{path}, line {number}"
        row = {key: "" if i is None else fields[i].strip() for key, i in at.items()}
        try:
            rows = rows_of.setdefault(check_id(row["id"], where), [])
            known.setdefault(row["id"], {"duration": _if_positive(row["duration"]), "fps": _if_positive(row["fps"])})
            if row["type"].upper() == "POINT" or row["stop"].upper() in ("", "NA"):
                points += 1
                continue
            start, stop = (finite_number(row[key], where, key) for key in ("start", "stop"))
            if not 0 <= start <= stop:
                raise InputError(where, f"start {start:g} s, stop {stop:g} s", "expected 0 <= start <= stop")
            label = label_id(row["behavior"], labels, where)
            noted = re.fullmatch(r"score\s+(\S+)", row["comment"])
            rows.append((start, stop, label, score_in_range(noted[1], where) if noted else None))
        except InputError as error:
            on_problem(error)
    videos = [from_rows(video_id, rows, **known[video_id]) for video_id, rows in rows_of.items()]
    if points and videos:
        videos[0].notes.append(f"{path}: {points} point events have no duration and are left out")
    return videos


def _if_positive(text) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError, OverflowError):  # "NA", "" or a list of several players
        return None
    return number if 0 < number < 1e9 else None


# --- Label Studio: https://labelstud.io/tags/timelinelabels ------------------------------------------------------


def write_label_studio(path: str | Path, videos: Sequence[Events], labels: LabelSet = MMA52) -> None:
    """Tasks to import; what has scores as predictions, what people said as annotations.

    For a labeling interface with `<Video name="video" value="$video" frameRate="$fps"/>` (without the last it counts 24
    frames a second) and `<TimelineLabels name="videoLabels" toName="video">` with one `<Label value="..."/>` an action.
    """
    tasks = []
    for events in videos:
        rate = rate_of(events, "Label Studio")
        result = []
        for number, (start, end, label, score) in enumerate(events.rows()):
            first, last = to_frames(start, end, rate)
            item = {
                "id": f"{len(tasks)}_{number}",
                "from_name": "videoLabels",
                "to_name": "video",
                "type": "timelinelabels",
                "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [labels.actions[label]]},
            }
            result.append(item if score is None else {**item, "score": score})
        data = {"video": str(events.media or events.video_id), "video_id": events.video_id, "fps": rate}
        data |= {} if events.duration is None else {"duration": events.duration}
        if events.scores is None:
            tasks.append({"data": data, "annotations": [{"result": result}]})
        else:
            tasks.append({"data": data, "predictions": [{"model_version": "mmad", "result": result}]})
    write_json(path, tasks, indent=1)


def is_label_studio(content) -> bool:
    """Whether these are the tasks of an export as JSON, or the rows of one as JSON-MIN."""
    return isinstance(content, list) and bool(content) and (_are_rows(content) or _have(content, "data"))


def _are_rows(content: list) -> bool:
    """JSON-MIN has the data of a task, what its tags say and who said it side by side in one object."""
    return _have(content, "annotator", "annotation_id")


def _have(content: list, *keys: str) -> bool:
    return all(isinstance(item, dict) and all(key in item for key in keys) for item in content)


def read_label_studio(
    path: str | Path, labels: LabelSet = MMA52, fps: float | None = None, on_problem: OnProblem = refuse
) -> list[Events]:
    """What an export as JSON or JSON-MIN says of stretches of time: timeline labels, in frames, and labels of the
    sound track, in seconds. Of each task the newest annotation that stands counts, or else the last prediction.

    fps: where the task's data does not say "fps"; None: nobody said.
    """
    path = Path(path)
    content = read_json(path)
    if not is_label_studio(content):
        raise InputError(path, "is no Label Studio export", 'expected [{"data": ..., "annotations": [...]}]')
    videos, without_rate = [], 0
    tasks = _tasks_of_rows(content) if _are_rows(content) else dict(enumerate(content))
    for number, task in tasks.items():
        where = f"{path}, task {number}"
        try:
            events, counted = _label_studio_task(task, labels, fps or ASSUMED_FPS, where, on_problem)
        except InputError as error:
            on_problem(error)
            continue
        videos.append(events)
        without_rate += counted and events.fps is None
    if without_rate and fps is None:
        said = assumption(f"{path}: {without_rate} of {len(tasks)} tasks name no fps")
        videos[0].notes.append(f"{said}; Label Studio counts 24 where its <Video> has no frameRate")
    return videos


def _tasks_of_rows(rows: list[dict]) -> dict[int, dict]:
    """{number of its first row: task as in JSON}. A row of JSON-MIN is one annotation; the newest of a task come first.

    Its keys are named as the tags of the labeling interface are, so any list of objects may be what a tag says.
    """
    tasks: dict[int, dict] = {}
    first_row: dict[str, int] = {}
    for number, row in enumerate(rows):
        first = number if row.get("id") is None else first_row.setdefault(repr(row["id"]), number)
        values = [item for value in row.values() if isinstance(value, list) for item in value if isinstance(item, dict)]
        times = {key: row.get(key) for key in ("created_at", "updated_at")}
        annotation = {**times, "result": [{"value": value} for value in values]}
        tasks.setdefault(first, {"data": row, "annotations": []})["annotations"].insert(0, annotation)
    return tasks


def _label_studio_task(
    task: dict, labels: LabelSet, fps: float, where: str, on_problem: OnProblem
) -> tuple[Events, bool]:
    """(what it says, whether in frames). fps: of a task that does not name its own."""
    data = task["data"] if isinstance(task["data"], dict) else {}
    known = {"duration": _if_positive(data.get("duration")), "fps": _if_positive(data.get("fps"))}
    notes = []
    standing = [item for item in _list_of(task, "annotations", where) if not item.get("was_cancelled")]
    standing.sort(key=lambda item: str(item.get("updated_at") or item.get("created_at") or ""))
    if len(standing) > 1:
        notes.append(f"{where} has {len(standing)} annotations: the newest counts")
    chosen = standing or _predictions(task, where, notes)
    rows, passed, counted = [], 0, False
    for i, item in enumerate(_list_of(chosen[-1], "result", where) if chosen else []):
        place = f"{where}, result {i}"
        value = item.get("value") if isinstance(item.get("value"), dict) else {}
        try:
            segments, names = _label_studio_region(value, known["fps"] or fps, place)
            score = None if item.get("score") is None else score_in_range(item["score"], place)
            rows += [(*segment, label_id(name, labels, place), score) for segment in segments for name in names]
        except InputError as error:
            on_problem(error)
            continue
        passed += not names
        counted |= "ranges" in value
    if passed:
        notes.append(f"{where}: {passed} results are no labels of a stretch of time and are left out")
    return from_rows(_label_studio_name(data, where), rows, **known, notes=notes), counted


def _predictions(task: dict, where: str, notes: list[str]) -> list[dict]:
    """Snapshots of a project hold no more than the ids of predictions, if not told otherwise."""
    found = task.get("predictions")
    if isinstance(found, list) and found and all(isinstance(item, int) for item in found):
        notes.append(f"{where} names its predictions by their ids only: they are left out")
        return []
    return _list_of(task, "predictions", where)


def _label_studio_region(value: dict, fps: float, where: str) -> tuple[list[tuple[float, float]], list]:
    """(segments in s, names) of the value of a result; of one that is no stretch of time, such as a box, none."""
    names = value.get("timelinelabels")
    if isinstance(names, list):
        ranges = _list_of(value, "ranges", where)
        return [_frames(span.get("start"), span.get("end"), fps, where) for span in ranges], names
    names = value.get("labels")
    if isinstance(names, list) and isinstance(value.get("start"), (int, float)) and "text" not in value:
        # With a text it would count characters.
        return [_seconds(value["start"], value.get("end"), where, "time")], names
    return [], []


LINK_TO_VIDEO = re.compile(rf".+({'|'.join(map(re.escape, VIDEO_SUFFIXES))})([?#].*)?", re.IGNORECASE)


def _label_studio_name(data: dict, where: str) -> str:
    """The id we wrote, or the name of the video file that the task links as "video" or, say, "video_url"."""
    if isinstance(data.get("video_id"), str):
        return check_id(data["video_id"], where)
    link = data.get("video")
    if not isinstance(link, str):
        texts = [text for text in data.values() if isinstance(text, str) and LINK_TO_VIDEO.fullmatch(text)]
        texts.sort(key=lambda text: "/" not in text)  # a title may end like a file's name too
        link = texts[0] if texts else None
    if link is None:
        raise InputError(where, 'its data names no "video"')
    try:
        address = urlparse(link)
    except ValueError:  # "http://[": an address that is none
        raise InputError(where, f"video {link!r} is no address") from None
    name = PurePosixPath(unquote(parse_qs(address.query).get("d", [address.path])[0])).stem
    if "/upload/" in link:  # Label Studio puts eight digits before what was uploaded
        name = re.sub(r"^[0-9a-f]{8}-", "", name)
    return check_id(name, where)


# --- FiftyOne: temporal detections, https://docs.voxel51.com ------------------------------------------------------

FIFTYONE_SAMPLES = "samples.json"


def write_fiftyone(path: str | Path, videos: Sequence[Events], labels: LabelSet = MMA52) -> None:
    """labels.json of a FiftyOneTemporalDetectionDataset. Its key "videos" is ours, to know rates and lengths again."""
    found, about = {}, {}
    for events in videos:
        rate = rate_of(events, "FiftyOne")
        about[events.video_id] = {"fps": rate} | ({} if events.duration is None else {"duration": events.duration})
        found[events.video_id] = [
            {"label": label, "support": list(to_frames(start, end, rate))}
            | ({} if score is None else {"confidence": score})
            for start, end, label, score in events.rows()
        ]
    write_json(path, {"classes": list(labels.actions), "labels": found, "videos": about}, indent=1)


def is_fiftyone(content) -> bool:
    """Whether this is the labels.json of temporal detections, or the samples.json of a whole data set."""
    return isinstance(content, dict) and (isinstance(content.get("labels"), dict) or _are_samples(content))


def is_fiftyone_folder(folder: Path) -> bool:
    """Whether a folder is a FiftyOneDataset: samples.json beside metadata.json, frames.json and the videos in data/."""
    path = folder / FIFTYONE_SAMPLES
    return path.is_file() and _are_samples(read_json(path))


def _are_samples(content) -> bool:
    samples = content.get("samples") if isinstance(content, dict) else None
    return isinstance(samples, list) and bool(samples) and _have(samples, "filepath")


def read_fiftyone(
    path: str | Path, labels: LabelSet = MMA52, fps: float | None = None, on_problem: OnProblem = refuse
) -> list[Events]:
    """labels.json with supports in frames or timestamps in s, or a FiftyOneDataset: its folder or its samples.json.

    fps: where neither "videos" of the former nor the metadata of the latter say; None: nobody said.
    """
    path = Path(path) / FIFTYONE_SAMPLES if Path(path).is_dir() else Path(path)
    content = read_json(path)
    if _are_samples(content):
        return _fiftyone_samples(path, content["samples"], labels, fps, on_problem)
    if not is_fiftyone(content):
        raise InputError(path, "is no FiftyOne labels.json", 'expected {"classes": ..., "labels": {...}}')
    classes = content.get("classes")
    classes = classes if isinstance(classes, list) else []
    about = content.get("videos")
    videos, without_rate = [], 0
    for video_id in content["labels"]:
        where = f"{path}, video {video_id!r}"
        try:
            check_id(video_id, where)
            mine = about.get(video_id) if isinstance(about, dict) else None
            mine = mine if isinstance(mine, dict) else {}
            known = {name: _if_positive(mine.get(name)) for name in ("duration", "fps")}
            items = _list_of(content["labels"], video_id, where)
        except InputError as error:
            on_problem(error)
            continue
        rows = _fiftyone_rows(items, classes, labels, known["fps"] or fps or ASSUMED_FPS, where, on_problem)
        without_rate += known["fps"] is None and any("support" in item for item in items)
        videos.append(from_rows(video_id, rows, **known))
    if without_rate and fps is None:
        videos[0].notes.append(assumption(f"{path}: {without_rate} of {len(videos)} videos name no fps"))
    return videos


def _fiftyone_samples(
    path: Path, samples: list[dict], labels: LabelSet, fps: float | None, on_problem: OnProblem
) -> list[Events]:
    """One field of temporal detections. FiftyOne knows the rate of a video once `compute_metadata()` was called."""
    found: dict[str, tuple[str, dict, dict[str, list]]] = {}  # video: where it stands, its metadata, its fields
    for number, sample in enumerate(samples):
        where = f"{path}, sample {number}"
        try:
            video_id = _fiftyone_name(sample["filepath"], where)
            if video_id in found:
                remedy = "export it with export_media=True, which gives each a name of its own"
                raise InputError(where, f"video {video_id!r} is in another sample too", remedy)
            metadata = sample.get("metadata") if isinstance(sample.get("metadata"), dict) else {}
            found[video_id] = (where, metadata, _temporal_fields(sample, where))
        except InputError as error:
            on_problem(error)
    names = _said_first([fields for _, _, fields in found.values()])
    if found and not names:
        raise InputError(path, "no sample has a field of temporal detections", "is it the data set that holds them?")
    videos, unknown = [], 0
    for video_id, (where, metadata, fields) in found.items():
        known = {"duration": _if_positive(metadata.get("duration")), "fps": _if_positive(metadata.get("frame_rate"))}
        items = fields.get(names[0], [])
        rows = _fiftyone_rows(items, [], labels, known["fps"] or fps or ASSUMED_FPS, where, on_problem)
        unknown += known["fps"] is None and bool(items)
        videos.append(from_rows(video_id, rows, **known))
    if len(names) > 1:
        videos[0].notes.append(f"{path}: its field {names[0]!r} is read, left out: {', '.join(names[1:])}")
    if unknown and fps is None:
        problem = f"{unknown} of {len(videos)} videos have no frame_rate in their metadata"
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
            fields[name] = _list_of(value, "detections", f"{where}, {name}")
    return fields


def _said_first(samples: list[dict[str, list[dict]]]) -> list[str]:
    """The fields of all samples: first what people said, which has no confidences, and of this "ground_truth"."""
    scored: dict[str, bool] = {}
    for name, items in (field for fields in samples for field in fields.items()):
        scored[name] = scored.get(name, False) or any(item.get("confidence") is not None for item in items)
    return sorted(scored, key=lambda name: (scored[name], name != "ground_truth"))


def _fiftyone_name(filepath, where: str) -> str:
    """The path of a video below data/, without suffix; of one that was not exported along, its name alone."""
    place = PurePosixPath(str(filepath).replace("\\", "/"))
    if not isinstance(filepath, str) or not place.name:
        raise InputError(where, f"filepath {filepath!r} names no file")
    elsewhere = place.is_absolute() or ":" in filepath
    name = place.name if elsewhere else place.as_posix().removeprefix("data/")
    return check_id(name[: len(name) - len(place.suffix)], where)


def _fiftyone_rows(
    items: list[dict], classes: list, labels: LabelSet, fps: float, where: str, on_problem: OnProblem
) -> list[Row]:
    rows = []
    for i, item in enumerate(items):
        try:
            rows.append(_fiftyone_row(item, classes, labels, fps, f"{where}, detection {i}"))
        except InputError as error:
            on_problem(error)
    return rows


def _fiftyone_row(item: dict, classes: list, labels: LabelSet, fps: float, where: str) -> Row:
    label = item.get("label")
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(classes):
        label = classes[label]
    score = None if item.get("confidence") is None else score_in_range(item["confidence"], where)
    span = item.get("support", item.get("timestamps"))
    if not isinstance(span, list) or len(span) != 2:
        raise InputError(where, "has neither support nor timestamps", 'expected "support": [first, last]')
    if "support" in item:
        return (*_frames(*span, fps, where), label_id(label, labels, where), score)
    return (*_seconds(*span, where, "timestamps"), label_id(label, labels, where), score)


# --- ActivityNet --------------------------------------------------------------------------------------------------


def write_activitynet(path: str | Path, videos: Sequence[Events], labels: LabelSet = MMA52) -> None:
    """{"database": {video_id: {"duration", "annotations"}}}; `read_annotations` reads it, without the scores."""
    database = {}
    for events in videos:
        about = {"duration": events.length()}
        about |= {} if events.fps is None else {"fps": events.fps}
        about |= {"subset": events.subset} if events.subset else {}
        annotations = [
            {"segment": [round(start, 6), round(end, 6)], "label": labels.actions[label]}
            | ({} if score is None else {"score": score})
            for start, end, label, score in events.rows()
        ]
        database[events.video_id] = {**about, "annotations": annotations}
    write_json(path, {"version": "mmad-1", "database": database}, indent=1)


# --- fields -------------------------------------------------------------------------------------------------------


def _list_of(item: dict, key: str, where: str) -> list[dict]:
    """A list of objects; empty where the key is missing or null."""
    found = item.get(key) or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InputError(where, f"{key!r} is not a list of objects")
    return found


def _seconds(start, end, where: str, name: str) -> tuple[float, float]:
    start, end = (finite_number(value, where, name) for value in (start, end))
    if not 0 <= start <= end:
        raise InputError(where, f"{name} {start:g} s .. {end:g} s", "expected 0 <= start <= end")
    return start, end


def _frames(first, last, fps: float, where: str) -> tuple[float, float]:
    first, last = (finite_number(value, where, "frame") for value in (first, last))
    if not 1 <= first <= last:
        raise InputError(where, f"frames {first:g} .. {last:g}", "frames count from 1, and the last comes last")
    return from_frames(first, last, fps)
