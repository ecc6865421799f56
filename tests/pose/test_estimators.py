"""MediaPipe's estimators on a rendered person; skipped, and said so, where they are not installed."""

import subprocess
import sys

import numpy as np
import pytest
from made_people import picture
from pose_estimator import estimator_runs

from mmad.config import PoseConfig
from mmad.errors import InputError
from mmad.pose.estimators import ESTIMATORS, open_estimator

pytestmark = pytest.mark.skipif(
    not estimator_runs(),
    reason="MediaPipe's estimators cannot run: pip install 'mmad[pose]', on Linux also libGL, libEGL and libGLESv2",
)
NOSE, LEFT_SHOULDER, LEFT_WRIST, RIGHT_WRIST = 0, 11, 15, 16
LEFT_HAND, RIGHT_HAND = slice(33, 54), slice(54, 75)


@pytest.fixture(scope="module")
def estimator():
    opened = open_estimator(PoseConfig())
    yield opened
    opened.close()


def estimate(estimator, frames: list[np.ndarray], people: int = 1) -> list[np.ndarray]:
    """What is found in each frame, at 15 a second."""
    estimator.begin(people)
    return [estimator.estimate(frame, row / 15) for row, frame in enumerate(frames)]


def test_a_person_is_found_with_both_hands(estimator):
    """Places that a person reads off the picture, in heights of it."""
    (person,) = estimate(estimator, [picture((1, 0, 0))] * 3)[-1]
    points = person["points"]
    for joint, place in ((NOSE, (0.39, 0.24)), (LEFT_WRIST, (0.54, 0.41)), (RIGHT_WRIST, (0.32, 0.48))):
        assert points[joint, :2] == pytest.approx(place, abs=0.025)
    assert points[LEFT_SHOULDER, 0] > points[LEFT_SHOULDER + 1, 0]  # his own left
    assert points[LEFT_HAND, 1].min() == pytest.approx(0.28, abs=0.03)  # fingers up
    assert points[RIGHT_HAND, 1].max() == pytest.approx(0.54, abs=0.03)  # fingers down
    assert (points[:, 2] > 0.3).mean() > 0.95
    assert estimator.most_people == 1


def test_places_are_heights_of_the_picture_whatever_its_shape(estimator):
    (alone,) = estimate(estimator, [picture((1, 0, 0))])[-1]
    (shifted,) = estimate(estimator, [picture((1, 100, 50), size=(500, 400))])[-1]
    expected = (alone["points"][:, :2] * 324 + (100, 50)) / 400
    assert np.median(np.abs(shifted["points"][:, :2] - expected)) < 0.005


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_an_empty_picture_has_nobody(estimator, colour):
    found = estimate(estimator, [np.full((120, 160, 3), colour, np.uint8)] * 2)
    assert [len(people) for people in found] == [0, 0]
    assert estimator.most_people == 0


def test_joints_outside_the_picture_are_not_seen(estimator):
    (person,) = estimate(estimator, [picture((2, -100, 0), size=(400, 300))] * 2)[-1]
    points = person["points"]
    assert (points[[NOSE, LEFT_SHOULDER], 2] > 0.5).all()
    assert np.isnan(points[25:33, :2]).all() and not points[25:33, 2].any()  # below the hips


def test_a_small_person_in_a_wide_picture_is_found(estimator):
    """Of a third of the height: the estimator that searches is not able to, in the whole picture."""
    (person,) = estimate(estimator, [picture((1.2, 1300, 500), size=(1600, 900))] * 2)[-1]
    assert person["points"][NOSE, :2] == pytest.approx(((1300 + 1.2 * 127) / 900, (500 + 1.2 * 78) / 900), abs=0.03)


def test_the_largest_is_followed_and_the_others_are_counted(estimator):
    frame = picture((0.9, 20, 100), (1.4, 420, 20), size=(900, 500))
    found = estimate(estimator, [frame] * 2)
    assert [len(people) for people in found] == [1, 1]
    assert found[-1]["chest"][0, 0] > 1
    assert estimator.most_people == 2


def test_somebody_larger_who_comes_in_is_followed_instead(estimator):
    before, after = picture((0.9, 20, 100), size=(900, 500)), picture((0.9, 20, 100), (1.4, 420, 20), size=(900, 500))
    found = estimate(estimator, [before] * 3 + [after] * 30)
    assert found[0]["chest"][0, 0] < 0.8 and found[-1]["chest"][0, 0] > 1


def test_several_are_followed_each_with_his_hands(estimator):
    frame = picture((1, 20, 100), (1.4, 420, 20), size=(900, 500))
    people = estimate(estimator, [frame] * 2, people=3)[-1]
    assert sorted(people["chest"][:, 0] > 0.8) == [False, True]
    assert (people["points"][:, 33:, 2] > 0).mean() > 0.9


def test_upside_down_people_are_not_turned(estimator):
    (person,) = estimate(estimator, [picture((1, 0, 0))[::-1, ::-1]] * 2)[-1]
    assert person["head"][1] > person["chest"][1]


def test_without_hands_there_are_none():
    opened = open_estimator(PoseConfig(hands=False))
    (person,) = estimate(opened, [picture((1, 0, 0))])[-1]
    opened.close()
    assert (person["points"][:33, 2] > 0).all() and not (person["points"][33:, 2] > 0).any()
    assert "hand" not in opened.source


def test_the_source_names_the_networks(estimator):
    assert estimator.source == "mediapipe/pose-4eaa5eb7a983+hand-fbc2a30080c3"
    assert set(estimator.settings["models"]) == {"pose_landmarker_full.task", "hand_landmarker.task"}


def test_nothing_is_written_to_the_terminal_by_the_libraries():
    """Also not at the end of the interpreter."""
    code = (
        "import numpy as np\nfrom mmad.config import PoseConfig\nfrom mmad.pose.estimators import open_estimator\n"
        "estimator = open_estimator(PoseConfig())\nestimator.begin(1)\n"
        "estimator.estimate(np.zeros((64, 96, 3), np.uint8), 0.0)\nestimator.close()\n"
        "import sys; print('shown', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "shown\n")


def test_a_file_that_mediapipe_cannot_use_is_named(tmp_path):
    import zipfile

    for kind in ("pose", "hand"):
        with zipfile.ZipFile(tmp_path / f"{kind}_landmarker.task", "w") as archive:
            archive.writestr("nothing.tflite", "nothing")
    opened = open_estimator(PoseConfig(models=str(tmp_path)))
    with pytest.raises(InputError, match=r"pose_landmarker\.task: MediaPipe cannot use it"):
        opened.begin(1)
    opened.close()


def test_a_missing_library_is_said_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(InputError, match=r'mediapipe: cannot be imported .*; pip install -e "\.\[pose\]"'):
        open_estimator(PoseConfig())


def test_an_unknown_estimator_is_refused():
    with pytest.raises(InputError, match="estimator: 'openpose'; choose one of mediapipe"):
        open_estimator(PoseConfig(estimator="openpose"))
    assert list(ESTIMATORS) == ["mediapipe"]
