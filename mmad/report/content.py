"""What pages are made of: what was found in each video of a run, and how its pages show it."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from mmad.metrics.reliability import CANNOT_TELL, Reliability
from mmad.records import Annotation, Detections, LandmarkTrack


@dataclass
class VideoResult:
    """What was found in one video, and what else is known of it.

    duration: s. truth: its annotation, None where there is none. file: the video itself, None where there is none.
    tracks: the joints of the people in it; they are drawn over the player, or move by themselves without a video.
    """

    found: Detections
    duration: float
    truth: Annotation | None = None
    file: Path | None = None
    tracks: list[LandmarkTrack] = field(default_factory=list)

    @property
    def video_id(self) -> str:
        return self.found.video_id


@dataclass(frozen=True)
class PageOptions:
    """How all pages of a run show their videos.

    reliability: action name -> grade ("good", "fair" or "cannot tell") and the reason in one sentence; detections of
    the last grade are hidden at first. note: a sentence for the top of each page. min_score: detections below it are
    hidden at first; None: as many are shown as one every two seconds. as_is: bring videos into the folder unchanged,
    also those that browsers cannot play; by default these are converted.
    """

    reliability: Reliability = field(default_factory=dict)
    note: str = ""
    min_score: float | None = None
    as_is: bool = False

    def unreliable(self) -> list[tuple[list[str], str]]:
        """(actions, reason) of the actions that cannot be told; those with the same reason together."""
        by_reason = defaultdict(list)
        for action, (grade, reason) in self.reliability.items():
            if grade == CANNOT_TELL:
                by_reason[reason].append(action)
        return [(actions, reason) for reason, actions in by_reason.items()]
