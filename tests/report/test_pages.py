import av
import numpy as np
import pytest
from PIL import Image

from mmad.errors import InputError
from mmad.files import path_for_id
from mmad.labels import MMA52
from mmad.records import Annotation, Detections
from mmad.render.dataset import write_video
from mmad.report.content import PageOptions, VideoResult
from mmad.report.pages import write_report

NASTY = "<script>alert('$x$')</script> \"&"


def test_an_id_is_text_wherever_it_stands(tmp_path):
    name = NASTY.replace("/", "")  # a slash would be a folder
    found = Detections(name, [[0.5, 1.5]], [9], [0.5])
    page = write_report(tmp_path, [VideoResult(found, 2.0)], MMA52)
    viewer = path_for_id(tmp_path / "report", name, ".html")
    for text in (page.read_text(), viewer.read_text()):
        assert "<script>alert" not in text and "&lt;script&gt;" in text
        assert "http" not in text  # nothing is asked of a network
    assert not set('<>"') & set(viewer.name)  # no system refuses it
    assert path_for_id(tmp_path / "timelines", name, ".png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["../v", "/v", "a/../../v"])
def test_no_id_leaves_its_folder(tmp_path, name):
    with pytest.raises(InputError, match="not a name for a file in a folder"):
        write_report(tmp_path / "out", [VideoResult(Detections(name, [], [], []), 2.0)], MMA52)
    assert not list(tmp_path.glob("*.html")) and not list(tmp_path.glob("*.png"))


def test_no_detection_and_truth_make_a_page_too(tmp_path):
    nothing = VideoResult(Detections("v", [], [], []), 2.0, Annotation("v", 2.0, [[0, 1]], [9]))
    page = write_report(tmp_path, [nothing], MMA52)
    assert "1 videos, 0 detections" in page.read_text()


def test_the_folder_holds_the_video(tmp_path):
    """Linked where that is possible, so it takes no room; the folder can be moved."""
    video = tmp_path / "v.MP4"
    video.write_bytes(b"a video")
    found = Detections("day 1/v", [[0.2, 0.8]], [9], [0.5])
    for _ in range(2):  # a rerun finds it there
        write_report(tmp_path / "out", [VideoResult(found, 1.0, file=video)], MMA52)
    media = tmp_path / "out" / "report" / "media" / "day 1" / "v.mp4"
    assert media.read_bytes() == b"a video" and not media.is_symlink()
    page = (tmp_path / "out" / "report" / "day 1" / "v.html").read_text()
    assert 'src="../../report/media/day%201/v.mp4"' in page


@pytest.mark.parametrize(("as_is", "name"), [(False, "copies/v.mp4"), (True, "media/v.avi")])
def test_the_page_plays_a_copy_unless_told_otherwise(tmp_path, as_is, name):
    with av.open(str(tmp_path / "v.avi"), "w") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame(64, 48, "yuvj420p")))
        container.mux(video.encode(None))
    found = Detections("v", [[0.05, 0.1]], [9], [0.5])
    result = VideoResult(found, 0.2, file=tmp_path / "v.avi")
    write_report(tmp_path / "out", [result], MMA52, PageOptions(as_is=as_is))
    assert (tmp_path / "out" / "report" / name).exists()
    assert f'src="../report/{name}"' in (tmp_path / "out" / "report" / "v.html").read_text()


def test_key_frames_stand_over_the_timeline(tmp_path):
    """The frames of a video are in the picture: a red video makes it redder than none does."""
    frames = np.zeros((30, 48, 40, 3), dtype=np.uint8)
    frames[..., 0] = 255
    write_video(tmp_path / "v.mp4", frames, (40, 48))
    found, reds = Detections("v", [[0.2, 0.8]], [9], [0.5]), {}
    for name, file in (("with", tmp_path / "v.mp4"), ("without", None)):
        write_report(tmp_path / name, [VideoResult(found, 1.0, file=file)], MMA52)
        with Image.open(tmp_path / name / "timelines" / "v.png") as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        reds[name] = ((pixels[..., 0] > 200) & (pixels[..., 1] < 60)).mean()
    assert reds["without"] < 0.01 and reds["with"] > 0.2


def test_a_broken_video_has_a_timeline_without_frames(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"no video")
    found = Detections("v", [[0.2, 0.8]], [9], [0.5])
    write_report(tmp_path, [VideoResult(found, 1.0, file=tmp_path / "v.mp4")], MMA52)
    assert (tmp_path / "timelines" / "v.png").stat().st_size > 1000
