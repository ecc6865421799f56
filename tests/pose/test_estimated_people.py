"""Who is who, who is there and who is meant, of made-up people."""

import numpy as np
import pytest
from made_people import made_up, rows_of

from mmad.errors import InputError
from mmad.pose.estimated_people import (
    by_size,
    choose,
    empty_people,
    first_findings,
    is_real,
    is_there,
    person_of,
    track_people,
)

RATE = 15


def times_of(rows: np.ndarray) -> np.ndarray:
    return np.arange(len(rows)) / RATE


def places(track: np.ndarray) -> list[float | None]:
    """x of the chest, None where nobody is."""
    return [round(float(x), 2) if np.isfinite(x) else None for x in track["chest"][:, 0]]


def followed(*columns: list[float | None]) -> list[list[float | None]]:
    rows = rows_of(*columns)
    return sorted((places(track) for track in track_people(rows, times_of(rows))), key=str)


def test_a_person_is_measured_by_shoulders_or_trunk():
    body = np.zeros((33, 3))
    body[:11, :2] = (1.0, 0.2)
    body[11:13, :2] = [[1.15, 0.4], [0.85, 0.4]]
    body[23:25, :2] = [[1.1, 0.7], [0.9, 0.7]]
    presence = np.r_[np.ones(11), np.zeros(22)]
    person = person_of(body, presence)
    assert person["head"] == pytest.approx((1.0, 0.2)) and person["chest"] == pytest.approx((1.0, 0.4))
    assert person["size"] == pytest.approx(0.3)  # shoulders; two thirds of the trunk are 0.2
    assert person["presence"] == 1  # of the surest eleven
    body[11:13, 0] = 1.0  # from the side
    assert person_of(body, presence)["size"] == pytest.approx(0.2)


def test_nobody_is_nowhere():
    people = empty_people(2, 3)
    assert not is_there(people).any() and np.isnan(people["points"][..., :2]).all()
    assert track_people(people, np.arange(2.0)) == []


def test_columns_may_be_exchanged():
    left, right = [0.3, 0.31, 0.32, 0.33], [1.2, 1.2, 1.2, 1.2]
    assert followed([0.3, 1.2, 0.32, 1.2], [1.2, 0.31, 1.2, 0.33]) == [left, right]


def test_people_of_other_sizes_walk_past_each_other():
    ways = np.linspace(0.2, 1.4, 30), np.linspace(1.4, 0.2, 30)  # 3 sizes a second
    rows = empty_people(30, 2)
    for row in range(30):
        rows[row] = [made_up(ways[0][row], y=0.5, size=0.2), made_up(ways[1][row], size=0.25)]
    rows[::2] = rows[::2, ::-1]  # in any order
    tracks = track_people(rows, times_of(rows))
    assert sorted(places(track) for track in tracks) == [list(ways[0].round(2)), list(ways[1].round(2))]


def test_who_is_not_seen_for_a_moment_is_the_same():
    line = [0.3, 0.3, None, None, 0.32, 0.32]
    assert followed(line) == [line]


def test_who_comes_back_is_the_same_where_he_was():
    away = [None] * 40
    one = [0.3] * 5 + away + [0.35] * 5
    assert followed(one, [1.2] * 50) == [one, [1.2] * 50]


def test_who_comes_in_elsewhere_is_somebody_else():
    away = [None] * 40
    first, second = [0.3] * 5 + away + [None] * 5, [None] * 5 + away + [1.5] * 5
    assert followed([0.3] * 5 + away + [1.5] * 5) == [first, second]


def test_who_comes_in_while_the_first_is_there_is_somebody_else():
    first, second = [0.3] * 20, [None] * 10 + [0.6] * 10
    assert followed(first, second) == [first, second]


def test_somebody_much_larger_is_somebody_else():
    rows = empty_people(50, 1)
    for row in range(50):
        if not 5 <= row < 45:
            rows[row, 0] = made_up(0.5, size=0.1 if row < 5 else 0.25)
    assert len(track_people(rows, times_of(rows))) == 2


def test_one_who_is_found_twice_counts_once():
    rows = empty_people(1, 3)
    rows[0] = [made_up(0.5, presence=0.8), made_up(0.51, presence=0.9), made_up(1.0)]
    assert first_findings(rows).tolist() == [[False, True, True]]


# --- who is there -----------------------------------------------------------------------------------------------


def test_who_is_sure_and_steady_is_is_real():
    rows = rows_of([0.5] * 30)[:, 0]
    assert is_real(rows, times_of(rows)).all()
    assert is_real(rows[:1], np.zeros(1)).all()


def test_who_walks_is_is_real():
    rows = rows_of(list(np.linspace(0.1, 1.7, 30)))[:, 0]  # 4 sizes a second
    assert is_real(rows, times_of(rows)).all()


def test_who_is_unsure_or_jumps_about_is_nobody():
    unsure = rows_of([0.5] * 30, presence=0.6)[:, 0]
    assert not is_real(unsure, times_of(unsure)).any()
    restless = rows_of([0.5, 0.58] * 15)[:, 0]
    assert not is_real(restless, times_of(restless))[1:-1].any()


def test_who_is_found_now_and_then_is_nobody():
    rows = rows_of([0.5, None, None] * 10)[:, 0]
    assert not is_real(rows, times_of(rows)).any()


# --- who is meant -----------------------------------------------------------------------------------------------


def three_people() -> list[np.ndarray]:
    """In order: the largest in the middle, a smaller one on the left, one who is there for a short time, right."""
    rows = empty_people(60, 3)
    for row in range(60):
        rows[row, 0] = made_up(0.4, size=0.1)
        rows[row, 1] = made_up(0.9, size=0.2)
        if row >= 50:
            rows[row, 2] = made_up(1.6, size=0.12)
    return by_size(track_people(rows, times_of(rows)), times_of(rows))


def test_the_largest_comes_first_and_a_glimpse_does_not_count():
    assert [places(track)[0] for track in three_people()] == [0.9, 0.4]  # 10 rows are less than a second


@pytest.mark.parametrize(
    ("who", "chosen"), [("largest", [0]), ("left", [1]), ("right", [0]), ("all", [0, 1]), ("0", [0]), ("1", [1])]
)
def test_choosing(who, chosen):
    assert choose(three_people(), who) == chosen


def test_who_is_seldom_there_is_not_the_rightmost():
    rows = rows_of([0.5] * 100, [None] * 80 + [1.5] * 20)
    tracks = by_size(track_people(rows, times_of(rows)), times_of(rows))
    assert len(tracks) == 2 and choose(tracks, "right") == choose(tracks, "largest") == [0]


def test_a_person_who_is_not_there_cannot_be_chosen():
    with pytest.raises(InputError, match=r"person 2: only 2 people were found; choose 0\.\.1"):
        choose(three_people(), "2")


def test_of_a_short_video_half_is_enough():
    rows = rows_of([None, 0.5, 0.5])
    assert len(by_size(track_people(rows, times_of(rows)), times_of(rows))) == 1
    rows = rows_of([0.5])
    assert len(by_size(track_people(rows, times_of(rows)), times_of(rows))) == 1
