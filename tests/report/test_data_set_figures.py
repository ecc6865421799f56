"""Figures of a data set, read as the text of an SVG or by their pixels."""

import csv

import numpy as np
import pytest
from read_pictures import share_of, text_of

from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation
from mmad.report.data_set_figures import draw_co_occurrence, write_statistics

NODDING, SHAKING_LEGS = MMA52.index["nodding"], MMA52.index["shaking legs"]
TRUTH = [
    Annotation("a", 10.0, [[0, 2], [1, 3], [5, 6]], [NODDING, SHAKING_LEGS, NODDING]),
    Annotation("b", 10.0, [[4, 5]], [NODDING]),
]


def test_statistics_of_a_data_set(tmp_path):
    paths = write_statistics(tmp_path, TRUTH, MMA52, ".svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert "median 1.5 s" in text_of(tmp_path / "lengths.svg")  # 2, 2, 1, 1
    assert "instances in a video (mean 2.00)" in text_of(tmp_path / "instances.svg")
    classes = text_of(tmp_path / "classes.svg")
    names = [text for text in classes if text in MMA52.index]
    assert names[:2] == ["nodding", "shaking legs"] and len(names) == 52
    assert "3" in classes and classes.count("0") >= 50  # instances over the bars
    assert len([text for text in text_of(tmp_path / "co_occurrence.svg") if text in MMA52.index]) == 104


def test_co_occurrence_as_a_table(tmp_path):
    write_statistics(tmp_path, TRUTH, MMA52)
    rows = list(csv.reader((tmp_path / "co_occurrence.csv").open(newline="")))
    assert rows[0] == ["", *MMA52.actions]
    values = np.array([row[1:] for row in rows[1:]], dtype=int)
    assert values.sum() == 2 and values[NODDING, SHAKING_LEGS] == values[SHAKING_LEGS, NODDING] == 1


def test_pairs_that_never_overlap_are_white(tmp_path):
    few = LabelSet("three", ("a", "b$", "<c>"), ("one",), (0, 0, 0))
    whites = []
    for pairs in (np.zeros((3, 3), int), np.eye(3, dtype=int) * 5):
        draw_co_occurrence(tmp_path / "c.png", pairs, few)
        whites.append(share_of(tmp_path / "c.png", "#FFFFFF"))
    assert whites[0] > whites[1] + 0.03
    draw_co_occurrence(tmp_path / "c.svg", pairs, few)
    assert {"b$", "&lt;c&gt;"} <= {*text_of(tmp_path / "c.svg")}


def test_no_action_is_no_data_set(tmp_path):
    for empty in ([], [Annotation("a", 1.0, [], [])]):
        with pytest.raises(InputError, match="no action"):
            write_statistics(tmp_path, empty, MMA52)


def test_actions_that_last_no_time_do_no_harm(tmp_path):
    write_statistics(tmp_path, [Annotation("a", 1.0, [[0.5, 0.5]], [NODDING])], MMA52)
    assert (tmp_path / "lengths.png").stat().st_size > 1000
