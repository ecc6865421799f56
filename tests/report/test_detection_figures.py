"""Figures of how good detections are, read as the text of an SVG."""

import pytest
from read_pictures import text_of

from mmad.errors import InputError
from mmad.labels import MMA52
from mmad.metrics.diagnosis import diagnose
from mmad.records import Annotation, Detections
from mmad.report.detection_figures import draw_diagnosis, write_precision

NODDING, SHAKING_LEGS = MMA52.index["nodding"], MMA52.index["shaking legs"]
TRUTH = [
    Annotation("a", 10.0, [[0, 2], [1, 3], [5, 6]], [NODDING, SHAKING_LEGS, NODDING]),
    Annotation("b", 10.0, [[4, 5]], [NODDING]),
]
FOUND = [  # right, right and wrong of nodding; wrong and right of shaking legs
    Detections(
        "a", [[0, 2], [5, 6], [8, 9], [7, 9], [1, 3]], [NODDING] * 3 + [SHAKING_LEGS] * 2, [0.9, 0.8, 0.2, 0.7, 0.6]
    )
]


def test_precision_by_part_and_class(tmp_path):
    """nodding: right, right, wrong of 3: AP 2/3. shaking legs: wrong, right of 1: AP 1/2. mAP 7/12."""
    write_precision(tmp_path, TRUTH, FOUND, MMA52, 0.5, ".svg")
    curves = text_of(tmp_path / "precision_recall.svg")
    assert {"head 66.7", "lower limb 50.0", "mean of classes 58.3"} <= {*curves}
    assert not any(text.startswith("upper limb") for text in curves)  # without truth
    bars = text_of(tmp_path / "average_precision.svg")
    assert [text for text in bars if text in MMA52.index] == ["nodding", "shaking legs"]
    assert "mAP 58.3" in bars and {"3", "1"} <= {*bars}


def test_diagnosis_names_every_kind(tmp_path):
    draw_diagnosis(tmp_path / "d.svg", diagnose(TRUTH, FOUND, MMA52))
    text = text_of(tmp_path / "d.svg")
    assert {"true", "duplicate", "boundary", "wrong class, right part", "background", "missed"} <= {*text}
    assert {"60.0", "40.0", "mAP at tIoU 0.5: 58.3"} <= {*text}  # 3 of 5 are true, 2 background


def test_nothing_found_is_a_figure_too(tmp_path):
    for path in write_precision(tmp_path, TRUTH, [], MMA52):
        assert path.stat().st_size > 1000


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_a_tiou_is_between_0_and_1(tmp_path, threshold):
    with pytest.raises(InputError, match="tIoU"):
        write_precision(tmp_path, TRUTH, FOUND, MMA52, threshold)
