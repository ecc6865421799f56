import errno
import os
import subprocess
import sys

import pytest

from mmad.errors import InputError, run_command, system_error
from mmad.files import atomic_path, path_for_id, read_json, write_json, write_text

# --- what is said, and the exit code ----------------------------------------------------------------------------


def test_error_is_one_line_of_place_problem_and_remedy():
    error = InputError("val.csv, row 12", "end 3 is\nbefore start 5", "swap\n  them")
    assert str(error) == "val.csv, row 12: end 3 is before start 5; swap them"
    assert str(InputError("val.csv", "is empty")) == "val.csv: is empty"


def stop(error: BaseException):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "line"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (stop(InputError("a.csv", "is empty")), 2, "error: a.csv: is empty\n"),
        (
            stop(FileNotFoundError(2, "No such file or directory", "a.csv")),
            2,
            "error: a.csv: No such file or directory\n",
        ),
        (stop(IsADirectoryError(21, "Is a directory", "runs")), 2, "error: runs: Is a directory\n"),
    ],
)
def test_run_command_ends_with_code_and_line(main, code, line, capsys):
    with pytest.raises(SystemExit) as end:
        run_command(main)
    assert end.value.code == code
    assert capsys.readouterr().err == line


def test_interrupted_command_says_so_and_ends_with_130(capsys):
    with pytest.raises(SystemExit) as end:
        run_command(stop(KeyboardInterrupt()))
    assert end.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted")


def test_a_defect_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


def test_a_reader_that_closes_the_pipe_is_no_error():
    command = "from mmad.errors import run_command\nrun_command(lambda: print('line\\n' * 100_000))"
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()  # as `| head -1` does
        assert process.stderr.read() == b""
        assert process.wait() == 0


# --- whole or absent --------------------------------------------------------------------------------------------


def test_file_is_replaced_whole_when_the_block_ends_well(tmp_path):
    path = tmp_path / "new folder" / "a.txt"
    write_text(path, "old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_interrupted_writing_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(interruption), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise interruption
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_round_trip_keeps_names_as_they_are(tmp_path):
    content = {"Ümläut 视频": [1, 2.5, None]}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    assert "视频" in (tmp_path / "a.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a.json, line 1, column 1: not JSON"),
        (b'{"results":\n {"v1": [', "a.json, line 2, column 10: not JSON"),
        (b'{"a": "\xff"}', "a.json: not UTF-8"),
        (b"[" * 100_000, "a.json: "),
    ],
    ids=["empty", "truncated", "not UTF-8", "nested too deep"],
)
def test_file_that_is_not_json_is_refused(tmp_path, data, said):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError) as error:
        read_json(tmp_path / "a.json")
    assert said in str(error.value)


# --- names that stay in their folder ----------------------------------------------------------------------------


@pytest.mark.parametrize("video_id", ["train0000", "196_01_0005_L", "day1/cam2", "with space", "v1.2", "...", "视频"])
def test_harmless_id_is_a_file_in_the_folder(tmp_path, video_id):
    assert path_for_id(tmp_path, video_id, ".npy") == tmp_path / f"{video_id}.npy"


@pytest.mark.parametrize(
    "video_id",
    ["", " ", "..", "../v1", "a/../../v1", "a\\..\\v1", "/etc/v1", "\\v1", "C:v1", "C:\\v1", "a\nb", "a\0b"],
)
def test_id_that_would_leave_the_folder_is_refused_by_name(tmp_path, video_id):
    with pytest.raises(InputError) as error:
        path_for_id(tmp_path, video_id, ".npy")
    assert repr(video_id) in str(error.value)


# --- what the operating system says -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (
            errno.EMFILE,
            "one process may not open so many: allow more (ulimit -n 4096), then type the same command again",
        ),
        (errno.EACCES, "check its permissions and those of its folders (ls -l)"),
        (errno.EIO, "check the disk or the network connection, then type the same command again"),
        (errno.ENOSPC, "make room, then type the same command again"),
        (errno.ENAMETOOLONG, ""),
    ],
)
def test_errors_of_the_system_end_a_command_with_one_line(capsys, number, remedy):
    def main() -> None:
        raise OSError(number, os.strerror(number), "a/v.npy")

    with pytest.raises(SystemExit) as left:
        run_command(main)
    assert left.value.code == 2
    said = f"error: a/v.npy: {os.strerror(number)}" + (f"; {remedy}" if remedy else "")
    assert capsys.readouterr().err == said + "\n"
    assert str(system_error("a/v.npy", OSError(number, os.strerror(number)))) == said.removeprefix("error: ")
