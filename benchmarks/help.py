"""What `--help` of every command costs: seconds, CPU seconds and MB of whole processes, medians.

python benchmarks/help.py [--runs 5]
"""

import argparse
import resource
import statistics
import sys
from pathlib import Path

from measuring import run_process

from mmad.cli import command_names
from mmad.errors import run_command

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    print("| command | s | CPU s | MB |\n|---|---|---|---|")
    for name in command_names():
        costs = [cost([sys.executable, script_of(name), "--help"]) for _ in range(args.runs)]
        seconds, cpu_seconds, peak = (statistics.median(values) for values in zip(*costs))
        print(f"| {name} | {seconds:.2f} | {cpu_seconds:.2f} | {peak:.0f} |", flush=True)


def script_of(name: str) -> Path:
    file = f"{name.replace('-', '_')}.py"
    return next(path for path in (ROOT / "tools" / file, ROOT / "eval" / file) if path.exists())


def cost(command: list) -> tuple[float, float, float]:
    """s on the clock, s of CPU, largest memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, peak = run_process(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, peak


if __name__ == "__main__":
    run_command(main)
