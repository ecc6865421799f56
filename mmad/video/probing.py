"""What a video file holds (`probe`): size, orientation, the times of its frames, its key frames, and what is odd."""

import contextlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import Type

from mmad.errors import InputError
from mmad.video.opening import open_video, picture_track, whole_packets
from mmad.video.orientation import Orientation, orientation_of
from mmad.video.timestamps import Gap, evened, find_gaps, is_jump, without_strays

SEAM = 1.0  # s by which times jump back where two files were joined
NEARLY_SQUARE = 0.02  # by which a pixel's width may differ from its height: some files are made so by rounding
COUNTED = ("avi", "mpeg")  # containers that do not store the time of every frame: times that they give are made up
JUMPS_EXACTLY = (  # containers in which a jump gives the time stamps that reading from the start gives
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "mpegts",
    "flv",
    "asf",
    "mxf",
)


@dataclass(frozen=True)
class VideoInfo:
    """What `probe` found. width, height: of the upright picture with square pixels. orientation: what makes a stored
    picture upright. square: whether the pixels are stored so; those of some camcorders are not.

    timestamps: (num_frames,) presentation times of the shown frames in units of `time_base` seconds, ascending.
    expected_frames: what the file's own index promises, more than num_frames where the file is cut off.
    hidden_packets: frames stored but not shown (edit list). damaged: packets inside the file that are marked so, as
    those are where a recording was stored in parts. strays: frames whose stamps lie far from all others; they stand
    beside their neighbours. has_timestamps: whether frames carry these timestamps; where they do not, they are counted:
    frame i is the i-th that is decoded. undecodable_at_start: of counted frames, how many at the start no decoder
    gives, as they depend on what was cut off. keys: (K, 3) presentation time, decoding time and place in the file of
    each key frame that a reader can jump to, in the order of presentation.
    """

    path: Path
    width: int
    height: int
    orientation: Orientation
    square: bool
    timestamps: np.ndarray
    time_base: float
    frame_duration: float
    expected_frames: int
    hidden_packets: int
    has_timestamps: bool
    damaged: int = 0
    strays: int = 0
    undecodable_at_start: int = 0
    keys: np.ndarray = field(default_factory=lambda: np.empty((0, 3), dtype=np.int64))

    @property
    def num_frames(self) -> int:
        return len(self.timestamps)

    @property
    def is_complete(self) -> bool:
        """Whether all frames that the file promises are there."""
        return self.expected_frames == self.num_frames

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise by which a stored picture is turned (mirrored before: `orientation.mirrored`)."""
        return self.orientation.rotation

    @cached_property
    def times(self) -> np.ndarray:
        """(num_frames,) seconds since the first shown frame."""
        return (self.timestamps - self.timestamps[0]) * self.time_base

    @property
    def begins(self) -> float:
        """Seconds at which the first frame is shown, as the file counts them; sound may begin before."""
        return float(self.timestamps[0]) * self.time_base

    @property
    def duration(self) -> float:
        """Seconds from the first shown frame to the end of the last."""
        return float(self.times[-1]) + self.frame_duration

    @cached_property
    def gaps(self) -> list[Gap]:
        """The times without frames: pauses of the recording, and jumps of its time stamps."""
        return find_gaps(self.times, self.frame_duration)

    @property
    def running(self) -> float:
        """Seconds of the video without its gaps."""
        return self.duration - sum(gap.length for gap in self.gaps)

    @property
    def fps(self) -> float:
        """Mean frames a second while the video runs: gaps do not count."""
        return self.num_frames / self.running

    @cached_property
    def constant_rate(self) -> bool:
        """Whether frame i is shown at i / fps, to half a frame."""
        even = np.arange(self.num_frames) / self.fps
        return bool(np.abs(self.times - even).max() < 0.5 / self.fps)

    @property
    def remarks(self) -> list[str]:
        """What a person should know of a video that is read all the same, a line each."""
        lines = []
        if self.damaged:
            lines.append(f"{self.damaged} packets are damaged, or the seams of a recording in parts")
        if self.strays:
            lines.append(f"{self.strays} frames have wrong time stamps, and are taken to follow their neighbours")
        if self.gaps:
            longest, others = max(self.gaps, key=lambda gap: gap.length), len(self.gaps) - 1
            more = f", and {others} more times without frames" if others else ""
            what = "its time stamps jump" if is_jump(longest.length, self.running) else "a pause?"
            lines.append(f"no frames from {longest.start:.2f} to {longest.end:.2f} s ({what}){more}")
        return lines

    def key_before(self, index: int) -> int:
        """Which of `keys` is the last that is shown no later than a frame; -1 where none is that a reader can jump to.

        Where files were joined there is none: times stand for two frames.
        """
        if not (self.has_timestamps and self.is_complete):
            return -1
        return int(np.searchsorted(self.keys[:, 0], self.timestamps[index], side="right")) - 1

    def nearest_frames(self, seconds: np.ndarray) -> np.ndarray:
        """Indices of the frames whose times are nearest to `seconds`, clamped to the video."""
        seconds = np.asarray(seconds, dtype=np.float64)
        after = np.clip(np.searchsorted(self.times, seconds), 1, max(self.num_frames - 1, 1))
        before = after - 1
        last = self.num_frames - 1
        nearer = np.abs(self.times[np.minimum(after, last)] - seconds) < np.abs(seconds - self.times[before])
        return np.minimum(np.where(nearer, after, before), last)


class BrokenVideo(InputError):
    """The decoder stopped before the end. read: frames that were read; expected: frames the file's index promises."""

    def __init__(self, path: Path, read: int, expected: int, seconds: float):
        self.path, self.read, self.expected, self.seconds = path, read, expected, seconds
        problem = f"broken or cut off: {read} of {expected} frames could be read, up to {seconds:.2f} s"
        super().__init__(
            path, problem, "copy the file again, or give files that were joined one by one; what was read is kept"
        )

    def __reduce__(self):
        return BrokenVideo, (self.path, self.read, self.expected, self.seconds)


@dataclass
class _Packets:
    """What the packets of a picture track say, in the order in which they are stored.

    stamps: presentation time of each shown frame, None where a packet has none. keys: (presentation time, decoding
    time, place in the file) of key frames. hidden, damaged: as in `VideoInfo`. lost: packets behind the seam of two
    files. decoded_until, decoded_before: decoding times of the last packet that counts, and of the one before it.
    first: the first frame that could be decoded.
    """

    stamps: list[int | None] = field(default_factory=list)
    keys: list[tuple[int, int, int]] = field(default_factory=list)
    hidden: int = 0
    damaged: int = 0
    lost: int = 0
    decoded_until: int | None = None
    decoded_before: int | None = None
    first: av.VideoFrame | None = None

    def add(self, packet: av.Packet, seam: float, by_decoding: bool) -> None:
        """seam: how far times jump back where files were joined. by_decoding: whether to take times of decoding."""
        self.first = self.first or _first_frame(packet)
        if not packet.size:
            return
        back = None not in (packet.dts, self.decoded_until) and packet.dts < self.decoded_until - seam
        stray = back and (self.decoded_before is None or packet.dts > self.decoded_before)
        if self.lost or (back and not stray):  # one packet far ahead of all others is not a seam
            self.lost += 1
            return
        self.damaged += packet.is_corrupt
        self.decoded_before = self.decoded_before if stray else self.decoded_until
        self.decoded_until = packet.dts
        if packet.is_keyframe and None not in (packet.pts, packet.dts, packet.pos):
            self.keys.append((packet.pts, packet.dts, packet.pos))
        if packet.is_discard:
            self.hidden += 1
        else:
            self.stamps.append(packet.dts if by_decoding else packet.pts)


def probe(path: str | Path) -> VideoInfo:
    """Size, rate, orientation and the times of all shown frames; reads the packets, decodes one frame."""
    path = Path(path)
    with open_video(path) as container:
        video = picture_track(container, path)
        time_base, rate = float(video.time_base), video.average_rate or video.guessed_rate
        kind, found = container.format.name, _Packets()
        with contextlib.suppress(av.error.FFmpegError):  # cut off: `stream` will say how many frames there are
            for packet in whole_packets(container, video):
                found.add(packet, SEAM / time_base, by_decoding=kind == "avi")
        aspect = float(video.sample_aspect_ratio or 1)
        promised = _promised_frames(video)
    frame = found.first
    if frame is None:
        raise InputError(path, "no frame could be decoded", "is the file complete?")
    frame_duration, has_timestamps, strays = 1 / float(rate) if rate else 0.04, kind not in COUNTED, 0
    if _are_meaningless(found.stamps):
        has_timestamps, time_base, found.stamps = False, frame_duration, list(range(len(found.stamps)))
    stamps = np.sort(np.asarray(found.stamps, dtype=np.int64))
    if len(stamps) > 1:
        frame_duration = float(np.median(np.diff(stamps))) * time_base or frame_duration
        stamps, strays = without_strays(np.asarray(found.stamps), frame_duration / time_base, 1 / time_base)
    if not has_timestamps:
        stamps = evened(stamps)
    if promised > len(stamps) and found.decoded_until is not None:
        stamps = _without_gaps(stamps, found.decoded_until, 1.5 * frame_duration / time_base)
    orientation, square = _orientation(frame), abs(aspect - 1) < NEARLY_SQUARE
    size = (frame.width if square else round(frame.width * aspect), frame.height)
    if kind == "avi":
        stamps = stamps - stamps[0]  # what is shown first has no time in the file
    undecodable = int(np.searchsorted(stamps, frame.pts)) if kind == "mpeg" and frame.pts is not None else 0
    return VideoInfo(
        path,
        *orientation.turned_size(*size),
        orientation,
        square,
        stamps,
        time_base,
        frame_duration,
        max(len(stamps) + found.lost, promised),
        found.hidden,
        has_timestamps and not strays,
        found.damaged,
        strays,
        undecodable,
        np.array(sorted(found.keys) if kind in JUMPS_EXACTLY else [], dtype=np.int64).reshape(-1, 3),
    )


def refuse_jumps(info: VideoInfo) -> VideoInfo:
    """The same, for what is cut into even steps; `InputError` where its time stamps jump, and steps would be made of
    nothing."""
    for gap in info.gaps:
        if is_jump(gap.length, info.running):
            raise InputError(
                info.path,
                f"its time stamps jump by {gap.length:.1f} s behind frame {gap.after} ({gap.start:.2f} s)",
                "cut the file there, or give its frames new times: "
                f"ffmpeg -i FILE -vf setpts=N/{info.fps:.6g}/TB -an NEW.mp4",
            )
    return info


def start_in_player(info: VideoInfo) -> float:
    """s that a player's clock shows at the first shown frame: it begins with the file, be it with sound only."""
    with open_video(info.path) as container:
        begins = container.start_time
    return 0.0 if begins is None else max(info.begins - begins / 1e6, 0.0)


class VideoInfos:
    """`probe` that remembers what it found, of the files asked for last; it holds no file open.

    room: frames of all remembered videos together, each of which takes 16 bytes (40 if it is a key frame): 64 MB.
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


def _first_frame(packet: av.Packet) -> av.VideoFrame | None:
    """The first frame that comes out of a decoder with this packet; None where none does."""
    with contextlib.suppress(av.error.FFmpegError):
        return next(iter(packet.decode()), None)
    return None


def _orientation(frame: av.VideoFrame) -> Orientation:
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # PyAV 19 iterates over keys, earlier ones over values
    return Orientation() if matrix is None else orientation_of(np.frombuffer(bytes(matrix), dtype=np.int32))


def _promised_frames(video) -> int:
    """How many frames the file's index says are shown; 0 where it does not say."""
    return sum(not entry.is_discard for entry in video.index_entries) if video.frames else 0


def _are_meaningless(stamps: list[int | None]) -> bool:
    """Whether time stamps are missing, as in raw streams, or most of them are the same."""
    return None in stamps or len(set(stamps)) < len(stamps) / 2


def _without_gaps(stamps: np.ndarray, decoded_until: int, gap: float) -> np.ndarray:
    """Of a file cut off between B frames: the timestamps before the first that is missing.

    decoded_until: decoding time of the last packet; nothing shown before it can be missing. gap: what counts as one.
    """
    count = int(np.searchsorted(stamps, decoded_until, side="right"))
    while count < len(stamps) and (count == 0 or stamps[count] - stamps[count - 1] <= gap):
        count += 1
    return stamps[:count]
