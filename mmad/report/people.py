"""The pages of what was found by people's joints."""

from collections.abc import Sequence
from pathlib import Path

from mmad.labels import LabelSet
from mmad.metrics.reliability import Reliability, from_score
from mmad.records import Detections, LandmarkTrack
from mmad.report.page import write_report

LEAST_IN_PAGE = 0.02  # detections of lower scores are not in the page at all
NOTE = (
    "Found by a model of joints that was trained on rendered people, not on real ones: it sees what the joints of body "
    "and hands do, and no pixels. Scores are how often it was right about other rendered people."
)


def write_people_report(
    out: str | Path,
    found: Sequence[Detections],
    people: Sequence[LandmarkTrack],
    files: dict[str, Path],
    labels: LabelSet,
    reliability: Reliability,
    least: float,
    as_is: bool = False,
) -> Path:
    """A page per person, as `write_report` makes it. found: of each of `people`. files: the videos, by their ids."""
    return write_report(
        out,
        [from_score(item, LEAST_IN_PAGE) for item in found],
        {track.video_id: track.duration for track in people},
        labels,
        videos=files_of(people, files),
        as_is=as_is,
        landmarks={track.video_id: [track] for track in people},
        reliability=reliability,
        note=NOTE,
        least=least,
    )


def files_of(people: Sequence[LandmarkTrack], files: dict[str, Path]) -> dict[str, Path]:
    """The video of each track; of several people in one video, the first track has its name."""
    of = {track.video_id: track.details.get("tracks", [""])[0] for track in people}
    return {name: files[video] for name, video in of.items() if video in files}
