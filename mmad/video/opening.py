"""Video files as they lie on disk: opened, identified, their picture track and its packets."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import av

from mmad.errors import InputError

ENDS = 64 * 1024  # bytes at the head and at the tail of a file that identify it


def open_video(path: Path):
    """The file as PyAV's container; `InputError` where it cannot be opened."""
    require_file(path)
    # Older torchvision has the decoder's threads write to Python's log on import. They wait for the interpreter to do
    # so, and the interpreter waits for them when a broken file is closed: a deadlock. Without a log there is none.
    av.logging.set_level(None)
    try:
        return av.open(str(path))
    except av.error.FFmpegError as error:
        raise InputError(path, f"not a readable video ({error.strerror})", "is the file complete?") from None


def require_file(path: Path) -> None:
    """`InputError` where there is no such file, or nothing in it."""
    if not path.exists():
        raise InputError(path, "no such file")
    if path.is_dir():
        raise InputError(path, "is a folder", "name a video file")
    if path.stat().st_size == 0:
        raise InputError(path, "the file is empty (0 bytes)")


def picture_track(container, path: Path):
    """The first video stream that is not a cover picture; `InputError` where there is none."""
    cover = av.stream.Disposition.attached_pic
    tracks = [track for track in container.streams.video if not track.disposition & cover]
    if tracks:
        return tracks[0]
    kinds = {track.type for track in container.streams if not track.disposition & cover}
    only = ", only a cover picture" if len(container.streams.video) else ""
    raise InputError(path, f"has no video track{only} (it holds: {', '.join(sorted(kinds)) or 'nothing'})")


def whole_packets(container, track) -> Iterator[av.Packet]:
    """The packets of a track and the empty one behind them, without a last one inside which the file ends."""
    held = None
    for packet in container.demux(track):
        if held is not None and packet.size:
            yield held  # the file goes on behind it: it is damaged, or the seam of two files
        held = packet if packet.is_corrupt else None
        if held is None:
            yield packet


def video_identity(path: str | Path) -> dict[str, int | str]:
    """{"size": bytes, "digest": of the first and last 64 KiB}: the same wherever a file is moved, copied or touched.

    Cheap for thousands of long videos: what is encoded anew or cut differs at its head, its tail or in its size.
    `InputError` where there is no such file, it is empty or may not be read.
    """
    path = Path(path)
    require_file(path)
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            digest = hashlib.sha256(file.read(ENDS))
            file.seek(max(size - ENDS, 0))
            digest.update(file.read(ENDS))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "may you read it, is its disk there?") from None
    return {"size": size, "digest": digest.hexdigest()[:16]}
