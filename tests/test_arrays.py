import builtins
import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mmad import arrays
from mmad.arrays import FORMATS, open_array
from mmad.errors import InputError

STEPS, CHANNELS = 7, 3


def made(steps: int = STEPS, channels: int = CHANNELS) -> np.ndarray:
    return np.arange(steps * channels, dtype=np.float32).reshape(steps, channels) / 4


def write(folder: Path, form: str, values: np.ndarray) -> Path:
    path = folder / f"v.{form}"
    if form == "npy":
        np.save(path, values)
    elif form == "npz":
        np.savez_compressed(path, other=np.zeros(2), feats=values)
    elif form == "pt":
        torch.save(torch.from_numpy(np.ascontiguousarray(values)), path)
    elif form == "csv":
        np.savetxt(path, values, delimiter=",")
    else:
        path.write_bytes(pickle.dumps(values))
    return path


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


# --- reading ----------------------------------------------------------------------------------------------------

SLICES = [
    slice(None),
    slice(2, 5),
    slice(None, None, 3),
    slice(-2, None),
    slice(5, 5),
    slice(6, 2),
    slice(None, None, -2),
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("turned", [False, True])
def test_slices_are_those_of_the_array(tmp_path, form, turned):
    values = made()
    stored = open_array(write(tmp_path, form, values.T.copy() if turned else values), turned)
    assert (stored.shape, stored.ndim, len(stored)) == ((STEPS, CHANNELS), 2, STEPS)
    for rows in SLICES:
        np.testing.assert_array_equal(stored[rows], values[rows])
    np.testing.assert_array_equal(stored[-1], values[-1])
    np.testing.assert_array_equal(np.asarray(stored), values)
    np.testing.assert_array_equal(np.array(stored, dtype=np.float64), values)
    with pytest.raises(IndexError):
        stored[STEPS]


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<i4", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("turned", [False, True])
def test_npy_of_any_numbers_and_order(tmp_path, dtype, order, turned):
    values = np.array(made() * 4, dtype=dtype)
    np.save(tmp_path / "v.npy", np.array(values.T if turned else values, order=order))
    stored = open_array(tmp_path / "v.npy", turned)
    for rows in SLICES:
        read = stored[rows]
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, values[rows])


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_read_is_the_readers_own(tmp_path, form):
    stored = open_array(write(tmp_path, form, made()))
    stored[:][:] = 9
    np.testing.assert_array_equal(stored[:], made())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux shows them")
@pytest.mark.parametrize("form", FORMATS)
def test_no_file_stays_open(tmp_path, form):
    write(tmp_path, form, made())
    before = open_files()
    stored = [open_array(tmp_path / f"v.{form}") for _ in range(5)]
    rows = [some[2:4] for some in stored]
    assert open_files() == before
    assert len(rows) == 5


def test_stored_arrays_go_to_other_processes(tmp_path):
    stored = pickle.loads(pickle.dumps(open_array(write(tmp_path, "npy", made()))))
    np.testing.assert_array_equal(stored[:], made())


# --- what is read is finite -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_the_first_value_that_is_not_finite_is_named(tmp_path, form, value):
    values = made()
    values[4, 1] = values[5, 0] = value
    stored = open_array(write(tmp_path, form, values))
    np.testing.assert_array_equal(stored[:4], values[:4])
    said = rf"v\.{form}, row 4, channel 1 \(the first is 0\): the value is {value}, .*extract it again"
    for read in (lambda: stored[3:6], lambda: np.asarray(stored), lambda: stored[4]):
        with pytest.raises(InputError, match=said):
            read()


@pytest.mark.filterwarnings("error")
def test_what_float32_cannot_hold_is_refused(tmp_path):
    np.save(tmp_path / "v.npy", np.full((2, 2), 1e300))
    with pytest.raises(InputError, match=r"row 0, channel 0 .*the value is inf"):
        open_array(tmp_path / "v.npy")[:]


# --- damage, and what is none -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.EACCES, errno.ESTALE])
def test_what_the_system_says_is_no_reason_to_destroy_a_file(tmp_path, monkeypatch, form, number):
    path = write(tmp_path, form, made())
    stored = open_array(path)
    monkeypatch.setattr(arrays, "_content", arrays._content.__wrapped__)  # nothing is remembered
    really = builtins.open

    def refused(file, *args, **kwargs):
        if str(file) == str(path):
            raise OSError(number, os.strerror(number), str(path))
        return really(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", refused)
    monkeypatch.setattr("io.open", refused)  # what zipfile opens by
    for read in (lambda: open_array(path), lambda: stored[:2], lambda: list(stored.digest_parts())):
        with pytest.raises(InputError) as caught:
            read()
        said = str(caught.value)
        assert said.startswith(f"{path}: {os.strerror(number)}; ")
        assert "delete" not in said and "make it again" not in said and "move" not in said
        assert ("ulimit -n" in said) == (number == errno.EMFILE)


def test_a_file_that_changed_under_way(tmp_path):
    stored = open_array(write(tmp_path, "npy", made()))
    os.truncate(tmp_path / "v.npy", 150)
    with pytest.raises(InputError, match=r"v\.npy: has changed since it was opened"):
        stored[4:]
    for form in ("npy", "npz"):
        stored = open_array(write(tmp_path, form, made()))
        write(tmp_path, form, made(STEPS + 1))
        with pytest.raises(InputError, match=rf"v\.{form}: has changed since it was opened"):
            stored[2:4]
    (tmp_path / "v.npz").unlink()
    with pytest.raises(InputError, match=r"v\.npz: No such file or directory"):
        stored[:]


def test_digest_parts_change_with_the_values(tmp_path):
    def digest_parts(form: str, values: np.ndarray) -> list:
        return [np.asarray(part).tolist() for part in open_array(write(tmp_path, form, values)).digest_parts()]

    for form in ("npy", "npz", "csv"):
        first = digest_parts(form, made(900, 30))
        assert digest_parts(form, made(900, 30)) == first
        assert digest_parts(form, made(900, 30) + 1) != first
        assert digest_parts(form, made(901, 30)) != first


# --- forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["", "f0,f1,f2\n", "0,1,2\n", "\ufeffa,b,c\n"])
def test_csv_with_and_without_a_header(tmp_path, head):
    """pandas writes the column numbers as a header where columns have no names."""
    (tmp_path / "v.csv").write_text(head + "1,2,3.5\n-1,0,1e-3\n", encoding="utf-8")
    assert open_array(tmp_path / "v.csv")[:].tolist() == [[1, 2, 3.5], [-1, 0, np.float32(1e-3)]]


@pytest.mark.parametrize("text", ["", "a,b\n", "1,2\n3\n", "1,2\nx,3\n", "a\0b", "é,1\n"])
def test_csv_that_holds_no_numbers(tmp_path, text):
    (tmp_path / "v.csv").write_bytes(text.encode("latin1"))
    with pytest.raises(InputError, match=r"v\.csv: "):
        open_array(tmp_path / "v.csv")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "wrap", [lambda a: a, lambda a: {"feats": a, "fps": 30}, lambda a: {"x": a}, lambda a: a.tolist(), list]
)
def test_pickled_arrays(tmp_path, protocol, wrap):
    (tmp_path / "v.pkl").write_bytes(pickle.dumps(wrap(made()), protocol=protocol))
    np.testing.assert_array_equal(open_array(tmp_path / "v.pkl")[:], made())


class Evil:
    def __reduce__(self):
        return Path.mkdir, (Path("taken"),)


@pytest.mark.parametrize("content", [Evil(), {"feats": Evil()}, np.array([Evil()], dtype=object), torch.zeros(2, 2)])
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_pickled_programs_do_not_run(tmp_path, monkeypatch, content, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(InputError, match=r"v\.pkl: not a readable array \(it asks for .*save it with numpy\.save"):
        open_array(tmp_path / "v.pkl")
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize("tensor", [torch.bfloat16, torch.float64, torch.int32])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_tensors_of_any_numbers(tmp_path, tensor, old, named):
    values = torch.arange(12).reshape(4, 3).to(tensor)
    content = {"feats": values, "fps": torch.tensor(30.0)} if named else values
    torch.save(content, tmp_path / "v.pt", _use_new_zipfile_serialization=not old)
    assert open_array(tmp_path / "v.pt")[1:3].tolist() == values[1:3].tolist()


@pytest.mark.parametrize("arrays", [{"a": made(), "b": made()}, {}])
def test_an_npz_without_the_one_array(tmp_path, arrays):
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(
        InputError, match=r"v\.npz: not a readable array \(it holds . arrays and none is called 'feats'\)$"
    ):
        open_array(tmp_path / "v.npz")


@pytest.mark.parametrize("form", ["npy", "npz", "pkl"])
@pytest.mark.parametrize("values", [np.full((4, 3), "a"), np.zeros((4, 3), bool), np.zeros((4, 3), complex)])
def test_arrays_that_are_no_real_numbers(tmp_path, form, values):
    with pytest.raises(
        InputError, match=rf"v\.{form}: not a readable array \(it holds .*, expected an array of real n"
    ):
        open_array(write(tmp_path, form, values))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'shape': (9", b"PK\x03\x04"]
)
def test_files_that_hold_no_array(tmp_path, form, content):
    (tmp_path / f"v.{form}").write_bytes(content)
    with pytest.raises(InputError, match=rf"v\.{form}: not a readable array") as caught:
        open_array(tmp_path / f"v.{form}")
    assert "\n" not in str(caught.value) and "delete" not in str(caught.value)
