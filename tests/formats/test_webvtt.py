import pytest
from made_annotations import BOWING, NODDING, WAVING, write

from mmad.errors import InputError
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


def test_subtitles_as_people_have_them(tmp_path):
    text = "WEBVTT\n\n1\n00:00:01,000 --> 00:00:02,000 align:start\n<v Anna>Nodding</v>\n<c.loud>waving</c> (0.5)\n"
    [item] = read_events(write(tmp_path, "v.vtt", text))
    assert item.rows() == [(1.0, 2.0, NODDING, 1.0), (1.0, 2.0, WAVING, 0.5)]


def test_subrip(tmp_path):
    text = "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}<i>nodding</i>\r\nwaving\r\n\r\n2\r\n"
    text += "01:00:00,000 --> 01:00:01,000\r\n[music]\r\n"
    path = write(tmp_path, "v.srt", text)
    [item] = read_events(path)
    assert (item.video_id, item.rows()) == ("v", [(1.0, 2.5, NODDING, None), (1.0, 2.5, WAVING, None)])
    assert item.notes == [f"{path}: 1 lines are no action, such as '[music]'"]
    with pytest.raises(InputError, match="no subtitle in it; expected 00:00:01,000 --> 00:00:02,500"):
        read_events(write(tmp_path, "w.srt", "nodding\n"))


def test_subtitles_in_old_encodings(tmp_path):
    text = "1\n00:00:01,000 --> 00:00:02,500\nnodding\n\n2\n00:00:03,000 --> 00:00:04,000\nMüdigkeit\n"
    for encoding in ("utf-16", "cp1252"):
        (tmp_path / "v.srt").write_bytes(text.encode(encoding))
        [item] = read_events(tmp_path / "v.srt")
        assert item.rows() == [(1.0, 2.5, NODDING, None)]
        assert ("Windows-1252" in item.notes[0]) == (encoding == "cp1252")
