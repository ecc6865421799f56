"""The list of the videos of a run in headless Chromium: time to open it, to sort it, and to search in it.

python benchmarks/index_page.py OUT [--videos 5000] [--runs 3]
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from mmad.labels import MMA52
from mmad.records import Detections
from mmad.report.content import PageOptions, VideoResult
from mmad.report.index import index_page
from mmad.report.pages import ASSETS

CLICK = """button => { const began = performance.now(); button.click(); document.body.offsetHeight;
return performance.now() - began; }"""
TYPE = """box => { const began = performance.now(); box.value = "person_0012"; box.dispatchEvent(new Event("input"));
document.body.offsetHeight; return performance.now() - began; }"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--videos", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    page = write_page(Path(args.out), args.videos)
    print(f"{args.videos} videos, {page.stat().st_size / 1e6:.1f} MB")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        runs = [one_run(browser, page) for _ in range(args.runs)]
        browser.close()
    for name in runs[0]:
        print(f"{name}: {statistics.median(run[name] for run in runs):.0f} ms")


def write_page(folder: Path, count: int) -> Path:
    (folder / "report").mkdir(parents=True, exist_ok=True)
    for name in ("page.css", "index.js"):
        (folder / "report" / name).write_text((ASSETS / name).read_text(encoding="utf-8"))
    made, videos = np.random.default_rng(0), []
    for i in range(count):
        found = Detections(f"day{i // 100:03d}/person_{i:05d}", [[0, 1]] * 3, [9, 9, 19], made.uniform(size=3))
        videos.append(VideoResult(found, float(made.uniform(5, 3600))))
    (folder / "report.html").write_text(index_page(videos, MMA52, PageOptions()), encoding="utf-8")
    return folder / "report.html"


def one_run(browser: Browser, path: Path) -> dict[str, float]:
    """ms of each thing that a person does."""
    tab = browser.new_page(viewport={"width": 1366, "height": 768})
    began = time.perf_counter()
    tab.goto(path.resolve().as_uri())
    tab.evaluate("document.body.offsetHeight")
    took = {"open": 1e3 * (time.perf_counter() - began)}
    for name in ("length", "video"):
        took[f"sort by {name}"] = tab.eval_on_selector(f"th:has-text('{name}') button", CLICK)
    if tab.query_selector("#search"):
        took["search"] = tab.eval_on_selector("#search", TYPE)
    tab.close()
    return took


if __name__ == "__main__":
    main()
