"""Joints, what was not seen and reliability on the pages, and that player and timeline share one screen, in a real
browser (conftest.py): skipped where there is none."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from made_joints import ABSENT, LEFT, RIGHT, made_track
from made_videos import write_video
from PIL import Image

from mmad.labels import MMA52
from mmad.records import Annotation, Detections
from mmad.report.content import PageOptions, VideoResult
from mmad.report.pages import write_report

NOD, WAVE, TURN = MMA52.index["nodding"], MMA52.index["waving"], MMA52.index["turning head"]
LAPTOP = {"viewport": {"width": 1280, "height": 800}}
SECONDS = 4.0
NASTY = "<img src=x onerror=alert(1)> \"'&</script>"


def detections(name: str = "v", labels=(NOD, WAVE, NOD)) -> Detections:
    start = np.linspace(0.2, 2.5, len(labels))
    return Detections(name, np.stack([start, start + 1], axis=1), labels, np.linspace(0.9, 0.5, len(labels)))


def written(folder: Path, track, found=None, video: Path | None = None, **options) -> Path:
    """The page of one video with the joints of one person, or of several."""
    found = found or detections()
    tracks = track if isinstance(track, list) else [track]
    write_report(folder, [VideoResult(found, SECONDS, file=video, tracks=tracks)], MMA52, PageOptions(**options))
    return folder / "report" / f"{found.video_id}.html"


def shown(page) -> None:
    """Wait until the joints are there, and the video where there is one."""
    page.wait_for_function("window.mmadJoints && document.getElementById('joints').width > 0")
    page.wait_for_function("!document.querySelector('video:not([hidden])')?.readyState < 2")


def drawn(page, canvas: str = "joints") -> np.ndarray:
    """(H, W, 4) uint8: what is on a canvas."""
    url = page.evaluate("id => document.getElementById(id).toDataURL()", canvas)
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGBA"))


def line_at(page) -> float:
    """How far down, as a share of the height, the line of the shoulders is: white, across most of the width."""
    canvas = drawn(page)
    white = (canvas[..., :3] > 230).all(axis=-1) & (canvas[..., 3] > 200)
    lines = np.flatnonzero(white[:, : canvas.shape[1] // 3].sum(axis=1) > canvas.shape[1] / 6)
    return float(lines.mean() / canvas.shape[0])


def seek(page, seconds: float) -> None:
    """And wait until the player has brought that picture to the screen."""
    page.evaluate("at => { document.getElementById('player').currentTime = at; }", seconds)
    page.wait_for_function("!document.getElementById('player').seeking")
    page.wait_for_timeout(200)


FALLING = np.linspace(0.1, 0.9, 60)  # of the shoulders, at 15 rows a second


def test_the_joints_are_those_of_the_frame_that_is_shown(open_page, tmp_path):
    video = write_video(tmp_path / "v.mp4", 100, size=(96, 64))
    page = open_page(written(tmp_path / "out", made_track(shoulders=FALLING), video=video), **LAPTOP)
    shown(page)
    for frame in (80, 11, 50):
        seek(page, (frame + 0.5) / 25)
        assert line_at(page) == pytest.approx(np.interp(frame / 25, np.arange(60) / 15, FALLING), abs=0.015)
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('player').currentTime > 2.9")
    page.keyboard.press("Space")
    page.wait_for_timeout(200)
    at = page.evaluate("document.getElementById('player').currentTime")
    assert line_at(page) == pytest.approx(np.interp(at, np.arange(60) / 15, FALLING), abs=0.03)


def test_the_joints_keep_to_a_video_that_begins_late(open_page, tmp_path):
    """The picture begins half a second after the sound, where players begin to count."""
    times = [0.5 + i / 25 for i in range(100)]
    video = write_video(tmp_path / "v.mp4", 100, size=(96, 64), times=times, audio=True)
    page = open_page(written(tmp_path / "out", made_track(shoulders=FALLING), video=video), **LAPTOP)
    shown(page)
    seek(page, 2.51)
    assert line_at(page) == pytest.approx(np.interp(2.0, np.arange(60) / 15, FALLING), abs=0.015)


def test_a_key_and_a_button_switch_the_joints(open_page, tmp_path):
    page = open_page(written(tmp_path, made_track()), **LAPTOP)
    shown(page)
    assert drawn(page).any()
    page.keyboard.press("j")
    assert not drawn(page).any() and page.get_attribute("#joints-shown", "aria-pressed") == "false"
    page.click("#joints-shown")
    assert drawn(page).any() and page.get_attribute("#joints-shown", "aria-pressed") == "true"


def test_left_and_right_have_their_colours_and_doubt_is_faint(open_page, tmp_path):
    track = made_track()
    track.points[:, 13, :2], track.points[:, 14, :2] = (0.15, 0.9), (1.35, 0.9)  # the elbows, below the shoulders
    page = open_page(written(tmp_path, track), **LAPTOP)
    shown(page)
    height, width = drawn(page).shape[:2]

    def strongest(left: bool) -> np.ndarray:
        outer = slice(0, width // 8) if left else slice(-width // 8, None)
        part = drawn(page)[int(0.6 * height) : int(0.8 * height), outer].reshape(-1, 4)
        return part[part[:, :3].astype(int).sum(axis=1).argmax()].astype(int)

    one, other = strongest(True), strongest(False)
    assert one[0] > 200 > one[2] and other[2] > 200 > other[0]
    track.points[:, 13, 2] = 0.1
    page = open_page(written(tmp_path, track), **LAPTOP)
    shown(page)
    assert strongest(True)[3] < 200 < strongest(False)[3]


def test_several_people_bear_their_numbers(open_page, tmp_path):
    """Two lines, and over each a number, which one person alone does not bear."""
    high, low = made_track(shoulders=0.3), made_track(shoulders=0.7, person=1)
    for track in (high, low):
        track.points[:, :11] = ABSENT
        track.points[:, 13:] = ABSENT
    page = open_page(written(tmp_path / "one", high), **LAPTOP)
    shown(page)
    alone = drawn(page)[..., 3] > 0
    page = open_page(written(tmp_path / "two", [high, low]), **LAPTOP)
    shown(page)
    both = drawn(page)[..., 3] > 0
    height, width = both.shape
    above = np.s_[: int(0.27 * height), : width // 2]
    assert not alone[above].any() and both[above].any()
    assert both[int(0.7 * height), width // 2]


def test_joints_move_by_themselves_without_a_video(open_page, tmp_path):
    page = open_page(written(tmp_path, made_track(shoulders=FALLING, size=(64, 64))), **LAPTOP)
    shown(page)
    assert page.is_hidden("#unplayable") and line_at(page) == pytest.approx(0.1, abs=0.01)
    page.click("#still button")
    page.wait_for_function("document.getElementById('playhead').dataset.seconds > 1")
    assert page.text_content("#still button") == "pause"
    page.keyboard.press("Escape")
    page.click("#still button")
    at = float(page.get_attribute("#playhead", "data-seconds"))
    assert line_at(page) == pytest.approx(np.interp(at, np.arange(60) / 15, FALLING), abs=0.03)
    page.wait_for_timeout(200)
    assert float(page.get_attribute("#playhead", "data-seconds")) == pytest.approx(at, abs=0.05)
    page.click("#rows tr >> nth=0")  # a row plays its action again and again
    for _ in range(8):
        page.wait_for_timeout(200)
        assert 0.05 <= float(page.get_attribute("#playhead", "data-seconds")) <= 1.4


def test_the_clock_ends_and_begins_anew(open_page, tmp_path):
    page = open_page(written(tmp_path, made_track()), **LAPTOP)
    shown(page)
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('playhead').dataset.seconds >= 4")
    assert page.text_content("#still button") == "play" and page.text_content("#time") == "0:04.0 / 0:04.0"
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('playhead').dataset.seconds < 1")


def test_joints_move_where_the_video_cannot_be_played(open_page, tmp_path):
    (tmp_path / "v.avi").write_bytes(b"no video")
    page = open_page(written(tmp_path / "out", made_track(), video=tmp_path / "v.avi"), **LAPTOP)
    page.wait_for_selector("#unplayable:not([hidden])")
    shown(page)
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('playhead').dataset.seconds > 0.3")
    assert drawn(page).any()


@pytest.mark.parametrize("rows", [True, False], ids=["rows of nobody", "no rows"])
def test_a_gap_shows_nobody(open_page, tmp_path, rows):
    track = made_track()
    track.points[20:40] = ABSENT
    if not rows:
        seen = track.seen.any(axis=1)
        track.points, track.times = track.points[seen], track.times[seen]
    page = open_page(written(tmp_path, track), **LAPTOP)
    shown(page)
    there = []
    for _ in range(4):
        there.append(drawn(page).any())
        page.keyboard.press("ArrowRight")  # a second on
    assert there == [True, True, False, True]  # away from 1.3 to 2.6 s


def test_what_was_not_seen_is_a_strip_and_a_sentence(open_page, tmp_path):
    track = made_track()
    track.points[:45, RIGHT] = ABSENT  # three of four seconds
    track.points[30:, LEFT] = ABSENT
    page = open_page(written(tmp_path, track), **LAPTOP)
    assert page.text_content("#unseen-summary") == (
        "The left hand is not seen for 51 % of the time: what it does then cannot be told. "
        "The right hand is not seen for 74 % of the time: what it does then cannot be told."
    )
    assert "not seen" in page.text_content(".legend")
    canvas = drawn(page, "unseen")
    dark = [
        [canvas[2 + 13 * row + 4, round(190 + share * (canvas.shape[1] - 190)), 3] > 0 for share in (0.2, 0.6, 0.9)]
        for row in range(3)
    ]
    assert dark == [[False, False, False], [False, True, True], [True, True, False]]


RELIABILITY = {
    "nodding": ("good", "found in nine of ten events of real people"),
    "waving": ("fair", NASTY),
    "turning head": ("cannot tell", "its joints look like those of " + NASTY),
    "tiptoe": ("cannot tell", "feet are rarely in the picture"),
}


def test_reliability_is_a_mark_with_its_reason(open_page, tmp_path):
    found = detections(labels=(NOD, TURN, WAVE))
    page = open_page(written(tmp_path, made_track(), found, reliability=RELIABILITY, note=f"Note {NASTY}"), **LAPTOP)
    assert page.text_content(".note") == f"Note {NASTY}"
    marks = page.eval_on_selector_all("#rows .grade", "marks => marks.map(mark => [mark.className, mark.title])")
    assert marks == [
        ["grade good", "good: found in nine of ten events of real people"],
        ["grade fair", f"fair: {NASTY}"],
    ]
    page.hover("#lanes", position={"x": 60, "y": 24 + 11})
    assert page.get_attribute("#lanes", "title") == "nodding: good. found in nine of ten events of real people"
    section = page.text_content("dl.cannot-tell")
    assert f"turning headits joints look like those of {NASTY}" in section and "tiptoe" in section


def test_what_cannot_be_told_is_hidden_until_asked_for(open_page, tmp_path):
    found = detections(labels=(NOD, TURN, WAVE))
    page = open_page(written(tmp_path, made_track(), found, reliability=RELIABILITY), **LAPTOP)
    assert "2 of 3" in page.text_content("#count")
    page.check("#show-unreliable")
    assert "3 of 3" in page.text_content("#count")
    assert page.locator("#rows .grade.cannot-tell").count() == 1
    page.goto((tmp_path / "report.html").resolve().as_uri())
    assert "What cannot be told" in page.text_content("body")


def test_a_page_without_joints_and_grades_has_neither(open_page, tmp_path):
    write_report(tmp_path, [VideoResult(detections(), SECONDS)], MMA52)
    page = open_page(tmp_path / "report" / "v.html")
    assert page.locator("#joints, #joints-shown, #unseen, #show-unreliable, .grade, .note, .cannot-tell").count() == 0
    page.keyboard.press("j")
    page.keyboard.press("Space")
    assert page.is_visible("#unplayable")


SIZES = [(1080, 1920), (1080, 1296), (1000, 1000), (1920, 1080)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> dict[tuple[int, int], Path]:
    folder = tmp_path_factory.mktemp("videos")
    return {size: write_video(folder / f"{size[0]}x{size[1]}.mp4", 5, size=size) for size in SIZES}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("lanes", "joints"), [(1, True), (40, True), (40, False)])
def test_player_and_timeline_share_one_screen(open_page, tmp_path, videos, size, lanes, joints):
    """With all that there may be: truth, joints, sentences, grades, a long note."""
    found = detections(labels=np.arange(lanes))
    reliability = dict.fromkeys(MMA52.actions, ("fair", "so so"))
    options = PageOptions(reliability, note="Long. " * 30) if joints else PageOptions()
    track = made_track(size=size)
    track.points[10:, LEFT + RIGHT] = ABSENT
    truth = Annotation("v", SECONDS, [[1, 2]], [NOD])
    result = VideoResult(found, SECONDS, truth, videos[size], [track] if joints else [])
    write_report(tmp_path, [result], MMA52, options)
    page = open_page(tmp_path / "report" / "v.html", **LAPTOP)
    page.wait_for_function("document.getElementById('player').readyState >= 1")
    if joints:
        shown(page)
    page.fill("#min-score", "0")  # all that was found
    assert page.locator("#rows tr").count() == lanes
    player, timeline = (page.locator(name).bounding_box() for name in ("#player", ".timeline"))
    for box in (player, timeline, page.locator("#overview").bounding_box()):
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280 and box["y"] >= 0 and box["y"] + box["height"] <= 800
    apart = player["x"] + player["width"] <= timeline["x"] or player["y"] + player["height"] <= timeline["y"]
    assert apart and player["height"] >= 240 and timeline["height"] >= 100
    assert player["width"] / player["height"] == pytest.approx(size[0] / size[1], rel=0.02)
    lanes_shown = page.evaluate("document.querySelector('.lanes').clientHeight")
    assert lanes_shown >= (24 + 22 * 5 if lanes > 5 else 46)
    assert page.evaluate("scrollY") == 0


def test_many_lanes_scroll_in_their_box(open_page, tmp_path):
    """The axis stays, and a chosen detection comes into sight, where a click finds it."""
    page = open_page(written(tmp_path, made_track(), detections(labels=np.arange(40))), **LAPTOP)
    page.fill("#min-score", "0")
    assert page.evaluate("document.querySelector('.lanes').scrollTop") == 0
    page.focus("#rows tr >> nth=39")
    page.keyboard.press("Enter")
    top, room = page.evaluate(
        "(({scrollTop, clientHeight}) => [scrollTop, clientHeight])(document.querySelector('.lanes'))"
    )
    assert top + 24 <= 24 + 22 * 39 and top + room + 1 >= 24 + 22 * 40
    page.keyboard.press("Escape")
    page.evaluate("scrollTo(0, 0)")
    width = page.evaluate("document.getElementById('lanes').clientWidth")
    page.click("#lanes", position={"x": 190 + 3.0 / SECONDS * (width - 190), "y": 24 + 22 * 39 + 8})
    assert page.text_content("#chosen").startswith(MMA52.actions[39])


def test_an_hour_of_joints_comes_at_once(open_page, tmp_path):
    track = made_track(3600.0, shoulders=np.linspace(0.1, 0.9, 54000))
    write_report(tmp_path, [VideoResult(detections(), 3600.0, tracks=[track])], MMA52)
    page = open_page(tmp_path / "report" / "v.html", **LAPTOP)
    shown(page)
    seconds = page.evaluate("""() => {
        const view = new Joints(document.getElementById("joints"), structuredClone(window.mmadJoints)), times = [];
        for (let i = 0; i < 40; i++) {
            const began = performance.now();
            view.draw(i * 90, 1.5);
            times.push(performance.now() - began);
        }
        return times.sort((a, b) => a - b)[20] / 1000;
    }""")
    assert seconds < 0.03  # a tenth of a millisecond on an idle machine
    assert line_at(page) == pytest.approx(0.1 + 0.8 * 39 * 90 / 3600, abs=0.02)
