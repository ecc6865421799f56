"""A network that sees a batch in parts, while the loss sees the outputs of all of it.

Losses of `mmad` compare the clips of a batch with each other, or divide by the actions of a batch. If each part had a
loss of its own, as is usual, their sum would depend on the number of parts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Division:
    """How a network's batch is divided: by the rows of its arguments, each of which gives one row of every output.

    whole: how many of the first arguments each part is given as they are. alike: fields of the output that each part
    computes alike from these.
    """

    whole: int = 0
    alike: tuple[str, ...] = ()


class InParts:
    """A network that is called with a batch and computes one part of it after the other, to need less memory.

    A part keeps only its outputs, and is computed once more when gradients are: that takes about a third more time.
    Batch normalization uses the statistics of each part.
    """

    def __init__(self, network: nn.Module, parts: int, division: Division):
        self.network, self.parts, self.division = network, parts, division

    def __getattr__(self, name: str):
        return getattr(self.network, name)

    def __call__(self, *arguments):
        whole = self.division.whole
        bounds = bounds_of(count_rows(arguments[whole:]), self.parts)
        outputs = [
            checkpoint(self.network, *part, use_reentrant=False, context_fn=self._contexts)
            for part in (rows_of(arguments, first, last, whole) for first, last in pairwise(bounds))
        ]
        return join(outputs, torch.cat, self.division.alike)

    def _contexts(self):
        """Of the first and of the second computation."""
        return nullcontext(), _statistics_kept(self.network)


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Within it, batch normalization does not count a batch: its running statistics stay as they are."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(module.momentum, module.num_batches_tracked) for module in norms]
    for module in norms:
        module.momentum = 0.0
        if module.num_batches_tracked is not None:
            module.num_batches_tracked = module.num_batches_tracked.clone()
    try:
        yield
    finally:
        for module, (momentum, count) in zip(norms, before):
            module.momentum, module.num_batches_tracked = momentum, count


def bounds_of(rows: int, parts: int) -> list[int]:
    """Where parts of almost equal size begin, and the end of the last one; none is empty while there are rows."""
    parts = max(min(parts, rows), 1)
    return [rows * part // parts for part in range(parts + 1)]


def count_rows(arguments: Sequence) -> int:
    """The number of rows of the first tensor among arguments, also of those in tuples."""
    for value in arguments:
        if isinstance(value, Tensor):
            return len(value)
        if isinstance(value, tuple):
            return count_rows(value)
    raise AssertionError("no tensor to divide")


def rows_of(arguments: Sequence, first: int, last: int, whole: int = 0) -> tuple:
    """The arguments with rows first..last - 1 of each tensor, in tuples too; the first `whole` as they are."""

    def rows(value):
        if isinstance(value, tuple):
            return tuple(map(rows, value))
        return value[first:last] if isinstance(value, Tensor) else value

    return (*arguments[:whole], *map(rows, arguments[whole:]))


def join(outputs: Sequence, combine: Callable[[list[Tensor]], Tensor], alike: Sequence[str] = ()):
    """One output of those of several parts: dataclasses of tensors with one row per row of the inputs.

    combine: tensors of the parts -> a tensor. alike: fields of the outputs that are the same in all parts, as is a
    number without axes: a weight of the network that the loss needs.
    """
    first = outputs[0]
    if is_dataclass(first):
        values = {item.name: [getattr(output, item.name) for output in outputs] for item in fields(first)}
        joined = {name: join(of_parts, combine) for name, of_parts in values.items() if name not in alike}
        return replace(first, **joined)
    return combine(outputs) if isinstance(first, Tensor) and first.ndim else first
