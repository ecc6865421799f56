"""Folders of annotations: which of their files are meant. Standard library only."""

from pathlib import Path

from mmad.errors import InputError

# What a folder of corrected files is made of; the last two only where there is none of the others.
SUFFIXES = (".eaf", ".textgrid", ".vtt", ".srt", ".boris", "_events.tsv", ".csv")
AMBIGUOUS_SUFFIXES = (".json", ".txt")


def files_of_one_kind(folder: Path) -> tuple[str, list[Path]]:
    """(suffix, files in the folder and below), hidden ones left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    for suffixes in (SUFFIXES, *((suffix,) for suffix in AMBIGUOUS_SUFFIXES)):
        kinds = {suffix: [path for path in files if path.name.lower().endswith(suffix)] for suffix in suffixes}
        kinds = {suffix: paths for suffix, paths in kinds.items() if paths}
        if len(kinds) > 1:
            raise InputError(folder, f"holds files of several kinds: {', '.join(kinds)}", "keep those of one kind")
        if kinds:
            return kinds.popitem()
    expected = ", ".join((*SUFFIXES, *AMBIGUOUS_SUFFIXES))
    raise InputError(folder, "no annotations in this folder", f"expected one file a video: {expected}")
