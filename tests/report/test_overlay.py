"""Overlays on made videos, read back: the frames, their times and places in them."""

import av
import numpy as np
import pytest
from made_videos import ORIENTATIONS, cut_off, index_of, matrix_of, turned, write_video

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.records import Detections
from mmad.report.overlay import draw_strip, write_overlay, write_overlays
from mmad.video.orientation import Orientation
from mmad.video.reader import BrokenVideo, probe, stream

# Of 20 frames at 25 a second: frames 5 to 14.
NODDING = Detections("v", [[0.2, 0.6]], [MMA52.index["nodding"]], [0.9])
NOTHING = Detections("v", [], [], [])
ORANGE = np.array([0xE6, 0x9F, 0x00])  # the head's


def frames_of(path) -> np.ndarray:
    return np.stack([frame for _, frame in stream(path)])


def is_orange(pixels: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): compression changes colours a little, and those beside others more."""
    return np.abs(pixels.astype(int) - ORANGE).max(axis=-1) < 40


def written(tmp_path, source, found=NODDING, **choice) -> np.ndarray:
    write_overlay(tmp_path / "out.mp4", source, found, MMA52, **choice)
    return frames_of(tmp_path / "out.mp4")


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("big") / "v.mp4", 20, size=(320, 240))


def test_a_name_stands_while_its_action_goes_on(tmp_path, big):
    frames = written(tmp_path, big)
    corner = is_orange(frames[:, 2:10, 2:6]).mean(axis=(1, 2)) > 0.5
    assert np.flatnonzero(corner).tolist() == list(range(5, 15))
    dark = (frames[10, :18, :70] < 90).all(axis=-1)
    assert dark.sum() > 30  # black letters on orange


def test_the_picture_is_kept_and_the_strip_stands_below(tmp_path, big):
    frames = written(tmp_path, big)
    assert frames.shape == (20, 240 + 12, 320, 3)
    assert [index_of(frame[120:240]) for frame in frames] == list(range(20))


def test_bars_stand_at_their_times_and_a_line_moves_along(tmp_path, big):
    frames = written(tmp_path, big)
    bar = is_orange(frames[0, 240 + 5])
    assert np.abs(np.flatnonzero(bar)[[0, -1]] - (80, 239)).max() <= 2  # 0.2 and 0.6 of 0.8 s
    line = frames[:, -2].mean(axis=-1).argmax(axis=1)
    np.testing.assert_allclose(line, np.arange(20) / 20 * 319, atol=1.5)


def test_nothing_found_or_chosen_is_a_video_too(tmp_path, big):
    for choice in ({"found": NOTHING}, {"max_detections": 0}, {"min_score": 0.95}):
        assert not is_orange(written(tmp_path, big, **choice)).any()


def test_times_of_a_variable_rate_are_kept(tmp_path):
    times = [0, 0.04, 0.1, 0.3, 0.32, 0.5]
    source = write_video(tmp_path / "v.mp4", 6, times=times, between=0)
    frames = written(tmp_path, source)
    np.testing.assert_allclose(probe(tmp_path / "out.mp4").times, probe(source).times, atol=1e-9)
    np.testing.assert_allclose(probe(tmp_path / "out.mp4").times, times, atol=1e-4)
    assert [index_of(frame[24:48]) for frame in frames] == list(range(6))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turned_video_comes_out_upright(tmp_path, orientation):
    lying = write_video(tmp_path / "lying.mp4", 5, size=(96, 64), stripe=True)
    source = turned(tmp_path / "v.mp4", lying, matrix_of(orientation))
    frames = written(tmp_path, source, NOTHING)
    info, width, height = probe(tmp_path / "out.mp4"), probe(source).width, probe(source).height
    assert (info.width, info.orientation) == (width, Orientation()) and info.height >= height
    for frame, (_, expected) in zip(frames, stream(source)):
        assert np.abs(frame[:height].astype(int) - expected).mean() < 4


@pytest.mark.parametrize("size", [(48, 96), (16, 16)])
def test_small_and_tall_pictures(tmp_path, size):
    frames = written(tmp_path, write_video(tmp_path / "v.mp4", 20, size=size))
    assert frames.shape[0] == 20 and frames.shape[2] == size[0] and frames.shape[1] >= size[1]
    assert is_orange(frames[10, : size[1] // 2]).any()


def test_odd_sizes_gain_a_pixel(tmp_path):
    """H.264 in the usual colours has even sizes only: the source is of another kind."""
    with av.open(str(tmp_path / "v.avi"), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 51, 33, "bgr0"
        for shade in (50, 150, 250):
            frame = av.VideoFrame.from_ndarray(np.full((33, 51, 3), shade, np.uint8), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    frames = written(tmp_path, tmp_path / "v.avi", NOTHING)
    assert frames.shape[0] == 3 and frames.shape[2] == 52 and frames.shape[1] % 2 == 0
    np.testing.assert_allclose(frames[:, :33].mean(axis=(1, 2, 3)), [50, 150, 250], atol=4)


def sound_of(path) -> np.ndarray:
    """Seconds of the packets of sound; none where there is no sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.empty(0)
        return np.array([float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None])


def test_sound_is_copied(tmp_path):
    source = write_video(tmp_path / "v.mp4", 20, audio=True)
    assert len(written(tmp_path, source)) == 20
    expected = sound_of(source)
    assert len(expected) > 5
    np.testing.assert_allclose(sound_of(tmp_path / "out.mp4"), expected[: len(sound_of(tmp_path / "out.mp4"))])
    assert sound_of(tmp_path / "out.mp4")[-1] > 0.65  # of 0.8 s


def test_sound_and_picture_stay_together(tmp_path):
    """The picture begins half a second into the sound: it is time 0 of the overlay, and the sound begins there too."""
    source = write_video(tmp_path / "v.mp4", 30, times=[0.5 + i / 25 for i in range(30)], audio=True)
    written(tmp_path, source)
    expected = sound_of(source) - 0.5
    np.testing.assert_allclose(sound_of(tmp_path / "out.mp4"), expected[expected > -0.1], atol=1e-3)


def test_no_sound_no_track(tmp_path, big):
    written(tmp_path, big)
    assert len(sound_of(tmp_path / "out.mp4")) == 0


def test_a_broken_video_is_written_as_far_as_it_can_be_read(tmp_path):
    source = cut_off(tmp_path / "v.mp4", write_video(tmp_path / "whole.mp4", 40, between=0), 12)
    with pytest.raises(BrokenVideo, match="12 of 40"):
        write_overlay(tmp_path / "out.mp4", source, NODDING, MMA52)
    assert [index_of(frame[24:48]) for frame in frames_of(tmp_path / "out.mp4")] == list(range(12))
    write_overlays(tmp_path / "out", [NODDING], {"v": source}, MMA52)  # goes on to the next
    assert (tmp_path / "out" / "v.mp4").exists()


def test_what_is_no_video_or_the_source_itself_is_refused(tmp_path, big):
    (tmp_path / "text.mp4").write_text("no video")
    before = big.read_bytes()
    with pytest.raises(InputError, match=r"text\.mp4"):
        write_overlay(tmp_path / "out.mp4", tmp_path / "text.mp4", NODDING, MMA52)
    with pytest.raises(InputError, match="another file"):
        write_overlay(big, big, NODDING, MMA52)
    assert big.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_a_lane_a_body_part(tmp_path):
    """Two of the head in one lane, one of the legs below it; what lasts no time is a pixel wide."""
    names = [MMA52.index[name] for name in ("nodding", "turning head", "shaking legs")]
    found = Detections("v", [[0, 1], [9, 9], [2, 4]], names, [1.0, 1.0, 1.0])
    strip = draw_strip(found, 10.0, MMA52, 100, 10)
    assert strip.shape == (30, 100, 3)
    assert np.flatnonzero(is_orange(strip[9])).tolist() == [*range(10), 90]
    coloured = (strip != 32).any(axis=(1, 2))
    assert np.flatnonzero(coloured).tolist() == [*range(5, 14), *range(15, 24)]
