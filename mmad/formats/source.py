"""What every reader is handed: a file, and how a person wants it read. Standard library only."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmad.errors import InputError, refuse
from mmad.files import read_json
from mmad.formats.linking import VideoFiles
from mmad.formats.tables import Table, decode, header_of, plain_name, read_table
from mmad.labels import MMA52, LabelSet

OnProblem = Callable[[InputError], None]
TABLES = (".csv", ".zip", ".tsv")
TEXTS = (".txt", ".eaf", ".vtt", ".srt", ".textgrid")  # that are neither tables nor JSON


class Source:
    """A file or folder that somebody handed in. What it holds is read when it is asked for, and once only.

    Which format it is of and what it says are two questions, often to the same hundred megabytes of JSON.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @classmethod
    def of(cls, path: "str | Path | Source") -> "Source":
        """The source itself, so that what was read of it is not read again; or a new one of a path."""
        return path if isinstance(path, cls) else cls(path)

    @property
    def suffix(self) -> str:
        """In lower case, with its dot."""
        return self.path.suffix.lower()

    @property
    def is_table(self) -> bool:
        """Whether its name is that of a table with a header line; a .zip holds one."""
        return self.suffix in TABLES

    @property
    def is_json(self) -> bool:
        """Whether it can only be JSON: its name is not that of any other kind of file that is read."""
        return self.suffix not in (*TABLES, *TEXTS) and not self.path.is_dir()

    @cached_property
    def table(self) -> Table:
        return read_table(self.path, "\t" if self.suffix == ".tsv" else None)

    @cached_property
    def columns(self) -> set[str]:
        """The names in the header of a table, of a .txt as well, as `plain_name` gives them."""
        if self.suffix == ".zip":
            return {plain_name(name) for name in self.table.header}
        return set(map(plain_name, header_of(self.text))) if self.is_table or self.suffix == ".txt" else set()

    @cached_property
    def json(self):
        """What a JSON file holds; None where the file can only be of another kind. No object has a key twice."""
        return read_json(self.path, unique=True) if self.is_json else None

    @cached_property
    def _decoded(self) -> tuple[str, list[str]]:
        return decode(self.path.read_bytes(), self.path)

    @property
    def text(self) -> str:
        return "" if self.path.is_dir() else self._decoded[0]

    @property
    def notes(self) -> list[str]:
        """What a person should know of the encoding of a text file."""
        return self._decoded[1]

    @cached_property
    def lines(self) -> list[str]:
        """The lines of a text file."""
        return self.text.splitlines()


@dataclass(frozen=True)
class Coders:
    """Whose annotations are meant in files that hold those of several people.

    annotator: the name that the program has for who annotated; "" for all. tiers: of programs that have tiers, those
    that are meant, `*` and `?` in them as in names of files; none for all.
    """

    annotator: str = ""
    tiers: tuple[str, ...] = ()


EVERYONE = Coders()


@dataclass(frozen=True)
class ReadOptions:
    """How files are read.

    fps: frames a second of files that count frames and give no rate; None: unknown.
    on_problem: what is done about each thing that is wrong. By default the first is raised as an `InputError` that
    names the row or key; a caller that wants them all passes a function that keeps them, and the rows concerned are
    left out.
    coders: whose annotations are meant. videos: the files of the videos, None where unknown.
    alone: whether this file is all there is, so that one without any action is a problem.
    """

    labels: LabelSet = MMA52
    fps: float | None = None
    on_problem: OnProblem = refuse
    coders: Coders = EVERYONE
    videos: VideoFiles | None = None
    alone: bool = True

    def rate(self, video_id: str, link: str = "") -> float | None:
        """Frames a second of a video whose file gives no rate: what the user gives, or that of its video; else None.

        link: what the file calls the video's file, where that is not its id.
        """
        return self.fps or (self.videos.fps(video_id, link) if self.videos else None)


@dataclass(frozen=True)
class WriteOptions:
    """How files are written. tiers: of formats that have tiers, one per action ("action") or per body part ("part")."""

    labels: LabelSet = MMA52
    tiers: str = "action"
