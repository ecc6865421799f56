"""Other tools' files of joints, written here as these tools write them, become landmark tracks."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from made_videos import write_video

from mmad.errors import InputError
from mmad.pose import pose_formats
from mmad.pose.landmark_files import load_landmarks, save_landmarks
from mmad.pose.pose_formats import FORMATS, detect_format
from mmad.pose.recording import ImportOptions
from mmad.pose.skeletons import LAYOUTS, absent_joints

WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 25.0, 4
SIZE = (WIDTH, HEIGHT)
JOINTS = list(dict.fromkeys(joint for joints in LAYOUTS.values() for joint in joints))
BODY_25 = (
    "nose neck rshoulder relbow rwrist lshoulder lelbow lwrist midhip rhip rknee rankle lhip lknee lankle reye leye "
)
BODY_25 += "rear lear lbigtoe lsmalltoe lheel rbigtoe rsmalltoe rheel"


def open_landmarks(path, fps=None, size=None, format=None, **options):
    return pose_formats.open_landmarks(path, ImportOptions(fps, size, format, **options))


def read_landmarks(path, fps=None, size=None, format=None, **options):
    return pose_formats.read_landmarks(path, ImportOptions(fps, size, format, **options))


def place(joint: str, frame: int) -> tuple[float, float]:
    """Where a joint is in a frame, pixels: elsewhere for each joint and frame."""
    number = JOINTS.index(joint)
    return 20 + 3.5 * number + frame, 30 + 2.0 * number + 0.5 * frame


def pose(layout: str, frame: int, confidence: float = 0.75) -> np.ndarray:
    """(J, 3) pixels and confidence."""
    return np.array([(*place(joint, frame), confidence) for joint in LAYOUTS[layout]])


def check(track, layout: str, frames=range(FRAMES), confidence: float = 0.75) -> None:
    """A track of mediapipe75 has each joint of `layout` at its place, on its side, and no other."""
    assert track.layout == "mediapipe75"
    np.testing.assert_array_equal(track.size, SIZE)
    np.testing.assert_allclose(track.times, np.array(frames) / FPS)
    absent = absent_joints(LAYOUTS[layout], "mediapipe75")
    for i, joint in enumerate(LAYOUTS["mediapipe75"]):
        if joint in LAYOUTS[layout]:
            expected = [(x / HEIGHT, y / HEIGHT, confidence) for x, y in (place(joint, frame) for frame in frames)]
            np.testing.assert_allclose(track.points[:, i], expected, rtol=1e-4, err_msg=joint)
        assert track.seen[:, i].all() == (joint not in absent), joint


def write_rows(path: Path, rows: list[list]) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


# --- OpenPose ---------------------------------------------------------------------------------------------------


def openpose_person(layout: str, frame: int, hands: bool = False) -> dict:
    person = {"person_id": [-1], "pose_keypoints_2d": pose(layout, frame).ravel().tolist(), "face_keypoints_2d": []}
    for number, side in enumerate(("left", "right")):
        points = pose("openpose_hands", frame)[21 * number : 21 * number + 21] if hands else np.zeros((0, 3))
        person[f"hand_{side}_keypoints_2d"] = points.ravel().tolist()
    return person


def write_openpose(folder: Path, frames: list[list[dict]], name: str = "v") -> Path:
    folder.mkdir(exist_ok=True)
    for number, people in enumerate(frames):
        path = folder / f"{name}_{number:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


@pytest.mark.parametrize("layout", ["body25", "openpose18"])
@pytest.mark.parametrize("hands", [False, True])
def test_openpose(tmp_path, layout, hands):
    frames = [[openpose_person(layout, frame, hands)] for frame in range(FRAMES)]
    [track] = read_landmarks(write_openpose(tmp_path / "out", frames), FPS, SIZE)
    assert (track.video_id, track.source, track.person) == ("v", "imported from openpose", 0)
    check(track, f"{layout}_hands" if hands else layout)


def test_openpose_by_hand(tmp_path):
    """One frame: the right wrist is the fifth joint of BODY_25, the left one the eighth."""
    points = np.zeros((25, 3))
    points[4], points[7] = (100.0, 240.0, 0.5), (300.0, 120.0, 1.25)
    person = {"pose_keypoints_2d": points.ravel().tolist()}
    [track] = read_landmarks(write_openpose(tmp_path, [[person]]), FPS, SIZE)
    right, left = (LAYOUTS["mediapipe75"].index(f"{side} wrist") for side in ("right", "left"))
    np.testing.assert_allclose(track.points[0, right], [100 / 480, 0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(track.points[0, left], [300 / 480, 0.25, 1.0], rtol=1e-6)
    assert track.seen.sum() == 2  # the others are at 0, 0 with confidence 0
    assert "left/right pinky" in track.details["absent"]


def test_openpose_of_one_frame(tmp_path):
    folder = write_openpose(tmp_path / "out", [[openpose_person("body25", frame)] for frame in range(FRAMES)])
    path = folder / "v_000000000000_keypoints.json"
    assert detect_format(path) == "openpose"
    check(read_landmarks(path, FPS, SIZE)[0], "body25", frames=[0])
    path.rename(folder / "000000000000_keypoints.json")
    assert read_landmarks(folder / "000000000000_keypoints.json", FPS, SIZE)[0].video_id == "out"


def test_openpose_of_several_videos_in_one_folder(tmp_path):
    for name in ("day1", "day2"):
        write_openpose(tmp_path, [[openpose_person("body25", frame)] for frame in range(FRAMES)], name)
    assert [track.video_id for track in read_landmarks(tmp_path, FPS, SIZE)] == ["day1", "day2"]


def test_openpose_without_anybody(tmp_path):
    [track] = read_landmarks(write_openpose(tmp_path, [[], []]), FPS, SIZE)
    assert track.points.shape == (2, 75, 3)
    assert not track.seen.any()
    frames = [[], [openpose_person("body25", 1)], []]
    [track] = read_landmarks(write_openpose(tmp_path / "some", frames), FPS, SIZE)
    assert track.seen.any(axis=1).tolist() == [False, True, False]


def test_openpose_scaled_to_parts_of_the_picture(tmp_path):
    frames = [[openpose_person("body25", frame)] for frame in range(FRAMES)]
    for [person] in frames:
        points = np.reshape(person["pose_keypoints_2d"], (-1, 3)) / (WIDTH, HEIGHT, 1)
        person["pose_keypoints_2d"] = points.ravel().tolist()
    [track] = read_landmarks(write_openpose(tmp_path / "one", frames), FPS, SIZE)
    check(track, "body25")
    for [person] in frames:
        points = np.reshape(person["pose_keypoints_2d"], (-1, 3)) * (2, 2, 1) - (1, 1, 0)
        person["pose_keypoints_2d"] = points.ravel().tolist()
    with pytest.raises(InputError, match=r"relative to the centre of the picture.*--keypoint_scale 0"):
        read_landmarks(write_openpose(tmp_path / "two", frames), FPS, SIZE)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"people": [{"pose_keypoints_2d": [1.0] * 45}]}, "body of 15 joints; .*--model_pose BODY_25"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 74}]}, "x, y, confidence of each joint"),
        ({"people": [{"pose_keypoints_2d": ["a"] * 75}]}, "not a list of numbers"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 75, "hand_left_keypoints_2d": [1.0] * 9}]}, "hands of 3 and 0"),
        ({"people": [7]}, "not a list of people"),
        ({"persons": []}, "has no 'people'"),
        ([], "has no 'people'"),
    ],
)
def test_openpose_malformed(tmp_path, content, problem):
    write_openpose(tmp_path, [[openpose_person("body25", 0)]])
    (tmp_path / "v_000000000001_keypoints.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"v_000000000001_keypoints.json.*{problem}"):
        read_landmarks(tmp_path, FPS, SIZE)


def test_openpose_of_two_models(tmp_path):
    write_openpose(tmp_path, [[openpose_person("body25", 0)], [openpose_person("openpose18", 1)]])
    with pytest.raises(InputError, match="people of body25 and openpose18"):
        read_landmarks(tmp_path, FPS, SIZE)


# --- AlphaPose and COCO -----------------------------------------------------------------------------------------


def coco_item(layout: str, frame: int, **more) -> dict:
    points = pose(layout, frame).ravel().tolist()
    return {"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": points, "score": 2.9, **more}


@pytest.mark.parametrize("layout", ["coco17", "coco_wholebody133", "halpe26", "halpe136"])
@pytest.mark.parametrize("form", ["{}.jpg", "frame_{:06d}.png", None])
def test_alphapose_and_coco(tmp_path, layout, form):
    items = [coco_item(layout, frame) for frame in range(FRAMES)]
    for frame, item in enumerate(items):
        item["image_id"] = form.format(frame) if form else frame
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(items))
    assert detect_format(path) == "coco"
    [track] = read_landmarks(path, FPS, SIZE)
    assert track.video_id == "clip"
    check(track, layout)


def test_alphapose_writes_only_frames_with_people(tmp_path):
    """Frames 1, 2 and 5 of 0..5: the others are there, without anybody. Its file is named alike in all folders."""
    folder = tmp_path / "interview"
    folder.mkdir()
    path = folder / "alphapose-results.json"
    path.write_text(json.dumps([coco_item("halpe26", frame) for frame in (1, 2, 5)]))
    [track] = read_landmarks(path, FPS, SIZE)
    assert track.video_id == "interview"
    np.testing.assert_allclose(track.times, np.arange(6) / FPS)
    assert track.seen.any(axis=1).tolist() == [False, True, True, False, False, True]


def test_every_tenth_frame_stays_every_tenth(tmp_path):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([coco_item("coco17", frame) for frame in (0, 10, 20, 50)]))
    [track] = read_landmarks(path, FPS, SIZE)
    np.testing.assert_allclose(track.times, np.array([0, 10, 20, 30, 40, 50]) / FPS)
    assert track.seen.any(axis=1).tolist() == [True, True, True, False, False, True]


def test_numbers_that_are_no_frames_of_one_video(tmp_path):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([coco_item("coco17", 0, image_id=number) for number in (139, 140, 141, 581_929)]))
    with pytest.raises(InputError, match=r"v\.json: 4 rows for the frames 139 to 581929; are these frames"):
        read_landmarks(path, FPS, SIZE)


@pytest.mark.parametrize("ids", [(7, 8), ([7.0], [8.0]), (0, 0), (None, None)])
def test_alphapose_of_two_people(tmp_path, ids):
    near, far = [pose("coco17", 0) for _ in range(2)]
    far[:, :2] = 400 + far[:, :2] / 10
    items = []
    for frame in range(3):
        pair = [(near, ids[0]), (far, ids[1])]
        for points, number in pair if frame % 2 else pair[::-1]:
            more = {} if number is None else {"idx": number}
            items.append({"image_id": f"{frame}.jpg", "keypoints": points.ravel().tolist(), "score": 1.0, **more})
    path = tmp_path / "v.json"
    path.write_text(json.dumps(items))
    nose = [read_landmarks(path, FPS, SIZE, person=person)[0].points[:, 0, 0] * HEIGHT for person in ("largest", 1)]
    np.testing.assert_allclose(nose, [[near[0, 0]] * 3, [far[0, 0]] * 3], rtol=1e-5)
    with pytest.raises(InputError, match="person 2 was asked for of 2"):
        read_landmarks(path, FPS, SIZE, person=2)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"image_id": "cover.jpg"}, "image_id 'cover.jpg' does not end in the number"),
        ({"image_id": None}, "image_id 'None' does not end"),
        ({"image_id": 1.5e300, "keypoints": []}, "0 joints where"),
        ({"keypoints": [1.0] * 50}, ".*x, y, confidence"),
        ({"keypoints": [1.0] * 54}, "18 joints where the first has 17"),
        ({"keypoints": [[1.0, 2.0, 3.0]] * 17}, r"keypoints of shape \(17, 3\)"),
        ({"keypoints": None}, "keypoints of shape"),
        ({"keypoints": [10**400] * 51}, ".*not a list of numbers"),
        ({"keypoints": {"x": 1}}, ".*not a list of numbers"),
    ],
)
def test_coco_malformed(tmp_path, change, problem):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([coco_item("coco17", 0), {**coco_item("coco17", 1), **change}]))
    with pytest.raises(InputError, match=rf"v\.json, item 1 \(the first is 0\): {problem}"):
        read_landmarks(path, FPS, SIZE)


@pytest.mark.parametrize("number", [10**400, 1e300, "9" * 400 + ".jpg"])
def test_numbers_that_are_no_frames_at_all(tmp_path, number):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([coco_item("coco17", 0, image_id=number, idx=number)]))
    with pytest.raises(InputError, match=r"v\.json: frame \d{40}; are these numbers of frames"):
        read_landmarks(path, FPS, SIZE)


def test_layouts_without_a_name(tmp_path):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([{"image_id": 0, "keypoints": [1.0] * 60}]))
    with pytest.raises(InputError, match=r"item 0 .*20 joints; .*17 \(coco17\)"):
        read_landmarks(path, FPS, SIZE)


def test_a_list_without_anybody(tmp_path):
    path = tmp_path / "v.json"
    path.write_text("[]")
    with pytest.raises(InputError, match="contains no frame"):
        read_landmarks(path, FPS, SIZE, format="coco")


# --- MMPose -----------------------------------------------------------------------------------------------------


def mmpose_instance(layout: str, frame: int) -> dict:
    points = pose(layout, frame)
    return {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist(), "bbox_score": 0.9}


@pytest.mark.parametrize("layout", ["coco17", "halpe26", "coco_wholebody133"])
@pytest.mark.parametrize("demo", [False, True])
def test_mmpose(tmp_path, layout, demo):
    frames = [{"frame_id": frame + demo, "instances": [mmpose_instance(layout, frame)]} for frame in range(FRAMES)]
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"meta_info": {"dataset_name": "coco"}, "instance_info": frames} if demo else frames))
    assert detect_format(path) == "mmpose"
    [track] = read_landmarks(path, FPS, SIZE)
    check(track, layout)


def test_mmpose_without_anybody_in_some_frames(tmp_path):
    path = tmp_path / "v.json"
    frames = [{"frame_id": 0, "instances": []}, {"frame_id": 1, "instances": [mmpose_instance("halpe26", 1)]}]
    path.write_text(json.dumps(frames))
    [track] = read_landmarks(path, FPS, SIZE)
    assert track.seen.any(axis=1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("instance", "problem"),
    [
        ({"keypoints": [[1.0, 2.0, 3.0]] * 17, "keypoint_scores": [1.0] * 17}, "expected x and y of each joint in the"),
        ({"keypoints": [[1.0, 2.0]] * 17, "keypoint_scores": [1.0] * 16}, r"keypoint_scores of shape \(16,\)"),
        ({"keypoints": [[1.0, 2.0], [1.0]], "keypoint_scores": [1.0] * 2}, "not a list of numbers"),
        ({"keypoints": [[1.0, 2.0]] * 19, "keypoint_scores": [1.0] * 19}, "19 joints"),
        (3, "not a list of people"),
    ],
)
def test_mmpose_malformed(tmp_path, instance, problem):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([{"frame_id": 0, "instances": []}, {"frame_id": 1, "instances": [instance]}]))
    with pytest.raises(InputError, match=rf"item 1 .*{problem}"):
        read_landmarks(path, FPS, SIZE)


# --- MediaPipe --------------------------------------------------------------------------------------------------


def normalised(layout: str, frame: int) -> np.ndarray:
    return pose(layout, frame) / (WIDTH, HEIGHT, 1)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("layout", ["mediapipe33", "mediapipe75"])
def test_mediapipe_numbered_columns(tmp_path, layout, first):
    count = len(LAYOUTS[layout])
    header = ["class", *(f"{axis}{i}" for i in range(first, count + first) for axis in "xyzv")]
    rows = [["sitting", *np.insert(normalised(layout, f), 2, 0.1, axis=1).ravel()] for f in range(FRAMES)]
    path = write_rows(tmp_path / "clip.csv", [header, *rows])
    assert detect_format(path) == "mediapipe"
    [track] = read_landmarks(path, FPS, SIZE)
    check(track, layout)


def test_mediapipe_pose_and_face(tmp_path):
    """501 landmarks are the 33 of the pose and then the face, which is not used."""
    header = [f"{axis}{i}" for i in range(1, 502) for axis in "xyzv"]
    rows = []
    for frame in range(FRAMES):
        rows.append([*np.insert(normalised("mediapipe33", frame), 2, 0, axis=1).ravel(), *[0.5] * 468 * 4])
    [track] = read_landmarks(write_rows(tmp_path / "v.csv", [header, *rows]), FPS, SIZE)
    check(track, "mediapipe33")


@pytest.mark.parametrize("form", ["{joint}_{axis}", "{axis}_{joint}", "{joint}.{axis}"])
@pytest.mark.parametrize("visibility", ["visibility", "v", None])
def test_mediapipe_named_columns_in_pixels(tmp_path, form, visibility):
    axes = ["x", "y"] + [visibility] * bool(visibility)
    names = [joint.upper().replace(" ", "_") for joint in LAYOUTS["mediapipe75"]]
    header = ["frame", "fps", *(form.format(joint=joint, axis=axis) for joint in names for axis in axes)]
    rows = [[frame, 25, *pose("mediapipe75", frame)[:, : len(axes)].ravel()] for frame in range(FRAMES)]
    [track] = read_landmarks(write_rows(tmp_path / "v.csv", [header, *rows]), FPS, SIZE)
    check(track, "mediapipe75", confidence=0.75 if visibility else 1.0)


@pytest.mark.parametrize(("column", "unit"), [("time", 1.0), ("timestamp_ms", 1e3), ("timestamp", 1.0)])
def test_mediapipe_times(tmp_path, column, unit):
    """Times of the file need no rate, and those of a clock count from the first."""
    header = [column, *(f"{axis}{i}" for i in range(33) for axis in "xyv")]
    start = 1.7e9 if column == "timestamp" else 0.0
    rows = [[repr((start + f / FPS) * unit), *normalised("mediapipe33", f).ravel()] for f in range(FRAMES)]
    [track] = read_landmarks(write_rows(tmp_path / "v.csv", [header, *rows]), size=SIZE)
    np.testing.assert_allclose(track.times, np.arange(FRAMES) / FPS, atol=1e-5)


def long_rows(frame: int, kinds=("pose", "left_hand", "right_hand"), named: bool = False) -> list[list]:
    points = normalised("mediapipe75", frame)
    rows = []
    for kind, first, count in (("pose", 0, 33), ("left_hand", 33, 21), ("right_hand", 54, 21)):
        for i in range(count) if kind in kinds else ():
            landmark = LAYOUTS["mediapipe75"][first + i] if named else i
            rows.append([frame, kind, landmark, *points[first + i, :2], 0.0, points[first + i, 2]])
    return rows


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("kinds", [("pose",), ("pose", "left_hand", "right_hand")])
def test_mediapipe_a_row_per_landmark(tmp_path, named, kinds):
    header = ["frame", "type", "landmark_index", "x", "y", "z", "visibility"]
    rows = [row for frame in reversed(range(FRAMES)) for row in long_rows(frame, kinds, named)]
    rows.append([0, "face", 0, 0.5, 0.5, 0, 1])
    [track] = read_landmarks(write_rows(tmp_path / "v.csv", [header, *rows]), FPS, SIZE)
    check(track, "mediapipe75" if len(kinds) > 1 else "mediapipe33")


def test_mediapipe_rows_without_a_type(tmp_path):
    """Numbers 0..32 are the pose; a person's rows are told apart by `person`, and where there is no frame by time."""
    header = ["time_ms", "person", "landmark", "x", "y", "visibility"]
    rows = []
    for frame in range(FRAMES):
        for person, scale in ((1, 0.1), (0, 1.0)):
            for i, (x, y, v) in enumerate(normalised("mediapipe33", frame)):
                rows.append([1000 * frame / FPS, person, i, x * scale, y * scale, v])
    [track] = read_landmarks(write_rows(tmp_path / "v.csv", [header, *rows]), size=SIZE)
    check(track, "mediapipe33")


WIDE = ["frame", *(f"{axis}{i}" for i in range(33) for axis in "xyv")]
LONG = ["frame", "landmark", "x", "y", "visibility"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([WIDE, [0, *["0.5"] * 99], [1, *["0.5"] * 98]], r"line 3: 99 fields where the first line has 100"),
        ([WIDE, [0, "0.5", "abc", *["0.5"] * 97]], r"line 2, column y0: 'abc' is not a number"),
        ([WIDE, ["first", *["0.5"] * 99]], r"line 2: 'first' is not a number"),
        ([WIDE, [1.5, *["0.5"] * 99]], r"line 2: '1.5' is not the number of a frame"),
        ([WIDE, *[[0, *["0.5"] * 99]] * 2], r"row 1 \(the first is 0\) is of frame 0, as one before it"),
        ([WIDE], "contains no frame"),
        ([LONG], "contains no frame"),
        ([LONG, *([0, i, 0.5, 0.5, 1] for i in range(21))], "landmarks 0 to 20: of a hand"),
        ([LONG, *([0, i % 33, 0.5, 0.5, 1] for i in range(66))], "line 35: the nose occurs twice in one frame"),
        ([LONG, [0, 99, 0.5, 0.5, 1]], r"line 2: landmark 99; expected 0\.\.74"),
        ([LONG, [0, 40, "left", 0.5, 1]], "line 2, column x: 'left' is not a number"),
        ([LONG[1:], [40, 0.5, 0.5, 1]], "no column frame or time"),
        ([[*LONG, "type"], [0, 0, 0.5, 0.5, 1, "foot"]], "line 2: type 'foot'; choose one of pose, left_hand"),
        ([[f"{a}{i}" for i in range(543) for a in "xy"], [0.5] * 1086], "landmarks 0 to 542; their order is unknown"),
        ([["frame", "paw_x", "paw_y"], [0, 1, 2]], r"no known body part of a person \(paw\)"),
        ([["frame", "nose_x", "nose_v"], [0, 1, 2]], "x without y"),
        ([["frame", "nose_x", "nose_y", "x_nose"], [0, 1, 2, 3]], "two columns are the nose"),
        ([["timestamp", *WIDE[1:]], *([40 * f, *["0.5"] * 99] for f in range(3))], "40 s apart; if these are millis"),
    ],
)
def test_mediapipe_malformed(tmp_path, rows, problem):
    with pytest.raises(InputError, match=rf"v\.csv.*{problem}"):
        read_landmarks(write_rows(tmp_path / "v.csv", rows), FPS if rows[0][0] == "frame" else None, SIZE, "mediapipe")


# --- DeepLabCut -------------------------------------------------------------------------------------------------

PARTS = ["Nose", "left_wrist", "RightWrist", "shoulder1", "object"]
KNOWN = ["nose", "left wrist", "right wrist", "right shoulder"]


def deeplabcut_rows(individuals: list[str] | None = None) -> list[list]:
    names = individuals or [""]
    columns = [(name, part, axis) for name in names for part in PARTS for axis in ("x", "y", "likelihood")]
    header = [["scorer", *["DLC_resnet50"] * len(columns)]]
    header += [["individuals", *(column[0] for column in columns)]] if individuals else []
    header += [["bodyparts", *(column[1] for column in columns)], ["coords", *(column[2] for column in columns)]]
    rows = []
    for frame in range(FRAMES):
        values = []
        for number in range(len(names)):
            for joint in KNOWN:
                x, y = place(joint, frame)
                values += [x / (1 + number), y / (1 + number), 0.75]
            values += [5, 6, 0.9]
        rows.append([frame, *values])
    return [*header, *rows]


def check_named(track, frames=range(FRAMES), scale: float = 1.0, confidence: float = 0.75) -> None:
    seen = [joint for joint, there in zip(LAYOUTS["mediapipe75"], track.seen.any(axis=0), strict=True) if there]
    assert sorted(seen) == sorted(KNOWN)
    for joint in KNOWN:
        at = LAYOUTS["mediapipe75"].index(joint)
        expected = [(x * scale, y * scale, confidence * HEIGHT) for x, y in (place(joint, frame) for frame in frames)]
        np.testing.assert_allclose(track.points[:, at] * HEIGHT, expected, rtol=1e-4)


@pytest.mark.parametrize("individuals", [None, ["ann", "bob"]])
def test_deeplabcut(tmp_path, individuals):
    name = "interviewDLC_resnet50_projectJan1shuffle1_100000.csv"
    path = write_rows(tmp_path / name, deeplabcut_rows(individuals))
    assert detect_format(path) == "deeplabcut"
    [track] = read_landmarks(path, FPS, SIZE)
    assert (track.video_id, track.details["unused"]) == ("interview", "object")
    check_named(track)
    if individuals:
        check_named(read_landmarks(path, FPS, SIZE, person=1)[0], scale=0.5)


@pytest.mark.parametrize("form", ["{}.0", "labeled-data/interview/img{:04d}.png"])
def test_deeplabcut_of_labelled_frames(tmp_path, form):
    rows = deeplabcut_rows()
    for frame, row in enumerate(rows[3:]):
        row[0] = form.format(frame)
    check_named(read_landmarks(write_rows(tmp_path / "v.csv", rows), FPS, SIZE)[0])


def test_deeplabcut_without_anything_in_some_places(tmp_path):
    rows = deeplabcut_rows(["ann", "bob"])
    rows[5][1:] = [""] * 30  # frame 1
    rows[6][4:7] = ["", "", "nan"]  # ann's left wrist in frame 2
    rows[7][6] = 0.0  # and in frame 3 it is nowhere
    [track] = read_landmarks(write_rows(tmp_path / "v.csv", rows), FPS, SIZE)
    assert track.seen.sum(axis=1).tolist() == [4, 0, 3, 3]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows[4].__setitem__(2, "abc"), r"line 5, column Nose y: 'abc' is not a number"),
        (lambda rows: rows[4].pop(), r"line 5: 15 fields where the first line has 16"),
        (lambda rows: rows[4].__setitem__(0, "mean"), r"line 5: 'mean' is not the number of a frame"),
        (lambda rows: rows[4].__setitem__(0, 0), r"frame 0 occurs twice"),
        (lambda rows: rows.__delitem__(slice(3, None)), "contains no frame"),
        (lambda rows: rows.__delitem__(1), "not a table of DeepLabCut"),
        (lambda rows: rows.__delitem__(slice(1, 3)), "not a table of DeepLabCut"),
        (lambda rows: rows[1].__setitem__(slice(7, 10), ["left wrist"] * 3), "two columns are the left wrist"),
        (lambda rows: rows[1].__setitem__(slice(1, None), ["paw"] * 15), "no known body part of a person"),
    ],
)
def test_deeplabcut_malformed(tmp_path, change, problem):
    rows = deeplabcut_rows()
    change(rows)
    with pytest.raises(InputError, match=rf"v\.csv.*{problem}"):
        read_landmarks(write_rows(tmp_path / "v.csv", rows), FPS, SIZE)


def test_deeplabcut_hdf5(tmp_path):
    """What pandas writes of such a table with format="table", seen by h5py."""
    h5py = pytest.importorskip("h5py")
    rows = deeplabcut_rows(["ann", "bob"])
    columns = [("DLC", *names) for names in zip(*(row[1:] for row in rows[1:4]), strict=True)]
    values = np.array([row[1:] for row in rows[4:]], dtype=np.float64)
    table = np.zeros(FRAMES, dtype=[("index", "i8"), ("values_block_0", "f8", (values.shape[1],))])
    table["index"], table["values_block_0"] = np.arange(FRAMES), values
    path = tmp_path / "interviewDLC_resnet50.h5"
    for content, problem in (([(1, columns)], None), (Runs(), "its columns cannot be read")):
        with h5py.File(path, "w") as file:
            group = file.create_group("df_with_missing")
            group["table"] = table
            group.attrs["non_index_axes"] = np.bytes_(pickle.dumps(content, 0))
        if problem is None:
            check_named(read_landmarks(path, FPS, SIZE)[0])
        else:
            with pytest.raises(InputError, match=problem):
                read_landmarks(path, FPS, SIZE)


class Runs:
    """A pickle of it makes a folder."""

    def __reduce__(self):
        return Path.mkdir, (Path("taken"),)


# --- SLEAP ------------------------------------------------------------------------------------------------------


def sleap_rows(tracks=("ann",), score: float | str = 0.75) -> list[list]:
    header = [
        "track",
        "frame_idx",
        "instance.score",
        *(f"{part}.{axis}" for part in PARTS for axis in ("x", "y", "score")),
    ]
    rows = []
    for number, track in enumerate(tracks):
        for frame in range(FRAMES):
            values = []
            for joint in KNOWN:
                x, y = place(joint, frame)
                values += [x / (1 + number), y / (1 + number), score]
            rows.append([track, frame, 0.9, *values, "", "", ""])
    return [header, *rows]


@pytest.mark.parametrize("tracks", [("",), ("ann",), ("bob", "ann"), ("", "")])
def test_sleap(tmp_path, tracks):
    path = write_rows(tmp_path / "clip.csv", sleap_rows(tracks))
    assert detect_format(path) == "sleap"
    [track] = read_landmarks(path, FPS, SIZE)
    assert (track.video_id, track.details["unused"]) == ("clip", "object")
    check_named(track)


def test_sleap_placed_by_hand(tmp_path):
    [track] = read_landmarks(write_rows(tmp_path / "v.csv", sleap_rows(score="")), FPS, SIZE)
    check_named(track, confidence=1.0)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows[2].__setitem__(1, "two"), r"line 3, column frame_idx: 'two' is not a number"),
        (lambda rows: rows[2].__setitem__(1, -1), r"line 3, column frame_idx: '-1' is not the number of a frame"),
        (lambda rows: rows[2].__setitem__(4, "?"), r"line 3, column Nose\.y: '\?' is not a number"),
        (lambda rows: rows.__delitem__(slice(1, None)), "contains no frame"),
    ],
)
def test_sleap_malformed(tmp_path, change, problem):
    rows = sleap_rows()
    change(rows)
    with pytest.raises(InputError, match=rf"v\.csv.*{problem}"):
        read_landmarks(write_rows(tmp_path / "v.csv", rows), FPS, SIZE)


@pytest.mark.parametrize("matlab", [True, False])
@pytest.mark.parametrize("scored", [True, False])
def test_sleap_hdf5(tmp_path, matlab, scored):
    h5py = pytest.importorskip("h5py")
    tracks = np.full((FRAMES, len(PARTS), 2, 2), np.nan)
    for frame in range(FRAMES):
        for i, joint in enumerate(KNOWN):
            tracks[frame, i, :, 0] = place(joint, frame)
    scores = np.where(np.isnan(tracks[:, :, 0]), np.nan, 0.75 if scored else np.nan)
    with h5py.File(tmp_path / "clip.analysis.h5", "w") as file:
        file["tracks"] = tracks.T if matlab else tracks
        file["point_scores"] = scores.T if matlab else scores
        file["node_names"] = np.array([part.encode() for part in PARTS])
    [track] = read_landmarks(tmp_path / "clip.analysis.h5", FPS, SIZE)
    assert track.video_id == "clip"
    check_named(track, confidence=0.75 if scored else 1.0)


def test_hdf5_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "v.analysis.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n nothing behind it")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(InputError, match=r"v\.analysis\.h5: is an HDF5 file, which needs h5py; export it as CSV"):
        read_landmarks(path, FPS, SIZE)
    monkeypatch.undo()
    h5py = pytest.importorskip("h5py")
    with pytest.raises(InputError, match="not an HDF5 file that can be read"):
        read_landmarks(path, FPS, SIZE)
    with h5py.File(path, "w") as file:
        file["something"] = [1]
    with pytest.raises(InputError, match="not known to hold joints"):
        read_landmarks(path, FPS, SIZE)
    with h5py.File(path, "w") as file:
        file["tracks"], file["node_names"] = np.zeros((1, 2, 3, 4)), np.array([b"nose"])
    with pytest.raises(InputError, match="for 1 nodes"):
        read_landmarks(path, FPS, SIZE)


# --- data sets of skeletons -------------------------------------------------------------------------------------


def clip(name: str, layout: str = "coco17", **more) -> dict:
    points = np.stack([pose(layout, frame) for frame in range(FRAMES)])[None]
    item = {"frame_dir": name, "label": 7, "total_frames": FRAMES, "img_shape": (HEIGHT, WIDTH)}
    item |= {"original_shape": (HEIGHT, WIDTH), "keypoint": points[..., :2], "keypoint_score": points[..., 2]}
    return {key: value for key, value in {**item, **more}.items() if value is not None}


def write_pickle(path: Path, content) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.mark.parametrize("layout", ["coco17", "ma52_openpose28", "halpe136", "mmn44", "imigue22", "openpose18"])
def test_pyskl(tmp_path, layout):
    content = {"split": {"xsub_train": ["a"], "xsub_val": ["b"]}, "annotations": [clip("a", layout), clip("b", layout)]}
    tracks = read_landmarks(write_pickle(tmp_path / "set.pkl", content), FPS)
    assert [(track.video_id, track.details["split"]) for track in tracks] == [("a", "xsub_train"), ("b", "xsub_val")]
    for track in tracks:
        assert track.details["label"] == 7
        check(track, layout)


def test_pcan_is_a_plain_list(tmp_path):
    items = [
        clip("", "ma52_openpose28", frame_dir=None, filename=f"data/ma52/train/train{i:04d}.mp4") for i in range(3)
    ]
    tracks = open_landmarks(write_pickle(tmp_path / "MA52_train.pkl", items), FPS)
    assert [track.video_id for track in tracks] == ["train0000", "train0001", "train0002"]
    check(tracks[1], "ma52_openpose28")


def test_mmn_keeps_its_classes_beside(tmp_path):
    """Its joints have no scores that count; its classes lie in another file."""
    content = {"split": {"val": ["v1"]}, "annotations": [clip("v1", "mmn44", keypoint_score=None, label=None)]}
    path = write_pickle(tmp_path / "val_data.pkl", content)
    labels = write_pickle(tmp_path / "val_label.pkl", [{"file_name": "v1", "label": np.int64(12)}])
    [track] = read_landmarks(path, FPS)
    assert track.details["label"] == 12
    check(track, "mmn44", confidence=1.0)
    with pytest.raises(InputError, match=r"val_label\.pkl: contains classes and no joints; give MMN's _data\.pkl"):
        read_landmarks(labels, FPS)


def test_the_layout_of_the_file_can_be_kept(tmp_path):
    [track] = read_landmarks(write_pickle(tmp_path / "s.pkl", [clip("a", "mmn44")]), FPS, layout="mmn44")
    assert track.layout == "mmn44"
    np.testing.assert_allclose(track.points[2] * (HEIGHT, HEIGHT, 1), pose("mmn44", 2), rtol=1e-5)
    assert "absent" not in track.details


def test_people_and_joints_that_are_not_there(tmp_path):
    """Places without a person are all zero; of a missing joint the score is 0, or it is NaN."""
    item = clip("a", keypoint_score=np.full((1, FRAMES, 17), 0.75))
    item["keypoint"] = np.concatenate([np.zeros_like(item["keypoint"]), item["keypoint"]])
    item["keypoint_score"] = np.concatenate([np.zeros((1, FRAMES, 17)), item["keypoint_score"]])
    item["keypoint_score"][1, 0, 0], item["keypoint"][1, 1, 0] = 0, np.nan
    [track] = read_landmarks(write_pickle(tmp_path / "s.pkl", [item]), FPS)
    assert track.seen[:, 0].tolist() == [False, False, True, True]
    assert track.seen[:, 2].all()


@pytest.mark.parametrize("kind", [np.float16, np.int64, ">f4"])
def test_numbers_of_any_kind(tmp_path, kind):
    item = clip("a")
    item["keypoint"] = np.round(item["keypoint"]).astype(kind)
    [track] = read_landmarks(write_pickle(tmp_path / "s.pkl", [item]), FPS)
    np.testing.assert_allclose(track.points[0, 0, :2] * HEIGHT, np.round(place("nose", 0)), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"keypoint": None}, "keypoint is NoneType, not an array"),
        ({"keypoint": [[1.0]]}, "keypoint is list, not an array of numbers"),
        ({"keypoint": np.full((1, 2, 17, 2), "a")}, "keypoint is .*, not an array of numbers"),
        ({"keypoint": np.zeros((1, 4, 25, 3))}, "keypoint of shape .*joints of depth cameras are not read"),
        ({"keypoint": np.zeros((1, 4, 19, 2))}, "19 joints in 4 frames; known numbers of joints are 17,"),
        ({"keypoint": np.zeros((1, 0, 17, 2))}, "17 joints in 0 frames"),
        ({"keypoint_score": np.zeros((1, 3, 17))}, r"keypoint_score of shape \(1, 3, 17\) for keypoint of shape"),
        ({"img_shape": 480}, "img_shape is not"),
        ({"img_shape": (0, 640)}, "img_shape 0 x 640"),
        ({"img_shape": None, "original_shape": None}, "does not say how large the picture of b is; give --size"),
    ],
)
def test_pyskl_malformed(tmp_path, change, problem):
    """Of a data set only the clip that is wrong cannot be had."""
    items = [clip("a", "halpe26"), clip("b", **change)]
    tracks = open_landmarks(write_pickle(tmp_path / "s.pkl", items), FPS)
    check(tracks[0], "halpe26")
    with pytest.raises(InputError, match=rf"s\.pkl.*{problem}") as said:
        tracks[1]
    assert "give --size" in str(said.value) or "clip 1 (the first is 0)" in str(said.value)


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "a/../../b", "C:\\x", "a\nb", "x" * 300])
def test_ids_cannot_leave_the_folder(tmp_path, name):
    tracks = open_landmarks(write_pickle(tmp_path / "s.pkl", [clip(name)]), FPS)
    with pytest.raises(InputError, match=r"s\.pkl.*is not a name for a file in a folder"):
        tracks[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (Runs(), "asks for .*only numpy arrays, numbers, texts, lists and dicts are read"),
        ([{**clip("a"), "note": Runs()}], "asks for "),
        ({"annotations": [clip("a")], "split": Runs()}, "asks for "),
        ([], "not contain a list of clips"),
        ({"annotations": {}}, "not contain a list of clips"),
        ([3], "not contain a list of clips"),
        (5, "not contain a list of clips"),
        ({"annotations": [clip("a")], "split": [1]}, "its 'split' is not"),
        ([clip("a"), clip("a")], "clip 1 .*'a' is also the name of clip 0"),
        ([clip("a", frame_dir=None)], "clip 0 .*no frame_dir or filename"),
        ([clip("a", frame_dir=["a"])], "clip 0 .*no frame_dir or filename"),
    ],
)
def test_pickles_that_are_no_data_sets(tmp_path, monkeypatch, content, problem):
    monkeypatch.chdir(tmp_path)
    path = write_pickle(tmp_path / "s.pkl", content)
    with pytest.raises(InputError, match=rf"s\.pkl.*{problem}"):
        read_landmarks(path, FPS)
    assert not (tmp_path / "taken").exists()


def test_a_pickle_that_is_cut_off(tmp_path):
    path = write_pickle(tmp_path / "s.pkl", [clip("a")])
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"s\.pkl: not a pickle that can be read \(.*is the file complete"):
        read_landmarks(path, FPS)


# --- what the file does not say ---------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path) -> Path:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps([coco_item("coco17", frame) for frame in range(FRAMES)]))
    return path


def test_rate_and_size_must_come_from_somewhere(results):
    with pytest.raises(InputError, match=r"clip\.json: does not say how many frames per second clip has; give --fps"):
        read_landmarks(results, size=SIZE)
    with pytest.raises(InputError, match=r"does not say how large the picture of clip is; give --size"):
        read_landmarks(results, fps=FPS)


@pytest.mark.parametrize("where", ["beside", "folder", "file"])
def test_they_may_come_from_the_video(results, tmp_path, where):
    folder = tmp_path if where == "beside" else tmp_path / "videos"
    folder.mkdir(exist_ok=True)
    video = folder / "clip.mp4"
    write_video(video, 10, fps=20, size=SIZE)
    videos = {"beside": None, "folder": folder, "file": video}[where]
    [track] = read_landmarks(results, videos=videos)
    np.testing.assert_allclose(track.times, np.arange(10) / 20)  # the video goes on, nobody is seen any more
    assert track.seen.any(axis=1).tolist() == [True] * 4 + [False] * 6
    assert (track.duration, track.size.tolist()) == (pytest.approx(0.5), [WIDTH, HEIGHT])
    assert track.details["video"]["file"] == "clip.mp4"
    [given] = read_landmarks(results, fps=10, videos=videos)
    np.testing.assert_allclose(np.diff(given.times), 0.1)


def test_another_video_is_noticed(results, tmp_path):
    write_video(tmp_path / "clip.mp4", 10, fps=20, size=SIZE)
    results.write_text(json.dumps([coco_item("coco17", frame) for frame in (0, 1, 50)]))
    with pytest.raises(InputError, match=r"frame 50 of a video with 10 frames .*is it the right video"):
        read_landmarks(results)


def test_what_lies_outside_the_picture_is_not_seen(results):
    items = [coco_item("coco17", frame) for frame in range(FRAMES)]
    for item, (number, value) in zip(items, [(0, -1.0), (1, 481.0), (3, 641.0), (4, -0.5)], strict=True):
        item["keypoints"][number] = value
    results.write_text(json.dumps(items))
    [track] = read_landmarks(results, FPS, SIZE)
    nose, left_eye = track.seen[:, 0], track.seen[:, LAYOUTS["mediapipe75"].index("left eye")]
    assert nose.tolist() == [False, False, True, True]
    assert left_eye.tolist() == [True, True, False, False]


def test_a_size_that_cannot_be_right(results):
    with pytest.raises(InputError, match="most joints of clip lie outside a picture of 64 x 48"):
        read_landmarks(results, FPS, (64, 48))


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"fps": 0}, "--fps"),
        ({"fps": float("nan")}, "--fps"),
        ({"size": (0, 480)}, "--size"),
        ({"person": "tallest"}, "--person: 'tallest'; expected largest, or 0, 1"),
        ({"person": -1}, "--person"),
        ({"format": "vicon"}, "--format: 'vicon' is unknown; choose one of openpose, coco"),
        ({"layout": "coco18"}, "'coco18' is unknown"),
    ],
)
def test_what_people_tell_is_checked(results, told, problem):
    with pytest.raises(InputError, match=problem):
        read_landmarks(results, **{"fps": FPS, "size": SIZE, **told})


# --- which format it is -----------------------------------------------------------------------------------------


def test_our_own_tracks_are_taken_as_they_are(tmp_path, results):
    [track] = read_landmarks(results, FPS, SIZE)
    save_landmarks(tmp_path, track)
    [back] = read_landmarks(tmp_path / "clip.npz")
    np.testing.assert_array_equal(back.points, load_landmarks(tmp_path / "clip.npz").points)
    [moved] = read_landmarks(tmp_path / "clip.npz", layout="coco17")
    np.testing.assert_allclose(
        moved.points * (HEIGHT, HEIGHT, 1), [pose("coco17", f) for f in range(FRAMES)], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [("v.json", '{"results": {}}'), ("v.csv", "id,label\n1,2\n"), ("v.txt", "x,y"), ("v.csv", ""), ("v.json", "")],
)
def test_what_is_none_of_these_is_said(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: is not known to hold joints; give --format, one of openpose"):
        read_landmarks(tmp_path / name, FPS, SIZE)
    with pytest.raises(InputError, match="is not known to hold joints"):
        read_landmarks(tmp_path, FPS, SIZE)
    with pytest.raises(InputError, match="no such file"):
        read_landmarks(tmp_path / "nowhere.json")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1, 2", b"a,b\n1,2\n", b"{}"])
def test_every_reader_says_what_is_no_file_of_its_own(tmp_path, format, content):
    path = tmp_path / "v.x"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"v\.x"):
        read_landmarks(path, FPS, SIZE, format)
