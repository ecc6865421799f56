import multiprocessing

import numpy as np
import pytest
import torch
from made_videos import cut_off, index_of, write_video

from mmad.config import ClipConfig
from mmad.data.clip_dataset import (
    ClipDataset,
    ClipLoader,
    ClipSource,
    Loading,
    SubsetFolder,
    WindowDataset,
    augment,
    labels_within,
    training_order,
)
from mmad.errors import InputError
from mmad.records import Annotation
from mmad.video import probing
from mmad.video import reader as video
from mmad.video.preprocess import Preprocess

SMALL = Preprocess(resize=36, crop=32)


def data_set(folder, **settings) -> ClipDataset:
    return ClipDataset([("a.mp4", 3), ("b.mp4", 5)], folder, ClipConfig(frames=4), SMALL, **settings)


def test_a_training_sample_is_determined_by_seed_epoch_and_index(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, 20)
    clips, again = (data_set(tmp_path, seed=1) for _ in range(2))
    first, label = clips.read(0)
    assert (first.shape, first.dtype, label) == ((1, 4, 3, 32, 32), torch.uint8, 3)
    assert torch.equal(first, again.read(0)[0])
    assert not torch.equal(first, again.read(0, epoch=1)[0])
    batch = ClipSource.collate([clips[0, 0], clips[0, 1]])
    assert (batch.pixels.shape, batch.labels.tolist()) == ((2, 1, 4, 3, 32, 32), [3, 5])


def test_testing_looks_at_the_middle_of_each_part(tmp_path):
    write_video(tmp_path / "a.mp4", 40, size=(64, 64))
    config, how = ClipConfig(frames=4), Preprocess(resize=64, crop=64)
    seen, _ = ClipDataset([("a.mp4", 3)], tmp_path, config, how).read(0)
    assert [index_of(frame) for frame in seen[0].permute(0, 2, 3, 1).numpy()] == [5, 15, 25, 35]


def test_missing_clips_are_counted_before_any_is_read(tmp_path):
    write_video(tmp_path / "b.mp4", 8)
    with pytest.raises(InputError, match=r"a\.mp4: no such file; 1 of 2 listed clips are missing"):
        data_set(tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_clip_that_is_no_video_is_named_whoever_reads_it(tmp_path, workers):
    write_video(tmp_path / "a.mp4", 8)
    (tmp_path / "b.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"b\.mp4: ") as raised:
        list(ClipLoader(data_set(tmp_path), Loading(1, workers)))
    assert "Traceback" not in str(raised.value)


def test_sides_of_the_multi_scale_crop_are_alike_or_next():
    """Each of the ten pairs as often, seen by the size of what is cut: pixels that count rows and columns."""
    pixels = torch.stack(torch.meshgrid(torch.arange(80), torch.arange(80), indexing="ij")).to(torch.uint8)
    pixels = torch.cat([pixels, pixels[:1]])[None]
    config, how, generator = ClipConfig(flip=0), Preprocess(resize=80, crop=80), np.random.default_rng(0)
    counts = {}
    for _ in range(1000):
        cut = augment(pixels, config, how, generator)[0].int()
        sides = tuple(int(cut[axis].max() - cut[axis].min()) + 1 for axis in (0, 1))
        counts[sides] = counts.get(sides, 0) + 1
    lengths = [80, 70, 60, 52]
    pairs = {(a, b) for i, a in enumerate(lengths) for j, b in enumerate(lengths) if abs(i - j) <= 1}
    assert counts.keys() == pairs
    assert all(60 < count < 140 for count in counts.values())


def test_a_cut_off_clip_is_used_and_said(tmp_path, capsys):
    cut_off(tmp_path / "a.mp4", write_video(tmp_path / "b.mp4", 40), 10, 0)
    assert data_set(tmp_path).read(0)[0].shape == (1, 4, 3, 32, 32)
    assert "a.mp4: cut off, 10 of 40 frames" in capsys.readouterr().err


def test_views_are_samplings_times_crops_times_two(tmp_path):
    write_video(tmp_path / "a.mp4", 40, size=(80, 48))
    config = ClipConfig(frames=4, samplings=2, crops=3, mirrored=True)
    views, _ = ClipDataset([("a.mp4", 0)], tmp_path, config, Preprocess(resize=48, crop=48)).read(0)
    assert views.shape == (12, 4, 3, 48, 48)
    config = ClipConfig(frames=4, crops=3)
    plain, _ = ClipDataset([("a.mp4", 0)], tmp_path, config, Preprocess(resize=48, crop=48)).read(0)
    assert not torch.equal(views[0], views[3])  # another sampling
    assert torch.equal(views[6:], views[:6].flip(-1))
    left, middle, right = plain
    assert torch.equal(left[..., 16:], middle[..., :32]) and torch.equal(middle[..., 16:], right[..., :32])


LONG = Annotation("v", 6.0, [(0.0, 6.0), (1.0, 1.5), (2.9, 4.4)], [7, 8, 9])


@pytest.mark.parametrize(
    ("start", "end", "labels"),
    [
        (0.0, 2.0, [7, 8]),  # one that fills it, one that lies in it
        (1.25, 3.25, [7, 8]),  # half of the short one is enough; 0.35 of 1.5 s is not
        (1.3, 3.3, [7]),
        (2.4, 4.4, [7, 9]),
        (5.0, 6.0, [7]),
    ],
)
def test_what_a_window_holds(start, end, labels):
    assert labels_within(LONG, start, end).tolist() == labels


def test_windows_of_a_long_video(tmp_path):
    (tmp_path / "train").mkdir()
    write_video(tmp_path / "train" / "v.mp4", 150, fps=25, size=(64, 64))
    config, how = ClipConfig(window=2.0, frames=4, flip=0.0, scales=[1.0]), Preprocess(resize=64, crop=64)
    windows = WindowDataset([LONG], SubsetFolder(tmp_path, "train"), config, how, 10)
    assert len(windows) == 3
    seen, target = windows.read(1)  # 2 .. 4 s: frames 50 .. 99, the centres of four parts
    assert [index_of(frame) for frame in seen[0].permute(0, 2, 3, 1).numpy()] == [56, 68, 81, 93]
    assert target.nonzero()[:, 0].tolist() == [7, 9]

    training = WindowDataset([LONG], SubsetFolder(tmp_path, "train"), config, how, 10, seed=0)
    assert training.classes.tolist() == [7, 8, 9]
    for index, label in enumerate(training.classes):
        pixels, target = training.read(index)
        assert pixels.shape == (1, 4, 3, 64, 64) and target[label] == 1
        frames = [index_of(frame) for frame in pixels[0].permute(0, 2, 3, 1).numpy()]
        assert frames == sorted(frames) and frames[-1] - frames[0] <= 50
    batch = ClipSource.collate([training[0, 0], training[0, 1]])
    assert batch.labels.shape == (2, 10)


def test_windows_stay_within_what_is_there_of_a_video(tmp_path):
    """Annotated for 6 s, 2.4 s long: no window shows the last frame again and again, nor says what is not seen."""
    (tmp_path / "train").mkdir()
    write_video(tmp_path / "train" / "v.mp4", 60, fps=25, size=(64, 64))
    config, how = ClipConfig(window=2.0, frames=4, flip=0.0, scales=[1.0]), Preprocess(resize=64, crop=64)
    for seed in (None, 0):
        windows = WindowDataset([LONG], SubsetFolder(tmp_path, "train"), config, how, 10, seed)
        for i in range(len(windows)):
            pixels, target = windows.read(i)
            frames = [index_of(frame) for frame in pixels[0].permute(0, 2, 3, 1).numpy()]
            assert len(set(frames)) == 4
            assert set(target.nonzero()[:, 0].tolist()) == {7, 8}


def test_the_end_of_a_video_is_evaluated_too(tmp_path):
    (tmp_path / "train").mkdir()
    write_video(tmp_path / "train" / "v.mp4", 125, fps=25)
    item = Annotation("v", 5.0, [(0.0, 5.0)], [1])
    windows = WindowDataset([item], SubsetFolder(tmp_path, "train"), ClipConfig(window=2.0, frames=4), SMALL, 10)
    assert len(windows) == 3


def test_windows_without_any_action_are_refused(tmp_path):
    (tmp_path / "train").mkdir()
    write_video(tmp_path / "train" / "v.mp4", 10)
    nothing = Annotation("v", 5.0, np.zeros((0, 2)), np.zeros(0, dtype=int))
    with pytest.raises(InputError, match="the train annotations: hold no action"):
        WindowDataset([nothing], SubsetFolder(tmp_path, "train"), ClipConfig(window=2.0), SMALL, 10)


def test_the_order_of_an_epoch_is_determined_by_seed_and_epoch():
    classes = np.zeros(20, dtype=int)
    order = training_order(classes, 0, seed=1, epoch=2)
    assert sorted(order) == list(range(20)) and order == training_order(classes, 0, seed=1, epoch=2)
    assert order not in (training_order(classes, 0, 1, 3), training_order(classes, 0, 2, 2), list(range(20)))


def test_balanced_order_draws_rare_classes_as_often():
    classes = np.array([0] * 90 + [1] * 10)

    def share(balance: float) -> float:
        drawn = training_order(classes, balance, seed=0, epoch=0)
        assert len(drawn) == 100
        return float((classes[drawn] == 1).mean())

    assert share(1.0) == pytest.approx(0.5, abs=0.12)
    assert share(0.5) == pytest.approx(0.25, abs=0.1)


# --- opened once, and by workers that stay ---------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Names of the files that were opened to be read, once for each time."""
    names = []

    def count(module, name: str) -> None:
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda path, *given: (names.append(str(path)), real(path, *given))[1])

    count(probing, "open_video")
    count(video, "open_video")
    return names


@pytest.mark.parametrize("reader", ["auto", "pyav"])
def test_a_clip_is_opened_once_and_to_be_known_once(tmp_path, opened, reader):
    """Three views of it or one, in training or testing: the first time twice, from then on once."""
    write_video(tmp_path / "a.mp4", 20)
    config = ClipConfig(frames=4, samplings=3, reader=reader)
    for seed in (None, 0):
        clips = ClipDataset([("a.mp4", 3)], tmp_path, config, SMALL, seed)
        opened.clear()
        for epoch in range(3):
            clips.read(0, epoch)
            assert len(opened) == 2 + epoch


@pytest.mark.parametrize("reader", ["auto", "pyav"])
def test_windows_of_a_long_video_open_it_once_each(tmp_path, opened, reader):
    """Also those far inside it, to which the reader jumps."""
    (tmp_path / "train").mkdir()
    write_video(tmp_path / "train" / "v.mp4", 150, fps=25)
    windows = WindowDataset(
        [LONG], SubsetFolder(tmp_path, "train"), ClipConfig(window=2.0, frames=4, reader=reader), SMALL, 10
    )
    opened.clear()
    for i in range(3):
        windows.read(i)
    assert len(opened) == 1 + 3


def test_listed_clips_are_found_under_other_spellings(tmp_path):
    """Other suffix, other Unicode form, another space; what is not there is counted."""
    for name in ("A.MP4", "Mu\u0308ller.mp4", "at 3.04\u202fPM.mp4"):
        write_video(tmp_path / name, 8)
    names = ["A.mp4", "M\u00fcller.mp4", "at 3.04 PM.mp4"]
    config = ClipConfig(frames=4)
    clips = ClipDataset([(name, 0) for name in names], tmp_path, config, SMALL)
    assert [path.name for path in clips.paths] == ["A.MP4", "Mu\u0308ller.mp4", "at 3.04\u202fPM.mp4"]
    with pytest.raises(InputError, match=r"B\.mp4: no such file; 1 of 2 listed clips are missing"):
        ClipDataset([("A.mp4", 0), ("B.mp4", 0)], tmp_path, config, SMALL)


def test_what_is_remembered_of_videos_is_bounded_and_of_today(tmp_path, opened):
    paths = [write_video(tmp_path / f"{i}.mp4", 20) for i in range(3)]
    infos = video.VideoInfos(room=2 * (20 + 60))
    opened.clear()
    assert [infos(paths[i])[1] for i in (0, 1, 0, 2, 0, 1)] == [True, True, False, True, False, True]
    assert len(opened) == 4 and list(infos.found) == [paths[0], paths[1]]
    write_video(paths[1], 30)
    assert (infos(paths[1])[0].num_frames, infos.taken) == (30, 80 + 90 - 80)


def test_workers_stay_and_read_what_one_process_reads(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, 20)

    def loader(workers: int) -> ClipLoader:
        clips = data_set(tmp_path, seed=1)
        return ClipLoader(clips, Loading(1, workers), lambda epoch: training_order(clips.classes, 0, 1, epoch))

    alone, helped = loader(0), loader(1)
    others, processes, seen = set(multiprocessing.active_children()), set(), []
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for epoch in (0, 1, 4):
        batches = list(helped.at_epoch(epoch))
        assert len(batches) == len(helped) == 2
        for mine, theirs in zip(alone.at_epoch(epoch), batches):
            assert torch.equal(mine.pixels, theirs.pixels) and torch.equal(mine.labels, theirs.labels)
        seen.append(torch.cat([batch.pixels for batch in batches]))
        processes |= set(multiprocessing.active_children()) - others
    assert len(processes) == 1
    assert not any(torch.equal(seen[i], seen[i + 1]) for i in (0, 1))
    assert torch.equal(torch.get_rng_state(), before)  # or a training that goes on would have other dropout
