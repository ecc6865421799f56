"""Label Studio, https://labelstud.io/tags/timelinelabels. One file for all videos. Standard library only.

It counts frames from 1, the last one inside.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlparse

from mmad.errors import InputError
from mmad.files import check_id, write_json
from mmad.formats.fields import (
    ASSUMED_FPS,
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
from mmad.records import Annotation
from mmad.video.finding import VIDEO_SUFFIXES


def write_label_studio(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """Tasks to import; what has scores as predictions, what people said as annotations.

    For a labeling interface with `<Video name="video" value="$video" frameRate="$fps"/>` (without the last it counts 24
    frames a second) and `<TimelineLabels name="videoLabels" toName="video">` with one `<Label value="..."/>` an action.
    """
    tasks = []
    for video in videos:
        rate = rate_of(video, "Label Studio")
        result = []
        for number, (start, end, label, score) in enumerate(video.rows()):
            first, last = to_frames(start, end, rate)
            item = {
                "id": f"{len(tasks)}_{number}",
                "from_name": "videoLabels",
                "to_name": "video",
                "type": "timelinelabels",
                "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [options.labels.actions[label]]},
            }
            result.append(item if score is None else {**item, "score": score})
        data = {"video": str(video.media or video.video_id), "video_id": video.video_id, "fps": rate}
        data |= {"duration": video.duration} if video.duration_known else {}
        if video.scores is None:
            tasks.append({"data": data, "annotations": [{"result": result}]})
        else:
            tasks.append({"data": data, "predictions": [{"model_version": "mmad", "result": result}]})
    write_json(path, tasks, indent=1)


def is_label_studio(source: Source) -> bool:
    """Whether these are the tasks of an export as JSON, or the rows of one as JSON-MIN."""
    content = source.json
    return isinstance(content, list) and bool(content) and (_are_rows(content) or are_objects(content, "data"))


def _are_rows(content: list) -> bool:
    """JSON-MIN has the data of a task, what its tags say and who said it side by side in one object."""
    return are_objects(content, "annotator", "annotation_id")


def read_label_studio(source: Source, options: ReadOptions) -> list[Annotation]:
    """What an export as JSON or JSON-MIN says of stretches of time: timeline labels, in frames, and labels of the
    sound track, in seconds. Of each task the newest annotation that stands counts, or else the last prediction.

    options.fps: where the task's data does not say "fps"; None: nobody said.
    """
    path, content = source.path, source.json
    videos, without_rate = [], 0
    tasks = _tasks_of_rows(content) if _are_rows(content) else dict(enumerate(content))
    for number, task in tasks.items():
        where = f"{path}, task {number}"
        try:
            video, counted = _read_task(task, options, where)
        except InputError as error:
            options.on_problem(error)
            continue
        videos.append(video)
        without_rate += counted and video.fps is None
    if without_rate and options.fps is None:
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


def _read_task(task: dict, options: ReadOptions, where: str) -> tuple[Annotation, bool]:
    """(what it says, whether in frames)."""
    data = task["data"] if isinstance(task["data"], dict) else {}
    known = {"duration": if_positive(data.get("duration")), "fps": if_positive(data.get("fps"))}
    notes = []
    standing = [item for item in list_of(task, "annotations", where) if not item.get("was_cancelled")]
    standing.sort(key=lambda item: str(item.get("updated_at") or item.get("created_at") or ""))
    if len(standing) > 1:
        notes.append(f"{where} has {len(standing)} annotations: the newest counts")
    chosen = standing or _predictions(task, where, notes)
    rows, passed, counted = [], 0, False
    for i, item in enumerate(list_of(chosen[-1], "result", where) if chosen else []):
        place = f"{where}, result {i}"
        value = item.get("value") if isinstance(item.get("value"), dict) else {}
        try:
            segments, names = _read_region(value, known["fps"] or options.fps or ASSUMED_FPS, place)
            score = None if item.get("score") is None else score_in_range(item["score"], place)
            rows += [(*segment, label_id(name, options.labels, place), score) for segment in segments for name in names]
        except InputError as error:
            options.on_problem(error)
            continue
        passed += not names
        counted |= "ranges" in value
    if passed:
        notes.append(f"{where}: {passed} results are no labels of a stretch of time and are left out")
    return from_rows(_video_of_task(data, where), rows, **known, notes=notes), counted


def _predictions(task: dict, where: str, notes: list[str]) -> list[dict]:
    """Snapshots of a project hold no more than the ids of predictions, if not told otherwise."""
    found = task.get("predictions")
    if isinstance(found, list) and found and all(isinstance(item, int) for item in found):
        notes.append(f"{where} names its predictions by their ids only: they are left out")
        return []
    return list_of(task, "predictions", where)


def _read_region(value: dict, fps: float, where: str) -> tuple[list[tuple[float, float]], list]:
    """(segments in s, names) of the value of a result; of one that is no stretch of time, such as a box, none."""
    names = value.get("timelinelabels")
    if isinstance(names, list):
        ranges = list_of(value, "ranges", where)
        return [frames(span.get("start"), span.get("end"), fps, where) for span in ranges], names
    names = value.get("labels")
    if isinstance(names, list) and isinstance(value.get("start"), (int, float)) and "text" not in value:
        # With a text it would count characters.
        return [seconds(value["start"], value.get("end"), where, "time")], names
    return [], []


LINK_TO_VIDEO = re.compile(rf".+({'|'.join(map(re.escape, VIDEO_SUFFIXES))})([?#].*)?", re.IGNORECASE)


def _video_of_task(data: dict, where: str) -> str:
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
