"""What is typed: one file per command, with a function `main(words)` that parses and runs it.

`mmad NAME ...`, once `pip install .` has been typed, and `python tools/NAME.py ...` or `python eval/NAME.py ...` in a
copy of the repository are the same function.
"""

import argparse
import importlib
import sys

from mmad.errors import run_command

COMMANDS = {
    "detections, joints and features of videos": ("detect", "extract-pose", "import-pose", "extract-features"),
    "training": ("train-det", "train-rec", "train-pose", "recognize"),
    "evaluation and statistics": ("map", "recognition", "agreement", "thresholds", "ethogram", "figures"),
    "data sets and files": ("check-data", "make-synthetic", "export", "demo"),
}


def main() -> None:
    """`mmad NAME ...`: runs the command of that name and leaves with its exit code."""
    names = [name for group in COMMANDS.values() for name in group]
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="mmad", usage="mmad COMMAND ...", formatter_class=form, add_help=False)
    parser.add_argument("command", choices=names, metavar="COMMAND")
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(overview())
        return
    run(parser.parse_args(sys.argv[1:2]).command, sys.argv[2:])


def run(name: str, words: list[str] | None = None) -> None:
    """One command, as it is typed. words: what stands behind its name; by default the arguments of this process."""
    run_command(lambda: importlib.import_module(module_of(name)).main(words))


def module_of(name: str) -> str:
    return f"mmad.cli.{name.replace('-', '_')}"


def overview() -> str:
    """What `mmad --help` prints: the commands, and the first sentence that each says of itself."""
    lines = ["usage: mmad COMMAND ...      mmad COMMAND --help has the rest"]
    for title, names in COMMANDS.items():
        lines += ["", f"{title}:"]
        for name in names:
            sentence = importlib.import_module(module_of(name)).__doc__.splitlines()[0]
            lines.append(f"  {name:<18}{sentence}")
    return "\n".join(lines)
