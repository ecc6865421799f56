"""Pages over the videos of one run, in a folder that opens from disk and needs no network.

`report.html` lists the videos; `report/ID.html` shows one: the player, a timeline of what was found, a table.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmad.errors import InputError
from mmad.files import name_in_folder, path_for_id, write_text
from mmad.labels import LabelSet
from mmad.metrics.reliability import check_reliability, shown_by_default
from mmad.report.content import PageOptions, VideoResult
from mmad.report.index import index_page
from mmad.report.joints import joint_pictures, write_joints
from mmad.report.playable.media import bring_media
from mmad.report.timeline import draw_timeline
from mmad.report.viewer import Media, VideoPage
from mmad.video.reader import VideoInfo, probe, read_few_frames
from mmad.video.sampling import frame_of_each_part

ASSETS = Path(__file__).parent / "assets"
KEY_FRAMES, KEY_FRAME_HEIGHT = 8, 216  # over the timeline of a video; pixels


def write_report(
    out: str | Path, videos: Sequence[VideoResult], labels: LabelSet, options: PageOptions | None = None
) -> Path:
    """report.html, report/ and timelines/ID.png in the folder `out`. Returns the path of report.html.

    The video files are brought into the folder, so that it can be moved or sent whole. `InputError` where the
    reliability names an unknown action or grade, or where a video id would leave the folder.
    """
    out, options = Path(out), options or PageOptions()
    check_reliability(options.reliability, labels)
    for name in ("page.css", "viewer.js", "joints.js", "index.js"):
        write_text(out / "report" / name, (ASSETS / name).read_text(encoding="utf-8"))
    write_text(out / "report.html", index_page(videos, labels, options))  # first: an hour takes time to convert
    for video in videos:
        write_video_page(out, VideoPage(video, labels, options))
    return out / "report.html"


def write_video_page(out: Path, page: VideoPage) -> None:
    """timelines/ID.png, report/ID.html and what that shows: the video, and the joints of the people in it."""
    video, report = page.video, out / "report"
    info = probe_if_readable(video.file) if video.file else None
    write_timeline(path_for_id(out / "timelines", video.video_id, ".png"), page, info)
    if video.tracks:
        write_joints(path_for_id(report / "joints", video.video_id, ".js"), video.tracks)
        page.joints = f"joints/{name_in_folder(video.video_id)}.js"
    if video.file:
        page.media = Media(*bring_media(video.file, info, report, video.video_id, page.options.as_is))
    if page.media and info:
        page.media.frame, page.media.ratio = info.frame_duration, info.width / info.height
    to_top = "../" * (1 + name_in_folder(video.video_id).count("/"))
    write_text(path_for_id(report, video.video_id, ".html"), page.html(to_top))


def write_timeline(path: Path, page: VideoPage, info: VideoInfo | None) -> None:
    """The picture of what the page shows at first, under key frames of the video, or else of the joints in it."""
    video, options = page.video, page.options
    frames = key_frames(info) if info else None
    if frames is None and video.tracks:
        frames = joint_pictures(video.tracks, video.duration, KEY_FRAMES, KEY_FRAME_HEIGHT)
    shown = shown_by_default(video.found, page.labels, options.reliability, options.min_score or 0.0)
    draw_timeline(path, VideoResult(shown, video.duration, video.truth), page.labels, frames)


def probe_if_readable(video: Path) -> VideoInfo | None:
    try:
        return probe(video)
    except InputError:
        return None


def key_frames(info: VideoInfo) -> np.ndarray | None:
    """(KEY_FRAMES, H, W, 3) uint8, the middles of equal parts of a video; None where it cannot be read that far."""
    size = (KEY_FRAME_HEIGHT, round(info.width * KEY_FRAME_HEIGHT / info.height))
    try:
        return read_few_frames(info, frame_of_each_part(info.num_frames, KEY_FRAMES), size)
    except InputError:
        return None
