"""The pages in a real browser (conftest.py): skipped where there is none."""

import io
import json
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import index_of, picture, write_video
from PIL import Image

from mmad.labels import MMA52, LabelSet
from mmad.records import Annotation, Detections
from mmad.report.content import VideoResult
from mmad.report.pages import write_report

AXIS, LANE = 24, 22  # of viewer.js, pixels
NOD, WAVE, TURN = MMA52.index["nodding"], MMA52.index["waving"], MMA52.index["turning head"]


ROWS = [  # start s, end s, class, score; four seconds of video
    (0.5, 1.5, NOD, 0.9),
    (1.2, 3.2, WAVE, 0.8),
    (2.0, 2.6, TURN, 0.6),
    (3.0, 3.8, NOD, 0.3),
]
TRUTH = Annotation("day1/cam", 4.0, [[0.5, 1.5], [2.0, 3.0], [3.5, 3.9]], [NOD, TURN, WAVE])


def detections(rows=ROWS, name: str = "day1/cam") -> Detections:
    return Detections(name, [row[:2] for row in rows], [row[2] for row in rows], [row[3] for row in rows])


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    video = write_video(folder / "cam.mp4", 100, size=(96, 64))
    write_report(folder / "out", [VideoResult(detections(), 4.0, TRUTH, video)], MMA52)
    return folder / "out"


@pytest.fixture
def viewer(open_page, report):
    page = open_page(report / "report" / "day1" / "cam.html", viewport={"width": 1200, "height": 900})
    page.wait_for_function("document.getElementById('player').readyState >= 2")
    return page


def playhead(page) -> float:
    return float(page.get_attribute("#playhead", "data-seconds"))


def player_at(page) -> float:
    return page.evaluate("document.getElementById('player').currentTime")


def point_on(page, lane: int, seconds: float, duration: float = 4.0) -> dict:
    """Where on the lanes a moment of a lane is."""
    width = page.evaluate("document.getElementById('lanes').clientWidth")
    gutter = min(190, 0.34 * width)
    return {"x": gutter + seconds / duration * (width - gutter), "y": AXIS + LANE * (lane + 0.3)}


def rows_of(page) -> list[list[str]]:
    return page.eval_on_selector_all("#rows tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))")


def shown_index(page) -> int:
    """What the picture that the player shows says; see `made_videos`. A canvas may not look into a file's pictures."""
    page.evaluate("document.getElementById('player').controls = false")
    with Image.open(io.BytesIO(page.locator("#player").screenshot())) as screenshot:
        return index_of(np.asarray(screenshot.convert("RGB")))


def test_the_playhead_follows_the_video(viewer):
    assert playhead(viewer) == 0
    viewer.keyboard.press("Space")
    viewer.wait_for_function("document.getElementById('player').currentTime > 0.5")
    viewer.keyboard.press("Space")
    assert viewer.evaluate("document.getElementById('player').paused")
    viewer.wait_for_timeout(100)
    assert playhead(viewer) == pytest.approx(player_at(viewer), abs=0.05)
    assert playhead(viewer) > 0.4


def test_a_click_on_a_bar_jumps_there_and_loops(viewer):
    viewer.click("#lanes", position=point_on(viewer, 0, 2.3))  # turning head is the head's first
    assert "turning head, 2.00 to 2.60 seconds" in viewer.text_content("#chosen")
    low, high = 2.0 - 0.2, 2.6 + 0.2  # a moment before and after a short action
    for _ in range(12):
        viewer.wait_for_timeout(120)
        assert low - 0.1 <= player_at(viewer) <= high + 0.15
    viewer.keyboard.press("Escape")
    viewer.wait_for_function("document.getElementById('player').currentTime > 3")  # no loop any more


def test_an_action_that_ends_with_the_video_loops_too(open_page, tmp_path):
    write_video(tmp_path / "v.mp4", 50, size=(96, 64))
    found = detections([(1.2, 2.0, NOD, 0.5)], "v")
    write_report(tmp_path, [VideoResult(found, 2.0, file=tmp_path / "v.mp4")], MMA52)
    page = open_page(tmp_path / "report" / "v.html")
    page.wait_for_function("document.getElementById('player').readyState >= 2")
    page.keyboard.press("n")
    page.evaluate("window.went = 0; document.getElementById('player').addEventListener('ended', () => window.went++)")
    page.wait_for_function("window.went >= 2")


def test_the_player_is_on_the_clock_of_the_detections(open_page, tmp_path):
    """The picture begins half a second after the sound, where players begin to count."""
    write_video(tmp_path / "v.mp4", 50, size=(96, 64), times=[0.5 + i / 25 for i in range(50)], audio=True)
    found = detections([(1.0, 1.5, NOD, 0.5)], "v")
    write_report(tmp_path, [VideoResult(found, 2.0, file=tmp_path / "v.mp4")], MMA52)
    page = open_page(tmp_path / "report" / "v.html")
    page.wait_for_function("document.getElementById('player').readyState >= 2")
    page.keyboard.press("l")
    page.evaluate("document.getElementById('player').play = () => Promise.resolve()")
    page.keyboard.press("n")
    assert player_at(page) == pytest.approx(1.5, abs=0.02) and playhead(page) == pytest.approx(1.0, abs=0.02)


def test_a_hidden_detection_is_let_go_and_beyond_the_last_there_is_none(viewer):
    viewer.evaluate("document.getElementById('player').currentTime = 3.9")
    viewer.wait_for_function("!document.getElementById('player').seeking")
    viewer.keyboard.press("n")
    assert viewer.text_content("#chosen") == ""
    viewer.keyboard.press("p")
    assert viewer.text_content("#chosen").startswith("nodding, 3.00")
    viewer.fill("#min-score", "0.5")
    assert viewer.text_content("#chosen") == ""


def test_a_click_beside_the_bars_seeks(viewer):
    viewer.click("#lanes", position=point_on(viewer, 0, 3.5))
    assert player_at(viewer) == pytest.approx(3.5, abs=0.05)
    assert viewer.text_content("#chosen") == ""


def test_keys(viewer):
    viewer.keyboard.press("ArrowRight")
    assert player_at(viewer) == pytest.approx(1, abs=0.05)
    viewer.keyboard.press(".")
    assert player_at(viewer) == pytest.approx(1.04, abs=0.01)
    viewer.keyboard.press("ArrowLeft")
    assert player_at(viewer) == pytest.approx(0.04, abs=0.01)
    said = []
    for key in "nnnp":
        viewer.keyboard.press(key)
        said.append(viewer.text_content("#chosen").split(",")[0])
    assert said == ["nodding", "waving", "turning head", "waving"]
    viewer.keyboard.press("l")
    assert viewer.get_attribute("#loop", "aria-pressed") == "false"
    viewer.keyboard.press("?")
    assert viewer.is_visible("#help")
    viewer.keyboard.press("Escape")
    assert not viewer.is_visible("#help")


def test_filters_hide(viewer):
    assert "4 of 4" in viewer.text_content("#count")
    viewer.click("button[data-part]:has-text('head') >> nth=0")
    assert {row[3] for row in rows_of(viewer)} == {"waving"}
    assert "1 of 4" in viewer.text_content("#count")
    viewer.click("button[data-part]:has-text('head') >> nth=0")
    viewer.fill("#search", "NOD")
    assert [row[3] for row in rows_of(viewer)] == ["nodding", "nodding"]
    viewer.fill("#search", "")
    viewer.fill("#min-score", "0.5")
    assert [row[5] for row in rows_of(viewer)] == ["0.900", "0.800", "0.600"]


def test_truth_is_marked_at_the_chosen_tiou(viewer):
    """turning head 2.0-2.6 is true 2.0-3.0: IoU 0.6; the second nodding and waving are false, waving 3.5-3.9 missed."""
    assert "2 of 3 actions found, 2 false alarms at tIoU 0.5" in viewer.text_content("#evaluation")
    assert {(row[3], row[0]): row[6] for row in rows_of(viewer)} == {
        ("nodding", "0:00.50"): "true",
        ("waving", "0:01.20"): "false",
        ("turning head", "0:02.00"): "true",
        ("nodding", "0:03.00"): "false",
    }
    viewer.select_option("#tiou", "0.7")
    assert "1 of 3 actions found, 3 false alarms at tIoU 0.7" in viewer.text_content("#evaluation")


def test_the_table_sorts(viewer):
    viewer.click("th[data-order=score] button")
    assert [row[5] for row in rows_of(viewer)] == ["0.900", "0.800", "0.600", "0.300"]
    assert viewer.get_attribute("th[data-order=score]", "aria-sort") == "descending"
    viewer.click("th[data-order=score] button")
    assert viewer.get_attribute("th[data-order=score]", "aria-sort") == "ascending"
    viewer.click("th[data-order=action] button")
    assert [row[3] for row in rows_of(viewer)] == ["nodding", "nodding", "turning head", "waving"]
    viewer.press("#rows tr >> nth=3", "Enter")
    assert "waving" in viewer.text_content("#chosen")
    assert viewer.get_attribute("#rows tr >> nth=3", "aria-selected") == "true"


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_what_is_shown_can_be_taken_away(viewer, kind):
    viewer.fill("#min-score", "0.7")
    with viewer.expect_download() as download:
        viewer.click(f"#{kind}")
    assert download.value.suggested_filename == f"cam.{kind}"
    text = Path(download.value.path()).read_text()
    if kind == "csv":
        head, *rows = text.splitlines()
        assert head == "video_id,t_start,t_end,class,score,body_part,status"
        assert rows == ["day1/cam,0.5,1.5,nodding,0.9,head,true", "day1/cam,1.2,3.2,waving,0.8,upper limb,false"]
    else:
        assert json.loads(text)["results"] == {
            "day1/cam": [
                {"segment": [0.5, 1.5], "label": "nodding", "score": 0.9},
                {"segment": [1.2, 3.2], "label": "waving", "score": 0.8},
            ]
        }


def test_zooming_keeps_the_moment_and_dragging_moves(viewer):
    place = point_on(viewer, 0, 2.0)
    box = viewer.locator("#lanes").bounding_box()
    viewer.mouse.move(box["x"] + place["x"], box["y"] + 10)
    viewer.keyboard.down("Control")
    viewer.mouse.wheel(0, -200)
    viewer.keyboard.up("Control")
    viewer.mouse.click(box["x"] + place["x"], box["y"] + 10)  # the moment under the cursor stays there
    assert player_at(viewer) == pytest.approx(2.0, abs=0.05)
    viewer.mouse.move(box["x"] + place["x"], box["y"] + 10)
    viewer.mouse.down()
    viewer.mouse.move(box["x"] + place["x"] - 100, box["y"] + 10, steps=4)
    viewer.mouse.up()
    viewer.mouse.click(box["x"] + place["x"] - 100, box["y"] + 10)
    assert player_at(viewer) == pytest.approx(2.0, abs=0.06)  # it went along


def test_five_thousand_bars_scroll(open_page, tmp_path):
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 3590, 5000)
    segments = np.stack([start, start + rng.exponential(3, 5000) + 0.1], axis=1).clip(0, 3600)
    found = Detections("hour", segments, rng.integers(0, 52, 5000), rng.random(5000))
    write_report(tmp_path, [VideoResult(found, 3600.0)], MMA52)
    page = open_page(tmp_path / "report" / "hour.html")
    page.fill("#min-score", "0")
    assert "5000 of 5000" in page.text_content("#count")
    page.click("text=zoom in")
    seconds = page.evaluate("""async () => {
        const lanes = document.getElementById("lanes"), times = [];
        for (let i = 0; i < 20; i++) {
            const began = performance.now();
            lanes.dispatchEvent(new WheelEvent("wheel", { deltaX: 40, cancelable: true }));
            times.push(performance.now() - began);
            await new Promise(requestAnimationFrame);
        }
        return times.sort((a, b) => a - b)[10] / 1000;
    }""")
    assert seconds < 0.1  # ten a second on a busy machine; some 10 ms on an idle one


NASTY = "<script>alert('x')<!-- \" & </script>"


def test_nothing_in_a_name_does_harm(open_page, tmp_path):
    name = NASTY.replace("/", "")  # a slash would be a folder
    labels = LabelSet("nasty", (NASTY, "</script><img src=x onerror=alert(1)>"), ("<b>part</b>",), (0, 0))
    found = Detections(name, [[0.5, 1.5], [1, 2]], [0, 1], [0.5, 0.4])
    truth = Annotation(name, 2.0, [[0.5, 1.5]], [1])
    index = open_page(write_report(tmp_path, [VideoResult(found, 2.0, truth)], labels))
    assert index.text_content("tbody a") == name
    index.click("tbody a")
    index.wait_for_selector("#rows tr")
    assert index.text_content("h1") == name
    assert {row[3] for row in rows_of(index)} == set(labels.actions)
    assert "<b>part</b>" in index.text_content("button[data-part]")
    index.click("#rows tr")
    assert index.text_content("#chosen").startswith(NASTY)


def test_the_list_is_worst_first_and_sorts(open_page, tmp_path):
    good = Detections("good", [[0, 1]], [NOD], [0.9])
    bad = Detections("bad", [[0, 1], [1, 2]], [WAVE, WAVE], [0.8, 0.2])
    unknown = Detections("another", [], [], [])
    known = [VideoResult(item, 3.0, Annotation(item.video_id, 3.0, [[0, 1]], [NOD])) for item in (good, bad)]
    page = open_page(write_report(tmp_path, [VideoResult(unknown, 12.5), *known], MMA52))

    def names() -> list[str]:
        return page.eval_on_selector_all("table.sortable tbody a", "links => links.map(a => a.textContent)")

    assert names() == ["bad", "good", "another"]
    page.click("th:has-text('length') button")
    assert names()[-1] == "another"
    page.click("th:has-text('length') button")
    assert names()[0] == "another"
    assert "Why mAP is lost" in page.text_content("body")
    page.click("text=another")
    page.wait_for_selector("#count:has-text('0 of 0')")


def test_a_video_that_cannot_be_played_says_so(open_page, tmp_path):
    (tmp_path / "v.avi").write_bytes(b"no video")
    found = Detections("v", [[0.5, 1.5]], [NOD], [0.5])
    write_report(tmp_path / "out", [VideoResult(found, 2.0, file=tmp_path / "v.avi")], MMA52)
    page = open_page(tmp_path / "out" / "report" / "v.html")
    page.wait_for_selector("#unplayable:not([hidden])")
    page.click("#rows tr")
    assert playhead(page) == pytest.approx(0.5)  # the timeline works without it


def test_a_video_of_a_kind_that_browsers_do_not_play_is_converted(open_page, tmp_path):
    """Motion JPEG in an AVI file: the page plays a copy, and jumps to frames that the browser itself then shows."""
    with av.open(str(tmp_path / "v.avi"), "w") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuvj420p"
        for index in range(75):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index, (96, 64)), format="rgb24")))
        container.mux(video.encode(None))
    found = Detections("v", [[1.0, 2.0]], [NOD], [0.5])
    write_report(tmp_path / "out", [VideoResult(found, 3.0, file=tmp_path / "v.avi")], MMA52)
    page = open_page(tmp_path / "out" / "report" / "v.html")
    page.wait_for_function("document.getElementById('player').readyState >= 2")
    assert page.is_hidden("#unplayable")
    for frame in (60, 7, 31):
        page.evaluate("at => { document.getElementById('player').currentTime = at; }", (frame + 0.5) / 25)
        page.wait_for_function("!document.getElementById('player').seeking")
        assert shown_index(page) == frame
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('player').currentTime > 1.8")
    page.keyboard.press("Space")
    assert playhead(page) == pytest.approx(player_at(page), abs=0.1) and shown_index(page) >= 45


@pytest.mark.parametrize("width", [400, 900, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_any_width(open_page, report, width, scheme):
    page = open_page(
        report / "report" / "day1" / "cam.html", viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
