from mmad.labels import MMA52
from mmad.records import Annotation, Detections
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
