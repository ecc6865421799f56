import pytest

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.metrics.reliability import check_reliability, drop_unreliable
from mmad.records import Detections


def test_what_cannot_be_told_is_left_out():
    found = Detections("v", [[0, 1], [1, 2], [2, 3]], [9, 8, 9], [0.3, 0.9, 0.5])
    reliable = drop_unreliable(found, MMA52, {"turning head": ("cannot tell", "why"), "waving": ("good", "so")})
    assert reliable.labels.tolist() == [9, 9] and reliable.scores.tolist() == [0.5, 0.3]
    assert len(drop_unreliable(Detections("v", [], [], []), MMA52, {})) == 0


@pytest.mark.parametrize(
    ("reliability", "said"), [({"nod": ("good", "")}, "'nod'"), ({"nodding": ("bad", "")}, "good, fair, cannot tell")]
)
def test_a_name_or_grade_that_is_unknown_is_refused(reliability, said):
    with pytest.raises(InputError, match=said):
        check_reliability(reliability, MMA52)
