import numpy as np
import pytest
from made_annotations import plain

from mmad.errors import InputError
from mmad.formats import read_annotations
from mmad.formats.mma52 import is_placeholder, read_clip_list

CSV = "id,video_id,start_frame,end_frame,class,total_frames,fps\n"
CSV_2024 = ",video_id,start_frame,end_frame,class,total_frames\n"


def test_csv_seconds_are_frames_by_the_rate_of_their_row(write):
    rows = "0,v30,15,60,9,300,30.0\n1,v29,29,58,21,290,29\n2,v30,0,300,0,300,30.0\n"
    annotations = read_annotations(write("val.csv", CSV + rows))
    assert plain(annotations) == {"v30": (10.0, [(9, 0.5, 2.0), (0, 0.0, 10.0)]), "v29": (10.0, [(21, 1.0, 2.0)])}
    assert [item.fps for item in annotations] == [30.0, 29.0]


def test_csv_of_early_2024_is_read_at_the_rate_that_is_given(write):
    path = write("val.csv", CSV_2024 + "0,196_01_0005_L,0,150,28,300\n1,196_01_0005_L,30,60,21,300\n")
    assert plain(read_annotations(path)) == {"196_01_0005_L": (10.0, [(28, 0.0, 5.0), (21, 1.0, 2.0)])}
    assert plain(read_annotations(path, fps=15)) == {"196_01_0005_L": (20.0, [(28, 0.0, 10.0), (21, 2.0, 4.0)])}


def test_a_rate_that_nobody_said_is_pointed_out_once(write, capsys):
    path = write("val.csv", CSV_2024 + "0,v1,0,150,28,300\n1,v2,30,60,21,300\n")
    assert [item.fps for item in read_annotations(path)] == [30.0, 30.0]
    said = "30 frames a second are assumed; else give --fps N (in training data.fps=N)"
    assert capsys.readouterr().err == f"warning: {path} has no fps column: {said}\n"
    read_annotations(path, fps=30)
    read_annotations(write("rates.csv", CSV + "0,v1,0,150,28,300,25\n"))
    assert capsys.readouterr().err == ""


def test_dummy_rows_of_the_official_test_file_are_recognised(write):
    rows = "0,test0000,0,20,1,166,30\n1,test0001,0,20,2,232,29\n"
    assert is_placeholder(read_annotations(write("test.csv", CSV + rows)))
    assert not is_placeholder(read_annotations(write("val.csv", CSV + rows + "2,test0001,5,20,2,232,29\n")))


BAD_ANNOTATIONS = [
    ("a.csv", "", "", "the file is empty"),
    ("a.csv", CSV.replace("class", "klass"), ", line 1", "no column class; found id, video_id"),
    ("a.csv", CSV + "0,v1,x,60,9,300,30\n", ", line 2", "start_frame 'x' is not a number"),
    ("a.csv", CSV + "0,v1,0,60,9,300,30\n1,v1,0,nan,9,300,30\n", ", line 3", "end_frame 'nan' is not a number"),
    ("a.csv", CSV + "0,v1,0,60,9,300,0\n", ", line 2", "fps 0, total_frames 300; both must be positive"),
    ("a.csv", CSV + "0,v1,0,60,9,0,30\n", ", line 2", "fps 30, total_frames 0; both must be positive"),
    ("a.csv", CSV + "0,v1,-5,60,9,300,30\n", ", line 2", "start_frame -5 is negative"),
    ("a.csv", CSV + "0,v1,60,15,9,300,30\n", ", line 2", "end_frame 15 is before start_frame 60"),
    ("a.csv", CSV + "0,v1,0,60,52,300,30\n", ", line 2", "unknown label 52; ids of mma52 are 0..51"),
    ("a.csv", CSV + "0,v1,0,60,-1,300,30\n", ", line 2", "unknown label -1"),
    ("a.csv", CSV + "0,v1,0,60,1.5,300,30\n", ", line 2", "unknown label '1.5'"),
    ("a.csv", CSV + "0,v1,0,60,noding,300,30\n", ", line 2", "unknown label 'noding'; did you mean 'nodding'?"),
    ("a.csv", CSV + "0, ,0,60,9,300,30\n", ", line 2", "is not a name for a file"),
    ("a.csv", CSV + "0,v1,0,60,9,300,30\n1,v1,0,60,9,300,29\n", ", line 3", "v1: 300 frames at 29 fps here"),
    ("a.csv", CSV + "0,v1,0,60\n", ", line 2", "4 fields where the header has 7"),
    ("a.csv", CSV + "0,../v1,0,60,9,300,30\n", ", line 2", "'../v1'"),
]


@pytest.mark.parametrize(("name", "content", "place", "said"), BAD_ANNOTATIONS, ids=[row[3] for row in BAD_ANNOTATIONS])
def test_bad_annotation_is_refused_with_file_and_place(write, name, content, place, said):
    path = write(name, content)
    with pytest.raises(InputError) as error:
        read_annotations(path)
    assert error.value.place.startswith(f"{path}{place}")
    assert said in str(error.value)


def test_all_problems_of_a_csv_are_collected_and_the_good_rows_kept(write):
    rows = [
        "0,v1,15,60,9,300,30",
        "1,v1,60,15,9,300,30",
        "2,v2,0,x,9,300,30",
        "3,v1,0,60,9,301,30",
        "4,v1,0,300,0,300,30",
    ]
    path, problems = write("val.csv", CSV + "\n".join(rows)), []
    annotations = read_annotations(path, on_problem=problems.append)
    assert plain(annotations) == {"v1": (10.0, [(9, 0.5, 2.0), (0, 0.0, 10.0)])}
    assert [problem.place for problem in problems] == [f"{path}, line {line}" for line in (3, 4, 5)]


# --- lists of clips ---------------------------------------------------------------------------------------------


def test_clip_list_is_names_and_labels(write):
    path = write("list.txt", "train/a.mp4 3\nwith space.mp4 51\n\nb.mp4 9\n")
    assert read_clip_list(path) == [("train/a.mp4", 3), ("with space.mp4", 51), ("b.mp4", 9)]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "", "no clips in the list"),
        ("a.mp4 1\n\nb.mp4\n", ", line 3", "'b.mp4'; expected `name.mp4 label`"),
        ("a.mp4 52\n", ", line 1", "unknown label 52"),
        ("a.mp4 1\na.mp4 2\n", ", line 2", "clip a.mp4 is listed twice"),
    ],
)
def test_bad_clip_list_is_refused_with_its_line(write, text, place, said):
    path = write("list.txt", text)
    with pytest.raises(InputError) as error:
        read_clip_list(path)
    assert error.value.place == f"{path}{place}"
    assert said in str(error.value)


def test_all_problems_of_a_clip_list_are_collected(write):
    path, problems = write("list.txt", "a.mp4 1\nb.mp4 x\na.mp4 2\nc.mp4 3\n"), []
    assert read_clip_list(path, on_problem=problems.append) == [("a.mp4", 1), ("c.mp4", 3)]
    assert [problem.place for problem in problems] == [f"{path}, line 2", f"{path}, line 3"]


# --- the real files ---------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "videos", "instances"),
    [
        ("mma52/train.csv", 4534, 13698),
        ("mma52/val.csv", 1475, 4735),
        ("mma52_2024/train.csv", 4537, 13708),
        ("mma52_2024/val.csv", 1479, 4746),
    ],
)
def test_official_files_are_read_whole(shared, name, videos, instances):
    annotations = read_annotations(shared / "data" / name)
    assert len(annotations) == videos
    assert sum(len(item.labels) for item in annotations) == instances
    assert not is_placeholder(annotations)


@pytest.mark.shared
def test_official_train_has_the_published_lengths_and_counts(shared):
    annotations = read_annotations(shared / "data/mma52/train.csv")
    durations = [item.duration for item in annotations]
    counts = np.bincount(np.concatenate([item.labels for item in annotations]), minlength=52)
    assert min(durations) == pytest.approx(5.0, abs=0.01)
    assert max(durations) == pytest.approx(15.03, abs=0.01)
    assert np.mean(durations) == pytest.approx(10.3, abs=0.05)
    assert counts[[0, 3, 8, 45, 51]].tolist() == [368, 1, 2039, 1, 8]
    assert {item.fps for item in annotations} == {29.0, 30.0}


@pytest.mark.shared
def test_official_test_file_is_a_placeholder(shared):
    annotations = read_annotations(shared / "data/mma52/test.csv")
    assert len(annotations) == 519
    assert is_placeholder(annotations)


@pytest.mark.shared
@pytest.mark.parametrize(("part", "clips"), [("train", 11250), ("val", 5586)])
def test_official_clip_lists_are_read_whole(shared, part, clips):
    assert len(read_clip_list(shared / "data/ma52" / f"{part}_list_videos.txt")) == clips
