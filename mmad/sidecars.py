"""Sidecar files: ID.json beside the features or landmarks of a video, written last: what made them, and from what.

Standard library only.
"""

from pathlib import Path

from mmad.errors import InputError
from mmad.files import path_for_id, read_json


def read_finished(folder: str | Path, video_id: str, source: str) -> dict | None:
    """The sidecar of results that `source` made; None where there is none.

    `InputError` where something else made them: results of different weights or settings must not be mixed.
    """
    path = path_for_id(folder, video_id, ".json")
    if not path.exists():
        return None
    content = read_json(path)
    refuse_other_source(path, content, source)
    return content


def refuse_other_source(path: str | Path, content, source: str) -> None:
    """`InputError` where the sidecar with this content does not say that `source` made its results."""
    made_by = content.get("source") if isinstance(content, dict) else None
    if made_by != source:
        problem = f"was made with other weights or settings ({made_by}, now {source})"
        raise InputError(path, problem, "choose another --out")


def video_of(sidecar: dict) -> dict:
    """What a sidecar says about the video file: its name, size and digest; empty where another program wrote it."""
    video = sidecar.get("video")
    return video if isinstance(video, dict) else {}


def is_same_video(sidecar: dict, identity: dict[str, int | str]) -> bool:
    """Whether the results are of the video with this identity, as `mmad.video.reader.video_identity` gives it."""
    video = video_of(sidecar)
    return all(video.get(key) == value for key, value in identity.items())
