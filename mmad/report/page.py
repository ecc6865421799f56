"""A plain page over the videos of one run: a timeline and a table each. Opens from disk, asks nothing of a network."""

from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from mmad.data.clips import segment_frames
from mmad.data.video import probe, read_frames
from mmad.errors import InputError
from mmad.files import path_for_id, write_text
from mmad.labels import LabelSet
from mmad.records import Annotation, Detections
from mmad.report.timeline import draw_timeline

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
img { width: 100%; height: auto; background: white; }
table { border-collapse: collapse; margin: .5rem 0 2rem; }
th, td { padding: .15rem .9rem .15rem 0; text-align: left; font-variant-numeric: tabular-nums; }
th { border-bottom: 1px solid currentColor; }
"""


def write_report(
    out: str | Path,
    found: list[Detections],
    durations: dict[str, float],
    labels: LabelSet,
    truth: dict[str, Annotation] | None = None,
    videos: dict[str, Path] | None = None,
) -> Path:
    """timelines/ID.png of each video and index.html over them, in the folder `out`. Returns the page's path.

    durations: s, by video id. truth: what is known to be true, by video id. videos: files whose frames are shown.
    """
    out = Path(out)
    for item in found:
        name = item.video_id
        picture = path_for_id(out / "timelines", name, ".png")
        frames = key_frames(videos[name]) if videos and name in videos else None
        draw_timeline(picture, item, durations[name], labels, (truth or {}).get(name), frames)
    write_page(out / "index.html", found, durations, labels)
    return out / "index.html"


def key_frames(video: Path, count: int = 8, height: int = 216) -> np.ndarray | None:
    """(count, H, W, 3) uint8, the middles of equal parts of a video; None where it cannot be read that far."""
    try:
        info = probe(video)
        frames = read_frames(info, segment_frames(info.num_frames, count))
    except InputError:
        return None
    step = max(round(frames.shape[1] / height), 1)
    return frames[:, ::step, ::step]


def write_page(
    path: str | Path, found: list[Detections], durations: dict[str, float], labels: LabelSet, most: int = 15
) -> None:
    """index.html beside the folder timelines/; the `most` best detections of each video as a table."""
    body = [
        f"<p>{len(found)} videos. Scores rank detections; they are no probabilities. All of them are in "
        '<a href="predictions.csv">predictions.csv</a> and <a href="predictions.json">predictions.json</a>.</p>'
    ]
    for item in found:
        name = escape(item.video_id)
        picture = escape(quote(f"timelines/{item.video_id}.png"))
        body.append(
            f"<h2>{name}</h2>\n<p>{durations[item.video_id]:.1f} s, {len(item)} detections, the best "
            f'{min(most, len(item))}:</p>\n<img src="{picture}" alt="timeline of {name}" loading="lazy">'
        )
        body.append(_table(item, labels, most))
    write_text(
        path,
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Micro-actions</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style></head>\n'
        f"<body><h1>Micro-actions</h1>\n{chr(10).join(body)}\n</body></html>\n",
    )


def _table(item: Detections, labels: LabelSet, most: int) -> str:
    rows = ["<tr><th>start s</th><th>end s</th><th>action</th><th>body part</th><th>score</th></tr>"]
    for (start, end), label, score in list(zip(item.segments, item.labels, item.scores))[:most]:
        action, part = escape(labels.actions[label]), escape(labels.parts[labels.part_of[label]])
        rows.append(
            f"<tr><td>{start:.2f}</td><td>{end:.2f}</td><td>{action}</td><td>{part}</td><td>{score:.3f}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"
