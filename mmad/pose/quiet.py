"""Silence for libraries in C++ that write to the terminal by themselves."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """What the process's libraries write to file descriptor 2 meanwhile is lost; what Python wrote before is not.

    The descriptor belongs to the whole process: enter from one thread at a time, for as long as one call takes.
    """
    with contextlib.suppress(io.UnsupportedOperation, OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # closed: nothing is shown anyway
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
