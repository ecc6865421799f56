from mmad.formats.tiers import lanes


def test_lanes_by_hand():
    assert lanes([]) == []
    assert lanes([(0, 2), (1, 3), (2, 4), (2, 3), (3, 5)]) == [0, 1, 0, 2, 1]
