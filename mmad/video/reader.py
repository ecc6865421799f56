"""Video files: what they hold (`probe`), chosen frames (`read_frames`), all frames in bounded memory (`stream`).

Two readers behind one interface. PyAV reads everything and is exact; decord is quicker at opening short trimmed clips
but returns wrong frames from edited files, so `choose_reader` gives it only files it is known to read rightly.
Frame i is the i-th frame that a player shows, upright; its time is `VideoInfo.times[i]`, from timestamps, with the
first shown frame at 0 s. Both readers give bit-identical full-size frames.
"""

import contextlib
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import numpy as np

from mmad.errors import InputError

READERS = ("auto", "pyav", "decord")
WORTH_JUMPING = 300  # frames from one that is wanted to the next; key frames are usually closer
RUN_UP = 300  # frames that are decoded before the first wanted one after a jump
SEAM = 1.0  # s by which times jump back where two files were joined
ENDS = 64 * 1024  # bytes at the head and at the tail of a file by which it is told from others
NEARLY_SQUARE = 0.02  # by which a pixel's width may differ from its height: some files are made so by rounding
SKIPPING = ("h264", "hevc", "mpeg4")  # decoders that leave out exactly the frames they are told to; AV1's does not


@dataclass(frozen=True)
class VideoInfo:
    """What `probe` found. width, height: of the upright picture with square pixels. rotation: degrees counter-clockwise
    in the metadata. square: whether the pixels are stored so; those of some camcorders are not.

    timestamps: (num_frames,) presentation times of the shown frames in units of `time_base` seconds, ascending.
    expected_frames: what the file's own index promises, more than num_frames where the file is cut off.
    hidden_packets: frames stored but not shown (edit list). timed: whether frames carry these timestamps; where they do
    not, they are counted: frame i is the i-th that is decoded. damaged: packets inside the file that are marked so, as
    those are where a recording was stored in parts.
    """

    path: Path
    width: int
    height: int
    rotation: int
    square: bool
    timestamps: np.ndarray
    time_base: float
    frame_duration: float
    expected_frames: int
    hidden_packets: int
    timed: bool
    damaged: int = 0

    @property
    def num_frames(self) -> int:
        return len(self.timestamps)

    @property
    def whole(self) -> bool:
        """Whether all frames that the file promises are there."""
        return self.expected_frames == self.num_frames

    @cached_property
    def times(self) -> np.ndarray:
        """(num_frames,) seconds since the first shown frame."""
        return (self.timestamps - self.timestamps[0]) * self.time_base

    @property
    def duration(self) -> float:
        """Seconds from the first shown frame to the end of the last."""
        return float(self.times[-1]) + self.frame_duration

    @property
    def fps(self) -> float:
        """Mean frames a second."""
        return self.num_frames / self.duration

    @cached_property
    def constant_rate(self) -> bool:
        """Whether frame i is shown at i / fps, to half a frame."""
        even = np.arange(self.num_frames) / self.fps
        return bool(np.abs(self.times - even).max() < 0.5 / self.fps)

    def nearest_frames(self, seconds: np.ndarray) -> np.ndarray:
        """Indices of the frames whose times are nearest to `seconds`, clamped to the video."""
        seconds = np.asarray(seconds, dtype=np.float64)
        after = np.clip(np.searchsorted(self.times, seconds), 1, max(self.num_frames - 1, 1))
        before = after - 1
        last = self.num_frames - 1
        nearer = np.abs(self.times[np.minimum(after, last)] - seconds) < np.abs(seconds - self.times[before])
        return np.minimum(np.where(nearer, after, before), last)

    @cached_property
    def decord_frames(self) -> int:
        """Frames that decord counts; -1 if it cannot open the file."""
        try:
            return len(_open_decord(self.path))
        except Exception:  # decord raises its own error types, by version
            return -1


class BrokenVideo(InputError):
    """The decoder stopped before the end. read: frames that were read; expected: frames the file's index promises."""

    def __init__(self, path: Path, read: int, expected: int, seconds: float):
        self.read, self.expected, self.seconds = read, expected, seconds
        problem = f"broken or cut off: {read} of {expected} frames could be read, up to {seconds:.2f} s"
        super().__init__(
            path, problem, "copy the file again, or give files that were joined one by one; what was read is kept"
        )


def video_identity(path: str | Path) -> dict[str, int | str]:
    """{"size": bytes, "digest": of the first and last 64 KiB}: the same wherever a file is moved, copied or touched.

    Cheap for thousands of long videos: what is encoded anew or cut differs at its head, its tail or in its size.
    `InputError` where there is no such file, it is empty or may not be read.
    """
    path = Path(path)
    _require_file(path)
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


class Probes:
    """`probe` that remembers what it found, of the files asked for last; it holds no file open.

    room: frames of all remembered videos together, each of which takes 16 bytes: 64 MB.
    """

    def __init__(self, room: int = 4_000_000):
        self.room, self.taken = room, 0
        self.found: dict[Path, tuple[tuple[int, int], VideoInfo]] = {}  # the one asked for last stands last

    def __call__(self, path: Path) -> tuple[VideoInfo, bool]:
        """What the video holds, and whether it is new: asked for the first time, or changed since."""
        state = _state(path)
        before, info = self.found.pop(path, (None, None))
        self.taken -= _room_of(info) if info else 0
        new = info is None or before != state
        if new:
            info = probe(path)
        self.found[path] = state, info
        self.taken += _room_of(info)
        while self.taken > self.room and len(self.found) > 1:
            _, oldest = self.found.pop(next(iter(self.found)))
            self.taken -= _room_of(oldest)
        return info, new


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change of a file; None where it is not there."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return None


def _room_of(info: VideoInfo) -> int:
    return info.num_frames + 60  # all but the timestamps takes as much as those of 60 frames


def probe(path: str | Path) -> VideoInfo:
    """Size, rate, rotation and the times of all shown frames; reads the packets, decodes one frame."""
    path = Path(path)
    with open_video(path) as container:
        video = picture_track(container, path)
        timestamps, hidden, lost, damaged, decoded_until, frame = [], 0, 0, 0, None, None
        time_base, rate = float(video.time_base), video.average_rate or video.guessed_rate
        timed = container.format.name != "avi"  # has times of decoding only; with B frames those are others
        try:
            for packet in whole_packets(container, video):
                frame = frame or _first_frame(packet)
                if not packet.size:
                    continue
                back = None not in (packet.dts, decoded_until) and packet.dts < decoded_until - SEAM / time_base
                if back or lost:
                    lost += 1
                    continue
                damaged += packet.is_corrupt
                decoded_until = packet.dts
                if packet.is_discard:
                    hidden += 1
                else:
                    timestamps.append(packet.pts if timed else packet.dts)
        except av.error.FFmpegError:
            pass  # cut off: the frames up to here count, `stream` will say how many
        aspect = float(video.sample_aspect_ratio or 1)
        promised = _promised_frames(video)
    if frame is None:
        raise InputError(path, "no frame could be decoded", "is the file complete?")
    frame_duration = 1 / float(rate) if rate else 0.04
    if None in timestamps:  # raw streams
        timed = False
        time_base = frame_duration
        timestamps = range(len(timestamps))
    stamps = np.sort(np.asarray(timestamps, dtype=np.int64))
    if len(stamps) > 1:
        frame_duration = float(np.median(np.diff(stamps))) * time_base or frame_duration
    if promised > len(stamps) and decoded_until is not None:
        stamps = _without_gaps(stamps, decoded_until, 1.5 * frame_duration / time_base)
    rotation, square = round(frame.rotation / 90) * 90 % 360, abs(aspect - 1) < NEARLY_SQUARE
    size = (frame.width if square else round(frame.width * aspect), frame.height)
    width, height = size[::-1] if rotation % 180 else size
    expected = max(len(stamps) + lost, promised)
    return VideoInfo(
        path, width, height, rotation, square, stamps, time_base, frame_duration, expected, hidden, timed, damaged
    )


def stream(
    path: str | Path | VideoInfo, indices: Sequence[int] | None = None, size: tuple[int, int] | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame index, (H, W, 3) uint8 RGB) in order, in bounded memory however slow the consumer is.

    indices: as in `stored_frames`. size: (height, width) of the upright picture to resize to inside the decoder,
    bilinear. Default: full size.
    Raises `BrokenVideo` after the last good frame if the file ends early. Reads with PyAV.
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
    shown = -1  # index of the frame on screen
    with _opened_before(info, first - RUN_UP) as (container, video):
        unwanted = _unwanted(info, wanted) if video.codec_context.name in SKIPPING else frozenset()
        for position, (frame, failed) in enumerate(_decode(container, video, unwanted)):
            stamp = frame.pts if info.timed and frame.pts is not None else info.timestamps[min(position, last)]
            if failed and shown < last and stamp > info.timestamps[shown + 1]:
                break  # decoded by another thread from the frame that could not be
            # Before the first shown frame (edit list) this loop does nothing; after a lost frame or a jump it runs on.
            while shown < last and stamp >= info.timestamps[shown + 1]:
                shown += 1
                if wanted is None or shown in wanted:
                    yield shown, frame
            if shown == last and (wanted is not None or info.whole):
                return
    if shown < last or (wanted is None and not info.whole):
        raise BrokenVideo(info.path, shown + 1, info.expected_frames, float(info.times[shown]) if shown >= 0 else 0.0)


def glance(info: VideoInfo, indices: Sequence[int], size: tuple[int, int] | None = None) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB of a few ascending frames of a video that may be long: jumps to the key frame before each.

    size: (height, width) to resize to inside the decoder. Raises `InputError` where one of them cannot be read.
    """
    if not (info.timed and info.whole) or info.num_frames < WORTH_JUMPING * len(indices):
        return np.stack([frame for _, frame in stream(info, indices, size)])
    frames = []
    with open_video(info.path) as container:
        video = picture_track(container, info.path)
        video.thread_type = "AUTO"
        for index in indices:
            stamp = int(info.timestamps[index])
            container.seek(stamp, stream=video)
            shown = (frame for frame, _ in _decode(container, video) if frame.pts is not None and frame.pts >= stamp)
            frame = next(shown, None)
            if frame is None:
                raise InputError(info.path, f"frame {index} cannot be read")
            frames.append(_upright(frame, info, size))
    return np.stack(frames)


def start_in_player(info: VideoInfo) -> float:
    """s that a player's clock shows at the first shown frame: it begins with the file, be it with sound only."""
    with open_video(info.path) as container:
        begins = container.start_time
    if not info.timed or begins is None:
        return 0.0
    return max(float(info.timestamps[0]) * info.time_base - begins / 1e6, 0.0)


def whole_packets(container, track) -> Iterator[av.Packet]:
    """The packets of a track and the empty one behind them, without a last one inside which the file ends."""
    held = None
    for packet in container.demux(track):
        if held is not None and packet.size:
            yield held  # the file goes on behind it: it is damaged, or the seam of two files
        held = packet if packet.is_corrupt else None
        if held is None:
            yield packet


def _promised_frames(video) -> int:
    """How many frames the file's index says are shown; 0 where it does not say."""
    return sum(not entry.is_discard for entry in video.index_entries) if video.frames else 0


def _without_gaps(stamps: np.ndarray, decoded_until: int, gap: float) -> np.ndarray:
    """Of a file cut off between B frames: the timestamps before the first that is missing.

    decoded_until: decoding time of the last packet; nothing shown before it can be missing. gap: what counts as one.
    """
    count = int(np.searchsorted(stamps, decoded_until, side="right"))
    while count < len(stamps) and (count == 0 or stamps[count] - stamps[count - 1] <= gap):
        count += 1
    return stamps[:count]


def choose_reader(info: VideoInfo, wish: str = "auto") -> tuple[str, str]:
    """(reader, reason) for reading chosen frames of a file: "decord" where it is there and reads rightly, or "pyav"."""
    _require_reader(wish)
    if wish != "auto":
        return wish, "forced"
    reason = _not_for_decord(info)
    if not reason and info.decord_frames != info.num_frames:
        reason = f"decord counts {info.decord_frames} frames of {info.num_frames}"
    return ("pyav", reason) if reason else ("decord", "trimmed file that decord reads rightly")


def _require_reader(wish: str) -> None:
    if wish not in READERS:
        raise InputError("reader", f"{wish!r}", f"choose one of {', '.join(READERS)}")


def _not_for_decord(info: VideoInfo) -> str:
    """Why decord is not even tried on a file; empty where it may read it rightly."""
    if importlib.util.find_spec("decord") is None:
        return "decord is not installed"
    if info.hidden_packets or info.timestamps[0] < 0:
        return "the file has an edit list, from which decord returns wrong frames"
    if not info.whole:
        return "the file is cut off"
    if not info.timed:
        return "the file has no times of presentation"
    return "" if info.square else "its pixels are not square"


def read_frames(
    path: str | Path | VideoInfo,
    indices: Sequence[int],
    reader: str = "auto",
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB of the chosen frames, in the order given; indices may repeat.

    reader: "auto" (see `choose_reader`), "pyav" or "decord". size: (height, width) to resize to inside the decoder.
    """
    info = path if isinstance(path, VideoInfo) else probe(path)
    indices = np.asarray(indices, dtype=np.int64)
    if len(indices) == 0:
        height, width = size or (info.height, info.width)
        return np.empty((0, height, width, 3), dtype=np.uint8)
    if indices.min() < 0 or indices.max() >= info.num_frames:
        wrong = indices[(indices < 0) | (indices >= info.num_frames)][0]
        raise InputError(info.path, f"frame {wrong} was asked for", f"frames are 0..{info.num_frames - 1}")
    _require_reader(reader)
    if reader == "decord" or (reader == "auto" and not _not_for_decord(info)):
        frames = _read_decord(info, indices, size or (None if info.square else (info.height, info.width)), reader)
        if frames is not None:
            return frames
        if reader == "decord":
            raise InputError(info.path, "decord cannot read this file", "use reader=pyav")
    unique = np.unique(indices)
    frames = np.stack([frame for _, frame in stream(info, unique, size)])
    return frames[np.searchsorted(unique, indices)]


def open_video(path: Path):
    """The file as PyAV's container; `InputError` where it cannot be opened."""
    _require_file(path)
    # Older torchvision has the decoder's threads write to Python's log on import. They wait for the interpreter to do
    # so, and the interpreter waits for them when a broken file is closed: a deadlock. Without a log there is none.
    av.logging.set_level(None)
    try:
        return av.open(str(path))
    except av.error.FFmpegError as error:
        raise InputError(path, f"not a readable video ({error.strerror})", "is the file complete?") from None


def _require_file(path: Path) -> None:
    if not path.exists():
        raise InputError(path, "no such file")
    if path.is_dir():
        raise InputError(path, "is a folder", "name a video file")
    if path.stat().st_size == 0:
        raise InputError(path, "the file is empty (0 bytes)")


def picture_track(container, path: Path):
    """The first video stream that is no cover picture; `InputError` where there is none."""
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise InputError(path, f"has no video track (it holds: {kinds})")
    return streams[0]


@contextlib.contextmanager
def _opened_before(info: VideoInfo, index: int) -> Iterator[tuple]:
    """(container, picture track), to be decoded from frame `index` on, or from the start if no jump gets there."""
    if index > 0 and info.timed and info.whole:  # where files were joined, times stand for two frames
        with open_video(info.path) as container:
            video = picture_track(container, info.path)
            video.thread_type = "AUTO"
            if _lands_before(container, video, info, index):
                container.seek(int(info.timestamps[index]), stream=video)
                yield container, video
                return
    with open_video(info.path) as container:  # anew: what cannot jump there may not find back either
        video = picture_track(container, info.path)
        video.thread_type = "AUTO"
        yield container, video


def _lands_before(container, video, info: VideoInfo, index: int) -> bool:
    """Whether a jump to this frame lands before the end of the run-up: not in every kind of file."""
    with contextlib.suppress(av.error.FFmpegError):
        container.seek(int(info.timestamps[index]), stream=video)
        first = next(_decode(container, video), (None, True))[0]
        return first is not None and first.pts is not None and first.pts <= info.timestamps[index + RUN_UP * 9 // 10]
    return False


def _unwanted(info: VideoInfo, wanted: set[int] | None) -> frozenset[int]:
    """Timestamps of the frames that nobody asked for; none where the file has no timestamps, or is cut off: there it
    matters which frames are missing."""
    if wanted is None or not (info.timed and info.whole):
        return frozenset()
    asked = info.timestamps[list(wanted)]
    return frozenset(info.timestamps.tolist()).difference(asked.tolist())


def _decode(container, video, unwanted: frozenset[int] = frozenset()) -> Iterator[tuple[av.VideoFrame, bool]]:
    """(frame, False) of all; at the first packet that cannot be decoded, (frame, True) of those still held.

    unwanted: timestamps of frames that are left out where no other frame is built on them (most B frames).
    """
    try:
        for packet in whole_packets(container, video):
            if unwanted:
                video.codec_context.skip_frame = "NONREF" if packet.pts in unwanted else "DEFAULT"
            for frame in packet.decode():
                yield frame, False
        else:
            return
    except av.error.FFmpegError:
        pass
    with contextlib.suppress(av.error.FFmpegError):
        for frame in video.codec_context.decode(None):
            yield frame, True


def _first_frame(packet: av.Packet) -> av.VideoFrame | None:
    """The first frame that comes out of a decoder with this packet; None where none does."""
    with contextlib.suppress(av.error.FFmpegError):
        return next(iter(packet.decode()), None)
    return None


def _upright(frame: av.VideoFrame, info: VideoInfo, size: tuple[int, int] | None) -> np.ndarray:
    height, width = size or (info.height, info.width)
    height, width = (height, width) if info.rotation % 180 == 0 else (width, height)
    picture = frame.reformat(width=width, height=height, format="rgb24", interpolation="BILINEAR").to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, info.rotation // 90)) if info.rotation else picture


def _open_decord(path: Path, size: tuple[int, int] | None = None):
    import decord  # on demand: it is an optional wheel, and its readers must be made in the process that uses them

    height, width = size or (-1, -1)
    return decord.VideoReader(str(path), num_threads=1, width=width, height=height)


def _read_decord(info: VideoInfo, indices: np.ndarray, size: tuple[int, int] | None, wish: str) -> np.ndarray | None:
    """The frames, or None if decord fails on the file, or counts other frames and nobody wished for it all the same.

    `info` remembers what decord counted: a file that it reads is opened once, one that it fails on not again.
    """
    known = vars(info)  # where `VideoInfo.decord_frames` keeps its value
    if wish == "auto" and known.get("decord_frames", info.num_frames) != info.num_frames:
        return None
    try:
        reader = _open_decord(info.path, size)
        known["decord_frames"] = len(reader)
        return None if wish == "auto" and len(reader) != info.num_frames else reader.get_batch(indices).asnumpy()
    except Exception:  # decord raises its own error types, by version
        known["decord_frames"] = -1
        return None
