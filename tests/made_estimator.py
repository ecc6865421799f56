"""A pose estimator that costs nothing, for other processes too: one person whose nose says the number of the frame.

Processes that Ray starts are lost where a test wants it: `KILLS` names a folder, a file in it for each loss.
"""

import contextlib
import os
import signal
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
from made_videos import index_of

from mmad.config import PoseConfig
from mmad.engine import archive_workers
from mmad.engine.archive_workers import FrameReader, PixelDetector
from mmad.pose.estimated_people import person_of
from mmad.pose.estimators import ESTIMATORS

NAME = "made"
KILLS = "MMAD_TEST_KILLS"
DEADLY = 77  # number of the frame at which the estimator is lost


class MadeEstimator:
    source: ClassVar[str] = "made/1"
    settings: ClassVar[dict] = {"estimator": NAME}
    most_people = 1

    def __init__(self, config: PoseConfig):
        pass

    def begin(self, people: int) -> None:
        pass

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        number = index_of(frame)
        if number == DEADLY:
            lose("estimator")
        body = np.tile((0.5, 0.5, 0.9), (33, 1))
        body[11:13, 0] = (0.55, 0.45)
        person = person_of(body, np.ones(33))
        person["points"][0, :2] = (number / 1000, 0.1)
        return np.array([person])

    def close(self) -> None:
        pass


def lose(what: str) -> None:
    """End this process at once, as often as it was planned."""
    if left(what):
        os.kill(os.getpid(), signal.SIGKILL)


def plan(what: str, count: int) -> None:
    """So many losses from now on, no others of this kind."""
    for file in planned(what):
        file.unlink()
    for number in range(count):
        Path(os.environ[KILLS], f"{what}.{number}").touch()


def planned(what: str) -> list[Path]:
    """A file for each loss that is still to come."""
    return sorted(Path(os.environ[KILLS]).glob(f"{what}.*")) if KILLS in os.environ else []


def left(what: str) -> bool:
    """Whether a loss is still to come, which is taken: by one process alone, also where several ask at once."""
    for file in planned(what):
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
            return True
    return False


def register() -> None:
    """Called in each process that Ray starts."""
    ESTIMATORS[NAME] = MadeEstimator
    tempfile.tempdir = os.environ[KILLS]
    archive_workers.PACKET = 64 * 3 * 32 * 32  # 64 steps of what the tests show a network
    frames, read, finish = FrameReader.read, PixelDetector._read, PixelDetector._finish

    def frames_and_death(self, video, first):
        for kind, content in frames(self, video, first):
            yield kind, content
            if kind == "inputs":
                lose("reader")

    def read_and_defect(self, videos, folder):
        for number, message in enumerate(read(self, videos, folder)):
            if number == 5 and left("defect"):
                raise RuntimeError("made by the test")
            yield message

    def finish_and_death(self, video, item):
        lose(f"network at {video.video_id}")
        outcome = finish(self, video, item)
        lose("network")
        return outcome

    FrameReader.read = frames_and_death
    PixelDetector._read, PixelDetector._finish = read_and_defect, finish_and_death
