"""Detections in people's own videos, written into one folder with the features or joints that they come from."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmad.errors import InputError
from mmad.files import output_folder, path_for_id
from mmad.formats.submissions import write_results
from mmad.records import Detections, LandmarkTrack

if TYPE_CHECKING:
    from mmad.engine.infer import Pipeline, PosePipeline


def detect_videos(
    pipeline: "Pipeline", videos: list[tuple[str, Path]], out: str | Path
) -> tuple[list[Detections], dict[str, float], list[str]]:
    """Detect in videos (id, path), in the readable part of broken ones too; write predictions.json and .csv to `out`.

    The features are kept in `out`/features, so that the same command continues after an interruption; those of a video
    that was replaced or cannot be read any more are not used. Returns the detections, {video id: duration in s}, and
    what went wrong, one line each.
    """
    from mmad.data.feature_files import load_track
    from mmad.engine.feature_extractor import extract_features

    out = _checked(out)
    ready, problems = extract_features(pipeline.extractor, videos, out / "features")
    tracks = [load_track(out / "features", video_id) for video_id in ready]
    found = [pipeline.detect_track(track) for track in tracks]
    write_results(out, found, found, pipeline.labels)
    return found, {track.video_id: track.duration for track in tracks}, problems


def detect_people(
    pipeline: "PosePipeline", videos: list[tuple[str, Path]], tracks: Sequence[LandmarkTrack], out: str | Path
) -> tuple[list[Detections], list[LandmarkTrack], list[str]]:
    """The same by the joints of the people in videos, and in landmark tracks.

    The joints are kept in `out`/landmarks. predictions.csv holds only what is shown by default. Returns the detections
    of each person, their tracks, and what went wrong, one line each.
    """
    from tqdm import tqdm

    from mmad.engine.pose_extractor import extract_landmarks
    from mmad.pose.landmark_files import load_landmarks

    out, problems, people = _checked(out), [], list(tracks)
    if videos:
        ready, problems = extract_landmarks(pipeline.pose, videos, out / "landmarks")
        people += [load_landmarks(path_for_id(out / "landmarks", name, ".npz")) for name in ready]
    found = [pipeline.detect_landmarks(track) for track in tqdm(people, desc="detecting", leave=False, disable=None)]
    write_results(out, found, [pipeline.shown(item) for item in found], pipeline.labels)
    return found, people, problems


def _checked(out: str | Path) -> Path:
    out = output_folder(out)
    if (out / "last.pt").exists():
        raise InputError(out, "is the folder of a training run", "choose another --out")
    return out
