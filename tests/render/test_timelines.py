from itertools import pairwise

import numpy as np
import pytest

from mmad.labels import MMA52
from mmad.metrics.statistics import annotation_statistics
from mmad.render.acts import NEEDS
from mmad.render.motions import MOTIONS
from mmad.render.timelines import (
    FPS,
    POSTURE_MARGIN,
    STATISTICS,
    Action,
    Timeline,
    class_frequencies,
    make_clip,
    make_timeline,
)


def timelines(count: int, *names: str, **how) -> list[Timeline]:
    generator = np.random.default_rng(0)
    return [make_timeline(generator, str(i), class_frequencies(names, **how)) for i in range(count)]


def test_every_action_has_a_frequency_a_length_and_a_motion():
    assert set(STATISTICS) == set(MOTIONS) == set(MMA52.actions)
    assert {need for motion in MOTIONS.values() for need in motion.needs} <= {*NEEDS}


def test_timelines_look_like_the_real_ones():
    """Against the official train annotations: FACTS of the field, as in STATISTICS's source."""
    found = annotation_statistics([item.annotation() for item in timelines(1500)], MMA52)
    assert found.durations.min() >= 5 and found.durations.max() <= 15.04
    assert found.durations.mean() == pytest.approx(10.3, abs=0.3)
    assert found.counts.min() >= 2 and found.counts.max() <= 10
    assert found.counts.mean() == pytest.approx(3.02, abs=0.1)
    assert found.overlapping == pytest.approx(0.864, abs=0.03)
    assert np.median(found.lengths) == pytest.approx(2.59, abs=0.25)
    assert np.quantile(found.lengths, 0.05) == pytest.approx(0.67, abs=0.1)
    assert found.lengths.min() == pytest.approx(0.27, abs=0.05)
    assert found.at_start == pytest.approx(0.30, abs=0.08) and found.at_end == pytest.approx(0.27, abs=0.08)
    real = np.array([STATISTICS[name][0] for name in MMA52.actions])
    assert np.corrcoef(np.sqrt(real), np.sqrt(found.per_class))[0, 1] > 0.98
    assert found.per_class.argmax() == MMA52.index["turning head"]


def test_actions_last_as_long_as_the_real_ones_and_are_cut_as_often():
    """Classes of which there are enough: lengths at 10, 50 and 90 %, shares that last the video and begin before it."""
    items = timelines(1500)
    rows = [
        (label, end - start, start < 0.05, end > item.duration - 0.1)
        for item in (timeline.annotation() for timeline in items)
        for (start, end), label in zip(item.segments, item.labels)
    ]
    labels, lengths, first, last = (np.array(column) for column in zip(*rows))
    for name, row in STATISTICS.items():
        mine = labels == MMA52.index[name]
        if mine.sum() < 100:
            continue
        found = np.quantile(lengths[mine], (0.1, 0.5, 0.9))
        assert np.abs(np.log(found / (row.short, row.median, row.long))).max() < 0.45, name
        assert (first & last)[mine].mean() == pytest.approx(row.whole / 100, abs=0.09), name
        assert first[mine].mean() == pytest.approx(row.from_start / 100, abs=0.09), name


def test_postures_are_kept_before_the_video_begins_and_after_it_ends():
    for timeline in timelines(300):
        for action in timeline.actions:
            if STATISTICS[action.name].is_posture:
                assert action.start <= -POSTURE_MARGIN[0] or action.start > 0
                assert action.end >= timeline.duration + POSTURE_MARGIN[0] - 0.04 or action.end <= timeline.duration
    clips = [make_clip(np.random.default_rng(i), "c", "curling legs").actions[0].start for i in range(40)]
    assert 10 < sum(start < 0 for start in clips) < 35


def test_no_limb_does_two_things_at_once():
    """Neither among the actions nor with what nobody annotates."""
    for timeline in timelines(300):
        for need in NEEDS:
            done = (*timeline.actions, *timeline.distractors)
            mine = sorted((a for a in done if need in a.needs()), key=lambda a: a.start)
            assert all(first.end <= second.start for first, second in pairwise(mine))


@pytest.mark.parametrize("side", ["L", "R"])
def test_one_hand_is_the_hand_of_the_side(side):
    hand = {"L": "left hand", "R": "right hand"}[side]
    assert Action("waving", 0, 1, side).needs() == {hand}
    assert Action("rubbing hands", 0, 1, side).needs() == {"left hand", "right hand"}


def test_what_lies_outside_the_video_is_cut_from_the_annotation():
    timeline = Timeline("v", 90, (Action("nodding", -1.0, 0.5, "R"), Action("waving", 2.0, 9.0, "L")))
    item = timeline.annotation()
    assert item.segments.tolist() == [[0.0, 0.5], [2.0, 89 / FPS]]
    assert [MMA52.actions[label] for label in item.labels] == ["nodding", "waving"]
    assert item.duration == 3.0


def test_balanced_classes_are_equally_frequent():
    found = annotation_statistics(
        [item.annotation() for item in timelines(400, "nodding", "tilting head", tail=0.0)], MMA52
    )
    nods, covers = (found.per_class[MMA52.index[name]] for name in ("nodding", "tilting head"))
    assert 0.8 < nods / covers < 1.25
    assert found.per_class.sum() == nods + covers


def test_clips_hold_one_action():
    clip = make_clip(np.random.default_rng(0), "c", "waving")
    assert [action.name for action in clip.actions] == ["waving"]
    assert 1.0 <= clip.duration <= 4.0
    assert 0 <= clip.actions[0].start < clip.actions[0].end <= clip.duration
