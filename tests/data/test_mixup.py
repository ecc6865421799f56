import pytest
import torch
from torch.testing import assert_close

from mmad.data.mixup import mixup_within_parts


def test_only_clips_of_one_body_part_are_blended():
    torch.manual_seed(0)
    parts = torch.tensor([0, 1, 0, 1, 2])
    targets = torch.eye(5)
    clips = torch.arange(5.0).view(5, 1).expand(5, 4).clone()
    mixed, probabilities = mixup_within_parts(clips, targets, parts, alpha=1.0)
    assert_close(probabilities.sum(dim=1), torch.ones(5))
    for i, j in ((0, 2), (1, 3)):  # clips and targets are mixed alike
        assert 0 < probabilities[i, j] < 1 and probabilities[i, i] + probabilities[i, j] == pytest.approx(1)
    assert_close(mixed, (probabilities @ clips))
    assert_close(mixed[4], clips[4])
