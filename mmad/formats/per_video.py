"""Formats of one file a video: VIA 3 projects, WebVTT subtitles, Audacity labels, BIDS events. Standard library only.

Subtitles and labels show the score behind the action: "nodding (0.93)".
"""

import csv
import io
import re
from pathlib import Path, PurePosixPath

from mmad.errors import InputError, refuse
from mmad.files import check_id, read_json, read_lines, read_table, write_json, write_text
from mmad.formats.annotations import OnProblem, finite_number, label_id, score_in_range
from mmad.formats.events import Events, from_rows, milliseconds, timecode
from mmad.labels import MMA52, LabelSet

BIDS_SUFFIX = "_events.tsv"


def id_of_file(path: Path) -> str:
    """The name of a file without what its format adds to it."""
    name = path.name.removesuffix(BIDS_SUFFIX) if path.name.endswith(BIDS_SUFFIX) else path.name[: -len(path.suffix)]
    return check_id(name, str(path))


def _in_words(label: int, score: float | None, labels: LabelSet) -> str:
    return labels.actions[label] if score is None else f"{labels.actions[label]} ({score:.4g})"


def _from_words(text: str, labels: LabelSet, where: str) -> tuple[int, float | None]:
    """(label, score) of "nodding" or "nodding (0.93)"."""
    found = None if text in labels.index else re.fullmatch(r"(.*\S)\s*\(([-+.\de]+)\)", text)
    if not found:
        return label_id(text, labels, where), None
    return label_id(found[1], labels, where), score_in_range(found[2], where)


def _check_order(start: float, end: float, where: str) -> None:
    if end < start:
        raise InputError(where, f"ends before it starts ({start:g} s .. {end:g} s)", "swap or delete it")
    if start < 0:
        raise InputError(where, f"starts at {start:g} s, before the video")


# --- WebVTT: https://www.w3.org/TR/webvtt1/ ----------------------------------------------------------------------

VTT_TIMING = re.compile(r"((?:\d+:)?\d\d:\d\d\.\d{3})[ \t]+-->[ \t]+((?:\d+:)?\d\d:\d\d\.\d{3})(?:[ \t].*)?")
VTT_DURATION = re.compile(r"NOTE duration (\d{1,9}\.\d{1,6}) s")


def write_webvtt(path: str | Path, events: Events, labels: LabelSet = MMA52) -> None:
    """Subtitles; whole ms, at least one."""
    blocks = ["WEBVTT"]
    if events.duration is not None:
        blocks.append(f"NOTE duration {events.duration:.6f} s")
    for start, end, label, score in events.rows():
        first, last = map(timecode, milliseconds(start, end))
        words = _in_words(label, score, labels).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{first} --> {last}\n{words}")
    write_text(path, "\n\n".join(blocks) + "\n")


def read_webvtt(path: str | Path, labels: LabelSet = MMA52, on_problem: OnProblem = refuse) -> list[Events]:
    """Each line of a cue is one action; names of cues, settings, notes and styles are passed over."""
    path = Path(path)
    lines = read_lines(path)
    if not lines or not re.match(r"WEBVTT([ \t]|$)", lines[0]):
        raise InputError(path, "is no WebVTT file", 'its first line must be "WEBVTT"')
    rows, duration, times = [], None, None
    for number, line in enumerate(lines[1:], start=2):
        where = f"{path}, line {number}"
        if not line.strip():
            times = None
        elif noted := VTT_DURATION.fullmatch(line.strip()):
            duration = float(noted[1]) or None
        elif "-->" in line:
            times = _vtt_times(line.strip(), where)
        elif times is not None:
            try:
                words = line.strip().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
                _check_order(*times, where)
                rows.append((*times, *_from_words(words, labels, where)))
            except InputError as error:
                on_problem(error)
    return [from_rows(id_of_file(path), rows, duration=duration)]


def _vtt_times(line: str, where: str) -> tuple[float, float]:
    found = VTT_TIMING.fullmatch(line)
    if not found:
        raise InputError(where, f"{line!r} is no timing", "expected 00:00:01.000 --> 00:00:02.500")
    start, end = (sum(float(x) * 60**i for i, x in enumerate(reversed(text.split(":")))) for text in found.groups())
    return round(start, 3), round(end, 3)


# --- Audacity: start<TAB>end<TAB>label ---------------------------------------------------------------------------


def write_audacity(path: str | Path, events: Events, labels: LabelSet = MMA52) -> None:
    """A label track; whole microseconds."""
    rows = [f"{start:.6f}\t{end:.6f}\t{_in_words(k, score, labels)}\n" for start, end, k, score in events.rows()]
    write_text(path, "".join(rows))


def read_audacity(path: str | Path, labels: LabelSet = MMA52, on_problem: OnProblem = refuse) -> list[Events]:
    """Lines that begin with a backslash hold the frequencies of a spectral selection and are passed over."""
    path = Path(path)
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}, line {number}"
        if not line.strip() or line.startswith("\\"):
            continue
        try:
            fields = line.split("\t")
            if len(fields) != 3:
                raise InputError(where, f"{len(fields)} fields", "expected start<TAB>end<TAB>label")
            start, end = (finite_number(text, where, name) for text, name in zip(fields, ("start", "end")))
            _check_order(start, end, where)
            rows.append((start, end, *_from_words(fields[2].strip(), labels, where)))
        except InputError as error:
            on_problem(error)
    return [from_rows(id_of_file(path), rows)]


# --- BIDS: https://bids-specification.readthedocs.io, task events ------------------------------------------------


def write_bids(path: str | Path, events: Events, labels: LabelSet = MMA52) -> None:
    """A table with the columns onset, duration (s), trial_type, score, body_part; what is missing is n/a."""
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(["onset", "duration", "trial_type", "score", "body_part"])
    for start, end, k, score in events.rows():
        part = labels.parts[labels.part_of[k]]
        shown = "n/a" if score is None else f"{score:.7g}"
        table.writerow([f"{start:.6f}", f"{end - start:.6f}", labels.actions[k], shown, part])
    write_text(path, text.getvalue())


def read_bids(path: str | Path, labels: LabelSet = MMA52, on_problem: OnProblem = refuse) -> list[Events]:
    """The columns onset, duration, trial_type and, if it is there, score. Events without a duration are passed over."""
    path = Path(path)
    header, table = read_table(path, delimiter="\t")
    missing = [name for name in ("onset", "duration", "trial_type") if name not in header]
    if missing:
        raise InputError(f"{path}, line 1", f"no column {', '.join(missing)}", f"found {', '.join(header)}")
    rows, passed = [], 0
    for number, fields in enumerate(table, start=2):
        where, row = f"{path}, line {number}", dict(zip(header, fields))
        if row["duration"].strip() == "n/a":
            passed += 1
            continue
        try:
            start, length = (finite_number(row[name], where, name) for name in ("onset", "duration"))
            _check_order(start, start + length, where)
            label = label_id(row["trial_type"].strip(), labels, where)
            shown = row.get("score", "n/a").strip()
            score = None if shown in ("n/a", "") else score_in_range(shown, where)
        except InputError as error:
            on_problem(error)
            continue
        rows.append((start, round(start + length, 6), label, score))
    notes = [f"{path}: {passed} events without a duration are left out"] if passed else []
    return [from_rows(id_of_file(path), rows, notes=notes)]


# --- VIA 3: https://gitlab.com/vgg/via, format 3.1.1 -------------------------------------------------------------

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


def write_via(path: str | Path, events: Events, labels: LabelSet = MMA52) -> None:
    """A project of one video with a menu of the actions and the score as text; whole microseconds."""
    options = {str(k): name for k, name in enumerate(labels.actions)}
    name = events.media.name if events.media else events.video_id
    location = (VIA_FILE_URI, events.media.resolve().as_uri()) if events.media else (VIA_LOCAL, "")
    metadata = {}
    for number, (start, end, label, score) in enumerate(events.rows()):
        values = {"1": str(label)} | ({} if score is None else {"2": f"{score:.4g}"})
        times = [round(start, 6), round(end, 6)]
        metadata[f"1_{number:08d}"] = {"vid": "1", "flg": 0, "z": times, "xy": [], "av": values}
    kind = {"anchor_id": VIA_SEGMENT, "desc": "", "default_option_id": ""}
    project = {
        "pid": "__VIA_PROJECT_ID__",
        "rev": "__VIA_PROJECT_REV_ID__",
        "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
        "pname": events.video_id,
        "data_format_version": "3.1.1",
        "creator": "mmad",
        "created": 0,
        "vid_list": ["1"],
    }
    content = {
        "project": project,
        "config": {"file": {"loc_prefix": {str(i): "" for i in range(1, 5)}}, "ui": VIA_SURFACE},
        "attribute": {
            "1": {"aname": "action", "type": VIA_SELECT, "options": options, **kind},
            "2": {"aname": "score", "type": VIA_TEXT, "options": {}, **kind},
        },
        "file": {"1": {"fid": "1", "fname": name, "type": VIA_VIDEO, "loc": location[0], "src": location[1]}},
        "metadata": metadata,
        "view": {"1": {"fid_list": ["1"]}},
    }
    write_json(path, content, indent=1)


def is_via(content) -> bool:
    return isinstance(content, dict) and all(isinstance(content.get(key), dict) for key in ("metadata", "view", "file"))


def read_via(path: str | Path, labels: LabelSet = MMA52, on_problem: OnProblem = refuse) -> list[Events]:
    """The temporal segments of a project; an attribute's value counts that names an action, several if several do.

    A project of one video is named by its file, the videos of a larger one by theirs.
    """
    path = Path(path)
    content = read_json(path)
    if not is_via(content):
        raise InputError(path, "is no VIA 3 project", 'expected "metadata", "view" and "file"')
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
            _check_order(start, end, where)
            actions, score = _via_values(item.get("av"), attributes, labels, where)
        except InputError as error:
            on_problem(error)
            continue
        passed += not actions
        rows_of[str(item["vid"])] += [(start, end, label, score) for label in actions]
    notes = [f"{path}: {passed} entries are no action in time and are left out"] if passed else []
    names = [id_of_file(path)] if len(rows_of) == 1 else [_via_name(path, content, view) for view in rows_of]
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
