"""Arrays of features in files: their shape is read at once, their rows when they are sliced.

No file stays open and none is kept in memory, so that a data set may have more videos than a process may open files.
NaN and infinite values are refused; the error names the file, the row and the channel.
"""

import math
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mmad.errors import InputError, system_error
from mmad.pickles import Forbidden, load_data

FORMATS = ("npy", "npz", "pt", "csv", "pkl")  # in the order in which files are looked for
DIGESTED_BYTES = 8192  # read at the beginning, in the middle and at the end of a file for its digest
DAMAGED = (ValueError, EOFError, TypeError, AttributeError, IndexError, KeyError, OverflowError, MemoryError)
DAMAGED += (RuntimeError, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError)  # what damaged files raise
REPLACE = "if it is damaged, move it away and make it again"


class Unfit(ValueError):
    """A file can be read, but its content is not an array of features."""


class LazyRows:
    """(T, C) values that are read when they are sliced; each slice is a new float32 array of finite values.

    Can be used like a numpy array: `values[first:stop]`, `len(values)`, `values.shape`, `np.asarray(values)`.
    """

    __slots__ = ()
    shape: tuple[int, int]
    ndim = 2

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows `first` to `stop` (exclusive, in 0..T), float32 (stop - first, C), checked."""
        raise NotImplementedError

    def read_with_gaps(self, first: int, stop: int) -> np.ndarray:
        """As `read`, but values may be NaN: what they would say is missing."""
        return self.read(first, stop)

    def digest_parts(self) -> Iterator:
        """Strings, numbers and arrays that change when the values do, without reading them all."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice) -> np.ndarray:
        if not isinstance(rows, slice):
            index = range(len(self))[rows]  # IndexError if it is out of range
            return self.read(index, index + 1)[0]
        first, stop, step = rows.indices(len(self))
        if step < 0:
            return self.read(0, len(self))[rows]
        return self.read(first, max(first, stop))[::step]

    def __array__(self, dtype=None, copy: bool | None = None) -> np.ndarray:
        return self.read(0, len(self)).astype(dtype or np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class StoredArray(LazyRows):
    """An array in a file. The file is open only while it is read."""

    path: str
    shape: tuple[int, int]  # (T, C)
    transposed: bool  # the file contains (C, T)

    def read(self, first: int, stop: int) -> np.ndarray:
        rows = self._float_rows(first, stop)
        return _without(~np.isfinite(rows), rows, self.path, first)

    def read_with_gaps(self, first: int, stop: int) -> np.ndarray:
        rows = self._float_rows(first, stop)
        return _without(np.isinf(rows), rows, self.path, first)

    def _float_rows(self, first: int, stop: int) -> np.ndarray:
        """(stop - first, C) float32, which may hold NaN and infinite values."""
        with _input_errors(self.path), np.errstate(over="ignore"):  # becomes infinite, and is refused
            return np.ascontiguousarray(self._rows(first, stop), dtype=np.float32)

    def _rows(self, first: int, stop: int) -> np.ndarray:
        """(stop - first, C) numbers of any kind."""
        content = _content(self.path, *_stamp(self.path))
        content = content.T if self.transposed else content
        if content.shape != self.shape:
            raise _changed(self.path)
        return np.array(content[first:stop], dtype=np.float32)

    def digest_parts(self) -> Iterator:
        """The file's size and a few parts of it."""
        with _input_errors(self.path), open(self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            yield size
            for start in sorted({0, max(0, size // 2 - DIGESTED_BYTES // 2), max(0, size - DIGESTED_BYTES)}):
                file.seek(start)
                yield np.frombuffer(file.read(DIGESTED_BYTES), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class NpyArray(StoredArray):
    """A .npy file, of which any range of rows can be read without the rest."""

    dtype: np.dtype
    offset: int  # bytes before the first number
    size: int  # of the file, bytes
    fortran: bool  # the first axis of the array in the file varies fastest

    def _rows(self, first: int, stop: int) -> np.ndarray:
        steps, channels = self.shape
        with open(self.path, "rb") as file:
            if os.fstat(file.fileno()).st_size != self.size:  # the header may have changed
                raise _changed(self.path)
            if self.transposed == self.fortran:  # the channels of a row are adjacent in the file
                return self._read_numbers(file, first * channels, (stop - first) * channels).reshape(-1, channels)
            if stop - first == steps:
                return self._read_numbers(file, 0, steps * channels).reshape(channels, steps).T
            rows = [self._read_numbers(file, channel * steps + first, stop - first) for channel in range(channels)]
            return np.stack(rows, axis=1)

    def _read_numbers(self, file: BinaryIO, first: int, count: int) -> np.ndarray:
        numbers = np.empty(count, dtype=self.dtype)
        file.seek(self.offset + first * self.dtype.itemsize)
        if file.readinto(numbers.view(np.uint8)) < numbers.nbytes:
            raise EOFError("the file ends too early")
        return numbers


def open_array(path: str | Path, transposed: bool = False) -> StoredArray:
    """The array in a file, of which only the shape is read where the format allows that.

    transposed: the file contains (C, T). Of several arrays in an npz file or a dict, "feats" is used, or the only one.
    `InputError` where there is no (T, C) array of real numbers.
    """
    path = str(path)
    suffix = path.rpartition(".")[2]
    with _input_errors(path):
        if suffix == "npy":
            with open(path, "rb") as file:
                shape, fortran, dtype = _npy_header(file)
                offset, size = file.tell(), os.fstat(file.fileno()).st_size
            steps_and_channels = _track_shape(shape, transposed, path)
            if size - offset < dtype.itemsize * shape[0] * shape[1]:
                raise EOFError(f"{size} bytes are too few for {shape} {dtype}")
            return NpyArray(path, steps_and_channels, transposed, dtype, offset, size, fortran)
        return StoredArray(path, _track_shape(SHAPES[suffix](path), transposed, path), transposed)


def _track_shape(shape: tuple[int, ...], transposed: bool, path: str) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(path, f"shape {tuple(shape)}", "expected (steps, channels)")
    return (shape[1], shape[0]) if transposed else (shape[0], shape[1])


def _changed(path: str) -> InputError:
    return InputError(path, "has changed since it was opened", "leave features alone while they are in use")


def _without(refused: np.ndarray, rows: np.ndarray, path: str, first: int) -> np.ndarray:
    """The rows, or `InputError` for the first of their values that is refused. refused: (N, C) bool."""
    if not refused.any():
        return rows
    row, channel = np.argwhere(refused)[0]
    place = f"{path}, row {first + row}, channel {channel} (the first is 0)"
    problem = f"the value is {rows[row, channel]}, not a finite number"
    raise InputError(place, problem, "move the file away and extract it again")


@contextmanager
def _input_errors(path: str) -> Iterator[None]:
    """Context in which errors of reading a file become `InputError`; those of the operating system do not blame the
    file."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise system_error(path, error) from None
    except DAMAGED as error:
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        remedy = "" if isinstance(error, (Unfit, Forbidden)) else REPLACE
        raise InputError(path, f"not a readable array ({reason})", remedy) from None


# --- the formats ------------------------------------------------------------------------------------------------


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, Fortran order, type) of an open .npy file; leaves it at the first number."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):  # version 3 is for structured types only
        raise Unfit(f"version {version} of the .npy format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    _require_numbers(dtype)
    return shape, fortran, dtype


def _require_numbers(dtype: np.dtype) -> None:
    if dtype.kind not in "fiu":
        raise Unfit(f"it holds {dtype}, expected an array of real numbers")


def _npz_member(archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    return f"{_the_one([name.removesuffix('.npy') for name in names])}.npy"


def _the_one(names: list) -> str:
    if "feats" in names:
        return "feats"
    if len(names) != 1:
        raise Unfit(f"it holds {len(names)} arrays and none is called 'feats'")
    return names[0]


def _npz_shape(path: str) -> tuple[int, ...]:
    with zipfile.ZipFile(path) as archive:
        name = _npz_member(archive)
        with archive.open(name) as file:
            shape, _, dtype = _npy_header(file)
            if archive.getinfo(name).file_size != file.tell() + dtype.itemsize * math.prod(shape):
                raise EOFError("the array in it is not whole")
            return shape


def _read_npz(path: str) -> np.ndarray:
    with zipfile.ZipFile(path) as archive, archive.open(_npz_member(archive)) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _open_tensor(path: str, mapped: bool):
    """The tensor in a .pt file. mapped: memory-mapped, where the file allows that."""
    import torch  # on demand: the other formats need numpy only

    with open(path, "rb") as file:  # so that system errors are raised here, not by torch
        mapped = mapped and file.read(2) == b"PK"
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    tensor = content[_the_one(list(content))] if isinstance(content, dict) else content
    if not isinstance(tensor, torch.Tensor) or tensor.is_complex() or tensor.dtype == torch.bool:
        kind = getattr(tensor, "dtype", type(tensor).__name__)
        raise Unfit(f"it holds {kind}, expected a tensor of real numbers")
    return tensor.detach()


def _read_csv(path: str) -> np.ndarray:
    """Rows of comma-separated numbers; a first line of names, or of the column numbers 0, 1, 2 ..., is skipped."""
    with open(path, encoding="utf-8-sig") as file:
        lines = [line for line in file if line.strip()]
    first = lines[0].strip().split(",") if lines else []
    counted = len(first) > 1 and first == [str(column) for column in range(len(first))]
    if counted or not all(map(_is_number, first)):
        del lines[0]
    if not lines:
        raise ValueError("no row of numbers")
    return np.loadtxt(lines, dtype=np.float32, delimiter=",", ndmin=2)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_pkl(path: str) -> np.ndarray:
    with open(path, "rb") as file:
        content = load_data(file)
    return np.asarray(content[_the_one(list(content))] if isinstance(content, dict) else content)


READERS: dict[str, Callable[[str], np.ndarray]] = {
    "npz": _read_npz,
    "pt": lambda path: _open_tensor(path, mapped=False).float().numpy(),
    "csv": _read_csv,
    "pkl": _read_pkl,
}


def _stamp(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1)
def _content(path: str, changed: int, size: int) -> np.ndarray:
    """The whole array of a file without random access. The last one is cached: long videos are read in many slices."""
    content = READERS[path.rpartition(".")[2]](path)
    _require_numbers(content.dtype)
    return content


def _whole_shape(path: str) -> tuple[int, ...]:
    return _content(path, *_stamp(path)).shape


SHAPES: dict[str, Callable[[str], tuple[int, ...]]] = {
    "npz": _npz_shape,
    "pt": lambda path: tuple(_open_tensor(path, mapped=True).shape),
    "csv": _whole_shape,
    "pkl": _whole_shape,
}
