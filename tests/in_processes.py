"""Functions in several processes that train together on the CPU, started as `torchrun` starts them."""

import multiprocessing
import os
import socket
from collections.abc import Callable

import torch

from mmad.engine.distributed import joined
from mmad.errors import run_command


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(number: int, count: int, port: int) -> dict[str, str]:
    """What `torchrun` says to process `number` of `count`."""
    names = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": count, "MASTER_PORT": port}
    return {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in names.items()}}


def _called(number: int, count: int, port: int, function: Callable, arguments: tuple) -> None:
    os.environ.update(environment(number, count, port))
    torch.set_num_threads(1)

    def call() -> None:
        with joined("cpu"):
            function(*arguments)

    run_command(call)


def together(count: int, function: Callable, *arguments) -> list[int]:
    """The exit codes of `count` processes, each of which calls the function: one of a module, with such arguments."""
    context, port = multiprocessing.get_context("spawn"), free_port()
    processes = [
        context.Process(target=_called, args=(number, count, port, function, arguments)) for number in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    return [process.exitcode for process in processes]
