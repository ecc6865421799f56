"""Time stamps that lie: pauses and jumps, single frames far from all others, stamps that say nothing."""

import av
import numpy as np
import pytest
from made_videos import index_of, restamped, write_video

from mmad.errors import InputError
from mmad.video.reader import probe, read_few_frames, read_frames, refuse_jumps, start_in_player, stream
from mmad.video.timestamps import Gap, evened, find_gaps, is_jump, without_strays

HOUR = 3600.0


def said(frames) -> list[int]:
    return [index_of(frame) for frame in frames]


# --- by numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "frame", "gaps"),
    [
        ([], 0.04, []),
        ([0], 0.04, []),
        ([0, 0.04, 0.08], 0.04, []),
        ([0, 0.04, 1.0], 0.04, []),  # 0.92 s without a frame
        ([0, 0.04, 2.0, 2.04, 5.0], 0.04, [Gap(1, 0.08, 2.0), Gap(3, 2.08, 5.0)]),
        ([0, 10, 20, 30], 10, []),  # a time lapse
        ([0, 10, 20, 300], 10, [Gap(2, 30, 300)]),
        ([0, 10, 20, 120], 10, []),  # ten frames are missing
    ],
)
def test_gaps(times, frame, gaps):
    found = find_gaps(np.array(times, dtype=float), frame)
    assert [gap.after for gap in found] == [gap.after for gap in gaps]
    assert [(gap.start, gap.end) for gap in found] == [pytest.approx((gap.start, gap.end)) for gap in gaps]


@pytest.mark.parametrize(
    ("gap", "running", "jump"),
    [(59, 1, False), (60, 20, False), (300, 20, False), (300, 2, True), (600, 1000, False), (601, 1e6, True)],
)
def test_pauses_and_jumps(gap, running, jump):
    assert is_jump(gap, running) == jump


@pytest.mark.parametrize(
    ("stamps", "expected", "strays"),
    [
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], 0),
        ([0, 3, 1, 2, 4], [0, 1, 2, 3, 4], 0),  # B frames
        ([0, 90_000, 90_001, 90_002, 90_003], [89_999, 90_000, 90_001, 90_002, 90_003], 1),  # the first stamp is wrong
        ([90_000, 1, 2, 3, 4], [0, 1, 2, 3, 4], 1),
        ([0, 1, 2, 3, 90_000], [0, 1, 2, 3, 4], 1),
        ([0, 1, 90_000, 3, 4], [0, 1, 2, 3, 4], 1),
        ([90_000, 1, 2, 3, -90_000], [90_000, 1, 2, 3, -90_000], 0),  # which of them?
        ([0, 1, 2, 90_000, 90_001, 90_002], [0, 1, 2, 90_000, 90_001, 90_002], 0),  # a jump
        ([0, 90_000, 180_000], [0, 90_000, 180_000], 0),
    ],
)
def test_strays(stamps, expected, strays):
    found, count = without_strays(np.array(stamps), frame=1, second=25)
    assert found.tolist() == sorted(expected) and count == strays


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([5], [5]),
        ([0, 10, 20, 20, 20, 50], [0, 10, 20, 30, 40, 50]),  # made-up ones in between
        ([0, 10, 20, 90, 100, 110], [0, 10, 20, 90, 100, 110]),  # frames are missing
    ],
)
def test_evened(stamps, expected):
    assert evened(np.array(stamps)).tolist() == expected


# --- in files ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["mp4", "mkv", "ts"])
def source(request, tmp_path):
    return write_video(tmp_path / f"a.{request.param}", 60)


def test_a_pause_stays_on_the_players_clock_and_is_said(tmp_path, source):
    info = probe(restamped(tmp_path / f"b{source.suffix}", source, lambda number: 20 * (number >= 30)))
    assert refuse_jumps(info) is info
    assert info.fps == pytest.approx(25, rel=1e-3) and info.duration == pytest.approx(22.4, abs=0.002)
    assert info.running == pytest.approx(2.4, abs=0.002) and not info.constant_rate
    assert info.remarks == ["no frames from 1.20 to 21.20 s (a pause?)"]
    assert said(frame for _, frame in stream(info)) == list(range(60))
    assert list(info.nearest_frames([1.16, 5, 15, 21.2])) == [29, 29, 30, 30]


def test_a_jump_is_named_and_frames_are_still_there(tmp_path, source):
    info = probe(restamped(tmp_path / f"b{source.suffix}", source, lambda number: HOUR * (number >= 30)))
    with pytest.raises(InputError) as error:
        refuse_jumps(info)
    assert f"b{source.suffix}: its time stamps jump by 3600.0 s behind frame 29 (1.20 s); " in str(error.value)
    assert "-vf setpts=N/25/TB" in str(error.value)
    assert info.remarks == ["no frames from 1.20 to 3601.20 s (its time stamps jump)"]
    assert said(read_frames(info, [0, 29, 30, 59])) == [0, 29, 30, 59]
    assert info.fps == pytest.approx(25, rel=1e-3)


@pytest.mark.parametrize("wrong", [0, 59])
def test_one_wrong_stamp_at_an_end_costs_nothing(tmp_path, source, wrong, monkeypatch):
    """The first frame has the stamp 0, all others an hour later; or the last one has."""
    path = tmp_path / f"b{source.suffix}"
    info = probe(restamped(path, source, lambda number: HOUR * (number > 0 if wrong == 0 else number == 59)))
    assert info.strays == 1 and refuse_jumps(info).remarks[0].startswith("1 frames have wrong time stamps")
    np.testing.assert_allclose(info.times, np.arange(60) / 25, atol=0.002)
    assert said(frame for _, frame in stream(info)) == list(range(60))
    assert said(read_frames(info, [0, 1, 58, 59])) == [0, 1, 58, 59]
    monkeypatch.setattr("mmad.video.reader.MIN_FRAMES_TO_SEEK", 5)
    assert said(read_few_frames(info, [0, 31, 59])) == [0, 31, 59]
    assert start_in_player(info) == pytest.approx(HOUR - 0.04 if wrong == 0 else 0, abs=0.1)


@pytest.mark.parametrize("number", [0, 30])
def test_a_stamp_far_too_late_moves_no_other_frame(tmp_path, number):
    """Matroska also stores times of presentation that do not ascend."""
    source = write_video(tmp_path / "a.mkv", 60, between=0)
    path = tmp_path / "b.mkv"
    with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
        track = reading.streams.video[0]
        copy = writing.add_stream_from_template(track)
        for i, packet in enumerate(reading.demux(track)):
            if packet.dts is not None:
                packet.pts += round(HOUR / packet.time_base) * (i == number)
                packet.stream = copy
                writing.mux(packet)
    info = probe(path)
    assert info.strays == 1
    assert said(frame for _, frame in stream(info)) == list(range(60))
    np.testing.assert_allclose(info.times, np.arange(60) / 25, atol=0.002)


def test_stamps_that_are_all_the_same_are_counted(tmp_path):
    path = write_video(tmp_path / "a.mkv", 30, between=0, times=[0] * 30)
    info = probe(path)
    assert not info.has_timestamps and info.num_frames == 30
    assert info.duration == pytest.approx(30 * info.frame_duration)
    assert said(read_frames(info, [3, 17])) == [3, 17]
