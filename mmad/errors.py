"""Errors in the input: one line on stderr, and exit code 2."""

import errno
import sys
from collections.abc import Callable, Iterable
from pathlib import Path


class InputError(ValueError):
    """Something in the input of the user is wrong.

    place: the file, with the row or key where there is one ("val.csv, row 12").
    problem: what is wrong there, with the offending value.
    remedy: what to do about it; may be empty where that is obvious.
    """

    def __init__(self, place: str | Path, problem: str, remedy: str = ""):
        self.place, self.problem, self.remedy = str(place), problem, remedy
        line = f"{place}: {problem}" + (f"; {remedy}" if remedy else "")
        super().__init__(readable(" ".join(line.split())))

    def __reduce__(self):
        return InputError, (self.place, self.problem, self.remedy)


def readable(name: str | Path) -> str:
    """A file name as text that can be printed and stored as UTF-8, even if its bytes are in another encoding."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def system_error(path: str | Path, error: OSError) -> InputError:
    """An error of the operating system on a file, and what to do. The file itself may be intact: no remedy is to delete
    or recreate it."""
    reason = error.strerror or str(error) or type(error).__name__
    return InputError(path, reason, _SYSTEM_REMEDIES.get(error.errno, ""))


_CONNECTION = "check the disk or the network connection, then type the same command again"
_SYSTEM_REMEDIES = {
    errno.EMFILE: "one process may not open so many: allow more (ulimit -n 4096), then type the same command again",
    errno.ENFILE: "the whole machine may not open so many: close other programs, then type the same command again",
    errno.EACCES: "check its permissions and those of its folders (ls -l)",
    errno.EPERM: "check its permissions and those of its folders (ls -l)",
    errno.EIO: _CONNECTION,
    errno.ESTALE: _CONNECTION,
    errno.ETIMEDOUT: _CONNECTION,
    errno.ENOMEM: "close other programs, then type the same command again",
    errno.EDQUOT: "make room, then type the same command again",
    errno.ENOSPC: "make room, then type the same command again",
}


class Diverged(ArithmeticError):
    """Numbers became NaN or infinite: neither bad input nor a defect that a traceback would explain."""


class LostProcess(RuntimeError):
    """Another process of the run ended before its work was done, or this one was told to end (SIGTERM)."""


def refuse(error: InputError) -> None:
    """The default for readers that can also collect what is wrong: stop at the first."""
    raise error


def warn(line: str) -> None:
    """Print a warning to stderr; the work continues."""
    print(f"warning: {line}", file=sys.stderr)


def run_command(main: Callable[[], int | None]) -> None:
    """Run a command's `main` and leave with its exit code: 0 done, 2 bad input (one line), 130 interrupted, 1 diverged
    (one line).

    Any other exception is a defect of mmad and keeps its traceback (exit code 1 too).
    """
    try:
        code = main() or 0
        sys.stdout.flush()
    except InputError as error:
        code = _complain(str(error))
    except Diverged as error:
        _complain(str(error))
        code = 1
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, FileExistsError) as error:
        code = _complain(str(system_error(str(error.filename), error)))
    except BrokenPipeError:  # `... | head` closed the pipe, which is not an error
        sys.stderr.close()
        code = 0
    except OSError as error:
        if error.errno not in _SYSTEM_REMEDIES and error.errno not in (errno.ENAMETOOLONG, errno.EROFS, errno.ELOOP):
            raise
        code = _complain(str(system_error(str(error.filename or "a file"), error)))
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept, the same command goes on from there", file=sys.stderr)
        code = 130
    sys.exit(code)


def complain(problems: Iterable[str]) -> int:
    """Print what went wrong besides what went well, one line each; returns the exit code."""
    code = 0
    for problem in problems:
        code = _complain(problem)
    return code


def _complain(line: str) -> int:
    print(f"error: {line}", file=sys.stderr)
    return 2
