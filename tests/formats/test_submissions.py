import zipfile

import numpy as np
import pytest

from mmad.errors import InputError
from mmad.formats import read_predictions
from mmad.formats.submissions import (
    DETECTION_FORMATS,
    RECOGNITION_FORMATS,
    ClipPredictions,
    align,
    is_recognition,
    read_recognition,
    write_detections,
    write_recognition,
)
from mmad.labels import MMA52
from mmad.records import Detections

FOUND = [
    Detections("v1", [[0.1, 2.5], [1 / 3, 9.0]], [9, 51], [0.123456789, 0.9]),
    Detections('v,"2"', [[0.0, 0.0]], [0], [1.0]),
]
CLIPS = ClipPredictions(
    ["a.mp4", "b.mp4"], np.array([[9, 8, 0, 51, 24], [1, 2, 3, 4, 5]]), np.array([[1, 1, 0, 6, 3]] * 2)
)
HEADERS = {
    "mac2024": ",video_id,t_start,t_end,class,score",
    "mac2025": ",video_id,t_start,t_end,class,score",
    "mac2026": "ID,video-id,t-start,t-end,label,score",
    "csv": "video_id,t_start,t_end,class,score,body_part,start_timecode,end_timecode",
    "mac2024-rec": "Id,pred_label_1,pred_label_2",
    "mac2025-rec": "vid,action_pred_1,action_pred_2,action_pred_3,action_pred_4,action_pred_5,"
    "body_pred_1,body_pred_2,body_pred_3,body_pred_4,body_pred_5",
}
HEADERS["mac2026-rec"] = HEADERS["mac2025-rec"]


@pytest.mark.parametrize("suffix", [".csv", ".zip"])
@pytest.mark.parametrize("form", DETECTION_FORMATS)
def test_detections_come_back_equal(tmp_path, form, suffix):
    path = tmp_path / f"out{suffix}"
    write_detections(path, FOUND, form)
    back = read_predictions(path).detections
    assert [item.video_id for item in back] == ["v1", 'v,"2"']
    for item, original in zip(back, FOUND):
        assert (item.segments == original.segments).all()
        assert (item.labels == original.labels).all()
        assert (item.scores == original.scores).all()


@pytest.mark.parametrize("form", [*DETECTION_FORMATS, *RECOGNITION_FORMATS])
def test_the_zip_holds_prediction_csv_without_a_folder(tmp_path, form):
    path = tmp_path / "submission.zip"
    if form in DETECTION_FORMATS:
        write_detections(path, FOUND, form)
    else:
        write_recognition(path, CLIPS, form)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["prediction.csv"]
        assert archive.read("prediction.csv").decode().splitlines()[0] == HEADERS[form]


def test_the_first_column_counts_over_all_videos(tmp_path):
    write_detections(tmp_path / "out.csv", FOUND, "mac2024")
    rows = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["0", "1", "2"]


@pytest.mark.parametrize(("form", "ranks"), [("mac2024-rec", 1), ("mac2025-rec", 5), ("mac2026-rec", 5)])
def test_recognised_clips_come_back_equal(tmp_path, form, ranks):
    write_recognition(tmp_path / "out.csv", CLIPS, form)
    back = read_recognition(tmp_path / "out.csv")
    assert back.clips == CLIPS.clips
    assert (back.actions == CLIPS.actions[:, :ranks]).all()
    assert (back.parts == CLIPS.parts[:, :ranks]).all()


OWN_RANKING = ClipPredictions(
    ["a.mp4", "b.mp4"],
    np.array([[9, 8, 0, 51, 24], [17, 22, 19, 23, 20]]),
    np.array([[1, 2, 0, 6, 3], [4, 2, 1, 5, 3]]),
)  # five distinct parts each; 4, body-hand, is not the part of 17, clenching fist


@pytest.mark.parametrize(("form", "ranks"), [("mac2024-rec", 1), ("mac2025-rec", 5), ("mac2026-rec", 5)])
def test_a_ranking_of_body_parts_of_its_own_comes_back_equal(tmp_path, form, ranks):
    write_recognition(tmp_path / "out.csv", OWN_RANKING, form)
    back = read_recognition(tmp_path / "out.csv")
    assert (back.actions == OWN_RANKING.actions[:, :ranks]).all()
    assert (back.parts == OWN_RANKING.parts[:, :ranks]).all()
    assert back.disagreeing(MMA52) == OWN_RANKING.disagreeing(MMA52) == 1
    assert align(back, ["b.mp4", "a.mp4"], "p.csv").parts[:, 0].tolist() == [4, 1]


def test_columns_of_a_table_whose_body_parts_are_ranked_separately(tmp_path):
    write_recognition(tmp_path / "new.csv", OWN_RANKING, "mac2026-rec")
    write_recognition(tmp_path / "old.csv", OWN_RANKING, "mac2024-rec")
    assert (tmp_path / "new.csv").read_text().splitlines()[2] == "b.mp4,17,22,19,23,20,4,2,1,5,3"
    assert (tmp_path / "old.csv").read_text().splitlines()[2] == "b.mp4,4,17"


def test_disagreement_is_that_of_the_first_part_and_the_first_action():
    assert CLIPS.disagreeing(MMA52) == 1  # 1, sitting straightly, is of the body; its first part says head
    parts = np.asarray(MMA52.part_of)[CLIPS.actions]
    assert ClipPredictions(CLIPS.clips, CLIPS.actions, parts).disagreeing(MMA52) == 0


def test_fewer_than_five_body_parts_fit_only_the_form_of_2024(tmp_path):
    few = ClipPredictions(["a.mp4"], np.array([[4, 3, 2, 1, 0]]), np.array([[1, 0, 2]]))
    with pytest.raises(InputError, match="5 actions and 3 body parts per clip"):
        write_recognition(tmp_path / "out.csv", few, "mac2025-rec")
    write_recognition(tmp_path / "out.csv", few, "mac2024-rec")
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "a.mp4,1,4"


def test_the_two_kinds_are_told_apart_by_their_header(tmp_path):
    write_recognition(tmp_path / "clips.csv", CLIPS)
    write_detections(tmp_path / "found.csv", FOUND, "mac2026")
    assert is_recognition(tmp_path / "clips.csv")
    assert not is_recognition(tmp_path / "found.csv")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.mp4,1,9\na.mp4,1,9", "line 3: clip a.mp4 is there twice"),
        ("a.mp4,7,9", "unknown body part '7'"),
        ("a.mp4,1,52", "unknown label 52"),
        ("", "no clips in the file"),
    ],
)
def test_a_wrong_recognition_file_is_refused(tmp_path, rows, said):
    (tmp_path / "out.csv").write_text(f"id,pred_label_1,pred_label_2\n{rows}\n")
    with pytest.raises(InputError, match=said):
        read_recognition(tmp_path / "out.csv")


def test_five_actions_are_distinct(tmp_path):
    same = ClipPredictions(["a.mp4"], np.array([[9, 9, 0, 1, 2]]), np.array([[1, 1, 0, 0, 0]]))
    write_recognition(tmp_path / "out.csv", same)
    with pytest.raises(InputError, match="not distinct"):
        read_recognition(tmp_path / "out.csv")


def test_alignment_wants_every_clip_once_and_no_other():
    swapped = align(CLIPS, ["b.mp4", "a.mp4"], "p.csv")
    assert swapped.actions[:, 0].tolist() == [1, 9]
    with pytest.raises(InputError, match=r"clips missing: 1, such as c\.mp4"):
        align(CLIPS, ["a.mp4", "b.mp4", "c.mp4"], "p.csv")
    with pytest.raises(InputError, match=r"clips not in the list: 1, such as b\.mp4"):
        align(CLIPS, ["a.mp4"], "p.csv")


def test_an_unknown_form_names_those_there_are(tmp_path):
    with pytest.raises(InputError, match="mac2024, mac2025, mac2026, csv"):
        write_detections(tmp_path / "out.csv", FOUND, "mac2023")
    with pytest.raises(InputError, match="needs the five best"):
        write_recognition(tmp_path / "out.csv", ClipPredictions(["a"], np.array([[1]]), np.array([[0]])), "mac2025-rec")
    assert list(tmp_path.iterdir()) == []


def test_plain_tables_name_actions_and_parts(tmp_path):
    write_detections(tmp_path / "out.csv", FOUND[:1], "csv")
    last = (tmp_path / "out.csv").read_text().splitlines()[-1]
    assert last == f"v1,0.1,2.5,{MMA52.actions[9]},0.123456789,head,00:00:00.100,00:00:02.500"


def test_timecodes_are_those_of_a_player(tmp_path):
    """In a video whose picture begins 0.8 s after the sound."""
    write_detections(tmp_path / "out.csv", FOUND[:1], "csv", clocks={"v1": 0.8})
    last = (tmp_path / "out.csv").read_text().splitlines()[-1]
    assert last == f"v1,0.1,2.5,{MMA52.actions[9]},0.123456789,head,00:00:00.900,00:00:03.300"
