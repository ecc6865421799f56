from made_annotations import BOWING, NODDING, WAVING, write

from mmad.formats import read_events


def test_webvtt_as_an_editor_leaves_it(tmp_path):
    text = (
        "\ufeffWEBVTT - corrected\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\nfirst\n"
        "00:01.000 --> 00:02.500 line:0\n"
        "nodding (0.5)\nwaving\n\n01:00:00.000 --> 01:00:01.000\nbowing head\n"
    )
    [events] = read_events(write(tmp_path, "v.1.vtt", text))
    assert events.video_id == "v.1"
    assert events.rows() == [
        (1.0, 2.5, NODDING, 0.5),
        (1.0, 2.5, WAVING, 1.0),
        (3600.0, 3601.0, BOWING, 1.0),
    ]
