from mmad.formats.fields import from_frames, milliseconds, timecode, to_frames


def test_frames_by_hand():
    """At 10 frames a second, 0.2 s .. 0.5 s is shown by the frames 3, 4 and 5."""
    assert to_frames(0.2, 0.5, 10) == (3, 5)
    assert from_frames(3, 5, 10) == (0.2, 0.5)
    assert to_frames(0.2, 0.2, 10) == (3, 3)
    assert timecode(3_723_004) == "01:02:03.004"


def test_whole_milliseconds_by_hand():
    assert milliseconds(1.0, 1.0) == (1000, 1001)
    assert milliseconds(0.0004, 0.9996) == (0, 1000)
