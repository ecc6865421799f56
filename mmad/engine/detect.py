"""Detections in people's own videos, and the features they come from, in one folder."""

from pathlib import Path

from mmad.data.annotations import write_predictions
from mmad.data.exchange import write_detections
from mmad.data.features import load_track
from mmad.engine.extract import extract_folder
from mmad.engine.infer import Pipeline
from mmad.errors import InputError
from mmad.files import output_folder
from mmad.records import Detections


def detect_videos(
    pipeline: Pipeline, videos: list[tuple[str, Path]], out: str | Path
) -> tuple[list[Detections], dict[str, float], list[str]]:
    """Write predictions.json and predictions.csv into `out`; what could be read of a broken video counts.

    The features stay in `out`/features, so that the same command goes on where it was stopped; those of a video that
    was replaced or cannot be read any more do not count. Returns the detections,
    the durations in s by video id, and what went wrong, a line each.
    """
    out = output_folder(out)
    if (out / "last.pt").exists():
        raise InputError(out, "is the folder of a training run", "choose another --out")
    ready, problems = extract_folder(pipeline.extractor, videos, out / "features")
    found, durations = [], {}
    for video_id in ready:
        track = load_track(out / "features", video_id)
        found.append(pipeline.detect_track(track))
        durations[video_id] = track.duration
    write_predictions(out / "predictions.json", found, pipeline.labels)
    write_detections(out / "predictions.csv", found, "csv", pipeline.labels)
    return found, durations, problems
