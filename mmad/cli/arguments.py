"""What the parsers of all commands share."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmad.formats.source import Coders


def command_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The parser of `mmad NAME`; `description`, the docstring of the command's file, is printed as it is written."""
    kind = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=f"mmad {name}", description=description, formatter_class=kind)


def add_coders(parser: argparse.ArgumentParser) -> None:
    """--annotator and --tier, of files that hold what several people annotated."""
    parser.add_argument("--annotator", metavar="NAME", default="", help="of ELAN and Label Studio: only of this person")
    said = "of ELAN and Praat: only of tiers that are called so (* and ? as in names of files); may be given again"
    parser.add_argument("--tier", metavar="NAME", action="append", default=[], help=said)


def coders_of(args: argparse.Namespace) -> "Coders":
    from mmad.formats.source import Coders  # on demand: --help needs no numpy

    return Coders(args.annotator, tuple(args.tier))
