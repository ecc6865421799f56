import torch
from made_videos import cut_off, write_video

from mmad.config import ClipConfig
from mmad.data.clip_dataset import ClipDataset, collate_clips
from mmad.data.clips import Preprocess

SMALL = Preprocess(resize=36, crop=32)


def data_set(folder, **settings) -> ClipDataset:
    return ClipDataset([("a.mp4", 3), ("b.mp4", 5)], folder, ClipConfig(frames=4), SMALL, **settings)


def test_what_is_seen_is_a_matter_of_seed_epoch_and_index(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, 20)
    clips, again = (data_set(tmp_path, training=True, seed=1) for _ in range(2))
    first, label = clips[0]
    assert (first.shape, first.dtype, label) == ((4, 3, 32, 32), torch.uint8, 3)
    assert torch.equal(first, again[0][0])
    again.epoch = 1
    assert not torch.equal(first, again[0][0])
    batch = collate_clips([clips[0], clips[1]])
    assert (batch.pixels.shape, batch.labels.tolist()) == ((2, 4, 3, 32, 32), [3, 5])


def test_testing_looks_at_the_middle_of_each_part(tmp_path):
    write_video(tmp_path / "a.mp4", 20)
    clips = data_set(tmp_path)
    assert torch.equal(clips[0][0], clips[0][0])


def test_a_cut_off_clip_is_used_and_said(tmp_path, capsys):
    cut_off(tmp_path / "a.mp4", write_video(tmp_path / "whole.mp4", 40), 10, 0)
    assert data_set(tmp_path)[0][0].shape == (4, 3, 32, 32)
    assert "a.mp4: cut off, 10 of 40 frames" in capsys.readouterr().err
