"""Arguments that several commands take: configuration, settings, device and output are typed the same way in all.

A configuration is a YAML file or the name of one that comes with mmad, a setting is `key=value`. Of a value that is
given more than once, an option (`--device cpu`) overrides a setting (`device=cuda`), which overrides the configuration.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmad.errors import InputError

if TYPE_CHECKING:
    from mmad.formats.source import Coders


def command_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The parser of `mmad NAME`. description: the docstring of the command's file, whose line breaks are kept."""
    kind = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=f"mmad {name}", description=description, formatter_class=kind)


def add_coders(parser: argparse.ArgumentParser) -> None:
    """--annotator and --tier, of files that hold what several people annotated."""
    parser.add_argument("--annotator", metavar="NAME", default="", help="ELAN, Label Studio: read only this annotator")
    description = "ELAN, Praat: read only tiers of this name (* and ? as in file names); may be given several times"
    parser.add_argument("--tier", metavar="NAME", action="append", default=[], help=description)


def coders_of(args: argparse.Namespace) -> "Coders":
    from mmad.formats.source import Coders  # on demand: --help needs no numpy

    return Coders(args.annotator, tuple(args.tier))


def add_device(parser: argparse.ArgumentParser) -> None:
    description = "auto (default: the first accelerator, else the CPU), cpu, cuda, cuda:1, mps; the same as device=NAME"
    parser.add_argument("--device", metavar="NAME", help=description)


def take_device(args: argparse.Namespace, settings: list[str]) -> tuple[str | None, list[str]]:
    """(device or None, the other settings) of a command with `add_device` whose configuration has no device."""
    typed = [item.partition("=")[2] for item in settings if item.startswith("device=")]
    remaining = [item for item in settings if not item.startswith("device=")]
    return args.device or (typed[-1] if typed else None), remaining


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """What detects, and whose joints: --detector, --recognizer, --person."""
    description = "best.pt of `mmad train-det`, or pose.safetensors of `mmad train-pose` (default: the package's own)"
    parser.add_argument("--detector", metavar="FILE", help=description)
    description = "the recognizer whose features the detector was trained on"
    parser.add_argument("--recognizer", metavar="FILE", help=description)
    parser.add_argument("--person", help="whose joints: largest (default), left, right, all, or a number")


def refuse_pose_settings(settings: list[str]) -> None:
    """`InputError` where a detector of pixels was given settings of joints."""
    if settings:
        problem = "says how joints are found, and this detector reads no joints"
        raise InputError(f"argument {settings[0]!r}", problem, "leave it out")


def add_labels(parser: argparse.ArgumentParser, default: str = "what the predictions carry, else mma52") -> None:
    parser.add_argument("--labels", help=f"mma52 or a label file; default: {default}")


def add_fps(parser: argparse.ArgumentParser) -> None:
    description = "frames per second of annotations that count frames and do not give their rate"
    parser.add_argument("--fps", type=float, help=description)


def add_score_thresholds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--min-score", type=float, metavar="X", help="leave out predictions that score less")
    description = "leave out predictions by class: JSON with one minimum score per class, of `mmad thresholds`"
    parser.add_argument("--thresholds", metavar="FILE", help=description)


def add_shard(parser: argparse.ArgumentParser) -> None:
    description = "I/N: only every N-th video from the I-th on, for N processes or machines side by side"
    parser.add_argument("--shard", default="1/1", metavar="I/N", help=description)


def add_keys(parser: argparse.ArgumentParser, kind: type) -> None:
    """`--keys`, which prints every setting of a `kind` and ends, like `--help`."""
    parser.add_argument("--keys", action=_PrintKeys, kind=kind, help="list every setting with its default, and exit")


class _PrintKeys(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, kind: type, help: str):
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)
        self.kind = kind

    def __call__(self, parser: argparse.ArgumentParser, *_) -> None:
        from mmad.cli.keys import settings_text  # on demand: reads the source of the configuration

        print(settings_text(self.kind))
        parser.exit()


def add_output(parser: argparse.ArgumentParser, settings: str) -> None:
    """The folder to write into, as `DIR` or `--out DIR`, and key=value settings. settings: what is said of these."""
    parser.add_argument(
        "folder_and_settings", nargs="*", metavar="DIR or key=value", help=f"the folder to write into; {settings}"
    )
    parser.add_argument("--out", metavar="DIR", help="the same as DIR")


def output_and_settings(parser: argparse.ArgumentParser, args: argparse.Namespace) -> tuple[str, list[str]]:
    """(folder, key=value settings) of a command with `add_output`."""
    folders, settings = split_settings(args.folder_and_settings)
    folders += [] if args.out is None else [args.out]
    if len(folders) != 1:
        parser.error(f"name one folder as DIR or --out DIR, not {len(folders)}")
    return folders[0], settings


def options_as_settings(**options: str | None) -> list[str]:
    """`key=value` of the options that were typed: those that are not None."""
    return [f"{key}={value}" for key, value in options.items() if value is not None]


def split_config_and_files(before: list[str], files: list[str]) -> tuple[str | None, list[str], list[str]]:
    """(configuration or None, key=value settings, files) of a command whose option of files takes all that follows it.

    before: what was typed before that option, the configuration first.
    """
    files, typed_after = split_settings(files)
    settings = before + typed_after
    path = settings.pop(0) if settings and "=" not in settings[0] else None
    return path, settings, files


def split_settings(typed: list[str]) -> tuple[list[str], list[str]]:
    """(files, key=value settings) of what was typed where both may stand.

    A file with = in its name must exist to count as one.
    """
    settings = [item for item in typed if "=" in item and not Path(item).exists()]
    return [item for item in typed if item not in settings], settings
