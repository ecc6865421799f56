"""Tables as spreadsheets write them: any separator, decimal commas, old encodings, blank rows."""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mmad.errors import InputError

SEPARATORS = ",;\t|"
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
WINDOWS = "cp1252"  # what spreadsheets of western Windows write as "CSV"
MARKS = (  # longest first: UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")  # none of which is in a text; \x1a ends files of old DOS


@dataclass(frozen=True)
class Table:
    """header: names of columns as they stand. rows: as many fields each. lines: of each row, where it ends in the file.

    notes: what a person should know of how it was read.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    notes: list[str] = field(default_factory=list)

    def column(self, *names: str) -> int | None:
        """Which column has the first of these names that any has, whatever its case and spaces; None where none has."""
        columns = [plain_name(name) for name in self.header]
        return next((columns.index(plain_name(name)) for name in names if plain_name(name) in columns), None)

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """(line, row) of each row."""
        return zip(self.lines, self.rows)


def plain_name(name: str) -> str:
    """A column's name as it is compared: in lower case, one "_" for spaces."""
    return "_".join(name.strip().lower().split())


def decode(data: bytes, path: Path) -> tuple[str, list[str]]:
    """(text, notes) of a file: UTF-8, UTF-16 or UTF-32, or else Windows-1252, with a note."""
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), None) or _without_mark(data)
    notes = []
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise InputError(path, f"not {encoding.upper()} text (byte {error.start})", "is it complete?") from None
        try:
            text = data.decode(WINDOWS)
        except UnicodeDecodeError:
            raise InputError(path, f"not UTF-8 text (byte {error.start})") from None
        notes.append(f"{path}: not UTF-8, read as Windows-1252; if names look wrong, save it as UTF-8")
    if CONTROLS.search(text):
        raise InputError(path, "not a text file", "is it complete, and of a format that is read?")
    return text, notes


def _without_mark(data: bytes) -> str:
    """UTF-16 shows by the zero that every second byte of a western text is."""
    head = data[:512]
    if len(head) > 3 and not any(head[0::2]) and all(head[1::2]):
        return "utf-16-be"
    if len(head) > 3 and not any(head[1::2]) and all(head[0::2]):
        return "utf-16-le"
    return "utf-8"


def read_table(path: Path, separator: str | None = None) -> Table:
    """A table in a text file, or in the only CSV file inside a zip.

    separator: of its fields; None: what its first line says (`sep=;`), else what is most often in its header. Rows
    without any content are left out. In columns of numbers decimal commas become points, where the comma does not
    separate fields.
    """
    data = _only_csv_in_zip(path) if path.suffix.lower() == ".zip" else path.read_bytes()
    text, notes = decode(data, path)
    table = parse_table(text, path, separator)
    table.notes.extend(notes)
    return table


def parse_table(text: str, path: Path, separator: str | None = None, skip: int = 0) -> Table:
    """The same of a text. skip: lines before the header."""
    lines = io.StringIO(text.rstrip("\x1a"), newline="")
    for _ in range(skip):
        lines.readline()
    skipped = skip
    if stated := re.match(r'"?sep=(.)"?\r?\n', text[lines.tell() :]):
        separator, skipped = stated[1], skip + 1
        lines.readline()
    reader = csv.reader(lines, delimiter=separator or separator_of(text[lines.tell() :]))
    rows, numbers = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                numbers.append(reader.line_num + skipped)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num + skipped}", f"not a table ({error})") from None
    if not rows:
        raise InputError(path, "the file is empty", "expected a CSV header line")
    width = max(i + 1 for i, name in enumerate(rows[0]) if name.strip())
    header, body = rows[0][:width], rows[1:]
    for number, row in zip(numbers[1:], body):
        while len(row) > width and not row[-1].strip():
            row.pop()
        if len(row) != width:
            raise InputError(f"{path}, line {number}", f"{len(row)} fields where the header has {width}")
    if reader.dialect.delimiter != ",":
        _decimal_points(body)
    return Table(header, body, numbers[1:])


def separator_of(text: str) -> str:
    """The one of `SEPARATORS` that stands most often in the first line that has any content, quotes left out."""
    line = next((line for line in io.StringIO(text, newline=None) if line.strip(SEPARATORS + ' \n"')), "")
    line = re.sub(r'"[^"]*"', "", line)
    return max(SEPARATORS, key=line.count)


def header_of(text: str) -> list[str]:
    """The fields of the first line of a text, whatever separates them; empty where there is no text."""
    line = next(
        (line for line in io.StringIO(text, newline=None) if line.strip() and not line.startswith(("sep=", '"sep='))),
        "",
    )
    return next(csv.reader([line.rstrip("\n")], delimiter=separator_of(line)), [])


def _decimal_points(rows: list[list[str]]) -> None:
    """In place, in the columns in which all is numbers."""
    for i in range(len(rows[0]) if rows else 0):
        cells = [row[i] for row in rows if row[i].strip()]
        with_comma = [bool(DECIMAL_COMMA.fullmatch(cell)) for cell in cells]
        if any(with_comma) and all(comma or cell.strip().isdecimal() for comma, cell in zip(with_comma, cells)):
            for row in rows:
                row[i] = row[i].replace(",", ".")


def _only_csv_in_zip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            names = [name for name in names if not name.startswith("__MACOSX/")]  # what macOS adds of its own
            if len(names) != 1:
                raise InputError(path, f"{len(names)} CSV files in the archive", "expected exactly one")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise InputError(path, f"not a zip archive that can be read ({error})", "is the file complete?") from None
