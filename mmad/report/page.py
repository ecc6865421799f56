"""Pages over the videos of one run, in a folder that opens from disk and asks nothing of a network.

`report.html` lists the videos; `report/ID.html` shows one: the player, a timeline of what was found, a table.
"""

from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from mmad.errors import InputError
from mmad.files import path_for_id, write_text
from mmad.labels import LabelSet
from mmad.metrics.average_precision import evaluate
from mmad.metrics.diagnosis import Diagnosis, diagnose, in_percent
from mmad.metrics.reliability import Reliability, check_reliability, from_score, that_can_be_told
from mmad.records import Annotation, Detections, LandmarkTrack
from mmad.report.document import document, note_in_page, table
from mmad.report.joints import joint_pictures, write_joints
from mmad.report.playable.media import bring_media
from mmad.report.reliability import cannot_tell_section
from mmad.report.timeline import draw_timeline
from mmad.report.viewer import Media, VideoPage
from mmad.video.reader import VideoInfo, glance, probe
from mmad.video.sampling import segment_frames

ASSETS = Path(__file__).parent / "assets"


def write_report(
    out: str | Path,
    found: list[Detections],
    durations: dict[str, float],
    labels: LabelSet,
    truth: dict[str, Annotation] | None = None,
    videos: dict[str, Path] | None = None,
    as_is: bool = False,
    landmarks: dict[str, list[LandmarkTrack]] | None = None,
    reliability: Reliability | None = None,
    note: str = "",
    least: float | None = None,
) -> Path:
    """report.html, report/ and timelines/ID.png in the folder `out`. Returns the path of report.html.

    durations: s, by video id. truth: what is known to be true, by video id. videos: the files, which are brought into
    the folder so that it can be moved or sent whole. as_is: whether also those come as they are that browsers cannot
    play; by default they are converted. landmarks: the joints of the people in a video, by its id; they are drawn over
    the player, or move by themselves where there is no video. reliability: by the name of an action "good", "fair" or
    "cannot tell", and why, in a sentence; what cannot be told is hidden at first. note: a sentence for the top of each
    page. least: the score from which on detections are shown at first; None: so that one every two seconds is.
    """
    out, truth, videos, landmarks = Path(out), truth or {}, videos or {}, landmarks or {}
    reliability = reliability or {}
    check_reliability(reliability, labels)
    for name in ("page.css", "viewer.js", "joints.js", "index.js"):
        write_text(out / "report" / name, (ASSETS / name).read_text(encoding="utf-8"))
    index = index_page(found, durations, labels, truth, reliability, note, least)
    write_text(out / "report.html", index)  # first: an hour takes time to convert
    for item in found:
        name = item.video_id
        page = VideoPage(
            item, durations[name], labels, truth.get(name), reliability=reliability, note=note, least=least
        )
        page.tracks = landmarks.get(name, [])
        write_video_page(out, page, videos.get(name), as_is)
    return out / "report.html"


def write_video_page(out: Path, page: VideoPage, video: Path | None, as_is: bool) -> None:
    """timelines/ID.png, report/ID.html and what that shows: the video, and the joints of the people in it."""
    name, report = page.found.video_id, out / "report"
    info = probe_if_readable(video) if video else None
    frames = key_frames(info) if info else None
    if frames is None and page.tracks:
        frames = joint_pictures(page.tracks, page.duration)
    told = that_can_be_told(page.found, page.labels, page.reliability)
    if page.least is not None:
        told = from_score(told, page.least)
    draw_timeline(path_for_id(out / "timelines", name, ".png"), told, page.duration, page.labels, page.truth, frames)
    if page.tracks:
        write_joints(path_for_id(report / "joints", name, ".js"), page.tracks)
        page.joints = f"joints/{name}.js"
    if video:
        page.media = Media(*bring_media(video, info, report, name, as_is))
    if page.media and info:
        page.media.frame, page.media.ratio = info.frame_duration, info.width / info.height
    write_text(path_for_id(report, name, ".html"), page.html("../" * (1 + name.count("/"))))


def probe_if_readable(video: Path) -> VideoInfo | None:
    try:
        return probe(video)
    except InputError:
        return None


def key_frames(info: VideoInfo, count: int = 8, height: int = 216) -> np.ndarray | None:
    """(count, H, W, 3) uint8, the middles of equal parts of a video; None where it cannot be read that far."""
    try:
        return glance(info, segment_frames(info.num_frames, count), (height, round(info.width * height / info.height)))
    except InputError:
        return None


def index_page(
    found: list[Detections],
    durations: dict[str, float],
    labels: LabelSet,
    truth: dict[str, Annotation],
    reliability: Reliability,
    note: str,
    least: float | None = None,
) -> str:
    """The videos, where their truth is known the worst first."""
    table, everything = (
        '<a href="predictions.csv">predictions.csv</a>',
        '<a href="predictions.json">predictions.json</a>',
    )
    files = f"All of them are in {table} and {everything}"
    if least is not None:
        files = f"All that was found is in {everything}, what the pages show at first in {table}"
    score_of = {
        item.video_id: evaluate([truth[item.video_id]], [item], labels).average()
        for item in found
        if item.video_id in truth and len(truth[item.video_id].labels)
    }
    ordered = sorted(found, key=lambda item: (score_of.get(item.video_id, 2.0), item.video_id))
    heads = ["video", "length s", "detections", "best score", *(["mAP 0.1:0.9 in it"] if score_of else [])]
    rows = []
    for item in ordered:
        name, best = item.video_id, float(item.scores[0]) if len(item) else 0.0
        cells = [(f"{durations[name]:.1f}", durations[name]), (f"{len(item)}", len(item)), (f"{best:.3f}", best)]
        if score_of:
            score = score_of.get(name)
            cells.append(("" if score is None else f"{100 * score:.1f}", 2.0 if score is None else score))
        link = escape(quote(f"report/{name}.html"))
        rows.append(
            f'<tr><td><a href="{link}">{escape(name)}</a></td>'
            + "".join(f'<td class="number" data-value="{value}">{text}</td>' for text, value in cells)
            + "</tr>"
        )
    head = "".join(f'<th scope="col"><button>{text}</button></th>' for text in heads)
    known = [truth[item.video_id] for item in found if item.video_id in score_of]
    why = why_section(diagnose(known, [i for i in found if i.video_id in score_of], labels)) if known else ""
    return document(
        "Micro-actions",
        "report/",
        f"""<h1>Micro-actions</h1>
{note_in_page(note)}
<p>{len(found)} videos, {sum(map(len, found))} detections. {files}, a picture of each
video in <a href="timelines/">timelines/</a>.</p>
<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>
{cannot_tell_section(reliability)}
{why}
<script src="report/index.js"></script>""",
    )


def why_section(diagnosis: Diagnosis) -> str:
    """Why mAP is lost, as tables."""
    total = max(sum(diagnosis.counts.values()), 1)
    rows = [
        (name, count, f"{100 * count / total:.1f} %", _gain(diagnosis.gains.get(name)))
        for name, count in diagnosis.counts.items()
    ]
    rows.append(("missed actions", "", "", _gain(diagnosis.gains["missed"])))
    rows += [(f"perfect {name}", "", "", f"{100 * value:.1f}") for name, value in diagnosis.ceilings.items()]
    parts = [table(("detections", "", "", "mAP when mended"), rows)]
    for by, groups in diagnosis.missed.items():
        missed = [
            (group, f"{m} of {count}", f"{100 * m / count:.0f} %") for group, (m, count) in groups.items() if count
        ]
        parts.append(table((f"missed, by {by}", "", ""), missed))
    scores = [(f"{score:.2f}", f"{100 * share:.0f} %", count) for score, share, count in diagnosis.calibration]
    parts.append(table(("mean score", "true", "detections"), scores))
    return (
        f"<h2>Why mAP is lost</h2><p>At tIoU {diagnosis.threshold:g} mAP is {100 * diagnosis.mean_ap:.1f}.</p>"
        f'<div class="row" style="align-items:start;gap:3rem">{"".join(parts)}</div>'
    )


def _gain(value: float | None) -> str:
    return "" if value is None else in_percent(value)
