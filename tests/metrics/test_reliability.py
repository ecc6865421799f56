import pytest

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.metrics.reliability import check_reliability, that_can_be_told
from mmad.records import Detections


def test_what_cannot_be_told_is_left_out():
    found = Detections("v", [[0, 1], [1, 2], [2, 3]], [9, 8, 9], [0.3, 0.9, 0.5])
    told = that_can_be_told(found, MMA52, {"turning head": ("cannot tell", "why"), "waving": ("good", "so")})
    assert told.labels.tolist() == [9, 9] and told.scores.tolist() == [0.5, 0.3]
    assert len(that_can_be_told(Detections("v", [], [], []), MMA52, {})) == 0


@pytest.mark.parametrize(
    ("reliability", "said"), [({"nod": ("good", "")}, "'nod'"), ({"nodding": ("bad", "")}, "good, fair, cannot tell")]
)
def test_a_name_or_grade_that_is_unknown_is_refused(reliability, said):
    with pytest.raises(InputError, match=said):
        check_reliability(reliability, MMA52)
