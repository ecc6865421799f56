import pytest
from made_annotations import NODDING, WAVING, write

from mmad.errors import InputError
from mmad.formats import is_clip_list, read_events
from mmad.formats.source import Coders

ROWS = {
    "all formats": "head\tanna\t00:00:01.000\t1.0\t1000\t00:00:02.500\t2.5\t2500\t00:00:01.500\t1.5\t1500\tnodding",
    "clock": "head\t\t00:00:01.000\t00:00:02.500\tnodding",
    "seconds": "head\tanna\t1.0\t2.5\t1.5\tnodding",
    "milliseconds": "head\tanna\t1000\t2500\t1500\tnodding",
    "tier is the action": "Nodding\tanna\t1.0\t2.5\t1.5\tx",
    "no text": "nodding 2\t\t1.0\t2.5\t1.5\t",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_rows_in_each_of_the_time_formats(tmp_path, row):
    other = row.replace(row.split("\t")[0], "remarks", 1).rsplit("\t", 1)[0] + "\tlook again"
    path = write(tmp_path, "v.txt", f'"#file:///x/v.eaf"\n\n{row}\n{other}\n')
    [item] = read_events(path)
    assert (item.video_id, item.rows()) == ("v", [(1.0, 2.5, NODDING, None)])
    assert f"{path}: 1 annotations are no action, such as 'look again'" in item.notes
    assert not is_clip_list(path)


def test_one_tier_and_a_row_that_ends_too_early(tmp_path):
    rows = "anna\t\t1.0\t2.0\t1.0\tnodding\nben\t\t3.0\t4.0\t1.0\twaving\n"
    path = write(tmp_path, "v.txt", rows)
    assert read_events(path, coders=Coders(tiers=("ben",)))[0].rows() == [(3.0, 4.0, WAVING, None)]
    with pytest.raises(InputError, match="line 1: ends before it starts"):
        read_events(write(tmp_path, "v.txt", rows.replace("2.0", "0.5", 1)))


def test_lists_of_clips_and_labels_of_audacity_are_others(tmp_path):
    assert is_clip_list(write(tmp_path, "list.txt", "a.mp4 3\nb 1.mp4 4\n"))
    assert not is_clip_list(write(tmp_path, "labels.txt", "1.000000\t2.000000\tnodding\n"))
    assert not is_clip_list(write(tmp_path, "table.txt", "video_id\tstart_frame\tend_frame\tclass\ttotal_frames\n"))
