"""Folders in stores: fsspec's own one in memory stands for all of them here, an S3 server in test_detect_archive."""

import json
from pathlib import Path

import pytest

from mmad.errors import InputError
from mmad.storage import (
    ResultFolder,
    fetched,
    files_below,
    identity_in_store,
    is_address,
    open_store,
    reason,
    shown,
    store_errors,
)

fsspec = pytest.importorskip("fsspec", reason='stores need fsspec: pip install "mmad[ray]"')


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    yield store
    for name in list(store.store):
        store.rm_file(name)


def made(folder, **files: str):
    """A folder of results that says it is finished."""
    for name, text in {"predictions.json": "{}", "finished.json": '{"source": "a"}', **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_addresses_are_told_from_files():
    assert is_address("s3://bucket/videos") and not is_address("videos/day1") and not is_address("C:/videos")


def test_what_follows_a_question_mark_is_not_shown():
    """It may be a key that lets everybody read the file."""
    address = "https://host/a.mp4?X-Amz-Signature=secret"
    assert shown(address) == "https://host/a.mp4" and shown("why?.mp4") == "why?.mp4"
    assert shown("https://host/a.mp4?secret") == shown("simplecache::https://host/a.mp4?secret")[13:] == shown(address)
    assert shown("s3://b/a.mp4?versionId=secret") == shown("s3://b/a.mp4?sig=a/b=") == "s3://b/a.mp4"
    for name in ("s3://b/vid?.mp4", "memory://day?/cam=1.mp4", "s3://b/why? a=b.mp4"):
        assert shown(name) == name
    assert "secret" not in reason(OSError(f"403, message='Forbidden', url='{address}'"))
    with pytest.raises(InputError) as error, store_errors(address, "be read"):
        raise OSError(address)
    assert "secret" not in str(error.value) and "https://host/a.mp4: cannot be read (OSError" in str(error.value)


@pytest.mark.parametrize("address", ["ftp://me:secret@host/v", "s3://me:secret@bucket/v", "https://me:@host/a?b@c"])
def test_passwords_in_addresses_are_refused_and_not_said(address):
    with pytest.raises(InputError, match="holds a password") as error:
        open_store(address)
    assert "secret" not in str(error.value) and "me" not in error.value.place.replace("memory", "")


def test_a_name_alone_in_an_address_is_no_secret():
    """abfs://container@account/folder is how Azure spells it."""
    assert open_store("memory://container@account/videos")[1] == "/container@account/videos"


def test_an_unknown_kind_of_store_is_one_line():
    with pytest.raises(InputError, match=r"nowhere://x: cannot be used \(ValueError: Protocol not known: nowhere\)"):
        open_store("nowhere://x")


def test_files_are_listed_with_what_tells_them_from_later_ones(memory):
    for name in ("v/b.mp4", "v/day/a.mp4", "w/c.mp4", "v/[1].mp4"):
        memory.pipe(f"/{name}", name.encode())
    found = files_below("memory://v")
    assert list(found) == ["memory:///v/[1].mp4", "memory:///v/b.mp4", "memory:///v/day/a.mp4"]
    assert [identity["size"] for identity in found.values()] == [9, 7, 11]
    assert list(files_below("memory://*/*.mp4")) == ["memory:///v/[1].mp4", "memory:///v/b.mp4", "memory:///w/c.mp4"]
    assert list(files_below("memory:///v/[1].mp4")) == ["memory:///v/[1].mp4"]  # a name, not a choice of letters
    assert files_below("memory://absent") == {}
    before = identity_in_store("memory:///v/b.mp4")
    assert before == found["memory:///v/b.mp4"]
    memory.pipe("/v/b.mp4", b"another")
    after = identity_in_store("memory:///v/b.mp4")
    assert after["size"] == before["size"] == 7 and after["version"] != before["version"]


def test_a_copy_that_is_not_whole_is_not_used(memory, tmp_path, monkeypatch):
    memory.pipe("/v/a.mp4", b"video")
    monkeypatch.setattr(type(memory), "get_file", lambda store, path, copy: Path(copy).write_bytes(b"vid"))
    with pytest.raises(InputError, match=r"memory://v/a\.mp4: 3 of 5 bytes were fetched"):
        fetched("memory://v/a.mp4", tmp_path).__enter__()


def test_a_fetched_copy_goes_away(memory, tmp_path):
    memory.pipe("/v/why? *.mp4", b"video")
    with fetched("memory:///v/day*.mp4".replace("day*", "why? *"), tmp_path / "scratch") as file:
        pass
    memory.pipe(f"/v/{'x' * 300}.mp4", b"video")
    with fetched(f"memory:///v/{'x' * 300}.mp4", tmp_path / "scratch") as file:
        assert file.read_bytes() == b"video" and file.suffix == ".mp4" and len(file.name) < 255
    assert not file.exists() and list((tmp_path / "scratch").iterdir()) == []
    with fetched(str(tmp_path / "here.mp4"), tmp_path / "scratch") as file:
        assert file == tmp_path / "here.mp4"  # where it is
    with pytest.raises(InputError, match=r"absent\.mp4: cannot be fetched"):
        fetched("memory:///v/absent.mp4", tmp_path / "scratch").__enter__()


@pytest.mark.parametrize("where", ["here", "store"])
def test_results_count_from_the_last_file_on(where, memory, tmp_path):
    out = ResultFolder(tmp_path / "out" if where == "here" else "memory://out")
    assert out.finished() == {} and out.finished_of("day/a[1]") is None
    out.publish("day/a[1]", made(tmp_path / "made", **{"landmarks/a.npz": "joints"}))
    out.publish("b", made(tmp_path / "other", **{"finished.json": '{"source": "b"}'}))
    assert out.finished() == {"day/a[1]": {"source": "a"}, "b": {"source": "b"}}
    assert out.finished_of("day/a[1]") == {"source": "a"}
    if where == "here":
        assert (tmp_path / "out/day/a[1]/landmarks/a.npz").read_text() == "joints"
        (tmp_path / "out/b/finished.json").unlink()
    else:
        assert memory.cat_file("/out/day/a[1]/landmarks/a.npz") == b"joints"
        memory.rm_file("/out/b/finished.json")
    assert list(out.finished()) == ["day/a[1]"]


@pytest.mark.parametrize("where", ["here", "store"])
def test_tracks_of_earlier_results_are_removed(where, memory, tmp_path):
    """Else a page would show people who are not in the video any more; other files in these folders stay."""
    out = ResultFolder(tmp_path / "out" if where == "here" else "memory://out")
    tracks = ["landmarks/day/a[1].npz", "landmarks/day/a[1].json", "landmarks/day/a[1]_person2.npz"]
    others = ["landmarks/day/a.npz", "landmarks/day/a[1]_person.txt", "landmarks/x/landmarks/x.npz"]
    files = dict.fromkeys([*tracks, "features/day/a[1].npy", *others], "old")
    out.publish("day/a[1]", made(tmp_path / "made", **files))
    out.publish("day/a[1]", made(tmp_path / "new", **{tracks[0]: "new"}))
    if where == "here":
        folder = tmp_path / "out/day/a[1]"
        found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    else:
        start = "/out/day/a[1]/"
        found = {path.removeprefix(start): memory.cat_file(path).decode() for path in memory.find(start)}
    kept = {name: text for name, text in found.items() if name.startswith(("landmarks", "features"))}
    assert kept == {tracks[0]: "new", **dict.fromkeys(others, "old")}


@pytest.mark.parametrize("where", ["here", "store"])
def test_what_tries_to_write_leaves_nothing(where, memory, tmp_path):
    out = ResultFolder(tmp_path / "out" if where == "here" else "memory://out")
    out.try_to_write("run")
    assert list((tmp_path / "out").iterdir() if where == "here" else memory.find("/out")) == []


def test_a_video_may_be_called_as_the_last_file(tmp_path):
    out = ResultFolder(tmp_path / "out")
    out.publish("finished.json", made(tmp_path / "made"))
    assert out.finished() == {"finished.json": {"source": "a"}}
    assert out.finished_of("finished.json") == {"source": "a"} and out.finished_of(".") is None


def test_earlier_results_do_not_count_while_they_are_replaced(memory, tmp_path, monkeypatch):
    out = ResultFolder("memory://out")
    out.publish("a", made(tmp_path / "made"))
    monkeypatch.setattr(memory, "put_file", lambda *_: 1 / 0)
    monkeypatch.setattr(out, "store", memory)
    with pytest.raises(InputError, match=r"memory://out: cannot be written \(ZeroDivisionError"):
        out.publish("a", made(tmp_path / "made"))
    assert out.finished() == {} and memory.exists("/out/a/predictions.json")


@pytest.mark.parametrize("text", ["", "[1]", "no JSON"])
def test_a_last_file_that_is_not_ours_is_named(text, tmp_path, memory):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/finished.json").write_text(text)
    memory.pipe("/out/a/finished.json", text.encode())
    for folder in (ResultFolder(tmp_path), ResultFolder("memory://out")):
        with pytest.raises(InputError, match=r"a/finished\.json"):
            folder.finished()


def test_an_empty_name_is_refused():
    with pytest.raises(InputError, match="--out: is empty"):
        ResultFolder("")


def test_sidecars_are_json(tmp_path):
    made(tmp_path)
    assert json.loads((tmp_path / "finished.json").read_text()) == {"source": "a"}
