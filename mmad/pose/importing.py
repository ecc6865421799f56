"""Importing files of joints as landmark tracks, one file per video."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from mmad.errors import InputError
from mmad.files import path_for_id, read_json, refuse_same_file
from mmad.pose.landmark_files import save_landmarks
from mmad.pose.pose_formats import SUFFIXES, detect_format, open_landmarks
from mmad.pose.recording import ImportOptions
from mmad.records import LandmarkTrack


def find_pose_files(paths: Iterable[str | Path]) -> list[Path]:
    """The given files, and the files of a known format in the given folders and their subfolders.

    A folder of OpenPose is one item. Sidecars of ours, and .h5 files of tables that also exist as CSV, are left out.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(path, "no such file or folder")
        if not path.is_dir() or _is_known(path):
            found.append(path)
            continue
        folders = [folder for folder in sorted(path.rglob("*")) if folder.is_dir() and _is_known(folder)]
        files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file()]
        files = [file for file in files if file.parent not in folders and not _belongs_to_another(file)]
        known = [file for file in files if _is_known(file)]
        if not folders and not known:
            raise InputError(path, "no joints in this folder", f"looked for OpenPose's and {', '.join(SUFFIXES)}")
        if len(known) < len(files):
            print(f"{len(files) - len(known)} files in {path} are not known to hold joints and are left out")
        found += folders + known
    return found


def _is_known(path: Path) -> bool:
    try:
        return bool(detect_format(path))
    except InputError:
        return False


def _belongs_to_another(file: Path) -> bool:
    """Whether a file is the sidecar of a track, the same table as a CSV, or the label file of a data set."""
    if file.suffix == ".json":
        return file.with_suffix(".npz").exists()
    if file.suffix in (".h5", ".hdf5"):
        return file.with_suffix(".csv").exists()
    return file.name.endswith("_label.pkl") and file.with_name(file.name.replace("_label.", "_data.")).exists()


def import_tracks(paths: Iterable[str | Path], out: str | Path, options: ImportOptions | None = None) -> list[str]:
    """Write one track per video into `out`. Returns what went wrong, one line each; the other videos are imported.

    Existing tracks are overwritten only if they were imported from the same format.
    """
    files = find_pose_files(paths)
    written: dict[str, Path] = {}
    problems: list[str] = []
    notes: dict[str, list[str]] = {}
    for file, track in _tracks(files, options):
        try:
            if isinstance(track, InputError):
                raise track
            _save(track, file, Path(out), written)
        except InputError as error:
            problems.append(str(error))
            continue
        for note in _notes_of(track):
            notes.setdefault(note, []).append(track.video_id)
    for note, ids in notes.items():
        print(f"note: {note} ({len(ids)} of {len(written)} tracks, such as {ids[0]})")
    print(f"{len(written)} tracks of {len(files)} files in {out}")
    return problems


def _tracks(files: list[Path], options: ImportOptions | None) -> Iterator[tuple[Path, LandmarkTrack | InputError]]:
    """The tracks in all files, or the errors of those that cannot be read, with a progress bar."""
    with tqdm(total=0, disable=None, unit="video") as bar:
        for file in files:
            try:
                tracks = open_landmarks(file, options)
            except InputError as error:
                yield file, error
                continue
            bar.total += len(tracks)
            for number in range(len(tracks)):
                try:
                    track = tracks[number]
                except InputError as error:
                    track = error
                yield file, track
                bar.update()


def _save(track: LandmarkTrack, file: Path, out: Path, written: dict[str, Path]) -> None:
    """Save a track; `InputError` if that would overwrite another one."""
    path = path_for_id(out, track.video_id, ".npz")
    if track.video_id in written:
        problem = f"its video {track.video_id} has the same name as one of {written[track.video_id]}"
        raise InputError(file, problem, "import them to two folders")
    refuse_same_file(path, file)
    if path.exists():
        source = _source_of(path)
        if source != track.source:
            problem = f"is a track that was not {track.source or 'made as this one'} (source: {source})"
            raise InputError(path, problem, "name another folder with --out")
    save_landmarks(out, track)
    written[track.video_id] = file


def _source_of(path: Path) -> str:
    """The source in the sidecar of a track."""
    sidecar = path.with_name(f"{path.stem}.json")
    content = read_json(sidecar) if sidecar.exists() else None
    return str(content.get("source", "unknown")) if isinstance(content, dict) else "unknown"


def _notes_of(track: LandmarkTrack) -> Iterator[str]:
    """What one should know of a track, one line each."""
    if track.details.get("absent"):
        yield f"absent joints, which count as not seen: {track.details['absent']}"
    if track.details.get("unused"):
        yield f"unknown body parts, which are not used: {track.details['unused']}"
    if not track.seen.any():
        yield "nobody is seen"
