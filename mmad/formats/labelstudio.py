"""Label Studio, https://labelstud.io/tags/timelinelabels. One file for all videos. Standard library only.

It counts frames from 1, the last one inside.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mmad.errors import InputError
from mmad.files import check_id, write_json
from mmad.formats.fields import (
    ASSUMED_FPS,
    LeftOut,
    UnknownLabel,
    are_objects,
    as_number,
    assumption,
    frames,
    from_rows,
    if_positive,
    label_id,
    list_of,
    names_of_links,
    rate_of,
    score_in_range,
    seconds,
    to_frames,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation
from mmad.video.finding import VIDEO_SUFFIXES


def write_label_studio(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """Tasks to import; what has scores as predictions, what people annotated as annotations.

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
        data |= {"picture_begins_at": video.clock_start} if video.clock_start else {}
        if video.scores is None:
            tasks.append({"data": data, "annotations": [{"result": result}]})
        else:
            tasks.append({"data": data, "predictions": [{"model_version": "mmad", "result": result}]})
    write_json(path, tasks, indent=1)


def is_label_studio(source: Source) -> bool:
    """Whether these are the tasks of an export as JSON, or the rows of one as JSON-MIN."""
    content = _tasks(source.json)
    return isinstance(content, list) and bool(content) and (_are_rows(content) or are_objects(content, "data"))


def _tasks(content):
    """A single task, as the address of a task in Label Studio gives it, is a list of one."""
    single = isinstance(content, dict) and isinstance(content.get("data"), dict)
    return [content] if single and any(isinstance(content.get(key), list) for key in SAID) else content


def _are_rows(content: list) -> bool:
    """JSON-MIN has the data of a task, what its tags hold and who annotated it side by side in one object."""
    return are_objects(content, "annotator", "annotation_id")


def read_label_studio(source: Source, options: ReadOptions) -> list[Annotation]:
    """What an export as JSON or JSON-MIN holds of stretches of time: timeline labels, in frames, and labels of the
    sound track, in seconds. Of each task the newest annotation that stands counts, or else the last prediction.

    options.fps: used where the task's data has no "fps"; None: unknown.
    """
    path, content = source.path, _tasks(source.json)
    videos, without_rate, left_out = [], 0, LeftOut(path, options, "results")
    coders: dict[str, set[str]] = {}
    tasks = _tasks_of_rows(content) if _are_rows(content) else dict(enumerate(content))
    named = _names_of_tasks(path, tasks, options)
    for number, (name, link) in named.items():
        try:
            video, counted, who = _read_task(tasks[number], name, link, left_out, f"{path}, task {number}")
        except InputError as error:
            options.on_problem(error)
            continue
        videos.append(video)
        without_rate += counted and video.fps is None
        coders.setdefault(name, set()).update(who if len(video.labels) else [])
    for name, who in coders.items():
        if len(who) > 1:
            problem = f"{name} is annotated by {' and by '.join(sorted(who)[:2])} in tasks of their own"
            options.on_problem(InputError(path, problem, f"choose one: --annotator {min(who)}"))
    notes = left_out.notes(sum(len(video.labels) for video in videos))
    if without_rate:
        problem = assumption(f"{path}: {without_rate} of {len(tasks)} tasks name no fps")
        notes.append(f"{problem}; Label Studio counts 24 where its <Video> has no frameRate")
    if videos:
        videos[0].notes.extend(notes)
    return videos


def _names_of_tasks(path: Path, tasks: dict[int, dict], options: ReadOptions) -> dict[int, tuple[str, str]]:
    """{number of a task: (id of its video, what links it)}; the id is the one that we wrote, or the file's name."""
    own, links = {}, {}
    for number, task in tasks.items():
        where = f"{path}, task {number}"
        data = task["data"] if isinstance(task["data"], dict) else {}
        try:
            if isinstance(data.get("video_id"), str):
                own[number] = check_id(data["video_id"], where)
            else:
                links[number] = _link_of_task(data, where)
                names_of_links([links[number]], where)  # refused here, with its place, if it is not a name
        except InputError as error:
            options.on_problem(error)
            links.pop(number, None)
    found = dict(zip(links, names_of_links(list(links.values()), str(path))))
    return {n: (own[n], "") if n in own else (found[n], links[n]) for n in tasks if n in own or n in found}


def _tasks_of_rows(rows: list[dict]) -> dict[int, dict]:
    """{number of its first row: task as in JSON}. A row of JSON-MIN is one annotation; the newest of a task come first.

    Its keys are named as the tags of the labeling interface are, so any list of objects may be what a tag says.
    """
    tasks: dict[int, dict] = {}
    first_row: dict[str, int] = {}
    for number, row in enumerate(rows):
        first = number if row.get("id") is None else first_row.setdefault(repr(row["id"]), number)
        values = [item for value in row.values() if isinstance(value, list) for item in value if isinstance(item, dict)]
        times = {key: row.get(key) for key in ("created_at", "updated_at", "annotator")}
        annotation = {**times, "result": [{"value": value} for value in values]}
        tasks.setdefault(first, {"data": row, "annotations": []})["annotations"].insert(0, annotation)
    return tasks


def _read_task(task: dict, name: str, link: str, left_out: LeftOut, where: str) -> tuple[Annotation, bool, list[str]]:
    """(what it says, whether in frames, who says so where the file tells)."""
    options = left_out.options
    data = task["data"] if isinstance(task["data"], dict) else {}
    fps = if_positive(data.get("fps")) or options.rate(name, link)
    metadata = {"duration": if_positive(data.get("duration")), "fps": fps}
    metadata["clock_start"] = if_positive(data.get("picture_begins_at")) or 0.0
    notes = []
    standing = _annotations(task, options, where, notes)
    chosen = standing or ([] if options.coders.annotator else _predictions(task, where, notes))
    rows, counted = [], False
    for i, item in enumerate(list_of(chosen[-1], "result", where) if chosen else []):
        place = f"{where}, result {i}"
        value = item.get("value") if isinstance(item.get("value"), dict) else {}
        try:
            segments, names = _read_region(value, fps or ASSUMED_FPS, place)
            score = _score_of_result(item, bool(standing), left_out, place)
        except InputError as error:
            options.on_problem(error)
            continue
        for label in names:
            try:
                label = label_id(label, options.labels, place)
                rows += [(*segment, label, score) for segment in segments]
            except UnknownLabel as error:
                left_out.unknown(error)
            except InputError as error:
                options.on_problem(error)
        if not names:
            left_out.add("results are no labels of a stretch of time and are left out", place=where)
        counted |= "ranges" in value
    who = _annotator(standing[-1])[:1] if standing else []
    return from_rows(name, rows, **metadata, notes=notes, link=link), counted, who


def _score_of_result(item: dict, said_by_people: bool, left_out: LeftOut, where: str) -> float | None:
    """A model's confidence; what people give as other numbers is a rating."""
    score = as_number(item.get("score"))
    if said_by_people and score is not None and not 0 <= score <= 1:
        left_out.add("scores of people are ratings, not confidences, and are left out", f"{score:g}")
        return None
    return None if item.get("score") is None else score_in_range(item["score"], where)


def _annotations(task: dict, options: ReadOptions, where: str, notes: list[str]) -> list[dict]:
    """What people annotated of a task, the newest last; of the one annotator that is meant, where one is named.

    Label Studio before 1.0 calls annotations "completions".
    """
    key = "annotations" if task.get("annotations") is not None else "completions"
    found = [item for item in list_of(task, key, where) if not item.get("was_cancelled")]
    drafts = task.get("drafts") if isinstance(task.get("drafts"), list) else []
    if any(isinstance(item, dict) and item.get("result") for item in drafts):
        notes.append(f"{where} has drafts that nobody submitted: they are left out")
    found.sort(key=lambda item: str(item.get("updated_at") or item.get("created_at") or ""))
    who = [_annotator(item) for item in found]
    if options.coders.annotator:
        return [item for item, name in zip(found, who) if options.coders.annotator in name]
    people = sorted({name[0] for name in who if name})
    if len(people) > 1:
        problem = f"{where} was annotated by {', '.join(people)}: the newest counts"
        notes.append(f"{problem}; choose by --annotator {people[0]}")
    elif len(found) > 1:
        notes.append(f"{where} has {len(found)} annotations: the newest counts")
    return found


def _annotator(annotation: dict) -> list[str]:
    """The names of who made an annotation: the number, and where it is exported, the address."""
    who = annotation.get("completed_by", annotation.get("annotator"))
    who = who if isinstance(who, dict) else {"id": who}
    return [str(who[key]) for key in ("email", "id", "username") if isinstance(who.get(key), (str, int))]


def _predictions(task: dict, where: str, notes: list[str]) -> list[dict]:
    """Snapshots of a project hold no more than the ids of predictions, by default."""
    found = task.get("predictions")
    if isinstance(found, list) and found and all(isinstance(item, int) for item in found):
        notes.append(f"{where} names its predictions by their ids only: they are left out")
        return []
    return list_of(task, "predictions", where)


def _read_region(value: dict, fps: float, where: str) -> tuple[list[tuple[float, float]], list]:
    """(segments in s, names) of the value of a result; of one that is not a stretch of time, such as a box, none."""
    names = value.get("timelinelabels")
    if isinstance(names, list):
        ranges = list_of(value, "ranges", where)
        return [frames(span.get("start"), span.get("end"), fps, where) for span in ranges], names
    names = value.get("labels")
    if isinstance(names, list) and isinstance(value.get("start"), (int, float)) and "text" not in value:
        # With a text it would count characters.
        return [seconds(value["start"], value.get("end"), where, "time")], names
    return [], []


SAID = ("annotations", "completions", "predictions")  # the lists of a task
LINK_TO_VIDEO = re.compile(rf".+({'|'.join(map(re.escape, VIDEO_SUFFIXES))})([?#].*)?", re.IGNORECASE)


def _link_of_task(data: dict, where: str) -> str:
    """What links the video: "video" or, say, "video_url"."""
    link = data.get("video")
    if not isinstance(link, str):
        texts = [text for text in data.values() if isinstance(text, str) and LINK_TO_VIDEO.fullmatch(text)]
        texts.sort(key=lambda text: "/" not in text)  # a title may end like a file's name too
        link = texts[0] if texts else None
    if link is None:
        raise InputError(where, 'its data names no "video"')
    return link
