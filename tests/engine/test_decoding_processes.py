"""Decoding by several processes: the same files as from one thread, and nothing left behind when it ends early."""

import dataclasses
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from made_networks import outspoken
from made_videos import cut_off, write_video
from tqdm import TMonitor

from mmad import models
from mmad.config import BackboneConfig, ExtractConfig
from mmad.data.partial_rows import PartialRows
from mmad.engine import feature_extractor
from mmad.engine.decoding_processes import PACKET, QUEUED, decoded_in_processes, processes_by_default
from mmad.engine.feature_batches import BatchRunner
from mmad.engine.feature_extractor import FeatureExtractor, extract_features
from mmad.engine.video_inputs import VideoFeatures
from mmad.errors import InputError

needs_signals = pytest.mark.skipif(os.name != "posix", reason="processes are killed by signals")


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """The network sees 32 x 32 pixels, in the processes too: they are told so by the extractor."""
    kind = models.BACKBONES["manet_r18"]
    small = {**kind.preprocess, "resize": 36, "crop": 32}
    monkeypatch.setitem(models.BACKBONES, "manet_r18", dataclasses.replace(kind, preprocess=small))


@pytest.fixture(autouse=True)
def nothing_is_left():
    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate() if not isinstance(thread, TMonitor)]

    before = threads()
    yield
    assert multiprocessing.active_children() == []
    assert threads() == before


@functools.cache
def extractor_of(**settings) -> FeatureExtractor:
    backbone = BackboneConfig("manet_r18", "random")
    extractor = FeatureExtractor(ExtractConfig(backbone, device="cpu", stride=1, batch=8, **settings))
    outspoken(extractor.network)
    return extractor


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def several(folder: Path) -> list[tuple[str, Path]]:
    """Videos of several lengths, one that is cut off, one that is none."""
    source = write_video(folder / "source.mp4", 40, between=0)
    videos = {f"v{count}": write_video(folder / f"v{count}.mp4", count, first=count) for count in (9, 1, 30, 14, 23)}
    videos["none"] = folder / "none.mp4"
    videos["none"].write_bytes(b"no video")
    videos["cut"] = cut_off(folder / "cut.mp4", source, 10)
    return [(name, videos[name]) for name in ("v9", "cut", "v1", "none", "v30", "v14", "v23")]


# --- the same files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["dense", "clip"])
def test_features_and_problems_are_those_of_one_thread(tmp_path, mode):
    settings = {"mode": mode, **({"frames": 2, "window": 4} if mode == "clip" else {})}
    videos, found = several(tmp_path), {}
    for workers in (0, 2):
        extractor = extractor_of(workers=workers, **settings)
        found[workers] = extract_features(extractor, videos, tmp_path / f"by {workers}")
    assert found[2] == found[0]
    ready, (cut, none) = found[0]
    assert ready == ["v9", "cut", "v1", "v30", "v14", "v23"]
    assert "cut.mp4: broken or cut off: 10 of 40 frames could be read" in cut
    assert "none.mp4: not a readable video" in none
    assert contents(tmp_path / "by 2") == contents(tmp_path / "by 0")
    assert len(contents(tmp_path / "by 2")) == 2 * 6


def test_a_long_video_goes_on_where_it_was_stopped(tmp_path, monkeypatch, capsys):
    videos = [("long", write_video(tmp_path / "long.mp4", 520)), ("next", write_video(tmp_path / "next.mp4", 12))]
    real = PartialRows.write

    def write(rows: PartialRows, first: int, new) -> None:
        real(rows, first, new)
        if first >= 96:
            raise KeyboardInterrupt

    for workers in (0, 2):
        extractor, out = extractor_of(workers=workers), tmp_path / f"by {workers}"
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(PartialRows, "write", write)
            extract_features(extractor, videos, out)
        assert multiprocessing.active_children() == []
        assert list(contents(out)) == ["long.begun"]
        capsys.readouterr()
        assert extract_features(extractor, videos, out) == (["long", "next"], [])
        assert "18 % of a video was done by an earlier run" in capsys.readouterr().out  # 96 of 520 steps
    assert contents(tmp_path / "by 2") == contents(tmp_path / "by 0")


def test_results_that_are_waited_for_later_are_the_same(tmp_path, monkeypatch):
    """As on CUDA, where the next batch is started before the results of one are taken."""
    videos, extractor = several(tmp_path), extractor_of()
    at_once = extract_features(extractor, videos, tmp_path / "at once")

    def made(forward, on_progress) -> BatchRunner:
        runner = BatchRunner(forward, on_progress)
        runner.started_ahead = 1
        return runner

    monkeypatch.setattr(feature_extractor, "BatchRunner", made)
    assert extract_features(extractor, videos, tmp_path / "later") == at_once
    assert contents(tmp_path / "later") == contents(tmp_path / "at once")


def test_a_single_video_needs_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_extractor, "decoded_in_processes", lambda *given: pytest.fail("processes were started"))
    (item,) = extractor_of(workers=2).extract([("a", write_video(tmp_path / "a.mp4", 10))])
    assert item.track.values.shape == (10, 512)
    assert list(extractor_of(workers=2).extract([])) == []


@pytest.mark.parametrize("cores, processes", [(1, 1), (4, 4), (64, 8)])
def test_processes_by_default(monkeypatch, cores, processes):
    monkeypatch.setattr(os, "sched_getaffinity", lambda of: set(range(cores)), raising=False)
    assert processes_by_default(torch.device("cuda", 1)) == processes
    assert processes_by_default(torch.device("cpu")) == processes_by_default(torch.device("mps")) == 0


# --- what waits -------------------------------------------------------------------------------------------------


class Endless:
    """A reader whose first video has 10,000 inputs of half a packet each; it says in a file how many it has made."""

    def __init__(self, made: Path):
        self.made = made

    def read(self, videos, folder):
        for video_id, _ in videos:
            video = VideoFeatures(video_id)
            for count in range(10_000):
                with open(self.made, "a") as file:
                    file.write(f"{count}\n")
                yield video, torch.full((PACKET // 2,), count % 256, dtype=torch.uint8)
            yield video, None


def test_what_waits_is_bounded(tmp_path):
    """2 inputs per packet; in the process a packet is made, one waits for room and one is sent."""
    made = tmp_path / "made.txt"
    with decoded_in_processes(Endless(made), [("a", made), ("b", made)], None, 1, ahead=3) as inputs:
        first = [int(pixels[0]) for _, pixels in (next(inputs) for _ in range(4))]
        before, count, deadline = -1, 0, time.monotonic() + 60
        while before < count or (count < 2 * QUEUED and time.monotonic() < deadline):
            time.sleep(1)
            before, count = count, len(made.read_text().splitlines())
    assert first == [0, 1, 2, 3]
    taken = 4 + 3 + 2  # here, waiting here, and of the packet that is being shared out
    assert 2 * QUEUED <= count <= taken + 2 * (QUEUED + 3)


# --- what goes wrong --------------------------------------------------------------------------------------------


class Defective:
    """A reader whose second video is a defect of ours, which no message explains."""

    def read(self, videos, folder):
        for video_id, _ in videos:
            video = VideoFeatures(video_id)
            yield video, torch.zeros(3, dtype=torch.uint8)
            if video_id == "c":
                raise ZeroDivisionError("a defect")
            yield video, None


@pytest.mark.skipif(os.name != "posix", reason="the limit is Unix's")
def test_an_error_in_a_process_is_raised_here_and_few_open_files_are_enough(tmp_path):
    resource = pytest.importorskip("resource")
    limits, opened = resource.getrlimit(resource.RLIMIT_NOFILE), len(os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 24, limits[1]))
    try:
        got = []
        videos = [(name, tmp_path) for name in "abcd"]
        with (
            pytest.raises(ZeroDivisionError, match="a defect") as raised,
            decoded_in_processes(Defective(), videos, None, 2, 64) as inputs,
        ):
            got += [(video.video_id, pixels is None) for video, pixels in inputs]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "in decoding process 1 of 2" in str(raised.value.__cause__)
    assert "in read" in str(raised.value.__cause__)  # the line of the process in which it happened


@needs_signals
def test_a_killed_process_is_named_and_a_rerun_goes_on(tmp_path, monkeypatch, capsys):
    videos = [(f"v{i}", write_video(tmp_path / f"v{i}.mp4", 150, first=i)) for i in range(6)]
    out, real = tmp_path / "out", feature_extractor.save_track

    def save_and_kill(*given) -> None:
        real(*given)
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(feature_extractor, "save_track", save_and_kill)
        with pytest.raises(InputError) as raised:
            extract_features(extractor_of(workers=2), videos, out)
    said = str(raised.value)
    assert "of 2: was killed by signal 9; was memory short? (while it read " in said and ".mp4 or a video" in said
    assert said.endswith("type the same command again, with fewer processes (workers=1) or none (workers=0)")
    done = len(contents(out)) // 2
    assert 1 <= done < 6 and all(name.endswith((".json", ".npy")) for name in contents(out))
    capsys.readouterr()
    assert extract_features(extractor_of(workers=0), videos, out)[1] == []
    assert f"{done} of 6 videos are done already" in capsys.readouterr().out
    extract_features(extractor_of(workers=0), videos, tmp_path / "whole")
    assert sorted(contents(out)) == sorted(contents(tmp_path / "whole"))


@needs_signals
@pytest.mark.parametrize("ended_by", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_no_process_is_left_when_the_command_ends(tmp_path, ended_by):
    """A process that is left would hold the pipe of what is said on stderr, which is read to its end."""
    for i in range(6):
        write_video(tmp_path / f"v{i}.mp4", 200, first=i)
    settings = ["backbone.name=manet_r18", "backbone.weights=random", "stride=1", "workers=2", "device=cpu"]
    command = [sys.executable, "-c", "from mmad.cli import run; run('extract-features')", *settings]
    command += ["--videos", str(tmp_path), "--out", str(tmp_path / "out")]
    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears
    ) as process:
        assert process.stdout.readline().startswith("features by manet_r18/")  # now the processes start
        deadline = time.monotonic() + 120
        while not list((tmp_path / "out").glob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.1)  # until a first video is done
        assert process.poll() is None and list((tmp_path / "out").glob("*.json"))
        os.killpg(process.pid, ended_by) if ended_by == signal.SIGINT else process.kill()
        _, said = process.communicate(timeout=120)
    if ended_by == signal.SIGINT:
        assert process.returncode == 130
        assert "warning: this backbone is untrained" in said
        assert said.splitlines()[-1] == "interrupted: what was finished is kept, the same command goes on from there"
    assert "Traceback" not in said
