"""The list of the videos of a run, with what cannot be told and why mAP is lost: templates/index.html."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmad.files import name_in_folder
from mmad.labels import LabelSet
from mmad.metrics.average_precision import evaluate
from mmad.metrics.diagnosis import Diagnosis, diagnose, in_percent
from mmad.metrics.reliability import shown_by_default
from mmad.records import Detections
from mmad.report.content import PageOptions, VideoResult
from mmad.report.html_templates import fill_template

SHOWN = 200  # videos that the list begins with; all are found by the search box, and shown on request
SEARCHABLE = 20  # videos above which there is a search box
UNKNOWN = 2.0  # what stands for the mAP of a video without truth when videos are sorted: behind all others


@dataclass(frozen=True)
class Cell:
    """text: as it is shown. value: what the column is sorted by."""

    text: str
    value: float


@dataclass(frozen=True)
class IndexRow:
    """One video of the list."""

    video_id: str
    link: str
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its name, the others are numbers, as they are shown."""

    headings: tuple[str, ...]
    rows: list[tuple]


def index_page(videos: Sequence[VideoResult], labels: LabelSet, options: PageOptions) -> str:
    """The HTML of report.html: the videos, where their truth is known those with the lowest mAP first."""
    evaluated = [video for video in videos if video.truth is not None and len(video.truth.labels)]
    map_of = {video.video_id: evaluate([video.truth], [video.found], labels).average() for video in evaluated}
    counts = {video.video_id: _count(video.found, labels, options) for video in videos}
    ordered = sorted(videos, key=lambda video: (map_of.get(video.video_id, UNKNOWN), video.video_id))
    truth, found = [video.truth for video in evaluated], [video.found for video in evaluated]
    diagnosis = diagnose(truth, found, labels) if evaluated else None
    return fill_template(
        "index.html",
        assets="report/",
        note=options.note,
        min_score=options.min_score,
        num_detections=sum(counts.values()),
        headings=[
            "video",
            "length s",
            "detections",
            "best score",
            *(["mAP 0.1:0.9 of the video"] if evaluated else []),
        ],
        rows=[_row(video, counts[video.video_id], map_of) for video in ordered],
        shown=SHOWN,
        searchable=SEARCHABLE,
        unreliable=options.unreliable(),
        diagnosis=diagnosis,
        diagnosis_tables=diagnosis_tables(diagnosis) if diagnosis else [],
    )


def _count(found: Detections, labels: LabelSet, options: PageOptions) -> int:
    """As many as predictions.csv lists: all, or where pages have a least score what they show at first."""
    if options.min_score is None:
        return len(found)
    return len(shown_by_default(found, labels, options.reliability, options.min_score))


def _row(video: VideoResult, count: int, map_of: dict[str, float]) -> IndexRow:
    """count: of its detections. map_of: mAP 0.1:0.9 of each video whose truth is known, by its id; the column is left
    out where it is empty."""
    best = float(video.found.scores[0]) if len(video.found) else 0.0
    cells = [Cell(f"{video.duration:.1f}", video.duration), Cell(f"{count}", count), Cell(f"{best:.3f}", best)]
    if map_of:
        value = map_of.get(video.video_id)
        cells.append(Cell("", UNKNOWN) if value is None else Cell(f"{100 * value:.1f}", value))
    return IndexRow(video.video_id, f"report/{name_in_folder(video.video_id)}.html", cells)


def diagnosis_tables(diagnosis: Diagnosis) -> list[Table]:
    """What the detections are, which actions are missed by what, and what the scores are worth."""
    missed = [_missed_table(by, groups) for by, groups in diagnosis.missed.items()]
    scores = [(f"{score:.2f}", f"{100 * share:.0f} %", count) for score, share, count in diagnosis.calibration]
    return [_kinds_table(diagnosis), *missed, Table(("mean score", "true", "detections"), scores)]


def _kinds_table(diagnosis: Diagnosis) -> Table:
    """How many detections are of each kind, and the mAP gained if those were fixed."""
    total = max(sum(diagnosis.counts.values()), 1)
    gains = {name: in_percent(gain) for name, gain in diagnosis.map_gain.items()}
    rows = [(name, n, f"{100 * n / total:.1f} %", gains.get(name, "")) for name, n in diagnosis.counts.items()]
    rows.append(("missed actions", "", "", gains["missed"]))
    rows += [(f"perfect {name}", "", "", f"{100 * value:.1f}") for name, value in diagnosis.ceilings.items()]
    return Table(("detections", "", "", "mAP if fixed"), rows)


def _missed_table(by: str, groups: dict[str, tuple[int, int]]) -> Table:
    """groups: {name: (missed, all)}; empty ones are left out."""
    rows = [(name, f"{m} of {total}", f"{100 * m / total:.0f} %") for name, (m, total) in groups.items() if total]
    return Table((f"missed, by {by}", "", ""), rows)
