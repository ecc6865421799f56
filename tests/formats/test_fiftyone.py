import json
from pathlib import Path

import pytest
from made_annotations import ASSUMED, BOWING, NODDING, WAVING, write

from mmad.formats import (
    read_annotations,
    read_events,
)


def test_fiftyone_with_names_and_timestamps(tmp_path):
    items = [{"label": "nodding", "timestamps": [0.5, 1.5]}, {"label": "waving", "support": [1, 30], "confidence": 0.5}]
    path = write(tmp_path, "labels.json", json.dumps({"classes": None, "labels": {"v1": items, "v2": None}}))
    first, second = read_events(path)
    assert first.rows() == [(0.0, 1.0, WAVING, 0.5), (0.5, 1.5, NODDING, 1.0)]
    assert first.notes == [f"{path}: 1 of 2 videos name no fps: {ASSUMED}"]
    assert (len(second.labels), second.notes) == (0, [])


def temporal(*items: tuple) -> dict:
    """A field as FiftyOne stores it. items: (label, first frame, last frame, confidence or None)."""
    found = [
        {"_id": {"$oid": "0"}, "_cls": "TemporalDetection", "tags": [], "label": label, "support": [first, last]}
        | ({} if confidence is None else {"confidence": confidence})
        for label, first, last, confidence in items
    ]
    return {"_cls": "TemporalDetections", "detections": found}


def sample(filepath: str, fps: float | None = 25.0, **fields) -> dict:
    metadata = {"_cls": "VideoMetadata", "frame_rate": fps, "total_frame_count": 250, "duration": 10.04}
    known = {"filepath": filepath, "tags": [], "_media_type": "video", "metadata": metadata if fps else None}
    return {"_id": {"$oid": "1"}, **known, **fields}


def fiftyone_export(folder: Path, *samples: dict) -> Path:
    """The folder of a FiftyOneDataset."""
    write(folder, "metadata.json", json.dumps({"name": "d", "media_type": "video", "sample_fields": []}))
    write(folder, "frames.json", json.dumps({"frames": [{"frame_number": 1, "_sample_id": {"$oid": "1"}}]}))
    write(folder, "data/v1.mp4", "")
    return write(folder, "samples.json", json.dumps({"samples": samples})).parent


def test_a_fiftyone_data_set(tmp_path):
    said = {"ground_truth": temporal(("waving", 26, 50, None), ("nodding", 1, 25, None))}
    folder = fiftyone_export(tmp_path, sample("data/v1.mp4", **said), sample("data/day2/v.2.mp4", ground_truth=None))
    for path in (folder, folder / "samples.json"):
        first, second = read_events(path)
        assert (first.video_id, first.fps, first.duration, first.notes) == ("v1", 25.0, 10.04, [])
        assert first.rows() == [(0.0, 1.0, NODDING, None), (1.0, 2.0, WAVING, None)]
        assert (second.video_id, len(second.labels), second.duration) == ("day2/v.2", 0, 10.04)
        assert [item.duration for item in read_annotations(path)] == [10.04, 10.04]


def test_a_fiftyone_data_set_with_predictions_and_without_rates(tmp_path):
    """What people said is read, also where it comes last; the two things to know are one note each."""
    fields = {
        "predictions": temporal(("waving", 1, 10, 0.75)),
        "event": {"_cls": "TemporalDetection", "label": "bowing head", "support": [1, 5]},
        "boxes": {"_cls": "Detections", "detections": [{"label": "waving", "confidence": 0.5}]},
    }
    samples = [
        sample("data/v1.mp4", None, **fields),
        sample("data/v2.mp4", None, ground_truth=temporal(("nodding", 11, 20, None))),
    ]
    path = fiftyone_export(tmp_path, *samples) / "samples.json"
    first, second = read_events(path, fps=10)
    assert (len(first.labels), second.rows()) == (0, [(1.0, 2.0, NODDING, None)])
    assert first.notes + second.notes == [
        f"{path}: its field 'ground_truth' is read, left out: event, predictions",
    ]
    notes = [note for events in read_events(path) for note in events.notes]
    assert notes[1:] == [f"{path}: 1 of 2 videos have no frame_rate in their metadata: {ASSUMED}"]
    del samples[1]["ground_truth"]
    assert read_events(fiftyone_export(tmp_path, *samples), fps=10)[0].rows() == [(0.0, 0.5, BOWING, None)]
    del samples[0]["event"]
    assert read_events(fiftyone_export(tmp_path, *samples), fps=10)[0].rows() == [(0.0, 1.0, WAVING, 0.75)]


@pytest.mark.parametrize(
    ("filepath", "video_id"),
    [
        ("data/v1.mp4", "v1"),
        ("data\\day 1\\v1.mp4", "day 1/v1"),
        ("day1/v1.avi", "day1/v1"),
        ("/home/anna/data/v1.mp4", "v1"),
        ("C:\\videos\\v1.mp4", "v1"),
        ("s3://bucket/day1/v1.mp4", "v1"),
        ("data/no suffix", "no suffix"),
    ],
)
def test_how_videos_of_fiftyone_are_called(tmp_path, filepath, video_id):
    said = temporal(("nodding", 1, 25, None))
    assert read_events(fiftyone_export(tmp_path, sample(filepath, said=said)))[0].video_id == video_id
