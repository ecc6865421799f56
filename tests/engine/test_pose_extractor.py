"""Folders of made videos to landmark tracks, by an estimator that reads the number that a frame says."""

import json
from typing import ClassVar

import numpy as np
import pytest
from made_videos import CLOCKWISE, cut_off, index_of, restamped, turned, write_audio, write_video

from mmad.config import PoseConfig
from mmad.engine import pose_extractor
from mmad.engine.pose_extractor import estimate_video, extract_landmarks, sampled_frames
from mmad.errors import InputError
from mmad.files import path_for_id
from mmad.pose.estimated_people import empty_people, person_of
from mmad.pose.estimators import ESTIMATORS
from mmad.pose.landmark_files import load_landmarks
from mmad.video.reader import probe


class Reader:
    """An estimator that finds people where it is told to: their noses say the number of the frame.

    places: of each person, frame -> x of the chest, or None where he is not there.
    """

    source, settings, most_people = "reader/1", {"estimator": "reader"}, 1
    places = (lambda frame: 0.5,)
    stop_at = None
    seen: ClassVar[list[int]] = []  # of the last one that was made, for the tests to look at

    def __init__(self, config: PoseConfig):
        Reader.seen.clear()

    def begin(self, people: int) -> None:
        self.people = people

    def estimate(self, frame: np.ndarray, seconds: float) -> np.ndarray:
        number = index_of(frame)
        if number == Reader.stop_at:
            raise KeyboardInterrupt
        Reader.seen.append(number)
        found = [(place(number), 0.1 * size) for size, place in enumerate(Reader.places, start=1)]
        people = [_somebody(x, size, number) for x, size in found if x is not None]
        return np.array(people[: self.people]) if people else empty_people(0)

    def close(self) -> None:
        pass


def _somebody(x: float, size: float, number: int) -> np.ndarray:
    body = np.tile((x, 0.5, 0.9), (33, 1))
    body[11:13, 0] = (x + size / 2, x - size / 2)
    person = person_of(body, np.ones(33))
    person["points"][0, :2] = (number / 1000, 0.1)
    return person


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    monkeypatch.setitem(ESTIMATORS, "reader", Reader)
    for name, value in (("places", (lambda frame: 0.5,)), ("stop_at", None)):
        monkeypatch.setattr(Reader, name, value)
    return Reader


CONFIG = {"estimator": "reader"}


def run(videos, out, **settings) -> tuple[list[str], list[str]]:
    return extract_landmarks(PoseConfig(**CONFIG, **settings), videos, out)


def numbers(track) -> list[int]:
    """The frames that were looked at."""
    return (1000 * track.points[:, 0, 0]).round().astype(int).tolist()


# --- one video --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fps", "sampled", "expected"),
    [
        (30, 15, list(range(0, 20, 2))),
        (25, 15, [0, 2, 3, 5, 7, 8, 10, 12, 13, 15, 17, 18]),
        (10, 15, list(range(20))),  # each once
        (15, 15, list(range(20))),
        (30, 30, list(range(20))),
    ],
)
def test_frames_are_chosen_by_their_times(tmp_path, fps, sampled, expected):
    (track,) = estimate_video(write_video(tmp_path / "a.mp4", 20, fps), PoseConfig(**CONFIG, fps=sampled))
    assert numbers(track) == expected
    assert track.times == pytest.approx(np.array(expected) / fps, abs=1e-3)
    assert (track.video_id, track.layout, track.person) == ("a", "mediapipe75", 0)
    assert track.size.tolist() == [64, 48] and track.duration == pytest.approx(20 / fps)


def test_a_variable_rate(tmp_path):
    times = [0, 0.02, 0.04, 0.12, 0.13, 0.5, 0.51, 0.6]
    path = write_video(tmp_path / "a.mp4", 8, times=times)
    (track,) = estimate_video(path, PoseConfig(**CONFIG))
    chosen = numbers(track)
    assert chosen == sampled_frames(probe(path), 15).tolist() and chosen[:3] == [0, 2, 4]
    assert track.times == pytest.approx(np.array(times)[chosen], abs=1e-3)


def test_a_pause_is_said_and_a_jump_refused(tmp_path, capsys):
    source = write_video(tmp_path / "a.mp4", 60, 15)
    pause, jump = (
        restamped(tmp_path / f"{name}.mp4", source, lambda number, s=seconds: s * (number >= 30))
        for name, seconds in (("pause", 20), ("jump", 3600))
    )
    ready, (problem,) = run([("jump", jump), ("pause", pause)], tmp_path / "out")
    assert ready == ["pause"] and "jump.mp4: its time stamps jump by 3600.0 s behind frame 29 (2.00 s)" in problem
    assert "warning: pause: no frames from 2.00 to 22.00 s (a pause?)" in capsys.readouterr().err
    track = load_landmarks(tmp_path / "out" / "pause.npz")
    np.testing.assert_allclose(track.times, (np.arange(60) + 300 * (np.arange(60) >= 30)) / 15, atol=1e-3)


def test_a_turned_video_is_upright(tmp_path):
    path = turned(tmp_path / "a.mp4", write_video(tmp_path / "b.mp4", 2), CLOCKWISE)
    (track,) = estimate_video(path, PoseConfig(**CONFIG))
    assert track.size.tolist() == [48, 64]


def test_large_pictures_are_made_smaller_by_the_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr(pose_extractor, "LONGEST_SIDE", 32)
    sizes = []
    monkeypatch.setattr(Reader, "estimate", lambda self, frame, seconds: sizes.append(frame.shape) or empty_people(0))
    with pytest.raises(InputError):
        estimate_video(write_video(tmp_path / "a.mp4", 2, 15), PoseConfig(**CONFIG))
    assert sizes == [(24, 32, 3)] * 2


def test_one_frame_is_a_video(tmp_path):
    (track,) = estimate_video(write_video(tmp_path / "a.mp4", 1), PoseConfig(**CONFIG))
    assert numbers(track) == [0] and track.times.tolist() == [0]


def test_nobody_is_said_and_no_track_is_made(tmp_path, reader):
    reader.places = (lambda frame: None,)
    with pytest.raises(InputError, match=r"a\.mp4: nobody was found in it"):
        estimate_video(write_video(tmp_path / "a.mp4", 5), PoseConfig(**CONFIG))


def test_rows_with_nobody_are_not_seen(tmp_path, reader):
    reader.places = (lambda frame: None if frame < 60 else 0.5,)
    (track,) = estimate_video(write_video(tmp_path / "a.mp4", 120, 15), PoseConfig(**CONFIG))
    seen = track.seen.any(axis=1)
    assert not seen[:60].any() and seen[61:].all()
    assert np.isnan(track.points[:60, :, :2]).all()


def test_what_could_be_read_of_a_broken_video_is_kept(tmp_path, capsys):
    path = cut_off(tmp_path / "a.mp4", write_video(tmp_path / "whole.mp4", 40, 15, between=0), 10)
    (track,) = estimate_video(path, PoseConfig(**CONFIG))
    assert numbers(track) == list(range(10))
    assert "broken or cut off: 10 of 40 frames" in track.details["broken"]
    assert capsys.readouterr().err.startswith(f"warning: {path}: broken or cut off")


def test_files_that_are_no_videos_are_refused(tmp_path):
    (tmp_path / "empty.mp4").touch()
    for path, said in ((tmp_path / "empty.mp4", "empty"), (write_audio(tmp_path / "b.mp4"), "no video track")):
        with pytest.raises(InputError, match=said):
            estimate_video(path, PoseConfig(**CONFIG))


# --- several people ---------------------------------------------------------------------------------------------


@pytest.fixture
def two_people(tmp_path, reader):
    """The smaller one at 0.3, the larger one at 1.0 and later."""
    reader.places = (lambda frame: 0.3, lambda frame: 1.0 if frame >= 4 else None)
    return write_video(tmp_path / "a.mp4", 40, 15)


@pytest.mark.parametrize(
    ("person", "place", "number"), [("left", 0.3, 1), ("right", 1.0, 0), ("0", 1.0, 0), ("1", 0.3, 1)]
)
def test_one_of_several_is_chosen(two_people, person, place, number):
    (track,) = estimate_video(two_people, PoseConfig(**CONFIG, person=person))
    assert track.video_id == "a" and track.person == number
    assert np.nanmedian(track.points[:, 20, 0]) == pytest.approx(place)


def test_all_have_a_file_each(two_people, tmp_path):
    ready, problems = run([("a", two_people)], tmp_path / "out", person="all")
    assert (ready, problems) == (["a", "a_person1"], [])
    first, second = (load_landmarks(tmp_path / "out" / f"{name}.npz") for name in ready)
    assert (first.person, second.person) == (0, 1)
    assert not first.seen[:4].any() and second.seen[:4].any()
    assert run([("a", two_people)], tmp_path / "out", person="all") == (ready, [])
    assert Reader.seen == []  # done already
    (tmp_path / "out" / "a_person1.npz").unlink()
    assert run([("a", two_people)], tmp_path / "out", person="all") == (ready, []) and len(Reader.seen) == 40


def test_a_person_who_is_not_there_is_said_with_the_video(two_people, tmp_path):
    ready, (problem,) = run([("a", two_people)], tmp_path / "out", person="7")
    assert ready == [] and f"{two_people}, person 7: only 2 people were found; choose 0..1" in problem


def test_a_person_and_a_video_of_one_name_are_refused(two_people, tmp_path):
    other = write_video(tmp_path / "a_person1.mp4", 20, 15)
    ready, (problem,) = run([("a", two_people), ("a_person1", other)], tmp_path / "out", person="all")
    assert "a person in it and another video would both be a_person1" in problem
    assert ready == ["a_person1", "a_person1_person1"]


@pytest.mark.parametrize(("lean", "said"), [((0, -1), None), ((0, 1), "is upside down"), ((1, 0), "lies on the side")])
def test_turned_people_are_said(tmp_path, monkeypatch, capsys, lean, said):
    def estimate(self, frame, seconds):
        person = _somebody(0.5, 0.2, 0)
        person["head"] = person["chest"] + np.float32(lean) * 0.1
        return person[None]

    monkeypatch.setattr(Reader, "estimate", estimate)
    (track,) = estimate_video(write_video(tmp_path / "a.mp4", 20), PoseConfig(**CONFIG))
    assert (said in "".join(track.details["notes"])) if said else track.details["notes"] == []
    assert (said or "") in capsys.readouterr().err


# --- folders ----------------------------------------------------------------------------------------------------


def test_a_rerun_skips_what_is_done(tmp_path, capsys):
    videos = [(name, write_video(tmp_path / f"{name}.mp4", 10)) for name in "ab"]
    assert run(videos, tmp_path / "out") == (["a", "b"], [])
    written = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()}
    assert sorted(written) == ["a.json", "a.npz", "b.json", "b.npz"]
    assert run(videos, tmp_path / "out") == (["a", "b"], []) and Reader.seen == []
    assert "2 of 2 videos are done already" in capsys.readouterr().out
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()} == written


def test_the_sidecar_says_how_and_of_what(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    run([("a", path)], tmp_path / "out")
    content = json.loads((tmp_path / "out" / "a.json").read_text())
    assert content["settings"] == {"estimator": "reader", "fps": 15.0, "hands": True, "person": "largest"}
    assert content["source"].startswith("reader/1/15fps-largest-")
    assert content["video"]["size"] == path.stat().st_size and content["video"]["frames"] == 10
    track = load_landmarks(tmp_path / "out" / "a.npz")
    assert (track.source, track.details["video"]) == (content["source"], content["video"])


def test_a_replaced_video_is_done_again(tmp_path, capsys):
    path = write_video(tmp_path / "a.mp4", 10)
    run([("a", path)], tmp_path / "out")
    write_video(path, 20, first=7)
    assert run([("a", path)], tmp_path / "out") == (["a"], [])
    assert "is another video than the one its landmarks were made from; they are made again" in capsys.readouterr().err
    assert numbers(load_landmarks(tmp_path / "out" / "a.npz"))[0] == 7


@pytest.mark.parametrize("change", [{"fps": 30}, {"hands": False}, {"person": "all"}])
def test_other_settings_are_refused(tmp_path, change):
    path = write_video(tmp_path / "a.mp4", 10)
    run([("a", path)], tmp_path / "out")
    with pytest.raises(InputError, match=r"a\.json: was made with other weights or settings .*--out"):
        run([("a", path)], tmp_path / "out", **change)


def test_tracks_keep_the_ids_of_their_videos(tmp_path):
    """Folders and long names too, also when they are read again; a file that was renamed has another name."""
    ids = ["day1/cam", "day2/cam", "x" * 240]
    video = write_video(tmp_path / "a.mp4", 10)
    ready, problems = run([(video_id, video) for video_id in ids], tmp_path / "out")
    assert (ready, problems) == (ids, [])
    tracks = [load_landmarks(path_for_id(tmp_path / "out", video_id, ".npz")) for video_id in ids]
    assert [track.video_id for track in tracks] == ids
    for suffix in (".npz", ".json"):
        (tmp_path / "out" / "day1" / f"cam{suffix}").rename(tmp_path / f"other{suffix}")
    assert load_landmarks(tmp_path / "other.npz").video_id == "other"


def test_one_bad_video_does_not_stop_the_others(tmp_path):
    videos = [("empty", tmp_path / "empty.mp4"), ("b", write_video(tmp_path / "b.mp4", 10))]
    videos.append(("cut", cut_off(tmp_path / "cut.mp4", write_video(tmp_path / "c.mp4", 40, 15, between=0), 10)))
    videos[0][1].touch()
    ready, (empty, cut) = run(videos, tmp_path / "out")
    assert ready == ["b", "cut"] and "the file is empty" in empty and "10 of 40 frames" in cut
    again, problems = run(videos, tmp_path / "out")
    assert again == ready and sorted(problems) == sorted([empty, cut]) and Reader.seen == []


def test_a_video_that_cannot_be_read_any_more_is_not_believed(tmp_path, capsys):
    path = write_video(tmp_path / "a.mp4", 10)
    run([("a", path)], tmp_path / "out")
    path.write_bytes(b"no video")
    ready, (problem,) = run([("a", path)], tmp_path / "out")
    assert ready == [] and "not a readable video" in problem
    assert "are of an earlier file of this name, and not used" in capsys.readouterr().err


# --- stopped in the middle --------------------------------------------------------------------------------------


@pytest.fixture
def long_video(tmp_path, monkeypatch):
    """100 frames at 15 a second, which count as long."""
    monkeypatch.setattr(pose_extractor, "LONG_VIDEO", 50)
    return write_video(tmp_path / "a.mp4", 100, 15)


def test_a_stopped_run_goes_on_where_it_was(tmp_path, long_video, reader):
    whole, out = tmp_path / "whole", tmp_path / "out"
    run([("a", long_video)], whole)
    reader.stop_at = 70
    with pytest.raises(KeyboardInterrupt):
        run([("a", long_video)], out)
    assert [file.name for file in out.iterdir()] == ["a.begun"]
    reader.stop_at = None
    assert run([("a", long_video)], out) == (["a"], [])
    assert Reader.seen == list(range(55, 100))  # a second earlier
    assert sorted(file.name for file in out.iterdir()) == ["a.json", "a.npz"]
    for name in ("points", "times"):
        assert np.array_equal(*(getattr(load_landmarks(d / "a.npz"), name) for d in (whole, out)), equal_nan=True)


def test_what_was_begun_with_other_settings_or_of_another_video_is_not_used(tmp_path, long_video, reader):
    reader.stop_at = 70
    with pytest.raises(KeyboardInterrupt):
        run([("a", long_video)], tmp_path / "out")
    reader.stop_at = None
    run([("a", long_video)], tmp_path / "out", hands=False)
    assert Reader.seen == list(range(100))


def test_a_long_video_without_anybody_is_not_looked_through_again(tmp_path, long_video, reader):
    reader.places = (lambda frame: None,)
    for looked_at in (list(range(100)), list(range(85, 100))):
        ready, (problem,) = run([("a", long_video)], tmp_path / "out")
        assert ready == [] and "nobody was found in it" in problem
        assert Reader.seen == looked_at


def test_a_short_video_leaves_nothing_when_stopped(tmp_path, reader):
    reader.stop_at = 8
    with pytest.raises(KeyboardInterrupt):
        run([("a", write_video(tmp_path / "a.mp4", 20, 15))], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_a_broken_long_video_is_kept_as_far_as_it_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(pose_extractor, "LONG_VIDEO", 5)
    path = cut_off(tmp_path / "a.mp4", write_video(tmp_path / "whole.mp4", 40, 15, between=0), 10)
    ready, problems = run([("a", path)], tmp_path / "out")
    assert ready == ["a"] and len(problems) == 1
    assert numbers(load_landmarks(tmp_path / "out" / "a.npz")) == list(range(10))
