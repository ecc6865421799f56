"""What the processes of `mmad detect-archive` do: joints or frames of a video, detection, and writing its results.

By joints: `JointsWorker` (a CPU) -> `JointDetector`. By pixels: `FrameReader` (a CPU) -> `PixelDetector`, which takes
the frames of one video after the other as they are decoded, from several readers ahead of it. Per video it is the code
of `mmad detect`. Every process may be lost at any time: what it was at is done again, by the process that Ray starts in
its place.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmad.config import PoseConfig
from mmad.errors import InputError, system_error
from mmad.files import file_digest, name_in_folder, write_json
from mmad.records import Detections, LandmarkTrack
from mmad.sidecars import is_same_video, video_of
from mmad.storage import ResultFolder, fetched, is_address, shown
from mmad.video.archive_sources import ArchiveVideo

if TYPE_CHECKING:
    from mmad.engine.feature_extractor import Extracted
    from mmad.engine.video_inputs import VideoInputs
    from mmad.labels import LabelSet

ATTEMPTS = 3  # at a video whose process is lost each time
PATIENCE = 120  # s until a lost reader should be there again
PACKET = 10 << 20  # bytes of frames that go from a reader to a network at once
PACKETS_AHEAD = 4  # of these may wait for the network, for each reader
SAME_FILES = "all machines need the same files of weights at the same place"


@dataclass(frozen=True)
class ArchiveJob:
    """What every process knows.

    detector, recognizer, pose: as for `mmad.engine.infer.load_pipeline`. out: the folder or address for the results.
    tracks: whether landmarks or features are written too. inputs: what makes these, `source` of their extractor.
    weights: digest of the detector's file. run: a name for this run. people: ids of videos that a person in another
    video could have.
    """

    detector: str
    recognizer: str | None
    device: str
    pose: PoseConfig
    out: str
    tracks: bool
    inputs: str
    weights: str
    run: str
    people: frozenset[str] = frozenset()

    @property
    def source(self) -> str:
        """What makes the results, as their sidecars say it."""
        return f"{self.inputs}/{self.weights}"


@dataclass
class Outcome:
    """What became of a video.

    problem: what is wrong with it, "" for nothing. notes: what one should know of it. detections: how many were
    written; None: no results. seconds: of video processed now. defect: the traceback of an error of ours, or "".
    refusal: why its process can do no video at all.
    """

    video_id: str
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    detections: int | None = None
    seconds: float = 0.0
    defect: str = ""
    refusal: InputError | None = None


@dataclass
class FoundJoints:
    """A video and the people in it, or its outcome where it is known already.

    problem: what is wrong with the video. details: of tracks, where the person that is meant is not in the video.
    """

    video: ArchiveVideo
    tracks: list[LandmarkTrack] = field(default_factory=list)
    problem: str = ""
    details: dict | None = None
    outcome: Outcome | None = None


class Ledger:
    """How often each video was begun: a process of its own, beside the command."""

    def __init__(self):
        self.counts: dict[str, int] = {}

    def begin(self, what: str) -> int:
        """Counts, and returns how often it was begun now, from 1 on."""
        self.counts[what] = self.counts.get(what, 0) + 1
        return self.counts[what]


def digest_of_detector(path: str | Path) -> str:
    """Of a detector's file: of its weights, its settings and its calibration."""
    return file_digest(path)[:12]


def as_row(video: ArchiveVideo) -> dict[str, str]:
    """The video as Ray Data carries it."""
    return {"video_id": video.video_id, "address": video.address, "known": json.dumps(video.known)}


def videos_of(batch: dict[str, np.ndarray]) -> list[ArchiveVideo]:
    rows = zip(batch["video_id"], batch["address"], batch["known"], strict=True)
    return [ArchiveVideo(str(name), str(address), json.loads(known)) for name, address, known in rows]


# --- what all of them do ----------------------------------------------------------------------------------------


class _Worker:
    def __init__(self, job: ArchiveJob, ledger, **options):
        """ledger: handle of the `Ledger`. options: of `prepare`."""
        self.job, self.ledger, self.out = job, ledger, ResultFolder(job.out)
        self.refusal = None
        try:
            self.prepare(**options)
        except InputError as error:  # told as the outcome of a video: of a process that cannot begin Ray tells pages
            self.refusal = error

    def prepare(self) -> None:
        """Load what it works with; `InputError` where that cannot be used."""
        raise NotImplementedError

    def begin(self, video: ArchiveVideo, stage: str) -> Outcome | None:
        """The outcome of a video that is not to be done: it was written before its process was lost, or processes are
        lost with it again and again, or this one can do none."""
        import ray

        if self.refusal is not None:
            return Outcome(video.video_id, refusal=self.refusal)
        attempt = ray.get(self.ledger.begin.remote(f"{stage} {video.video_id}"))
        if attempt == 1:
            return None
        outcome = Outcome(video.video_id)
        with noted_in(outcome, video):
            written = self.out.finished_of(name_in_folder(video.video_id))
            if written and written.get("source") == self.job.source and is_same_video(written, video.identity()):
                outcome.detections, outcome.problem = written.get("detections", 0), written.get("broken", "")
                return outcome
        if attempt <= ATTEMPTS:
            return None
        outcome.problem = f"{shown(video.address)}: its process, or one beside it, was lost {ATTEMPTS} times; "
        outcome.problem += "try mmad detect on this video alone: is there enough memory?"
        return outcome

    def check_gpu(self) -> None:
        """After an error: end this process where its GPU can do nothing any more, as after some errors of CUDA. Ray
        starts another one, which does the video again."""
        import torch

        if self.job.device != "cuda":
            return
        try:
            torch.cuda.synchronize()
        except Exception:
            os._exit(1)

    def write(
        self,
        video: ArchiveVideo,
        found: Sequence[Detections],
        shown_ones: Sequence[Detections],
        labels: "LabelSet",
        details: dict,
        save_tracks,
    ) -> int:
        """Write the results of a video. details: of its tracks. save_tracks: writes these into a folder. Returns how
        many detections there are.

        Which file they are of is what was read before the work on it: one that grew or was replaced meanwhile is done
        again by the next run.
        """
        from mmad.formats.submissions import write_results

        with scratch(self.job.run) as folder:
            write_results(folder, found, shown_ones, labels)
            if self.job.tracks:
                save_tracks(folder)
            count = sum(map(len, found))
            about = {"video_id": video.video_id, "address": str(video), "source": self.job.source}
            about |= {"detections": count, "tracks": self.job.tracks}
            broken = {"broken": details["broken"]} if "broken" in details else {}
            file = {**video_of(details), **(video.known or {})}
            write_json(folder / ResultFolder.LAST, {**about, **broken, "video": file}, indent=1)
            self.out.publish(name_in_folder(video.video_id), folder)
        return count


@contextlib.contextmanager
def noted_in(outcome: Outcome, video: ArchiveVideo, file: Path | None = None) -> Iterator[None]:
    """Within it, errors end the work on this video alone and are told in its outcome."""
    try:
        yield
    except InputError as error:
        outcome.problem = _with_address(str(error), video, file)
    except OSError as error:
        outcome.problem = _with_address(str(system_error(error.filename or video.video_id, error)), video, file)
    except Exception:
        outcome.defect = traceback.format_exc()


def _with_address(line: str, video: ArchiveVideo, file: Path | None) -> str:
    """The line about a fetched copy as one about the video itself."""
    return line.replace(str(file), shown(video.address)) if file and is_address(video.address) else line


@contextlib.contextmanager
def scratch(run: str) -> Iterator[Path]:
    """A folder of this process for the time being, emptied first: a lost process may have left something there."""
    import ray

    folder = Path(tempfile.gettempdir(), f"mmad-{run}-{ray.get_runtime_context().get_actor_id()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scratch_folders(run: str) -> Iterator[Path]:
    """Those of all processes of a run on this machine."""
    return Path(tempfile.gettempdir()).glob(f"mmad-{run}-*")


def _expect(found: str, wanted: str, what: str) -> None:
    if found != wanted:
        raise InputError(what, f"{found} on one machine, {wanted} on another", SAME_FILES)


# --- by joints --------------------------------------------------------------------------------------------------


class JointsWorker(_Worker):
    """Videos in, the joints of the people in them out, one video at a time."""

    def prepare(self) -> None:
        from mmad.engine.pose_extractor import PoseExtractor

        self.extractor = PoseExtractor(self.job.pose)
        _expect(self.extractor.source, self.job.inputs, "the pose estimator")

    def __call__(self, batch: dict[str, np.ndarray]) -> Iterator[dict[str, list]]:
        for video in videos_of(batch):
            outcome = self.begin(video, "joints")
            yield {"found": [self.find(video) if outcome is None else FoundJoints(video, outcome=outcome)]}

    def find(self, video: ArchiveVideo) -> FoundJoints:
        from mmad.engine.pose_extractor import NotFound, of_one_video

        found, outcome = FoundJoints(video), Outcome(video.video_id)
        with noted_in(outcome, video), scratch(self.job.run) as folder:
            found.video = video.identified()
            with fetched(video.address, folder) as file, noted_in(outcome, video, file):
                plan = self.extractor.plan(file, video.video_id)
                try:
                    tracks, problem = self.extractor.tracks(plan)
                except NotFound as error:
                    tracks, problem = [], error
                    found.details = plan.details(self.extractor.settings, error)
                    found.details["broken"] = _with_address(str(error), video, file)
                if problem is not None:
                    found.problem = _with_address(str(problem), video, file)
                    for track in tracks:
                        track.details["broken"] = found.problem
                found.tracks = of_one_video(tracks, plan, self.job.people)
        if not found.tracks and found.details is None:
            found.outcome = outcome
        return found


class JointDetector(_Worker):
    """The joints of people in, detections written."""

    def prepare(self) -> None:
        from mmad.engine.infer import load_pipeline

        job = self.job
        _expect(digest_of_detector(job.detector), job.weights, job.detector)
        self.pipeline = load_pipeline(job.detector, None, job.device, job.pose)

    def __call__(self, batch: dict[str, np.ndarray]) -> Iterator[dict[str, list]]:
        for found in batch["found"]:
            yield {"outcome": [found.outcome or self.begin(found.video, "detection") or self.detect(found)]}

    def detect(self, found: FoundJoints) -> Outcome:
        from mmad.engine.pose_extractor import save_people

        video, tracks, pipeline = found.video, found.tracks, self.pipeline
        details = tracks[0].details if tracks else found.details
        notes = [f"{video.video_id}: {note}" for note in details.get("notes", ())]
        outcome = Outcome(video.video_id, found.problem, notes)
        with noted_in(outcome, video):
            detections = [pipeline.detect_landmarks(track) for track in tracks]
            detections = detections or [Detections(video.video_id, np.empty((0, 2)), [], [])]
            likely = [pipeline.shown(item) for item in detections]
            outcome.detections = self.write(
                *(video, detections, likely, pipeline.labels, details),
                lambda folder: save_people(folder / "landmarks", tracks),
            )
            outcome.seconds = tracks[0].duration if tracks else 0.0
        if outcome.defect:
            self.check_gpu()
        return outcome


# --- by pixels --------------------------------------------------------------------------------------------------


class FrameReader:
    """Decodes videos for a network in another process."""

    def __init__(self, inputs: "VideoInputs", run: str):
        self.inputs, self.run = inputs, run

    def read(self, video: ArchiveVideo, first: int) -> Iterator[tuple[str, object]]:
        """What `in_packets` gives of a video from step `first` on, pixels as arrays: those Ray does not copy."""
        from mmad.engine.video_inputs import in_packets

        with scratch(self.run) as folder:
            file = problem = None
            try:
                with fetched(video.address, folder) as file:
                    for kind, content in in_packets(self.inputs.read([(video.video_id, file)], None, first), PACKET):
                        if kind == "end":
                            problem = content
                        else:
                            yield kind, content.numpy() if kind == "inputs" else content
            except InputError as error:  # it could not be fetched
                problem = error
            if problem is not None:
                lines = (_with_address(text, video, file) for text in (problem.place, problem.problem, problem.remedy))
                problem = InputError(*lines)
            yield "end", problem

    def is_there(self) -> bool:
        return True


class PixelDetector(_Worker):
    """Videos in, detections from features of their pixels written."""

    def prepare(self, readers: int, reader_cpus: float, threads: int) -> None:
        """readers: how many decode for it, with so many CPUs each. threads: of the network; 0: as torch likes."""
        import ray
        import torch

        from mmad.engine.infer import load_pipeline

        job = self.job
        if threads:
            torch.set_num_threads(threads)
        _expect(digest_of_detector(job.detector), job.weights, job.detector)
        self.pipeline = load_pipeline(job.detector, job.recognizer, job.device)
        _expect(self.pipeline.extractor.source, job.inputs, "the backbone")
        kind = ray.remote(FrameReader).options(num_cpus=reader_cpus, max_restarts=-1)
        self.readers = [kind.remote(self.pipeline.extractor.without_network(), job.run) for _ in range(readers)]

    def __call__(self, batch: dict[str, np.ndarray]) -> Iterator[dict[str, list]]:
        """All videos together; where a process was lost with them, one at a time, so that it is known at which."""
        import ray

        videos = videos_of(batch)
        first = ray.get(self.ledger.begin.remote(f"videos from {videos[0].video_id}")) == 1
        for together in [videos] if first else [[video] for video in videos]:
            todo = []
            for video in together:
                outcome = self.begin(video, "pixels")
                if outcome is None:
                    outcome = Outcome(video.video_id)
                    with noted_in(outcome, video):
                        todo.append(video.identified())
                        continue
                yield {"outcome": [outcome]}
            for outcome in self.detect(todo):
                yield {"outcome": [outcome]}

    def detect(self, videos: list[ArchiveVideo]) -> Iterator[Outcome]:
        """The outcomes, in order; after an error of ours the remaining videos one by one."""
        import ray

        left = list(videos)
        try:
            pairs = [(video.video_id, video) for video in videos]
            for item in self.pipeline.extractor.extract(pairs, read=self._read):
                yield self._finish(left.pop(0), item)
        except Exception:
            self.check_gpu()
            for reader in self.readers:  # each may wait for its frames to be taken
                ray.kill(reader, no_restart=False)
            if len(videos) == 1:
                yield Outcome(videos[0].video_id, defect=traceback.format_exc())
            else:
                for video in left:
                    yield from self.detect([video])

    def _finish(self, video: ArchiveVideo, item: "Extracted") -> Outcome:
        from mmad.data.feature_files import save_track

        outcome = Outcome(video.video_id)
        with noted_in(outcome, video):
            track, pipeline = item.track, self.pipeline
            if track is None:
                raise item.problem
            found = [pipeline.detect_track(track)]
            outcome.detections = self.write(
                *(video, found, found, pipeline.labels, track.details),
                lambda folder: save_track(folder / "features", track),
            )
            outcome.seconds, outcome.problem = track.duration, str(item.problem or "")
            outcome.notes = [f"{video.video_id}: {remark}" for remark in video_of(track.details).get("remarks", ())]
        if outcome.defect:
            self.check_gpu()
        return outcome

    def _read(self, videos: Sequence[tuple[str, ArchiveVideo]], folder: None) -> Iterator[tuple]:
        """What `FeatureExtractor` reads itself on a single machine, from readers that are ahead by a video each."""
        waiting, free, begun = deque(videos), deque(self.readers), deque()
        while waiting or begun:
            while waiting and free:
                begun.append(_BeingRead(free.popleft(), *waiting.popleft()))
            current = begun.popleft()
            yield from current.messages()
            free.append(current.reader)


class _BeingRead:
    """A video that a reader decodes."""

    def __init__(self, reader, video_id: str, video: ArchiveVideo):
        self.reader, self.video_id, self.video = reader, video_id, video
        self.stream = self._open(0)

    def _open(self, first: int):
        ahead = {"num_returns": "streaming", "_generator_backpressure_num_objects": PACKETS_AHEAD}
        return self.reader.read.options(**ahead).remote(self.video, first)

    def messages(self) -> Iterator[tuple]:
        """The inputs as `FeatureExtractor.extract` takes them. If the reader is lost, the one that Ray starts in its
        place begins at the step that is missing."""
        import ray
        import torch

        from mmad.engine.video_inputs import VideoFeatures

        video, count = VideoFeatures(self.video_id), 0
        for _ in range(ATTEMPTS):
            try:
                for reference in self.stream:
                    kind, content = ray.get(reference)
                    if kind == "plan":
                        if video.plan is None:
                            video.start(content)
                    elif kind == "end":
                        video.problem = content
                    else:
                        for pixels in torch.from_numpy(content.copy()):  # what Ray shares may not be written
                            yield video, pixels
                            count += 1
                break
            except ray.exceptions.RayTaskError:
                raise  # an error of ours
            except ray.exceptions.RayError:
                _wait_for(self.reader)
                self.stream = self._open(count)
        else:
            problem = f"the process that decodes it was lost {ATTEMPTS} times"
            video.problem = InputError(shown(self.video.address), problem, "is there enough memory? is the file sound?")
        yield video, None


def _wait_for(reader) -> None:
    """Until Ray has started a lost reader again: before that, what it is asked for fails at once."""
    import ray

    for _ in range(PATIENCE):
        try:
            ray.get(reader.is_there.remote())
            return
        except ray.exceptions.RayError:
            time.sleep(1)
