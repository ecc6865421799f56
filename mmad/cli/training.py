"""What the four commands that train share: how their configuration is typed, and `torchrun`."""

from collections.abc import Callable
from typing import TypeVar

from mmad.cli.arguments import add_device, add_keys, command_parser, options_as_settings
from mmad.config import load_config, named_configs

Config = TypeVar("Config")


def training_config(name: str, description: str, kind: type[Config], argv: list[str] | None) -> Config:
    """The configuration that `mmad NAME CONFIG [key=value ...]` is given, for the commands that train."""
    parser = command_parser(name, description)
    parser.add_argument("config", metavar="CONFIG", help=f"a YAML file, or one of {', '.join(named_configs())}")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that differ from it")
    parser.add_argument("--out", metavar="DIR", help="the folder of the run; the same as output=DIR")
    add_device(parser)
    add_keys(parser, kind)
    args = parser.parse_intermixed_args(argv)
    return load_config(kind, args.config, args.settings + options_as_settings(output=args.out, device=args.device))


def train_together(config: Config, train: Callable[[Config], object]) -> None:
    """Call `train` with a configuration, in all processes that `torchrun` started as in one."""
    from mmad.engine.distributed import joined  # on demand: --help needs no torch

    with joined(config.device):
        train(config)
