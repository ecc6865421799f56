import numpy as np
from PIL import Image

from mmad.labels import MMA52
from mmad.records import Annotation, Detections
from mmad.render.dataset import write_video
from mmad.report.page import write_report

NASTY = "<script>alert('$x$')</script> \"&"


def test_an_id_is_text_wherever_it_stands(tmp_path):
    name = NASTY.replace("/", "")  # a slash would be a folder
    found = Detections(name, [[0.5, 1.5]], [9], [0.5])
    page = write_report(tmp_path, [found], {name: 2.0}, MMA52)
    text = page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text  # nothing is asked of a network
    assert (tmp_path / "timelines" / f"{name}.png").stat().st_size > 1000


def test_no_detection_and_truth_make_a_page_too(tmp_path):
    nothing = Detections("v", [], [], [])
    page = write_report(tmp_path, [nothing], {"v": 2.0}, MMA52, {"v": Annotation("v", 2.0, [[0, 1]], [9])})
    assert "0 detections" in page.read_text()


def test_key_frames_stand_over_the_timeline(tmp_path):
    """The frames of a video are in the picture: a red video makes it redder than none does."""
    frames = np.zeros((30, 48, 40, 3), dtype=np.uint8)
    frames[..., 0] = 255
    write_video(tmp_path / "v.mp4", frames, (40, 48))
    found, reds = Detections("v", [[0.2, 0.8]], [9], [0.5]), {}
    for name, videos in (("with", {"v": tmp_path / "v.mp4"}), ("without", None)):
        write_report(tmp_path / name, [found], {"v": 1.0}, MMA52, videos=videos)
        with Image.open(tmp_path / name / "timelines" / "v.png") as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        reds[name] = ((pixels[..., 0] > 200) & (pixels[..., 1] < 60)).mean()
    assert reds["without"] < 0.01 and reds["with"] > 0.2


def test_a_broken_video_has_a_timeline_without_frames(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"no video")
    found = Detections("v", [[0.2, 0.8]], [9], [0.5])
    write_report(tmp_path, [found], {"v": 1.0}, MMA52, videos={"v": tmp_path / "v.mp4"})
    assert (tmp_path / "timelines" / "v.png").stat().st_size > 1000
