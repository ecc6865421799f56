import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from mmad.errors import InputError, refuse
from mmad.formats.elan import read_elan, write_elan
from mmad.formats.source import Coders, ReadOptions, Source, WriteOptions
from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation

NODDING, BOWING, WAVING = (MMA52.index[name] for name in ("nodding", "bowing head", "waving"))
FOUND = Annotation(
    "v1",
    10.01,
    [[1.2344, 2.5], [2.5, 3.0], [2.0, 4.0], [0.0, 9.999], [4.0, 4.0]],
    [NODDING, NODDING, NODDING, WAVING, BOWING],
    fps=29.0,
    scores=[0.9, 0.8, 0.123456, 1.0, 0.0],
)


def write_eaf(path: Path, item: Annotation, labels: LabelSet = MMA52, tiers: str = "action") -> None:
    write_elan(path, [item], WriteOptions(labels, tiers))


def read_eaf(path: Path, labels: LabelSet = MMA52, on_problem=refuse) -> Annotation:
    [item] = read_elan(Source(path), ReadOptions(labels, on_problem=on_problem))
    return item


# EAF 3.0 in short, after the public EAFv3.0.xsd: {element: (children in order, required attributes, all others)}.
# A child with "*" may be there any number of times, with "+" once or more, "|" is a choice of one.
SCHEMA = {
    "ANNOTATION_DOCUMENT": (
        "LICENSE* HEADER TIME_ORDER TIER* LINGUISTIC_TYPE* LOCALE* LANGUAGE* CONSTRAINT* CONTROLLED_VOCABULARY* "
        "LEXICON_REF* REF_LINK_SET* EXTERNAL_REF*",
        "DATE AUTHOR VERSION",
        "FORMAT {http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation",
    ),
    "HEADER": ("MEDIA_DESCRIPTOR* LINKED_FILE_DESCRIPTOR* PROPERTY*", "", "MEDIA_FILE TIME_UNITS"),
    "MEDIA_DESCRIPTOR": ("", "MEDIA_URL MIME_TYPE", "RELATIVE_MEDIA_URL TIME_ORIGIN EXTRACTED_FROM"),
    "PROPERTY": ("", "", "NAME"),
    "TIME_ORDER": ("TIME_SLOT*", "", ""),
    "TIME_SLOT": ("", "TIME_SLOT_ID", "TIME_VALUE"),
    "TIER": (
        "ANNOTATION*",
        "TIER_ID LINGUISTIC_TYPE_REF",
        "PARTICIPANT ANNOTATOR DEFAULT_LOCALE PARENT_REF EXT_REF LANG_REF",
    ),
    "ANNOTATION": ("ALIGNABLE_ANNOTATION|REF_ANNOTATION", "", ""),
    "ALIGNABLE_ANNOTATION": (
        "ANNOTATION_VALUE",
        "ANNOTATION_ID TIME_SLOT_REF1 TIME_SLOT_REF2",
        "SVG_REF EXT_REF LANG_REF CVE_REF",
    ),
    "REF_ANNOTATION": (
        "ANNOTATION_VALUE",
        "ANNOTATION_ID ANNOTATION_REF",
        "PREVIOUS_ANNOTATION EXT_REF LANG_REF CVE_REF",
    ),
    "ANNOTATION_VALUE": ("", "", ""),
    "LINGUISTIC_TYPE": (
        "",
        "LINGUISTIC_TYPE_ID",
        "TIME_ALIGNABLE CONSTRAINTS GRAPHIC_REFERENCES CONTROLLED_VOCABULARY_REF EXT_REF LEXICON_REF",
    ),
    "LANGUAGE": ("", "LANG_ID", "LANG_DEF LANG_LABEL"),
    "CONSTRAINT": ("", "STEREOTYPE", "DESCRIPTION"),
    "CONTROLLED_VOCABULARY": ("DESCRIPTION* CV_ENTRY_ML*", "CV_ID", "EXT_REF"),
    "DESCRIPTION": ("", "LANG_REF", ""),
    "CV_ENTRY_ML": ("CVE_VALUE+", "CVE_ID", "EXT_REF"),
    "CVE_VALUE": ("", "LANG_REF", "DESCRIPTION"),
}
IDS = ("TIME_SLOT_ID", "ANNOTATION_ID", "LANG_ID", "STEREOTYPE")  # xsd:ID: unique in the document
KEYS = ("TIER_ID", "LINGUISTIC_TYPE_ID", "CV_ID", "CVE_ID")  # xsd:key: unique among their kind
REFERENCES = {
    "TIME_SLOT_REF1": "TIME_SLOT_ID",
    "TIME_SLOT_REF2": "TIME_SLOT_ID",
    "ANNOTATION_REF": "ANNOTATION_ID",
    "LANG_REF": "LANG_ID",
    "CONSTRAINTS": "STEREOTYPE",
    "CVE_REF": "CVE_ID",
    "PARENT_REF": "TIER_ID",
    "LINGUISTIC_TYPE_REF": "LINGUISTIC_TYPE_ID",
    "CONTROLLED_VOCABULARY_REF": "CV_ID",
}


def check_against_schema(path: Path) -> ET.Element:
    document = ET.parse(path).getroot()
    for element in document.iter():
        children, required, optional = SCHEMA[element.tag]
        attributes = set(element.attrib)
        assert set(required.split()) <= attributes <= set(required.split()) | set(optional.split()), element.tag
        tags, at = [child.tag for child in element], 0
        for wanted in children.split():
            names, many = wanted.rstrip("*+").split("|"), wanted[-1] in "*+"
            count = 0
            while at < len(tags) and tags[at] in names and (many or count == 0):
                at, count = at + 1, count + 1
            assert count or wanted.endswith("*"), f"{wanted} is missing in {element.tag}"
        assert at == len(tags), f"{tags[at]} is out of place in {element.tag}"
    values = {name: [e.get(name) for e in document.iter() if e.get(name) is not None] for name in (*IDS, *KEYS)}
    names = [value for name in IDS for value in values[name]]
    assert len(set(names)) == len(names)
    for name in names:  # xsd:ID is an NCName
        assert name[0].isalpha()
        assert name.replace("_", "").isalnum()
    for key in KEYS:
        assert len(set(values[key])) == len(values[key])
    for element in document.iter():
        for reference, target in REFERENCES.items():
            assert element.get(reference) is None or element.get(reference) in values[target], reference
    return document


def spans_by_tier(document: ET.Element) -> dict[str, list[tuple[int, int]]]:
    times = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in document.iter("TIME_SLOT")}
    return {
        tier.get("TIER_ID"): [
            (times[item.get("TIME_SLOT_REF1")], times[item.get("TIME_SLOT_REF2")])
            for item in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        for tier in document.iter("TIER")
    }


@pytest.mark.parametrize("tiers", ["action", "part"])
def test_what_is_written_fits_the_schema_and_no_tier_overlaps(tmp_path, tiers):
    (tmp_path / "v 1.mp4").write_bytes(b"")
    write_eaf(tmp_path / "out" / "v1.eaf", replace(FOUND, media=tmp_path / "v 1.mp4"), tiers=tiers)
    document = check_against_schema(tmp_path / "out" / "v1.eaf")
    found = spans_by_tier(document)
    for spans in found.values():
        assert all(start < end for start, end in spans)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    heads = ["head", "head 2"] if tiers == "part" else ["bowing head", "nodding", "nodding 2"]
    assert [name for name in found if not name.endswith("score")] == heads + [
        "upper limb" if tiers == "part" else "waving"
    ]
    assert read_eaf(tmp_path / "out" / "v1.eaf").media.samefile(tmp_path / "v 1.mp4")
    slots = [int(slot.get("TIME_VALUE")) for slot in document.iter("TIME_SLOT")]
    assert slots == sorted(slots)
    used = [item.get(f"TIME_SLOT_REF{side}") for item in document.iter("ALIGNABLE_ANNOTATION") for side in (1, 2)]
    assert len(set(used)) == len(used) == len(slots)  # moving one annotation in ELAN moves no other
    media = document.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("MEDIA_URL") == f"file://{tmp_path / 'v 1.mp4'}"  # as ELAN writes it
    assert media.get("RELATIVE_MEDIA_URL") == "../v 1.mp4"
    vocabulary = [value.text for value in document.iter("CVE_VALUE")]
    assert vocabulary == list(MMA52.actions)


@pytest.mark.parametrize("tiers", ["action", "part"])
def test_round_trip_to_the_millisecond(tmp_path, tiers):
    write_eaf(tmp_path / "v1.eaf", FOUND, tiers=tiers)
    back = read_eaf(tmp_path / "v1.eaf")
    assert (back.video_id, back.duration, back.fps, back.notes) == ("v1", 10.01, 29.0, [])
    assert back.rows() == [
        (0.0, 9.999, WAVING, 1.0),
        (1.234, 2.5, NODDING, 0.9),
        (2.0, 4.0, NODDING, 0.1235),
        (2.5, 3.0, NODDING, 0.8),
        (4.0, 4.001, BOWING, 0.0),  # ELAN has no annotation without length
    ]


def test_what_people_said_has_no_scores(tmp_path):
    write_eaf(tmp_path / "v.eaf", Annotation("v", 2.0, [[0, 1]], [NODDING]))
    assert "score" not in spans_by_tier(check_against_schema(tmp_path / "v.eaf")).popitem()[0]
    back = read_eaf(tmp_path / "v.eaf")
    assert back.scores is None
    assert back.detections().scores.tolist() == [1.0]


def test_nothing_happens(tmp_path):
    write_eaf(tmp_path / "v.eaf", Annotation("v", 3.0, [], [], scores=[]))
    check_against_schema(tmp_path / "v.eaf")
    annotation = read_eaf(tmp_path / "v.eaf")
    assert (annotation.duration, len(annotation.labels)) == (3.0, 0)


def test_names_that_look_like_lanes_and_like_xml(tmp_path):
    labels = LabelSet("own", ("a & b", "a & b 2", "<c>"), ("all",), (0, 0, 0))
    events = Annotation("v", None, [[0, 2], [1, 3], [1, 2], [0, 1]], [0, 0, 1, 2], scores=[0.5] * 4)
    write_eaf(tmp_path / "v.eaf", events, labels)
    names = list(spans_by_tier(check_against_schema(tmp_path / "v.eaf")))
    assert names[::2] == ["a & b", "a & b 3", "a & b 2", "<c>"]
    assert sorted(read_eaf(tmp_path / "v.eaf", labels).labels.tolist()) == [0, 0, 1, 2]


def corrected(folder: Path, change) -> Path:
    """v1.eaf after `change(document)`, as somebody might have saved it."""
    write_eaf(folder / "v1.eaf", FOUND)
    document = ET.parse(folder / "v1.eaf")
    change(document.getroot())
    document.write(folder / "v1.eaf")
    return folder / "v1.eaf"


def add_tier(document: ET.Element, name: str, kind: str, values: list[str]) -> None:
    tier = ET.Element("TIER", TIER_ID=name, LINGUISTIC_TYPE_REF=kind)
    for i, value in enumerate(values):
        slots = {"TIME_SLOT_REF1": "ts1", "TIME_SLOT_REF2": "ts2", "ANNOTATION_ID": f"new{len(name)}{i}"}
        item = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", slots)
        ET.SubElement(item, "ANNOTATION_VALUE").text = value
    document.insert(2, tier)


def test_corrections_in_elan_come_back(tmp_path):
    def change(document):
        tiers = {tier.get("TIER_ID"): tier for tier in document.iter("TIER")}
        tiers["nodding 2"].set("TIER_ID", "renamed")
        tiers["nodding 2 score"].set("PARENT_REF", "renamed")
        document.remove(tiers["waving"])
        document.remove(tiers["waving score"])
        add_tier(document, "head", "action", ["shaking head"])
        add_tier(document, "shrugging 2", "action", [""])  # drawn, and no value chosen
        add_tier(document, "my remarks", "default-lt", ["look again", "rubbing eyes", "?"])

    back = read_eaf(corrected(tmp_path, change))
    counts = {name: back.labels.tolist().count(k) for name, k in MMA52.index.items() if k in back.labels}
    assert counts == {"shrugging": 1, "bowing head": 1, "nodding": 3, "shaking head": 1, "rubbing eyes": 1}
    assert back.scores[back.labels == MMA52.index["shaking head"]] == 1.0
    assert back.notes == [f"{tmp_path / 'v1.eaf'}: 2 annotations are no action, such as '?'"]


def test_a_slip_in_a_tier_of_ours_is_refused_or_collected(tmp_path):
    path = corrected(tmp_path, lambda document: add_tier(document, "head", "action", ["noding"]))
    with pytest.raises(InputError, match=r"tier 'head', annotation new40.*did you mean 'nodding'"):
        read_eaf(path)
    found = []
    assert len(read_eaf(path, on_problem=found.append).labels) == len(FOUND.labels)
    assert len(found) == 1


def test_an_annotation_without_a_value_in_a_tier_of_many_actions(tmp_path):
    path = corrected(tmp_path, lambda document: add_tier(document, "head", "action", [""]))
    with pytest.raises(InputError, match="has no value; choose its action in ELAN"):
        read_eaf(path)


def test_another_coding_is_refused(tmp_path):
    def change(document):
        for element in document.findall("TIER") + document.findall("LINGUISTIC_TYPE"):
            document.remove(element)
        add_tier(document, "gesture", "default-lt", ["beat", "iconic"])

    with pytest.raises(InputError, match="none of its 2 annotations is an action of mma52"):
        read_eaf(corrected(tmp_path, change))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<ANNOTATION_DOCUMENT>", "not XML"),
        ("", "not XML"),
        ("<x/>", "not an ELAN document"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><ANNOTATION_DOCUMENT>&a;</ANNOTATION_DOCUMENT>', "DOCTYPE"),
        ('<?xml version="1.0" encoding="nonsense"?><ANNOTATION_DOCUMENT/>', "not XML"),
        ('<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="PAL-frames"/></ANNOTATION_DOCUMENT>', "PAL-frames"),
        (
            '<ANNOTATION_DOCUMENT><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t" TIME_VALUE="1.5"/></TIME_ORDER>'
            "</ANNOTATION_DOCUMENT>",
            "'1.5' is not a number of milliseconds",
        ),
        (
            '<ANNOTATION_DOCUMENT><TIER TIER_ID="nodding"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" '
            'TIME_SLOT_REF1="t1"/></ANNOTATION></TIER></ANNOTATION_DOCUMENT>',
            "time slot t1 has no time",
        ),
    ],
)
def test_what_is_no_elan_file_is_refused(tmp_path, text, said):
    (tmp_path / "v.eaf").write_text(text)
    with pytest.raises(InputError, match=said):
        read_eaf(tmp_path / "v.eaf")


def test_the_header_names_the_video_while_the_file_is_called_so(tmp_path):
    write_eaf(tmp_path / "cam2.eaf", Annotation("day1/cam2", None, [[0, 1]], [0]))
    assert read_eaf(tmp_path / "cam2.eaf").video_id == "day1/cam2"
    (tmp_path / "cam2.eaf").rename(tmp_path / "cam2_second_rater.eaf")
    assert read_eaf(tmp_path / "cam2_second_rater.eaf").video_id == "cam2_second_rater"


def test_an_unknown_kind_of_tier_is_refused(tmp_path):
    with pytest.raises(InputError, match="choose one of action, part"):
        write_eaf(tmp_path / "v.eaf", FOUND, tiers="finger")
    assert list(tmp_path.iterdir()) == []


# --- as labs use it ---------------------------------------------------------------------------------------------


def lab_file(path: Path, tiers: str, slots: dict[str, int | None], media: str = "", rest: str = "") -> Path:
    """An .eaf as ELAN writes it. slots: {time slot: ms, None where ELAN leaves it open}."""
    times = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="{name}"' + ("/>" if ms is None else f' TIME_VALUE="{ms}"/>')
        for name, ms in slots.items()
    )
    types = "".join(
        f'<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="{name}" TIME_ALIGNABLE="false" CONSTRAINTS="{kind}"/>'
        for name, kind in (("assoc", "Symbolic_Association"), ("sub", "Symbolic_Subdivision"), ("score", "x"))
    )
    header = f'<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">{media}</HEADER><TIME_ORDER>{times}</TIME_ORDER>'
    path.write_text(f"<ANNOTATION_DOCUMENT>{header}{tiers}{types}{rest}</ANNOTATION_DOCUMENT>", encoding="utf-8")
    return path


def tier(name: str, *items: str, about: str = 'LINGUISTIC_TYPE_REF="t"') -> str:
    return f'<TIER TIER_ID="{name}" {about}>' + "".join(f"<ANNOTATION>{i}</ANNOTATION>" for i in items) + "</TIER>"


def aligned(name: str, first: str, last: str, value: str, about: str = "") -> str:
    where = f'ANNOTATION_ID="{name}" TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{last}" {about}'
    return f"<ALIGNABLE_ANNOTATION {where}><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"


def dependent(name: str, parent: str, value: str, before: str = "") -> str:
    where = f'ANNOTATION_ID="{name}" ANNOTATION_REF="{parent}"' + (f' PREVIOUS_ANNOTATION="{before}"' if before else "")
    return f"<REF_ANNOTATION {where}><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION>"


FOUR = {"t1": 1000, "t2": 2000, "t3": 3000, "t4": 6000}


def test_times_are_those_of_the_video_and_not_of_elans_clock(tmp_path):
    sound = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/i.wav" MIME_TYPE="audio/x-wav" TIME_ORIGIN="900"/>'
    video = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/i.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="5000"/>'
    for media, start in ((sound + video, 6.0), (video + sound, 6.0), ("", 1.0), (video.replace("5000", "-500"), 0.5)):
        path = lab_file(tmp_path / "i.eaf", tier("c", aligned("a1", "t1", "t2", "nodding")), FOUR, media)
        assert read_eaf(path).segments.tolist() == [[start, start + 1.0]]
    path = lab_file(tmp_path / "i.eaf", tier("c"), FOUR, video.replace("5000", "5 s"))
    with pytest.raises(InputError, match="TIME_ORIGIN '5 s' is not a number of milliseconds"):
        read_eaf(path)


def test_dependent_tiers_have_the_times_that_elan_shows(tmp_path):
    """The subdivision of 3 s .. 6 s into three, in the order of their chain; an association has its parent's times."""
    tiers = tier("units", aligned("a1", "t1", "t2", "unit"), aligned("a2", "t3", "t4", "unit"))
    tiers += tier("code", dependent("a3", "a1", "nodding"), about='LINGUISTIC_TYPE_REF="assoc" PARENT_REF="units"')
    parts = [dependent("a5", "a2", "waving", "a4"), dependent("a4", "a2", "nodding"), dependent("a6", "a2", "?", "a5")]
    tiers += tier("parts", *parts, about='LINGUISTIC_TYPE_REF="sub" PARENT_REF="units"')
    tiers += tier("deep", dependent("a7", "a5", "bowing head"), about='LINGUISTIC_TYPE_REF="assoc" PARENT_REF="parts"')
    back = read_eaf(lab_file(tmp_path / "v.eaf", tiers, FOUR))
    assert back.rows() == [
        (1.0, 2.0, NODDING, None),
        (3.0, 4.0, NODDING, None),
        (4.0, 5.0, BOWING, None),
        (4.0, 5.0, WAVING, None),
    ]
    assert back.notes == [f"{tmp_path / 'v.eaf'}: 3 annotations are no action, such as '?'"]


def test_what_a_dependent_tier_says_again_counts_once(tmp_path):
    tiers = tier("a", aligned("a1", "t1", "t2", "nodding"))
    tiers += tier("b", dependent("a2", "a1", "Nodding"), about='LINGUISTIC_TYPE_REF="assoc" PARENT_REF="a"')
    assert len(read_eaf(lab_file(tmp_path / "v.eaf", tiers, FOUR)).labels) == 1


def test_a_parent_that_is_not_there_or_its_own_is_one_line(tmp_path):
    for parent in ("a9", "a1"):
        path = lab_file(tmp_path / "v.eaf", tier("a", dependent("a1", parent, "nodding")), FOUR)
        with pytest.raises(InputError, match=f"depends on annotation {parent}, which is not there"):
            read_eaf(path)


def test_open_time_slots_lie_evenly_between_those_with_a_time(tmp_path):
    slots = {"t1": 1000, "o1": None, "x": 1100, "o2": None, "t2": 4000}
    ends = ["t1", "o1", "o2", "t2"]
    chain = [aligned(f"a{i}", *pair, "nodding") for i, pair in enumerate(itertools.pairwise(ends))]
    tiers = tier("c", *chain) + tier("other", aligned("a4", "x", "t2", "bowing head"))
    segments = read_eaf(lab_file(tmp_path / "v.eaf", tiers, slots)).segments
    assert segments[:3].tolist() == [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]


def test_tiers_that_are_the_action(tmp_path):
    tiers = tier("Nodding", aligned("a1", "t1", "t2", "x"), aligned("a2", "t3", "t4", "waving"))
    tiers += tier("shaking head 2", aligned("a3", "t1", "t2", "")) + tier(
        "waving@anna", aligned("a4", "t1", "t2", "slow")
    )
    back = read_eaf(lab_file(tmp_path / "v.eaf", tiers, FOUR))
    assert [row[2] for row in back.rows()] == [NODDING, MMA52.index["shaking head"], WAVING, WAVING]
    said = "2 annotations have other values than the action that their tier is named after, such as 'slow'"
    assert back.notes == [f"{tmp_path / 'v.eaf'}: {said}: they count as that action"]


def test_names_match_whatever_their_case_and_spaces(tmp_path):
    values = [aligned(f"a{i}", "t1", "t2", text) for i, text in enumerate(("NODDING ", "shaking  Head", "weaving"))]
    back = read_eaf(lab_file(tmp_path / "v.eaf", tier("c", *values), FOUR))
    assert [row[2] for row in back.rows()] == [NODDING, MMA52.index["shaking head"]]


def test_a_vocabulary_in_several_languages(tmp_path):
    values = "".join(
        f'<CVE_VALUE LANG_REF="{code}">{text}</CVE_VALUE>' for code, text in (("deu", "Nicken"), ("eng", "nodding"))
    )
    entries = f'<CV_ENTRY_ML CVE_ID="c1">{values}</CV_ENTRY_ML>'
    vocabulary = f'<CONTROLLED_VOCABULARY CV_ID="cv">{entries}</CONTROLLED_VOCABULARY>'
    items = [aligned("a1", "t1", "t2", "Nicken", 'CVE_REF="c1"'), aligned("a2", "t1", "t2", "Nicken")]
    back = read_eaf(lab_file(tmp_path / "v.eaf", tier("c", *items), FOUR, rest=vocabulary))
    assert back.labels.tolist() == [NODDING]
    assert back.notes == [f"{tmp_path / 'v.eaf'}: 1 annotations are no action, such as 'Nicken'"]


def test_ratings_of_people_called_score_are_no_scores(tmp_path):
    tiers = tier("c", aligned("a1", "t1", "t2", "nodding"))
    tiers += tier("intensity", dependent("a2", "a1", "4"), about='LINGUISTIC_TYPE_REF="score" PARENT_REF="c"')
    back = read_eaf(lab_file(tmp_path / "v.eaf", tiers, FOUR))
    assert (back.scores, len(back.labels)) == (None, 1)
    assert back.notes == [f"{tmp_path / 'v.eaf'}: 1 annotations are no action, such as '4'"]


def test_several_annotators_in_one_file(tmp_path):
    tiers = tier("c1", aligned("a1", "t1", "t2", "nodding"), about='LINGUISTIC_TYPE_REF="t" ANNOTATOR="Anna"')
    tiers += tier("c2", aligned("a2", "t2", "t3", "nodding"), about='LINGUISTIC_TYPE_REF="t" ANNOTATOR="Ben"')
    path = lab_file(tmp_path / "v.eaf", tiers + tier("hands@ben", aligned("a3", "t3", "t4", "waving")), FOUR)
    with pytest.raises(InputError, match="'nodding' is annotated by Anna and by Ben; choose one: --annotator Anna"):
        read_eaf(path)

    def chosen(**who) -> list:
        [item] = read_elan(Source(path), ReadOptions(coders=Coders(**who)))
        return [row[:3] for row in item.rows()]

    assert chosen(annotator="anna") == [(1.0, 2.0, NODDING)]
    assert chosen(annotator="Ben") == [(2.0, 3.0, NODDING), (3.0, 6.0, WAVING)]
    assert chosen(tiers=("C1", "hands*")) == [(1.0, 2.0, NODDING), (3.0, 6.0, WAVING)]
    with pytest.raises(InputError, match="no tier of 'Eve'; annotators: Anna, Ben, ben"):
        chosen(annotator="Eve")
    with pytest.raises(InputError, match="no tier d; tiers: c1, c2, hands@ben"):
        chosen(tiers=("d",))


def test_two_annotators_who_share_the_work_are_read_together(tmp_path):
    tiers = tier("a", aligned("a1", "t1", "t2", "nodding"), about='LINGUISTIC_TYPE_REF="t" ANNOTATOR="Anna"')
    tiers += tier("b", aligned("a2", "t2", "t3", "waving"), about='LINGUISTIC_TYPE_REF="t" ANNOTATOR="Ben"')
    assert len(read_eaf(lab_file(tmp_path / "v.eaf", tiers, FOUR)).labels) == 2


def test_the_video_is_linked_and_not_the_sound(tmp_path):
    for name in ("i.wav", "i.MOV"):
        (tmp_path / name).write_bytes(b"")
    media = "".join(
        f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/{name}" MIME_TYPE="{kind}" RELATIVE_MEDIA_URL="./{name}"/>'
        for name, kind in (("i.wav", "audio/x-wav"), ("i.MOV", "unknown"))
    )
    path = lab_file(tmp_path / "i.eaf", tier("c", aligned("a1", "t1", "t2", "nodding")), FOUR, media)
    assert read_eaf(path).media.name == "i.MOV"
