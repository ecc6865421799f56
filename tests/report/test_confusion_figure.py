import numpy as np

from mmad.labels import MMA52
from mmad.metrics.recognition import confusion_matrix
from mmad.report.confusion_figure import draw_confusion, worst_confusions

TRUTH = np.array([9, 9, 9, 10, 8, 8])
FOUND = np.array([9, 10, 10, 10, 8, 9])


def test_mistakes_are_named_most_frequent_first():
    matrix = confusion_matrix(TRUTH, FOUND, 52)
    assert worst_confusions(matrix, MMA52) == [
        "nodding taken for shaking head: 2 of 3",
        "turning head taken for nodding: 1 of 2",
    ]


def test_no_mistake_no_line():
    assert worst_confusions(confusion_matrix(TRUTH, TRUTH, 52), MMA52) == []


def test_a_picture_comes_out(tmp_path):
    for name in ("m.png", "m.svg"):
        draw_confusion(tmp_path / name, confusion_matrix(TRUTH, FOUND, 52), MMA52)
        assert (tmp_path / name).stat().st_size > 10_000
