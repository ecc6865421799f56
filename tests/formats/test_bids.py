from made_annotations import NODDING, write

from mmad.formats import read_events


def test_bids_with_other_columns(tmp_path):
    text = "onset\tduration\tresponse\ttrial_type\n1.5\t0.5\tx\tnodding\n2\tn/a\ty\tcue\n"
    [events] = read_events(write(tmp_path, "sub-01_events.tsv", text))
    assert (events.video_id, events.rows()) == ("sub-01", [(1.5, 2.0, NODDING, None)])
    assert "1 events without a duration" in events.notes[0]
