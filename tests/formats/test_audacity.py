from made_annotations import NODDING, write

from mmad.formats import read_events


def test_audacity_passes_over_frequencies(tmp_path):
    [events] = read_events(write(tmp_path, "v.txt", "0.5\t1.25\tnodding\n\\\t100.0\t200.0\n"))
    assert events.rows() == [(0.5, 1.25, NODDING, None)]
