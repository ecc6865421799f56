"""Detection in archives of many videos by Ray Data: which videos are left to do, on how many processes, and what came
of them."""

import contextlib
import logging
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from mmad.config import PACKAGED, POSE_MODEL, PoseConfig
from mmad.engine.archive_workers import (
    ArchiveJob,
    JointDetector,
    JointsWorker,
    Ledger,
    Outcome,
    PixelDetector,
    as_row,
    digest_of_detector,
    scratch_folders,
)
from mmad.engine.video_jobs import Progress, SortedVideos, sort_videos
from mmad.errors import InputError, warn
from mmad.files import name_in_folder
from mmad.pose.quiet import quiet_stderr
from mmad.sidecars import is_same_video, refuse_other_source
from mmad.storage import AT_ONCE, ResultFolder, absolute
from mmad.video.archive_sources import ArchiveVideo

SETTINGS = {  # of Ray, where nobody chose others
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to its makers
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_worker_niceness": "0",  # that of the command, not 15 more
}
OTHER_FILE = "is another file than the one its results were made from"
JOINTS_PER_DETECTOR = 16  # processes that find joints, for each that detects in them
PARTS = 100  # of a CPU; the least share of a process is one of them
MOST_READERS = 8  # processes that decode, for each network
MOST_AT_ONCE = 16  # videos that a network is given at once
THREADS_PER_NETWORK = 8  # on CPUs


@dataclass(frozen=True)
class Shares:
    """How many processes run, and what share of the CPUs and GPUs each is given.

    readers: processes that decode, for each network. threads: of each network; 0: as torch likes.
    """

    workers: int
    cpus: float
    gpus: float = 0.0
    readers: int = 0
    threads: int = 0


@dataclass
class ArchiveResult:
    """done: videos whose results are there now, also those of earlier runs. problems: one line each. defects:
    tracebacks. seconds: of video that were processed now."""

    done: int
    problems: list[str]
    defects: list[str]
    seconds: float = 0.0


def shares_for_joints(cpus: Sequence[float], workers: int) -> Shares:
    """Of so many processes that find joints. Those that detect have little to do and find room on any machine.

    cpus: of each machine.
    """
    return Shares(workers, _share_of_cpus(cpus, workers, workers))


def networks_for(cpus: float, gpus: float) -> int:
    """One per GPU, or per eight CPUs where there is no GPU."""
    return max(int(gpus) or int(cpus) // THREADS_PER_NETWORK, 1)


def shares_for_pixels(cpus: Sequence[float], gpus: float, workers: int) -> Shares:
    """Of so many networks and their readers. cpus: of each machine. gpus: of all."""
    if gpus:
        threads = 0
        readers = min(max(int(sum(cpus) / workers) - 1, 1), MOST_READERS)
    else:
        threads = max(int(sum(cpus) / workers), 1)
        readers = max(threads // THREADS_PER_NETWORK, 1)
    each = _share_of_cpus(cpus, workers * (readers + 1), workers)
    return Shares(workers, each, min(1.0, _rounded_down(gpus / workers)), readers, threads)


def _share_of_cpus(cpus: Sequence[float], processes: int, workers: int) -> float:
    """The largest share of a CPU, 1 at most, with which all processes find room on machines with so many CPUs each: one
    that finds none would be waited for for ever. `InputError` where there are too many for the least share."""
    for share in range(PARTS, 0, -1):
        if sum(int(count * PARTS) // share for count in cpus) >= processes:
            return share / PARTS
    raise InputError("--workers", f"{workers} are too many for {sum(cpus):g} CPUs", "leave it out, or choose fewer")


def _rounded_down(share: float) -> float:
    """A share that fits as often as it should into what there is. Ray counts thousandths at best."""
    return int(share * PARTS) / PARTS


# --- what is to be done -----------------------------------------------------------------------------------------


def archive_job(
    detector: str | None, recognizer: str | None, device: str, pose: PoseConfig, out: str, tracks: bool
) -> ArchiveJob:
    """The job, with what makes its results. `InputError` where the detector or the estimator cannot be used."""
    path, out = absolute(detector or PACKAGED), absolute(out)  # processes of a cluster have another working folder
    recognizer = recognizer and absolute(recognizer)
    pose = replace(pose, models=absolute(pose.models))
    weights = digest_of_detector(path)
    job = ArchiveJob(path, recognizer, device, pose, out, tracks, "", "", uuid.uuid4().hex[:8])
    if by_joints(job):
        from mmad.engine.pose_extractor import PoseExtractor

        if recognizer is not None:
            remedy = "give a detector that was trained on its features, or no recognizer"
            raise InputError(recognizer, "is not needed by joints", remedy)
        with PoseExtractor(pose) as extractor:
            inputs = extractor.source
    else:
        from mmad.engine.infer import load_pipeline

        inputs = load_pipeline(path, recognizer, "cpu").extractor.source
    return replace(job, inputs=inputs, weights=weights)


def by_joints(job: ArchiveJob) -> bool:
    return job.detector.endswith(POSE_MODEL)


def left_to_do(job: ArchiveJob, videos: Sequence[ArchiveVideo]) -> SortedVideos:
    """Which videos have results of this job already, as `sort_videos` tells it.

    `InputError` where results were made with other weights or settings, or from another video of the same id.
    """
    out = ResultFolder(job.out)
    written = out.finished()

    def finished(video: ArchiveVideo) -> dict | None:
        try:
            name = name_in_folder(video.video_id)
        except InputError:  # sort_videos tells it
            return None
        sidecar = written.get(name)
        if sidecar is None:
            return None
        place = f"{out}/{name}/{ResultFolder.LAST}"
        refuse_other_source(place, sidecar, job.source)
        try:
            if is_same_video(sidecar, video.identity()):  # wherever it is now
                return sidecar
        except InputError:  # told when it is opened
            return None
        if sidecar.get("address", str(video)) != str(video):
            problem = f"is of {sidecar['address']}, and {video} has the same id"
            raise InputError(place, problem, "choose another --out")
        warn(f"{video}: {OTHER_FILE}; they are made again")
        return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = dict(zip((video.address for video in videos), threads.map(finished, videos)))
    bare = sum(sidecar is not None and not sidecar.get("tracks", True) for sidecar in found.values())
    if job.tracks and bare:
        warn(f"{bare} videos were done without --tracks and have none; another --out has the tracks of all")
    return sort_videos([(video.video_id, video) for video in videos], lambda _, video: found[video.address])


# --- the run ----------------------------------------------------------------------------------------------------


def detect_archive(job: ArchiveJob, videos: Sequence[ArchiveVideo], workers: int = 0) -> ArchiveResult:
    """Write the detections of videos, a folder per video; those that are written already are skipped.

    workers: processes that find joints, or networks; 0: as many as suit the machines.
    """
    found = left_to_do(job, videos)
    if found.finished:
        print(f"{len(found.finished)} of {len(videos)} videos are done already")
    todo = sorted((video for _, video in found.todo), key=lambda video: -video.size())
    result = ArchiveResult(len(found.finished), found.problems, [])
    if todo:
        ResultFolder(job.out).try_to_write(job.run)
        named = {video.video_id for video in videos}
        job = replace(job, people=frozenset(name for name in named if "_person" in name))
        with copies_removed(job), ray_session(), Progress(len(todo), "{:.2f} x real time") as progress:
            outcomes = {}
            for outcome in run_on_ray(job, todo, workers):
                if outcome.video_id not in outcomes:
                    outcomes[outcome.video_id] = outcome
                    progress.add(outcome.seconds, 1.0 if outcome.seconds else 0.0)
                    progress.finish_video()
        missing = [video for video in todo if video.video_id not in outcomes]
        assert not missing, f"{len(missing)} videos were lost, such as {missing[0].video_id}"
        add_outcomes(result, [outcomes[video_id] for video_id, _ in found.todo])
        rate = f", {result.seconds / progress.seconds:.2f} x real time" if result.seconds else ""
        print(f"{result.seconds:.1f} s of video in {progress.seconds:.1f} s{rate}")
    return result


def add_outcomes(result: ArchiveResult, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for note in outcome.notes:
            warn(note)
        result.done += outcome.detections is not None
        result.seconds += outcome.seconds
        result.problems += [outcome.problem] if outcome.problem else []
        result.defects += [f"{outcome.video_id}:\n{outcome.defect}"] if outcome.defect else []


@contextlib.contextmanager
def copies_removed(job: ArchiveJob) -> Iterator[None]:
    """Behind it, what processes of this run that were ended left in the temporary folder of this machine is gone."""
    try:
        yield
    finally:
        for left in scratch_folders(job.run):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def ray_session() -> Iterator[None]:
    """Ray as it runs already in this process; else a session of the cluster that RAY_ADDRESS names, or of this machine
    alone."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError("ray", "is not installed", 'type: pip install "mmad[ray]"') from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"ray\.")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # each video is passed on at once
    if ray.is_initialized():
        yield
        return
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with quiet_stderr():  # it says how it is set
        where = os.environ.get("RAY_ADDRESS") or "local"  # else it joins any cluster that runs on this machine
        ray.init(where, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        yield
    finally:
        ray.shutdown()


def run_on_ray(job: ArchiveJob, videos: Sequence[ArchiveVideo], workers: int = 0) -> Iterator[Outcome]:
    """The outcomes of all videos as they come; `InputError` where a process can do none."""
    import ray

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = [machine.get("CPU", 0.0) for machine in machines]
    gpus = 0.0 if job.device == "cpu" else sum(machine.get("GPU", 0.0) for machine in machines)
    if job.device == "cuda" and not gpus:
        raise InputError("device", "'cuda', and Ray sees no GPU", "leave it out, or start Ray where the GPUs are")
    job = replace(job, device="cuda" if gpus else "cpu")
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), False)
    ledger = ray.remote(Ledger).options(num_cpus=0, scheduling_strategy=here).remote()
    chain = _joints_chain if by_joints(job) else _pixels_chain
    try:
        for row in chain(job, videos, ledger, cpus, gpus, workers).iter_rows():
            outcome = row["outcome"]
            if outcome.refusal is not None:
                raise outcome.refusal
            yield outcome
    finally:
        ray.kill(ledger)


def _joints_chain(
    job: ArchiveJob, videos: Sequence[ArchiveVideo], ledger, cpus: Sequence[float], gpus: float, workers: int
):
    shares = shares_for_joints(cpus, min(workers or max(int(sum(cpus)), 1), len(videos)))
    detectors = -(-shares.workers // JOINTS_PER_DETECTOR)
    if gpus:
        detectors = min(detectors, int(gpus))
    common = {"job": job, "ledger": ledger}
    rows = _dataset(videos, 1)
    rows = _map(rows, JointsWorker, shares.workers, common, num_cpus=shares.cpus)
    return _map(rows, JointDetector, detectors, common, num_cpus=0, num_gpus=1 if gpus else 0)


def _pixels_chain(
    job: ArchiveJob, videos: Sequence[ArchiveVideo], ledger, cpus: Sequence[float], gpus: float, workers: int
):
    shares = shares_for_pixels(cpus, gpus, min(workers or networks_for(sum(cpus), gpus), len(videos)))
    at_once = min(max(len(videos) // (4 * shares.workers), 1), MOST_AT_ONCE)
    own = {"readers": shares.readers, "reader_cpus": shares.cpus, "threads": shares.threads}
    common = {"job": job, "ledger": ledger, **own}
    rows = _dataset(videos, at_once)
    return _map(rows, PixelDetector, shares.workers, common, num_cpus=shares.cpus, num_gpus=shares.gpus)


def _dataset(videos: Sequence[ArchiveVideo], at_once: int):
    import ray

    return ray.data.from_items([as_row(video) for video in videos], override_num_blocks=-(-len(videos) // at_once))


def _map(rows, worker: type, count: int, arguments: dict, **resources: float):
    """rows through `count` processes of a kind; what is in a block is one task."""
    import ray

    pool = ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2)
    arguments = {"fn_constructor_kwargs": arguments, "compute": pool, "batch_size": None}
    return rows.map_batches(worker, **arguments, **resources)
