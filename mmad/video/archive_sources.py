"""The videos of an archive: in folders, by wildcards or in lists, on this machine or in a store."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mmad.errors import InputError
from mmad.files import as_id, id_of_file, read_lines
from mmad.storage import absolute, files_below, identity_in_store, is_address, shown
from mmad.video.finding import VIDEO_SUFFIXES, has_video_suffix, name_apart, videos_below
from mmad.video.opening import video_identity

LIST = ".txt"  # suffix of files that list sources, one per line


@dataclass(frozen=True)
class ArchiveVideo:
    """A video of an archive. known: what the list of its store said of it; None where there was no such list."""

    video_id: str
    address: str
    known: dict[str, int | str] | None = None

    def __str__(self) -> str:
        return shown(self.address)

    def identity(self) -> dict[str, int | str]:
        """What tells it from another file at the same place; `InputError` where it cannot be read."""
        if self.known is not None:
            return self.known
        return identity_in_store(self.address) if is_address(self.address) else video_identity(self.address)

    def identified(self) -> "ArchiveVideo":
        """The video with what its store says of it now, where no list said it; `InputError` where it does not."""
        if self.known is not None or not is_address(self.address):
            return self
        return replace(self, known=identity_in_store(self.address))

    def size(self) -> int:
        """bytes; 0 where it is not known."""
        if self.known is not None:
            return int(self.known["size"])
        return os.path.getsize(self.address) if os.path.exists(self.address) else 0


def find_archive(sources: Sequence[str]) -> list[ArchiveVideo]:
    """The videos of files, folders, names with wildcards, and lists of these (.txt), each once.

    The id of a video is its place below the source, without suffix: it stays when videos are added. Of videos with one
    id, more folders or the suffixes tell them apart. Hidden files and folders are left out. Files of this machine have
    their whole paths: other processes open them.
    """
    found: dict[str, ArchiveVideo] = {}
    for source, is_listed in _listed(sources):
        if is_listed and has_video_suffix(shown(source)):  # not looked up one by one: there may be many
            here = [ArchiveVideo(_id_below(_parts(source)[-1:]), source)]
        else:
            here = list(_in_store(source) if is_address(source) else _on_this_machine(source))
        if not here:
            raise InputError(shown(source), "there are no videos", f"looked for {', '.join(VIDEO_SUFFIXES)}")
        for video in here:
            address = absolute(video.address)
            found.setdefault(address, replace(video, address=address))
    places = [Path(*_parts(address)) for address in found]
    named = name_apart(places, [video.video_id for video in found.values()])
    return [replace(video, video_id=video_id) for video, (video_id, _) in zip(found.values(), named, strict=True)]


def _listed(sources: Iterable[str]) -> list[tuple[str, bool]]:
    """(source, whether a list names it), and in place of lists what they list; files are relative to their list."""
    found = []
    for source in sources:
        if is_address(source) or Path(source).suffix.lower() != LIST:
            found.append((source, False))
            continue
        lines = [line.strip() for line in read_lines(source)]
        lines = [line for line in lines if line and not line.startswith("#")]
        folder = Path(source).parent
        found += [(line if is_address(line) else str(folder / line), True) for line in lines]
    return found


def _parts(address: str) -> tuple[str, ...]:
    """Folders and name of a file, those of a store without what comes before :// and without a query."""
    if is_address(address):
        return PurePosixPath(shown(address).partition("://")[2].strip("/")).parts
    return Path(address).parts


def _id_below(parts: Sequence[str]) -> str:
    """parts: of the path of a video below its source."""
    *folders, name = parts
    return "/".join([*map(as_id, folders), id_of_file(name)])


def _on_this_machine(source: str) -> Iterator[ArchiveVideo]:
    path = Path(source)
    if path.is_dir():
        for file in videos_below(path)[0]:
            yield ArchiveVideo(_id_below(file.relative_to(path).parts), str(file))
    elif path.exists():
        yield ArchiveVideo(id_of_file(path), str(path))
    elif glob.has_magic(source):
        start = _before_wildcards(path.parts)
        for name in sorted(glob.glob(source, recursive=True)):
            if _is_video(Path(name).parts[start:]) and os.path.isfile(name):
                yield ArchiveVideo(_id_below(Path(name).parts[start:]), name)
    else:
        raise InputError(path, "no such file or folder")


def _in_store(source: str) -> Iterator[ArchiveVideo]:
    files = files_below(source)
    if [_parts(address) for address in files] == [_parts(source)]:  # stores spell the beginning in several ways
        ((address, identity),) = files.items()
        yield ArchiveVideo(_id_below(_parts(source)[-1:]), address if shown(source) == source else source, identity)
        return
    start = _before_wildcards(_parts(source))
    for address, identity in files.items():
        if _is_video(_parts(address)[start:]):
            yield ArchiveVideo(_id_below(_parts(address)[start:]), address, identity)


def _before_wildcards(parts: Sequence[str]) -> int:
    """How many folders of a source come before the first with a wildcard; of a source without one, all."""
    return next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))


def _is_video(parts: Sequence[str]) -> bool:
    """Whether the last part is the name of a video, and none is hidden."""
    hidden = any(part.startswith(".") for part in parts)
    return bool(parts) and has_video_suffix(parts[-1]) and not hidden
