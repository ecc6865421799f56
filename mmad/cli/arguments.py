"""What the parsers of all commands share."""

import argparse


def command_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The parser of `mmad NAME`; `description`, the docstring of the command's file, is printed as it is written."""
    kind = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=f"mmad {name}", description=description, formatter_class=kind)
