"""Silences C++ libraries that write to the terminal by themselves."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Context in which everything written to file descriptor 2 is discarded; what Python wrote before is flushed.

    The descriptor belongs to the whole process: enter it from one thread at a time, and only for the time of one call.
    """
    with contextlib.suppress(io.UnsupportedOperation, OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # closed: nothing is written anyway
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
