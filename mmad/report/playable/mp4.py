"""mp4 files that play everywhere: pictures in H.264, sound as AAC or MP3, both counted from the first shown frame."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import PictureType
from tqdm import tqdm

from mmad.files import atomic_path
from mmad.video.reader import BrokenVideo, VideoInfo, open_video, picture_track, whole_packets

BT601 = 6  # FFmpeg's number of the colour space that RGB is encoded in
OPTIONS = {"movflags": "faststart"}  # the index stands before the data, so that players start at once
# FFmpeg encodes sound with a run-up of up to 2048 samples before the first that is heard.
RUN_UP = 0.1  # s
RATE = 48_000  # samples per second of sound that is encoded


def encode(path: str | Path, info: VideoInfo, frames: Iterator[tuple[int, av.VideoFrame]], comment: str = "") -> None:
    """Write (frame index, picture of even height and width) at the times of `info`, with the sound of its file up to
    the last picture.

    There is a key frame every second, so that players jump quickly. When `frames` raises `BrokenVideo`, what came
    before is written and it is raised again; nothing is written where nothing could be read.
    """
    broken = None
    with atomic_path(path) as temporary:
        try:
            _encode(temporary, info, frames, comment)
        except BrokenVideo as error:
            if not error.read:
                raise
            broken = error  # the frames before the break are a whole file
    if broken:
        raise broken


def _encode(path: Path, info: VideoInfo, frames: Iterator[tuple[int, av.VideoFrame]], comment: str) -> None:
    """When `frames` raises, what came before is a whole file. Times are in the source's unit, and its rate may vary."""
    tick = Fraction(info.time_base).limit_denominator(1_000_000_000)
    options = {"crf": "22", "preset": "veryfast", "g": str(max(round(info.fps), 1))}
    with av.open(str(path), "w", format="mp4", options=OPTIONS) as target:
        target.metadata["comment"] = comment
        video = target.add_stream("libx264", rate=Fraction(info.fps).limit_denominator(1001), options=options)
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = tick
        last = -1
        bar = tqdm(total=info.num_frames, unit="frame", desc=info.path.name, leave=False, disable=None)
        with _sound_for(target, info) as sound, bar:
            try:
                for index, frame in frames:
                    if last < 0:
                        video.height, video.width = frame.height, frame.width
                        video.codec_context.colorspace = frame.colorspace  # players guess another from the size
                    last = max(int(info.timestamps[index] - info.timestamps[0]), last + 1)  # damaged files repeat times
                    frame.pts, frame.time_base = last, tick
                    frame.pict_type = PictureType.NONE  # else each is coded as in its source: all whole, or none
                    target.mux(sound.until(float(last * tick)))
                    target.mux(video.encode(frame))
                    bar.update()
            finally:
                if last >= 0:
                    target.mux(video.encode(None))


def copy_packets(path: str | Path, info: VideoInfo, comment: str) -> None:
    """Write the pictures of an H.264 file as they are stored, with its sound up to the last.

    `ValueError` or `FFmpegError` where that gives no file that plays: it does not begin with a whole picture, or its
    packets have no times of decoding, or these do not ascend.
    """
    with (
        atomic_path(path) as temporary,
        open_video(info.path) as source,
        av.open(str(temporary), "w", format="mp4", options=OPTIONS) as target,
    ):
        target.metadata["comment"] = comment
        track = picture_track(source, info.path)
        copy = target.add_stream_from_template(track)
        with _sound_for(target, info) as sound:
            for packet in _timed(packet for packet in whole_packets(source, track) if packet.size):
                packet.pts, packet.dts = packet.pts - int(info.timestamps[0]), packet.dts - int(info.timestamps[0])
                target.mux(sound.until(float(packet.pts * packet.time_base)))
                packet.stream = copy
                target.mux(packet)


def _timed(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The packets, all with times of decoding: those before the first that has such a time (in Matroska) are a tick
    apart."""
    held = []
    for number, packet in enumerate(packets):
        if number == 0 and not packet.is_keyframe:
            raise ValueError("does not begin with a whole picture")
        held.append(packet)
        if packet.dts is not None:
            for back, earlier in enumerate(reversed(held)):
                earlier.dts = packet.dts - back
            yield from held
            held = []
    if held:
        raise ValueError("has no times of decoding")


# --- the sound ------------------------------------------------------------------------------------------------------


class _Sound:
    """The packets of a sound track, handed out as the picture goes on: neither waits in memory for the other."""

    def __init__(self, packets: Iterator[tuple[float, av.Packet]]):
        self.packets = packets
        self.next = next(packets, None)

    def until(self, seconds: float) -> Iterator[av.Packet]:
        """The packets up to this time after the first shown frame."""
        while self.next and self.next[0] <= seconds:
            yield self.next[1]
            self.next = next(self.packets, None)


@contextlib.contextmanager
def _sound_for(target, info: VideoInfo) -> Iterator[_Sound]:
    """The sound of a video as a track of the mp4 file `target`: the first track that can be copied, else the first
    encoded, else none."""
    start = info.begins
    with open_video(info.path) as container:
        tracks = [track for track in container.streams.audio if _has_sound(track.codec_context)]
        plays = [track for track in tracks if _plays_in_mp4(track)]
        if plays:
            yield _Sound(_as_stored(container, plays[0], start, target.add_stream_from_template(plays[0])))
        elif tracks:
            layout = "mono" if tracks[0].codec_context.channels == 1 else "stereo"
            yield _Sound(_encoded(container, tracks[0], start, target.add_stream("aac", rate=RATE, layout=layout)))
        else:
            yield _Sound(iter(()))


def _has_sound(codec) -> bool:
    """False for tracks that a file announces but does not hold."""
    return codec is not None and codec.sample_rate > 0 and codec.channels > 0


def _plays_in_mp4(track) -> bool:
    name = track.codec_context.codec.canonical_name
    return name == "aac" or (name == "mp3" and track.codec_context.sample_rate >= 16_000)  # the standard's lowest


def _as_stored(container, track, start: float, copy) -> Iterator[tuple[float, av.Packet]]:
    """(s, packet) of a track, counted from `start` on, in s; what is over before is left out."""
    offset, last = round(start / track.time_base), None
    with contextlib.suppress(av.error.FFmpegError):  # a file that is cut off
        for packet in container.demux(track):
            if packet.pts is None or packet.dts is None or (last is not None and packet.dts <= last):
                continue
            last = packet.dts
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            time = float(packet.pts * track.time_base)
            if time > -RUN_UP:
                packet.stream = copy
                yield time, packet


def _encoded(container, track, start: float, encoder) -> Iterator[tuple[float, av.Packet]]:
    """(s, packet) of a track in AAC: cut or filled with silence so that it begins at `start`, in s, and has no gaps."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_abuffer(template=track),
        graph.add("aresample", f"{RATE}:async=1:first_pts=0"),
        graph.add("aformat", f"sample_fmts=fltp:channel_layouts={encoder.codec_context.layout.name}"),
        graph.add("abuffersink"),
    ).configure()
    offset = round(start / track.time_base)
    for frame in _decoded(container, track):
        if frame is not None and frame.pts is not None:
            frame.pts -= offset
        with contextlib.suppress(ValueError):  # sound of another kind than at the beginning is left out
            graph.push(frame)
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):  # it wants more, or that was all
            while True:
                for packet in encoder.encode(graph.pull()):
                    yield float(packet.pts * packet.time_base), packet
    for packet in encoder.encode(None):
        yield float(packet.pts * packet.time_base), packet


def _decoded(container, track) -> Iterator[av.AudioFrame | None]:
    """The frames of a track and, at the end, None; packets that cannot be decoded are left out."""
    with contextlib.suppress(av.error.FFmpegError):  # a file that is cut off
        for packet in container.demux(track):
            with contextlib.suppress(av.error.InvalidDataError):
                yield from packet.decode()
    yield None
