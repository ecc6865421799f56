"""What the extraction of features and of landmarks share."""

from pathlib import Path

import pytest
from tqdm import tqdm

from mmad.engine import video_jobs
from mmad.engine.video_jobs import Progress, sort_videos


def test_videos_are_sorted_by_what_is_left_to_do():
    sidecars = {"whole": {}, "broken": {"broken": "b.mp4: cut off"}}
    videos = [(name, Path(f"{name}.mp4")) for name in ("new", "whole", "../out", "broken")]
    found = sort_videos(videos, lambda video_id, path: sidecars.get(video_id))
    assert found.finished == sidecars and found.todo == [("new", Path("new.mp4"))]
    outside, broken = found.problems
    assert "'../out'" in outside
    assert broken == "b.mp4: cut off"


def test_progress_counts_shares_of_videos_once(capsys, monkeypatch):
    """Half of the first video was done by an earlier run; of the second nothing can be read."""
    monkeypatch.setattr(video_jobs, "tqdm", lambda **settings: tqdm(**{**settings, "disable": False}))
    with Progress(2, "{:.1f} steps/s") as progress:
        progress.add(0, 0.5)
        assert progress.bar.n == pytest.approx(0.5) and progress.amount == 0
        progress.add(10, 0.25)
        assert progress.bar.n == pytest.approx(0.75) and progress.amount == 10
        progress.finish_video()
        assert progress.bar.n == 1
        progress.finish_video()
        assert progress.bar.n == 2
    assert "50 % of a video was done by an earlier run" in capsys.readouterr().out
