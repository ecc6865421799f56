import pytest

from mmad.errors import InputError
from mmad.formats.mma52 import read_clip_list
from mmad.labels import MMA52, read_label_set


@pytest.mark.parametrize(
    ("text", "parts", "part_of"),
    [
        ("wave\nnod twice\nsit\n", ("all",), (0, 0, 0)),
        ("0\twave\n1\tnod twice\n\n2\tsit\n", ("all",), (0, 0, 0)),
        ("0\twave\thand\n1\tnod twice\thead\n2\tsit\thand\n", ("hand", "head"), (0, 1, 0)),
    ],
    ids=["names", "numbered", "with body parts"],
)
def test_label_file_forms(write, text, parts, part_of):
    labels = read_label_set(str(write("office.txt", text)))
    assert (labels.name, labels.actions) == ("office", ("wave", "nod twice", "sit"))
    assert (labels.parts, labels.part_of) == (parts, part_of)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("\n", "", "no labels in the file"),
        ("0\twave\n2\tsit\n", ", line 2", "index '2'; expected 1"),
        ("0\twave\n\n2\tsit\n", ", line 3", "index '2'; expected 1"),
        ("wave\nsit\nwave\n", "", "'wave' is there twice"),
    ],
)
def test_bad_label_file_is_refused_with_its_line(write, text, place, said):
    path = write("office.txt", text)
    with pytest.raises(InputError) as error:
        read_label_set(str(path))
    assert error.value.place == f"{path}{place}"
    assert said in str(error.value)


@pytest.mark.parametrize("read", [read_label_set, read_clip_list])
def test_list_that_is_not_text_is_refused(tmp_path, read):
    (tmp_path / "list.txt").write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(InputError, match=r"list\.txt"):
        read(str(tmp_path / "list.txt"))


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["ma52", "mma52", "mma52_2024"])
def test_our_label_names_are_the_official_ones(shared, folder):
    assert read_label_set(str(shared / "data" / folder / "label_name.txt")).actions == MMA52.actions
