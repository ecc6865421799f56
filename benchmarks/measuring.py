"""Timing for the scripts beside this one: whole processes, and two ways of doing a thing turn by turn."""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mmad.errors import InputError


def run_process(command: list) -> tuple[float, float]:
    """s on the clock and largest memory in MB of a command; its output is kept from the screen unless it fails."""
    began = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{said.decode()}\nended with exit code {process.returncode}")
    return time.perf_counter() - began, used.ru_maxrss * 1024 / 1e6


def watch_process(command: list, quiet: bool = False) -> tuple[float, float]:
    """s on the clock and largest memory in MB of a command, read while it runs: what a process that was started by a
    large one inherits for a moment does not count. quiet: what it says of errors is lost. Needs Linux (/proc)."""
    began, peak = time.perf_counter(), 0
    errors = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=errors)
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):  # the largest so far
                peak = int(line.split()[1])
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with exit code {process.returncode}")
    return time.perf_counter() - began, peak * 1024 / 1e6


def watch_family(command: list) -> tuple[float, float]:
    """s on the clock and CPU s of a command and all processes below it, read each second while they run: what one does
    in its last second is lost. Its output is kept from the screen unless it fails. Needs Linux (/proc)."""
    began, used = time.perf_counter(), {}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([str(word) for word in command], stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            used.update(_cpu_of_family(process.pid))
            time.sleep(1)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))}\n{said.read().decode()}\nended with {process.returncode}")
    return time.perf_counter() - began, sum(used.values())


def _cpu_of_family(first: int) -> dict[int, float]:
    """{process: its CPU s so far} of a process and all below it."""
    parents, seconds = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            number = int(path.parent.name)
            parents[number] = int(fields[1])
            seconds[number] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family, size = {first}, 0
    while len(family) > size:
        size = len(family)
        family |= {number for number, parent in parents.items() if parent in family}
    return {number: seconds[number] for number in family & seconds.keys()}


def spread(values: Sequence[float]) -> str:
    """Fractions as their mean and each of them, in percent."""
    return f"{100 * statistics.mean(values):.1f} ({', '.join(f'{100 * value:.1f}' for value in values)})"


def named(words: Sequence[str], option: str, what: str) -> list[tuple[str, str]]:
    """(name, value) of words as `name=value`. what: the form that they should have, for the error."""
    for word in words:
        if "=" not in word:
            raise InputError(option, f"{word!r}", f"give {what}")
    return [tuple(word.split("=", 1)) for word in words]


def turn_by_turn(ways: dict[str, Callable], runs: int) -> dict[str, float]:
    """{way: median s of CPU}; each run tries every way, so that what else the machine does hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            began = time.process_time()
            way()
            seconds[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}
