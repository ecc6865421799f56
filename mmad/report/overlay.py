"""A video with what was found in it: names of the actions going on, and a strip of all of them with a moving line.

The picture keeps its frames and their times; the strip stands below it, so that it hides no feet.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw, ImageFont

from mmad.files import path_for_id, refuse_same_file
from mmad.labels import LabelSet
from mmad.records import Detections
from mmad.report.pictures import part_colour, top_detections
from mmad.report.playable.mp4 import BT601, encode
from mmad.video.reader import BrokenVideo, VideoInfo, probe, stream

SECONDS_PER_DETECTION = 2.0  # so many are shown; in MMA-52 people do a micro-action every 3 s
BACKGROUND = (32, 32, 32)
LINE = (255, 255, 255)  # the moving line: the time of the frame


def write_overlays(out: str | Path, found: list[Detections], videos: dict[str, Path], labels: LabelSet) -> None:
    """`out`/ID.mp4 for each of the records, as far as its video can be read. videos: by id."""
    for item in found:
        with contextlib.suppress(BrokenVideo):  # detection has already warned of it
            write_overlay(path_for_id(out, item.video_id, ".mp4"), videos[item.video_id], item, labels)


def write_overlay(
    path: str | Path,
    video: str | Path | VideoInfo,
    detections: Detections,
    labels: LabelSet,
    max_detections: int | None = None,
    min_score: float = 0.0,
) -> None:
    """Write an H.264 mp4 file: the frames of `video` at their times, upright, with its sound.

    max_detections: so many of the best are shown; by default one for every two seconds. min_score: what scores less is
    not shown. Of a video that breaks off, what can be read is written, then `BrokenVideo` is raised.
    """
    info = video if isinstance(video, VideoInfo) else probe(video)
    if max_detections is None:
        max_detections = int(np.ceil(info.duration / SECONDS_PER_DETECTION))
    chosen = top_detections(detections, max_detections, min_score)
    refuse_same_file(path, info.path)
    encode(path, info, _drawn(info, chosen, labels))


# --- the picture ----------------------------------------------------------------------------------------------------


def _drawn(info: VideoInfo, chosen: Detections, labels: LabelSet) -> Iterator[tuple[int, av.VideoFrame]]:
    """(frame index, RGB picture) of all frames; H.264 wants an even height and width."""
    width = info.width + info.width % 2
    strip = draw_strip(chosen, info.duration, labels, width, max(info.height // 40, 6))
    strip = np.pad(strip, ((0, (info.height + len(strip)) % 2), (0, 0), (0, 0)), mode="edge")
    font = _font(chosen, labels, info)
    names: dict[tuple, np.ndarray] = {}  # the names that are shown now, drawn only when they change
    for index, frame in stream(info):
        time = info.times[index]
        on = tuple(np.flatnonzero((chosen.segments[:, 0] <= time) & (time < chosen.segments[:, 1])).tolist())
        if on not in names:
            names = {on: draw_names(chosen, on, labels, font, info.height, info.width)}
        canvas = compose(frame, names[on], strip, time / info.duration)
        picture = av.VideoFrame.from_ndarray(canvas, format="rgb24")
        picture.colorspace = BT601
        yield index, picture


def compose(frame: np.ndarray, names: np.ndarray, strip: np.ndarray, elapsed: float) -> np.ndarray:
    """(H, W, 3) uint8: a frame with the names over it and the strip below it; W is the strip's, even.

    names: (h, w, 4) of `draw_names`. elapsed: 0..1, where the moving line stands.
    """
    (height, frame_width), width = frame.shape[:2], strip.shape[1]
    canvas = np.empty((height + len(strip), width, 3), dtype=np.uint8)
    canvas[:height, :frame_width] = frame
    canvas[:height, frame_width:] = frame[:, -1:]
    drawn = names[..., 3] > 0
    canvas[: names.shape[0], : names.shape[1]][drawn] = names[drawn, :3]
    canvas[height:] = strip
    at = round(elapsed * (width - 1))
    canvas[height:, max(at - width // 500, 0) : at + width // 500 + 1] = LINE
    return canvas


def draw_strip(chosen: Detections, duration: float, labels: LabelSet, width: int, lane: int) -> np.ndarray:
    """(H, width, 3) uint8, H even: a lane of `lane` pixels per body part that occurs, from 0 s to the end.

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
        text, colour = _caption(chosen, index, labels), _rgb(labels.part_of[chosen.labels[index]])
        dark = colour @ (0.299, 0.587, 0.114) < 128
        right = min(font.getlength(text) + font.size * 0.7, width - 1)
        box = (0, row * line, right, row * line + line - 2)
        draw.rectangle(box, fill=(*colour.astype(int).tolist(), 255))
        middle = (font.size * 0.35, row * line + line / 2 - 1)
        draw.text(middle, text, fill="white" if dark else "black", font=font, anchor="lm")
    return np.asarray(block)


def _caption(chosen: Detections, index: int, labels: LabelSet) -> str:
    return f"{labels.actions[chosen.labels[index]]} {chosen.scores[index]:.2f}"


def _font(chosen: Detections, labels: LabelSet, info: VideoInfo) -> ImageFont.FreeTypeFont:
    """As large as the picture allows, and so that the longest name fits. The font comes with matplotlib."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(path, 100)
    longest = max((font.getlength(_caption(chosen, i, labels)) / 100 for i in range(len(chosen))), default=1.0)
    size = min(info.height / 20, info.width / (longest + 1))
    return font.font_variant(size=max(round(size), 5))


def _rgb(part: int) -> np.ndarray:
    return 255 * np.array(to_rgb(part_colour(part)))
