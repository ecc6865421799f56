"""The pages of what was found by people's joints."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmad.labels import LabelSet
from mmad.metrics.reliability import drop_below
from mmad.records import Detections, LandmarkTrack
from mmad.report.content import PageOptions, VideoResult
from mmad.report.pages import write_report

LEAST_IN_PAGE = 0.02  # detections of lower scores are not in the page at all
NOTE = (
    "Found from the joints of body and hands alone, by a model that was trained on rendered people, not on real ones; "
    "it does not look at pixels. Scores are calibrated on other rendered people: of the detections that score 0.3, "
    "three in ten were right there."
)


def write_pose_report(
    out: str | Path,
    found: Sequence[Detections],
    people: Sequence[LandmarkTrack],
    files: dict[str, Path],
    labels: LabelSet,
    options: PageOptions,
) -> Path:
    """A page per person, as `write_report` makes it. found: of each of `people`. files: the videos, by their ids."""
    file_of = files_of_people(people, files)
    videos = [
        VideoResult(drop_below(item, LEAST_IN_PAGE), track.duration, file=file_of.get(track.video_id), tracks=[track])
        for item, track in zip(found, people)
    ]
    return write_report(out, videos, labels, replace(options, note=options.note or NOTE))


def files_of_people(people: Sequence[LandmarkTrack], files: dict[str, Path]) -> dict[str, Path]:
    """The video of each track; where several people are in one video, the first track has its name."""
    video_of = {track.video_id: track.details.get("tracks", [""])[0] for track in people}
    return {name: files[video] for name, video in video_of.items() if video in files}
