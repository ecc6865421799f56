"""decord as a second decoder, whose frames are compared with ours bit by bit.

By itself it isn't trusted: for transport streams, MPEG program streams, Windows Media, MPEG-4 with B frames, edited
files and the last frames of others it returns other frames than those asked for, without a word.
"""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.video.probing import VideoInfo

REMEDY = "use reader=pyav"


def compare_with_decord(info: VideoInfo, frames: Iterable[tuple[int, np.ndarray]], indices: np.ndarray) -> None:
    """`InputError` where decord is not there, cannot read a file, or gives another picture for one of its frames.

    frames: (frame index, (H, W, 3) uint8 RGB) of the frames with these ascending indices, in full size.
    """
    if importlib.util.find_spec("decord") is None:
        raise InputError("reader=decord", "decord is not installed", f"pip install decord, or {REMEDY}")
    try:
        decord_frames = _open_decord(info.path).get_batch(indices.tolist()).asnumpy()
    except Exception:  # decord raises its own error types, by version
        raise InputError(info.path, "decord cannot read this file", REMEDY) from None
    for (index, frame), other in zip(frames, decord_frames, strict=True):
        if not np.array_equal(frame, other):
            raise InputError(info.path, f"decord returns another picture for frame {index}", REMEDY)


def _open_decord(path: Path):
    import decord  # on demand: it is an optional wheel, and its readers must be made in the process that uses them

    return decord.VideoReader(str(path), num_threads=1)
