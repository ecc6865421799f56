"""Scripts as `python SCRIPT ...` would run them, in this process: torch is imported once, not once a case."""

import contextlib
import io
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass
class Done:
    code: int
    out: str
    err: str


def run(script: str, *arguments) -> Done:
    """What a command does not catch fails the test with its own traceback."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    words = [str(ROOT / word) if str(word).startswith("configs/") else str(word) for word in arguments]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", [script, *words])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / script), run_name="__main__")
    assert sys.argv is argv
    return Done(left.value.code, out.getvalue(), err.getvalue())
