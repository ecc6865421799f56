"""The page of one video: the player with the joints over it, a timeline of what was found, a table of the same.

Player and timeline share one screen. A video that is taller than wide stands beside the timeline, others above it.
The page is templates/viewer.html; assets/viewer.js makes it work.
"""

from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from mmad.labels import LabelSet
from mmad.metrics.reliability import GRADES, drop_unreliable
from mmad.report.content import PageOptions, VideoResult
from mmad.report.html_templates import fill_template
from mmad.report.joints import COLOURS, SIDES
from mmad.report.pictures import part_colour
from mmad.report.unseen import Unseen, unseen_parts

SHOWN_PER_MINUTE = 30  # detections that a page begins with; the slider shows the others
SHOWN_AT_LEAST = 12  # as many at first, however short the video is
TALL = 0.95  # width by height below which a picture stands beside the timeline
FRAME = 0.04  # s that one step of the keys , and . takes where neither a video nor joints say how long a frame lasts


@dataclass
class Media:
    """A video as a page plays it.

    path: from the folder report/. shift: s that a player shows at the first frame. frame: s that a frame lasts. ratio:
    width by height of the picture, None where that could not be read.
    """

    path: str
    shift: float = 0.0
    frame: float = FRAME
    ratio: float | None = None


@dataclass
class VideoPage:
    """What the page of a video shows. joints: path from the folder report/ of the script with the joints, or ""."""

    video: VideoResult
    labels: LabelSet
    options: PageOptions
    media: Media | None = None
    joints: str = ""

    def html(self, to_top: str = "../") -> str:
        """to_top: the path from this page to the folder that report/ lies in."""
        assets, unseen = f"{to_top}report/", unseen_parts(self.video.tracks, self.video.duration)
        return fill_template(
            "viewer.html",
            page=self,
            video=self.video,
            note=self.options.note,
            unreliable=self.options.unreliable(),
            unseen=unseen,
            unseen_summary=" ".join(filter(None, (part.sentence() for part in unseen))),
            data=self._data(assets, unseen),
            grades=GRADES,
            colours_of_sides=dict(zip(SIDES, COLOURS)),
            to_top=to_top,
            assets=assets,
        )

    @property
    def ratio(self) -> float | None:
        """Width by height of the picture, where there is one of a known size."""
        if self.media and self.media.ratio:
            return self.media.ratio
        tracks = self.video.tracks
        return float(tracks[0].size[0] / tracks[0].size[1]) if tracks else None

    @property
    def shape(self) -> str:
        """A class of page.css: how the player and the timeline share the screen; "bare" without a picture."""
        if self.ratio is not None and self.ratio < TALL:
            return "tall"
        return "wide" if self.ratio or self.media else "bare"

    @property
    def highest_score(self) -> float:
        """Where the slider of the scores ends: the highest one, rounded up to its steps."""
        highest = float(self.video.found.scores[0]) if len(self.video.found) else 0.0
        return float(np.ceil(1e3 * highest) / 1e3) or 1.0

    @property
    def min_score(self) -> float:
        """Detections below it are hidden at first."""
        if self.options.min_score is not None:
            return self.options.min_score
        reliable = drop_unreliable(self.video.found, self.labels, self.options.reliability)
        shown = max(round(self.video.duration / 60 * SHOWN_PER_MINUTE), SHOWN_AT_LEAST)
        return float(np.floor(1e4 * reliable.scores[:shown][-1]) / 1e4) if len(reliable) else 0.0

    @property
    def frame(self) -> float:
        """s that a frame of the video lasts, or a row of the joints where there is no video."""
        if self.media:
            return self.media.frame
        times = self.video.tracks[0].times if self.video.tracks else ()
        return float(np.median(np.diff(times))) if len(times) > 1 else FRAME

    def _data(self, assets: str, unseen: list[Unseen]) -> dict:
        """What viewer.js works with."""
        found, truth = self.video.found, self.video.truth
        return {
            "id": self.video.video_id,
            "duration": self.video.duration,
            "shift": self.media.shift if self.media else 0.0,
            "frame": self.frame,
            "actions": self.labels.actions,
            "parts": self.labels.parts,
            "parts_of": self.labels.part_of,
            "colours": [part_colour(part) for part in range(len(self.labels.parts))],
            "min_score": self.min_score,
            "detections": _rows(found.segments, found.labels, found.scores),
            "truth": truth and _rows(truth.segments, truth.labels),
            "joints": assets + quote(self.joints) if self.joints else None,
            "unseen": [[part.label(), np.round(part.stretches, 3).tolist()] for part in unseen],
            "reliability": self.options.reliability,
        }


def _rows(segments: np.ndarray, labels: np.ndarray, scores: np.ndarray | None = None) -> list[list]:
    """start s, end s, label, and the score where there are some."""
    columns = [np.round(segments, 3).tolist(), labels.tolist()]
    if scores is None:
        return [[*segment, label] for segment, label in zip(*columns)]
    return [[*segment, label, score] for segment, label, score in zip(*columns, np.round(scores, 4).tolist())]
