"""Every made frame says its index (see made_videos.py), so "the right frame" can be read off the picture."""

import importlib.util
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import av
import numpy as np
import pytest
from made_videos import (
    CLOCKWISE,
    HALF_TURN,
    cut_off,
    index_of,
    picture,
    trimmed,
    turned,
    write_audio,
    write_kind,
    write_video,
)

from mmad.errors import InputError
from mmad.video import opening, second_decoder
from mmad.video import reader as video
from mmad.video.reader import BrokenVideo, choose_reader, probe, read_few_frames, read_frames, stream

needs_decord = pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord is not installed")
VARIABLE = [0, 0.04, 0.08, 0.12, 0.5, 0.54, 1.0, 1.04, 1.08, 1.2]  # s


def said(frames) -> list[int]:
    return [index_of(frame) for frame in frames]


def until_broken(path) -> tuple[list, BrokenVideo]:
    """All (index, frame) that `stream` yields, and the error that ends them."""
    read = []
    with pytest.raises(BrokenVideo) as caught:
        for item in stream(path):
            read.append(item)
    return read, caught.value


def zeroed(path, source, packet: int):
    """A copy of a file without B frames, with the bytes of one packet overwritten: a bad disk."""
    with video.av.open(str(source)) as container:
        stored = [(item.pos, item.size) for item in container.demux(video=0) if item.size]
    start, length = stored[packet]
    data = source.read_bytes()
    path.write_bytes(data[:start] + bytes(length) + data[start + length :])
    return path


@pytest.fixture(params=["one thread", "threads"])
def decoding(request, monkeypatch):
    """Small pictures are decoded by one thread, larger ones by several, of which each holds a frame."""
    if request.param == "threads":
        monkeypatch.setattr(video, "ONE_THREAD_PIXELS", 0)


# --- probe ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(12)])
def test_probe_tells_rate_size_and_times(tmp_path, fps):
    info = probe(write_video(tmp_path / "a.mp4", 30, fps, size=(80, 48)))
    assert (info.width, info.height, info.rotation) == (80, 48, 0)
    assert (info.num_frames, info.expected_frames, info.hidden_packets) == (30, 30, 0)
    assert info.fps == pytest.approx(float(fps))
    assert info.duration == pytest.approx(30 / fps)
    assert info.times == pytest.approx([i / fps for i in range(30)])
    assert info.constant_rate


def test_probe_of_a_single_frame(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4", 1))
    assert (info.num_frames, info.fps, info.duration) == (1, pytest.approx(25), pytest.approx(0.04))
    assert list(info.nearest_frames([-1, 0, 9])) == [0, 0, 0]


def test_an_audio_track_changes_nothing(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4", 20, audio=True))
    assert (info.num_frames, info.duration) == (20, pytest.approx(0.8))
    assert said(read_frames(info, [3, 17])) == [3, 17]


def test_variable_rate_takes_times_from_timestamps(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4", 10, times=VARIABLE))
    assert info.times == pytest.approx(VARIABLE)
    assert info.duration == pytest.approx(1.24)  # the last frame lasts as long as most do
    assert not info.constant_rate
    seconds = [-1, 0, 0.05, 0.07, 0.3, 0.32, 0.8, 1.15, 99]
    assert list(info.nearest_frames(seconds)) == [0, 0, 1, 2, 3, 4, 6, 9, 9]


# --- which file -------------------------------------------------------------------------------------------------


def test_a_file_is_told_by_its_size_its_head_and_its_tail(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "ENDS", 10)
    path = tmp_path / "a.mp4"

    def identity(content: bytes) -> dict:
        path.write_bytes(content)
        return video.video_identity(path)

    content = bytes(range(100))
    told = identity(content)
    assert told["size"] == 100 and len(told["digest"]) == 16
    assert identity(content) == told
    others = [b"x" + content[1:], content[:-1] + b"x", content + b"x", content[:-1], content[:5], content[:6]]
    assert len({str(identity(other)) for other in [content, *others]}) == 7
    assert identity(content[:50] + b"x" + content[51:]) == told  # the middle is not read: a video may be huge


@pytest.mark.parametrize("content", [None, b""])
def test_a_file_that_is_not_there_is_not_told(tmp_path, content):
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mp4: (no such file|the file is empty)"):
        video.video_identity(tmp_path / "a.mp4")


# --- frames -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [0, 2])
def test_stream_yields_all_frames_in_order(tmp_path, between):
    frames = list(stream(write_video(tmp_path / "a.mp4", 24, between=between)))
    assert [index for index, _ in frames] == list(range(24))
    assert said(frame for _, frame in frames) == list(range(24))
    assert {(frame.shape, frame.dtype) for _, frame in frames} == {((48, 64, 3), np.dtype(np.uint8))}


def test_stream_yields_chosen_frames(tmp_path):
    path = write_video(tmp_path / "a.mp4", 24)
    assert [(index, index_of(frame)) for index, frame in stream(path, [0, 7, 23])] == [(0, 0), (7, 7), (23, 23)]
    assert list(stream(path, [])) == []


@pytest.fixture
def decoded(monkeypatch) -> list:
    """What has been decoded so far."""
    items, real = [], video._decode

    def counting(*given):
        for item in real(*given):
            items.append(item)
            yield item

    monkeypatch.setattr(video, "_decode", counting)
    return items


def test_stream_decodes_no_further_than_the_consumer_asks(tmp_path, decoded):
    info = probe(write_video(tmp_path / "a.mp4", 40))
    decoded.clear()
    frames = stream(info)
    for _ in range(3):
        next(frames)
    assert len(decoded) == 3  # the rest waits in the file however slow the consumer is
    frames.close()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
@pytest.mark.parametrize("between", [0, 1, 3])
def test_frames_that_nobody_needs_are_not_decoded(tmp_path, decoded, between, suffix):
    """Every frame by itself is the same as among all; B frames in between are left out."""
    info = probe(write_video(tmp_path / f"a.{suffix}", 48, between=between))
    every = dict(stream(info))
    assert said(every.values()) == list(range(48))
    for chosen in ([*range(2, 48, 4)], [*range(1, 48, 3)], [0, 47], [5, 6, 7, 30]):
        decoded.clear()
        found = dict(stream(info, chosen))
        assert list(found) == chosen
        assert all(np.array_equal(found[index], every[index]) for index in chosen)
        if suffix in ("mp4", "mkv") and between:
            assert len(decoded) <= 36


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
@pytest.mark.parametrize("between", [0, 2])
def test_what_lies_before_is_jumped_over(decoding, tmp_path, decoded, between, suffix):
    info = probe(write_video(tmp_path / f"a.{suffix}", 200, between=between))
    every = dict(stream(info))
    for chosen in ([29, 150], [30, 31], [131], [*range(160, 200, 4)], [199]):
        decoded.clear()
        found = dict(stream(info, chosen))
        assert list(found) == chosen
        assert all(np.array_equal(found[index], every[index]) for index in chosen)
        if suffix != "avi":
            assert len(decoded) <= 10 + chosen[-1] - chosen[0] + 20  # as many threads hold some frames ahead


@pytest.mark.parametrize("frames", [12, 200])
@pytest.mark.parametrize("between", [0, 2])
def test_a_glance_jumps_and_sees_the_same(tmp_path, monkeypatch, frames, between):
    info = probe(write_video(tmp_path / "a.mp4", frames, between=between))
    chosen = [frames // 8, frames // 2, frames - 1]
    monkeypatch.setattr(video, "MIN_FRAMES_TO_SEEK", 30)
    assert said(read_few_frames(info, chosen)) == chosen
    assert read_few_frames(info, chosen, (24, 32)).shape == (3, 24, 32, 3)
    turned_info = probe(turned(tmp_path / "b.mp4", info.path, CLOCKWISE))
    assert read_few_frames(turned_info, chosen).shape == (3, 64, 48, 3)


def test_decoders_that_skip_too_much_are_not_told_to_skip(tmp_path):
    """AV1's reads only once what it may leave out, and then leaves out what was asked for as well."""
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("this build of FFmpeg cannot write AV1")
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        track = container.add_stream("libsvtav1", rate=25, options={"preset": "12"})
        track.width, track.height, track.pix_fmt = 64, 64, "yuv420p"
        for index in range(48):
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture(index, (64, 64)), format="rgb24")))
        container.mux(track.encode(None))
    chosen = list(range(1, 48, 4))
    assert [index_of(frame) for _, frame in stream(path, chosen)] == chosen


@pytest.mark.parametrize("reader", ["pyav", pytest.param("decord", marks=needs_decord)])
def test_read_frames_in_any_order_with_repeats(tmp_path, reader):
    path = write_video(tmp_path / "a.mp4", 24)
    assert said(read_frames(path, [5, 0, 23, 5, 11], reader)) == [5, 0, 23, 5, 11]
    assert read_frames(path, [], reader).shape == (0, 48, 64, 3)


@pytest.mark.parametrize("wrong", [[24], [3, -1]])
def test_a_frame_outside_the_video_is_named(tmp_path, wrong):
    path = write_video(tmp_path / "a.mp4", 24)
    for read in (read_frames, lambda *given: list(stream(*given))):
        with pytest.raises(InputError, match=rf"a\.mp4: frame {wrong[-1]} was asked for; frames are 0\.\.23"):
            read(path, wrong)


@needs_decord
@pytest.mark.parametrize("form", ["plain", "ntsc", "variable", "clockwise", "half turn"])
def test_both_readers_give_the_same_bits(tmp_path, form):
    path = tmp_path / "a.mp4"
    if form == "ntsc":
        write_video(path, 30, Fraction(30000, 1001))
    elif form == "variable":
        write_video(path, 10, times=VARIABLE)
    else:
        write_video(path, 24, size=(96, 64))
    if form in ("clockwise", "half turn"):
        path = turned(tmp_path / "b.mp4", path, CLOCKWISE if form == "clockwise" else HALF_TURN)
    info = probe(path)
    order = np.random.default_rng(0).permutation(info.num_frames)
    np.testing.assert_array_equal(read_frames(info, order, "pyav"), read_frames(info, order, "decord"))


def test_auto_reads_what_decord_fails_on(tmp_path):
    path = write_video(tmp_path / "a.mp4", 24, size=(48, 64))  # a width at which decord 0.6 cannot copy frames
    assert said(read_frames(path, [9, 2])) == [9, 2]


@pytest.mark.shared
@needs_decord
def test_both_readers_give_the_same_bits_on_real_clips(shared):
    clips = sorted((shared / "data/ma52_samples").glob("*.mp4"))
    assert len(clips) == 6
    for path in clips:
        info = probe(path)
        chosen = np.arange(0, info.num_frames, 6)
        frames = read_frames(info, chosen, "decord")
        assert frames.shape == (len(chosen), info.height, info.width, 3)
        for (index, frame), other in zip(stream(info, chosen), frames):
            assert np.array_equal(frame, other), f"{path.name}, frame {index}"


@pytest.mark.parametrize("reader", ["pyav", pytest.param("decord", marks=needs_decord)])
@pytest.mark.parametrize("upright", [True, False])
def test_resizing_in_the_decoder(tmp_path, reader, upright):
    path = write_video(tmp_path / "a.mp4", 24, size=(96, 64))
    if not upright:
        path = turned(tmp_path / "b.mp4", path, CLOCKWISE)
    frames = read_frames(path, [9, 2], reader, size=(24, 40))
    assert frames.shape == (2, 24, 40, 3)
    if not upright:  # bars lie; the leftmost is on top
        frames = frames.transpose(0, 2, 1, 3)
    assert said(frames) == [9, 2]


# --- rotation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upright", [False, True])
def test_pixels_that_are_not_square_are_made_so(tmp_path, upright):
    path = write_video(tmp_path / "a.mp4", 12, size=(72, 48), aspect=Fraction(4, 3))
    path = turned(tmp_path / "b.mp4", path, CLOCKWISE) if upright else path
    info = probe(path)
    width, height = (48, 96) if upright else (96, 48)
    assert (info.width, info.height, info.square) == (width, height, False)
    frames = read_frames(info, [3, 7])
    assert frames.shape == (2, height, width, 3)
    assert said(np.rot90(frames, axes=(1, 2)) if upright else frames) == [3, 7]
    assert read_frames(info, [3], size=(30, 20)).shape == (1, 30, 20, 3)
    assert read_few_frames(info, [3]).shape == (1, height, width, 3)
    assert probe(write_video(tmp_path / "c.mp4", 2, aspect=Fraction(100, 101))).square


def test_rotation_is_applied(tmp_path):
    plain = write_video(tmp_path / "a.mp4", 12)
    stored = read_frames(plain, range(12), "pyav")
    clockwise, half = turned(tmp_path / "b.mp4", plain, CLOCKWISE), turned(tmp_path / "c.mp4", plain, HALF_TURN)
    info = probe(clockwise)
    assert (info.rotation, info.width, info.height) == (270, 48, 64)  # 270 counter-clockwise
    frames = read_frames(clockwise, range(12), "pyav")
    np.testing.assert_array_equal(frames, np.rot90(stored, -1, axes=(1, 2)))
    assert said(frames.transpose(0, 2, 1, 3)) == list(range(12))  # the left bar is on top
    assert probe(half).rotation == 180
    np.testing.assert_array_equal(read_frames(half, range(12), "pyav"), stored[:, ::-1, ::-1])


# --- edit lists -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hidden, shown",
    [
        (7, 33),  # hides part of the first group of ten frames
        (13, 27),  # hides a whole group, which the demuxer then never hands out
        (0, 12),  # cut at the end: as telephones trim
        (7, 12),
    ],
)
def test_an_edit_list_shows_the_right_frames(tmp_path, hidden, shown):
    source = write_video(tmp_path / "a.mp4", 40)
    path = trimmed(tmp_path / "b.mp4", source, hidden, shown if hidden + shown < 40 else None)
    info = probe(path)
    assert (info.num_frames, info.expected_frames) == (shown, shown)
    assert info.duration == pytest.approx(shown / 25)
    right = list(range(hidden, hidden + shown))
    assert said(frame for _, frame in stream(path)) == right
    assert said(read_frames(path, range(shown))) == right


# --- which reader -----------------------------------------------------------------------------------------------


def test_pyav_reads_unless_decord_is_wished_for(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4"))
    assert choose_reader(info) == ("pyav", "reads every kind of file frame by frame")
    assert choose_reader(info, "pyav") == ("pyav", "chosen by the user")
    assert choose_reader(info, "decord") == ("decord", "chosen by the user")
    with pytest.raises(InputError, match="reader: 'opencv'; choose one of auto, pyav, decord"):
        choose_reader(info, "opencv")


def test_frames_of_decord_are_compared_one_by_one(tmp_path, monkeypatch):
    """Also where only the last of those asked for is another."""
    path = write_video(tmp_path / "a.mp4", 24)

    class OffByOneAtTheEnd:
        def get_batch(self, indices):
            frames = [read_frames(path, [min(i, 21)], "pyav")[0] for i in indices]
            return SimpleNamespace(asnumpy=lambda: np.stack(frames))

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(second_decoder, "_open_decord", lambda path: OffByOneAtTheEnd())
    assert said(read_frames(path, [3, 21, 0, 3], "decord")) == [3, 21, 0, 3]
    with pytest.raises(InputError, match=r"a\.mp4: decord returns another picture for frame 22; use reader=pyav"):
        read_frames(path, [3, 22, 5], "decord")
    assert said(read_frames(path, [3, 22, 5])) == [3, 22, 5]


@needs_decord
@pytest.mark.parametrize("kind", ["H.264 of a broadcast", "MPEG-2 of a DVD", "Windows Media", "MPEG-4 with B frames"])
def test_files_of_which_decord_returns_other_frames_are_refused_with_it(tmp_path, kind):
    path = write_kind(tmp_path / "a", kind, 240)
    chosen = [20, 40, 100, 239]
    with pytest.raises(InputError, match=r"a\.\w+: decord (returns another picture for frame|cannot read this file)"):
        read_frames(path, chosen, "decord")
    assert said(read_frames(path, chosen)) == chosen


def test_decord_that_is_not_there_is_said(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="reader=decord: decord is not installed; pip install decord, or use reader="):
        read_frames(path, [0], "decord")
    assert said(read_frames(path, [0])) == [0]


@needs_decord
def test_a_chosen_reader_that_fails_says_so(tmp_path):
    path = cut_off(tmp_path / "b.mp4", write_video(tmp_path / "a.mp4", 40), 12)
    with pytest.raises(InputError, match=r"b\.mp4: decord cannot read this file; use reader=pyav"):
        read_frames(path, [0], "decord")
    assert said(read_frames(path, [0, 4])) == [0, 4]


# --- damaged files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [0, 2])
@pytest.mark.parametrize("of_next", [0, 0.5])
def test_a_file_cut_off_keeps_its_whole_frames(decoding, tmp_path, between, of_next):
    source = write_video(tmp_path / "a.mp4", 40, between=between)
    path = cut_off(tmp_path / "b.mp4", source, 10, of_next)  # inside the first frame of the second group
    read, error = until_broken(path)
    assert [(index, index_of(frame)) for index, frame in read] == [(i, i) for i in range(10)]
    assert (error.read, error.expected, error.seconds) == (10, 40, pytest.approx(0.36))
    assert "b.mp4: broken or cut off: 10 of 40 frames could be read, up to 0.36 s" in str(error)
    assert said(read_frames(path, [9, 3])) == [9, 3]


def test_a_cut_between_b_frames_moves_no_frame(decoding, tmp_path):
    path = cut_off(tmp_path / "b.mp4", write_video(tmp_path / "a.mp4", 40), 12, 0)  # stored: 0..10 and 13
    info = probe(path)
    assert info.fps == pytest.approx(25)
    read, error = until_broken(path)
    assert [index_of(frame) for _, frame in read] == [index for index, _ in read] == list(range(error.read))
    assert error.read >= 10


def test_a_recording_stored_in_parts_is_read_over_the_seam(decoding, tmp_path):
    """FFmpeg takes the packet at the seam for a damaged one."""
    first = write_video(tmp_path / "a.ts", 40, between=0).read_bytes()
    times = [1.6 + i / 25 for i in range(40)]
    path = write_video(tmp_path / "b.ts", 40, times=times, first=40, between=0)
    path.write_bytes(first + path.read_bytes())
    info = probe(path)
    assert (info.num_frames, info.expected_frames, info.duration) == (80, 80, pytest.approx(3.2))
    assert info.damaged == 1
    assert said(frame for _, frame in stream(info)) == list(range(80))


def test_a_picture_that_changes_its_size_keeps_the_first(decoding, tmp_path):
    first = write_video(tmp_path / "a.ts", 40, between=0).read_bytes()
    path = write_video(tmp_path / "b.ts", 40, times=[1.6 + i / 25 for i in range(40)], size=(128, 96), between=0)
    path.write_bytes(first + path.read_bytes())
    assert read_frames(path, [0, 39, 40, 79]).shape == (4, 48, 64, 3)


def test_of_joined_files_the_first_is_read_and_the_rest_missed(decoding, tmp_path, monkeypatch):
    path = write_video(tmp_path / "b.ts", 60, first=40)
    path.write_bytes(write_video(tmp_path / "a.ts", 40).read_bytes() + path.read_bytes())
    read, error = until_broken(path)
    assert [(index, index_of(frame)) for index, frame in read] == [(i, i) for i in range(40)]
    assert (error.read, error.expected) == (40, 100)
    monkeypatch.setattr(video, "MIN_FRAMES_TO_SEEK", 10)
    assert said(frame for _, frame in stream(path, [30, 31])) == [30, 31]  # there are two frames of that time
    assert said(read_few_frames(probe(path), [30, 31])) == [30, 31]
    assert "or give files that were joined one by one" in str(error)


def test_a_damaged_packet_ends_the_video_there(decoding, tmp_path):
    path = zeroed(tmp_path / "b.mp4", write_video(tmp_path / "a.mp4", 40, between=0), packet=12)
    read, error = until_broken(path)
    assert [(index, index_of(frame)) for index, frame in read] == [(i, i) for i in range(12)]
    assert (error.read, error.expected) == (12, 40)


@pytest.mark.parametrize(
    "make, problem",
    [
        (write_audio, "has no video track (it holds: audio)"),
        (partial(write_audio, cover=True), "has no video track, only a cover picture (it holds: audio)"),
        (lambda path: path.touch(), "the file is empty (0 bytes)"),
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not a readable video"),
    ],
    ids=["audio only", "audio with a cover", "empty", "missing", "folder", "random bytes"],
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path, make, problem):
    path = tmp_path / "b.mp4"
    make(path)
    for read in (probe, lambda given: next(stream(given)), lambda given: read_frames(given, [0])):
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: {problem}")
        assert "\n" not in str(caught.value)


def test_a_video_cut_off_before_its_index_is_refused(tmp_path):
    whole = write_video(tmp_path / "a.mp4").read_bytes()  # the index stands at the end
    path = tmp_path / "b.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"b\.mp4: not a readable video .* is the file complete\?"):
        probe(path)


def test_decoding_threads_write_to_no_python_log(tmp_path):
    """They would wait for the interpreter while it waits for them; importing an older torchvision turns the log on."""
    av.logging.set_level(av.logging.ERROR)
    read_frames(write_video(tmp_path / "a.mp4", 4), [0], "pyav")
    assert av.logging.get_level() is None
