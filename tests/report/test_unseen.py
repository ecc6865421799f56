import numpy as np
import pytest
from made_joints import ABSENT, LEFT, RIGHT, made_track

from mmad.records import LandmarkTrack
from mmad.report.unseen import Unseen, complement, unseen_parts


def by_name(parts: list[Unseen]) -> dict[str, Unseen]:
    return {part.label(): part for part in parts}


def test_what_was_not_seen_and_how_long():
    """Ten seconds at 10 rows a second: the right hand is away from row 20 to row 81, each a tenth of a second long."""
    track = made_track(10.0, 10.0)
    track.points[20:82, RIGHT] = ABSENT
    parts = by_name(unseen_parts([track], 10.0))
    assert parts["person"].stretches.shape == parts["left hand"].stretches.shape == (0, 2)
    np.testing.assert_allclose(parts["right hand"].stretches, [[1.95, 8.15]])
    assert parts["right hand"].share == pytest.approx(0.62)
    assert parts["right hand"].sentence() == (
        "The right hand is not seen for 62 % of the time: what it does then cannot be told."
    )
    assert parts["left hand"].sentence() == ""


def test_a_person_is_seen_by_the_body_alone():
    track = made_track(2.0)
    track.points[:] = ABSENT
    track.points[:, LEFT] = (0.5, 0.5, 1.0)
    parts = by_name(unseen_parts([track], 2.0))
    assert parts["person"].share == 1.0 and parts["left hand"].share == 0.0
    assert parts["person"].sentence() == "The person is never seen: what they do cannot be told."


def test_rows_that_are_not_there_are_not_seen():
    """A person who leaves at 2 s and comes back at 6 s, of a video of 10 s; their rows end at 8 s."""
    whole = made_track(8.0, 10.0)
    there = (whole.times < 2) | (whole.times >= 6)
    track = LandmarkTrack("v", whole.points[there], whole.times[there], whole.layout, whole.size, duration=10.0)
    parts = by_name(unseen_parts([track], 10.0))
    np.testing.assert_allclose(parts["person"].stretches, [[1.95, 5.95], [7.95, 10.0]])
    assert parts["person"].share == pytest.approx(0.605)


def test_a_single_row_speaks_for_all():
    track = LandmarkTrack("v", made_track(1.0).points[:1], [0.0], "mediapipe75", (96, 64), duration=0.5)
    assert [part.share for part in unseen_parts([track], 0.5)] == [0, 0, 0]


def test_several_people_are_told_apart():
    first, second = made_track(2.0), made_track(2.0, person=3)
    second.points[:, LEFT] = ABSENT
    parts = by_name(unseen_parts([first, second], 2.0))
    assert list(parts) == [
        *("person 0", "left hand of person 0", "right hand of person 0"),
        *("person 3", "left hand of person 3", "right hand of person 3"),
    ]
    assert parts["left hand of person 3"].sentence() == (
        "The left hand of person 3 is never seen: what it does cannot be told."
    )
    second.points[:] = ABSENT
    assert by_name(unseen_parts([first, second], 2.0))["person 3"].sentence().startswith("Person 3 is never seen")


def test_nearly_all_is_not_all():
    assert "99 %" in Unseen("left hand", None, np.zeros((0, 2)), 0.9999).sentence()


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        ([], [], [[0, 10]]),
        ([0], [10], []),
        ([2, 5], [5, 8], [[0, 2], [8, 10]]),
        ([0, 4], [3, 10], [[3, 4]]),
    ],
)
def test_complement(starts, ends, expected):
    result = complement(np.array(starts, float), np.array(ends, float), 10.0)
    np.testing.assert_allclose(result, np.reshape(expected, (-1, 2)))
