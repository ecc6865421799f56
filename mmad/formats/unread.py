"""Files of programs that are not read, by what they look like, and the way out of each. Standard library only."""

from mmad.errors import InputError
from mmad.formats.source import Source

TABLE = "make a table with the columns video_id, t_start, t_end (s), class, score and body_part"
OUT_OF_OBSERVER = f"export the event log from Observer to Excel and {TABLE}"
BY_SUFFIX = {  # {suffix: (what it is, the way out)}
    ".xlsx": ("is an Excel workbook", "save the sheet as CSV UTF-8"),
    ".xls": ("is an Excel workbook", "save the sheet as CSV UTF-8"),
    ".ods": ("is a spreadsheet of LibreOffice", "save the sheet as CSV"),
    ".numbers": ("is a spreadsheet of Numbers", "export it as CSV"),
    ".odf": ("is an event log of Observer XT", OUT_OF_OBSERVER),
    ".odx": ("is an event log of Observer XT", OUT_OF_OBSERVER),
    ".vop": ("is a project of Observer XT", OUT_OF_OBSERVER),
    ".csb": ("is a coding sheet of Solomon Coder", f"export it as CSV in Solomon and {TABLE}"),
    ".opf": ("is a spreadsheet of Datavyu", f"export it as CSV in Datavyu and {TABLE}"),
    ".anvil": ("is a file of Anvil", "export it to ELAN"),
    ".etf": ("is a template of ELAN", "give the .eaf"),
    ".pfsx": ("holds preferences of ELAN", "give the .eaf beside it"),
    ".ecv": ("is a vocabulary of ELAN", "give the .eaf"),
    ".gz": ("is compressed", "unpack it first"),
    ".docx": ("is a text document", "save what is in it as a table (CSV)"),
    ".pdf": ("is a PDF", "save what is in it as a table (CSV)"),
}


def is_unread(source: Source) -> bool:
    return source.suffix in BY_SUFFIX or _is_one_row_per_frame(source) is not None


def _is_one_row_per_frame(source: Source) -> str | None:
    """Which program writes such a table: a row for each frame, a column of 0 and 1 for each behavior."""
    if source.suffix != ".csv":
        return None
    columns = source.columns
    if "background" in columns and "" in columns:
        return "DeepEthogram"
    poses = sum(name.endswith(("_x", "_y", "_p")) for name in columns)
    return "SimBA" if poses >= 6 and not {"video_id", "behavior"} & columns else None


def refuse_unread(source: Source) -> InputError:
    """What it is, and what to do."""
    if source.suffix in BY_SUFFIX:
        problem, remedy = BY_SUFFIX[source.suffix]
        return InputError(source.path, f"{problem}, which is not read", remedy)
    program = _is_one_row_per_frame(source)
    problem = f"has a row for each frame, as {program} writes it, which is not read"
    return InputError(source.path, problem, f"join the rows of each action to one, and {TABLE}")
