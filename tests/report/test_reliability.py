import pytest

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.metrics.reliability import check_reliability, that_can_be_told
from mmad.records import Detections
from mmad.report.reliability import cannot_tell_section


def test_what_cannot_be_told_is_left_out():
    found = Detections("v", [[0, 1], [1, 2], [2, 3]], [9, 8, 9], [0.3, 0.9, 0.5])
    told = that_can_be_told(found, MMA52, {"turning head": ("cannot tell", "why"), "waving": ("good", "so")})
    assert told.labels.tolist() == [9, 9] and told.scores.tolist() == [0.5, 0.3]
    assert len(that_can_be_told(Detections("v", [], [], []), MMA52, {})) == 0


def test_the_section_groups_by_reason_and_escapes():
    section = cannot_tell_section(
        {
            "nodding": ("good", "fine"),
            "waving": ("cannot tell", "<b>too</b> few"),
            "tiptoe": ("cannot tell", "<b>too</b> few"),
            "shrugging": ("cannot tell", "never found"),
        }
    )
    assert "<dt>waving, tiptoe</dt><dd>&lt;b&gt;too&lt;/b&gt; few</dd>" in section
    assert "<dt>shrugging</dt><dd>never found</dd>" in section and "nodding" not in section
    assert cannot_tell_section({"nodding": ("fair", "half")}) == ""


@pytest.mark.parametrize(
    ("reliability", "said"), [({"nod": ("good", "")}, "'nod'"), ({"nodding": ("bad", "")}, "good, fair, cannot tell")]
)
def test_a_name_or_grade_that_is_unknown_is_refused(reliability, said):
    with pytest.raises(InputError, match=said):
        check_reliability(reliability, MMA52)
