from pathlib import Path

import pytest
from made_annotations import NODDING, WAVING, write

from mmad.errors import InputError
from mmad.formats import read_events, write_events
from mmad.formats.source import Coders
from mmad.labels import MMA52
from mmad.records import Annotation

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 10
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "head"
        xmin = 0
        xmax = 10
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1
            text = ""
        intervals [2]:
            xmin = 1
            xmax = 2.5
            text = "Nodding"
        intervals [3]:
            xmin = 2.5
            xmax = 10
            text = "says ""no"" 3 times"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 10
        points: size = 1
        points [1]:
            number = 5
            mark = "waving"
    item [3]:
        class = "IntervalTier"
        name = "waving"
        xmin = 0
        xmax = 10
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 4
            text = "x"
        intervals [2]:
            xmin = 4
            xmax = 10
            text = ""
"""


def short(text: str) -> str:
    """The same as Praat's short text: the values alone."""
    lines = [line.split(" = ")[-1].split(": size")[-1].strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.endswith("]:")]
    return "\n".join(["File type = " + kept[0], "Object class = " + kept[1], *kept[2:]]).replace("tiers? ", "")


@pytest.mark.parametrize("text", [LONG, short(LONG)], ids=["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_text_grids_as_praat_writes_them(tmp_path, text, encoding):
    path = tmp_path / "v.TextGrid"
    path.write_bytes(text.encode(encoding))
    [item] = read_events(path)
    assert (item.video_id, item.duration, item.rows()) == (
        "v",
        10.0,
        [(0.0, 4.0, WAVING, None), (1.0, 2.5, NODDING, None)],
    )
    assert item.notes == [
        f"{path}: 1 intervals are no action, such as 'says \"no\" 3 times'",
        f"{path}: 1 points have no duration and are left out, such as 'waving'",
        f"{path}: 1 intervals count as the action that their tier is named after, such as 'x'",
    ]
    [item] = read_events(path, coders=Coders(tiers=("HEAD",)))
    assert item.labels.tolist() == [NODDING]
    with pytest.raises(InputError, match="no tier foot; tiers: head, clicks, waving"):
        read_events(path, coders=Coders(tiers=("foot",)))


def test_tiers_are_filled_and_do_not_overlap(tmp_path):
    item = Annotation("v", 5.0, [[1, 2], [1.5, 3], [2, 3]], [NODDING] * 3, scores=[0.5, 0.25, 1.0])
    write_events(tmp_path, [item], "praat")
    text = (tmp_path / "v.TextGrid").read_text()
    assert text.count("item [") == 3  # one of them is the list itself
    lines = [line.split(" = ")[1] for line in text.splitlines() if line.startswith(" " * 12)]
    assert lines[:12] == [
        *("0.000000", "1.000000", '""', "1.000000", "2.000000", '"nodding (0.5)"'),
        *("2.000000", "3.000000", '"nodding (1)"', "3.000000", "5.000000", '""'),
    ]
    assert read_events(tmp_path / "v.TextGrid")[0].rows() == item.rows()


def test_by_body_part_and_without_an_action(tmp_path):
    head = MMA52.index["bowing head"]
    videos = [Annotation("v", 5.0, [[0, 2], [2, 5]], [NODDING, head]), Annotation("w", 3.0, [], [])]
    write_events(tmp_path, videos, "praat", tiers="part")
    assert 'name = "head"' in (tmp_path / "v.TextGrid").read_text()
    assert [(item.duration, len(item.labels)) for item in read_events(tmp_path)] == [(5.0, 2), (3.0, 0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected a text in quotes"),
        ('File type = "ooTextFile"\nObject class = "Pitch 1"\n', "is not a TextGrid in text form"),
        (LONG.replace("xmax = 2.5", "xmax = ?"), "line 22: expected a number"),
        (LONG.replace("xmax = 2.5", "xmax = 0.5"), "line 20: ends before it starts"),
        (LONG.replace("size = 3\nitem", "size = 4\nitem"), "expected a text in quotes; is the file complete?"),
        (LONG.replace("points: size = 1", "points: size = 1.5"), "size 1.5; expected a whole number"),
    ],
)
def test_what_is_no_text_grid_is_one_line(tmp_path, text, said):
    with pytest.raises(InputError) as error:
        read_events(write(tmp_path, "v.TextGrid", text))
    assert said in str(error.value)


def test_a_folder_of_text_grids(tmp_path):
    for name in ("a", "b"):
        write(Path(tmp_path), f"{name}.TextGrid", LONG)
    assert [item.video_id for item in read_events(tmp_path)] == ["a", "b"]
