"""Files that are complete or absent, and names that stay in their folder. Standard library only."""

import contextlib
import gc
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from mmad.errors import InputError, readable, system_error


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block succeeds, removed when it fails.

    The file is synced to disk before the rename, so that a reader sees the old file, the new file or none.
    """
    if not Path(path).name or Path(path).is_dir():
        raise InputError(path if str(path) else "output file", "is not a file name", "name a file")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def output_folder(name: str | Path) -> Path:
    """The folder of this name. An empty name (an unset shell variable) is refused: it would be the working
    directory."""
    if not str(name).strip():
        raise InputError("--out", "is empty", "name a folder")
    return Path(name)


def file_digest(path: str | Path) -> str:
    """The sha256 of a file in hexadecimal; `InputError` where it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise system_error(path, error) from None


def refuse_same_file(out: str | Path, *inputs: str | Path | None) -> None:
    """`InputError` where the output would overwrite an input."""
    for name in inputs:
        if name and Path(out).exists() and Path(name).exists() and Path(out).samefile(name):
            raise InputError(out, "is read by this very command", "write to another file")


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file, complete or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: str | Path, content, indent: int | None = None) -> None:
    """Write a JSON file, complete or not at all."""
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


def read_json(path: str | Path, each_object: Callable[[dict], object] | None = None, unique: bool = False):
    """The content of a JSON file; `InputError` with line and column where it is not JSON.

    each_object: called with each JSON object as soon as it is read; its result replaces the object.
    unique: refuse an object that has a key twice, such as a video: only the last value would be kept.
    """

    def each_key_once(pairs: list[tuple]) -> dict:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(path, f"{twice!r} is there twice in one object", "put what both say into one")
        return content

    collecting = gc.isenabled()
    gc.disable()  # nothing is garbage here, and scanning a million objects repeatedly would take half of the time
    try:
        data = Path(path).read_bytes()
        return json.loads(data, object_hook=each_object, object_pairs_hook=each_key_once if unique else None)
    except InputError:
        raise
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}, column {error.colno}", f"not JSON ({error.msg})", "is the file complete?"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(path, f"not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise InputError(path, "its brackets are nested too deep") from None
    except ValueError as error:  # a number of thousands of digits
        raise InputError(path, f"not JSON that can be read ({error})") from None
    finally:
        if collecting:
            gc.enable()


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file; `InputError` where it is not UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(path, f"not UTF-8 text (byte {error.start})") from None


# --- Video ids, which become file names ---

LONGEST_NAME = 200  # bytes of a file name without suffix; file systems allow 255
LONGEST_ID = 280  # characters of a part of an id; no file system allows longer names
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\\]')
_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)  # reserved by Windows
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # refused Unicode categories: controls, surrogates, line and paragraph separators


def check_id(video_id: str, where: str = "") -> str:
    """The id, normalized to Unicode's NFC; `InputError` if it could name a file outside its folder.

    An id may name a subfolder ("day1/cam2"); "..", absolute paths, drives and control characters are refused. All
    letters and spaces are allowed.
    """
    parts = PurePosixPath(video_id).parts + PureWindowsPath(video_id).parts
    harmless = (
        video_id.strip()
        and not PurePosixPath(video_id).is_absolute()
        and not PureWindowsPath(video_id).anchor
        and ".." not in parts
        and not any(unicodedata.category(character) in _CONTROLS for character in video_id)
        and all(len(part) <= LONGEST_ID for part in parts)
    )
    if not harmless:
        raise InputError(where or "video id", f"{video_id!r} is not a name for a file in a folder", "rename the video")
    return unicodedata.normalize("NFC", video_id)


def id_of_file(path: str | Path) -> str:
    """The id of a video: its name without its suffix."""
    return as_id(Path(path).stem)


def as_id(name: str) -> str:
    """The name of a file or folder as part of an id, with "_" instead of separators of folders.

    Control characters are kept, so that `check_id` refuses the id: such names are mistakes.
    """
    name = re.sub(r"[/\\]", "_", unicodedata.normalize("NFC", readable(name)))
    if PureWindowsPath(name).drive:  # "C:x"
        name = name.replace(":", "_", 1)
    return name if name.strip() and name not in (".", "..") else "_"


def spelling(name: str) -> str:
    """The name in a form that is equal for all its spellings: NFC or NFD, upper or lower case, kinds of spaces."""
    return " ".join(unicodedata.normalize("NFC", readable(name)).casefold().split())


def name_in_folder(video_id: str) -> str:
    """The id as a path relative to an output folder, without suffix, allowed on Linux, macOS and Windows.

    Characters that Windows does not allow become "_"; of long names, eight characters of a digest replace the end.
    """
    *folders, last = check_id(video_id).split("/")
    folders = [part for part in folders if part not in ("", ".")]
    # Windows drops dots and spaces at the end of a name; the last part gets a suffix.
    return "/".join([*(re.sub(r"[. ]$", "_", _allowed(part)) for part in folders), _allowed(last)])


def _allowed(name: str) -> str:
    safe = _NOT_ON_WINDOWS.sub("_", name)
    if _DEVICES.fullmatch(safe):
        safe = f"_{safe}"
    if len(safe.encode()) <= LONGEST_NAME:
        return safe
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{safe.encode()[: LONGEST_NAME - 9].decode(errors='ignore')}~{digest}"


def path_for_id(folder: str | Path, video_id: str, suffix: str) -> Path:
    """The file of an id in `folder`, or in a folder below it, refused if the id would leave the folder."""
    return Path(folder) / f"{name_in_folder(video_id)}{suffix}"
