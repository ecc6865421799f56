"""Detections in people's own videos, and the features they come from, in one folder."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from mmad.data.features import load_track
from mmad.engine.extract import extract_folder
from mmad.engine.extract_pose import extract_pose_folder
from mmad.engine.infer import Pipeline
from mmad.engine.pose_weights import PosePipeline
from mmad.errors import InputError
from mmad.files import output_folder, path_for_id
from mmad.formats.predictions import write_predictions
from mmad.formats.submissions import write_detections
from mmad.pose.files import load_landmarks
from mmad.records import Detections, LandmarkTrack


def detect_videos(
    pipeline: Pipeline, videos: list[tuple[str, Path]], out: str | Path
) -> tuple[list[Detections], dict[str, float], list[str]]:
    """Write predictions.json and predictions.csv into `out`; what could be read of a broken video counts.

    The features stay in `out`/features, so that the same command goes on where it was stopped; those of a video that
    was replaced or cannot be read any more do not count. Returns the detections,
    the durations in s by video id, and what went wrong, a line each.
    """
    out = _checked(out)
    ready, problems = extract_folder(pipeline.extractor, videos, out / "features")
    found, durations = [], {}
    for video_id in ready:
        track = load_track(out / "features", video_id)
        found.append(pipeline.detect_track(track))
        durations[video_id] = track.duration
    write_predictions(out / "predictions.json", found, pipeline.labels)
    write_detections(out / "predictions.csv", found, "csv", pipeline.labels)
    return found, durations, problems


def detect_people(
    pipeline: PosePipeline, videos: list[tuple[str, Path]], tracks: Sequence[LandmarkTrack], out: str | Path
) -> tuple[list[Detections], list[LandmarkTrack], list[str]]:
    """The same by the joints of the people in videos, and in landmark tracks that are there already.

    The joints stay in `out`/landmarks, so that the same command goes on where it was stopped. Returns the detections of
    each person, their joints, and what went wrong, a line each.
    """
    out, problems, everyone = _checked(out), [], list(tracks)
    if videos:
        ready, problems = extract_pose_folder(pipeline.pose, videos, out / "landmarks")
        everyone += [load_landmarks(path_for_id(out / "landmarks", name, ".npz")) for name in ready]
    found = [pipeline.detect_landmarks(track) for track in tqdm(everyone, desc="detecting", leave=False, disable=None)]
    write_predictions(out / "predictions.json", found, pipeline.labels)
    told = [pipeline.told(item) for item in found]
    write_detections(out / "predictions.csv", told, "csv", pipeline.labels)
    return found, everyone, problems


def _checked(out: str | Path) -> Path:
    out = output_folder(out)
    if (out / "last.pt").exists():
        raise InputError(out, "is the folder of a training run", "choose another --out")
    return out
