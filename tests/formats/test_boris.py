import pytest
from made_annotations import BORIS_7, BORIS_9, NODDING, WAVING, write

from mmad.formats import read_annotations


@pytest.mark.parametrize("text", [BORIS_7, BORIS_9], ids=["7", "9"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_boris_of_several_versions(tmp_path, text, suffix, capsys):
    path = write(tmp_path, f"events{suffix}", text if suffix == ".csv" else text.replace(",", "\t"))
    first, second = read_annotations(path)
    assert (first.video_id, first.duration, first.fps) == ("v1", 60.5, 25.0)
    assert (first.segments.tolist(), first.labels.tolist()) == ([[1.0, 2.5]], [NODDING])
    assert (second.duration, second.labels.tolist()) == (4.0, [WAVING])
    assert capsys.readouterr().err.splitlines() == [
        f"warning: {path}: 1 point events have no duration and are left out",
        f"warning: {path}: the length of 1 of 2 videos is not known; taken to end with the last action",
    ]
