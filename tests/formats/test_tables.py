"""Tables as spreadsheets write them."""

import zipfile
from pathlib import Path

import pytest

from mmad.errors import InputError
from mmad.formats import read_annotations
from mmad.formats.tables import read_table

ROWS = [["1", "a,b"], ["2", "c"]]


def make_zip(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b'\xef\xbb\xbfid,name\r\n1,"a,b"\r\n2,c\r\n\r\n\r\n', [2, 3]),
        (b'id;name\n1;"a,b"\n2;c\n', [2, 3]),
        (b'id\tname\n1\t"a,b"\n2\tc\n', [2, 3]),
        (b'sep=|\r\nid|name\r\n1|"a,b"\r\n2|c\r\n', [3, 4]),
        (b'id,name\n\n1,"a,b"\n,\n2,c\n,\n,,,\n', [3, 5]),
        (b'id,name,,\n1,"a,b",,\n2,c,,\n', [2, 3]),
        ('id,name\n1,"a,b"\n2,c\n'.encode("utf-16"), [2, 3]),
        ('id,name\n1,"a,b"\n2,c\n'.encode("utf-16-le"), [2, 3]),
        ('id,name\n1,"a,b"\n2,c\n'.encode("utf-32"), [2, 3]),
        (b'id,name\r1,"a,b"\r2,c\r', [2, 3]),
        (b'id,name\n1,"a,b"\n2,c\n\x1a', [2, 3]),
    ],
    ids=[
        "Excel",
        "semicolons",
        "tabs",
        "sep=",
        "blank rows",
        "empty columns",
        "UTF-16",
        "no mark",
        "UTF-32",
        "Mac",
        "DOS",
    ],
)
def test_one_table_in_all_the_ways_it_is_written(tmp_path, data, lines):
    (tmp_path / "a.csv").write_bytes(data)
    table = read_table(tmp_path / "a.csv")
    assert (table.header, table.rows, table.lines, table.notes) == (["id", "name"], ROWS, lines, [])


def test_windows_encoding_is_read_and_said(tmp_path):
    (tmp_path / "a.csv").write_bytes("id,name\n1,Müller\n".encode("cp1252"))
    table = read_table(tmp_path / "a.csv")
    assert table.rows == [["1", "Müller"]]
    assert table.notes == [
        f"{tmp_path / 'a.csv'}: not UTF-8, read as Windows-1252; if names look wrong, save it as UTF-8"
    ]


def test_decimal_commas_in_columns_of_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("id;time;note\nv;1,5;1,5\nw;2;a 1,5\nx;-0,25;\n")
    assert read_table(tmp_path / "a.csv").rows == [["v", "1.5", "1,5"], ["w", "2", "a 1,5"], ["x", "-0.25", ""]]
    (tmp_path / "b.csv").write_text('id,time\nv,"1,5"\n')  # where commas separate fields they are not decimal
    assert read_table(tmp_path / "b.csv").rows == [["v", "1,5"]]


def test_columns_by_their_names_whatever_case_and_spaces(tmp_path):
    (tmp_path / "a.csv").write_text("Video_ID, Start  Frame,CLASS\nv,1,2\n")
    table = read_table(tmp_path / "a.csv")
    assert [table.column(name) for name in ("video_id", "start_frame", "class", "fps")] == [0, 1, 2, None]
    assert table.column("fps", "class") == 2


def test_an_mma52_table_from_a_german_spreadsheet(tmp_path):
    header = "Video_ID; start_frame;end_frame;Class ;total_frames;fps"
    (tmp_path / "a.csv").write_bytes(f"{header}\r\nv1;10;20,5;nodding;100;25,0\r\n;;;;;\r\n".encode("utf-8-sig"))
    [item] = read_annotations(tmp_path / "a.csv")
    assert (item.video_id, item.segments.tolist(), item.duration) == ("v1", [[0.4, 0.82]], 4.0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a.csv: the file is empty"),
        (b"\n\n", "a.csv: the file is empty"),
        (b"id,name\n1,a\n2\n", "a.csv, line 3: 1 fields where the header has 2"),
        (b"id,name\n\n1,a,x\n", "a.csv, line 3: 3 fields where the header has 2"),
        (b"id,name\n1,\x00\x01\n", "a.csv: not a text file"),
        (b"\x81\x8d\n", "a.csv: not UTF-8 text"),
        (b"\xff\xfei\x00d\x00\n", "a.csv: not UTF-16 text"),
    ],
    ids=["empty", "empty lines", "short row", "long row", "binary", "no encoding", "half a character"],
)
def test_file_that_is_no_table_is_refused(tmp_path, data, said):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(InputError) as error:
        read_table(tmp_path / "a.csv")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "others",
    [{}, {"readme.txt": "hello"}, {"__MACOSX/._prediction.csv": "\0\5\26\7"}],
    ids=["alone", "with another kind of file", "zipped on a Mac"],
)
def test_zip_reads_like_the_table_in_it(tmp_path, others):
    path = make_zip(tmp_path / "a.zip", {"prediction.csv": "id,name\n1,a\n", **others})
    table = read_table(path)
    assert (table.header, table.rows) == (["id", "name"], [["1", "a"]])


@pytest.mark.parametrize(
    ("names", "said"), [([], "0 CSV files"), (["readme.txt"], "0 CSV files"), (["a.csv", "b.csv"], "2 CSV files")]
)
def test_zip_without_exactly_one_table_is_refused(tmp_path, names, said):
    path = make_zip(tmp_path / "a.zip", dict.fromkeys(names, "id\n1\n"))
    with pytest.raises(InputError, match=f"a.zip: {said}"):
        read_table(path)


def cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def flip(data: bytearray) -> None:
    """Every byte of the packed text; the archive's directory stays readable."""
    for i in range(60, data.find(b"PK\1\2")):
        data[i] ^= 0xFF


def lock(data: bytearray) -> None:
    """Set the flag of an encrypted member, in its own header and in the directory."""
    data[6] |= 1
    data[data.find(b"PK\1\2") + 8] |= 1


@pytest.mark.parametrize("damage", [bytearray.clear, cut, flip, lock], ids=["empty", "cut", "flipped", "encrypted"])
def test_damaged_zip_is_refused(tmp_path, damage):
    path = make_zip(tmp_path / "a.zip", {"a.csv": "id,name\n" + "".join(f"{i},{i * i}\n" for i in range(500))})
    data = bytearray(path.read_bytes())
    damage(data)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip"):
        read_table(path)
