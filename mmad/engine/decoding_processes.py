"""Several processes that decode videos while this one computes: the same inputs, in the same order, as from one thread.

Of N processes, process i reads videos i, i + N, i + 2N ..., and this one takes the videos in turn. Inputs travel
through a pipe per process: no shared memory, which containers have little of, and few open files. What waits is bounded
whatever the length of a video: in each process `QUEUED` packets of about `PACKET` bytes, and here what `in_background`
holds.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from mmad.engine.background import in_background
from mmad.engine.video_inputs import Inputs, VideoFeatures, in_packets
from mmad.errors import InputError
from mmad.worker_process import become_worker

PACKET = 2 << 20  # bytes of inputs that travel together
QUEUED = 16  # packets that may wait in a process: at 224 x 224, a little more than 200 frames
MOST = 8  # processes that are started without being asked for
GONE = (EOFError, OSError)  # what a pipe raises when the process at its other end has ended, be it in mid-message

Videos = list[tuple[str, Path]]


class Reader(Protocol):
    """Something that can be sent to a process and read videos there."""

    def read(self, videos: Iterable[tuple[str, Path]], folder: str | Path | None) -> Inputs: ...


def processes_by_default(device: torch.device) -> int:
    """How many processes decode where nothing is said of it: on CUDA one per core that this process may use, `MOST` at
    most; elsewhere none, as the network needs the cores."""
    if device.type != "cuda":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST)


@contextmanager
def decoded_in_processes(
    reader: Reader, videos: Videos, folder: str | Path | None, count: int, ahead: int
) -> Iterator[Inputs]:
    """What `reader.read(videos, folder)` gives, read by `count` processes, which end with the context.

    ahead: inputs that may wait in this process. Where a process ends before its work is done: `InputError`. Errors in
    a process are raised here.
    """
    workers: list[_Worker] = []
    try:
        for number in range(count):
            workers.append(_Worker(number, count))
        for number, worker in enumerate(workers):  # they load torch side by side; only then they take their work
            worker.begin(reader, videos[number::count], folder)
        with closing(in_background(lambda: _in_turn(workers, videos), ahead)) as inputs:
            try:
                yield inputs
            finally:
                for worker in workers:  # before the thread is waited for, which may wait for them
                    worker.process.kill()
    finally:
        for worker in workers:
            worker.close()


def _in_turn(workers: list["_Worker"], videos: Videos) -> Inputs:
    for number, (video_id, path) in enumerate(videos):
        yield from workers[number % len(workers)].inputs(VideoFeatures(video_id), path)


class _Worker:
    """A process that decodes, as its parent sees it."""

    def __init__(self, number: int, count: int):
        self.name = f"decoding process {number + 1} of {count}"
        context = multiprocessing.get_context("spawn")  # forked, it would inherit CUDA and threads half-way
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), name=self.name, daemon=True)
        with theirs, _without_interrupts():
            self.process.start()

    def begin(self, reader: Reader, videos: Videos, folder: str | Path | None) -> None:
        try:
            self.connection.send((reader, videos, folder))
        except GONE:
            raise self._ended("before it began") from None

    def inputs(self, video: VideoFeatures, path: Path) -> Inputs:
        """The inputs of its next video, then None; a problem is noted in `video`."""
        while True:
            try:
                kind, content = self.connection.recv()
                if kind == "inputs":
                    content = self._pixels(content)
            except GONE:
                raise self._ended(f"while it read {path} or a video after it") from None
            if kind == "plan":
                video.start(content)
            elif kind == "inputs":
                yield from ((video, pixels) for pixels in content)
            elif kind == "end":
                video.problem = content
                yield video, None
                return
            else:
                error, text = content
                raise error from RuntimeError(f"in {self.name}:\n{text}")

    def _pixels(self, shape: tuple[int, ...]) -> Tensor:
        pixels = torch.empty(shape, dtype=torch.uint8)
        self.connection.recv_bytes_into(pixels.view(-1).numpy())
        return pixels

    def _ended(self, when: str) -> InputError:
        self.process.join(10)  # its pipe is closed a moment before its exit code is known
        code = self.process.exitcode
        killed = code is not None and code < 0
        why = f"was killed by signal {-code}; was memory short?" if killed else f"ended with exit code {code}"
        remedy = "what is finished is kept: type the same command again, with fewer processes (workers=1) or none"
        return InputError(self.name, f"{why} ({when})", f"{remedy} (workers=0)")

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started within it never gets a Ctrl-C of the terminal, not even before its first line runs."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # or the start of the process would do it, and unblock interrupts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in the process -------------------------------------------------------------------------------------------------


def _work(connection: Connection) -> None:
    """Read the videos that the parent sends, and send it what it is to know of them."""
    become_worker()
    try:
        reader, videos, folder = connection.recv()
    except GONE:
        return
    try:
        with closing(in_background(lambda: in_packets(reader.read(videos, folder), PACKET), QUEUED)) as packets:
            for kind, content in packets:
                _send(connection, kind, content)
    except Exception as error:
        _send(connection, "error", (_portable(error), traceback.format_exc()))


def _send(connection: Connection, kind: str, content: object) -> None:
    """Pixels follow their shape as they are. Ends the process where the parent is gone."""
    try:
        if isinstance(content, Tensor):
            connection.send((kind, tuple(content.shape)))
            connection.send_bytes(content.view(-1).numpy())
        else:
            connection.send((kind, content))
    except OSError:
        sys.exit()


def _portable(error: Exception) -> Exception:
    """The error, or what it says where it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
