"""Small videos for tests: every frame carries its own index as a barcode that survives compression.

The picture is eight upright bars, bit 0 of the index on the left; a bar is bright where its bit is set. A grey veil
that grows from frame to frame makes neighbouring frames differ for a network too.
"""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CLOCKWISE = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # what phones write when held upright
HALF_TURN = struct.pack(">9i", -65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30)
TICKS = 90_000  # of a second: a multiple of the frame durations of all usual rates
ORIENTATIONS = {  # what makes a picture upright -> the numbers of its display matrix: x to x, x to y, y to x, y to y
    "as it is": (1, 0, 0, 1),
    "turned clockwise": (0, 1, -1, 0),
    "turned by half": (-1, 0, 0, -1),
    "turned counter-clockwise": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (1, 0, 0, -1),
    "mirrored, then turned counter-clockwise": (0, 1, 1, 0),
    "mirrored, then turned clockwise": (0, -1, -1, 0),
}
# B frames before a key frame lean on frames before these.
OPEN_GOP = "keyint=10:scenecut=0:b-adapt=0:bframes=3:open-gop=1"
KINDS = {  # what people's files are -> suffix, encoder, its options
    "H.264 of a camcorder, .mts": ("mts", "libx264", {"g": "10"}),
    "H.264 of a camcorder, .m2ts": ("m2ts", "libx264", {"g": "10"}),
    "H.264 of a broadcast": ("ts", "libx264", {"x264-params": OPEN_GOP}),
    "H.264 with open groups": ("mp4", "libx264", {"x264-params": OPEN_GOP}),
    "H.264 with open groups, .mkv": ("mkv", "libx264", {"x264-params": OPEN_GOP}),
    "H.264 with open groups, .flv": ("flv", "libx264", {"x264-params": OPEN_GOP}),
    "H.264 without key frames": ("mp4", "libx264", {"x264-params": "intra-refresh=1:keyint=30"}),
    "Flash video": ("flv", "flv", {"g": "12"}),
    "MPEG-4 with B frames": ("mp4", "mpeg4", {"bf": "2", "g": "12"}),
    "MPEG-4 with B frames, .avi": ("avi", "mpeg4", {"bf": "2", "g": "12"}),
    "MPEG-4 with B frames, .mkv": ("mkv", "mpeg4", {"bf": "2", "g": "12"}),
    "MPEG-4 with B frames, .ts": ("ts", "mpeg4", {"bf": "2", "g": "12"}),
    "MPEG-2 of a DVD": ("mpg", "mpeg2video", {"bf": "2", "g": "12"}),
    "MPEG-2 of a broadcast": ("ts", "mpeg2video", {"bf": "2", "g": "12"}),
    "MPEG-2 of a studio": ("mxf", "mpeg2video", {"bf": "2", "g": "12"}),
    "MPEG-1": ("mpg", "mpeg1video", {"bf": "2", "g": "12"}),
    "Windows Media": ("wmv", "wmv2", {"g": "12"}),
    "Motion JPEG": ("avi", "mjpeg", {}),
    "VP9": ("webm", "libvpx-vp9", {"g": "12", "lag-in-frames": "16", "cpu-used": "8"}),
    "HEVC": ("mp4", "libx265", {"x265-params": "keyint=10:bframes=3:open-gop=1:log-level=none"}),
    "HEVC of a broadcast": ("ts", "libx265", {"x265-params": "keyint=10:bframes=3:open-gop=1:log-level=none"}),
}


def picture(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """(height, width, 3) uint8 that says `index`, 0..255. size: (width, height)."""
    width, height = size
    bits = (index >> (np.arange(width) * 8 // width)) & 1
    row = 40 + 150 * bits + index % 10 * 4
    return np.broadcast_to(row[None, :, None], (height, width, 3)).astype(np.uint8)


def write_kind(path: Path, kind: str, frames: int) -> Path:
    """A file of one of `KINDS`, 25 frames a second, `path` with its suffix."""
    suffix, codec, options = KINDS[kind]
    path = path.with_suffix(f".{suffix}")
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.bit_rate = 64, 48, 2_000_000
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24").reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def index_of(frame: np.ndarray) -> int:
    """The index that an (H, W, 3) upright picture says."""
    width = frame.shape[1]
    bars = [frame[:, (2 * bit + 1) * width // 16].mean() > 125 for bit in range(8)]
    return sum(int(bright) << bit for bit, bright in enumerate(bars))


def write_video(
    path: Path,
    frames: int = 20,
    fps: Fraction | int = 25,
    size: tuple[int, int] = (64, 48),
    times: list[float] | None = None,
    audio: bool = False,
    first: int = 0,
    between: int = 2,
    aspect: Fraction | None = None,
    stripe: bool = False,
) -> Path:
    """A file with a key frame every ten frames.

    times: s of each frame, for a variable rate. first: what frame 0 says. between: B frames in a row, which are
    stored after the frame that they precede; 0 stores all frames in the order in which they are shown. aspect: width by
    height of a pixel. stripe: whether the lower quarter of the picture is dark, so that top and bottom differ.
    """
    options = {"crf": "10", "x264-params": f"keyint=10:scenecut=0:b-adapt=0:bframes={between}"}
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(fps), options=options)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        video.codec_context.time_base = Fraction(1, TICKS)
        sound = container.add_stream("aac", rate=16_000, layout="mono") if audio else None
        for index in range(frames):
            shown = picture(first + index, size).copy()
            shown[-(size[1] // 4) if stripe else size[1] :] //= 3
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.pts = round((times[index] if times else index / Fraction(fps)) * TICKS)
            frame.time_base = Fraction(1, TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound:
            container.mux(_silence(sound, frames / Fraction(fps)))
    return path


def write_audio(path: Path, cover: bool = False) -> Path:
    """An mp4 file with half a second of sound and no picture, or only one on its cover."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        if cover:
            picture_of_it = container.add_stream("mjpeg", rate=1)
            picture_of_it.width, picture_of_it.height, picture_of_it.pix_fmt = 64, 48, "yuvj420p"
            picture_of_it.disposition = av.stream.Disposition.attached_pic.value
            frame = av.VideoFrame.from_ndarray(picture(5), format="rgb24").reformat(format="yuvj420p")
            frame.pts = 0
            packets = [*picture_of_it.encode(frame), *picture_of_it.encode(None)]
            container.mux(packets)
        container.mux(_silence(sound, 0.5))
    return path


def turned(path: Path, source: Path, matrix: bytes) -> Path:
    """A copy whose metadata say that players shall turn the picture. matrix: nine big-endian fixed-point numbers."""
    data = bytearray(source.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = matrix
    path.write_bytes(data)
    return path


def matrix_of(orientation: str) -> bytes:
    """The display matrix of one of `ORIENTATIONS`."""
    across_x, down_x, across_y, down_y = (65536 * number for number in ORIENTATIONS[orientation])
    return struct.pack(">9i", across_x, down_x, 0, across_y, down_y, 0, 0, 0, 1 << 30)


def restamped(path: Path, source: Path, shift: Callable[[int], float]) -> Path:
    """A copy with other times. shift: number of a packet -> s that are added to its time."""
    with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
        track = reading.streams.video[0]
        copy = writing.add_stream_from_template(track)
        for number, packet in enumerate(reading.demux(track)):
            if packet.size:
                later = round(shift(number) / packet.time_base)
                packet.pts, packet.dts = packet.pts + later, None if packet.dts is None else packet.dts + later
                packet.stream = copy
                writing.mux(packet)
    return path


def trimmed(path: Path, source: Path, hidden: int, shown: int | None = None, fps: int = 25) -> Path:
    """A copy by stream copy without the first `hidden` frames: they are still stored, an edit list hides them.

    shown: frames after which the edit list ends, though more are stored. Default: all the rest.
    """
    with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
        track = reading.streams.video[0]
        offset = round(Fraction(hidden, fps) / track.time_base)
        copy = writing.add_stream_from_template(track)
        for packet in reading.demux(track):
            if packet.dts is None:
                continue
            packet.pts -= offset
            packet.dts -= offset
            packet.stream = copy
            writing.mux(packet)
    if shown is not None:
        data = bytearray(path.read_bytes())
        start = data.index(b"elst") + 4 + 8  # behind version, flags and the number of entries
        (per_second,) = struct.unpack_from(">I", data, data.index(b"mvhd") + 4 + 12)  # units of movie time
        data[start : start + 4] = struct.pack(">i", shown * per_second // fps)
        path.write_bytes(data)
    return path


def cut_off(path: Path, source: Path, packets: int, of_next: float = 0.5) -> Path:
    """A copy that ends inside packet number `packets`, of which the part `of_next` is there, as after a lost link."""
    with av.open(str(source)) as reading, av.open(str(path), "w", options={"movflags": "faststart"}) as writing:
        track = reading.streams.video[0]
        copy = writing.add_stream_from_template(track)
        for packet in reading.demux(track):
            if packet.dts is not None:
                packet.stream = copy
                writing.mux(packet)
    with av.open(str(path)) as container:
        stored = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    start, length = sorted(stored)[packets]
    path.write_bytes(path.read_bytes()[: start + round(of_next * length)])
    return path


def _silence(sound, seconds: Fraction | float) -> list[av.Packet]:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, round(seconds * 16_000)), np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 16_000, 0
    return [*sound.encode(frame), *sound.encode(None)]
