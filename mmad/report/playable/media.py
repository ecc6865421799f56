"""The videos of a page, so that browsers play them: linked where they do already, else copied or converted into mp4."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from mmad.errors import InputError, warn
from mmad.files import atomic_path, path_for_id
from mmad.report.playable.mp4 import BT601, copy_packets, encode
from mmad.video.orientation import Orientation
from mmad.video.reader import BrokenVideo, VideoInfo, open_video, picture_track, start_in_player, stored_frames

# What browsers play, in FFmpeg's words: container -> its suffixes, pictures, sounds. (AV1: Safari on new devices only.)
PLAYED = {
    "mov,mp4,m4a,3gp,3g2,mj2": ((".mp4", ".m4v", ".mov"), ("h264", "av1"), ("aac", "mp3")),
    "matroska,webm": ((".webm",), ("vp8", "vp9", "av1"), ("opus", "vorbis")),
}
PLAIN = ("yuv420p", "yuvj420p")  # 8 bit, 4:2:0: the only H.264 that all browsers play
LINKS, COPIES = "media", "copies"  # folders beside the pages: a copy and a video may have the same name
SHORTER_SIDE = 720  # pixels of a converted picture, at most
TURNED = {  # (mirrored first, then degrees counter-clockwise) -> FFmpeg's filters
    (False, 0): (),
    (False, 90): (("transpose", "cclock"),),
    (False, 180): (("hflip",), ("vflip",)),
    (False, 270): (("transpose", "clock"),),
    (True, 0): (("hflip",),),
    (True, 90): (("transpose", "cclock_flip"),),
    (True, 180): (("vflip",),),
    (True, 270): (("transpose", "clock_flip"),),
}


@dataclass(frozen=True)
class Kind:
    """What a file says it holds, in FFmpeg's words."""

    container: str
    picture: str
    pixels: str
    sounds: tuple[str, ...]


def bring_media(
    video: Path, info: VideoInfo | None, folder: Path, video_id: str, as_is: bool = False
) -> tuple[str, float]:
    """Bring the video into the folder of the pages. Returns its path from there, and the s that a player shows at the
    first frame.

    What browsers cannot play is copied or converted, once; where that fails, and with `as_is`, it comes unchanged.
    info: None where the file cannot be read.
    """
    linked = path_for_id(folder / LINKS, video_id, video.suffix.lower())
    copy = path_for_id(folder / COPIES, video_id, ".mp4")
    if info is not None and not as_is:
        kind = kind_of(info.path)
        problem = unplayed(kind, info.path.suffix.lower()) or unturned(kind, info)
        if problem and (_is_copy(copy, video) or _convert(copy, info, kind, problem)):
            _remove(linked, video)
            return copy.relative_to(folder).as_posix(), 0.0
    _remove(copy, video)
    _link(video, linked)
    return linked.relative_to(folder).as_posix(), 0.0 if info is None else start_in_player(info)


def kind_of(path: Path) -> Kind:
    with open_video(path) as container:
        track = picture_track(container, path)
        codec = track.codec_context
        sounds = (
            t.codec_context.codec.canonical_name if t.codec_context else "unknown" for t in container.streams.audio
        )
        return Kind(
            container.format.name,
            codec.codec.canonical_name,
            codec.pix_fmt or "",
            tuple(sounds),
        )


def unplayed(kind: Kind, suffix: str) -> str:
    """The property of a file that browsers do not play, in words; "" where they play it."""
    suffixes, pictures, sounds = PLAYED.get(kind.container, ((), (), ()))
    if not any(kind.picture in some for _, some, _ in PLAYED.values()):
        return kind.picture
    if kind.picture == "h264" and kind.pixels not in PLAIN:
        return f"h264 with {kind.pixels}"
    if suffix not in suffixes or kind.picture not in pictures:
        return f"{kind.picture} in {suffix} files"
    if kind.sounds and not set(kind.sounds) & set(sounds):
        return f"{kind.sounds[0]} sound"
    return ""


def unturned(kind: Kind, info: VideoInfo) -> str:
    """What it is about a picture that some browsers do not turn upright; empty where all do. They follow the turns of
    .mp4 and .mov files, but not all of them mirror."""
    if info.orientation.mirrored:
        return "mirrored pictures"
    return "pictures that lie in .webm files" if info.rotation and kind.container == "matroska,webm" else ""


def _provenance(video: Path) -> str:
    """A text that identifies a file and its state, wherever it lies."""
    status = video.stat()
    return f"made by mmad of {video.name}, {status.st_size} bytes, changed at {status.st_mtime_ns} ns"


def _is_copy(copy: Path, video: Path) -> bool:
    """Whether the copy is there, and the video as it was when the copy was made of it."""
    if not copy.exists():
        return False
    try:
        with open_video(copy) as container:
            return container.metadata.get("comment") == _provenance(video)
    except InputError:
        return False


def _convert(copy: Path, info: VideoInfo, kind: Kind, problem: str) -> bool:
    """Whether a copy could be made that browsers play."""
    comment = _provenance(info.path)
    try:
        if not _repacked(copy, info, kind, problem, comment):
            print(f"{info.path}: converted for the page, browsers do not play {problem}", flush=True)
            _encode_readable(copy, info, comment)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        warn(f"{info.path}: not converted for the page ({error})")
        return False
    return True


def _repacked(copy: Path, info: VideoInfo, kind: Kind, problem: str, comment: str) -> bool:
    """Whether the pictures could be copied as they are stored, which takes seconds for an hour."""
    upright = info.orientation == Orientation()
    as_shown = info.has_timestamps and info.is_complete and not info.hidden_packets and upright
    if kind.picture != "h264" or kind.pixels not in PLAIN or not as_shown:
        return False
    try:
        copy_packets(copy, info, comment)
    except (av.error.FFmpegError, ValueError):
        return False
    print(f"{info.path}: copied into mp4 for the page, browsers do not play {problem}", flush=True)
    return True


def _encode_readable(copy: Path, info: VideoInfo, comment: str) -> None:
    try:
        encode(copy, info, upright_frames(info), comment)
    except BrokenVideo as error:
        if not error.read:
            raise


def upright_frames(info: VideoInfo) -> Iterator[tuple[int, av.VideoFrame]]:
    """(frame index, picture) of all frames: upright, square pixels, at most `SHORTER_SIDE`, for H.264."""
    width, height = info.orientation.turned_size(info.width, info.height)
    shrunk = min(SHORTER_SIDE / min(width, height), 1)
    width, height = (2 * max(round(side * shrunk / 2), 1) for side in (width, height))
    graph = None
    for index, frame in stored_frames(info):
        if graph is None:
            graph = _scaling(frame, info, width, height)
        graph.vpush(frame)
        scaled = graph.vpull()
        scaled.colorspace = BT601 if frame.format.is_rgb else frame.colorspace
        yield index, scaled


def _scaling(first: av.VideoFrame, info: VideoInfo, width: int, height: int) -> av.filter.Graph:
    """Makes frames like the first into 8-bit pictures, of this size before they are turned.

    What is RGB is brought into the colour space BT.601; of others the numbers stay, whatever their colour space is.
    """
    graph = av.filter.Graph()
    tick = Fraction(info.time_base).limit_denominator(1_000_000_000)
    graph.link_nodes(
        graph.add_buffer(width=first.width, height=first.height, format=first.format.name, time_base=tick),
        graph.add(
            "scale", f"{width}:{height}:flags=bilinear:out_range=tv:in_color_matrix=bt601:out_color_matrix=bt601"
        ),
        graph.add("format", "yuv420p"),
        *(graph.add(*step) for step in TURNED[info.orientation.mirrored, info.orientation.rotation]),
        graph.add("buffersink"),
    ).configure()
    return graph


def _remove(other: Path, video: Path) -> None:
    """Remove the link or copy that is not needed any more, but never the video itself."""
    if other.exists() and other.resolve() != video.resolve():
        other.unlink()


def _link(video: Path, target: Path) -> None:
    """As a link where the file system can (no second copy of an hour of video), else as a copy."""
    if target.exists() and target.samefile(video):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(video.resolve(), target)
    except OSError:
        with atomic_path(target) as temporary:
            shutil.copyfile(video, temporary)
