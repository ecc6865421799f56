"""Folders on this machine, or in a store that fsspec knows by its address, such as s3://bucket/folder.

Where a store is and who may read it is taken from the environment, as every program of its kind does; nothing of that
is printed or written. Standard library only; fsspec is imported for addresses of stores alone.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from mmad.errors import InputError
from mmad.files import as_id, atomic_path, output_folder, path_for_id, read_json

VERSION = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "modified", "created")
WITHOUT_FOLDERS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci")  # and files come whole
TRACKS = ("landmarks", "features")  # folders of them in that of a video
AT_ONCE = 32  # small files that are read at the same time
CHECK = "check the address, the network and the rights to it, then type the same command again"


def is_address(name: str | Path) -> bool:
    """Whether this is the address of a store, and not a file or folder of this machine."""
    return "://" in str(name)


def shown(address: str | Path) -> str:
    """The address as it may be printed and stored: without its query (?NAME=..., on the web all behind ?), which may
    be a key to the store. Elsewhere a ? is part of a name, or stands for a letter."""
    if not is_address(address):
        return str(address)
    kind = str(address).partition("://")[0].rpartition(":")[2]
    query = r"\?.*" if kind in ("http", "https") else r"\?[A-Za-z][\w.-]*=.*"
    return re.sub(query, "", str(address), flags=re.DOTALL)


def absolute(name: str | Path) -> str:
    """The file or folder by its whole path, which processes in other working folders find too; addresses as they are.
    An empty name stays empty."""
    return str(name) if is_address(name) or not str(name).strip() else os.path.abspath(name)


def open_store(address: str):
    """(fsspec's file system, path in it) of an address; `InputError` where it cannot be used."""
    if any(":" in urlsplit(part).netloc.rpartition("@")[0] for part in address.split("::")):
        hidden = re.sub(r"//[^/@]*@", "//...@", shown(address))
        raise InputError(hidden, "holds a password", "take it out: the store's own settings hold it")
    try:
        import fsspec
    except ImportError:
        raise InputError("fsspec", "is not installed", 'type: pip install "mmad[ray]"') from None
    try:
        return fsspec.core.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        raise InputError(shown(address), f"needs another package ({reason(error)})", "install it with pip") from None
    except Exception as error:  # of a store's own kind
        raise InputError(shown(address), f"cannot be used ({reason(error)})", CHECK) from None


def reason(error: BaseException) -> str:
    """The first line of an error of a store, without what follows ? in addresses."""
    lines = str(error).strip().splitlines() or [""]
    return re.sub(r"\?\S+", "?...", f"{type(error).__name__}: {lines[0]}")[:300]


@contextlib.contextmanager
def store_errors(address: str, what: str) -> Iterator[None]:
    """Within it, errors of a store become an `InputError` that says `what` could not be done, such as "be read"."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # each store has its own kinds
        raise InputError(shown(address), f"cannot {what} ({reason(error)})", CHECK) from None


# --- reading ----------------------------------------------------------------------------------------------------


def files_below(address: str) -> dict[str, dict[str, int | str]]:
    """{address: `identity_in_store`} of all files that an address with wildcards, or of a file or a folder, means."""
    store, path = open_store(address)
    with store_errors(address, "be listed"):
        if any(sign in path for sign in "*[?") and not store.exists(path):
            found = store.glob(path, detail=True)
        else:
            found = store.find(path, detail=True)
        files = {name: info for name, info in found.items() if info.get("type") == "file"}
        return {store.unstrip_protocol(name): _identity(files[name]) for name in sorted(files)}


def identity_in_store(address: str) -> dict[str, int | str]:
    """{"size": bytes, "version": what changes when the file is replaced} of a file in a store."""
    store, path = open_store(address)
    with store_errors(address, "be read"):
        return _identity(store.info(path))


def _identity(info: dict) -> dict[str, int | str]:
    version = next((info[key] for key in VERSION if info.get(key)), "")
    if isinstance(version, datetime):  # lists and single files say it in different forms
        version = version.timestamp()
    return {"size": int(info.get("size") or 0), "version": str(version).strip('"')}


@contextlib.contextmanager
def fetched(address: str, folder: Path) -> Iterator[Path]:
    """The file on this machine: where it is; or a copy in `folder`, which goes away behind the block."""
    if not is_address(address):
        yield Path(address)
        return
    store, path = open_store(address)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        name = PurePosixPath(shown(address))
        try:
            copy = path_for_id(temporary, as_id(name.stem), name.suffix)
        except InputError:  # no name for a file here
            copy = Path(temporary, f"video{name.suffix}")
        with store_errors(address, "be fetched"):
            size = store.info(path).get("size")
            store.get_file(path, str(copy))
        if size is not None and copy.stat().st_size != size:
            problem = f"{copy.stat().st_size} of {size} bytes were fetched"
            raise InputError(shown(address), problem, "was it replaced just now? type the same command again")
        yield copy


# --- results ----------------------------------------------------------------------------------------------------


class ResultFolder:
    """A folder of results, on this machine or in a store: a folder per video, whose file `LAST` is written last.

    A video whose folder has no `LAST` has no results yet, whatever else is there.
    """

    LAST = "finished.json"

    def __init__(self, address: str | Path):
        self.address = str(address)
        if is_address(self.address):
            self.store, self.root = open_store(self.address.rstrip("/"))
        else:
            self.store, self.root = None, output_folder(address)
        self.has_folders = urlsplit(self.address).scheme not in WITHOUT_FOLDERS

    def __str__(self) -> str:
        return shown(self.address)

    def finished(self) -> dict[str, dict]:
        """{name of a folder of results: what its `LAST` says}, of all that are finished."""
        if self.store is None:
            paths = [path for path in self.root.rglob(self.LAST) if path.is_file()]  # a video may be called so
            found = {path.parent.relative_to(self.root).as_posix(): path for path in paths}
            return {name: _as_dict(read_json(path), path) for name, path in found.items()}
        with store_errors(self.address, "be listed"):
            try:
                paths = [path for path in self.store.find(self.root) if path.endswith(f"/{self.LAST}")]
            except FileNotFoundError:
                return {}
        names = [path[len(self.root.rstrip("/")) + 1 : -len(self.LAST) - 1] for path in paths]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return dict(zip(names, threads.map(self.finished_of, names)))

    def finished_of(self, name: str) -> dict | None:
        """What `LAST` says in the folder of this name; None where it is not there."""
        if self.store is None:
            path = self.root / name / self.LAST
            return _as_dict(read_json(path), path) if path.is_file() else None
        path = f"{self.root}/{name}/{self.LAST}"
        with store_errors(self.address, "be read"):
            try:
                return _as_dict(_parsed(self.store.cat_file(path), path), path)
            except FileNotFoundError:
                return None

    def try_to_write(self, run: str) -> None:
        """`InputError` where nothing can be written: better before the work than behind it. run: its name."""
        name = f".mmad-{run}"
        if self.store is None:
            with atomic_path(self.root / name) as temporary:
                temporary.touch()
            (self.root / name).unlink(missing_ok=True)
            return
        with store_errors(self.address, "be written"):
            if self.has_folders:
                self.store.makedirs(self.root, exist_ok=True)
            self.store.pipe_file(f"{self.root}/{name}", b"")
            self.store.rm_file(f"{self.root}/{name}")

    def publish(self, name: str, made: Path) -> None:
        """Bring the files in and below the folder `made`, `LAST` among them, to the folder of this name.

        Files of the same names are replaced, each whole or not at all on this machine and in stores without folders;
        earlier results do not count from the first one on, and their tracks are removed.
        """
        own = re.compile(rf"{re.escape(PurePosixPath(name).name)}(_person\d+)?\.(npz|npy|json)")
        tracks = [PurePosixPath(kind, name).parent for kind in TRACKS]
        files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
        files.sort(key=lambda path: path == Path(self.LAST))
        if self.store is None:
            (self.root / name / self.LAST).unlink(missing_ok=True)
            for path in [path for folder in tracks for path in (self.root / name / folder).glob("*")]:
                if own.fullmatch(path.name):
                    path.unlink(missing_ok=True)
            for file in files:
                with atomic_path(self.root / name / file) as temporary:
                    shutil.copyfile(made / file, temporary)
            return
        with store_errors(self.address, "be written"):
            with contextlib.suppress(FileNotFoundError):
                self.store.rm_file(f"{self.root}/{name}/{self.LAST}")
            for folder in tracks:
                with contextlib.suppress(FileNotFoundError):
                    for path in self.store.find(f"{self.root}/{name}/{folder}", maxdepth=1):
                        if own.fullmatch(PurePosixPath(path).name):
                            self.store.rm_file(path)
            for file in files:
                target = f"{self.root}/{name}/{file.as_posix()}"
                if self.has_folders:  # elsewhere this would make a bucket of a mistyped name
                    self.store.makedirs(target.rpartition("/")[0], exist_ok=True)
                self.store.put_file(str(made / file), target)


def _parsed(data: bytes, path: str):
    try:
        return json.loads(data)
    except ValueError as error:
        raise InputError(path, f"not JSON ({error})", "move it away to have the video done again") from None


def _as_dict(content, path: str | Path) -> dict:
    if not isinstance(content, dict):
        raise InputError(path, "does not say what it was made from", "move it away to have the video done again")
    return content
