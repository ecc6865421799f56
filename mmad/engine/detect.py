"""Detections in people's own videos: features, detections, timelines and a page, in one folder."""

from pathlib import Path

from mmad.data.annotations import write_predictions
from mmad.data.exchange import write_detections
from mmad.data.features import load_track
from mmad.engine.extract import extract_folder
from mmad.engine.infer import Pipeline
from mmad.files import path_for_id
from mmad.report.page import write_page
from mmad.report.timeline import draw_timeline


def detect_videos(pipeline: Pipeline, videos: list[tuple[str, Path]], out: str | Path) -> list[str]:
    """Write predictions.json, predictions.csv, timelines/ID.png and index.html. Returns what went wrong, a line each.

    The features stay in `out`/features, so that the same command goes on where it was stopped.
    """
    out = Path(out)
    problems = extract_folder(pipeline.extractor, videos, out / "features")
    found, durations = [], {}
    for video_id, _ in videos:
        if path_for_id(out / "features", video_id, ".json").exists():
            track = load_track(out / "features", video_id)
            found.append(pipeline.detect_track(track))
            durations[video_id] = track.duration
    write_predictions(out / "predictions.json", found, pipeline.labels)
    write_detections(out / "predictions.csv", found, "csv", pipeline.labels)
    for detections in found:
        picture = path_for_id(out / "timelines", detections.video_id, ".png")
        draw_timeline(picture, detections, durations[detections.video_id], pipeline.labels)
    write_page(out / "index.html", found, durations, pipeline.labels)
    print(f"{sum(map(len, found))} detections in {len(found)} videos: open {out / 'index.html'}")
    return problems
