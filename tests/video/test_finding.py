"""Videos under the names that people's systems give them: found, told apart, and found again by their ids."""

import os
import sys
import unicodedata

import pytest

from mmad.errors import InputError
from mmad.files import check_id, name_in_folder, path_for_id
from mmad.video import finding
from mmad.video.finding import VideoFolder, find_videos, name_apart

NFC, NFD = "M\u00fcller", "Mu\u0308ller"
LONG = "interview with the second participant " * 6  # 228 bytes
links = pytest.mark.skipif(sys.platform == "win32", reason="only administrators make links on Windows")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the file system knows no difference between these names")


def put(folder, *names: str) -> list:
    """Empty files, with the folders they lie in."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def ids_in(folder) -> list[str]:
    return [video_id for video_id, _ in find_videos([str(folder)])]


# --- what counts as a video --------------------------------------------------------------------------------------


def test_hidden_files_and_folders_are_left_out_and_said(tmp_path, capsys):
    """macOS puts a `._` file beside each one on disks of other systems; git-annex keeps its own under .git."""
    put(tmp_path, "x.mp4", "._x.mp4", "day 1/._y.MOV", ".git/annex/z.mp4")
    assert ids_in(tmp_path) == ["x"]
    assert f"2 hidden files in {tmp_path} are left out (the first: ._x.mp4)" in capsys.readouterr().out


def test_a_folder_with_hidden_files_only_has_no_videos(tmp_path):
    put(tmp_path, "._x.mp4")
    with pytest.raises(InputError, match="no videos in this folder"):
        find_videos([str(tmp_path)])


def test_folders_that_are_called_like_videos_are_folders(tmp_path):
    put(tmp_path, "x.mp4/inside.mp4", "empty.mov/notes.txt")
    assert find_videos([str(tmp_path)]) == [("inside", tmp_path / "x.mp4" / "inside.mp4")]
    assert find_videos([str(tmp_path / "x.mp4")]) == [("inside", tmp_path / "x.mp4" / "inside.mp4")]
    with pytest.raises(InputError, match="the video is missing"):
        VideoFolder(tmp_path).find("x")


@pytest.mark.parametrize("suffix", ["MP4", "Mov", "MTS", "m2ts", "TS", "mpg", "WMV", "flv", "vob"])
def test_suffixes_of_cameras(tmp_path, suffix):
    (file,) = put(tmp_path, f"MVI_0001.{suffix}")
    assert find_videos([str(tmp_path)]) == [("MVI_0001", file)]
    assert VideoFolder(tmp_path).find("MVI_0001") == file


@links
def test_linked_folders_are_looked_into_once(tmp_path):
    """Also through links that lead back up, to each other, or to nothing."""
    put(tmp_path, "real/a.mp4", "elsewhere/b.mp4", "elsewhere/deep/c.mp4")
    root = tmp_path / "real"
    for name, target in [
        ("0 link", "elsewhere"),
        ("back", "real"),
        ("again", "elsewhere/deep"),
        ("nothing", "nowhere"),
        ("self", "real/self"),
    ]:
        os.symlink(tmp_path / target, root / name)
    os.symlink(root / "0 link", tmp_path / "elsewhere" / "deep" / "round")
    found = find_videos([str(root)])
    assert [(name, file.relative_to(root).as_posix()) for name, file in found] == [
        ("b", "0 link/b.mp4"),
        ("c", "0 link/deep/c.mp4"),
        ("a", "a.mp4"),
    ]


@links
def test_a_folder_goes_by_its_own_name_where_a_link_leads_to_it_too(tmp_path):
    put(tmp_path, "day1/cam.mp4", "day2/cam.mp4")
    os.symlink(tmp_path / "day2", tmp_path / "a link")
    assert ids_in(tmp_path) == ["day1/cam", "day2/cam"]


@links
def test_links_to_files(tmp_path):
    """Two names of one file are two videos, as in data sets that keep their content elsewhere; a link into nothing is
    found, so that it is said when it is opened."""
    put(tmp_path, "content/1234", "videos/real.mp4")
    for name, target in [("a.mp4", "content/1234"), ("b.mp4", "content/1234"), ("gone.mp4", "nothing")]:
        os.symlink(tmp_path / target, tmp_path / "videos" / name)
    os.symlink(tmp_path / "videos" / "round.mp4", tmp_path / "videos" / "round.mp4")
    assert ids_in(tmp_path / "videos") == ["a", "b", "gone", "real", "round"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_are_no_videos(tmp_path):
    put(tmp_path, "a.mp4")
    os.mkfifo(tmp_path / "b.mp4")
    assert ids_in(tmp_path) == ["a"]


def test_the_same_file_named_twice_is_one(tmp_path, capsys):
    (file,) = put(tmp_path, "day1/cam.mp4")
    assert find_videos([str(tmp_path), str(file), str(tmp_path / "day1" / ".." / "day1")]) == [("cam", file)]
    assert capsys.readouterr().out == ""


def test_a_folder_that_may_not_be_read_is_said(tmp_path, capsys, monkeypatch):
    put(tmp_path, "a.mp4", "locked/b.mp4")
    real = os.scandir

    def refused(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert ids_in(tmp_path) == ["a"]
    assert "locked: is not looked into (Permission denied)" in capsys.readouterr().err


# --- ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        (["a.mp4", "b.MOV"], ["a", "b"]),
        (["day1/cam.mp4", "day2/cam.mp4"], ["day1/cam", "day2/cam"]),
        (["cam.mp4", "day2/cam.mp4", "day2/other.mp4"], ["cam", "day2/cam", "other"]),
        (["P1/day1/cam.mp4", "P1/day2/cam.mp4"], ["day1/cam", "day2/cam"]),
        (["P1/a/cam.mp4", "P2/a/cam.mp4"], ["P1/a/cam", "P2/a/cam"]),
        (["day1/cam.mp4", "day2/Cam.MP4"], ["day1/cam", "day2/Cam"]),  # one file name on macOS and Windows
        (["cam.mp4", "cam.mts"], ["cam.mp4", "cam.mts"]),
        (["x/cam.mp4", "x/cam.mts", "y/cam.mp4"], ["x/cam.mp4", "x/cam.mts", "y/cam"]),
        (["a.b.mp4", "a.c.mp4"], ["a.b", "a.c"]),
    ],
)
def test_names_are_told_apart(tmp_path, files, ids):
    paths = put(tmp_path, *files)
    assert [video_id for video_id, _ in name_apart(paths)] == ids
    assert find_videos([str(tmp_path)]) == list(zip(ids, paths))
    assert [VideoFolder(tmp_path).find(video_id) for video_id in ids] == paths
    assert find_videos([str(path) for path in paths]) == list(zip(ids, paths))  # named one by one


@linux
@pytest.mark.parametrize(
    ("files", "ids"),
    [
        (["Cam.mp4", "cam.mp4"], ["Cam", "cam-2"]),
        (["Cam.mp4", "cam-2.mp4", "cam.mp4"], ["Cam", "cam-2", "cam-3"]),
        ([f"{NFC}.mp4", f"{NFD}.mp4"], [NFC, f"{NFC}-2"]),
        (["ab:c.mp4", "ab_c.mp4"], ["ab:c", "ab_c-2"]),
    ],
)
def test_names_that_other_systems_take_for_one_are_told_apart(tmp_path, files, ids):
    assert dict(zip(ids, put(tmp_path, *files))) == dict(find_videos([str(tmp_path)]))
    assert len({path_for_id(tmp_path, video_id, ".npy").name.casefold() for video_id in ids}) == len(ids)
    assert [VideoFolder(tmp_path).find(video_id).name for video_id in ids] == files


def test_new_names_are_said(tmp_path, capsys):
    put(tmp_path, *(f"day{i}/cam.mp4" for i in range(5)), *(f"{c}/{d}.mp4" for c in "xy" for d in "abcd"))
    find_videos([str(tmp_path)])
    assert capsys.readouterr().out.splitlines() == [
        "5 videos are called cam; they go by day0/cam, day1/cam, day2/cam and 2 more",
        "2 videos are called a; they go by x/a, y/a",
        "2 videos are called b; they go by x/b, y/b",
        "so do the videos of 2 more names",
    ]


@linux
@pytest.mark.parametrize(
    ("name", "video_id", "file"),
    [
        (f"{NFD}.mp4", NFC, NFC),
        ("Screen Recording at 3.04.05\u202fPM.mov", "Screen Recording at 3.04.05\u202fPM", None),
        ("Screencast from 10:32:11.webm", "Screencast from 10:32:11", "Screencast from 10_32_11"),
        ("what?.mp4", "what?", "what_"),
        ("CON.mp4", "CON", "_CON"),
        ("com1.v2.mp4", "com1.v2", "_com1.v2"),
        ("\u200e\U0001f469\u200d\U0001f467.mp4", "\u200e\U0001f469\u200d\U0001f467", None),
        ("C:x.mp4", "C_x", None),
        ("a\\b.mp4", "a_b", None),
        (os.fsdecode(b"caf\xe9.mp4"), "caf\ufffd", None),  # of a disk in another encoding
        ("  .mp4", "_", None),
        (f"{LONG}.mp4", LONG, f"{LONG[:191]}~"),
    ],
)
def test_every_name_makes_an_id_and_a_file(tmp_path, name, video_id, file):
    """Whose name Linux, macOS and Windows allow, and which lies in the folder that it is written to."""
    put(tmp_path, name, "good.mp4")
    ids = [i for i in ids_in(tmp_path) if i != "good"]
    assert ids == [video_id] and check_id(video_id) == video_id
    written = name_in_folder(video_id)
    assert written.startswith(file or video_id) and (file == f"{LONG[:191]}~" or written == (file or video_id))
    assert not set(written) & set('<>:"/\\|?*\n\x1b') and len(written.encode()) <= 200
    path = path_for_id(tmp_path / "out", video_id, ".npy")
    assert path.parent == tmp_path / "out"
    assert VideoFolder(tmp_path).find(video_id) == tmp_path / name


@linux
def test_a_name_with_control_characters_is_refused_and_the_others_are_found(tmp_path):
    """Where it is used, in a line with its name; `check_id` stands before each use."""
    put(tmp_path, "a\nb.mp4", "day1/a\nb.mp4", "good.mp4")
    bad, worse, good = ids_in(tmp_path)
    assert (bad, worse, good) == ("a\nb", "day1/a\nb", "good")
    for video_id in (bad, worse):
        with pytest.raises(InputError, match=r"a\\nb' is not a name for a file in a folder; rename the video"):
            check_id(video_id)
    assert VideoFolder(tmp_path).find("good") == tmp_path / "good.mp4"


def test_long_names_stay_apart():
    names = [name_in_folder(LONG + last) for last in ("a", "b", "a")]
    assert names[0] == names[2] != names[1]
    assert name_in_folder(f"{LONG}/{LONG}") == "/".join([name_in_folder(LONG)] * 2)
    assert name_in_folder("\u00fc" * 150).startswith("\u00fc" * 95 + "~")  # two bytes each, none cut in half


@pytest.mark.parametrize(("video_id", "written"), [("day 1./cam", "day 1_/cam"), ("a /b", "a_/b"), ("...", "...")])
def test_windows_drops_no_end_of_a_folders_name(video_id, written):
    assert name_in_folder(video_id) == written


# --- by their ids ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "video_id"),
    [
        (f"{NFD}.mp4", NFC),
        (f"{NFC}.mp4", NFD),
        ("at 3.04\u202fPM.mov", "at 3.04 PM"),
        ("at 3.04 PM.mov", "at 3.04\u202fPM"),
        ("two\u00a0 spaces.mp4", "two spaces"),
        ("S01.MP4", "s01"),
        ("S01.MP4", "S01.mp4"),
        ("S01.mp4", "S01.MP4"),
        ("val/S01.MP4", "s01"),
        ("day1/CAM.mp4", "Day1/cam"),
        ("P1/day1/cam.mp4", "day1/cam"),
        ("deep/down/only.mp4", "only"),
    ],
)
def test_names_of_annotation_files_are_found_in_other_spellings(tmp_path, file, video_id):
    (path,) = put(tmp_path, file)
    put(tmp_path, "another.mp4")
    assert VideoFolder(tmp_path).find(video_id, "val") == path


def test_the_name_as_it_stands_counts_most(tmp_path):
    put(tmp_path, "cam.mp4", "val/cam.mp4", "deep/cam.mp4", "S01.mts", "S01.MP4", "cam.mts")
    assert VideoFolder(tmp_path).find("cam", "val") == tmp_path / "cam.mp4"
    assert VideoFolder(tmp_path).find("cam.mts") == tmp_path / "cam.mts"
    assert VideoFolder(tmp_path).find("deep/cam") == tmp_path / "deep" / "cam.mp4"
    (tmp_path / "cam.mp4").unlink()
    (tmp_path / "cam.mts").unlink()
    assert VideoFolder(tmp_path).find("Cam", "val") == tmp_path / "val" / "cam.mp4"


@linux
def test_what_may_be_one_of_two_videos_is_not_guessed(tmp_path):
    put(tmp_path, "day1/cam.mp4", "day2/cam.mp4", "Eva.mp4", "EVA.mp4")
    for video_id, said in (("cam", r"cam: may be day1/cam\.mp4 or day2/cam\.mp4"), ("eva", "may be E")):
        with pytest.raises(InputError, match=rf"{said}.*; name the video as its file"):
            VideoFolder(tmp_path).find(video_id)
    assert VideoFolder(tmp_path).find("Eva") == tmp_path / "Eva.mp4"


@pytest.mark.parametrize("video_id", ["missing", "x" * 260, "day1"])
def test_what_is_not_there_is_missing(tmp_path, video_id):
    put(tmp_path, "a.mp4", "day1/a.mp4")
    with pytest.raises(InputError, match=r"the video is missing; check --videos"):
        VideoFolder(tmp_path).find(video_id)


def test_a_folder_is_looked_through_once(tmp_path, monkeypatch):
    put(tmp_path, *(f"deep/{i}.MP4" for i in range(20)))
    looked, real = [], finding.videos_below
    monkeypatch.setattr(finding, "videos_below", lambda folder: looked.append(folder) or real(folder))
    folder = VideoFolder(tmp_path)
    assert [folder.find(str(i)).name for i in range(20)] == [f"{i}.MP4" for i in range(20)]
    assert len(looked) == 1


def test_an_id_has_one_spelling():
    assert check_id(NFD) == check_id(NFC) == NFC
    assert path_for_id("out", NFD, ".npy") == path_for_id("out", NFC, ".npy")
    assert unicodedata.is_normalized("NFC", path_for_id("out", NFD, ".npy").name)
