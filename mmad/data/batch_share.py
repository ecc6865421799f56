"""A share of the batches of an epoch, for processes that load them together."""

from collections.abc import Iterator
from itertools import islice

from torch.utils.data import Sampler


class BatchShare(Sampler):
    """Of the batches of an epoch only number i, i + n, i + 2 n and so on; its length is that of the whole epoch.

    batches: a sampler of batches, or the indices of whole batches. share: (i, n); (0, 1) is every batch.
    """

    def __init__(self, batches, share: tuple[int, int] = (0, 1)):
        self.batches, self.share = batches, share

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator:
        first, step = self.share
        return islice(self.batches, first, None, step)
