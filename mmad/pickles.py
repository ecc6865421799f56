"""Pickles of other people, read as data: numpy arrays, numbers, strings, lists, tuples and dicts, and nothing else.

A pickle is a program: it names functions and classes, and its reader calls them. The reader here accepts only the names
by which numpy (1 and 2) writes arrays and numbers, and calls functions of its own instead, so that no file can pass
arguments to numpy's functions, which do not check them: a forged structured type could make them follow any pointer.
"""

import pickle
from typing import BinaryIO

import numpy as np

KINDS = "biufcSU"  # kinds of numpy types that are read: booleans, numbers and strings


class Forbidden(ValueError):
    """A pickle contains more than data."""

    def __init__(self, what: str):
        super().__init__(f"it asks for {what}, only arrays are read: save it with numpy.save instead")


def load_data(file: BinaryIO):
    """The content of an open pickle of any protocol, also of Python 2.

    `Forbidden` where it contains more than data; a damaged file raises what the standard library raises.
    """
    return _DataUnpickler(file, encoding="latin1").load()


class PickledArray(np.ndarray):
    """An array whose content can only be set from bytes of a plain type."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        if isinstance(content, str):  # bytes in Python 2
            content = content.encode("latin1")
        if not isinstance(kind, _Kind) or not isinstance(content, bytes):
            raise ValueError("an array's content is not bytes of a plain type")
        super().__setstate__((1, shape, kind.dtype, bool(fortran), content))


class _Kind:
    """A numpy type as a pickle builds it: a code such as "f4", then the order of its bytes."""

    __slots__ = ("dtype",)

    def __init__(self, code: str, *_):
        if isinstance(code, bytes):  # text in Python 2
            code = code.decode("ascii")
        self.dtype = np.dtype(code) if isinstance(code, str) and len(code) < 20 else np.dtype(object)
        if self.dtype.kind not in KINDS or self.dtype.fields or self.dtype.subdtype:
            raise Forbidden(f"an array of {self.dtype}")

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class _Maker:
    """A call that a pickle may make. A new object in every reading, because a pickle can change the objects it gets."""

    __slots__ = ("make",)

    def __init__(self, make):
        self.make = make

    def __call__(self, *arguments):
        return self.make(*arguments)


def _empty_array(*_) -> PickledArray:
    return PickledArray((0,))


def _array_of_buffer(content: bytes, kind: _Kind, shape: tuple[int, ...], order: str) -> np.ndarray:
    return np.frombuffer(content, dtype=kind.dtype).reshape(shape, order=order)


def _number(kind: _Kind, content: bytes | str):
    content = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(content, dtype=kind.dtype, count=1)[0]


def _latin1(text: str, encoding: str) -> bytes:
    """Bytes as protocols 0 to 2 write them."""
    if encoding != "latin1":
        raise Forbidden(f"text in {encoding}")
    return text.encode("latin1")


def _nothing(*_):
    raise ValueError("an array without its content")


_MAKERS = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy.core.multiarray", "scalar"): _number,
    ("numpy.core.numeric", "_frombuffer"): _array_of_buffer,
    ("numpy", "ndarray"): _nothing,  # an argument of _reconstruct, never called
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _latin1,
}


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        known = module.replace("numpy._core", "numpy.core"), name  # numpy 2 and 1
        if known not in _MAKERS:
            raise Forbidden(f"{module}.{name}")
        return _Maker(_MAKERS[known])
