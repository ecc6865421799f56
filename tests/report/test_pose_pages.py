import numpy as np
from made_joints import made_track

from mmad.labels import MMA52
from mmad.records import Detections
from mmad.report.content import PageOptions
from mmad.report.pose_pages import LEAST_IN_PAGE, NOTE, files_of_people, write_pose_report


def two_people() -> list:
    """Two people in one video, "v", as joints are found in it: the first track has the name of the video."""
    people = [made_track(2.0), made_track(2.0, person=1)]
    for track, name in zip(people, ("v", "v_1")):
        track.video_id = name
        track.details["tracks"] = ["v", "v_1"]
    return people


def test_every_person_has_the_video_that_they_are_in(tmp_path):
    files = {"v": tmp_path / "v.mp4"}
    assert files_of_people(two_people(), files) == {"v": files["v"], "v_1": files["v"]}
    assert files_of_people([made_track(2.0)], files) == {}  # a track that came without a video


def test_a_page_per_person_without_the_lowest_scores(tmp_path):
    scores = np.array([0.5, LEAST_IN_PAGE, LEAST_IN_PAGE - 0.001])
    found = [Detections(name, [[0, 1], [0.5, 1], [1, 2]], [9, 8, 24], scores) for name in ("v", "v_1")]
    options = PageOptions({"tiptoe": ("cannot tell", "rare")}, min_score=0.15)
    index = write_pose_report(tmp_path, found, two_people(), {}, MMA52, options)
    assert "2 videos, 2 detections" in index.read_text() and NOTE in index.read_text()
    for name in ("v", "v_1"):
        page = (tmp_path / "report" / f"{name}.html").read_text()
        assert NOTE in page and 'value="0.15"' in page and "shaking legs" in page
        assert '"detections":[[0.0,1.0,9,0.5],[0.5,1.0,8,0.02]]' in page
        assert (tmp_path / "report" / "joints" / f"{name}.js").exists()
    options = PageOptions(note="Another note.")
    assert "Another note." in write_pose_report(tmp_path, found, two_people(), {}, MMA52, options).read_text()
