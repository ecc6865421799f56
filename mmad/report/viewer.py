"""The page of one video: the player with the joints over it, a timeline of what was found, a table of the same.

Player and timeline share one screen. A video that is taller than wide stands beside the timeline, others above it.
"""

from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote

import numpy as np

from mmad.labels import LabelSet
from mmad.metrics.reliability import CANNOT_TELL, GRADES, Reliability, that_can_be_told
from mmad.records import Annotation, Detections, LandmarkTrack
from mmad.report.document import document, json_in_page, note_in_page
from mmad.report.joints import COLOURS
from mmad.report.pictures import part_colour
from mmad.report.reliability import cannot_tell_section
from mmad.report.seen import Unseen, unseen_parts

SHOWN_A_MINUTE = 30  # detections that a page begins with; the slider shows the others
TALL = 0.95  # width by height below which a picture stands beside the timeline
HELP = {
    "space": "play, pause",
    "\u2190 \u2192": "a second back, on",
    ", .": "a frame back, on",
    "n p": "next, previous detection",
    "l": "loop the chosen detection, or play on",
    "j": "the joints, off or on",
    "Esc": "let go of the chosen detection",
    "+ - 0": "zoom in, out, all of it; also Ctrl and the wheel",
}


@dataclass
class Media:
    """A video as a page plays it.

    path: from the folder report/. shift: s that a player shows at the first frame. frame: s that a frame lasts. ratio:
    width by height of the picture, None where that could not be read.
    """

    path: str
    shift: float = 0.0
    frame: float = 0.04
    ratio: float | None = None


@dataclass
class VideoPage:
    """What the page of a video shows. duration: s. joints: path from the folder report/ of the script of the tracks.
    least: the score from which on detections are shown at first; None: so that one every two seconds is.
    """

    found: Detections
    duration: float
    labels: LabelSet
    truth: Annotation | None = None
    media: Media | None = None
    tracks: list[LandmarkTrack] = field(default_factory=list)
    joints: str = ""
    reliability: Reliability = field(default_factory=dict)
    note: str = ""
    least: float | None = None

    @property
    def ratio(self) -> float | None:
        """Width by height of the picture, where there is one of a known size."""
        if self.media and self.media.ratio:
            return self.media.ratio
        return float(self.tracks[0].size[0] / self.tracks[0].size[1]) if self.tracks else None

    def html(self, to_top: str = "../") -> str:
        """to_top: the path from this page to the folder that report/ lies in."""
        assets, unseen = f"{to_top}report/", unseen_parts(self.tracks, self.duration)
        head = f"""<header><p><a href="{to_top}report.html">all videos</a></p>
<h1>{escape(self.found.video_id)}</h1>
<p class="muted">{self.duration:.1f} s.{"" if self.note else " Scores rank detections; they are no probabilities."}</p>
{note_in_page(self.note)}</header>"""
        picture, controls, timeline = self._picture(assets), self._controls(), self._timeline(unseen)
        if self.ratio is not None and self.ratio < TALL:
            shape, screen = "tall", f'{picture}<div class="side">{head}{controls}{timeline}</div>'
        else:
            shape = "wide" if self.ratio or self.media else "bare"
            screen = f'{head}<div class="stage">{picture}{controls}</div>{timeline}'
        data = json_in_page(self._data(assets, unseen))
        return document(
            self.found.video_id,
            assets,
            f"""<main class="screen {shape}" style="--ratio:{self.ratio or 16 / 9:.4f}">{screen}</main>
<h2>Detections</h2>
<div class="scroll"><table id="table"><thead><tr>{self._heads()}</tr></thead><tbody id="rows"></tbody></table></div>
<button id="more" hidden></button>
{cannot_tell_section(self.reliability)}
{self._help()}
<script type="application/json" id="data">{data}</script>
<script src="{assets}joints.js"></script>
<script src="{assets}viewer.js"></script>""",
        )

    def _picture(self, assets: str) -> str:
        video, why, still = "", "No video here.", ""
        if self.media:
            source = escape(assets + quote(self.media.path))
            video = f'<video id="player" controls preload="metadata" src="{source}"></video>'
            why = "This browser cannot play this kind of video; the timeline works without it."
        shown = not self.media and not self.tracks
        notice = f'<p id="unplayable" class="notice"{"" if shown else " hidden"}>{why}</p>'
        if self.tracks:
            still = """<canvas id="joints" role="img" aria-label="the joints of the people in the picture"></canvas>
<div id="still" hidden><button data-do="play">play</button><span id="time"></span></div>"""
        return f'<div class="picture">{video}{notice}{still}</div>'

    def _controls(self) -> str:
        parts = "".join(
            f'<button data-part="{part}" class="part" style="--colour:{part_colour(part)}" aria-pressed="true">'
            f"{escape(text)}</button>"
            for part, text in enumerate(self.labels.parts)
        )
        highest = float(self.found.scores[0]) if len(self.found) else 0.0
        ceiling = float(np.ceil(1e3 * highest) / 1e3) or 1.0
        untold = judged = ""
        if any(grade == CANNOT_TELL for grade, _ in self.reliability.values()):
            untold = (
                '<label><input id="untold" type="checkbox"> also what <a href="#cannot-tell">cannot be told</a></label>'
            )
        if self.truth is not None:
            steps = "".join(f"<option{' selected' if t == 5 else ''}>{t / 10}</option>" for t in range(1, 10))
            judged = f'<label>true from tIoU <select id="tiou">{steps}</select></label>'
            judged += '<p id="judged" aria-live="polite"></p>'
        return f"""<div class="controls">
<label>score from <input id="least" type="range" min="0" max="{ceiling}" step="0.001" value="{self._least()}">
<output id="least-said"></output></label>
<label>actions with <input id="words" type="search" placeholder="all" aria-label="search actions"></label>
<div class="row" role="group" aria-label="body parts">{parts}</div>
{untold}{judged}
<p id="count" aria-live="polite"></p>
<div class="row"><button id="csv">save as CSV</button><button id="json">save as JSON</button></div>
</div>"""

    def _timeline(self, unseen: list[Unseen]) -> str:
        buttons = [
            ("previous", "previous", ""),
            ("play", "play / pause", ""),
            ("next", "next", ""),
            ("loop", "loop", ' id="loop" aria-pressed="true"'),
            *([("joints", "joints", ' id="joints-shown" aria-pressed="true"')] if self.tracks else []),
            ("closer", "zoom in", ""),
            ("farther", "zoom out", ""),
            ("whole", "all", ""),
            ("help", "keys", ""),
        ]
        row = "".join(f'<button data-do="{do}"{more}>{text}</button>' for do, text, more in buttons)
        strips = '<canvas id="unseen" role="img" aria-label="when the person and the hands were not seen"></canvas>'
        sentences = " ".join(filter(None, (part.sentence() for part in unseen)))
        said = f'<p id="unseen-said">{escape(sentences)}</p>' if sentences else ""
        return f"""<div class="row buttons">{row}{self._legend()}</div>
<p id="said" aria-live="polite"></p>
<div class="timeline">
<div class="lanes"><canvas id="lanes" role="img" aria-label="timeline of the detections; the table below lists them">
</canvas></div>
{f'<div class="strips">{strips}</div>' if unseen else ""}
<canvas id="overview" role="img" aria-label="the whole video and what the timeline shows of it"></canvas>
<div id="playhead"></div></div>
{said}"""

    def _legend(self) -> str:
        items = []
        if self.truth is not None:
            items.append("grey: true; dashed: missed; red edge: false alarm")
        if self.tracks:
            _, left, right = COLOURS
            items.append(f'<span class="key" style="--colour:{left}">the person\'s left</span>')
            items.append(f'<span class="key" style="--colour:{right}">right</span>')
            items.append('<span class="key unseen">not seen</span>')
        if self.reliability:
            items += [f'<span class="grade {_word(grade)}">{grade}</span>' for grade in GRADES]
        return f'<span class="muted legend">{" ".join(f"<span>{item}</span>" for item in items)}</span>'

    def _heads(self) -> str:
        columns = ["start", "end", "length", "action", "part", "score", *(["status"] if self.truth is not None else [])]
        titles = {"length": "length s", "part": "body part"}
        return "".join(
            f'<th scope="col" data-order="{column}"><button>{titles.get(column, column)}</button></th>'
            for column in columns
        )

    def _help(self) -> str:
        keys = "".join(
            f"<tr><td><kbd>{key}</kbd></td><td>{text}</td></tr>"
            for key, text in HELP.items()
            if key != "j" or self.tracks
        )
        close = '<form method="dialog"><button>close</button></form>'
        return f'<dialog id="help"><h2>Keys</h2><table>{keys}</table>{close}</dialog>'

    def _least(self) -> float:
        """The score from which on detections are shown at first."""
        if self.least is not None:
            return self.least
        told = that_can_be_told(self.found, self.labels, self.reliability)
        shown = max(round(self.duration / 60 * SHOWN_A_MINUTE), 12)
        return np.floor(1e4 * float(told.scores[min(shown, len(told)) - 1])) / 1e4 if len(told) else 0.0

    def _data(self, assets: str, unseen: list[Unseen]) -> dict:
        """What viewer.js works with."""
        step = (
            float(np.median(np.diff(self.tracks[0].times))) if self.tracks and len(self.tracks[0].times) > 1 else 0.04
        )
        media = self.media or Media("", frame=step)
        return {
            "id": self.found.video_id,
            "duration": self.duration,
            "shift": media.shift,
            "frame": media.frame,
            "actions": self.labels.actions,
            "parts": self.labels.parts,
            "parts_of": self.labels.part_of,
            "colours": [part_colour(part) for part in range(len(self.labels.parts))],
            "least": self._least(),
            "detections": _rows(self.found.segments, self.found.labels, self.found.scores),
            "truth": self.truth and _rows(self.truth.segments, self.truth.labels),
            "joints": assets + quote(self.joints) if self.joints else None,
            "unseen": [[part.label(), np.round(part.stretches, 3).tolist()] for part in unseen],
            "reliability": {action: [_word(grade), grade, why] for action, (grade, why) in self.reliability.items()},
        }


def _rows(segments: np.ndarray, labels: np.ndarray, scores: np.ndarray | None = None) -> list[list]:
    """start s, end s, label, and the score where there are some."""
    columns = [np.round(segments, 3).tolist(), labels.tolist()]
    if scores is None:
        return [[*segment, label] for segment, label in zip(*columns)]
    return [[*segment, label, score] for segment, label, score in zip(*columns, np.round(scores, 4).tolist())]


def _word(grade: str) -> str:
    """As a class of CSS."""
    return grade.replace(" ", "-")
