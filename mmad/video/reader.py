"""Frames of videos: all in bounded memory (`stream`), or chosen ones (`read_frames`, `read_few_frames`).

PyAV reads everything and is exact. Frame i is the i-th frame that a player shows, upright; its time is
`VideoInfo.times[i]`, from timestamps, with the first shown frame at 0 s. `probe` returns everything else that is
known of a file.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import av
import numpy as np

from mmad.errors import InputError
from mmad.video.opening import open_video, picture_track, video_identity, whole_packets
from mmad.video.probing import BrokenVideo, VideoInfo, VideoInfos, probe, refuse_jumps, start_in_player
from mmad.video.second_decoder import compare_with_decord

__all__ = [
    "BrokenVideo",
    "VideoInfo",
    "VideoInfos",
    "choose_reader",
    "open_video",
    "picture_track",
    "probe",
    "read_few_frames",
    "read_frames",
    "refuse_jumps",
    "start_in_player",
    "stored_frames",
    "stream",
    "video_identity",
    "whole_packets",
]

READERS = ("auto", "pyav", "decord")
MIN_FRAMES_TO_SEEK = 300  # mean gap between wanted frames; key frames are usually closer than that
SEEK_MARGINS_S = (0.0, 1.0, 10.0)  # seconds to seek before a key frame, tried in order until that key frame comes
ONE_THREAD_PIXELS = 100_000  # pictures of at most so many pixels are decoded sooner by one thread than by several
SKIPPING = ("h264", "hevc", "mpeg4")  # decoders that leave out exactly the frames they are asked to; AV1's does not


def stream(
    path: str | Path | VideoInfo, indices: Sequence[int] | None = None, size: tuple[int, int] | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame index, (H, W, 3) uint8 RGB) in order, in bounded memory however slow the consumer is.

    indices: as in `stored_frames`. size: (height, width) of the upright picture to resize to inside the decoder,
    bilinear. Default: full size.
    Raises `BrokenVideo` after the last good frame if the file ends early.
    """
    info = path if isinstance(path, VideoInfo) else probe(path)
    for index, frame in stored_frames(info, indices):
        yield index, _upright(frame, info, size)


def stored_frames(info: VideoInfo, indices: Sequence[int] | None = None) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (frame index, frame as it is stored: not turned, in its own size and colours) in order.

    indices: ascending; only these are given, and of the others only those decoded on which they depend (of the MA-52
    clips, with every fourth frame asked for, half); what lies long before the first is jumped over. Default: all.
    Raises `BrokenVideo` after the last good frame if the file ends early.
    """
    wanted = None if indices is None else {int(i) for i in indices}
    first, last = (0, info.num_frames - 1) if wanted is None else (min(wanted, default=0), max(wanted, default=-1))
    if first < 0 or last >= info.num_frames:
        wrong = last if last >= info.num_frames else first
        raise InputError(info.path, f"frame {wrong} was asked for", f"frames are 0..{info.num_frames - 1}")
    reached = -1  # index of the last frame whose time has come
    with _open_and_decode(info, first, wanted) as frames:
        for position, (frame, failed) in enumerate(frames):
            time = _timestamp(frame, position, info, last)
            if failed and reached < last and time > info.timestamps[reached + 1]:
                break  # a threaded decoder may still return frames that depend on the broken one: stop
            # The file may hold frames before time 0: skip them. If frames were lost, repeat this frame for each lost
            # index. After a seek the indices before this frame are passed over: none of them is wanted.
            while reached < last and time >= info.timestamps[reached + 1]:
                reached += 1
                if wanted is None or reached in wanted:
                    yield reached, frame
            if reached == last and (wanted is not None or info.is_complete):
                return
    if reached < last or (wanted is None and not info.is_complete):
        seconds = float(info.times[reached]) if reached >= 0 else 0.0
        raise BrokenVideo(info.path, reached + 1, info.expected_frames, seconds)


def _timestamp(frame: av.VideoFrame, position: int, info: VideoInfo, last: int) -> int:
    """The presentation time of a decoded frame, in units of `info.time_base`.

    position: how many frames were decoded before it; it counts where frames have no timestamps of their own.
    """
    if info.has_timestamps and frame.pts is not None:
        return frame.pts
    return info.timestamps[min(position + info.undecodable_at_start, last)]


def read_frames(
    path: str | Path | VideoInfo,
    indices: Sequence[int],
    reader: str = "auto",
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB of the chosen frames, in the order given; indices may repeat.

    reader: as in `choose_reader`; with "decord" also `InputError` where it sees other frames. size: (height, width) to
    resize to inside the decoder.
    """
    info = path if isinstance(path, VideoInfo) else probe(path)
    indices = np.asarray(indices, dtype=np.int64)
    if len(indices) == 0:
        height, width = size or (info.height, info.width)
        return np.empty((0, height, width, 3), dtype=np.uint8)
    if indices.min() < 0 or indices.max() >= info.num_frames:
        wrong = indices[(indices < 0) | (indices >= info.num_frames)][0]
        raise InputError(info.path, f"frame {wrong} was asked for", f"frames are 0..{info.num_frames - 1}")
    unique = np.unique(indices)
    if choose_reader(info, reader)[0] == "decord":
        compare_with_decord(info, stream(info, unique), unique)
    frames = np.stack([frame for _, frame in stream(info, unique, size)])
    return frames[np.searchsorted(unique, indices)]


def choose_reader(info: VideoInfo, wish: str = "auto") -> tuple[str, str]:
    """(reader, reason) for reading chosen frames of a file.

    "auto" is "pyav". "decord" is a check: the frames are PyAV's all the same, decord reads them too, and a file on
    which the two differ is refused.
    """
    if wish not in READERS:
        raise InputError("reader", f"{wish!r}", f"choose one of {', '.join(READERS)}")
    return (wish, "chosen by the user") if wish != "auto" else ("pyav", "reads every kind of file frame by frame")


def read_few_frames(info: VideoInfo, indices: Sequence[int], size: tuple[int, int] | None = None) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB of a few ascending frames of a video that may be long: seeks the key frame before each.

    size: (height, width) to resize to inside the decoder. Raises `InputError` where one of them cannot be read.
    """
    if info.num_frames < MIN_FRAMES_TO_SEEK * len(indices):
        return np.stack([frame for _, frame in stream(info, indices, size)])
    frames = []
    with _opened(info) as (container, video):
        for index in indices:
            frame = _decode_one_frame(container, video, info, index)
            if frame is None:
                break
            frames.append(_upright(frame, info, size))
    remaining = list(indices)[len(frames) :]  # where seeking fails: read from the start of the file
    return np.stack([*frames, *(frame for _, frame in stream(info, remaining, size))])


# --- seeking ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _open_and_decode(info: VideoInfo, first: int, wanted: set[int] | None) -> Iterator[Iterator]:
    """What `_decode` gives, from the start of the file or from the key frame before frame `first` on."""
    if info.key_before(first) > 0:
        with _opened(info) as (container, video):
            frames = _seek_and_decode(container, video, info, first, _skippable_times(video, info, wanted))
            if frames is not None:
                yield frames
                return
    with _opened(info) as (container, video):  # reopen: after a failed seek the container's position is unreliable
        yield _decode(video, whole_packets(container, video), _skippable_times(video, info, wanted))


@contextlib.contextmanager
def _opened(info: VideoInfo) -> Iterator[tuple]:
    with open_video(info.path) as container:
        video = picture_track(container, info.path)
        if info.width * info.height > ONE_THREAD_PIXELS:
            video.thread_type = "AUTO"
        else:
            video.codec_context.thread_count = 1
        yield container, video


def _seek_and_decode(
    container, video, info: VideoInfo, index: int, skippable: frozenset[int] = frozenset()
) -> Iterator | None:
    """What `_decode` gives from the key frame before frame `index` on.

    None where no seek finds that key frame, or where the file marks it as a key frame, but the decoder does not.
    """
    packets = _seek_key_packet(container, video, info, index)
    if packets is None:
        return None
    frames = _decode(video, packets, skippable)
    key_frame, failed = next(frames, (None, True))
    if failed or key_frame.pts is None or key_frame.pts > info.timestamps[index] or not key_frame.key_frame:
        return None
    return chain([(key_frame, failed)], frames)


def _seek_key_packet(container, video, info: VideoInfo, index: int) -> Iterator[av.Packet] | None:
    """The packets from the last key frame on that is shown no later than frame `index`; None where no seek finds it.

    A seek lands where the container's index or times lead it, which may be too late or in the middle of a frame; the
    key frame is known by its place in the file.
    """
    before = info.key_before(index)
    if before < 0:
        return None
    pts, dts, place = info.keys[before].tolist()
    for margin in SEEK_MARGINS_S:
        with contextlib.suppress(av.error.FFmpegError):
            container.seek(dts - round(margin / info.time_base), stream=video)
            packets = whole_packets(container, video)
            for packet in packets:
                if packet.pos == place and packet.pts == pts:
                    return chain([packet], packets)
                if packet.dts is not None and packet.dts > dts:
                    break
    return None


def _decode_one_frame(container, video, info: VideoInfo, index: int) -> av.VideoFrame | None:
    """Frame `index`, decoded from the key frame before it on; None where no seek finds that key frame."""
    frames, pts = _seek_and_decode(container, video, info, index), int(info.timestamps[index])
    from_there_on = (frame for frame, _ in frames or () if frame.pts is not None and frame.pts >= pts)
    frame = next(from_there_on, None)
    return frame if frame is not None and frame.pts == pts else None


# --- decoding --------------------------------------------------------------------------------------------------------


def _skippable_times(video, info: VideoInfo, wanted: set[int] | None) -> frozenset[int]:
    """Timestamps of the frames that are not wanted.

    Empty where the decoder cannot leave out just these, or the file has no timestamps, or is cut off: there it matters
    which frames are missing.
    """
    if wanted is None or not (info.has_timestamps and info.is_complete) or video.codec_context.name not in SKIPPING:
        return frozenset()
    asked = info.timestamps[list(wanted)]
    return frozenset(info.timestamps.tolist()).difference(asked.tolist())


def _decode(
    video, packets: Iterable[av.Packet], skippable: frozenset[int] = frozenset()
) -> Iterator[tuple[av.VideoFrame, bool]]:
    """(frame, False) of all; at the first packet that cannot be decoded, (frame, True) of those still held.

    skippable: timestamps of frames that are left out where no other frame is built on them (most B frames).
    """
    try:
        for packet in packets:
            if skippable:
                video.codec_context.skip_frame = "NONREF" if packet.pts in skippable else "DEFAULT"
            for frame in packet.decode():
                yield frame, False
        else:
            return
    except av.error.FFmpegError:
        pass
    with contextlib.suppress(av.error.FFmpegError):
        for frame in video.codec_context.decode(None):
            yield frame, True


def _upright(frame: av.VideoFrame, info: VideoInfo, size: tuple[int, int] | None) -> np.ndarray:
    height, width = size or (info.height, info.width)
    width, height = info.orientation.turned_size(width, height)
    picture = frame.reformat(width=width, height=height, format="rgb24", interpolation="BILINEAR").to_ndarray()
    return info.orientation.upright(picture)
