"""Which videos an archive has, and their ids, which stay when videos are added."""

import pytest

from mmad.errors import InputError
from mmad.video.archive_sources import ArchiveVideo, find_archive


def put(folder, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def ids(*sources) -> dict[str, str]:
    return {video.video_id: video.address for video in find_archive([str(source) for source in sources])}


def test_an_id_is_the_place_below_the_source(tmp_path):
    put(tmp_path, "day1/cam.mp4", "day1/notes.txt", "day2/cam.MOV", "x.mp4", "._x.mp4", ".git/y.mp4")
    assert sorted(ids(tmp_path)) == ["day1/cam", "day2/cam", "x"]
    assert ids(tmp_path / "day1") == {"cam": str(tmp_path / "day1/cam.mp4")}
    assert ids(tmp_path / "day1/cam.mp4") == {"cam": str(tmp_path / "day1/cam.mp4")}


def test_addresses_are_whole_paths(tmp_path, monkeypatch):
    """Other processes, with other working folders, open them."""
    put(tmp_path, "videos/a.mp4", "videos/b.mp4")
    (tmp_path / "list.txt").write_text("videos/a.mp4\ns3://bucket/c.mp4\n")
    monkeypatch.chdir(tmp_path)
    whole = {name: str(tmp_path / f"videos/{name}.mp4") for name in "ab"}
    assert ids("videos") == ids("./videos/a.mp4", "videos") == ids("videos/?.mp4") == whole
    assert ids("list.txt") == {"a": whole["a"], "c": "s3://bucket/c.mp4"}


def test_wildcards_count_from_their_first_folder_on(tmp_path):
    put(tmp_path, "day1/a/cam.mp4", "day2/a/cam.mp4", "day2/a/cam.txt", "day2/b/cam.mp4")
    assert sorted(ids(tmp_path / "*/a/*")) == ["day1/a/cam", "day2/a/cam"]
    assert sorted(ids(tmp_path / "day2/**/*.mp4")) == ["a/cam", "b/cam"]
    put(tmp_path, "[1].mp4")
    assert ids(tmp_path / "[1].mp4") == {"[1]": str(tmp_path / "[1].mp4")}  # a name, where there is one


def test_videos_with_one_id_are_told_apart(tmp_path):
    put(tmp_path, "a/x.mp4", "a/x.mov", "b/x.mp4", "c/y.mp4")
    assert sorted(ids(tmp_path / "a")) == ["x.mov", "x.mp4"]
    assert sorted(ids(tmp_path / "b", tmp_path / "c")) == ["x", "y"]
    several = ids(tmp_path / "a/x.mp4", tmp_path / "b/x.mp4")
    assert several == {"a/x": str(tmp_path / "a/x.mp4"), "b/x": str(tmp_path / "b/x.mp4")}
    assert len(ids(tmp_path / "a", tmp_path / "a/x.mp4")) == 2  # each once


def test_a_list_names_files_folders_and_addresses(tmp_path):
    put(tmp_path, "videos/a.mp4", "more/b.mp4")
    lines = ["# of today", "", "videos/a.mp4", "gone.mp4", "more", "s3://bucket/day=1/c.mp4?version=2"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    found = {video.video_id: video for video in find_archive([str(tmp_path / "list.txt")])}
    assert sorted(found) == ["a", "b", "c", "gone"]
    assert found["a"].address == str(tmp_path / "videos/a.mp4")
    assert found["c"] == ArchiveVideo("c", "s3://bucket/day=1/c.mp4?version=2")  # not asked for one by one
    assert found["gone"].size() == 0  # told when it is opened: others of the list go on
    with pytest.raises(InputError, match=r"gone\.mp4: no such file"):
        found["gone"].identity()


def test_what_is_not_there_is_said(tmp_path):
    put(tmp_path, "notes.txt.gz")
    with pytest.raises(InputError, match="absent: no such file or folder"):
        find_archive([str(tmp_path / "absent")])
    for empty in (tmp_path, tmp_path / "*.mp4"):
        with pytest.raises(InputError, match="there are no videos"):
            find_archive([str(empty)])


def test_videos_in_a_store(tmp_path):
    store = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("/archive/day1/cam.mp4", "/archive/x.mov", "/archive/x.json", "/archive/.hidden/y.mp4"):
        store.pipe(name, b"12345")
    try:
        found = find_archive(["memory://archive"])
        assert {video.video_id: video.address for video in found} == {
            "day1/cam": "memory:///archive/day1/cam.mp4",
            "x": "memory:///archive/x.mov",
        }
        assert [video.size() for video in found] == [5, 5] and found[0].identity()["size"] == 5
        (one,) = find_archive(["memory:///archive/x.mov"])
        assert (one.video_id, one.identity()) == ("x", found[1].identity())
        (one,) = find_archive(["memory://archive/x.mov"])  # the store spells it memory:///archive/x.mov
        assert (one.video_id, one.address, one.size()) == ("x", "memory:///archive/x.mov", 5)
        with pytest.raises(InputError, match=r"memory://nothing: there are no videos"):
            find_archive(["memory://nothing"])
    finally:
        store.rm("/archive", recursive=True)


def test_question_marks_in_a_store():
    """They stand for a letter, or are part of a name."""
    store = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("/archive/vid1.mp4", "/archive/why?.mp4", "/archive/day1/cam.mp4", "/archive/day?/cam.mp4"):
        store.pipe(name, b"12345")
    try:
        assert ids("memory://archive/vid?.mp4") == {"vid1": "memory:///archive/vid1.mp4"}
        assert sorted(ids("memory://archive")) == ["day1/cam", "day?/cam", "vid1", "why?"]
        assert sorted(ids("memory://archive/day?/*.mp4")) == ["day1/cam", "day?/cam"]
        assert ids("memory://archive/why?.mp4") == {"why?": "memory:///archive/why?.mp4"}
    finally:
        store.rm("/archive", recursive=True)
