"""Where one of several processes has an error or is lost, the run ends, with one line that says so."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from in_processes import environment, free_port, together
from test_train_detector import config_of, rows_of
from test_train_detector import data as videos  # noqa: F401

from mmad.config import save_config
from mmad.engine import distributed
from mmad.engine.train_detector import train_detector
from mmad.errors import Diverged, InputError

REPOSITORY = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from mmad.cli import run
from mmad.engine import trainer

original = trainer.train_one_epoch

def train_one_epoch(task, state, config, epoch, device):
    if epoch == 2 and os.environ.get("RANK") == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return original(task, state, config, epoch, device)

trainer.train_one_epoch = train_one_epoch
run("train-det")
"""


def command(videos: Path, folder: Path) -> list[str]:  # noqa: F811
    """`mmad train-det` with a tiny detector; process 2 kills itself after two epochs."""
    save_config(config_of(videos, folder / "run"), folder / "tiny.yaml")
    (folder / "killed.py").write_text(KILLED)
    return [str(folder / "killed.py"), str(folder / "tiny.yaml")]


def in_repository(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **more}


LINE = re.compile(
    r"error: training: process 2 of 2 \(rank 1\) was lost, and the others end too; finished epochs are kept"
)


def test_a_killed_process_ends_the_others_with_one_line(videos, tmp_path):  # noqa: F811
    """Without `torchrun`: the other notices by itself. The same command, with one process, then finishes."""
    words, port = [sys.executable, *command(videos, tmp_path)], free_port()
    processes = [
        subprocess.Popen(words, env=in_repository(**environment(number, 2, port)), stderr=subprocess.PIPE, text=True)
        for number in range(2)
    ]
    said = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, -signal.SIGKILL]
    assert LINE.match(said[0]) and said[0].count("\n") == 1, said[0]
    assert not said[1]
    assert [row["epoch"] for row in rows_of(tmp_path / "run")] == [1, 2]
    assert not list((tmp_path / "run").glob(".*.part"))
    assert subprocess.run(words, env=in_repository(), stdout=subprocess.DEVNULL).returncode == 0
    assert [row["epoch"] for row in rows_of(tmp_path / "run")] == [1, 2, 3]


@pytest.mark.slow
def test_torchrun_ends_with_the_line_and_goes_on_where_it_was(videos, tmp_path):  # noqa: F811
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", f"--master_port={free_port()}"]
    words = command(videos, tmp_path)
    done = subprocess.run([*torchrun, *words], env=in_repository(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert len(re.findall(LINE, done.stderr)) == 1, done.stderr
    words[0] = str(REPOSITORY / "tools" / "train_det.py")
    done = subprocess.run([*torchrun, *words], env=in_repository(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("going on from") == done.stdout.count("all of it in") == 1
    assert [row["epoch"] for row in rows_of(tmp_path / "run")] == [1, 2, 3]


def test_bad_input_is_said_once(videos, tmp_path, capfd):  # noqa: F811
    """All find the same mistake, in the setting; all end with exit code 2."""
    config = config_of(videos, tmp_path / "run")
    config.data.val = "missing.json"
    assert together(2, train_detector, config) == [2, 2]
    said = capfd.readouterr()
    assert said.err.count("error:") == 1 and "missing.json" in said.err
    assert said.out.count("have no sidecar") == 1  # a note of the first process


def fail_in_second(how: str) -> None:
    """What only the second process meets."""
    index, _ = distributed.share()
    mistake = InputError("clip7.mp4", "cannot be decoded", "leave it out")

    def batches():
        yield index
        if index:
            raise mistake
        yield index

    if how == "while loading":
        list(distributed.exchanged(batches()))
    elif how == "in evaluation":
        distributed.in_order(lambda: list(batches()))
    elif how == "anywhere" and index:
        raise mistake
    elif how == "anywhere":
        distributed.wait_for_all()
    elif how == "the first alone":
        with distributed.first_goes_first("work"):
            if not index:
                raise mistake


@pytest.mark.parametrize("how", ["while loading", "in evaluation", "anywhere", "the first alone"])
def test_bad_input_of_one_process_ends_all(capfd, how):
    codes = together(2, fail_in_second, how)
    assert 2 in codes and 0 not in codes
    said = capfd.readouterr().err
    assert said == "error: clip7.mp4: cannot be decoded; leave it out\n"


def diverge() -> None:
    raise Diverged("training: loss became NaN")


def test_a_loss_of_nan_is_said_once(capfd):
    assert together(2, diverge) == [1, 1]
    assert capfd.readouterr().err == "error: training: loss became NaN\n"


def wait_for_sigterm(folder: Path) -> None:
    (folder / f"ready{distributed.share()[0]}").touch()
    time.sleep(100)


def test_all_told_to_end(tmp_path, capfd):
    """As by a cluster's scheduler."""

    def tell() -> None:
        while len(list(tmp_path.glob("ready*"))) < 2:
            time.sleep(0.1)
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGTERM)

    teller = threading.Thread(target=tell)
    teller.start()
    assert together(2, wait_for_sigterm, tmp_path) == [1, 1]
    teller.join()
    said = capfd.readouterr().err
    assert (
        said.startswith("error: training: all processes were told to end (SIGTERM); finished") and said.count("\n") == 1
    )


def everyone() -> None:
    """Evaluation and loading in shares: in order, nothing twice, whatever the counts."""
    for count in (0, 1, 2, 5):
        assert distributed.for_each(lambda item: 10 * item, range(count)) == [10 * item for item in range(count)]
        own = range(count)[distributed.share()[0] :: 3]
        assert list(distributed.exchanged(np.array(item) for item in own)) == list(range(count))


def test_shares_are_put_together_in_order_without_duplicates():
    assert together(3, everyone) == [0, 0, 0]
