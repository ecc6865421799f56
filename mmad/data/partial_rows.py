"""Rows of a long video kept while it is processed, so that an interrupted run continues behind them."""

import contextlib
import json
from pathlib import Path

import numpy as np

from mmad.files import path_for_id


class PartialRows:
    """The rows computed so far: ID.begun, one line of JSON followed by float32 values.

    identity: what the rows were made from and by what, as JSON. steps: how many rows there will be. count: whole rows
    that an earlier run with the same identity left.
    """

    def __init__(self, folder: str | Path, video_id: str, identity: dict, steps: int):
        self.path, self.identity = path_for_id(folder, video_id, ".begun"), identity
        self.count = min(self._count(), steps) if self.path.exists() else 0

    def _header(self, channels: int) -> bytes:
        return json.dumps({**self.identity, "channels": channels}).encode() + b"\n"

    def _count(self) -> int:
        with open(self.path, "rb") as handle:
            header = handle.readline()
        try:
            channels = int(json.loads(header)["channels"])
        except (ValueError, KeyError, TypeError):
            return 0
        same_source = channels > 0 and header == self._header(channels)
        return (self.path.stat().st_size - len(header)) // (4 * channels) if same_source else 0

    def begin(self, channels: int) -> np.ndarray:
        """The (count, C) rows of an earlier run; starts the file where there is none."""
        header = self._header(channels)
        if not self.count:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(header)
        values = np.fromfile(self.path, np.float32, self.count * channels, offset=len(header))
        return values.reshape(self.count, channels)

    def write(self, first: int, rows: np.ndarray) -> None:
        """Write (N, C) rows from row `first` on. Two runs that compute the same rows write the same file."""
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb+") as handle:  # the other run may be done
            handle.seek(len(self._header(rows.shape[1])) + 4 * first * rows.shape[1])
            handle.write(np.ascontiguousarray(rows, dtype=np.float32))

    def remove(self) -> None:
        """Delete the file: the results are complete."""
        self.path.unlink(missing_ok=True)
