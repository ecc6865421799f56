import base64
import json

import numpy as np
import pytest
from made_joints import ABSENT, PLACE, made_track

from mmad.records import LandmarkTrack
from mmad.report.joints import draw_joints, encode_rows, joint_pictures, row_at, write_joints


def decoded(text: str, joints: int) -> np.ndarray:
    """(T, J, 3): steps of confidence, thousandths of the width and of the height."""
    octets = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, joints, 3).astype(int)
    code = (octets[..., 0] << 16) | (octets[..., 1] << 8) | octets[..., 2]
    return np.stack([code >> 22, ((code >> 11) & 2047) - 500, (code & 2047) - 500], axis=-1)


def test_a_row_is_four_characters_for_each_joint():
    points = np.array([[[0.75, 0.25, 0.9], [0.0, 1.0, 0.5], [-0.3, 1.2, 0.1], [1.5004, 0.5006, 1.0]]])
    text = encode_rows(points, ratio=1.5)
    assert len(text) == 4 * 4
    assert decoded(text, 4).tolist() == [[[3, 500, 250], [2, 0, 1000], [1, -200, 1200], [3, 1000, 501]]]


@pytest.mark.parametrize("point", [ABSENT, (0.5, 2.0, 1.0), (-1.0, 0.5, 1.0)])
def test_what_was_not_seen_or_lies_far_outside_is_not_there(point):
    assert decoded(encode_rows(np.array([[point]]), 1.0), 1)[0, 0, 0] == 0


def test_the_script_holds_every_person(tmp_path):
    write_joints(tmp_path / "v.js", [made_track(1.0), made_track(2.0, rate=10, person=1, size=(64, 96))])
    text = (tmp_path / "v.js").read_text()
    assert text.startswith("window.mmadJoints = ") and text.endswith(";\n")
    first, second = json.loads(text.removeprefix("window.mmadJoints = ").removesuffix(";\n"))["people"]
    assert (first["person"], second["person"]) == (0, 1) and (first["ratio"], second["ratio"]) == (1.5, 0.6667)
    assert len(first["rows"]) == 15 * 4 * first["joints"] and second["steps"] == [100] * 19
    assert sum(first["steps"]) == round(1000 * 14 / 15)
    assert {joint for a, b, _, _ in first["bones"] for joint in (a, b)} == set(range(first["joints"]))


def test_an_hour_stays_below_twenty_megabytes(tmp_path):
    """A minute is a sixtieth of it: every row takes the same room."""
    write_joints(tmp_path / "v.js", [made_track(60.0)])
    assert 60 * (tmp_path / "v.js").stat().st_size < 20e6


def test_drawings_show_the_moment():
    """The line of the shoulders goes down from a quarter to three quarters of the height."""
    track = made_track(4.0, size=(96, 64), shoulders=np.linspace(0.25, 0.75, 60))
    pictures = joint_pictures([track], 4.0, count=2, height=64)
    assert pictures.shape == (2, 64, 96, 3) and pictures.dtype == np.uint8
    rows = [int(picture[:, 30].astype(int).sum(axis=1).argmax()) for picture in pictures]
    assert rows == pytest.approx([0.375 * 64, 0.625 * 64], abs=2)


def test_the_left_is_not_drawn_as_the_right_and_doubt_is_faint():
    track = made_track(1.0)
    elbow = PLACE["left elbow"]
    track.points[:, elbow, :2] = (0.15, 0.9)
    sure = draw_joints([track], 0.5, 216)
    track.points[:, elbow, 2] = 0.2
    doubtful = draw_joints([track], 0.5, 216)
    red, _, blue = sure[130:180, 20:50].reshape(-1, 3).max(axis=0).astype(int)  # between shoulder and elbow
    assert red > 150 and blue < 80
    assert doubtful[130:180, 20:50, 0].max() < red / 2


def test_a_gap_is_empty():
    whole = made_track(4.0, 10.0)
    there = (whole.times < 1) | (whole.times >= 3)
    track = LandmarkTrack("v", whole.points[there], whole.times[there], whole.layout, whole.size, duration=4.0)
    assert row_at(track, 2.0) is None and row_at(track, 0.93) is not None and row_at(track, 3.96) is not None
    assert (draw_joints([track], 2.0, 64) == 16).all()
