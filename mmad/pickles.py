"""Pickles of other people, read as data: numpy arrays, numbers, texts, lists, tuples and dicts, and nothing else.

A pickle is a program: it names functions and classes, and its reader calls them. The reader here knows the few names by
which numpy (1 and 2) writes arrays and numbers, and gives in their place makers of its own, so that no file reaches
numpy's functions with arguments that these trust: a made-up structured type can make them follow forged pointers.
"""

import pickle
from typing import BinaryIO

import numpy as np

KINDS = "biufcSU"  # types of arrays that are read: truth values, numbers and texts


class Forbidden(ValueError):
    """A pickle asks for something that is more than data."""

    def __init__(self, what: str):
        super().__init__(f"it asks for {what}, only arrays are read: save it with numpy.save instead")


def load_data(file: BinaryIO):
    """The content of a pickle that is open at its beginning, of any protocol, also Python 2's.

    `Forbidden` where it holds more than data; what is damaged raises what the standard library raises.
    """
    return _DataUnpickler(file, encoding="latin1").load()


class PickledArray(np.ndarray):
    """An array that takes its content only from bytes of a plain type."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        if isinstance(content, str):  # Python 2's bytes
            content = content.encode("latin1")
        if not isinstance(kind, _Kind) or not isinstance(content, bytes):
            raise ValueError("an array's content is not bytes of a plain type")
        super().__setstate__((1, shape, kind.dtype, bool(fortran), content))


class _Kind:
    """A numpy type as a pickle builds it: a code such as "f4", then the order of its bytes."""

    __slots__ = ("dtype",)

    def __init__(self, code: str, *_):
        if isinstance(code, bytes):  # Python 2's text
            code = code.decode("ascii")
        self.dtype = np.dtype(code) if isinstance(code, str) and len(code) < 20 else np.dtype(object)
        if self.dtype.kind not in KINDS or self.dtype.fields or self.dtype.subdtype:
            raise Forbidden(f"an array of {self.dtype}")

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class _Maker:
    """A call that a pickle may make. Its own object in every reading: a pickle can change what it is given."""

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
    """How protocols 0 to 2 write bytes."""
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
