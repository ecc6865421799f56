"""Who of one frame is who of the next."""

import numpy as np
import pytest

from mmad.errors import InputError
from mmad.pose.imported_people import choose_person, distances, sizes_of

SHAPE = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], dtype=np.float32)  # four joints in a square


def person(x: float, size: float, confidence: float = 0.9) -> np.ndarray:
    pose = np.full((4, 3), confidence, dtype=np.float32)
    pose[:, :2] = SHAPE * size + (x, 0.2)
    return pose


def frames(*people: list[np.ndarray]) -> list[np.ndarray]:
    return [np.stack(frame) if frame else np.empty((0, 4, 3), np.float32) for frame in people]


def places(points: np.ndarray) -> list[float | None]:
    return [None if np.isnan(x) else round(float(x), 3) for x in points[:, 0, 0]]


def choose(people, identities=None, person=0, step=0.1):
    return choose_person(people, identities, np.arange(len(people)) * step, person, "file")


def test_sizes_and_distances():
    poses = np.stack([person(0, 1), person(0.5, 1), person(0, 0.5)])
    np.testing.assert_allclose(sizes_of(poses), np.sqrt(2) * np.array([1, 1, 0.5]), rtol=1e-6)
    np.testing.assert_allclose(distances(poses[:1], poses)[0, :2], [0, 0.5 / np.sqrt(2)], rtol=1e-6)
    assert sizes_of(np.zeros((0, 4, 3))).shape == (0,)
    nobody = np.full((1, 4, 3), (np.nan, np.nan, 0))
    assert sizes_of(nobody)[0] == 0
    assert distances(nobody, nobody)[0, 0] == np.inf


def test_people_who_share_too_few_joints_are_compared_by_their_centres():
    left, right = person(0, 1), person(0, 1)
    left[2:], right[:2] = (np.nan, np.nan, 0), (np.nan, np.nan, 0)
    assert distances(left[None], right[None])[0, 0] == pytest.approx(1.0)  # as far apart as either is tall


def test_the_largest_is_followed_while_the_order_changes():
    large = [person(0.1 + 0.02 * i, 0.5) for i in range(6)]
    small = [person(1.0 - 0.02 * i, 0.2) for i in range(6)]
    people = frames(*([a, b] if i % 2 else [b, a] for i, (a, b) in enumerate(zip(large, small, strict=True))))
    assert places(choose(people)) == [0.1, 0.12, 0.14, 0.16, 0.18, 0.2]
    assert places(choose(people, person=1)) == [1.0, 0.98, 0.96, 0.94, 0.92, 0.9]


def test_someone_larger_who_walks_through_is_not_taken():
    sitting = [person(0.1, 0.4) for _ in range(8)]
    passing = {3: person(0.9, 0.9), 4: person(0.7, 0.9)}
    people = frames(*([pose, passing[i]] if i in passing else [pose] for i, pose in enumerate(sitting)))
    assert places(choose(people)) == [0.1] * 8


def test_the_tool_that_followed_them_is_believed():
    people = frames([person(0, 0.5), person(1, 0.3)], [person(1, 0.5), person(0, 0.3)])  # they change places at once
    assert places(choose(people, [["a", "b"], ["a", "b"]])) == [0.0, 1.0]
    assert places(choose(people, [[0, 0], [0, 0]])) == [0.0, 0.0]  # nobody was followed: 0 for everybody


def test_one_who_leaves_and_comes_back_near_by():
    other = person(2, 0.1)  # seen all the time, but in all less than the two pieces of the larger one
    people = frames(*[[person(0.1, 0.5), other]] * 3, *[[other]] * 20, *[[person(0.2, 0.5), other]] * 3)
    assert places(choose(people)) == [0.1] * 3 + [None] * 20 + [0.2] * 3
    ids = [[1, 9]] * 3 + [[9]] * 20 + [[5, 9]] * 3  # under another number
    assert places(choose(people, ids)) == [0.1] * 3 + [None] * 20 + [0.2] * 3
    before = frames(*[[person(0.1, 0.5), other]] * 2, *[[other]] * 20, *[[person(0.2, 0.5), other]] * 5)
    assert places(choose(before)) == [0.1] * 2 + [None] * 20 + [0.2] * 5


def test_one_who_comes_in_far_away_is_somebody_else():
    people = frames(*[[person(0, 0.5), person(3, 0.1)]] * 4, *[[person(2, 0.4), person(3, 0.1)]] * 3)
    assert places(choose(people)) == [0.0] * 4 + [None] * 3
    assert places(choose(people, person=1)) == [None] * 4 + [2.0] * 3


def test_where_there_is_never_more_than_one_it_is_the_same():
    people = frames([person(0, 0.3)], [], [person(3, 0.3)])
    assert places(choose(people)) == [0.0, None, 3.0]


def test_poses_without_a_joint_are_nobody():
    empty = np.full((4, 3), (np.nan, np.nan, 0), dtype=np.float32)
    assert places(choose(frames([empty, person(0, 0.3)], [empty], []))) == [0.0, None, None]
    assert places(choose(frames([empty], []))) == [None, None]


def test_more_people_than_there_are():
    with pytest.raises(InputError, match="file: person 2 was asked for of 2; the largest is 0"):
        choose(frames([person(0, 0.5), person(1, 0.3)]), person=2)
    with pytest.raises(InputError, match="person 1 was asked for of 0"):
        choose(frames([], []), person=1)
