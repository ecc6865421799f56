"""VIA 3, https://gitlab.com/vgg/via: projects, format 3.1.1, in and out, its CSV in. One file per video."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmad.errors import InputError
from mmad.files import check_id, write_json
from mmad.formats.fields import (
    LeftOut,
    as_number,
    check_order,
    finite_number,
    from_rows,
    id_of_annotation_file,
    if_positive,
    names_of_links,
    score_in_range,
)
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.records import Annotation, Row
from mmad.video.finding import VIDEO_SUFFIXES

SUFFIX = ".json"
CREATOR = "mmad"

VIA_SEGMENT = "FILE1_Z2_XY0"  # what an attribute belongs to: a segment of the time of one file
VIA_SURFACE = {  # as VIA itself sets out: without them it shows no rows of its timeline
    "file_content_align": "center",
    "file_metadata_editor_visible": True,
    "spatial_metadata_editor_visible": True,
    "temporal_segment_metadata_editor_visible": True,
    "spatial_region_label_attribute_id": "",
    "gtimeline_visible_row_count": "4",
}
VIA_TEXT, VIA_SELECT, VIA_VIDEO, VIA_LOCAL, VIA_FILE_URI = 1, 4, 4, 1, 3


def write_via(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """A project of one video with a menu of the actions and the score as text; whole microseconds."""
    (item,) = videos
    menu = {str(k): name for k, name in enumerate(options.labels.actions)}
    name = item.media.name if item.media else item.video_id
    location = (VIA_FILE_URI, item.media.resolve().as_uri()) if item.media else (VIA_LOCAL, "")
    metadata = {}
    for number, (start, end, label, score) in enumerate(item.rows()):
        values = {"1": str(label)} | ({} if score is None else {"2": f"{score:.4g}"})
        times = [round(start, 6), round(end, 6)]
        metadata[f"1_{number:08d}"] = {"vid": "1", "flg": 0, "z": times, "xy": [], "av": values}
    kind = {"anchor_id": VIA_SEGMENT, "desc": "", "default_option_id": ""}
    project = {
        "pid": "__VIA_PROJECT_ID__",
        "rev": "__VIA_PROJECT_REV_ID__",
        "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
        "pname": item.video_id,
        "data_format_version": "3.1.1",
        "creator": CREATOR,
        "created": 0,
        "vid_list": ["1"],
    }
    project |= {"picture_begins_at": item.clock_start} if item.clock_start else {}
    content = {
        "project": project,
        "config": {"file": {"loc_prefix": {str(i): "" for i in range(1, 5)}}, "ui": VIA_SURFACE},
        "attribute": {
            "1": {"aname": "action", "type": VIA_SELECT, "options": menu, **kind},
            "2": {"aname": "score", "type": VIA_TEXT, "options": {}, **kind},
        },
        "file": {"1": {"fid": "1", "fname": name, "type": VIA_VIDEO, "loc": location[0], "src": location[1]}},
        "metadata": metadata,
        "view": {"1": {"fid_list": ["1"]}},
    }
    write_json(path, content, indent=1)


def is_via(source: Source) -> bool:
    content = source.json
    return isinstance(content, dict) and all(isinstance(content.get(key), dict) for key in ("metadata", "view", "file"))


def read_via(source: Source, options: ReadOptions) -> list[Annotation]:
    """The temporal segments of a project; an attribute's value counts that names an action, several if several do.

    A project that we wrote is of the video that it was written for while its file is called so; others are of the
    videos that they name, or, where one names no video file, of the one that it is called after.
    """
    path, content = source.path, source.json
    attributes = content.get("attribute")
    attributes = attributes if isinstance(attributes, dict) else {}
    project = content["project"] if isinstance(content.get("project"), dict) else {}
    written_by_mmad = project.get("creator") == CREATOR
    left_out = LeftOut(path, options, "segments")
    rows_of: dict[str, list] = {view: [] for view in content["view"]}
    for key, item in content["metadata"].items():
        where = f"{path}, metadata {key!r}"
        try:
            if not isinstance(item, dict) or str(item.get("vid")) not in rows_of:
                raise InputError(where, "belongs to no view of the project")
            rows_of[str(item["vid"])] += _actions_of(item, attributes, written_by_mmad, left_out, where)
        except InputError as error:
            options.on_problem(error)
    links = [_link_of_view(content, view, left_out) for view in rows_of]
    names = _names(path, links, str(project.get("pname")) if written_by_mmad else "")
    notes = left_out.notes(sum(map(len, rows_of.values())))
    begins = if_positive(project.get("picture_begins_at")) or 0.0 if written_by_mmad else 0.0
    return [
        from_rows(name, rows, notes=notes if i == 0 else [], link=link, clock_start=begins)
        for i, (name, link, rows) in enumerate(zip(names, links, rows_of.values()))
    ]


def _actions_of(item: dict, attributes: dict, written_by_mmad: bool, left_out: LeftOut, where: str) -> list[Row]:
    """The actions of one entry; none of a still frame, a region of the picture, or another coding."""
    times = item.get("z")
    values = item.get("av") if isinstance(item.get("av"), dict) else {}
    named, score = _values(values, attributes, written_by_mmad, left_out, where)
    if not isinstance(times, list) or len(times) != 2 or item.get("xy"):
        left_out.add("entries are no action in time and are left out", ", ".join(named))
        return []
    start, end = (finite_number(time, where, "z") for time in times)
    check_order(start, end, where)
    if not named:
        left_out.add("entries are no action in time and are left out")
        return []
    found = {name: left_out.options.labels.find(name) for name in named}
    actions = list(dict.fromkeys(label for label in found.values() if label is not None))
    if not actions:
        left_out.other(named[0])
    return [(start, end, label, score) for label in actions]


def _values(
    values: dict, attributes: dict, written_by_mmad: bool, left_out: LeftOut, where: str
) -> tuple[list[str], float | None]:
    """(what the attributes of one segment say, score). A value is the key of an option, keys with commas between them,
    or text: a name, or names with commas between them."""
    named, score = [], None
    for key, value in values.items():
        attribute = attributes.get(key)
        attribute = attribute if isinstance(attribute, dict) else {}
        options = attribute.get("options")
        options = options if isinstance(options, dict) else {}
        text = str(value).strip()
        if not text:
            continue
        if attribute.get("aname") == "score" and written_by_mmad:
            score = score_in_range(value, where)
            continue
        whole = left_out.options.labels.find(text) is not None and text not in options
        chosen = [text] if whole else [part.strip() for part in text.split(",")]
        named += [str(options.get(part, part)) for part in chosen if part]
    return named, score


def _link_of_view(content: dict, view: str, left_out: LeftOut) -> str:
    """The name of the first file of a view, "" where it names none; further ones are counted."""
    try:
        shown = content["view"][view]["fid_list"]
        links = [str(content["file"][file]["fname"]) for file in shown]
    except (KeyError, TypeError, IndexError):
        return ""
    for link in links[1:]:
        left_out.add("views show another file too; their actions are read as of the first", link)
    return links[0] if links else ""


def _names(path: Path, links: list[str], written_for: str) -> list[str]:
    """The ids of the videos of the views."""
    own = id_of_annotation_file(path, SUFFIX)
    if len(links) == 1:
        if written_for and PurePosixPath(written_for).name == PurePosixPath(own).name:
            return [check_id(written_for, str(path))]
        suffix = PurePosixPath(links[0].partition("?")[0]).suffix.lower()
        return names_of_links(links, str(path)) if suffix in VIDEO_SUFFIXES and not written_for else [own]
    for i, link in enumerate(links, start=1):
        if not link:
            raise InputError(f"{path}, view {i}", "names no file", 'expected "fid_list" and "fname"')
    return names_of_links(links, str(path))


# --- CSV --------------------------------------------------------------------------------------------------------


def is_via_csv(source: Source) -> bool:
    return source.suffix == ".csv" and source.text.startswith("# Exported using VGG")


def read_via_csv(source: Source, options: ReadOptions) -> list[Annotation]:
    """The export as CSV, which names its attributes, and since version 3.1 their options, in comments at the top."""
    path = source.path
    comments = [line for line in source.lines if line.startswith("#")]
    header = next((line for line in comments if line.startswith("# CSV_HEADER = ")), None)
    if header is None:
        raise InputError(path, "no line # CSV_HEADER in it", "export it again, or save the project as JSON")
    attribute_line = next((line.partition("=")[2] for line in comments if line.startswith("# ATTRIBUTE = ")), "{}")
    attributes = _json_of(attribute_line, path)
    names = [name.strip() for name in header.partition("=")[2].split(",")]
    left_out = LeftOut(path, options, "segments")
    rows_of: dict[str, list] = {}
    for number, line in enumerate(source.lines, start=1):
        where = f"{path}, line {number}"
        if line.startswith("#") or not line.strip():
            continue
        try:
            row = dict(zip(names, next(csv.reader([line]))))
            files = _json_of(row.get("file_list", ""), where)
            if not isinstance(files, list) or not files:
                raise InputError(where, "names no file", 'expected ["name.mp4"] in its file_list')
            times = [row[name] for name in ("temporal_segment_start", "temporal_segment_end") if row.get(name)]
            times = list(map(as_number, times)) if times else _json_of(row.get("temporal_coordinates", "[]"), where)
            values = _json_of(row.get("metadata", "{}"), where)
            values = values if isinstance(values, dict) else {}
            item = {"z": times, "xy": _json_of(row.get("spatial_coordinates", "[]"), where), "av": values}
            _refuse_bare_options(values, attributes, where)
            rows_of.setdefault(str(files[0]), []).extend(_actions_of(item, attributes, False, left_out, where))
        except csv.Error as error:
            options.on_problem(InputError(where, f"not a row of a table ({error})"))
        except InputError as error:
            options.on_problem(error)
    ids = names_of_links(list(rows_of), str(path))
    notes = source.notes + left_out.notes(sum(map(len, rows_of.values())))
    return [
        from_rows(name, rows, notes=notes if i == 0 else [], link=link)
        for i, (name, (link, rows)) in enumerate(zip(ids, rows_of.items()))
    ]


def _json_of(text: str, where: str | Path):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(where, f"{text[:40]!r} is not JSON", "export it again") from None


def _refuse_bare_options(values: dict, attributes, where: str) -> None:
    """The number of an option, of which the file does not say what it stands for."""
    for key, value in values.items():
        about = attributes.get(key) if isinstance(attributes, dict) else None
        if str(value).isdecimal() and not (isinstance(about, dict) and about.get("options")):
            problem = f"has option {value!r} of attribute {key!r}, and what that stands for is not in this file"
            raise InputError(where, problem, "save the project as JSON in VIA, and give that")
