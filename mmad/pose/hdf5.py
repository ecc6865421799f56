"""Joints in HDF5 files: SLEAP's .analysis.h5 and DeepLabCut's .h5. Needs h5py, unlike their CSV files."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mmad.arrays import DAMAGED
from mmad.errors import InputError
from mmad.pickles import load_data
from mmad.pose.recording import Recording
from mmad.pose.tables import columns_by_name, deeplabcut_recording, fill_missing_scores

DEEPLABCUT_KEY = "df_with_missing"


@contextmanager
def open_hdf5(path: Path) -> Iterator:
    """Context with the open file; `InputError` where h5py is missing, and for what cannot be read in it."""
    try:
        import h5py
    except ImportError:
        remedy = "export it as CSV (SLEAP: Analysis CSV; DeepLabCut: save_as_csv=True), or pip install h5py"
        raise InputError(path, "is an HDF5 file, which needs h5py", remedy) from None
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise InputError(path, f"not an HDF5 file that can be read ({reason})", "is the file complete?") from None


def tool_of_hdf5(path: Path) -> str:
    """The tool that wrote a file: "sleap", "deeplabcut", or "" if neither."""
    with open_hdf5(path) as file:
        if {"tracks", "node_names"} <= set(file):
            return "sleap"
        return "deeplabcut" if DEEPLABCUT_KEY in file else ""


def read_sleap_hdf5(path: Path) -> list[Recording]:
    """SLEAP's .analysis.h5: tracks (tracks, 2, nodes, frames), point_scores (tracks, nodes, frames), node_names; or
    with reversed axes. Frames from 0. A node without a score was placed by hand and gets confidence 1."""
    with open_hdf5(path) as file:
        nodes = [_text(name) for name in _array(file, "node_names", path)]
        tracks = _array(file, "tracks", path)
        scores = _array(file, "point_scores", path) if "point_scores" in file else None
    if tracks.ndim == 4 and tracks.shape[1:3] == (len(nodes), 2):  # frames, nodes, 2, tracks
        tracks, scores = tracks.T, None if scores is None else scores.T
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(nodes)):
        raise InputError(path, f"tracks of shape {tracks.shape} for {len(nodes)} nodes", "is the file complete?")
    if scores is None:
        scores = np.full((len(tracks), *tracks.shape[2:]), np.nan)
    if scores.shape != (len(tracks), *tracks.shape[2:]):
        raise InputError(path, f"point_scores of shape {scores.shape} for tracks of shape {tracks.shape}")
    points = np.concatenate([tracks, scores[:, None]], axis=1).transpose(3, 0, 2, 1).astype(np.float32)
    named = [("", node, axis, 3 * i + axis) for i, node in enumerate(nodes) for axis in range(3)]
    layout = columns_by_name(named, path)
    chosen = fill_missing_scores(points.reshape(*points.shape[:2], -1)[..., layout.at[0]])
    name = path.stem.removesuffix(".analysis")
    identities = [list(range(chosen.shape[1]))] * len(chosen)
    return [
        Recording(name, path, layout.joints, list(chosen), np.arange(len(chosen)), identities, unused=layout.unused)
    ]


def read_deeplabcut_hdf5(path: Path) -> list[Recording]:
    """DeepLabCut's .h5, a pandas table. The names of its columns are pickled; they are read as data only."""
    with open_hdf5(path) as file:
        table = file[DEEPLABCUT_KEY]
        rows = table["table"][()] if "table" in table else None
        names = table.attrs.get("non_index_axes")
    fields = () if rows is None or rows.dtype.names is None else rows.dtype.names
    if names is None or set(fields) != {"index", "values_block_0"}:
        raise InputError(path, "its pandas table does not have the usual form", "export it as CSV (save_as_csv=True)")
    try:
        [(_, columns)] = load_data(io.BytesIO(bytes(names)))
        columns = [tuple(map(str, column)) for column in columns]
    except DAMAGED as error:
        raise InputError(path, f"its columns cannot be read ({type(error).__name__})", "export it as CSV") from None
    values = np.asarray(rows["values_block_0"], dtype=np.float32)
    if {len(column) for column in columns} - {3, 4} or values.shape != (len(rows), len(columns)):
        raise InputError(path, f"{len(columns)} columns for values of shape {values.shape}", "is the file complete?")
    named = [(column[1] if len(column) == 4 else "", *column[-2:]) for column in columns]
    return [deeplabcut_recording(path, named, rows["index"], values)]


def _array(file, key: str, path: Path) -> np.ndarray:
    content = file[key]
    if not hasattr(content, "shape"):
        raise InputError(path, f"{key} is not an array")
    return content[()]


def _text(name) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
