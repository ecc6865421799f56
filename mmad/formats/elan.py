"""ELAN's .eaf files, EAF 3.0: what was found for people to correct, and what they made of it. Standard library only.

Times are whole milliseconds. No two annotations of a tier overlap: each action, or each body part, has as many tiers
("nodding", "nodding 2", ...) as it needs. The value of an annotation is the name of the action, from a controlled
vocabulary; its score stands below it in a dependent tier ("nodding score").
Format: Max Planck Institute for Psycholinguistics, "ELAN Annotation Format", schema EAFv3.0.xsd.
"""

import contextlib
import datetime
import os
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.parsers import expat

from mmad.errors import InputError
from mmad.files import atomic_path, check_id
from mmad.formats.fields import from_rows, if_positive, label_id, milliseconds, score_in_range
from mmad.formats.source import OnProblem, ReadOptions, Source, WriteOptions
from mmad.formats.tiers import arrange, check_tiers
from mmad.labels import LabelSet
from mmad.records import Annotation, Row

SUFFIX = ".eaf"
VOCABULARY = "actions"
LANGUAGE = "eng"
ACTION_TYPE, SCORE_TYPE = "action", "score"
PREFIX = "mmad:"  # of our properties in the header
MIME_TYPES = {".mp4": "video/mp4", ".mpg": "video/mpeg", ".mpeg": "video/mpeg", ".mov": "video/quicktime"}
# The four stereotypes that ELAN itself writes into every file.
CONSTRAINTS = {
    "Time_Subdivision": (
        "Time subdivision of parent annotation's time interval, no time gaps allowed within this interval"
    ),
    "Symbolic_Subdivision": (
        "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are ordered"
    ),
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}


# --- writing ----------------------------------------------------------------------------------------------------


def write_elan(path: str | Path, videos: Sequence[Annotation], options: WriteOptions) -> None:
    """One video for ELAN, with tiers per action or per body part.

    Actions without length become 1 ms long: ELAN has no annotation that ends where it starts.
    """
    (item,) = videos
    labels, tiers = options.labels, check_tiers(options.tiers)
    document = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "",
            "DATE": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    rows = item.rows()
    _add_header(document, item, Path(path), len(rows))
    spans = [milliseconds(start, end) for start, end, _, _ in rows]
    slots = _add_time_order(document, spans)
    for name, members in arrange(rows, spans, labels, tiers):
        _add_tier(document, name, members, rows, slots, labels)
    _add_types(document, labels)
    ET.indent(document, "    ")
    with atomic_path(path) as temporary:
        ET.ElementTree(document).write(temporary, encoding="UTF-8", xml_declaration=True)


def _add_header(document: ET.Element, item: Annotation, path: Path, num_annotations: int) -> None:
    header = ET.SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if item.media is not None:
        media = item.media.resolve()
        # ELAN itself writes addresses without escapes, and does not undo any
        address = f"file:///{media.as_posix().lstrip('/')}"
        attributes = {"MEDIA_URL": address, "MIME_TYPE": MIME_TYPES.get(media.suffix.lower(), "video/*")}
        with contextlib.suppress(ValueError):  # on another drive
            below = Path(os.path.relpath(media, path.resolve().parent)).as_posix()
            attributes["RELATIVE_MEDIA_URL"] = below if below.startswith("../") else f"./{below}"
        ET.SubElement(header, "MEDIA_DESCRIPTOR", attributes)
    properties = {f"{PREFIX}video_id": item.video_id}
    if item.duration_known:
        properties[f"{PREFIX}duration"] = f"{item.duration:.6f}"
    if item.fps is not None:
        properties[f"{PREFIX}fps"] = repr(float(item.fps))
    scored = 0 if item.scores is None else num_annotations
    properties["lastUsedAnnotationId"] = str(num_annotations + scored)
    for name, value in properties.items():
        ET.SubElement(header, "PROPERTY", NAME=name).text = value


def _add_time_order(document: ET.Element, spans: list[tuple[int, int]]) -> list[list[str]]:
    """[(slot of its start, slot of its end)] of spans in ms.

    Each has slots of its own, as in ELAN: if two shared one, who moves the one annotation would move the other too.
    """
    order = ET.SubElement(document, "TIME_ORDER")
    times = [(time, 1 - side, i, side) for i, span in enumerate(spans) for side, time in enumerate(span)]
    slots = [["", ""] for _ in spans]
    for number, (time, _, i, side) in enumerate(sorted(times), start=1):  # of the same time, ends come before starts
        slots[i][side] = f"ts{number}"
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slots[i][side], TIME_VALUE=str(time))
    return slots


def _add_tier(
    document: ET.Element, name: str, members: list[int], rows: list[Row], slots: list, labels: LabelSet
) -> None:
    tier = ET.SubElement(document, "TIER", TIER_ID=name, LINGUISTIC_TYPE_REF=ACTION_TYPE, LANG_REF=LANGUAGE)
    for i in members:
        attributes = {
            "ANNOTATION_ID": f"a{i + 1}",
            "CVE_REF": f"cve{rows[i][2]}",
            "TIME_SLOT_REF1": slots[i][0],
            "TIME_SLOT_REF2": slots[i][1],
        }
        item = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", attributes)
        ET.SubElement(item, "ANNOTATION_VALUE").text = labels.actions[rows[i][2]]
    if not any(rows[i][3] is not None for i in members):
        return
    below = {"TIER_ID": f"{name} score", "LINGUISTIC_TYPE_REF": SCORE_TYPE, "PARENT_REF": name}
    tier = ET.SubElement(document, "TIER", below)
    for i in members:
        attributes = {"ANNOTATION_ID": f"a{len(rows) + i + 1}", "ANNOTATION_REF": f"a{i + 1}"}
        item = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "REF_ANNOTATION", attributes)
        ET.SubElement(item, "ANNOTATION_VALUE").text = f"{rows[i][3]:.4g}"


def _add_types(document: ET.Element, labels: LabelSet) -> None:
    action = {"LINGUISTIC_TYPE_ID": ACTION_TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    ET.SubElement(document, "LINGUISTIC_TYPE", action, CONTROLLED_VOCABULARY_REF=VOCABULARY)
    score = {"LINGUISTIC_TYPE_ID": SCORE_TYPE, "TIME_ALIGNABLE": "false", "GRAPHIC_REFERENCES": "false"}
    ET.SubElement(document, "LINGUISTIC_TYPE", score, CONSTRAINTS="Symbolic_Association")
    ET.SubElement(
        document,
        "LANGUAGE",
        LANG_ID=LANGUAGE,
        LANG_DEF="http://cdb.iso.org/lg/CDB-00138502-001",
        LANG_LABEL="English (eng)",
    )
    for stereotype, description in CONSTRAINTS.items():
        ET.SubElement(document, "CONSTRAINT", STEREOTYPE=stereotype, DESCRIPTION=description)
    vocabulary = ET.SubElement(document, "CONTROLLED_VOCABULARY", CV_ID=VOCABULARY)
    ET.SubElement(vocabulary, "DESCRIPTION", LANG_REF=LANGUAGE).text = f"actions of {labels.name}"
    for k, action_name in enumerate(labels.actions):
        entry = ET.SubElement(vocabulary, "CV_ENTRY_ML", CVE_ID=f"cve{k}")
        part = labels.parts[labels.part_of[k]]
        ET.SubElement(entry, "CVE_VALUE", DESCRIPTION=part, LANG_REF=LANGUAGE).text = action_name


# --- reading ----------------------------------------------------------------------------------------------------


def is_elan(source: Source) -> bool:
    return source.suffix == SUFFIX


def read_elan(source: Source, options: ReadOptions) -> list[Annotation]:
    """The actions of one file, also after corrections in ELAN: an annotation counts by its value, whatever its tier.

    Without a value it counts as the action that its tier is named after. Annotations that are no action are a problem
    in a tier with a controlled vocabulary of ours, elsewhere (comments, other codings) they are counted in `notes`.
    The video is the one the header names, if the file is still called so, otherwise the file's name.
    """
    path, labels = source.path, options.labels
    document = _parse(path)
    properties = {item.get("NAME"): item.text or "" for item in document.iterfind("HEADER/PROPERTY")}
    times = _slot_times(path, document)
    scores = _score_of_annotation(path, document, options.on_problem)
    ours = {item.get("LINGUISTIC_TYPE_ID") for item in document.iterfind("LINGUISTIC_TYPE") if _is_ours(item)}
    rows, passed = [], Counter()
    for tier in document.iterfind("TIER"):
        for item in tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"):
            where = f"{path}, tier {tier.get('TIER_ID')!r}, annotation {item.get('ANNOTATION_ID')}"
            value = (item.findtext("ANNOTATION_VALUE") or "").strip() or _action_of_tier(tier, labels)
            if value not in labels.index and tier.get("LINGUISTIC_TYPE_REF") not in ours:
                passed[value] += 1
                continue
            try:
                if not value:
                    raise InputError(where, "has no value", "choose its action in ELAN, or delete it")
                label = label_id(value, labels, where)
                start, end = (_time(times, item.get(f"TIME_SLOT_REF{side}"), where) for side in (1, 2))
                if end < start:
                    raise InputError(where, f"ends before it starts ({start:g} s .. {end:g} s)")
            except InputError as error:
                options.on_problem(error)
                continue
            rows.append((start, end, label, scores.get(item.get("ANNOTATION_ID"))))
    if passed and not rows and not ours:
        example = passed.most_common(1)[0][0]
        problem = f"none of its {passed.total()} annotations is an action of {labels.name}, such as {example!r}"
        options.on_problem(InputError(path, problem, "is it annotated with these actions?"))
    notes = [f"{path}: {passed.total()} annotations are no action, such as {min(passed)!r}"] if passed else []
    duration, fps = (if_positive(properties.get(f"{PREFIX}{name}")) for name in ("duration", "fps"))
    video_id = _video_id(path, properties.get(f"{PREFIX}video_id", ""))
    known = {"duration": duration, "fps": fps, "media": _media(path, document), "notes": notes}
    return [from_rows(video_id, rows, **known)]


def _parse(path: Path) -> ET.Element:
    """The document element; files that define entities are refused, as they could grow without end."""

    def refuse_doctype(*_):
        raise InputError(path, "has a DOCTYPE, which no ELAN file has", "save it again in ELAN")

    data = path.read_bytes()
    checker = expat.ParserCreate()
    checker.StartDoctypeDeclHandler = refuse_doctype
    try:
        checker.Parse(data, True)
        document = ET.fromstring(data)
    except InputError:
        raise
    except (expat.ExpatError, ET.ParseError, ValueError, LookupError) as error:  # also an encoding nobody knows
        raise InputError(path, f"not XML ({error})", "is the file complete?") from None
    if document.tag != "ANNOTATION_DOCUMENT":
        raise InputError(path, f"<{document.tag}> is no ELAN document", "expected <ANNOTATION_DOCUMENT>")
    header = document.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise InputError(path, f"its times are in {units}", "save it with milliseconds")
    return document


def _slot_times(path: Path, document: ET.Element) -> dict[str, int | None]:
    """{time slot: ms}, None where ELAN has left the time of a slot open."""
    times = {}
    for item in document.iterfind("TIME_ORDER/TIME_SLOT"):
        name, value = item.get("TIME_SLOT_ID"), item.get("TIME_VALUE")
        if value is not None and not (value.isascii() and value.isdecimal() and len(value) < 16):
            raise InputError(f"{path}, time slot {name}", f"TIME_VALUE {value!r} is not a number of milliseconds")
        times[name] = None if value is None else int(value)
    return times


def _time(times: dict[str, int | None], slot: str | None, where: str) -> float:
    time = times.get(slot)
    if time is None:
        raise InputError(where, f"time slot {slot} has no time", "align the annotation in ELAN")
    return time / 1000


def _score_of_annotation(path: Path, document: ET.Element, on_problem: OnProblem) -> dict[str, float]:
    """{annotation: score} from the dependent tiers of the type "score"."""
    scores = {}
    for tier in document.iterfind("TIER"):
        if tier.get("LINGUISTIC_TYPE_REF") != SCORE_TYPE:
            continue
        for item in tier.iterfind("ANNOTATION/REF_ANNOTATION"):
            text = (item.findtext("ANNOTATION_VALUE") or "").strip()
            if not text:
                continue
            where = f"{path}, tier {tier.get('TIER_ID')!r}, annotation {item.get('ANNOTATION_ID')}"
            try:
                scores[item.get("ANNOTATION_REF")] = score_in_range(text, where)
            except InputError as error:
                on_problem(error)
    return scores


def _is_ours(linguistic_type: ET.Element) -> bool:
    return linguistic_type.get("CONTROLLED_VOCABULARY_REF") == VOCABULARY


def _action_of_tier(tier: ET.Element, labels: LabelSet) -> str:
    """The action that a tier is named after, "nodding" or "nodding 2"; "" where it is named after none."""
    name = (tier.get("TIER_ID") or "").strip()
    shorter = re.sub(r" \d+$", "", name)
    return name if name in labels.index else shorter if shorter in labels.index else ""


def _video_id(path: Path, named: str) -> str:
    name = path.name[: -len(path.suffix)] if path.suffix else path.name
    if named and named.replace("\\", "/").rpartition("/")[2] == name:
        return check_id(named, str(path))
    return check_id(name, str(path))


def _media(path: Path, document: ET.Element) -> Path | None:
    """The video that the header links, if it is there: beside the file first, as folders get moved."""
    item = document.find("HEADER/MEDIA_DESCRIPTOR")
    relative = item.get("RELATIVE_MEDIA_URL") if item is not None else None
    if not relative or not relative.isprintable():
        return None
    with contextlib.suppress(OSError, ValueError):  # a name that is too long
        found = path.parent / relative
        return found if found.is_file() else None
    return None
