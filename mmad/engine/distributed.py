"""Training in several processes, one per device, as `torchrun` starts them. The only file that knows of more than one.

The result is that of one process: every process loads its share of the batches and gives it to the others; computes its
share of each batch; and joins its outputs with those of the others, so that everyone has the loss of the whole batch.
Losses that compare clips with each other, count actions or draw at random thus need not know of it. Gradients are
averaged, and everyone makes the same step. Only the first process prints and writes.

Where there is one process, nothing here does anything.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise, zip_longest

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmad.engine.batch_parts import Division, bounds_of, count_rows, join, rows_of
from mmad.engine.devices import choose_device
from mmad.errors import InputError, LostProcess

PATIENCE = timedelta(minutes=30)  # how long the others may take until they count as lost
LAST_WORDS = 5.0  # s that the others have to say why they end
CONTINUE = "finished epochs are kept, the same command goes on from there"
_MISSING = object()


@dataclass
class _Run:
    """Of several processes. store: what they report to each other. alone: a group of this process only."""

    store: dist.Store
    alone: dist.ProcessGroup


_run: list[_Run] = []  # that this process has joined; empty where it is alone


def count_started() -> int:
    """How many processes `torchrun` started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def share() -> tuple[int, int]:
    """(number of this process, number of processes); (0, 1) where it is alone."""
    return (dist.get_rank(), dist.get_world_size()) if _run else (0, 1)


def is_first() -> bool:
    """Whether this is the process that prints and writes."""
    return share()[0] == 0


# --- beginning and end ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def joined(device: str) -> Iterator[None]:
    """Within it this process works with the others that `torchrun` started; alone, where it started one or none.

    device: of the configuration. "cuda" becomes the GPU of this process. The end is that of all: where one process has
    an error or is lost, the others end too, and one of them says why.
    """
    count = count_started()
    if count == 1 or _run:
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if _own_device(device).type == "cuda" else "gloo"
    store, index, _ = next(dist.rendezvous("env://", timeout=PATIENCE))
    groups = dist.PrefixStore("groups", store)
    dist.init_process_group(backend, store=groups, rank=index, world_size=count, timeout=PATIENCE)
    _run.append(_Run(dist.PrefixStore("mmad", store), dist.new_subgroups(group_size=1)[0]))
    try:
        with _only_first_is_heard(index), _ended_by_sigterm():
            yield
            wait_for_all()
    except BaseException as error:
        _end_together(error, index, count)
        raise
    finally:
        _run.clear()
    dist.destroy_process_group()


def _own_device(name: str) -> torch.device:
    """Makes "cuda" and "auto" the GPU of this process."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if name in ("auto", "cuda") and torch.cuda.is_available():
        gpus = torch.cuda.device_count()
        if local >= gpus:
            problem = f"process {local + 1} of this machine has no GPU, there are {gpus}"
            raise InputError("torchrun", problem, f"start it with --nproc_per_node {gpus}")
        torch.cuda.set_device(local)
    device = choose_device(name)
    if device.type not in ("cpu", "cuda") or device.index is not None:
        remedy = "give device=cuda, each takes its own, or device=cpu"
        raise InputError("device", f"{name!r} does not go with several processes", remedy)
    return device


@contextlib.contextmanager
def _only_first_is_heard(index: int) -> Iterator[None]:
    """Without the lines, warnings and progress of the others; an exception that leaves it is heard."""
    with contextlib.ExitStack() as stack:
        if index:
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
        yield


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """`torchrun` sends SIGTERM to the others where one is lost: as an exception it leaves nothing half-written."""

    def end(*_) -> None:
        raise LostProcess("SIGTERM")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_together(error: BaseException, index: int, count: int) -> None:
    """Return in the one process that says why the run ends, by its own exception; the others end here.

    Each reports its error, or that it only noticed the end of another. Of those with an error the first speaks; without
    any, the first that is left says who is missing. The ordinary end of the interpreter might wait for the lost ones.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lost = isinstance(error, LostProcess | dist.DistError)
    reports = _reports("end", "" if lost else f"{type(error).__name__}: {error}", index, count)
    with_error = [number for number, text in sorted(reports.items()) if text]
    speaks = index == (with_error or sorted(reports))[0]
    if speaks and lost:
        print(f"error: {_who_is_missing(set(range(count)) - reports.keys(), count)}; {CONTINUE}", file=sys.stderr)
    if index == 0:  # its process may hold what the others report to
        _reports("left", "", index, count)
    else:
        _report("left", "", index)
    if speaks and not lost:
        return
    codes = {InputError: 2, OSError: 2, KeyboardInterrupt: 130}  # as `run_command` has them
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(next((code for kind, code in codes.items() if isinstance(error, kind)), 1))


def _who_is_missing(missing: set[int], count: int) -> str:
    """Processes are counted from 1 for people; `torchrun` calls the first rank 0."""
    if not missing:
        return "training: all processes were told to end (SIGTERM)"
    names = ", ".join(str(number + 1) for number in sorted(missing))
    which = f"process {names} of {count} (rank {', '.join(map(str, sorted(missing)))})"
    return f"training: {which} was lost, and the others end too"


def _report(what: str, text: str, index: int) -> None:
    with contextlib.suppress(RuntimeError):  # where it went to is lost, too
        _run[0].store.set(f"{what}{index}", text)


def _reports(what: str, text: str, index: int, count: int) -> dict[int, str]:
    """{number of a process: what it reports} of this one and of all others that report soon."""
    found, until = {index: text}, time.monotonic() + LAST_WORDS
    _report(what, text, index)
    with contextlib.suppress(RuntimeError):
        while len(found) < count and time.monotonic() < until:
            for number in set(range(count)) - found.keys():
                if _run[0].store.check([f"{what}{number}"]):
                    found[number] = _run[0].store.get(f"{what}{number}").decode()
            time.sleep(0.05)
    return found


# --- together ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """For what all processes do at once: where one is lost, torch's error becomes `LostProcess`."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcess(str(error)) from error


def wait_for_all() -> None:
    """Until every process has come here."""
    _exchange(None)


def _exchange(own) -> list:
    """What each process brings; an `InputError` that one of them brings is raised in all."""
    found = [own]
    if share()[1] > 1:
        found = [None] * share()[1]
        with _together():
            dist.all_gather_object(found, own)
    for item in found:
        if isinstance(item, InputError):
            raise item
    return found


@contextlib.contextmanager
def first_goes_first(what: str) -> Iterator[None]:
    """The block is executed by the first process, then by the others: they find the files that it left.

    what: a name for the block, used once per run.
    """
    if not is_first():
        _wait_for(what)
    yield
    if is_first() and _run:
        _run[0].store.set(what, "done")


def _wait_for(what: str) -> None:
    """Wait for the first process, however long it takes, unless it ends."""
    try:
        while not _run[0].store.check([what]):
            if _run[0].store.check(["end0"]):
                raise LostProcess("the first process has ended")
            time.sleep(0.1)
    except RuntimeError as error:
        raise LostProcess(str(error)) from error


def require_equal(value, problem: str, remedy: str) -> None:
    """`InputError` where a value that all processes should share differs."""
    if any(other != value for other in _exchange(value)):
        raise InputError("torchrun", problem, remedy)


def in_order(own_share: Callable[[], list]) -> list:
    """The results of all processes for items that they share.

    own_share: gives the results for items i, i + n, i + 2 n ... of process i of n, `share()`. Returned are those of all
    items, each once, in their order.
    """
    try:
        own = own_share()
    except InputError as error:
        own = error
    groups = zip_longest(*_exchange(own), fillvalue=_MISSING)
    return [result for group in groups for result in group if result is not _MISSING]


def for_each(function: Callable, items: Sequence) -> list:
    """[function(item) for item in items], each item in one of the processes."""
    index, count = share()
    return in_order(lambda: [function(item) for item in items[index::count]])


def exchanged(batches: Iterable) -> Iterator:
    """All batches of an epoch in order, of which `batches` are those that this process loads, see `BatchShare`."""
    if share()[1] == 1:
        yield from batches
        return
    own, group = iter(batches), []
    while not any(batch is None for batch in group):
        try:
            loaded = next(own, None)
        except InputError as error:
            loaded = error
        group = _exchange(loaded)
        yield from (batch for batch in group if batch is not None)


# --- a network in several processes -----------------------------------------------------------------------------


def divided(network: Callable, division: Division, least: int = 1) -> Callable:
    """The network for one epoch of training: called with the same batch in all processes, it gives its outputs to all.

    least: rows that a process needs; a batch with fewer is computed by every process.
    """
    return network if share()[1] == 1 else _Divided(network, division, least)


class _Divided:
    """Dropout is drawn from the epoch's seed, the number of the batch, and the number of the process. What losses draw
    is the same in all processes, because the network takes nothing from their random numbers."""

    def __init__(self, network: Callable, division: Division, least: int):
        self.network, self.division, self.least, self.batch = network, division, least, 0

    def __getattr__(self, name: str):
        return getattr(self.network, name)

    def __call__(self, *arguments):
        index, count = share()
        rows = count_rows(arguments[self.division.whole :])
        gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
        with torch.random.fork_rng(devices=gpus):
            key = np.random.SeedSequence([torch.initial_seed(), self.batch, index])
            torch.manual_seed(int(key.generate_state(1)[0]))
            self.batch += 1
            if rows < self.least * count:
                with _own_statistics(self.network):
                    return self.network(*arguments)
            bounds = bounds_of(rows, count)
            output = self.network(*rows_of(arguments, *bounds[index : index + 2], self.division.whole))
            return join([output], lambda parts: _Joined.apply(parts[0], bounds), self.division.alike)


class _Joined(torch.autograd.Function):
    """The rows of all processes. Each computes the same loss of them: the gradient is that of the sum of these losses,
    and `average_gradients` then gives that of one."""

    @staticmethod
    def forward(ctx, own: Tensor, bounds: list[int]) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.first, ctx.last = bounds[share()[0] : share()[0] + 2]
        assert len(own) == ctx.last - ctx.first, "one row of output for a row of input"
        sizes = [last - first for first, last in pairwise(bounds)]
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own
        of_all = [torch.empty_like(padded) for _ in sizes]
        with _together():
            dist.all_gather(of_all, padded)
        return torch.cat([rows[:size] for rows, size in zip(of_all, sizes)])

    @staticmethod
    def backward(ctx, gradient: Tensor | None) -> tuple[Tensor | None, None]:
        return None if gradient is None else gradient[ctx.first : ctx.last] * share()[1], None


def average_gradients(model: nn.Module) -> None:
    """Replace the gradients of this process by the mean over all."""
    if share()[1] == 1:
        return
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    flat = _sum_over_processes(flat) / share()[1]
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(mean.view_as(gradient))


# --- batch normalization ----------------------------------------------------------------------------------------


def share_statistics(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with batch normalization by the statistics of the whole batch: torch's on a GPU, else that below.

    Names and weights stay the same.
    """
    if share()[1] == 1:
        return model
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, SharedBatchNorm.like(child))
    return model


class SharedBatchNorm(_BatchNorm):
    """Batch normalization of (N, C, ...) by the statistics of all processes, on any device, at least in float32."""

    process_group = None  # None: of all processes

    @classmethod
    def like(cls, norm: _BatchNorm) -> "SharedBatchNorm":
        """The same layer, with the very same weights and statistics."""
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        made._parameters, made._buffers, made.training = norm._parameters, norm._buffers, norm.training
        return made

    def _check_input_dim(self, x: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not dist.is_initialized() or dist.get_world_size(self.process_group) == 1:
            return super().forward(x)
        axes, values = [0, *range(2, x.ndim)], x.to(torch.promote_types(x.dtype, torch.float32))
        shape = (1, -1, *[1] * (x.ndim - 2))
        count = values.new_tensor([values.numel() / values.shape[1]])
        *sums, count = _Summed.apply(torch.cat([values.sum(dim=axes), count])).split([self.num_features, 1])
        mean = sums[0] / count
        centred = values - mean.view(shape)
        variance = _Summed.apply((centred**2).sum(dim=axes)) / count
        if self.track_running_stats:
            self._follow(mean.detach(), (variance * count / (count - 1).clamp(min=1)).detach())
        found = centred * (variance + self.eps).rsqrt().view(shape)
        return (found * self.weight.view(shape) + self.bias.view(shape) if self.affine else found).to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        share_of_new = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share_of_new)
        self.running_var.lerp_(variance, share_of_new)


class _Summed(torch.autograd.Function):
    """The sum over all processes, and of their gradients in the backward pass."""

    @staticmethod
    def forward(ctx, own: Tensor) -> Tensor:
        return _sum_over_processes(own.clone())

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _sum_over_processes(gradient.clone())


def _sum_over_processes(values: Tensor) -> Tensor:
    """The sum, in place."""
    with _together():
        dist.all_reduce(values)
    return values


@contextlib.contextmanager
def _own_statistics(network: Callable) -> Iterator[None]:
    """Within it, batch normalization counts only what this process computes."""
    norms = [norm for norm in network.modules() if isinstance(norm, SharedBatchNorm | nn.SyncBatchNorm)]
    before = [norm.process_group for norm in norms]
    for norm in norms:
        norm.process_group = _run[0].alone
    try:
        yield
    finally:
        for norm, group in zip(norms, before):
            norm.process_group = group
