"""Which videos are meant: files and folders that a person named, what they are called, and a share of them."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from mmad.errors import InputError, readable, warn
from mmad.files import as_id, check_id, id_of_file, name_in_folder, path_for_id, spelling

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
    ".3g2",
    ".asf",
    ".flv",
    ".f4v",
    ".mxf",
    ".ogv",
    ".vob",
)
NAMED = 3  # of many files alike, so many are named


def find_videos(paths: list[str], out: str | Path | None = None) -> list[tuple[str, Path]]:
    """(video id, file) of files and of folders searched to the bottom, linked folders too.

    The id is the name without its suffix; of files of one name it begins with the folders that tell them apart, or
    keeps the suffix. Hidden files are left out, as macOS puts one beside each file on other disks (`._x.mp4`).
    out: the folder of a report; the videos that were brought or made for it are no new ones.
    """
    own = {Path(out).resolve() / name for name in ("report/media", "report/copies", "overlays")} if out else set()
    found: dict[tuple[str, str], Path] = {}  # by name and by the file that it leads to
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise InputError(path, "no such file or folder")
        files = [(path, os.path.realpath(path))]
        if path.is_dir():
            below, hidden = videos_below(path)
            there = [(file, os.path.realpath(file)) for file in below]
            files = [(file, real) for file, real in there if own.isdisjoint(Path(real).parents)]
            if len(files) < len(there):
                print(f"{len(there) - len(files)} videos of an earlier report in {readable(out)} are left out")
            if hidden:
                some = f"the first: {readable(hidden[0].name)}"
                print(f"{len(hidden)} hidden files in {readable(path)} are left out ({some})")
            if not files:
                raise InputError(path, "no videos in this folder", f"looked for {', '.join(VIDEO_SUFFIXES)}")
        for file, real in files:
            found.setdefault((id_of_file(file), real), file)
    named = name_apart(found.values())
    _say_new_names(named)
    return named


def videos_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """(videos in a folder and below, sorted; hidden ones).

    Links to folders are followed, but no folder is looked into twice, so that a link to a folder above comes to an
    end; what a linked folder shares with others is found there. Hidden folders (.git, .Trashes) are not looked into.
    """
    files: list[Path] = []
    seen: set[str] = set()
    tops, links = [Path(folder)], []
    while tops:
        for place, folders, names in os.walk(tops.pop(0), onerror=_cannot_look):
            real = os.path.realpath(place)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            files += [Path(place, name) for name in names if has_video_suffix(name)]
            visible = sorted(name for name in folders if not name.startswith("."))
            links += [Path(place, name) for name in visible if os.path.islink(os.path.join(place, name))]
            folders[:] = visible
        if not tops:  # links last: a folder that is there without one is found by its own name
            tops, links = links, []
    files = sorted(file for file in files if file.is_file() or file.is_symlink())  # no pipes; broken links are reported
    return [f for f in files if not f.name.startswith(".")], [f for f in files if f.name.startswith(".")]


def is_video(path: Path) -> bool:
    """Whether this is a file with a video's suffix, and not a hidden one."""
    return has_video_suffix(path) and not path.name.startswith(".") and path.is_file()


def has_video_suffix(path: str | Path) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def _cannot_look(error: OSError) -> None:
    warn(f"{readable(error.filename)}: is not looked into ({error.strerror})")


# --- names -----------------------------------------------------------------------------------------------------------


def name_apart(files: Iterable[Path], ids: Sequence[str] | None = None) -> list[tuple[str, Path]]:
    """(id, file) of each; no two ids are one file name on any system, also where case does not count.

    ids: of each file, as far as no other has it too. Default: the names without suffix.
    """
    files = list(files)
    ids = [id_of_file(file) for file in files] if ids is None else list(ids)
    for rename in (_with_folders, _with_suffixes, _with_numbers):
        alike = defaultdict(list)
        for place, video_id in enumerate(ids):
            alike[_as_file(video_id)].append(place)
        for places in alike.values():
            if len(places) > 1:
                renamed = rename([ids[i] for i in places], [files[i] for i in places], alike)
                for place, video_id in zip(places, renamed):
                    ids[place] = video_id
    return list(zip(ids, files))


def _as_file(video_id: str) -> str:
    """What ids that are one file name have in common; one that is refused later on is like no other."""
    try:
        return name_in_folder(video_id).casefold()
    except InputError:
        return video_id.casefold()


def _with_folders(ids: list[str], files: list[Path], _) -> list[str]:
    """Behind the folders below the one that they have in common."""
    places = [Path(os.path.abspath(file)).parent for file in files]
    try:
        common = os.path.commonpath(places)
    except ValueError:  # on two drives of Windows
        return ids
    below = [place.relative_to(common).parts for place in places]
    return ["/".join([*map(as_id, parts), video_id]) for parts, video_id in zip(below, ids)]


def _with_suffixes(ids: list[str], files: list[Path], _) -> list[str]:
    """With their suffixes, if these tell them apart."""
    named = [str(PurePosixPath(video_id).with_name(as_id(file.name))) for video_id, file in zip(ids, files)]
    return named if len(set(map(_as_file, named))) == len(named) else ids


def _with_numbers(ids: list[str], files: list[Path], taken: dict) -> list[str]:
    """One keeps its name; the others, which differ by case or by the spelling of the same letters, get numbers."""
    renamed, number = list(ids), 2
    exact = [place for place, file in enumerate(files) if file.stem == PurePosixPath(ids[place]).name]
    for place in range(len(ids)):
        if place == (exact or [0])[0]:
            continue
        while f"{_as_file(ids[place])}-{number}" in taken:
            number += 1
        renamed[place] = f"{ids[place]}-{number}"
        number += 1
    return renamed


def _say_new_names(named: list[tuple[str, Path]]) -> None:
    """A line for each name that several videos have, of the first few."""
    alike = defaultdict(list)
    for video_id, file in named:
        alike[_as_file(id_of_file(file))].append((id_of_file(file), video_id))
    several = [pairs for pairs in alike.values() if len(pairs) > 1]
    for pairs in several[:NAMED]:
        more = f" and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
        ids = ", ".join(video_id for _, video_id in pairs[:NAMED])
        print(f"{len(pairs)} videos are called {pairs[0][0]}; they go by {ids}{more}")
    if len(several) > NAMED:
        print(f"so do the videos of {len(several) - NAMED} more names")


# --- videos by their ids ---------------------------------------------------------------------------------------------


class VideoFolder:
    """The videos of a folder by the ids that people and annotation files give them.

    Names match whatever their suffix, also in capitals; if no video has just this name, also in another spelling of the
    same letters (Unicode's NFC and NFD), with other spaces, or in other case; and in subfolders. The folder is looked
    through once, and only where a video does not lie where its id says.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def find(self, video_id: str, subset: str = "") -> Path:
        """The file of a video, first of all in the folder itself, then in its subfolders `subset`, train, val, test.

        `InputError` where there is none, or where there are several and nothing says which is meant.
        """
        places = ["", *(name for name in (subset, "train", "val", "test") if name)]
        plain = check_id(video_id)
        for place in places:
            for suffix in ("", *VIDEO_SUFFIXES):
                file = self.folder / place / f"{plain}{suffix}"
                if has_video_suffix(file) and _is_file(file):
                    return file
        return self._spelled_otherwise(plain, places)

    def find_listed(self, name: str) -> Path:
        """The file of a clip of a list, in which names have their suffixes; `InputError` as `find` gives it."""
        file = self.folder / check_id(name)
        return file if _is_file(file) else self._spelled_otherwise(check_id(name), [""])

    def _spelled_otherwise(self, video_id: str, places: list[str]) -> Path:
        parts = _spelled(video_id)
        found = [(file, names) for file, names in self._by_name.get(parts[-1], ()) if names[-len(parts) :] == parts]
        for place in places:
            here = [file for file, names in found if names == (*_spelled(place), *parts)]
            here = _of_same_letters(here, video_id)
            if len({as_id(file.stem) for file in here}) == 1:
                return min(here, key=lambda file: VIDEO_SUFFIXES.index(file.suffix.lower()))
        if len(found) == 1:
            return found[0][0]
        if video_id in self._by_id:
            return self._by_id[video_id]
        if found:
            some = " or ".join(readable(file.relative_to(self.folder)) for file, _ in found[:2])
            raise InputError(path_for_id(self.folder, video_id, ""), f"may be {some}", "name the video as its file")
        raise InputError(path_for_id(self.folder, video_id, ".mp4"), "the video is missing", "check --videos")

    @cached_property
    def files(self) -> list[Path]:
        """All videos in the folder and below, but hidden ones."""
        return videos_below(self.folder)[0] if self.folder.is_dir() else []

    @cached_property
    def _by_id(self) -> dict[str, Path]:
        return dict(name_apart(self.files))

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[Path, tuple[str, ...]]]]:
        """{name, with its suffix and without: [(file, spelling of each part of its path)]}."""
        found = defaultdict(list)
        for file in self.files:
            parts = _spelled(file.relative_to(self.folder).as_posix())
            for last in (spelling(file.stem), parts[-1]):
                found[last].append((file, (*parts[:-1], last)))
        return found


def _spelled(path: str) -> tuple[str, ...]:
    return tuple(map(spelling, PurePosixPath(path).parts))


def _of_same_letters(files: list[Path], video_id: str) -> list[Path]:
    """Those named by just these letters, or all where none is."""
    name = PurePosixPath(video_id).name
    return [file for file in files if name in (as_id(file.stem), as_id(file.name))] or files


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system allows
        return False


def take_shard(videos: list, shard: str) -> list:
    """Every N-th item from the I-th on, of "I/N" with I in 1..N: for N processes or machines side by side."""
    number, slash, count = shard.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise InputError(f"--shard {shard}", "is not I/N with 1 <= I <= N", "e.g. --shard 1/4")
    return videos[int(number) - 1 :: int(count)]
