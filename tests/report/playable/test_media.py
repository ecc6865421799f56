"""Videos that browsers do not play, made into ones that they do, read back: frames, times, sound."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest
from made_videos import ORIENTATIONS, cut_off, index_of, matrix_of, picture, trimmed, turned

from mmad.report.playable import media
from mmad.report.playable.media import bring_media, kind_of
from mmad.report.playable.mp4 import BT601
from mmad.video.orientation import Orientation
from mmad.video.reader import probe, start_in_player, stream

BT709, UNSAID, JPEG = 1, 2, 5  # FFmpeg's numbers of colour spaces

CLICK = 1.0  # s after the first shown picture


def click(begins: float, start: float, rate: int) -> av.AudioFrame:
    """1.6 s of silence with a click, from `begins` on. start: s of the first picture."""
    samples = np.zeros((1, round(1.6 * rate) + round(max(start - begins, 0) * rate)), np.float32)
    at = round((start + CLICK - begins) * rate)
    samples[0, at : at + rate // 50] = 0.8 * np.sin(np.arange(rate // 50) * 2 * np.pi * 1000 / rate)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(begins * rate)
    return frame


def film(
    path,
    codec="libx264",
    pixels="yuv420p",
    sound=None,
    frames=40,
    size=(64, 48),
    start=0.0,
    sound_start=0.0,
    times=None,
    rate=44_100,
    step=1,
    **options,
):
    """A video of frames that say their index times `step`, darker below, 25 a second or at `times`, and of a click.

    start, sound_start: s. rate: samples a second.
    """
    tick = Fraction(1, 25) if times is None else Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = *size, pixels
        video.codec_context.time_base = tick
        track = container.add_stream(sound, rate=rate, layout="mono") if sound else None
        packets = []
        for index in range(frames):
            shown = picture(index * step, size).copy()
            shown[size[1] // 2 :] //= 2
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.time_base, frame.pts = tick, round((start + (times[index] if times else index / 25)) / tick)
            packets += video.encode(frame)
        packets += video.encode(None)
        if track:
            packets += [*track.encode(click(sound_start, start, rate)), *track.encode(None)]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def brought(tmp_path, video, **choice):
    """The file in the folder of the page, and what a player shows at the first frame."""
    place, shift = bring_media(video, probe(video), tmp_path / "report", "v", **choice)
    return tmp_path / "report" / place, shift


def assert_same(copy, source, frames=40):
    """The copy plays everywhere and shows the frames of its source at their times."""
    info, expected = probe(copy), probe(source)
    assert media.unplayed(kind_of(copy), ".mp4") == "" and info.rotation == 0
    assert start_in_player(info) == 0 and info.num_frames == expected.num_frames == frames
    np.testing.assert_allclose(info.times, expected.times, atol=0.002)
    assert [index_of(frame) for _, frame in stream(copy)] == list(range(frames))


def heard(path) -> float:
    """s from the first shown picture to the click."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        times, loud = [], []
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().reshape(frame.samples, -1).astype(float)).max(axis=1)
            times.append(float(frame.pts * frame.time_base) + np.arange(frame.samples) / rate)
            loud.append(samples)
    times, loud = np.concatenate(times), np.concatenate(loud)
    info = probe(path)
    return times[loud > loud.max() / 3][0] - float(info.timestamps[0]) * info.time_base


def needs(codec: str):
    return pytest.mark.skipif(codec not in av.codecs_available, reason=f"FFmpeg was built without {codec}")


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "sound", "why"),
    [
        ("v.avi", "mjpeg", "yuvj422p", "pcm_s16le", "mjpeg"),
        ("v.avi", "mpeg4", "yuv420p", "mp2", "mpeg4"),
        ("v.avi", "libx264", "yuv420p", "pcm_s16le", "h264 in .avi files"),  # B frames, whose times it cannot say
        ("v.mpg", "mpeg2video", "yuv420p", "mp2", "mpeg2video"),
        ("v.wmv", "wmv2", "yuv420p", "mp2", "wmv2"),
        ("v.mp4", "libx264", "yuv422p", "aac", "h264 with yuv422p"),
        pytest.param("v.mov", "libx265", "yuv420p", "aac", "hevc", marks=needs("libx265")),
        pytest.param("v.mkv", "libx265", "yuv420p10le", "ac3", "hevc", marks=needs("libx265")),
    ],
)
def test_what_no_browser_plays_is_converted(tmp_path, capsys, name, codec, pixels, sound, why):
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    source = film(tmp_path / name, codec, pixels, sound, **quiet)
    copy, shift = brought(tmp_path, source)
    assert f"{name}: converted for the page, browsers do not play {why}\n" in capsys.readouterr().out
    assert copy == tmp_path / "report" / "copies" / "v.mp4" and shift == 0
    assert_same(copy, source)
    assert heard(copy) == pytest.approx(heard(source), abs=0.01)


@pytest.mark.parametrize(
    ("name", "sound", "start", "sound_start", "why"),
    [
        ("v.mkv", "pcm_s16le", 0.0, 0.0, "h264 in .mkv files"),
        ("v.mov", "pcm_s16le", 0.0, 0.0, "pcm_s16le sound"),
        ("v.mkv", "libmp3lame", 0.0, 0.0, "h264 in .mkv files"),
        ("v.ts", "aac", 1.4, 1.4, "h264 in .ts files"),
        ("v.ts", "aac", 1.4, 1.1, "h264 in .ts files"),  # the sound begins before the picture
        ("v.mts", "ac3", 1.4, 1.1, "h264 in .mts files"),
        ("v.mts", "ac3", 1.4, 1.9, "h264 in .mts files"),  # and after it
        ("v.mkv", None, 0.52, 0.0, "h264 in .mkv files"),
    ],
)
def test_h264_of_all_browsers_is_copied(tmp_path, capsys, name, sound, start, sound_start, why):
    source = film(tmp_path / name, sound=sound, start=start, sound_start=sound_start)
    copy, shift = brought(tmp_path, source)
    assert f"{name}: copied into mp4 for the page, browsers do not play {why}\n" in capsys.readouterr().out
    assert_same(copy, source)
    assert shift == 0
    for (_, frame), (_, expected) in zip(stream(copy), stream(source)):
        np.testing.assert_array_equal(frame, expected)  # no pixel was encoded again
    if sound:
        assert heard(copy) == pytest.approx(CLICK, abs=0.015)
        with av.open(str(copy)) as container:
            begins = container.streams.audio[0].start_time * container.streams.audio[0].time_base
        assert sound in ("aac", "libmp3lame") or begins == 0  # cut or filled
        assert kind_of(copy).sounds == ("mp3" if sound == "libmp3lame" else "aac",)
    else:
        assert kind_of(copy).sounds == ()
    with av.open(str(copy)) as container:
        assert np.diff([packet.dts for packet in container.demux(video=0) if packet.size]).min() > 0


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("v.mp4", "libx264", "libmp3lame"),
        ("v.MOV", "libx264", None),
        ("v.m4v", "libx264", "aac"),
        pytest.param("v.webm", "libvpx-vp9", "libopus", marks=needs("libvpx-vp9")),
    ],
)
def test_what_all_browsers_play_is_linked(tmp_path, capsys, name, codec, sound):
    source = film(tmp_path / name, codec, sound=sound, frames=5, rate=48_000)
    place, _ = brought(tmp_path, source)
    assert place.samefile(source) and place.name == name.lower() and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("container", "picture", "pixels", "sounds", "suffix", "problem"),
    [
        ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "yuvj420p", (), ".mp4", ""),
        ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "yuv420p", ("ac3", "aac"), ".mov", ""),  # players choose
        ("mov,mp4,m4a,3gp,3g2,mj2", "av1", "yuv420p10le", ("aac",), ".mp4", ""),
        ("matroska,webm", "vp8", "yuv420p", ("vorbis",), ".webm", ""),
        ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "yuv420p10le", ("aac",), ".mp4", "h264 with yuv420p10le"),
        ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "yuv420p", ("aac",), ".avi", "h264 in .avi files"),
        ("mov,mp4,m4a,3gp,3g2,mj2", "h264", "yuv420p", ("ac3",), ".mp4", "ac3 sound"),
        ("matroska,webm", "h264", "yuv420p", ("opus",), ".webm", "h264 in .webm files"),
        ("matroska,webm", "vp9", "yuv420p", ("opus",), ".mkv", "vp9 in .mkv files"),
        ("avi", "dvvideo", "yuv420p", (), ".avi", "dvvideo"),
    ],
)
def test_what_browsers_play(container, picture, pixels, sounds, suffix, problem):
    kind = media.Kind(container, picture, pixels, sounds)
    assert media.unplayed(kind, suffix) == problem


def test_as_is_nothing_is_converted(tmp_path, capsys):
    source = film(tmp_path / "v.avi", "mjpeg", "yuvj420p", frames=5)
    place, _ = brought(tmp_path, source, as_is=True)
    assert place.samefile(source) and place.name == "v.avi" and capsys.readouterr().out == ""


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_times_of_a_variable_rate_stay(tmp_path, codec):
    times = [0, 0.04, 0.1, 0.3, 0.32, 0.5, 1.7, 1.71, 1.8]
    source = film(tmp_path / "v.mkv", codec, frames=9, times=times, sound="aac", bf="0")
    copy, _ = brought(tmp_path, source)
    assert_same(copy, source, 9)
    np.testing.assert_allclose(probe(copy).times, times, atol=0.002)
    assert heard(copy) == pytest.approx(CLICK, abs=0.01)


@pytest.mark.parametrize("orientation", [name for name in ORIENTATIONS if name != "as it is"])
def test_a_turned_video_comes_out_upright(tmp_path, orientation):
    lying = film(tmp_path / "lying.mov", size=(96, 64), frames=10, sound="pcm_s16le")
    source = turned(tmp_path / "v.mov", lying, matrix_of(orientation))
    copy, _ = brought(tmp_path, source)
    info, expected_info = probe(copy), probe(source)
    assert (info.width, info.height) == (expected_info.width, expected_info.height)
    assert info.orientation == Orientation() != expected_info.orientation
    for (_, frame), (_, expected) in zip(stream(copy), stream(source)):
        assert np.abs(frame.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_what_not_all_browsers_turn_upright_is_converted(tmp_path, capsys, orientation):
    """All turn the pictures of mp4 files, and not all mirror them."""
    lying = film(tmp_path / "lying.mp4", size=(96, 64), frames=10, sound="aac")
    source = turned(tmp_path / "v.mp4", lying, matrix_of(orientation))
    copy, _ = brought(tmp_path, source)
    mirrors = probe(source).orientation.mirrored
    assert mirrors == ("mirrored" in orientation or orientation == "upside down")
    assert copy.parent.name == ("copies" if mirrors else "media")
    assert ("browsers do not play mirrored pictures" in capsys.readouterr().out) == mirrors
    for (_, frame), (_, expected) in zip(stream(copy), stream(source)):
        assert np.abs(frame.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_what_an_edit_list_hides_stays_hidden(tmp_path, codec):
    whole = film(tmp_path / "whole.mov", codec, bf="0", g="10", sc_threshold="0")
    source = trimmed(tmp_path / "v.mov", whole, hidden=3).rename(tmp_path / "v.qt")
    copy, _ = brought(tmp_path, source)
    assert [index_of(frame) for _, frame in stream(copy)] == list(range(3, 40))
    with av.open(str(copy)) as container:
        assert container.streams.video[0].frames == 37


def test_of_a_broken_file_that_is_converted_there_is_what_can_be_read(tmp_path):
    source = cut_off(tmp_path / "v.mov", film(tmp_path / "whole.mov", "mpeg2video", bf="0"), 12)
    copy, _ = brought(tmp_path, source)
    assert [index_of(frame) for _, frame in stream(copy)] == list(range(12))


def test_of_a_broken_file_that_is_copied_there_is_what_can_be_read(tmp_path):
    whole = film(tmp_path / "whole.mts", sound="ac3", bf="0")
    (tmp_path / "v.mts").write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    copy, _ = brought(tmp_path, tmp_path / "v.mts")
    assert 8 <= probe(copy).num_frames < 30
    assert_same(copy, tmp_path / "v.mts", probe(copy).num_frames)


@pytest.mark.parametrize("sound", ["ac3", "aac"])
def test_sound_that_is_announced_and_not_there_is_left_out(tmp_path, sound):
    with av.open(str(tmp_path / "v.ts"), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.add_stream(sound, rate=48_000)
        for index in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(video.encode(None))
    with av.open(str(tmp_path / "v.ts")) as container:
        assert container.streams.audio[0].sample_rate == 0
    copy, _ = brought(tmp_path, tmp_path / "v.ts")
    assert_same(copy, tmp_path / "v.ts", 10)
    assert kind_of(copy).sounds == ()


def test_sound_that_changes_its_kind_ends_there(tmp_path):
    """Two recordings in one file; the second has other settings."""
    tracks = []
    with av.open(str(tmp_path / "v.ts"), "w") as joined:
        for number, (start, rate) in enumerate(((1.4, 48_000), (3.2, 44_100))):
            part = film(tmp_path / f"{number}.ts", sound="ac3", start=start, sound_start=start, rate=rate)
            with av.open(str(part)) as reading:
                tracks = tracks or [joined.add_stream_from_template(track) for track in reading.streams]
                for packet in reading.demux():
                    if packet.dts is not None:
                        packet.stream = tracks[packet.stream.index]
                        joined.mux(packet)
    copy, _ = brought(tmp_path, tmp_path / "v.ts")
    assert copy.parent.name == "copies" and probe(copy).num_frames == 80
    assert heard(copy) == pytest.approx(CLICK, abs=0.015)
    with av.open(str(copy)) as container:
        ends = [float(frame.pts * frame.time_base) for frame in container.decode(audio=0)][-1]
    assert ends < 2  # s of 3.4


def test_a_copy_is_made_once_for_each_state_of_the_video(tmp_path, capsys):
    source = film(tmp_path / "v.avi", "mjpeg", "yuvj420p", frames=5)
    os.utime(source, (1e9, 1e9))
    bring_media(source, probe(source), tmp_path / "report", "v", as_is=True)
    first, _ = brought(tmp_path, source)
    made = first.stat().st_mtime_ns, first.stat().st_ino
    assert "converted" in capsys.readouterr().out
    again, shift = brought(tmp_path, source)
    assert (again, shift) == (first, 0) and (again.stat().st_mtime_ns, again.stat().st_ino) == made
    assert capsys.readouterr().out == ""
    film(source, "mjpeg", "yuvj420p", frames=8)
    os.utime(source, (1e9, 1e9))  # the files of an archive may all have one time
    changed, _ = brought(tmp_path, source)
    assert changed == first and "converted" in capsys.readouterr().out
    assert probe(changed).num_frames == 8
    assert [path.name for path in (tmp_path / "report").rglob("*.*")] == ["v.mp4"]
    bring_media(source, probe(source), tmp_path / "report", "v", as_is=True)
    assert [path.name for path in (tmp_path / "report").rglob("*.*")] == ["v.avi"]


def test_what_a_person_named_is_never_removed(tmp_path):
    """The originals are gone, and the report is made anew from what lies in it."""
    (tmp_path / "report" / "media").mkdir(parents=True)
    source = film(tmp_path / "report" / "media" / "v.avi", "mjpeg", "yuvj420p", frames=5)
    copy, _ = brought(tmp_path, source)
    assert source.exists() and copy.exists()
    bring_media(copy, probe(copy), tmp_path / "report", "v")
    assert copy.exists()


def test_what_cannot_be_converted_comes_as_it_is(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(media, "encode", full)
    source = film(tmp_path / "v.avi", "mjpeg", "yuvj420p", frames=5)
    place, _ = brought(tmp_path, source)
    assert place.samefile(source)
    assert "v.avi: not converted for the page ([Errno 28] No space left" in capsys.readouterr().err


def test_large_pictures_shrink_and_pixels_become_square(tmp_path):
    """1440 x 1080 pixels that are 4/3 wide, as camcorders have them: 16:9."""
    with av.open(str(tmp_path / "v.mpg"), "w") as container:
        video = container.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 1440, 1080, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for index in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index, (1440, 1080)), format="rgb24")))
        container.mux(video.encode(None))
    copy, _ = brought(tmp_path, tmp_path / "v.mpg")
    info = probe(copy)
    assert (info.width, info.height) == (1280, 720)
    assert [index_of(frame) for _, frame in stream(copy)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("codec", "pixels", "colorspace", "said"),
    [
        ("ffv1", "bgr0", None, BT601),
        ("mjpeg", "yuvj444p", None, JPEG),
        ("ffv1", "gray", None, UNSAID),
        ("ffv1", "yuv422p10le", BT709, BT709),
    ],
)
def test_colours_stay(tmp_path, codec, pixels, colorspace, said):
    """Black, white, red, blue, odd sizes. The colour space is said where the source says it: players would guess."""
    colours = np.array([[0, 0, 0], [255, 255, 255], [200, 30, 30], [20, 40, 220]], np.uint8)
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 65, 47, pixels
        if colorspace:
            video.codec_context.colorspace = colorspace
        for colour in colours:
            frame = av.VideoFrame.from_ndarray(np.broadcast_to(colour, (47, 65, 3)).copy(), format="rgb24")
            if colorspace:
                frame = frame.reformat(format=pixels, dst_colorspace="ITU709")
                frame.colorspace = colorspace
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    copy, _ = brought(tmp_path, tmp_path / "v.mkv")
    with av.open(str(copy)) as container:
        found = next(container.decode(video=0)).colorspace
    assert found == said
    for (_, frame), (_, expected) in zip(stream(copy), stream(tmp_path / "v.mkv")):
        difference = frame.mean(axis=(0, 1)) - expected.mean(axis=(0, 1))
        assert np.abs(difference).max() < 5


def test_there_is_a_key_frame_every_second(tmp_path):
    """And no more of them, though every frame of the source is one."""
    copy, _ = brought(tmp_path, film(tmp_path / "v.avi", "mjpeg", "yuvj420p", frames=80, step=0))
    with av.open(str(copy)) as container:
        keys = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.is_keyframe]
    assert keys == [0, 1, 2, 3]
