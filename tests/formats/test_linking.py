"""Annotations and their videos: rates, lengths, and the clock of a player."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from made_annotations import BOWING, NODDING, WAVING, out_for, write
from made_videos import write_video

from mmad.errors import InputError
from mmad.formats import EVENT_FORMATS, FORMATS, read_annotations, read_events, write_events
from mmad.formats.linking import join_same_videos
from mmad.records import Annotation

LATE = 0.8  # s by which the picture begins after the sound


def late_video(path: Path) -> Path:
    """Two seconds of picture at 25 frames a second that begin 0.8 s after the sound."""
    source = write_video(path.with_name("source.mp4"), 50, audio=True, between=0)
    with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
        tracks = {track.index: writing.add_stream_from_template(track) for track in reading.streams}
        for packet in reading.demux():
            if packet.dts is None:
                continue
            late = round(LATE / packet.time_base) if packet.stream.type == "video" else 0
            packet.pts, packet.dts = packet.pts + late, packet.dts + late
            packet.stream = tracks[packet.stream.index]
            writing.mux(packet)
    source.unlink()
    return path


def times_written(path: Path) -> np.ndarray:
    """(start, end) that a player would be told: the same file, read without its video or what we noted of it."""
    file = next(p for p in sorted(path.rglob("*")) if p.is_file()) if path.is_dir() else path
    text = file.read_text()
    file.write_text(text.replace("picture_begins_at", "nothing").replace("picture begins at", "nothing"))
    [item] = read_events(path, fps=25.0)
    return item.segments


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_times_are_the_players_in_programs_with_a_player_and_the_pictures_here(tmp_path, form):
    (tmp_path / "videos").mkdir()
    late_video(tmp_path / "videos" / "v.mp4")
    write(tmp_path, "p.json", json.dumps({"results": {"v": [{"segment": [0.2, 1.0], "label": 9, "score": 0.5}]}}))
    videos = read_events(tmp_path / "p.json", videos=tmp_path / "videos")
    assert videos[0].segments.tolist() == [[0.2, 1.0]]
    out = out_for(tmp_path, form)
    write_events(out, videos, form)
    [back] = read_events(out, videos=tmp_path / "videos")
    assert np.allclose(back.segments, [[0.2, 1.0]], atol=1e-6)
    assert back.duration == pytest.approx(2.0, abs=0.01)
    shown = times_written(out)
    assert np.allclose(shown, [[1.0, 1.8]] if FORMATS[form].players_clock else [[0.2, 1.0]], atol=1e-6)


def test_what_began_before_the_picture_begins_with_it(tmp_path):
    (tmp_path / "videos").mkdir()
    late_video(tmp_path / "videos" / "v.mp4")
    write(tmp_path, "v.vtt", "WEBVTT\n\n00:00.500 --> 00:01.300\nnodding\n")
    [item] = read_events(tmp_path / "v.vtt", videos=tmp_path / "videos")
    assert item.segments.tolist() == [[0.0, 0.5]]


def test_rates_are_those_of_the_videos_where_no_file_says_them(tmp_path, capsys):
    """Frame 26 to 50 at 25 frames a second are 1 s .. 2 s; --fps wins over the video, the file over both."""
    write_video(tmp_path / "interview.mp4", 100)
    said = [{"value": {"ranges": [{"start": 26, "end": 50}], "timelinelabels": ["nodding"]}}]
    task = {"data": {"video": "/data/upload/1/0a1b2c3d-interview.mp4"}, "annotations": [{"result": said}]}
    studio = write(tmp_path, "studio.json", json.dumps([task]))
    one = write(
        tmp_path, "one.json", json.dumps({"labels": {"interview": [{"label": "nodding", "support": [26, 50]}]}})
    )
    table = "video_id,start_frame,end_frame,class,total_frames\ninterview,25,50,nodding,100\n"
    for path in (studio, one, write(tmp_path, "old.csv", table)):
        [item] = read_annotations(path, videos=tmp_path)
        assert (item.segments.tolist(), item.fps, item.duration) == ([[1.0, 2.0]], 25.0, 4.0)
        assert read_annotations(path, fps=50.0, videos=tmp_path)[0].segments.tolist() == [[0.5, 1.0]]
    assert "assumed" not in capsys.readouterr().err
    task["data"]["fps"] = 10
    [item] = read_events(write(tmp_path, "studio.json", json.dumps([task])), fps=50.0, videos=tmp_path)
    assert item.segments.tolist() == [[2.5, 5.0]]


def test_videos_that_are_not_there_are_named_once(tmp_path):
    write_video(tmp_path / "v.mp4", 10)
    write(tmp_path, "p.json", json.dumps({"results": {"v": [], "w": [], "x": []}}))
    notes = [note for item in read_events(tmp_path / "p.json", videos=tmp_path) for note in item.notes]
    assert notes == [f"2 of 3 videos are not in {tmp_path}, such as w"]
    with pytest.raises(InputError, match="is one file for 3 videos; give the folder of the videos"):
        read_events(tmp_path / "p.json", videos=tmp_path / "v.mp4")


# --- videos that are there twice --------------------------------------------------------------------------------


def test_statements_of_one_video_are_joined():
    """What both say is said once; the length that is known counts."""
    first = Annotation("v", None, [[0, 1], [2, 3]], [NODDING, WAVING])
    second = Annotation("v", 9.0, [[0, 1], [4, 5]], [NODDING, BOWING], fps=25.0, scores=[1.0, 0.5])
    other = Annotation("w", 5.0, [], [])
    joined, alone = join_same_videos(Path("f"), [first, other, second], pytest.fail)
    assert joined.rows() == [
        (0.0, 1.0, NODDING, 1.0),
        (0.0, 1.0, NODDING, 1.0),
        (2.0, 3.0, WAVING, 1.0),
        (4.0, 5.0, BOWING, 0.5),
    ]
    assert (joined.duration, joined.fps, alone.notes) == (9.0, 25.0, [])
    assert joined.notes == ["f: v is there 2 times; what is said of it is taken together"]
    again = join_same_videos(Path("f"), [first, first], pytest.fail)[0]
    assert again.rows() == first.rows()


@pytest.mark.parametrize("known", [{"duration": 9.2}, {"duration": 9.0, "fps": 30.0}])
def test_videos_that_differ_are_not_joined(known):
    found = []
    first, second = (
        Annotation("v", 9.0, [[0, 1]], [0], fps=25.0),
        Annotation("v", segments=[[2, 3]], labels=[1], **known),
    )
    assert len(join_same_videos(Path("f"), [first, second], found.append)) == 1
    assert "v is there twice, 9 s at 25 fps and 9" in str(found[0])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"database": {"v": {"duration": 9, "annotations": []}, "v": {"duration": 9, "annotations": []}}}'),
        ("p.json", '{"results": {"v": [{"segment": [0, 1], "label": 9, "score": 1}], "v": []}}'),
        ("f.json", '{"labels": {"v": [{"label": "nodding", "support": [1, 25]}], "v": []}}'),
    ],
)
def test_json_that_has_a_video_twice_is_refused(tmp_path, name, content):
    """JSON would keep what the last one says, and nobody would know."""
    with pytest.raises(InputError, match="'v' is there twice in one object; put what both say into one"):
        read_events(write(tmp_path, name, content))
