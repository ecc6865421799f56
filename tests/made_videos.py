"""Small H.264 videos for tests: every frame carries its own index as a barcode that survives compression.

The picture is eight upright bars, bit 0 of the index on the left; a bar is bright where its bit is set. A grey veil
that grows from frame to frame makes neighbouring frames differ for a network too.
"""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CLOCKWISE = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # what phones write when held upright
HALF_TURN = struct.pack(">9i", -65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30)
TICKS = 90_000  # of a second: a multiple of the frame durations of all usual rates


def picture(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """(height, width, 3) uint8 that says `index`, 0..255. size: (width, height)."""
    width, height = size
    bits = (index >> (np.arange(width) * 8 // width)) & 1
    row = 40 + 150 * bits + index % 10 * 4
    return np.broadcast_to(row[None, :, None], (height, width, 3)).astype(np.uint8)


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
) -> Path:
    """A file with a key frame every ten frames.

    times: s of each frame, for a variable rate. first: what frame 0 says. between: B frames in a row, which are
    stored after the frame that they precede; 0 stores all frames in the order in which they are shown. aspect: width by
    height of a pixel.
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
            frame = av.VideoFrame.from_ndarray(picture(first + index, size), format="rgb24")
            frame.pts = round((times[index] if times else index / Fraction(fps)) * TICKS)
            frame.time_base = Fraction(1, TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound:
            container.mux(_silence(sound, frames / Fraction(fps)))
    return path


def write_audio(path: Path) -> Path:
    """An mp4 file with half a second of sound and no picture."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        container.mux(_silence(sound, 0.5))
    return path


def turned(path: Path, source: Path, matrix: bytes) -> Path:
    """A copy whose metadata say that players shall turn the picture. matrix: nine big-endian fixed-point numbers."""
    data = bytearray(source.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = matrix
    path.write_bytes(data)
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
        data[start : start + 4] = struct.pack(">i", shown * 1000 // fps)  # movie time runs in ms
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
