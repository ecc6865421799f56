"""Pickles of other people hold data; whatever else they ask for is refused, and nothing of it runs."""

import collections
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from mmad.pickles import Forbidden, load_data

DATA = {
    "split": {"train": ["a"], "val": []},
    "annotations": [
        {"keypoint": np.arange(8, dtype=np.float16).reshape(1, 2, 2, 2), "label": 3, "shape": (720, 1280), "on": True},
        {"keypoint": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "label": np.int64(4), "score": np.float32(0.5)},
        {"names": np.array(["left", "right"]), "none": None, "raw": b"\x00\xff", "big": np.arange(3, dtype=">i4")},
    ],
}


def loaded(content: bytes):
    return load_data(io.BytesIO(content))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_comes_back_as_it_was(protocol):
    back = loaded(pickle.dumps(DATA, protocol=protocol))
    assert back["split"] == DATA["split"]
    for item, expected in zip(back["annotations"], DATA["annotations"], strict=True):
        assert list(item) == list(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(item[key], value)
            types = [np.asarray(array).dtype.newbyteorder("=") for array in (item[key], value)]
            assert types[0] == types[1]


@pytest.mark.parametrize("old", [b"numpy.core", b"numpy._core"])
def test_numpy_1_and_2(old):
    content = pickle.dumps(np.arange(3.0), protocol=2)
    content = content.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", old)
    assert loaded(content).tolist() == [0, 1, 2]


def test_python_2():
    """Its text and its bytes are the same; this is what cPickle wrote for {"a": numpy.array([1., 2.])}."""
    content = b"(dp1\nS'a'\np2\ncnumpy.core.multiarray\n_reconstruct\np3\n(cnumpy\nndarray\np4\n(I0\ntS'b'\ntRp5\n"
    content += b"(I1\n(I2\ntcnumpy\ndtype\np6\n(S'f8'\nI0\nI1\ntRp7\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
    content += b"S'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?\\x00\\x00\\x00\\x00\\x00\\x00\\x00@'\ntbs."
    assert loaded(content)["a"].tolist() == [1.0, 2.0]


class Runs:
    """A pickle of it calls `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "content",
    [
        Runs(os.system, "touch taken"),
        Runs(eval, "open('taken', 'w')"),
        [{"keypoint": Runs(Path.touch, Path("taken"))}],
        Runs(getattr, "", "format"),
        Runs(np.memmap, "taken", "uint8", "w+", 0, (1,)),
        np.array([Runs(os.system, "touch taken")], dtype=object),
        collections.OrderedDict(a=1),
        np.ma.masked_array([1]),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_programs_do_not_run(tmp_path, monkeypatch, content, protocol):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Forbidden, match=r"asks for"):
        loaded(pickle.dumps(content, protocol=protocol))
    assert not list(tmp_path.iterdir())


def reconstruct(shape: bytes, kind: bytes, content: bytes) -> bytes:
    """A hand-written pickle of an array."""
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    return head + b"(I1\n" + shape + kind + b"I00\n" + content + b"tb."


FLOAT = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (reconstruct(b"(I1\nt", b"cnumpy\ndtype\n(S'O'\nI0\nI1\ntR", b"S'12345678'\n"), "an array of object"),
        (reconstruct(b"(I1\nt", b"cnumpy\ndtype\n(S'f8,O'\nI0\nI1\ntR", b"S'12345678'\n"), "an array of"),
        (reconstruct(b"(I1\nt", b"cnumpy\ndtype\n((l(S'a'\nS'O'\ntaI0\nI1\ntR", b"S'12345678'\n"), "an array of"),
        (b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O'\nI0\nI1\ntRS'12345678'\ntR.", "an array of object"),
        (b"cnumpy\nndarray\n((L999999999999L\ntS'f8'\ntR.", "without its content"),
        (reconstruct(b"(L999999999999L\nt", FLOAT, b"S'12345678'\n"), None),
        (reconstruct(b"(I-1\nt", FLOAT, b"S'12345678'\n"), None),
        (reconstruct(b"(I1\nt", FLOAT, b"S'1234'\n"), None),
        (reconstruct(b"(I1\nt", FLOAT, b"(lI1\na"), "not bytes of a plain type"),
        (reconstruct(b"(I1\nt", b"S'f8'\n", b"S'12345678'\n"), "not bytes of a plain type"),
        (b"Pid\n.", None),
        (b"\x80\x04\x95", None),
        (b"", None),
        (b"cnumpy.core.multiarray\nscalar\n(N}X\x04\x00\x00\x00makecbuiltins\neval\nstb.", "builtins.eval"),
    ],
)
def test_made_up_pickles_are_refused_and_harm_nothing(content, problem):
    with pytest.raises((ValueError, TypeError, EOFError, pickle.UnpicklingError, MemoryError), match=problem):
        loaded(content)


def test_what_a_pickle_changes_lasts_no_longer_than_its_reading():
    """BUILD sets attributes of what it was given; another file must not meet them."""
    changed = b"cnumpy.core.multiarray\n_reconstruct\n(N}S'make'\ncnumpy\ndtype\nstb."
    loaded(changed)
    assert loaded(pickle.dumps(np.arange(2))).tolist() == [0, 1]


def test_deep_and_wide_nesting_is_only_data():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    content = b"]" * 100_001 + b"a" * 100_000 + b"."  # pickle.dumps itself would not go so deep
    assert isinstance(loaded(content), list)
    wide: list = []
    for _ in range(60):
        wide = [wide, wide]  # 2 ** 60 lists for whoever walks through them all
    assert len(loaded(pickle.dumps(wide))) == 2
