"""Landmark files: ID.npz with the fields of a `LandmarkTrack`, and its sidecar ID.json: what made them, and from
what."""

import contextlib
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mmad.errors import InputError
from mmad.files import as_id, atomic_path, name_in_folder, path_for_id, read_json, write_json
from mmad.pose.skeletons import LAYOUTS
from mmad.records import LandmarkTrack
from mmad.sidecars import read_finished
from mmad.video.finding import videos_below

FIELDS = ("points", "times", "layout", "size", "person")
_FIELDS_OF_SIDECAR = ("video_id", "source", "duration")  # the rest are details


def save_landmarks(folder: str | Path, track: LandmarkTrack) -> None:
    """Write a track, complete or not at all: a file without its sidecar does not count as finished."""
    path, sidecar = (path_for_id(folder, track.video_id, suffix) for suffix in (".npz", ".json"))
    sidecar.unlink(missing_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, **{name: getattr(track, name) for name in FIELDS})
    content = {name: getattr(track, name) for name in _FIELDS_OF_SIDECAR}
    write_json(sidecar, {**content, **track.details}, indent=1)


def load_landmarks(path: str | Path) -> LandmarkTrack:
    """The track in a .npz file; its sidecar may be missing.

    Its id is the one in the sidecar, with folders and in full length, if the file still has that name; else the name of
    the file.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as content:
            values = {name: content[name] for name in FIELDS}
        layout, person = str(values.pop("layout")), int(values.pop("person"))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, FileNotFoundError):
            raise InputError(path, "no such file") from None
        raise InputError(path, f"is not a file of landmarks ({error})", f"it must hold {', '.join(FIELDS)}") from None
    if layout not in LAYOUTS:
        raise InputError(path, f"layout {layout!r} is unknown", f"known layouts: {', '.join(LAYOUTS)}")
    if values["points"].shape[1:] != (len(LAYOUTS[layout]), 3):
        problem = f"points of shape {values['points'].shape}"
        raise InputError(path, problem, f"layout {layout} has {len(LAYOUTS[layout])} joints: x, y, confidence")
    sidecar = path.with_suffix(".json")
    metadata = read_json(sidecar) if sidecar.exists() else {}
    details = {key: value for key, value in metadata.items() if key not in _FIELDS_OF_SIDECAR}
    return LandmarkTrack(
        _id_of(path, metadata.get("video_id")),
        **values,
        layout=layout,
        person=person,
        duration=float(metadata.get("duration", 0.0)),
        source=str(metadata.get("source", "")),
        details=details,
    )


def landmark_files(paths: Sequence[str | Path]) -> list[Path]:
    """The landmark tracks that files and folders are or hold; empty where some of them are or hold videos."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files = [] if videos_below(path)[0] else sorted(path.rglob("*.npz"))
        else:
            files = [path] if path.suffix.lower() == ".npz" else []
        if not files:
            return []
        found += files
    return found


def _id_of(path: Path, video_id: object) -> str:
    """video_id: from the sidecar; None if there is none."""
    with contextlib.suppress(InputError):
        if isinstance(video_id, str) and PurePosixPath(name_in_folder(video_id)).name == path.stem:
            return video_id
    return as_id(path.stem)


def finished_landmarks(folder: str | Path, video_id: str, source: str) -> dict | None:
    """The sidecar of finished landmarks that `source` made; None where there are none or where they are incomplete.

    `InputError` where another source made them.
    """
    if not path_for_id(folder, video_id, ".npz").exists():
        return None
    return read_finished(folder, video_id, source)
