"""What people type. commands/: one file per command, each with a function `main(argv)` that parses its arguments and
runs it. Beside that folder lies what commands share: arguments, keys, training, detect_videos.

`mmad NAME ...`, which `pip install .` brings, and `python tools/NAME.py ...` or `python eval/NAME.py ...` in a copy of
the repository are the same function. At its top a command imports what loads in a moment; torch, matplotlib, PyAV and
the estimators of poses are imported inside functions, so that `--help` and `--keys` do not wait for them.
"""

import difflib
import importlib
import sys

from mmad import __version__
from mmad.errors import InputError, run_command

COMMANDS = {
    "Videos in, detections out": ("detect", "extract-pose", "import-pose", "extract-features", "recognize"),
    "Training": ("train-det", "train-rec", "train-e2e", "train-pose"),
    "Evaluation and statistics": ("map", "recognition", "agreement", "thresholds", "ethogram", "figures"),
    "Archives of many videos": ("detect-archive", "index", "query"),
    "Data sets and files": ("check-data", "make-synthetic", "export", "demo"),
}


def main() -> None:
    """What `mmad NAME ...` runs: the command of that name. Leaves with its exit code."""
    run_command(lambda: _run(sys.argv[1:]))


def run(name: str) -> None:
    """One command with the arguments of this process, for tools/NAME.py and eval/NAME.py. Leaves with its exit code."""
    run_command(lambda: load_command(name).main())


def load_command(name: str):
    """The module of a command: its docstring says what the command does, `main(argv)` does it."""
    return importlib.import_module(f"mmad.cli.commands.{name.replace('-', '_')}")


def command_names() -> list[str]:
    return [name for names in COMMANDS.values() for name in names]


def _run(argv: list[str]) -> int | None:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"mmad {__version__}")
        return 0
    name = argv[0].replace("_", "-")
    if name not in command_names():
        near = difflib.get_close_matches(name, command_names(), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"mmad {argv[0]}", "there is no such command", f"{hint}mmad --help lists them")
    return load_command(name).main(argv[1:])


def overview() -> str:
    """What `mmad --help` prints: every command with the first line of its docstring."""
    lines = ["usage: mmad COMMAND ...", "       mmad COMMAND --help"]
    for title, names in COMMANDS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<18}{load_command(name).__doc__.splitlines()[0]}" for name in names]
    return "\n".join(lines)
