"""Projects of VIA 3, https://gitlab.com/vgg/via, format 3.1.1. One file per video. Standard library only."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmad.errors import InputError
from mmad.files import check_id, write_json
from mmad.formats.fields import check_order, finite_number, from_rows, id_of_file, score_in_range
from mmad.formats.source import ReadOptions, Source, WriteOptions
from mmad.labels import LabelSet
from mmad.records import Annotation

SUFFIX = ".json"

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
        "creator": "mmad",
        "created": 0,
        "vid_list": ["1"],
    }
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

    A project of one video is named by its file, the videos of a larger one by theirs.
    """
    path, content = source.path, source.json
    attributes = content.get("attribute")
    attributes = attributes if isinstance(attributes, dict) else {}
    rows_of: dict[str, list] = {view: [] for view in content["view"]}
    passed = 0
    for key, item in content["metadata"].items():
        where = f"{path}, metadata {key!r}"
        try:
            if not isinstance(item, dict) or str(item.get("vid")) not in rows_of:
                raise InputError(where, "belongs to no view of the project")
            times = item.get("z")
            if not isinstance(times, list) or len(times) != 2 or item.get("xy"):
                passed += 1  # a still frame, a region of the picture
                continue
            start, end = (finite_number(time, where, "z") for time in times)
            check_order(start, end, where)
            actions, score = _via_values(item.get("av"), attributes, options.labels, where)
        except InputError as error:
            options.on_problem(error)
            continue
        passed += not actions
        rows_of[str(item["vid"])] += [(start, end, label, score) for label in actions]
    notes = [f"{path}: {passed} entries are no action in time and are left out"] if passed else []
    names = [id_of_file(path, SUFFIX)] if len(rows_of) == 1 else [_via_name(path, content, view) for view in rows_of]
    return [
        from_rows(name, rows, notes=notes if i == 0 else [])
        for i, (name, rows) in enumerate(zip(names, rows_of.values()))
    ]


def _via_values(values, attributes: dict, labels: LabelSet, where: str) -> tuple[list[int], float | None]:
    """(labels, score) of the attribute values of one segment: an option's key, keys with commas between, or text."""
    actions, score = [], None
    for key, value in (values if isinstance(values, dict) else {}).items():
        attribute = attributes.get(key)
        attribute = attribute if isinstance(attribute, dict) else {}
        options = attribute.get("options")
        options = options if isinstance(options, dict) else {}
        if attribute.get("aname") == "score" and str(value).strip():
            score = score_in_range(value, where)
            continue
        chosen = str(value).split(",") if options else [str(value).strip()]
        named = [str(options.get(option.strip(), option.strip())) for option in chosen]
        actions += [labels.index[name] for name in named if name in labels.index]
    return list(dict.fromkeys(actions)), score


def _via_name(path: Path, content: dict, view: str) -> str:
    """The name of the file of a view, without its suffix."""
    where = f"{path}, view {view!r}"
    try:
        name = content["file"][content["view"][view]["fid_list"][0]]["fname"]
        return check_id(PurePosixPath(name).stem, where)
    except (KeyError, TypeError, IndexError):
        raise InputError(where, "names no file", 'expected "fid_list" and "fname"') from None
