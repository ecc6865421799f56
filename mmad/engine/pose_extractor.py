"""From videos to landmark tracks: frames are chosen by their times, the estimator runs while frames are read, reruns
continue.

A video is first looked through frame by frame; who is who, and which person is meant, is decided from all its frames
(`mmad/pose/estimated_people.py`). What was found in a long video so far is kept in ID.begun.
"""

from collections.abc import Callable, Set
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmad.config import PoseConfig
from mmad.engine.background import in_background
from mmad.engine.video_jobs import Progress, VideoPlan, if_replaced, sort_videos, still_valid_sidecar, warn_unused
from mmad.errors import InputError, warn
from mmad.files import id_of_file, output_folder, path_for_id
from mmad.pose.estimated_people import by_size, choose, empty_people, is_there, remove_false_people, track_people
from mmad.pose.estimators import open_estimator
from mmad.pose.landmark_files import finished_landmarks, save_landmarks
from mmad.pose.skeletons import LAYOUT
from mmad.records import LandmarkTrack, settings_digest
from mmad.video.reader import VideoInfo, probe, refuse_jumps, stream, video_identity

LONG_VIDEO = 300  # what was found in videos with at least so many frames is kept while they are processed
RUN_UP = 1.0  # s processed again after an interruption: the estimator follows people from frame to frame
AHEAD = 4  # decoded frames that may wait for the estimator, some 6 MB each
LONGEST_SIDE = 1920  # pixels; larger pictures are reduced by the decoder
SELDOM = 0.5  # a person seen in a smaller share of the frames is reported
REPLACED = if_replaced("is another video than the one its landmarks were made from")
NOBODY = "are the head and the shoulders of a person in the picture, and is it upright?"


class NotFound(InputError):
    """The video could be read, and the person that is meant is not in it."""


class PoseExtractor:
    """A pose estimator with its settings, ready to turn videos into landmark tracks; a context that closes it.

    source: the estimator and the settings that its tracks depend on.
    """

    def __init__(self, config: PoseConfig):
        self.config = config
        self.estimator = open_estimator(config)
        self.people = 1 if config.person == "largest" else config.max_people  # followed at the same time
        chosen = {name: getattr(config, name) for name in ("fps", "hands", "person")}
        self.settings = {
            **self.estimator.settings,
            **chosen,
            **({"max_people": self.people} if self.people > 1 else {}),
        }
        digest = settings_digest({**chosen, "people": self.people})
        self.source = f"{self.estimator.source}/{config.fps:g}fps-{config.person}-{digest}"

    def __enter__(self) -> "PoseExtractor":
        return self

    def __exit__(self, *_) -> None:
        self.estimator.close()

    def plan(self, path: Path, video_id: str, folder: Path | None = None) -> VideoPlan:
        """Which frames to read. folder: where what an earlier run found in a long video is kept."""
        identity, info = video_identity(path), refuse_jumps(probe(path))
        frames = sampled_frames(info, self.config.fps)
        plan = VideoPlan(video_id=video_id, identity=identity, info=info, frames=frames)
        if folder is None or len(frames) < LONG_VIDEO:
            return plan
        return replace(plan, partial=plan.partial_rows(folder, self.source))

    def tracks(
        self, plan: VideoPlan, on_progress: Callable[[float, float], None] | None = None
    ) -> tuple[list[LandmarkTrack], InputError | None]:
        """The tracks of the people that `config.person` means, and what is wrong with the video; a broken one counts up
        to where it breaks.

        on_progress: called with the seconds of video processed since the last call (0: by an earlier run) and the share
        of the video that is new. `InputError` where nothing can be read, or the person is not found.
        """
        rows, problem = self._find_people(plan, on_progress or (lambda seconds, share: None))
        if not len(rows):
            raise problem
        times = plan.info.times[plan.frames[: len(rows)]]
        people = by_size([remove_false_people(track, times) for track in track_people(rows, times)], times)
        if not people:
            raise NotFound(plan.info.path, "nobody was found in it", NOBODY)
        try:
            chosen = choose(people, self.config.person)
        except InputError as error:
            raise NotFound(f"{plan.info.path}, {error.place}", error.problem, error.remedy) from None
        details = plan.details(self.settings, problem)
        tracks = [self._track(plan, people[i]["points"], times, i, details) for i in chosen]
        tracks[0].details["notes"] = [*plan.info.remarks, *self._notes(rows, people, chosen)]
        return tracks, problem

    def _find_people(
        self, plan: VideoPlan, on_progress: Callable[[float, float], None]
    ) -> tuple[np.ndarray, InputError | None]:
        """(T', P) PERSON in the frames that could be read, and what went wrong."""
        info, total = plan.info, len(plan.frames)
        rows, done = empty_people(total, self.people), 0
        values = rows.view(np.float32).reshape(total, -1)  # the same memory
        if plan.partial:
            done = plan.partial.count
            values[:done] = plan.partial.begin(values.shape[1])
            on_progress(0, done / total)
        first, kept, problem = max(done - round(RUN_UP * self.config.fps), 0), done, None
        self.estimator.begin(self.people)
        try:
            frames = in_background(lambda: stream(info, plan.frames[first:], _decoded_size(info)), AHEAD)
            with closing(frames):
                for row, (index, frame) in enumerate(frames, start=first):
                    found = self.estimator.estimate(frame, float(info.times[index]))
                    if row >= kept:
                        rows[row, : len(found)] = found
                        done = row + 1
                        if plan.partial:
                            plan.partial.write(row, values[row : row + 1])
                    on_progress(info.duration / total, (row >= kept) / total)
        except InputError as error:
            problem = error
        return rows[:done], problem or plan.truncation_problem()

    def _track(
        self, plan: VideoPlan, points: np.ndarray, times: np.ndarray, person: int, details: dict
    ) -> LandmarkTrack:
        """The track of one person. points: (T, 75, 3)."""
        video_id = name_of_person(plan.video_id, person) if self.config.person == "all" else plan.video_id
        size = (plan.info.width, plan.info.height)
        details = dict(details)
        return LandmarkTrack(video_id, points, times, LAYOUT, size, person, plan.info.duration, self.source, details)

    def _notes(self, rows: np.ndarray, people: list[np.ndarray], chosen: list[int]) -> list[str]:
        """What one should know of the tracks of the chosen people, one line each. rows: (T, P) PERSON, all found."""
        notes, at_once = [], self.estimator.most_people
        if self.people == 1 and at_once > 1:
            hint = "--person left, right, all or a number: of others"
            notes.append(f"up to {at_once} people are in the picture, these are the joints of the largest ({hint})")
        if self.people > 1 and is_there(rows).all(axis=1).any():
            notes.append(f"{self.people} people or more are in the picture, no more are tracked (max_people=N: more)")
        for number in chosen:
            notes += _notes_of_person(people[number], f"person {number} " if len(chosen) > 1 else "the person ")
        return notes


def _notes_of_person(person: np.ndarray, who: str) -> list[str]:
    """Notes for one person who is seldom seen or seems to be turned. person: (T,) PERSON."""
    notes, seen = [], is_there(person)
    if seen.mean() < SELDOM:
        notes.append(f"{who}is seen in {100 * seen.mean():.0f} % of the frames")
    up = person["head"][seen] - person["chest"][seen]  # y points down
    if np.mean(up[:, 1] > np.abs(up[:, 0])) > 0.5:
        notes.append(f"{who}is upside down: is the video turned?")
    elif np.mean(np.abs(up[:, 0]) > np.abs(up[:, 1])) > 0.5:
        notes.append(f"{who}lies on the side: is the video turned?")
    return notes


def sampled_frames(info: VideoInfo, fps: float) -> np.ndarray:
    """Indices of the frames nearest to 0, 1 / fps, 2 / fps ... s, ascending, each once."""
    count = max(int(np.ceil(info.duration * fps - 1e-6)), 1)
    return np.unique(info.nearest_frames(np.arange(count) / fps))


def name_of_person(video_id: str, number: int) -> str:
    """The id of the track of one of several people in a video: that of the video for number 0, the largest."""
    return f"{video_id}_person{number}" if number else video_id


def _decoded_size(info: VideoInfo) -> tuple[int, int] | None:
    """(height, width) in which frames are read; None: their own."""
    scale = LONGEST_SIDE / max(info.width, info.height)
    return None if scale >= 1 else (max(round(info.height * scale), 1), max(round(info.width * scale), 1))


def estimate_video(path: str | Path, config: PoseConfig) -> list[LandmarkTrack]:
    """The landmark tracks of the people in one video that `config.person` means: one, or with "all" one or more.

    The id of the first is the name of the file; for others see `name_of_person`. A video that is broken gives tracks up
    to where it breaks, and a warning; `InputError` where nothing can be read, or nobody is found.
    """
    path = Path(path)
    with PoseExtractor(config) as extractor:
        tracks, problem = extractor.tracks(extractor.plan(path, id_of_file(path)))
    for line in [*([str(problem)] if problem else []), *(f"{path}: {note}" for note in tracks[0].details["notes"])]:
        warn(line)
    return tracks


# --- folders ----------------------------------------------------------------------------------------------------


def extract_landmarks(
    config: PoseConfig, videos: list[tuple[str, Path]], out: str | Path
) -> tuple[list[str], list[str]]:
    """Write the landmark tracks of videos (id, path) into `out`; those finished for the very same file are skipped.

    Returns the ids of all tracks in the order of the videos, also of partly read ones, and what went wrong, one line
    each.
    """
    out = output_folder(out)
    with PoseExtractor(config) as extractor:
        print(f"joints by {extractor.source}", flush=True)
        found = sort_videos(videos, lambda video_id, path: _finished_sidecar(extractor, out, video_id, path))
        ready = {video_id: sidecar.get("tracks", [video_id]) for video_id, sidecar in found.finished.items()}
        if ready:
            print(f"{len(ready)} of {len(videos)} videos are done already")
        with Progress(len(found.todo), "{:.2f} x real time") as progress:
            ids = {video_id for video_id, _ in videos}
            for video_id, path in found.todo:
                names, problems = _extract_video(extractor, (video_id, path), out, ids, progress.add)
                found.problems.extend(problems)
                if names:
                    ready[video_id] = names
                progress.finish_video()
            processed, seconds = progress.amount, progress.seconds
    print(f"{len(videos) - len(found.problems)} of {len(videos)} videos are whole, landmarks in {out}")
    if processed:
        print(f"{processed:.1f} s of video in {seconds:.1f} s, {processed / seconds:.2f} x real time")
    return [name for video_id, _ in videos for name in ready.get(video_id, ())], found.problems


def _finished_sidecar(extractor: PoseExtractor, out: Path, video_id: str, path: Path) -> dict | None:
    """The sidecar of finished landmarks of the video as it is now, where the tracks of all its people exist."""
    sidecar = still_valid_sidecar(finished_landmarks(out, video_id, extractor.source), path, REPLACED)
    if sidecar is None:
        return None
    complete = all(path_for_id(out, name, ".npz").exists() for name in sidecar.get("tracks", [video_id]))
    return sidecar if complete else None


def _extract_video(
    extractor: PoseExtractor,
    video: tuple[str, Path],
    out: Path,
    ids: set[str],
    on_progress: Callable[[float, float], None],
) -> tuple[list[str], list[str]]:
    """Write the tracks of one video. Returns their ids, none where there are none, and what went wrong.

    ids: of all videos; no track may have that of another one.
    """
    video_id, path = video
    try:
        plan = extractor.plan(path, video_id, out)
        tracks, problem = extractor.tracks(plan, on_progress)
        tracks = of_one_video(tracks, plan, ids)
        save_people(out, tracks)
    except InputError as error:
        warn_unused(video_id, out, "landmarks")
        return [], [str(error)]
    if plan.partial:
        plan.partial.remove()
    for note in tracks[0].details["notes"]:
        warn(f"{video_id}: {note}")
    return [track.video_id for track in tracks], [str(problem)] if problem is not None else []


def of_one_video(tracks: list[LandmarkTrack], plan: VideoPlan, ids: Set[str]) -> list[LandmarkTrack]:
    """The tracks of the people in one video, which say that they belong together.

    ids: of all videos; `InputError` where another one has the id of a person.
    """
    names = [track.video_id for track in tracks]
    taken = ids.intersection(names) - {plan.video_id}
    if taken:
        problem = f"a person in it and another video would both be {min(taken)}"
        raise InputError(plan.info.path, problem, "extract to two folders")
    return [replace(track, details={**track.details, "tracks": names}) for track in tracks]


def save_people(out: Path, tracks: list[LandmarkTrack]) -> None:
    """Write the tracks of one video. The sidecar of the first stands for all of them: it is written last."""
    for track in reversed(tracks):
        save_landmarks(out, track)
