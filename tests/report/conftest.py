"""Pages in a real browser: headless Chromium, driven through playwright. Skipped where either is not there."""

import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def chromium():
    reason = "drives the pages with playwright: pip install playwright"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    if CHROMIUM is None:
        pytest.skip("drives the pages with Chromium, which is not installed")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        except sync_api.Error as error:
            pytest.skip(f"{CHROMIUM} does not start: {str(error).splitlines()[0]}")
        page = browser.new_page()
        if not page.evaluate("""document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"')"""):
            pytest.skip(f"{CHROMIUM} plays no H.264")
        page.close()
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """path -> the page in a fresh tab; at the end nothing may have gone wrong on any, or have left the machine."""
    pages, wrong = [], []

    def opened(path: Path, **settings):
        page = chromium.new_page(**settings)
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda r: None if r.url.startswith(("file:", "blob:", "data:")) else wrong.append(r.url))
        page.goto(path.resolve().as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert wrong == []
