"""The list of the videos of a run, where there are hundreds."""

from pathlib import Path

import pytest

from mmad.labels import MMA52
from mmad.records import Detections
from mmad.report.content import PageOptions, VideoResult
from mmad.report.index import SEARCHABLE, SHOWN, index_page
from mmad.report.pages import ASSETS


def write_list(folder: Path, count: int) -> Path:
    """The page of videos day0/p0, day0/p1 ... of 1 s, 2 s ...; ten a day."""
    (folder / "report").mkdir()
    for name in ("page.css", "index.js"):
        (folder / "report" / name).write_text((ASSETS / name).read_text(encoding="utf-8"))
    ids = [f"day{i // 10}/p{i}" for i in range(count)]
    videos = [VideoResult(Detections(name, [], [], []), 1.0 + i) for i, name in enumerate(ids)]
    (folder / "report.html").write_text(index_page(videos, MMA52, PageOptions()))
    return folder / "report.html"


def names_on(page) -> list[str]:
    return page.eval_on_selector_all("table.sortable tbody a", "links => links.map(a => a.textContent)")


@pytest.fixture
def many(open_page, tmp_path):
    return open_page(write_list(tmp_path, SHOWN + 50))


def test_a_list_begins_with_some_and_shows_all_on_request(many):
    assert len(names_on(many)) == SHOWN
    assert many.text_content("#more") == f"show all {SHOWN + 50}"
    many.click("#more")
    assert len(set(names_on(many))) == SHOWN + 50 and many.is_hidden("#more")


def test_sorting_takes_in_what_is_not_shown(many):
    many.click("th:has-text('length') button")
    many.click("th:has-text('length') button")
    assert names_on(many)[:2] == [f"day{i // 10}/p{i}" for i in (SHOWN + 49, SHOWN + 48)]
    many.click("th:has-text('video') button")
    assert names_on(many)[8:12] == ["day0/p8", "day0/p9", "day1/p10", "day1/p11"]  # numbers count as such


def test_the_search_finds_what_is_not_shown(many):
    last = SHOWN + 49
    many.fill("#search", f"P{last}")
    assert names_on(many) == [f"day{last // 10}/p{last}"]
    assert many.text_content("#count") == f"1 of {SHOWN + 50} videos" and many.is_hidden("#more")
    many.fill("#search", "p7 day7")
    assert names_on(many) == [f"day7/p{i}" for i in range(70, 80)]
    many.fill("#search", "nobody")
    assert names_on(many) == [] and many.text_content("#count") == f"0 of {SHOWN + 50} videos"
    many.fill("#search", "")
    assert len(names_on(many)) == SHOWN and many.text_content("#count") == ""


def test_a_short_list_has_no_search(open_page, tmp_path):
    page = open_page(write_list(tmp_path, SEARCHABLE))
    assert page.query_selector("#search") is None and page.is_hidden("#more")
    assert len(names_on(page)) == SEARCHABLE


def test_without_scripts_all_are_there(chromium, tmp_path):
    page = chromium.new_page(java_script_enabled=False)
    page.goto(write_list(tmp_path, SHOWN + 50).resolve().as_uri())
    assert page.locator("tbody tr:visible").count() == SHOWN + 50
    page.close()
