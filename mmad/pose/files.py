"""Landmark files: ID.npz with the fields of a `LandmarkTrack`, and ID.json beside it: what made them, from what."""

import zipfile
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import atomic_path, path_for_id, read_json, write_json
from mmad.pose.skeletons import LAYOUTS
from mmad.records import LandmarkTrack

FIELDS = ("points", "times", "layout", "size", "person")
_FIELDS_OF_SIDECAR = ("video_id", "source", "duration")  # the rest are details


def save_landmarks(folder: str | Path, track: LandmarkTrack) -> None:
    """Write a track, whole or not at all: without its sidecar a file does not count as done."""
    path, sidecar = (path_for_id(folder, track.video_id, suffix) for suffix in (".npz", ".json"))
    sidecar.unlink(missing_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, **{name: getattr(track, name) for name in FIELDS})
    content = {name: getattr(track, name) for name in _FIELDS_OF_SIDECAR}
    write_json(sidecar, {**content, **track.details}, indent=1)


def load_landmarks(path: str | Path) -> LandmarkTrack:
    """The track in a .npz file; its sidecar may be missing. Its id is the name of the file."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as content:
            values = {name: content[name] for name in FIELDS}
        layout, person = str(values.pop("layout")), int(values.pop("person"))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, FileNotFoundError):
            raise InputError(path, "no such file") from None
        raise InputError(path, f"is no file of landmarks ({error})", f"it must hold {', '.join(FIELDS)}") from None
    if layout not in LAYOUTS:
        raise InputError(path, f"layout {layout!r} is unknown", f"known are {', '.join(LAYOUTS)}")
    if values["points"].shape[1:] != (len(LAYOUTS[layout]), 3):
        problem = f"points of shape {values['points'].shape}"
        raise InputError(path, problem, f"layout {layout} has {len(LAYOUTS[layout])} joints: x, y, confidence")
    sidecar = path.with_suffix(".json")
    known = read_json(sidecar) if sidecar.exists() else {}
    details = {key: value for key, value in known.items() if key not in _FIELDS_OF_SIDECAR}
    return LandmarkTrack(
        path.stem,
        **values,
        layout=layout,
        person=person,
        duration=float(known.get("duration", 0.0)),
        source=str(known.get("source", "")),
        details=details,
    )


def is_done(folder: str | Path, video_id: str, source: str) -> dict | None:
    """The sidecar of landmarks that are there and were made by `source`; None where they are not there or incomplete.

    Landmarks of another source are refused: mixing them would go unnoticed until the figures are bad.
    """
    sidecar = path_for_id(folder, video_id, ".json")
    if not (sidecar.exists() and sidecar.with_suffix(".npz").exists()):
        return None
    content = read_json(sidecar)
    made_by = content.get("source") if isinstance(content, dict) else None
    if made_by != source:
        problem = f"was made with other weights or settings ({made_by}, now {source})"
        raise InputError(sidecar, problem, "choose another --out")
    return content
