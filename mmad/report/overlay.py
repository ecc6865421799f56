"""A video with what was found in it: names of the actions going on, and a strip of all of them with a moving line.

The picture keeps its frames and their times; the strip stands below it, so that it hides no feet.
"""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from mmad.data.video import BrokenVideo, VideoInfo, probe, stream
from mmad.files import atomic_path, path_for_id, refuse_same_file
from mmad.labels import LabelSet
from mmad.records import Detections
from mmad.report.pictures import best, part_colour

SECONDS_A_DETECTION = 2.0  # as many are shown; people do a micro-action every 3 s in MMA-52
BACKGROUND = (32, 32, 32)
LINE = (255, 255, 255)  # where the video is
BT601 = 6  # FFmpeg's number of the colour space that RGB is encoded in; players guess another from the size
# FFmpeg encodes sound with a run-up of up to 2048 samples before the first that is heard.
RUN_UP = 0.1  # s


def write_overlays(out: str | Path, found: list[Detections], videos: dict[str, Path], labels: LabelSet) -> None:
    """`out`/ID.mp4 of each video in which something was looked for, as far as it can be read. videos: by id."""
    for item in found:
        with contextlib.suppress(BrokenVideo):  # whoever looked for something in it has said so
            write_overlay(path_for_id(out, item.video_id, ".mp4"), videos[item.video_id], item, labels)


def write_overlay(
    path: str | Path,
    video: str | Path | VideoInfo,
    detections: Detections,
    labels: LabelSet,
    most: int | None = None,
    min_score: float = 0.0,
) -> None:
    """Write an H.264 mp4 file: the frames of `video` at their times, upright, with its AAC sound if it has any.

    most: best detections that are shown; by default one for every two seconds. min_score: what scores less is not
    shown. Of a video that breaks off, what can be read is written, then `BrokenVideo` raised.
    """
    info = video if isinstance(video, VideoInfo) else probe(video)
    chosen = best(detections, int(np.ceil(info.duration / SECONDS_A_DETECTION)) if most is None else most, min_score)
    refuse_same_file(path, info.path)
    broken = None
    with atomic_path(path) as temporary:
        try:
            _encode(temporary, info, _drawn(info, chosen, labels))
        except BrokenVideo as error:
            if not error.read:
                raise
            broken = error  # the frames before the break are a whole file
    if broken:
        raise broken


# --- the picture ----------------------------------------------------------------------------------------------------


def _drawn(info: VideoInfo, chosen: Detections, labels: LabelSet) -> Iterator[tuple[int, np.ndarray]]:
    """(frame index, (H', W', 3) uint8) of all frames; H.264 wants an even height and width."""
    width = info.width + info.width % 2
    strip = draw_strip(chosen, info.duration, labels, width, max(info.height // 40, 6))
    strip = np.pad(strip, ((0, (info.height + len(strip)) % 2), (0, 0), (0, 0)), mode="edge")
    font = _font(chosen, labels, info)
    names: dict[tuple, np.ndarray] = {}  # the names of the moment, drawn once for as long as they stand
    for index, frame in stream(info):
        time = info.times[index]
        on = tuple(np.flatnonzero((chosen.segments[:, 0] <= time) & (time < chosen.segments[:, 1])).tolist())
        if on not in names:
            names = {on: draw_names(chosen, on, labels, font, info.height, info.width)}
        canvas = np.empty((info.height + len(strip), width, 3), dtype=np.uint8)
        canvas[: info.height, : info.width] = frame
        canvas[: info.height, info.width :] = frame[:, -1:]
        block = names[on]
        canvas[: block.shape[0], : block.shape[1]][block[..., 3] > 0] = block[..., :3][block[..., 3] > 0]
        canvas[info.height :] = strip
        at = round(time / info.duration * (width - 1))
        canvas[info.height :, max(at - width // 500, 0) : at + width // 500 + 1] = LINE
        yield index, canvas


def draw_strip(chosen: Detections, duration: float, labels: LabelSet, width: int, lane: int) -> np.ndarray:
    """(H, width, 3) uint8, H even: a lane of `lane` pixels for each body part that does something, from 0 s to the end.

    The best detections lie on top and are the most opaque.
    """
    parts = sorted({labels.part_of[label] for label in chosen.labels})
    strip = np.empty((2 * ((len(parts) * lane + lane + 1) // 2), width, 3))
    strip[:] = BACKGROUND
    highest = chosen.scores.max(initial=0) or 1.0
    for (start, end), label, score in list(zip(chosen.segments, chosen.labels, chosen.scores))[::-1]:
        top = lane // 2 + lane * parts.index(labels.part_of[label])
        left, right = round(start / duration * width), round(end / duration * width)
        bar = strip[top : top + lane - 1, left : max(right, left + 1)]
        opaque = 0.25 + 0.75 * score / highest
        bar[:] = opaque * _rgb(labels.part_of[label]) + (1 - opaque) * bar
    return strip.round().astype(np.uint8)


def draw_names(
    chosen: Detections, on: tuple[int, ...], labels: LabelSet, font: ImageFont.FreeTypeFont, height: int, width: int
) -> np.ndarray:
    """(h, w, 4) uint8 for the upper left corner: name and score on the colour of the body part, the best one on top.

    on: which detections. As many as fit into the upper half of a picture of `height` and `width`.
    """
    line = round(font.size * 1.4)
    block = Image.new("RGBA", (width, min(len(on) * line, max(height // 2, line), height)))
    draw = ImageDraw.Draw(block)
    for row, index in enumerate(on[: max(block.height // line, 1)]):
        text, colour = _said(chosen, index, labels), _rgb(labels.part_of[chosen.labels[index]])
        dark = colour @ (0.299, 0.587, 0.114) < 128
        right = min(font.getlength(text) + font.size * 0.7, width - 1)
        box = (0, row * line, right, row * line + line - 2)
        draw.rectangle(box, fill=(*colour.astype(int).tolist(), 255))
        middle = (font.size * 0.35, row * line + line / 2 - 1)
        draw.text(middle, text, fill="white" if dark else "black", font=font, anchor="lm")
    return np.asarray(block)


def _said(chosen: Detections, index: int, labels: LabelSet) -> str:
    return f"{labels.actions[chosen.labels[index]]} {chosen.scores[index]:.2f}"


def _font(chosen: Detections, labels: LabelSet, info: VideoInfo) -> ImageFont.FreeTypeFont:
    """As large as the picture allows, and so that the longest name fits. Matplotlib brings the font."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(path, 100)
    longest = max((font.getlength(_said(chosen, i, labels)) / 100 for i in range(len(chosen))), default=1.0)
    size = min(info.height / 20, info.width / (longest + 1))
    return font.font_variant(size=max(round(size), 5))


def _rgb(part: int) -> np.ndarray:
    return 255 * np.array(to_rgb(part_colour(part)))


# --- the file -------------------------------------------------------------------------------------------------------


def _encode(path: Path, info: VideoInfo, frames: Iterator[tuple[int, np.ndarray]]) -> None:
    """Write an mp4 file. When `frames` raises, what came before is a whole file.

    Times count from the first shown frame, in the unit of the source, whose rate may vary.
    """
    tick = Fraction(info.time_base).limit_denominator(1_000_000_000)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container, _sound(info) as sound:
        rate = Fraction(info.fps).limit_denominator(1001)
        video = container.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "veryfast"})
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = tick
        video.codec_context.colorspace = BT601
        copy = container.add_stream_from_template(sound.track) if sound else None
        last = -1
        with tqdm(total=info.num_frames, unit="frame", desc=info.path.name, leave=False, disable=None) as bar:
            try:
                for index, picture in frames:
                    if last < 0:
                        video.height, video.width = picture.shape[:2]
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    last = max(int(info.timestamps[index] - info.timestamps[0]), last + 1)  # damaged files repeat times
                    frame.pts, frame.time_base = last, tick
                    if sound:
                        container.mux(sound.until(float(last * tick), copy))
                    container.mux(video.encode(frame))
                    bar.update()
            finally:
                if last >= 0:
                    container.mux(video.encode(None))


class _Sound:
    """The packets of a sound track, handed out as the picture goes on: neither waits in memory for the other."""

    def __init__(self, container, track, start: float):
        self.track = track
        self.packets = _timed(container, track, start)
        self.next = next(self.packets, None)

    def until(self, seconds: float, copy) -> Iterator[av.Packet]:
        """The packets up to this time after the first shown frame, for the stream `copy`."""
        while self.next and self.next[0] <= seconds:
            packet = self.next[1]
            packet.stream = copy
            yield packet
            self.next = next(self.packets, None)


def _timed(container, track, start: float) -> Iterator[tuple[float, av.Packet]]:
    """(s, packet) of a track, counted from `start` on, in s; what is over before is left out."""
    offset = round(start / track.time_base)
    with contextlib.suppress(av.error.FFmpegError):  # a file that is cut off
        for packet in container.demux(track):
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            time = float(packet.pts * track.time_base)
            if time > -RUN_UP:
                yield time, packet


@contextlib.contextmanager
def _sound(info: VideoInfo) -> Iterator[_Sound | None]:
    """The first AAC track of the file, None where it has none: others do not play everywhere inside an mp4 file."""
    start = float(info.timestamps[0]) * info.time_base if info.timed else 0.0
    with av.open(str(info.path)) as container:
        tracks = [track for track in container.streams.audio if track.codec_context.name == "aac"]
        yield _Sound(container, tracks[0], start) if tracks else None
