"""Pages over the videos of one run, in a folder that opens from disk and asks nothing of a network.

`report.html` lists the videos; `report/ID.html` shows one: the player, a timeline of what was found, a table.
"""

import json
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from mmad.data.clips import segment_frames
from mmad.data.video import VideoInfo, glance, probe
from mmad.errors import InputError
from mmad.files import path_for_id, write_text
from mmad.labels import LabelSet
from mmad.metrics.average_precision import evaluate
from mmad.metrics.diagnosis import Diagnosis, diagnose, in_percent
from mmad.records import Annotation, Detections
from mmad.report.media import bring_media
from mmad.report.timeline import draw_timeline, part_colour

ASSETS = Path(__file__).parent / "assets"
SHOWN_A_MINUTE = 30  # detections that a page begins with; the slider shows the others
HELP = {
    "space": "play, pause",
    "\u2190 \u2192": "a second back, on",
    ", .": "a frame back, on",
    "n p": "next, previous detection",
    "l": "loop the chosen detection, or play on",
    "Esc": "let go of the chosen detection",
    "+ - 0": "zoom in, out, all of it; also Ctrl and the wheel",
}


def write_report(
    out: str | Path,
    found: list[Detections],
    durations: dict[str, float],
    labels: LabelSet,
    truth: dict[str, Annotation] | None = None,
    videos: dict[str, Path] | None = None,
    as_is: bool = False,
) -> Path:
    """report.html, report/ and timelines/ID.png in the folder `out`. Returns the path of report.html.

    durations: s, by video id. truth: what is known to be true, by video id. videos: the files, which are brought into
    the folder so that it can be moved or sent whole. as_is: whether also those come as they are that browsers cannot
    play; by default they are converted.
    """
    out, truth, videos = Path(out), truth or {}, videos or {}
    for name in ("page.css", "viewer.js", "index.js"):
        write_text(out / "report" / name, (ASSETS / name).read_text(encoding="utf-8"))
    write_text(out / "report.html", index_page(found, durations, labels, truth))  # first: an hour takes time to convert
    for item in found:
        name = item.video_id
        info = probe_if_readable(videos[name]) if name in videos else None
        frames = key_frames(info) if info else None
        picture = path_for_id(out / "timelines", name, ".png")
        draw_timeline(picture, item, durations[name], labels, truth.get(name), frames)
        media, shift = None, 0.0
        if name in videos:
            media, shift = bring_media(videos[name], info, out / "report", name, as_is)
        page = path_for_id(out / "report", name, ".html")
        to_top = "../" * (1 + name.count("/"))
        frame = info.frame_duration if info else 0.04
        write_text(page, viewer_page(item, durations[name], labels, truth.get(name), media, to_top, shift, frame))
    return out / "report.html"


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


def viewer_page(
    item: Detections,
    duration: float,
    labels: LabelSet,
    truth: Annotation | None = None,
    media: str | None = None,
    to_top: str = "../",
    shift: float = 0.0,
    frame: float = 0.04,
) -> str:
    """media: the video's path from the report's folder. to_top: from this page to the folder above that. shift: s that
    a player shows at the first frame. frame: s that a frame lasts."""
    name, assets = escape(item.video_id), f"{to_top}report/"
    shown = max(round(duration / 60 * SHOWN_A_MINUTE), 12)
    least = float(item.scores[min(shown, len(item)) - 1]) if len(item) else 0.0
    data = {
        "id": item.video_id,
        "duration": duration,
        "shift": shift,
        "frame": frame,
        "actions": labels.actions,
        "parts": labels.parts,
        "parts_of": labels.part_of,
        "colours": [part_colour(part) for part in range(len(labels.parts))],
        "least": np.floor(1e4 * least) / 1e4,
        "detections": [
            [round(start, 3), round(end, 3), label, round(score, 4)]
            for (start, end), label, score in zip(item.segments.tolist(), item.labels.tolist(), item.scores.tolist())
        ],
        "truth": truth
        and [
            [round(start, 3), round(end, 3), label]
            for (start, end), label in zip(truth.segments.tolist(), truth.labels.tolist())
        ],
    }
    source = escape(assets + quote(media)) if media else ""
    player = f'<video id="player" controls preload="metadata" src="{source}"></video>' if media else ""
    why = "This browser cannot play this kind of video; the timeline works without it." if media else "No video here."
    notice = f'<p id="unplayable" class="notice"{" hidden" if media else ""}>{why}</p>'
    parts = "".join(
        f'<button data-part="{part}" class="part" style="--colour:{part_colour(part)}" aria-pressed="true">'
        f"{escape(text)}</button>"
        for part, text in enumerate(labels.parts)
    )
    steps = "".join(f"<option{' selected' if t == 5 else ''}>{t / 10}</option>" for t in range(1, 10))
    judged = (
        f'<label>true from tIoU <select id="tiou">{steps}</select></label><p id="judged" aria-live="polite"></p>'
        if truth is not None
        else ""
    )
    columns = ["start", "end", "length", "action", "part", "score", *(["status"] if truth is not None else [])]
    titles = {"start": "start", "end": "end", "length": "length s", "part": "body part"}
    heads = "".join(
        f'<th scope="col" data-order="{column}"><button>{titles.get(column, column)}</button></th>'
        for column in columns
    )
    keys = "".join(f"<tr><td><kbd>{key}</kbd></td><td>{text}</td></tr>" for key, text in HELP.items())
    buttons = "".join(
        f'<button data-do="{do}"{more}>{text}</button>'
        for do, text, more in (
            ("previous", "previous", ""),
            ("play", "play / pause", ""),
            ("next", "next", ""),
            ("loop", "loop", ' id="loop" aria-pressed="true"'),
            ("closer", "zoom in", ""),
            ("farther", "zoom out", ""),
            ("whole", "all", ""),
            ("help", "keys", ""),
        )
    )
    legend = "grey: true; dashed: missed; red edge: false alarm" if truth is not None else ""
    return _document(
        item.video_id,
        assets,
        f"""<p><a href="{to_top}report.html">all videos</a></p>
<h1>{name}</h1>
<p class="muted">{duration:.1f} s. Scores rank detections; they are no probabilities.</p>
<div class="stage"><div>{player}{notice}</div>
<div class="controls">
<label>score from <input id="least" type="range" min="0" max="{_ceiling(item)}" step="0.001" value="{data["least"]}">
<output id="least-said"></output></label>
<label>actions with <input id="words" type="search" placeholder="all" aria-label="search actions"></label>
<div class="row" role="group" aria-label="body parts">{parts}</div>
{judged}
<p id="count" aria-live="polite"></p>
<div class="row"><button id="csv">save as CSV</button><button id="json">save as JSON</button></div>
</div></div>
<div class="row" style="margin-top:1rem">{buttons}<span class="muted">{legend}</span></div>
<p id="said" aria-live="polite" style="min-height:1.5em"></p>
<div class="timeline">
<canvas id="lanes" role="img" aria-label="timeline of the detections; the table below lists them"></canvas>
<canvas id="overview" role="img" aria-label="the whole video and what the timeline shows of it"></canvas>
<div id="playhead"></div></div>
<h2>Detections</h2>
<div class="scroll"><table id="table"><thead><tr>{heads}</tr></thead><tbody id="rows"></tbody></table></div>
<button id="more" hidden></button>
<dialog id="help"><h2>Keys</h2><table>{keys}</table><form method="dialog"><button>close</button></form></dialog>
<script type="application/json" id="data">{_json(data)}</script>
<script src="{assets}viewer.js"></script>""",
    )


def index_page(
    found: list[Detections], durations: dict[str, float], labels: LabelSet, truth: dict[str, Annotation]
) -> str:
    """The videos, where their truth is known the worst first."""
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
    return _document(
        "Micro-actions",
        "report/",
        f"""<h1>Micro-actions</h1>
<p>{len(found)} videos, {sum(map(len, found))} detections. All of them are in
<a href="predictions.csv">predictions.csv</a> and <a href="predictions.json">predictions.json</a>, a picture of each
video in <a href="timelines/">timelines/</a>.</p>
<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>
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
    parts = [_table(("detections", "", "", "mAP when mended"), rows)]
    for by, groups in diagnosis.missed.items():
        missed = [
            (group, f"{m} of {count}", f"{100 * m / count:.0f} %") for group, (m, count) in groups.items() if count
        ]
        parts.append(_table((f"missed, by {by}", "", ""), missed))
    scores = [(f"{score:.2f}", f"{100 * share:.0f} %", count) for score, share, count in diagnosis.calibration]
    parts.append(_table(("mean score", "true", "detections"), scores))
    return (
        f"<h2>Why mAP is lost</h2><p>At tIoU {diagnosis.threshold:g} mAP is {100 * diagnosis.mean_ap:.1f}.</p>"
        f'<div class="row" style="align-items:start;gap:3rem">{"".join(parts)}</div>'
    )


def _gain(value: float | None) -> str:
    return "" if value is None else in_percent(value)


def _table(heads, rows) -> str:
    head = "".join(f'<th scope="col">{escape(str(text))}</th>' for text in heads)
    body = "".join(
        f"<tr><td>{escape(str(row[0]))}</td>"
        + "".join(f'<td class="number">{escape(str(cell))}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _ceiling(item: Detections) -> float:
    return float(np.ceil(1e3 * item.scores[0]) / 1e3) if len(item) and item.scores[0] > 0 else 1.0


def _json(content) -> str:
    """JSON that may stand in a page: no `<` begins or ends anything."""
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _document(title: str, assets: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{assets}page.css"></head>\n<body>\n{body}\n</body></html>\n'
    )
