"""What holds for any annotations in any format, and for any slip of a finger in a file."""

import contextlib
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made_annotations import BORIS_7, FOUND, out_for
from scipy.optimize import linear_sum_assignment

from mmad.errors import InputError
from mmad.formats import EVENT_FORMATS, FORMATS, read_events, write_events
from mmad.formats.predictions import write_predictions
from mmad.formats.submissions import write_detections
from mmad.labels import MMA52
from mmad.records import Annotation

FPS = 25.0
QUICK = settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
NAMES = st.text("abc é.-_ 12", min_size=1, max_size=8).map(lambda text: f"v{text}x")
TIMES = st.floats(0, 4000, allow_nan=False).map(lambda time: round(time, 7))


@st.composite
def annotations(draw) -> list[Annotation]:
    """Some videos of any actions, with scores or without, of known length or not."""
    videos = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        rows = draw(st.lists(st.tuples(TIMES, st.floats(0, 50), st.integers(0, 51)), max_size=7))
        segments = [(start, start + length) for start, length, _ in rows]
        scores = draw(st.none() | st.lists(st.floats(0, 1), min_size=len(rows), max_size=len(rows)))
        duration = draw(st.sampled_from([None, 5000.0]))
        videos.append(Annotation(name, duration, segments, [row[2] for row in rows], fps=FPS, scores=scores))
    return videos


def worst(found: Annotation, wanted: Annotation) -> tuple[float, float]:
    """(s by which any time is off, by which any score is), of the best pairing of actions of the same class."""
    assert sorted(found.labels.tolist()) == sorted(wanted.labels.tolist())
    if not len(found.labels):
        return 0.0, 0.0
    apart = np.abs(found.segments[:, None] - wanted.segments).max(axis=2)
    scores = [np.ones(len(item.labels)) if item.scores is None else item.scores for item in (found, wanted)]
    off = np.abs(scores[0][:, None] - scores[1])
    cost = apart + off * 1e-3 + 1e9 * (found.labels[:, None] != wanted.labels)
    at = linear_sum_assignment(cost)
    return float(apart[at].max()), float(off[at].max())


@pytest.mark.parametrize("form", EVENT_FORMATS)
@QUICK
@given(videos=annotations())
def test_what_is_written_is_read_to_the_stated_precision(form, videos):
    """To one unit; what is shorter than that becomes one unit long."""
    unit = FORMATS[form].precision or 1 / FPS
    if form in ("audacity", "bids", "via", "activitynet"):
        shortest = 0.0  # these can say that an action has no length
    else:
        shortest = unit
    with tempfile.TemporaryDirectory() as folder:
        out = out_for(Path(folder), form)
        write_events(out, videos, form)
        back = {item.video_id: item for item in read_events(out)}
    for item in videos:
        if form == "boris" and not len(item.labels):
            assert item.video_id not in back  # a table of events cannot say that there are none
            continue
        time, score = worst(back[item.video_id], item)
        longest_slip = unit if (item.segments[:, 1] - item.segments[:, 0] >= shortest).all() else 1.5 * unit
        assert time <= 1.001 * longest_slip
        assert score <= 1e-4 or form == "activitynet"  # its scores are written and not read
        if form != "activitynet" and len(item.labels):
            assert (back[item.video_id].scores is None) == (item.scores is None)
    assert len(back) == sum(form != "boris" or len(item.labels) > 0 for item in videos)


PROJECT = """{"behaviors_conf": {"0": {"type": "State event", "code": "nodding"}}, "observations": {"o": {"file":
{"1": ["a.mp4", "b.mp4"]}, "media_info": {"length": {"a.mp4": 60.0, "b.mp4": 60}, "fps": {"a.mp4": 25}},
"time offset": 5,
"events": [[6, "", "nodding", "", "", 3], [7.5, "", "nodding", "", "", 5]]}}}"""
OTHERS = {
    "subtitles.srt": "1\n00:00:01,000 --> 00:00:02,500\n<i>nodding</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nwaving\n",
    "old.csv": BORIS_7,
    "events.tsv": BORIS_7.replace(",", "\t"),
    "tabular.csv": "Observation id,Behavior,Behavior type,Time,Media file name\no,nodding,START,1.5,a.mp4\n"
    "o,nodding,STOP,2.5,a.mp4\n",
    "elan.txt": "head\tanna\t00:00:01.000\t1.0\t00:00:02.000\t2.0\t00:00:01.000\t1.0\tnodding\n",
    "project.boris": PROJECT,
    "via.csv": '# Exported using VGG Image Annotator\n# ATTRIBUTE = {"1":{"aname":"a","options":{"0":"nodding"}}}\n'
    "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
    '"1_a","[""v.mp4""]",0,"[1,2]","[]","{""1"":""0""}"\n',
    "short.TextGrid": 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n5\n<exists>\n1\n'
    '"IntervalTier"\n"head"\n0\n5\n2\n0\n1.5\n"nodding"\n1.5\n5\n""\n',
    "truth.csv": "id;video_id;start_frame;end_frame;class;total_frames;fps\n0;v;0;30,5;nodding;300;30\n",
    "baseline.json": '{"v": {"subset": "val", "duration": 9, "actions": [["nodding", 1, 2.5]]}}',
    "samples.json": '{"samples": [{"filepath": "data/v.mp4", "metadata": {"frame_rate": 25.0, "duration": 9}, "said":'
    ' {"_cls": "TemporalDetections", "detections": [{"label": "nodding", "support": [1, 25]}]}}]}',
}


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """{what: (name, content)} of one file of each format, as we write it or as other programs do."""
    made = {name: (name, text.encode()) for name, text in OTHERS.items()}
    with tempfile.TemporaryDirectory() as folder:
        for form in EVENT_FORMATS:
            out = out_for(Path(folder) / form, form)
            write_events(out, FOUND, form)
            file = next(path for path in sorted(out.rglob("*")) if path.is_file()) if out.is_dir() else out
            made[form] = file.name, file.read_bytes()
        write_predictions(Path(folder) / "p.json", [item.detections() for item in FOUND])
        made["p.json"] = "p.json", (Path(folder) / "p.json").read_bytes()
        for form in ("csv", "mac2026"):
            write_detections(Path(folder) / "p.csv", [item.detections() for item in FOUND], form)
            made[form] = "p.csv", (Path(folder) / "p.csv").read_bytes()
    return made


ANY = [*EVENT_FORMATS, *OTHERS, "p.json", "csv", "mac2026"]
CHARACTERS = st.sampled_from([*"0123456789-.,;:eE+\"'<>&/\\[]{}()#|\t\n\r\0 aZé%_=*", "\ud7ff", "１", "²"])


@pytest.mark.parametrize("name", ANY)
@settings(QUICK, max_examples=150)
@given(data=st.data())
def test_one_changed_character_gives_actions_or_one_line(name, data):
    """Never a traceback, and never more actions than can stand there."""
    name, content = files()[name]
    text = content.decode()
    at = data.draw(st.integers(0, len(text) - 1), label="at")
    how = data.draw(st.sampled_from(["put in", "change", "leave out"]), label="how")
    character = "" if how == "leave out" else data.draw(CHARACTERS, label="character")
    changed = text[:at] + character + text[at + (how != "put in") :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(changed.encode())
        with contextlib.suppress(InputError):
            for item in read_events(path):
                assert np.isfinite(item.segments).all() and (item.segments >= 0).all()
                assert ((item.labels >= 0) & (item.labels < len(MMA52))).all()
                assert len(item.labels) <= 4


@pytest.mark.parametrize("name", ANY)
@settings(QUICK, max_examples=15)
@given(share=st.floats(0, 1))
@example(share=0.0)
def test_a_file_that_is_cut_off_gives_actions_or_one_line(name, share):
    name, content = files()[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content[: int(share * len(content))])
        with contextlib.suppress(InputError):
            read_events(path)
