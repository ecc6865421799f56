"""How many processes an archive gets, what is left to do in it, and what came of it; nothing here starts Ray."""

import contextlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_estimator import NAME, MadeEstimator
from made_videos import write_video

from mmad.config import PACKAGED, PoseConfig
from mmad.engine import archive_workers
from mmad.engine.archive_workers import (
    ArchiveJob,
    JointDetector,
    JointsWorker,
    Outcome,
    _Worker,
    as_row,
    videos_of,
)
from mmad.engine.ray_archive import (
    SETTINGS,
    ArchiveResult,
    Shares,
    add_outcomes,
    archive_job,
    left_to_do,
    networks_for,
    ray_session,
    shares_for_joints,
    shares_for_pixels,
)
from mmad.errors import InputError
from mmad.files import write_json
from mmad.pose.estimators import ESTIMATORS
from mmad.sidecars import is_same_video
from mmad.storage import ResultFolder
from mmad.video.archive_sources import ArchiveVideo

JOB = ArchiveJob("pose.safetensors", None, "cpu", PoseConfig(), "out", False, "made/1", "abc", "run")


@pytest.mark.parametrize("cpus", [1, 2, 3, 16, 64, 1000])
@pytest.mark.parametrize("share", [0.5, 1, 3])
def test_processes_for_joints_find_room(cpus, share):
    """Else Ray would wait for ever: all of them fit into the CPUs; those that detect need no share."""
    workers = max(int(cpus * share), 1)
    shares = shares_for_joints([cpus], workers)
    assert shares.workers == workers and 0 < shares.cpus <= 1
    assert workers * shares.cpus <= cpus


def test_processes_find_room_on_small_machines():
    """No process is split between two machines."""
    assert shares_for_joints([4] * 4, 16) == Shares(16, 1.0)
    assert shares_for_joints([1] * 4, 5) == Shares(5, 0.5)  # at 0.8, a fifth would wait for ever
    assert shares_for_joints([0, 0.5, 2], 3) == Shares(3, 0.66)  # the head of a cluster may offer none
    assert shares_for_pixels([1] * 3, 0, 2) == Shares(2, 0.5, 0.0, 1, 1)


def test_more_processes_than_shares_are_refused():
    """A share of 0 would be none that Ray counts, and its default is a whole CPU."""
    assert shares_for_joints([2], 200).cpus == 0.01
    with pytest.raises(InputError, match="--workers: 201 are too many for 2 CPUs"):
        shares_for_joints([2], 201)
    with pytest.raises(InputError, match="--workers: 150 are too many for 2 CPUs"):
        shares_for_pixels([2], 0, 150)  # each with a reader


@pytest.mark.parametrize("gpus", [0, 1, 8, 64])
@pytest.mark.parametrize("per_gpu", [1, 2, 3, 16, 24])
def test_networks_and_their_readers_find_room(gpus, per_gpu):
    cpus = per_gpu * max(gpus, 1)
    shares = shares_for_pixels([cpus], gpus, networks_for(cpus, gpus))
    assert shares.workers * (shares.readers + 1) * shares.cpus <= cpus
    assert 1 <= shares.readers <= 8 and 0 < shares.cpus <= 1
    assert shares.gpus == (1 if gpus else 0)


def test_how_many_of_each():
    assert shares_for_joints([2], 2) == Shares(2, 1.0)
    assert shares_for_joints([2], 3) == Shares(3, 0.66)
    assert shares_for_pixels([16], 1, networks_for(16, 1)) == Shares(1, 1.0, 1.0, 8)
    assert shares_for_pixels([8], 4, networks_for(8, 4)) == Shares(4, 1.0, 1.0, 1)
    assert shares_for_pixels([16], 1, 2) == Shares(2, 1.0, 0.5, 7)  # two networks share a GPU
    assert shares_for_pixels([2], 0, networks_for(2, 0)) == Shares(1, 1.0, 0.0, 1, 2)
    assert shares_for_pixels([32], 0, networks_for(32, 0)) == Shares(4, 1.0, 0.0, 1, 8)


def test_the_job_names_whole_paths(tmp_path, monkeypatch):
    """Processes of a cluster have another working folder."""
    monkeypatch.setitem(ESTIMATORS, NAME, MadeEstimator)
    monkeypatch.chdir(tmp_path)
    shutil.copy(PACKAGED, "own.safetensors")
    job = archive_job("own.safetensors", None, "cpu", PoseConfig(NAME, models="models"), "out", False)
    assert (job.detector, job.out) == (str(tmp_path / "own.safetensors"), str(tmp_path / "out"))
    assert job.pose.models == str(tmp_path / "models") and job.recognizer is None
    job = archive_job(None, None, "cpu", PoseConfig(NAME), "s3://bucket/out", False)
    assert (job.detector, job.out, job.pose.models) == (str(PACKAGED), "s3://bucket/out", "")


@pytest.mark.parametrize("named", [None, "auto"])
def test_only_a_named_cluster_is_joined(named, monkeypatch):
    """Without an address, Ray would join whatever cluster runs on this machine."""
    ray = pytest.importorskip("ray", reason='needs Ray: pip install "mmad[ray]"')
    pytest.importorskip("ray.data", reason='needs Ray Data: pip install "mmad[ray]"')
    for name, value in {**SETTINGS, "RAY_ADDRESS": named or ""}.items():
        monkeypatch.setenv(name, value)
    asked = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda address=None, **options: asked.append(address))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with ray_session():
        assert asked == [named or "local"]


def test_a_gpu_that_can_do_nothing_any_more_ends_its_process(monkeypatch):
    """Else each later video would be a defect; after other errors the process goes on."""
    worker, ended = _Worker.__new__(_Worker), []
    monkeypatch.setattr(os, "_exit", ended.append)
    for device, broken, expected in (("cuda", False, []), ("cpu", True, []), ("cuda", True, [1])):
        worker.job = replace(JOB, device=device)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda broken=broken: 1 / 0 if broken else None)
        worker.check_gpu()
        assert ended == expected


def test_a_video_travels_as_a_row():
    videos = [ArchiveVideo("a", "s3://b/a.mp4", {"size": 3, "version": "x"}), ArchiveVideo("day/b", "b.mp4")]
    rows = [as_row(video) for video in videos]
    assert videos_of({name: np.array([row[name] for row in rows]) for name in rows[0]}) == videos


def test_what_is_finished_is_not_done_again(tmp_path, capsys):
    videos = [ArchiveVideo(name, str(tmp_path / f"{name}.mp4")) for name in ("new", "same", "replaced", "cut", "gone")]
    job = ArchiveJob(**{**vars(JOB), "out": str(tmp_path / "out")})
    for video in videos[1:]:
        (tmp_path / f"{video.video_id}.mp4").write_bytes(video.video_id.encode())
        about = {"source": "made/1/abc", "video": video.identity()}
        broken = {"broken": "cut.mp4: is cut off"} if video.video_id == "cut" else {}
        write_json(tmp_path / "out" / video.video_id / "finished.json", {**about, **broken})
    (tmp_path / "replaced.mp4").write_bytes(b"another")
    (tmp_path / "gone.mp4").unlink()
    (tmp_path / "out" / "cut" / "predictions.json").write_text("{}")
    found = left_to_do(job, [*videos, ArchiveVideo("../x", "s3://b/x.mp4?key=secret", {"size": 1, "version": ""})])
    assert [video_id for video_id, _ in found.todo] == ["new", "replaced", "gone"]  # told when it is opened
    assert sorted(found.finished) == ["cut", "same"]
    outside, cut = sorted(found.problems)
    assert outside.startswith("'s3://b/x.mp4': '../x' is not a name") and cut == "cut.mp4: is cut off"
    assert "replaced.mp4: is another file than the one its results were made from" in capsys.readouterr().err


def test_results_of_other_settings_are_refused(tmp_path):
    job = ArchiveJob(**{**vars(JOB), "out": str(tmp_path)})
    write_json(tmp_path / "a" / "finished.json", {"source": "made/2/abc"})
    assert left_to_do(job, [ArchiveVideo("b", "b.mp4")]).todo
    with pytest.raises(InputError, match=r"a/finished\.json: was made with other .* \(made/2/abc, now"):
        left_to_do(job, [ArchiveVideo("a", "a.mp4")])


def test_another_video_of_the_same_id_is_refused(tmp_path, capsys):
    """It would replace the results of the first; the same video at another place keeps its results."""
    first, second = (ArchiveVideo("cam", str(tmp_path / day / "cam.mp4")) for day in ("day1", "day2"))
    for video in (first, second):
        (tmp_path / video.address).parent.mkdir()
        (tmp_path / video.address).write_bytes(video.address.encode())
    job = replace(JOB, out=str(tmp_path / "out"))
    about = {"source": "made/1/abc", "address": str(first), "tracks": False, "video": first.identity()}
    write_json(tmp_path / "out/cam/finished.json", about)
    with pytest.raises(
        InputError, match=r"cam/finished\.json: is of .*day1/cam\.mp4, and .*day2/cam\.mp4 has the same"
    ):
        left_to_do(job, [second])
    shutil.move(first.address, second.address)
    assert list(left_to_do(job, [second]).finished) == ["cam"]
    assert capsys.readouterr().err == ""
    assert list(left_to_do(replace(job, tracks=True), [second]).finished) == ["cam"]
    assert capsys.readouterr().err.startswith("warning: 1 videos were done without --tracks and have none")


@pytest.fixture
def without_ray(tmp_path, monkeypatch):
    """The job of processes that work on videos in this one."""

    @contextlib.contextmanager
    def scratch(run: str):
        (tmp_path / run).mkdir()
        yield tmp_path / run
        shutil.rmtree(tmp_path / run)

    monkeypatch.setattr(archive_workers, "scratch", scratch)
    monkeypatch.setitem(ESTIMATORS, NAME, MadeEstimator)
    return lambda **pose: archive_job(None, None, "cpu", PoseConfig(NAME, **pose), tmp_path / "out", True)


@pytest.mark.parametrize("where", ["here", "store"])
def test_a_video_that_changes_while_it_is_processed_is_done_again(where, without_ray, tmp_path, monkeypatch):
    """What was read before the work is what its results are of: later runs see that it is another file."""
    path = write_video(tmp_path / "a.mp4", 20)
    store = pytest.importorskip("fsspec").filesystem("memory") if where == "store" else None
    if store:
        store.pipe("/v/a.mp4", path.read_bytes())
    video = ArchiveVideo("a", "memory://v/a.mp4" if store else str(path))
    estimate = MadeEstimator.estimate

    def estimate_while_it_grows(self, frame, seconds):
        if seconds == 0:
            path.write_bytes(path.read_bytes() + b"more")
            if store:
                store.pipe("/v/a.mp4", path.read_bytes())
        return estimate(self, frame, seconds)

    monkeypatch.setattr(MadeEstimator, "estimate", estimate_while_it_grows)
    job, before = without_ray(), video.identity()
    outcome = JointDetector(job, None).detect(JointsWorker(job, None).find(video))
    assert (outcome.problem, outcome.defect) == ("", "") and outcome.detections is not None
    (sidecar,) = ResultFolder(job.out).finished().values()
    assert is_same_video(sidecar, before) and not is_same_video(sidecar, video.identity())
    assert [name for name, _ in left_to_do(job, [video]).todo] == ["a"]
    if store:
        store.rm("/v", recursive=True)


def test_a_video_without_the_person_has_no_detections_and_is_finished(without_ray, tmp_path):
    """It is not decoded again by each run, and each says what was wrong."""
    video = ArchiveVideo("a", str(write_video(tmp_path / "a.mp4", 20)))
    job = without_ray(person="1")
    outcome = JointDetector(job, None).detect(JointsWorker(job, None).find(video))
    line = f"{video}, person 1: only one person was found; choose 0..0; 0 is the largest"
    assert (outcome.detections, outcome.problem, outcome.defect) == (0, line, "")
    assert json.loads((tmp_path / "out/a/predictions.json").read_text())["results"] == {"a": []}
    found = left_to_do(job, [video])
    assert list(found.finished) == ["a"] and found.problems == [line]


def test_outcomes_are_summed(capsys):
    result = ArchiveResult(2, ["earlier"], [])
    outcomes = [
        Outcome("a", detections=3, seconds=2.0, notes=["a: is small"]),
        Outcome("b", "b.mp4: broken", detections=0, seconds=1.5),
        Outcome("c", "c.mp4: none"),
        Outcome("d", defect="Traceback"),
    ]
    add_outcomes(result, outcomes)
    assert result == ArchiveResult(4, ["earlier", "b.mp4: broken", "c.mp4: none"], ["d:\nTraceback"], 3.5)
    assert capsys.readouterr().err == "warning: a: is small\n"
