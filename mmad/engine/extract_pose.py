"""Videos to landmark tracks: frames are chosen by their times, decoding and the networks overlap, reruns go on.

A video is first looked through frame by frame; who is who, and which person is meant, is found out from the whole of
it (`mmad/pose/people.py`). Of a long video what was found so far stands in ID.begun.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmad.config import PoseConfig
from mmad.data.features import GrowingTrack
from mmad.engine.background import in_background
from mmad.errors import InputError, warn
from mmad.files import check_id, output_folder, path_for_id
from mmad.pose.estimators import open_estimator
from mmad.pose.files import is_done, save_landmarks
from mmad.pose.people import PERSON, choose, erase_phantoms, follow, in_order, is_there, nobody
from mmad.pose.skeletons import LAYOUT
from mmad.records import LandmarkTrack, content_digest
from mmad.video.reader import BrokenVideo, VideoInfo, probe, stream, video_identity

PROGRESS = "{percentage:3.0f}%|{bar}| {n:.2f}/{total_fmt} videos [{elapsed}<{remaining}{postfix}]"
WORTH_KEEPING = 300  # frames of a video of which what was found is kept while it is under way
RUN_UP = 1.0  # s that are looked at again after an interruption: the networks follow people from frame to frame
AHEAD = 4  # decoded frames that may wait for the networks, some 6 MB each
LONGEST_SIDE = 1920  # pixels; larger pictures are made smaller by the decoder
SELDOM = 0.5  # share of the frames in which a person is seen, below which that is said
COLUMNS = PERSON.itemsize // np.dtype(np.float32).itemsize
NOBODY = "are the head and the shoulders of a person in the picture, and is it upright?"


@dataclass
class Plan:
    """Which frames of one video are looked at.

    identity: which file it is, as `video_identity` has it. frames: (T,) indices, ascending. kept: what an earlier run
    found in it; None for short videos.
    """

    video_id: str
    identity: dict[str, int | str]
    info: VideoInfo
    frames: np.ndarray
    kept: GrowingTrack | None = None


class PoseExtractor:
    """An estimator with its settings, ready to turn videos into landmark tracks; a context that closes it."""

    def __init__(self, config: PoseConfig):
        self.config = config
        self.estimator = open_estimator(config)
        self.people = 1 if config.person == "largest" else config.max_people  # who are followed at once
        chosen = {name: getattr(config, name) for name in ("fps", "hands", "person")}
        self.settings = {
            **self.estimator.settings,
            **chosen,
            **({"max_people": self.people} if self.people > 1 else {}),
        }
        digest = hashlib.sha256(json.dumps({**chosen, "people": self.people}, sort_keys=True).encode()).hexdigest()[:8]
        self.source = f"{self.estimator.source}/{config.fps:g}fps-{config.person}-{digest}"

    def __enter__(self) -> "PoseExtractor":
        return self

    def __exit__(self, *_) -> None:
        self.estimator.close()

    def plan(self, path: Path, video_id: str, folder: Path | None = None) -> Plan:
        """What is to be done of a video. folder: where what an earlier run found in a long one is kept."""
        identity, info = video_identity(path), probe(path)
        plan = Plan(video_id, identity, info, sampled_frames(info, self.config.fps))
        if folder is None or len(plan.frames) < WORTH_KEEPING:
            return plan
        found_in = {"source": self.source, **identity, "frames": content_digest([plan.frames, info.timestamps])}
        return replace(plan, kept=GrowingTrack(folder, video_id, found_in, len(plan.frames)))

    def tracks(
        self, plan: Plan, on_progress: Callable[[float, float], None] | None = None
    ) -> tuple[list[LandmarkTrack], InputError | None]:
        """(the joints of the people meant, what is wrong with the video); of a broken one, up to where it is.

        on_progress: told how many more s were looked at (0: an earlier run did), and what share of the video is done.
        `InputError` where nothing can be read, where nobody is found, or not the person that was named.
        """
        rows, problem = self._look(plan, on_progress or (lambda seconds, share: None))
        if not len(rows):
            raise problem
        times = plan.info.times[plan.frames[: len(rows)]]
        people = in_order([erase_phantoms(track, times) for track in follow(rows, times)], times)
        if not people:
            raise InputError(plan.info.path, "nobody was found in it", NOBODY)
        try:
            chosen = choose(people, self.config.person)
        except InputError as error:
            raise InputError(f"{plan.info.path}, {error.place}", error.problem, error.remedy) from None
        tracks = [self._track(plan, people[i], times, i, problem) for i in chosen]
        tracks[0].details["notes"] = self._notes(rows, people, tracks)
        return tracks, problem

    def _look(self, plan: Plan, on_progress: Callable[[float, float], None]) -> tuple[np.ndarray, InputError | None]:
        """((T', P) PERSON of the frames that could be read, what went wrong)."""
        info, total = plan.info, len(plan.frames)
        rows, done = nobody(total, self.people), 0
        values = rows.view(np.float32).reshape(total, -1)  # the same memory
        if plan.kept:
            done = plan.kept.count
            values[:done] = plan.kept.begin(values.shape[1])
            on_progress(0, done / total)
        first, known, problem = max(done - round(RUN_UP * self.config.fps), 0), done, None
        self.estimator.begin(self.people)
        try:
            frames = in_background(lambda: stream(info, plan.frames[first:], _decoded_size(info)), AHEAD)
            with closing(frames):
                for row, (index, frame) in enumerate(frames, start=first):
                    found = self.estimator.estimate(frame, float(info.times[index]))
                    if row >= known:
                        rows[row, : len(found)] = found
                        done = row + 1
                        if plan.kept:
                            plan.kept.write(row, values[row : row + 1])
                    on_progress(info.duration / total, done / total)
        except InputError as error:
            problem = error
        if not info.whole and problem is None:  # all that is there was read, but not all is there
            problem = BrokenVideo(info.path, info.num_frames, info.expected_frames, float(info.times[-1]))
        return rows[:done], problem

    def _track(
        self, plan: Plan, person: np.ndarray, times: np.ndarray, number: int, problem: InputError | None
    ) -> LandmarkTrack:
        info = plan.info
        video = {"file": info.path.name, **plan.identity, "fps": info.fps, "frames": info.num_frames, "reader": "pyav"}
        if info.damaged:
            video["damaged"] = info.damaged
        details = {"settings": self.settings, "video": video}
        if problem is not None:
            details["broken"] = str(problem)
        video_id = name_of_person(plan.video_id, number) if self.config.person == "all" else plan.video_id
        size = (info.width, info.height)
        return LandmarkTrack(
            video_id, person["points"], times, LAYOUT, size, number, info.duration, self.source, details
        )

    def _notes(self, rows: np.ndarray, people: list[np.ndarray], tracks: list[LandmarkTrack]) -> list[str]:
        """What a person should know of the tracks that were chosen."""
        notes, at_once = [], self.estimator.most_people
        if self.people == 1 and at_once > 1:
            others = "--person left, right, all or a number: of others"
            notes.append(f"up to {at_once} people are in the picture, these are the joints of the largest ({others})")
        if self.people > 1 and is_there(rows).all(axis=1).any():
            notes.append(
                f"{self.people} people or more are in the picture, no more are told apart (max_people=N: more)"
            )
        for track in tracks:
            person = people[track.person]
            whose = f"person {track.person} " if len(tracks) > 1 else "the person "
            seen = is_there(person)
            if seen.mean() < SELDOM:
                notes.append(f"{whose}is seen in {100 * seen.mean():.0f} % of the frames")
            lean = person["head"][seen] - person["chest"][seen]
            if np.mean(lean[:, 1] > np.abs(lean[:, 0])) > 0.5:
                notes.append(f"{whose}is upside down: is the video turned?")
            elif np.mean(np.abs(lean[:, 0]) > np.abs(lean[:, 1])) > 0.5:
                notes.append(f"{whose}lies on the side: is the video turned?")
        return notes


def sampled_frames(info: VideoInfo, fps: float) -> np.ndarray:
    """Indices of the frames nearest to 0, 1 / fps, 2 / fps ... s, ascending, each once."""
    count = max(int(np.ceil(info.duration * fps - 1e-6)), 1)
    return np.unique(info.nearest_frames(np.arange(count) / fps))


def name_of_person(video_id: str, number: int) -> str:
    """The id of a track where several people of a video are kept: the first has the video's, which is the largest."""
    return f"{video_id}_person{number}" if number else video_id


def _decoded_size(info: VideoInfo) -> tuple[int, int] | None:
    """(height, width) that frames are read in; None: their own."""
    scale = LONGEST_SIDE / max(info.width, info.height)
    return None if scale >= 1 else (max(round(info.height * scale), 1), max(round(info.width * scale), 1))


def estimate_video(path: str | Path, config: PoseConfig) -> list[LandmarkTrack]:
    """The joints of the people in one video that `config.person` means: one track, of "all" one or more.

    The first has the video's name as its id, others of "all" as `name_of_person` says. Those of what could be read of a
    broken video come with a warning; `InputError` where nothing could be read, or nobody was found.
    """
    path = Path(path)
    with PoseExtractor(config) as extractor:
        tracks, problem = extractor.tracks(extractor.plan(path, path.stem))
    for line in [*([str(problem)] if problem else []), *(f"{path}: {note}" for note in tracks[0].details["notes"])]:
        warn(line)
    return tracks


def extract_pose_folder(
    config: PoseConfig, videos: list[tuple[str, Path]], out: str | Path
) -> tuple[list[str], list[str]]:
    """Write the landmark tracks of videos (id, file) into `out`, skipping what is done of the very same video.

    Returns the ids of the tracks that are there, be it of what could be read, in the order of the videos, and what went
    wrong, a line each.
    """
    out = output_folder(out)
    with PoseExtractor(config) as extractor:
        print(f"joints by {extractor.source}", flush=True)
        return _Run(extractor, videos, out).all()


class _Run:
    """A folder of videos on the way to a folder of tracks."""

    def __init__(self, extractor: PoseExtractor, videos: list[tuple[str, Path]], out: Path):
        self.extractor, self.videos, self.out = extractor, videos, out
        self.ready: dict[str, list[str]] = {}  # ids of the tracks of each video
        self.problems: list[str] = []
        self.seconds = 0.0  # of video that were looked at
        self.passed = 0  # videos that are behind us, whatever became of them
        self.began = time.perf_counter()

    def all(self) -> tuple[list[str], list[str]]:
        """The ids of the tracks that are there, and what went wrong, a line each."""
        todo = [video for video in self.videos if not self._is_done(*video)]
        if self.ready:
            print(f"{len(self.ready)} of {len(self.videos)} videos are done already")
        with tqdm(total=len(todo), disable=None, bar_format=PROGRESS) as bar:
            for video_id, path in todo:
                self._make(video_id, path, partial(self._show, bar))
                self.passed += 1
                bar.update(self.passed - bar.n)
        taken, whole = time.perf_counter() - self.began, len(self.videos) - len(self.problems)
        print(f"{whole} of {len(self.videos)} videos are whole, landmarks in {self.out}")
        if self.seconds:
            print(f"{self.seconds:.1f} s of video in {taken:.1f} s, {self.seconds / taken:.2f} x real time")
        return [name for video_id, _ in self.videos for name in self.ready.get(video_id, ())], self.problems

    def _show(self, bar: tqdm, seconds: float, share: float) -> None:
        """seconds: of video that were looked at since the last call. share: of this video that is done."""
        self.seconds += seconds
        if not seconds and share:  # by an earlier run, and nothing to judge the rate by
            bar.write(f"{100 * share:.0f} % of a video was done by an earlier run")
            bar.initial = bar.last_print_n = bar.n = bar.n + share
        bar.set_postfix_str(f"{self.seconds / (time.perf_counter() - self.began):.2f} x real time", refresh=False)
        bar.update(max(self.passed + share - bar.n, 0))

    def _is_done(self, video_id: str, path: Path) -> bool:
        """Whether nothing is left to do of a video: its tracks are there, or its id cannot name a file."""
        try:
            check_id(video_id, repr(str(path)))
        except InputError as error:
            self.problems.append(str(error))
            return True
        sidecar = is_done(self.out, video_id, self.extractor.source)
        if sidecar is None or self._was_replaced(sidecar, path):
            return False
        names = sidecar.get("tracks", [video_id])
        if not all(path_for_id(self.out, name, ".npz").exists() for name in names):
            return False
        self.ready[video_id] = names
        if "broken" in sidecar:
            self.problems.append(sidecar["broken"])
        return True

    def _was_replaced(self, sidecar: dict, path: Path) -> bool:
        """Whether landmarks are of another video than the file is now. If so, that is said, or will be when it is
        opened."""
        try:
            identity = video_identity(path)
        except InputError:
            return True
        if all(sidecar.get("video", {}).get(key) == value for key, value in identity.items()):
            return False
        warn(f"{path}: is another video than the one its landmarks were made from; they are made again")
        return True

    def _make(self, video_id: str, path: Path, show: Callable[[float, float], None]) -> None:
        """Write the tracks of a video, or say what is wrong with it."""
        try:
            plan = self.extractor.plan(path, video_id, self.out)
            tracks, problem = self.extractor.tracks(plan, show)
            self._save(video_id, path, tracks)
        except InputError as error:
            self.problems.append(str(error))
            if path_for_id(self.out, video_id, ".json").exists():
                warn(f"{video_id}: its landmarks in {self.out} are of an earlier file of this name, and not used")
            return
        if plan.kept:
            plan.kept.path.unlink(missing_ok=True)
        for note in tracks[0].details["notes"]:
            warn(f"{video_id}: {note}")
        if problem is not None:
            self.problems.append(str(problem))

    def _save(self, video_id: str, path: Path, tracks: list[LandmarkTrack]) -> None:
        names = [track.video_id for track in tracks]
        taken = {name for name, _ in self.videos if name != video_id}.intersection(names)
        if taken:
            name = min(taken)
            raise InputError(path, f"a person in it and another video would both be {name}", "extract to two folders")
        for track in reversed(tracks):  # the first stands for all: it is written last
            save_landmarks(self.out, replace(track, details={**track.details, "tracks": names}))
        self.ready[video_id] = names
