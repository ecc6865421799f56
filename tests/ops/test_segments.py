import pytest
import torch
from torch.testing import assert_close

from mmad.ops.segments import clip, iou_matrix, lengths, paired_diou, paired_iou

PAIRS = {  # name: segment, other, IoU, DIoU = IoU - (distance of the middles / hull)^2
    "identical": ((0, 4), (0, 4), 1, 1),
    "overlapping": ((0, 4), (2, 6), 2 / 6, 2 / 6 - (2 / 6) ** 2),
    "contained": ((0, 8), (5, 7), 2 / 8, 2 / 8 - (2 / 8) ** 2),
    "contained, same middle": ((0, 8), (3, 5), 2 / 8, 2 / 8),
    "touching": ((0, 2), (2, 4), 0, -((2 / 4) ** 2)),
    "disjoint": ((0, 1), (3, 4), 0, -((3 / 4) ** 2)),
    "point within": ((0, 4), (1, 1), 0, -((1 / 4) ** 2)),
    "same point": ((3, 3), (3, 3), 0, 0),
}


@pytest.mark.parametrize("segment, other, iou, diou", PAIRS.values(), ids=PAIRS)
def test_pairs(segment, other, iou, diou):
    a, b = torch.tensor([segment], dtype=torch.float64), torch.tensor([other], dtype=torch.float64)
    for first, second in ((a, b), (b, a)):
        assert paired_iou(first, second).item() == pytest.approx(iou)
        assert paired_diou(first, second).item() == pytest.approx(diou)


def test_matrix_holds_every_pair():
    segments, others = torch.tensor([[0.0, 4], [2, 6]]), torch.tensor([[0.0, 2], [4, 6], [8, 9]])
    assert_close(iou_matrix(segments, others), torch.tensor([[0.5, 0, 0], [0, 0.5, 0]]))


@pytest.mark.parametrize("n, m", [(0, 0), (0, 3), (3, 0)])
def test_empty_input(n, m):
    segments, others = torch.rand(n, 2), torch.rand(m, 2)
    assert iou_matrix(segments, others).shape == (n, m)
    assert lengths(segments).shape == (n,)
    assert clip(segments, 0, 1).shape == (n, 2)
    assert paired_iou(segments, segments).shape == paired_diou(segments, segments).shape == (n,)


def test_clip():
    segments = torch.tensor([[-2.0, 3], [4, 12], [11, 12]])
    assert clip(segments, 0, 10).tolist() == [[0, 3], [4, 10], [10, 10]]
