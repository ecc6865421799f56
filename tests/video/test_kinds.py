"""Files of all kinds that people have give the frames asked for, however these are asked for."""

import av
import numpy as np
import pytest
from made_videos import KINDS, index_of, write_kind

from mmad.video import reader as video
from mmad.video.reader import probe, read_few_frames, read_frames, stream

FRAMES = 240


def said(frames) -> list[int]:
    return [index_of(frame) for frame in frames]


@pytest.fixture(params=["one thread", "threads"])
def decoding(request, monkeypatch):
    """Small pictures are decoded by one thread, larger ones by several, of which each holds a frame."""
    if request.param == "threads":
        monkeypatch.setattr(video, "ONE_THREAD_PIXELS", 0)


@pytest.fixture(scope="module", params=KINDS)
def info(request, tmp_path_factory):
    if KINDS[request.param][1] not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg cannot write {KINDS[request.param][1]}")
    return probe(write_kind(tmp_path_factory.mktemp("kinds") / "a", request.param, FRAMES))


def test_what_is_told(info):
    assert (info.num_frames, info.expected_frames, info.gaps, info.strays) == (FRAMES, FRAMES, [], 0)
    assert info.fps == pytest.approx(25) and info.duration == pytest.approx(FRAMES / 25, abs=0.001)
    np.testing.assert_allclose(info.times, np.arange(FRAMES) / 25, atol=0.001)  # .flv and .mkv round to ms


def test_all_frames_come_in_order(decoding, info):
    frames = dict(stream(info))
    assert list(frames) == said(frames.values()) == list(range(FRAMES))


@pytest.mark.parametrize("chosen", [[20, 40, 100, 239], [0, 239], [*range(1, FRAMES, 7)], [131, 132, 133], [236, 238]])
def test_chosen_frames_are_those(decoding, info, chosen):
    assert said(read_frames(info, chosen)) == chosen
    assert said(read_frames(info, chosen[::-1])) == chosen[::-1]


def test_a_frame_is_the_same_wherever_reading_begins(decoding, info):
    """To the bit: from the key frame before it on as from the start of the file."""
    every = dict(stream(info))
    for index in range(1, FRAMES, 3):
        assert np.array_equal(read_frames(info, [index])[0], every[index]), index


@pytest.mark.parametrize("chosen", [[1, 11, 21, 31], [20, 40, 100, 239], [7, 77, 177], [238, 239]])
def test_a_glance_sees_those_frames(decoding, info, monkeypatch, chosen):
    monkeypatch.setattr(video, "MIN_FRAMES_TO_SEEK", 2)
    assert said(read_few_frames(info, chosen)) == chosen


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("MPEG-2 of a broadcast", "mpg"), ("MPEG-2 of a broadcast", "ts"), ("H.264 of a broadcast", "ts")],
)
def test_a_recording_cut_out_of_another_keeps_its_frames_in_their_place(tmp_path, kind, suffix):
    """Its first frames lean on what was cut off, and no decoder shows them; the others must not move up."""
    whole = write_kind(tmp_path / "whole", kind, 60)
    path = tmp_path / f"cut.{suffix}"
    with av.open(str(whole)) as reading, av.open(str(path), "w") as writing:
        track = reading.streams.video[0]
        copy = writing.add_stream_from_template(track)
        keys = 0
        for packet in reading.demux(track):
            keys += packet.is_keyframe
            if packet.size and keys >= 3:
                packet.stream = copy
                writing.mux(packet)
    info = probe(path)
    frames = said(frame for _, frame in stream(info))
    first = 60 - info.num_frames
    unseen = sum(index != first + i for i, index in enumerate(frames))
    assert info.num_frames < 60 and 0 < unseen <= 4
    assert frames[unseen:] == list(range(first + unseen, 60))


@pytest.mark.parametrize("kind", ["MPEG-4 with B frames", "HEVC"])
def test_a_file_that_calls_every_frame_a_key_frame_is_not_believed(tmp_path, kind):
    """As mp4 files do that have no list of key frames; of H.264 FFmpeg knows better by itself."""
    path = write_kind(tmp_path / "a", kind, 60)
    every = dict(stream(path))
    path.write_bytes(path.read_bytes().replace(b"stss", b"free"))
    info = probe(path)
    assert len(info.keys) == 60
    for index in range(1, 60, 2):
        assert np.array_equal(read_frames(info, [index])[0], every[index]), index
