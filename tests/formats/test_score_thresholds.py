import numpy as np
from made_annotations import BOWING, NODDING, WAVING

from mmad.formats.score_thresholds import keep
from mmad.records import Annotation

FOUR = Annotation(
    "v1",
    10.01,
    [[1.2344, 2.5], [2.5, 3.0], [2.0, 4.0], [0.0, 9.999], [4.0, 4.0]],
    [NODDING, NODDING, NODDING, WAVING, BOWING],
    scores=[0.9, 0.8, 0.123456, 1.0, 0.0],
)


def test_the_best_of_those_that_reach_the_score_of_their_class():
    minimum = np.zeros(52)
    minimum[NODDING] = 0.5
    assert keep(FOUR, minimum).scores.tolist() == [1.0, 0.9, 0.8, 0.0]
    assert keep(FOUR, minimum, best=2).scores.tolist() == [1.0, 0.9]
    assert (
        len(keep(Annotation("v", None, [[0, 1]], [NODDING]), np.ones(52), best=0).labels) == 1
    )  # a person's word has no score
