"""ELAN's .eaf files, EAF 3.0: what was found for people to correct, and what they made of it. Standard library only.

Times are whole milliseconds. No two annotations of a tier overlap: each action, or each body part, has as many tiers
("nodding", "nodding 2", ...) as it needs. The value of an annotation is the name of the action, from a controlled
vocabulary; its score stands below it in a dependent tier ("nodding score").
Format: Max Planck Institute for Psycholinguistics, "ELAN Annotation Format", schema EAFv3.0.xsd.
"""

import contextlib
import datetime
import itertools
import os
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from mmad.errors import InputError
from mmad.files import atomic_path, check_id
from mmad.formats.fields import (
    LeftOut,
    check_order,
    from_rows,
    if_positive,
    label_id,
    milliseconds,
    refuse_pooling,
    score_in_range,
)
from mmad.formats.source import EVERYONE, OnProblem, ReadOptions, Source, WriteOptions
from mmad.formats.tiers import action_of_tier, arrange, check_tiers, tier_is_meant
from mmad.labels import LabelSet
from mmad.records import Annotation, Row
from mmad.video.finding import VIDEO_SUFFIXES

SUFFIX = ".eaf"
VOCABULARY = "actions"
LANGUAGE = "eng"
ACTION_TYPE, SCORE_TYPE = "action", "score"
PREFIX = "mmad:"  # of our properties in the header
MAX_DEPTH = 50  # dependent tiers below each other; deeper means a cyclic reference
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
    if item.clock_start:
        properties[f"{PREFIX}picture_begins_at"] = f"{item.clock_start:.6f}"
    properties["lastUsedAnnotationId"] = str(num_annotations + scored)
    for name, value in properties.items():
        ET.SubElement(header, "PROPERTY", NAME=name).text = value


def _add_time_order(document: ET.Element, spans: list[tuple[int, int]]) -> list[list[str]]:
    """[(slot of its start, slot of its end)] of spans in ms.

    Each has slots of its own, as in ELAN. If two annotations shared a slot, moving one would move the other.
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

    A value is the text, or that of its entry of a controlled vocabulary in any language; without one that is an action,
    an annotation counts as the action that its tier is named after. Annotations of dependent tiers have the times that
    ELAN shows them at. What is not an action is a problem in a tier with a controlled vocabulary of ours, elsewhere
    (comments, other codings) it is counted in `notes`. Times are of the video: ELAN's and the video's time origin.
    The video is the one that the header names, if the file name still matches, otherwise the file's name.
    """
    path = source.path
    document = _parse(path)
    properties = {item.get("NAME"): item.text or "" for item in document.iterfind("HEADER/PROPERTY")}
    tiers = _coded_tiers(document, options)
    if not tiers and options.coders != EVERYONE:
        raise _no_tier(path, document, options)
    media = _video_descriptor(document)
    origin = int(media.get("TIME_ORIGIN", "0")) / 1000 if media is not None else 0.0
    context = _context_of(path, document, options, origin, written_by_mmad=f"{PREFIX}video_id" in properties)
    rows = [row for tier in tiers for row in _read_tier(tier, context)]
    refuse_pooling(path, context.coders, options)
    metadata = {
        "duration": if_positive(properties.get(f"{PREFIX}duration")),
        "fps": if_positive(properties.get(f"{PREFIX}fps")),
        "media": _media(path, media),
        "clock_start": if_positive(properties.get(f"{PREFIX}picture_begins_at")) or 0.0,
        "link": "" if media is None else media.get("RELATIVE_MEDIA_URL") or media.get("MEDIA_URL") or "",
        "notes": _notes(context, len(rows)),
    }
    return [from_rows(_video_id(path, properties.get(f"{PREFIX}video_id", "")), rows, **metadata)]


@dataclass
class _Context:
    """What reading the tiers of one file needs, and what it gathers on the way.

    origin: the video's time origin, s. scores: {annotation: score}. entries: {entry of a vocabulary: its texts}.
    our_tier_types: the tier types with the vocabulary that mmad wrote. written_by_mmad: whether its score tiers are
    scores.

    Gathered: label_of_annotation: {annotation: label}. coders: {label: who annotated it}. left_out: what is not an
    action. values_elsewhere: values of annotations that count as the action that their tier is named after.
    """

    path: Path
    options: ReadOptions
    origin: float
    written_by_mmad: bool
    times: "_Times"
    scores: dict[str, float]
    entries: dict[str, list[str]]
    our_tier_types: set[str]
    left_out: LeftOut
    label_of_annotation: dict[str, int] = field(default_factory=dict)
    coders: dict[int, set[str]] = field(default_factory=dict)
    values_elsewhere: Counter = field(default_factory=Counter)


def _context_of(
    path: Path, document: ET.Element, options: ReadOptions, origin: float, written_by_mmad: bool
) -> _Context:
    times = _Times(path, document, options.on_problem)
    scores = _score_of_annotation(path, document, options.on_problem) if written_by_mmad else {}
    left_out = LeftOut(path, options, "annotations")
    return _Context(path, options, origin, written_by_mmad, times, scores, *_vocabulary(document), left_out)


def _read_tier(tier: ET.Element, context: _Context) -> list[Row]:
    """The actions of one tier; gathers labels, coders and what is left out in the context."""
    if context.written_by_mmad and tier.get("LINGUISTIC_TYPE_REF") == SCORE_TYPE:
        return []
    rows = []
    for item in tier.iterfind("ANNOTATION/*"):
        name = item.get("ANNOTATION_ID")
        where = f"{context.path}, tier {tier.get('TIER_ID')!r}, annotation {name}"
        try:
            label = _label_or_count(item, tier, context, where)
            if label is None or label == context.label_of_annotation.get(item.get("ANNOTATION_REF")):
                continue  # no action, or a dependent tier that repeats the action of its parent
            context.label_of_annotation[name] = label
            start, end = (round(time + context.origin, 6) for time in context.times.of(item, where))
            check_order(start, end, where)
        except InputError as error:
            context.options.on_problem(error)
            continue
        context.coders.setdefault(label, set()).add(_annotator(tier))
        rows.append((start, end, label, context.scores.get(name)))
    return rows


def _label_or_count(item: ET.Element, tier: ET.Element, context: _Context, where: str) -> int | None:
    """The action of an annotation; None where it is not an action, which `context.left_out` counts.

    A value that counts as the action of its tier is added to `context.values_elsewhere`.
    """
    labels = context.options.labels
    text = (item.findtext("ANNOTATION_VALUE") or "").strip()
    values = [text, *context.entries.get(item.get("CVE_REF"), ())]
    found = next((label for value in values if value and (label := labels.find(value)) is not None), None)
    if found is not None:
        return found
    of_tier = action_of_tier(tier.get("TIER_ID") or "", labels)
    has_our_vocabulary = tier.get("LINGUISTIC_TYPE_REF") in context.our_tier_types
    if of_tier is not None and not (text and has_our_vocabulary):
        if text:
            context.values_elsewhere[text] += 1
        return of_tier
    if has_our_vocabulary and not text:
        raise InputError(where, "has no value", "choose its action in ELAN, or delete it")
    if has_our_vocabulary:
        return label_id(text, labels, where)
    context.left_out.other(text)
    return None


def _notes(context: _Context, num_read: int) -> list[str]:
    """What a person should know of a file that was read, a line each."""
    notes, values = context.left_out.notes(num_read, empty=bool(context.our_tier_types)), context.values_elsewhere
    if values:
        problem = f"{values.total()} annotations have other values than the action that their tier is named after"
        notes.append(f"{context.path}: {problem}, such as {min(values)!r}: they count as that action")
    return notes


def _coded_tiers(document: ET.Element, options: ReadOptions) -> list[ET.Element]:
    """The tiers that are meant: of the annotator and of the names that the user gives, if any."""
    tiers, coders = document.findall("TIER"), options.coders
    if coders.annotator:
        tiers = [tier for tier in tiers if _annotator(tier).casefold() == coders.annotator.casefold()]
    return [tier for tier in tiers if tier_is_meant(tier.get("TIER_ID") or "", coders)]


def _no_tier(path: Path, document: ET.Element, options: ReadOptions) -> InputError:
    tiers = document.findall("TIER")
    if options.coders.annotator:
        people = sorted({_annotator(tier) for tier in tiers} - {""})
        problem = f"no tier of {options.coders.annotator!r}"
        return InputError(path, problem, f"annotators: {', '.join(people) or 'none'}")
    names = [tier.get("TIER_ID") or "" for tier in tiers]
    wanted = ", ".join(options.coders.tiers)
    return InputError(path, f"no tier {wanted}" if wanted else "has no tier", f"tiers: {', '.join(names) or 'none'}")


def _annotator(tier: ET.Element) -> str:
    """Who annotated a tier: by its attribute in ELAN, or the end of its name, "coding@anna"; "" where unknown."""
    return (tier.get("ANNOTATOR") or (tier.get("TIER_ID") or "").partition("@")[2]).strip()


def _vocabulary(document: ET.Element) -> tuple[dict[str, list[str]], set[str]]:
    """({entry of a controlled vocabulary: its text in each language}, the tier types with the vocabulary of mmad)."""
    our_tier_types = {
        kind.get("LINGUISTIC_TYPE_ID")
        for kind in document.iterfind("LINGUISTIC_TYPE")
        if kind.get("CONTROLLED_VOCABULARY_REF") == VOCABULARY
    }
    entries = {}
    for entry in document.iterfind("CONTROLLED_VOCABULARY/CV_ENTRY_ML"):
        entries[entry.get("CVE_ID")] = [(value.text or "").strip() for value in entry.iterfind("CVE_VALUE")]
    return entries, our_tier_types


class _Times:
    """When annotations are, as ELAN shows them: in s, without the video's time origin.

    Those of dependent tiers lie in their parents: associated with them they have their times, of a subdivision each has
    an equal part. Slots without a time lie evenly between the ones that have one.
    """

    def __init__(self, path: Path, document: ET.Element, on_problem: OnProblem):
        self.slots = _slot_times(path, document, on_problem)
        self.items = {item.get("ANNOTATION_ID"): item for item in document.iterfind("TIER/ANNOTATION/*")}
        self.siblings: dict[str, list[str]] = {}
        subdivided = {
            kind.get("LINGUISTIC_TYPE_ID")
            for kind in document.iterfind("LINGUISTIC_TYPE")
            if kind.get("CONSTRAINTS") == "Symbolic_Subdivision"
        }
        for tier in document.iterfind("TIER"):
            families: dict[str, list] = {}
            for item in tier.iterfind("ANNOTATION/REF_ANNOTATION"):
                families.setdefault(item.get("ANNOTATION_REF"), []).append(item)
            for family in families.values():
                names = _in_order(family)
                for name in names:
                    self.siblings[name] = names if tier.get("LINGUISTIC_TYPE_REF") in subdivided else [name]
        self._interpolate(document)

    def of(self, item: ET.Element, where: str, depth: int = 0) -> tuple[float, float]:
        """(start, end) in s."""
        if item.tag == "ALIGNABLE_ANNOTATION":
            return tuple(self._time(item.get(f"TIME_SLOT_REF{side}"), where) for side in (1, 2))
        parent = self.items.get(item.get("ANNOTATION_REF"))
        if parent is None or depth > MAX_DEPTH:
            raise InputError(where, f"depends on annotation {item.get('ANNOTATION_REF')}, which is not there")
        start, end = self.of(parent, where, depth + 1)
        family = self.siblings.get(item.get("ANNOTATION_ID"), [item.get("ANNOTATION_ID")])
        share = (end - start) / len(family)
        at = family.index(item.get("ANNOTATION_ID"))
        return start + at * share, end if at == len(family) - 1 else start + (at + 1) * share

    def _time(self, slot: str | None, where: str) -> float:
        time = self.slots.get(slot)
        if time is None:
            raise InputError(where, f"time slot {slot} has no time", "align the annotation in ELAN")
        return time / 1000

    def _interpolate(self, document: ET.Element) -> None:
        """Times for the slots without, in the order in which the annotations of their tier follow each other."""
        place = {slot: i for i, slot in enumerate(self.slots)}
        for tier in document.iterfind("TIER"):
            used = {
                item.get(f"TIME_SLOT_REF{side}")
                for item in tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION")
                for side in (1, 2)
            }
            chain = sorted((slot for slot in used if slot in place), key=place.get)
            aligned = [i for i, slot in enumerate(chain) if self.slots[slot] is not None]
            for before, after in itertools.pairwise(aligned):
                first, last = self.slots[chain[before]], self.slots[chain[after]]
                for i in range(before + 1, after):
                    self.slots[chain[i]] = first + (last - first) * (i - before) / (after - before)


def _in_order(family: list[ET.Element]) -> list[str]:
    """The annotations of one parent in one tier, each behind the one that it names as the one before."""
    names = [item.get("ANNOTATION_ID") for item in family]
    before = {item.get("PREVIOUS_ANNOTATION"): item.get("ANNOTATION_ID") for item in family}
    ordered, name = [], before.get(None)
    while name is not None and name not in ordered:
        ordered.append(name)
        name = before.get(name)
    return ordered if len(ordered) == len(names) else names


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
        raise InputError(path, f"<{document.tag}> is not an ELAN document", "expected <ANNOTATION_DOCUMENT>")
    header = document.find("HEADER")
    for item in document.iterfind("HEADER/MEDIA_DESCRIPTOR"):
        origin = item.get("TIME_ORIGIN", "0")
        if not (re.fullmatch(r"-?\d{1,12}", origin, re.ASCII)):
            raise InputError(path, f"TIME_ORIGIN {origin!r} is not a number of milliseconds", "save it again in ELAN")
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise InputError(path, f"its times are in {units}", "save it with milliseconds")
    return document


def _slot_times(path: Path, document: ET.Element, on_problem: OnProblem) -> dict[str, float | None]:
    """{time slot: ms} in their order, None where ELAN has left the time of a slot open."""
    times = {}
    for item in document.iterfind("TIME_ORDER/TIME_SLOT"):
        name, value = item.get("TIME_SLOT_ID"), item.get("TIME_VALUE")
        if value is not None and not (value.isascii() and value.isdecimal() and len(value) < 16):
            problem = f"TIME_VALUE {value!r} is not a number of milliseconds"
            on_problem(InputError(f"{path}, time slot {name}", problem))
            value = None
        times[name] = None if value is None else int(value)
    return times


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


def _video_id(path: Path, in_header: str) -> str:
    still_matches = in_header.replace("\\", "/").rpartition("/")[2] == path.stem
    return check_id(in_header if still_matches else path.stem, str(path))


def _video_descriptor(document: ET.Element) -> ET.Element | None:
    """The header's entry for the video: ELAN also links the sound, in a file of its own, often first."""
    linked = document.findall("HEADER/MEDIA_DESCRIPTOR")
    for item in linked:
        name = item.get("RELATIVE_MEDIA_URL") or item.get("MEDIA_URL") or ""
        if PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES:
            return item
    return next((item for item in linked if (item.get("MIME_TYPE") or "").startswith("video")), None)


def _media(path: Path, descriptor: ET.Element | None) -> Path | None:
    """The video that the header links, if it is there: beside the file first, as folders get moved."""
    relative = descriptor.get("RELATIVE_MEDIA_URL") if descriptor is not None else None
    if not relative or not relative.isprintable():
        return None
    with contextlib.suppress(OSError, ValueError):  # a name that is too long
        found = path.parent / relative
        return found if found.is_file() else None
    return None
