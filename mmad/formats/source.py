"""What every reader is handed: a file, and how a person wants it read. Standard library only."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmad.errors import InputError, refuse
from mmad.files import read_json, read_lines, read_table
from mmad.labels import MMA52, LabelSet

OnProblem = Callable[[InputError], None]


class Source:
    """A file or folder that somebody handed in. What it holds is read when it is asked for, and once only.

    Which format it is of and what it says are two questions, often to the same hundred megabytes of JSON.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def suffix(self) -> str:
        """In lower case, with its dot."""
        return self.path.suffix.lower()

    @property
    def is_table(self) -> bool:
        """Whether its name is that of a table with a header line; a .zip holds one."""
        return self.suffix in (".csv", ".zip", ".tsv")

    @property
    def is_json(self) -> bool:
        """Whether it can only be JSON: its name is not that of any other kind of file that is read."""
        return self.suffix not in (".csv", ".zip", ".tsv", ".eaf", ".vtt", ".txt") and not self.path.is_dir()

    @cached_property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """(header, rows) of a table; row i stands on line i + 2."""
        return read_table(self.path, "\t" if self.suffix == ".tsv" else ",")

    @cached_property
    def columns(self) -> set[str]:
        """The names in the header of a table, in lower case; empty where it is not a table."""
        return {name.strip().lower() for name in self.table[0]} if self.is_table else set()

    @cached_property
    def json(self):
        """What a JSON file holds; None where the file can only be of another kind."""
        return read_json(self.path) if self.is_json else None

    @cached_property
    def lines(self) -> list[str]:
        """The lines of a text file."""
        return read_lines(self.path)


@dataclass(frozen=True)
class ReadOptions:
    """How files are read.

    fps: frames a second of files that count frames and do not say how fast; None: nobody said.
    on_problem: what is done about each thing that is wrong. By default the first is raised as an `InputError` that
    names the row or key; a caller that wants them all passes a function that keeps them, and the rows concerned are
    left out.
    """

    labels: LabelSet = MMA52
    fps: float | None = None
    on_problem: OnProblem = refuse


@dataclass(frozen=True)
class WriteOptions:
    """How files are written. tiers: of formats that have tiers, one per action ("action") or per body part ("part")."""

    labels: LabelSet = MMA52
    tiers: str = "action"
