"""Which videos are meant: files and folders that a person named, and his share of them."""

from pathlib import Path

from mmad.errors import InputError
from mmad.files import path_for_id

VIDEO_SUFFIXES = (
    ".mp4",
    ".mov",
    ".m4v",
    ".avi",
    ".mkv",
    ".webm",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".mts",
    ".m2ts",
    ".ts",
    ".3gp",
)


def find_videos(paths: list[str], out: str | Path | None = None) -> list[tuple[str, Path]]:
    """(video id, file) of files and of folders searched to the bottom; the id is the name without its suffix.

    out: the folder of a report; the videos that were brought or made for it are no new ones.
    """
    own = {Path(out).resolve() / name for name in ("report/media", "report/copies", "overlays")} if out else set()
    videos: dict[str, Path] = {}
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise InputError(path, "no such file or folder")
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
            others = [file for file in files if own.isdisjoint(file.resolve().parents)]
            if len(others) < len(files):
                print(f"{len(files) - len(others)} videos of an earlier report in {out} are left out")
            files = others
            if not files:
                raise InputError(path, "no videos in this folder", f"looked for {', '.join(VIDEO_SUFFIXES)}")
        else:
            files = [path]
        for file in files:
            if videos.setdefault(file.stem, file).resolve() != file.resolve():
                raise InputError(file, f"has the same name as {videos[file.stem]}", "extract them to two folders")
    return list(videos.items())


def take_shard(videos: list, shard: str) -> list:
    """Every N-th item from the I-th on, of "I/N" with I in 1..N: for N processes or machines side by side."""
    number, slash, count = shard.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise InputError(f"--shard {shard}", "is not I/N with 1 <= I <= N", "e.g. --shard 1/4")
    return videos[int(number) - 1 :: int(count)]


def find_video(folder: Path, video_id: str, subset: str = "") -> Path:
    """The file of a video in `folder` or in its subfolder of a subset; `InputError` where there is none."""
    for place in (folder, *(folder / name for name in (subset, "train", "val", "test") if name)):
        for suffix in ("", *VIDEO_SUFFIXES):
            file = path_for_id(place, video_id, suffix)
            if file.is_file() and file.suffix.lower() in VIDEO_SUFFIXES:
                return file
    raise InputError(path_for_id(folder, video_id, ".mp4"), "the video is missing", "check --videos")
